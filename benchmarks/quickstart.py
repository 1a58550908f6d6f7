"""Runs the quickstart with several seeds and prints its table; --readme writes it into README.md.

    python benchmarks/quickstart.py --seeds 0 1 2 [--recipe quickstart-long] [--readme] [--json]

--unverified also trains each seed's student on unverified chains, at the same budget of tokens, up
to SFT: the difference is what verification bought. Runs that are finished in --folder are reused.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from students.evaluate import compare
from students.intervals import Interval

ROOT = Path(__file__).parent.parent
DISTILL = [sys.executable, "-c", "from pipelines.cli import main; main()"]
MINUTES = {"quickstart": 10, "quickstart-long": 30}
PAIRS = (("dpo", "sft"), ("grpo", "sft"), ("grpo", "dpo"), ("teacher", "grpo"))


def run(recipe: str, seed: int, folder: Path, *more: str) -> dict[str, Any]:
    """One whole run; its seconds are those of its stages."""
    settings = [f"--set=seed={seed}", *more]
    start = time.monotonic()
    subprocess.run(
        [*DISTILL, "run", recipe, "--run-dir", str(folder), *settings],
        cwd=ROOT, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    wall = time.monotonic() - start
    stages = json.loads((folder / "manifest.json").read_text())["stages"]
    seconds = {name: entry["seconds"] for name, entry in stages.items()}
    return {
        "seed": seed,
        "folder": folder,
        "seconds": max(wall, sum(seconds.values())),
        "rows": json.loads((folder / "evaluation.json").read_text()),
        "stages": seconds,
        "counts": {name: entry["counts"] for name, entry in stages.items()},
    }


def unverified(recipe: str, verified: dict[str, Any]) -> dict[str, Any]:
    """The same run with unverified chains, up to SFT; what does not differ is taken over."""
    folder = verified["folder"].with_name(verified["folder"].name + "-unverified")
    if not (folder / "manifest.json").exists():
        shutil.copytree(verified["folder"], folder, dirs_exist_ok=True)
    text = yaml.safe_load((ROOT / "pipelines" / "recipes" / f"{recipe}.yaml").read_text())
    names = [next(iter(stage)) for stage in text["stages"]]
    text["stages"] = text["stages"][: names.index("sft") + 1]
    short = folder.with_suffix(".yaml")
    short.write_text(yaml.safe_dump(text))
    return run(str(short), verified["seed"], folder, "--set=curate.verify=false")


def raw(result: dict[str, Any], stage: str) -> list[dict[str, Any]]:
    """The raw rows of an evaluated stage."""
    return pq.read_table(
        result["folder"] / "data" / "evaluation" / f"r1-{stage}-heldout.parquet"
    ).to_pylist()


def difference(ours: tuple[dict[str, Any], str], theirs: tuple[dict[str, Any], str]) -> Interval:
    """Paired difference of two (run, stage), in percentage points."""
    found = compare(raw(*ours), raw(*theirs))
    return Interval(*(100 * value for value in (found.value, found.low, found.high)))


def shown(value: Interval) -> str:
    """A difference with its interval."""
    return f"{value.value:+.1f} [{value.low:+.1f}, {value.high:+.1f}]"


def table(results: list[dict[str, Any]], arms: list[dict[str, Any]]) -> str:
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
    for a, b in PAIRS:
        cells = [shown(difference((r, a), (r, b))) for r in results]
        lines.append(f"| {a} - {b}, points | " + " | ".join(cells) + " |")
    if arms:
        cells = [
            shown(difference((r, "sft"), (arm, "sft")))
            for r, arm in zip(results, arms, strict=True)
        ]
        lines.append("| sft - sft on unverified chains | " + " | ".join(cells) + " |")
    seconds = " | ".join(f"{r['seconds']:.0f}" for r in results)
    lines.append(f"| whole run, seconds on 2 CPU cores | {seconds} |")
    return "\n".join(lines) + "\n"


def seconds_table(results: list[dict[str, Any]]) -> str:
    """Seconds of each stage, one column a seed."""
    lines = ["| stage, s | " + " | ".join(f"seed {r['seed']}" for r in results) + " |"]
    lines.append("|---|" + "---|" * len(results))
    for name in results[0]["stages"]:
        cells = " | ".join(f"{r['stages'][name]:.0f}" for r in results)
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines) + "\n"


def bars(recipe: str, results: list[dict[str, Any]]) -> dict[str, bool]:
    """What must hold for every seed."""
    held = {}
    for result in results:
        by = {row["stage"]: row for row in result["rows"]}
        gains = {(a, b): difference((result, a), (result, b)) for a, b in PAIRS}
        seed = result["seed"]
        held[f"{seed}: base below 5 %"] = by["base"]["pass@1"] < 0.05
        held[f"{seed}: sft from 40 to 80 %"] = 0.40 <= by["sft"]["pass@1"] <= 0.80
        held[f"{seed}: dpo not below sft"] = gains["dpo", "sft"].high > 0
        held[f"{seed}: grpo above sft"] = gains["grpo", "sft"].low > 0
        held[f"{seed}: grpo above dpo"] = gains["grpo", "dpo"].low > 0
        held[f"{seed}: teacher above its student"] = gains["teacher", "grpo"].low > 0
        most = MINUTES[recipe]
        held[f"{seed}: at most {most} minutes"] = result["seconds"] <= 60 * most
    return held


def main() -> None:
    """Run, print, and exit 1 where a bar does not hold."""
    parser = argparse.ArgumentParser(description="The quickstart with several seeds.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--recipe", choices=sorted(MINUTES), default="quickstart")
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "benchmark")
    parser.add_argument("--unverified", action="store_true")
    parser.add_argument("--readme", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    results = [run(args.recipe, s, args.folder / f"{args.recipe}-{s}") for s in args.seeds]
    arms = [unverified(args.recipe, result) for result in results] if args.unverified else []
    text, held = table(results, arms), bars(args.recipe, results)
    print(text, seconds_table(results), sep="\n")
    if args.readme:
        readme = ROOT / "README.md"
        block = re.compile(
            rf"(<!-- figures:{args.recipe} [^>]*-->\n).*?(<!-- /figures -->)", re.DOTALL
        )
        readme.write_text(block.sub(lambda m: m[1] + text + m[2], readme.read_text()))
    if args.json:
        figures = {str(r["seed"]): {k: r[k] for k in ("seconds", "stages")} for r in results}
        holds = all(held.values())
        print(
            json.dumps({"benchmark": args.recipe, "figures": figures, "bars": held, "holds": holds})
        )
    sys.exit(not all(held.values()))


if __name__ == "__main__":
    main()
