"""Runs the quickstart with several seeds and prints its table; --readme writes it into README.md.

python benchmarks/quickstart.py --seeds 0 1 2 [--readme] [--json]
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"(<!-- figures:quickstart[^>]*-->\n).*?(<!-- /figures -->)", re.S)


def run(seed: int, folder: Path) -> dict[str, Any]:
    """One whole run from scratch."""
    command = [
        sys.executable, "-c", "from pipelines.cli import main; main()", "run", "quickstart",
        "--run-dir", str(folder), "--set", f"seed={seed}",
    ]  # fmt: skip
    start = time.monotonic()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    manifest = json.loads((folder / "manifest.json").read_text())
    return {
        "seed": seed,
        "seconds": time.monotonic() - start,
        "rows": json.loads((folder / "evaluation.json").read_text()),
        "stages": {name: entry["seconds"] for name, entry in manifest["stages"].items()},
    }


def table(results: list[dict[str, Any]]) -> str:
    """The results as Markdown: one line a stage, one column a seed."""
    heads = [f"seed {r['seed']}" for r in results]
    lines = [
        "| sampled pass@1, % [95 % interval]; greedy | " + " | ".join(heads) + " |",
        "|---|" + "---|" * len(results),
    ]
    for n, row in enumerate(results[0]["rows"]):
        cells = []
        for result in results:
            figures = result["rows"][n]
            values = [100 * figures[key] for key in ("pass@1", "low", "high", "greedy")]
            cells.append("{:.1f} [{:.1f}, {:.1f}]; {:.1f}".format(*values))
        lines.append(f"| {row['stage']} | " + " | ".join(cells) + " |")
    seconds = " | ".join(f"{r['seconds']:.0f}" for r in results)
    lines.append(f"| whole run, seconds on 2 CPU cores | {seconds} |")
    return "\n".join(lines) + "\n"


def bars(results: list[dict[str, Any]]) -> dict[str, bool]:
    """What must hold for every seed."""
    held = {}
    for result in results:
        by = {row["stage"]: row for row in result["rows"]}
        seed = result["seed"]
        held[f"{seed}: base below 5 %"] = by["base"]["pass@1"] < 0.05
        held[f"{seed}: sft from 40 to 80 %"] = 0.40 <= by["sft"]["pass@1"] <= 0.80
        held[f"{seed}: teacher above its student"] = by["teacher"]["vs"]["low"] > 0
        held[f"{seed}: at most 6 minutes"] = result["seconds"] <= 360
    return held


def main() -> None:
    """Run, print, and exit 1 where a bar does not hold."""
    parser = argparse.ArgumentParser(description="The quickstart with several seeds.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "benchmark")
    parser.add_argument("--readme", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    results = [run(seed, args.folder / f"quickstart-{seed}") for seed in args.seeds]
    text, held = table(results), bars(results)
    print(text)
    if args.readme:
        readme = ROOT / "README.md"
        readme.write_text(BLOCK.sub(lambda m: m[1] + text + m[2], readme.read_text()))
    if args.json:
        figures = {str(r["seed"]): {k: r[k] for k in ("seconds", "stages")} for r in results}
        holds = all(held.values())
        print(
            json.dumps(
                {"benchmark": "quickstart", "figures": figures, "bars": held, "holds": holds}
            )
        )
    sys.exit(not all(held.values()))


if __name__ == "__main__":
    main()
