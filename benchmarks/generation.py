"""What generation costs beside requests: memory while questions are split, CPU of the live view.

    python benchmarks/generation.py [--json] [--large 200000]

Memory is that of `distill generate --limit 1`, in a process of its own, against the teacher of
`tests/servers/teacher.py`: all questions of a file are read, 1,000 are held out, one is asked. The
view is drawn once a second, on a terminal of 100 columns, while 1,000 questions a second finish.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.teacher_client import DISTILL, Place, holds, teacher  # noqa: E402
from generators.budget import Budget  # noqa: E402
from generators.throttle import Pace, Throttle  # noqa: E402
from pipelines.live import View, shown  # noqa: E402
from pipelines.progress import Progress  # noqa: E402
from verifiers.records import Completion, Group, Problem, Verdict  # noqa: E402

SMALL, SECONDS, A_SECOND = 50_000, 100, 1000
BARS: dict[str, tuple[str, float]] = {
    "split_peak_rss_mb_large": ("<=", 150),
    "split_peak_rss_mb_more": ("<=", 10),
    "view_share_of_a_core": ("<=", 0.01),
    "plain_lines_share_of_a_core": ("<=", 0.01),
}


def split(folder: Path, rows: int) -> float:
    """Peak memory in MB of reading `rows` questions, 1,000 of them held out."""
    place = Place(folder, rows)
    with teacher() as url:
        recipe = folder / "recipe.yaml"
        recipe.write_text(
            f'name: bench\nteacher: {{backend: openai, base_url: "{url}", model: m}}\n'
            "questions: [{from: jsonl, path: questions.jsonl, verifier: exact}]\n"
            "chains: {samples: 1}\nevaluate: {heldout: {n: 1000}}\n"
        )
        command = [sys.executable, "-c", DISTILL, str(place.usage), "generate", str(recipe)]
        options = ["--run-dir", str(place.run), "--limit", "1"]
        subprocess.run([*command, *options], cwd=ROOT, check=True, capture_output=True)
    return float(json.loads(place.usage.read_text())["rss_mb"])


class Terminal(io.StringIO):
    """A terminal that nobody looks at."""

    def isatty(self) -> bool:
        return True


def view(stream: io.StringIO) -> float:
    """CPU seconds a second that it takes to count and to show."""
    end = SimpleNamespace(root="http://127.0.0.1:8001/v1", pace=Pace(), throttle=Throttle(256))
    for _ in range(40):
        end.pace.add(0.0, 0.25)
    chain = Completion(problem_id="p", text="x", request_key="k")
    judged = [(chain, Verdict(status="correct", verifier="math"))]
    group = Group(problem=Problem(prompt="x", answer="1"), samples=judged)
    progress = Progress(stream)
    progress.start("chains")
    seen = View(10**6, Budget(None, {}), SimpleNamespace(endpoints=[end]), None, False)
    with shown(progress, seen) as show:
        show()
        start = time.process_time()
        for _ in range(SECONDS):
            for _ in range(A_SECOND):
                seen.add(group)
            seen.tick()
            show()
        return (time.process_time() - start) / SECONDS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--large", type=int, default=200_000)
    options = parser.parse_args()
    os.environ.update(TERM="xterm", COLUMNS="100")
    peaks = []
    for rows in (SMALL, options.large):
        with tempfile.TemporaryDirectory() as folder:
            peaks.append(split(Path(folder), rows))
    figures = {
        "split_peak_rss_mb_50000": peaks[0],
        "split_peak_rss_mb_large": peaks[1],
        "split_peak_rss_mb_more": peaks[1] - peaks[0],
        "view_share_of_a_core": view(Terminal()),
        "plain_lines_share_of_a_core": view(io.StringIO()),
    }
    for name, value in figures.items():
        bar = BARS.get(name)
        said = f"{bar[0]} {bar[1]:g}: {'holds' if holds(value, bar) else 'MISSED'}" if bar else ""
        print(f"{name:32} {value:10.4f}  {said}", flush=True)
    good = all(holds(figures[name], bar) for name, bar in BARS.items())
    if options.json:
        bars = {name: f"{sign} {limit:g}" for name, (sign, limit) in BARS.items()}
        line = {"benchmark": "generation", "figures": figures, "bars": bars, "holds": good}
        print(json.dumps(line))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
