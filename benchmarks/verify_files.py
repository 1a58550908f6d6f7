"""`distill verify` on a long file: rows a second, memory over its course, two workers against one.

python benchmarks/verify_files.py [--rows 100000] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
COMMAND = "import sys; from pipelines.cli import main; main(sys.argv[1:])"
FLAT = 1.1
EVERY = 0.2


def rows(path: Path, count: int, seed: int = 0) -> None:
    """Write a file of sums with right and wrong answers in several forms."""
    draw = random.Random(seed)
    forms = ("{}", "The answer is {}.", "So \\boxed{{{}}}.", "It makes {}.", "#### {}")
    with path.open("w") as stream:
        for number in range(count):
            a, b = draw.randrange(1000), draw.randrange(1000)
            said = a + b + (draw.random() < 0.3)
            text = f"{a} + {b} = {a + b}\n" * 3 + draw.choice(forms).format(said)
            row = {"id": number, "answer": str(a + b), "completion": text}
            stream.write(json.dumps(row) + "\n")


def memory(pid: int) -> int:
    """Bytes that a process and its children hold; Linux only."""
    total, todo = 0, [pid]
    while todo:
        one = todo.pop()
        try:
            resident = Path(f"/proc/{one}/statm").read_text().split()[1]
            total += int(resident) * os.sysconf("SC_PAGE_SIZE")
            for task in Path(f"/proc/{one}/task").iterdir():
                todo += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return total


def verify(source: Path, output: Path, workers: int) -> tuple[float, float, int]:
    """Seconds it took; the peak of memory over that of the first third; the peak in bytes."""
    command = [sys.executable, "-c", COMMAND, "verify", source, "--output", output]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    start = time.monotonic()
    process = subprocess.Popen(
        [*map(str, command), "--workers", str(workers)], env=env, stderr=subprocess.DEVNULL
    )
    seen = []
    while process.poll() is None:
        seen.append((time.monotonic() - start, memory(process.pid)))
        time.sleep(EVERY)
    seconds = time.monotonic() - start
    if process.returncode:
        raise SystemExit(f"verify ended with {process.returncode}")
    early = max(held for when, held in seen if when <= seconds / 3)
    late = max(held for _, held in seen)
    return seconds, late / early, late


def main() -> None:
    """Measure and print; exit status 1 where a bar does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures: dict[str, float] = {"rows": arguments.rows, "cpus": len(os.sched_getaffinity(0))}
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in.jsonl"
        rows(source, arguments.rows)
        for workers in (1, 2):
            output = Path(folder) / f"out-{workers}.jsonl"
            seconds, growth, peak = verify(source, output, workers)
            figures[f"rows_per_second_{workers}"] = round(arguments.rows / seconds, 1)
            figures[f"growth_{workers}"] = round(growth, 3)
            figures[f"peak_mib_{workers}"] = round(peak / 2**20, 1)
            with output.open() as lines:
                ids = [json.loads(line)["id"] for line in lines]
            if ids != list(range(arguments.rows)):
                raise SystemExit("the output is not in the order of the input")
    figures["two_against_one"] = round(
        figures["rows_per_second_2"] / figures["rows_per_second_1"], 2
    )
    bars = {f"growth_{workers}": f"<= {FLAT}" for workers in (1, 2)}
    holds = all(figures[name] <= FLAT for name in bars)
    for name, value in figures.items():
        print(f"{name:20} {value}")
    if arguments.json:
        said = {"benchmark": "verify_files", "figures": figures, "bars": bars, "holds": holds}
        print(json.dumps(said))
    sys.exit(not holds)


if __name__ == "__main__":
    main()
