"""What each verifier says of its labelled list, category by category.

    python benchmarks/verifier_lists.py [NAME ...] [--docs] [--json]

The lists are tests/data/NAME_pairs.jsonl. A false positive is called correct and is not, a false
negative is correct and is not called so. --docs writes the tables into docs/verifiers.md and the
totals into verifiers/figures.json, from which `distill verifiers list` has them. Exits 1 where a
verifier has a false positive, or less than 98 % right.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).parent.parent)

from benchmarks.blocks import ROOT, write  # noqa: E402
from verifiers import base  # noqa: E402
from verifiers.records import Completion, Problem, Verdict  # noqa: E402

DATA = ROOT / "tests" / "data"
FIGURES = ROOT / "verifiers" / "figures.json"
PAGE = "docs/verifiers.md"
RIGHT = 0.98
Counts = dict[str, int]


def names() -> list[str]:
    """Verifiers that have a list."""
    found = (path.name.removesuffix("_pairs.jsonl") for path in DATA.glob("*_pairs.jsonl"))
    return sorted(name for name in found if name in base.BUILTIN)


def statuses(name: str, row: dict[str, Any], loaded: dict[str, Any]) -> list[tuple[str, str]]:
    """Expected and found status of each text of a row."""
    section = row.get("section", {})
    key = json.dumps([name, section], sort_keys=True)
    if key not in loaded:
        loaded[key] = base.load(name, section.get(name), section)
    answer = row["answer"] if "answer" in row else row["gold"]
    problem = Problem(prompt=row.get("prompt", ""), answer=answer, verifier=name)
    if "reply" in row:
        return [(row["expected"], asked(loaded[key], problem, row).status)]
    if "texts" in row:
        verdicts = loaded[key].verify_group(problem, row["texts"])
        found = [verdict.status for verdict in verdicts]
        return list(zip(row["expected"], found, strict=True))
    return [(row["expected"], base.judge(name, loaded[key], problem, row["text"]).status)]


def asked(verifier: Any, problem: Problem, row: dict[str, Any]) -> Verdict:
    """The verdict of one that asks a model, which replies what the row says."""
    request = verifier.request(problem, row["text"])
    if isinstance(request, Verdict):
        return request
    mark = request.messages[-1]["content"].partition("<question-")[2].partition(">")[0]
    reply = row["reply"].replace("{mark}", mark)
    said = Completion(problem_id=problem.id, text=reply, request_key="scripted")
    return verifier.read(problem, row["text"], said)


def measure(name: str) -> dict[str, Counts]:
    """Counts by category: texts, correct ones, false positives, false negatives, right."""
    counts: dict[str, Counts] = defaultdict(lambda: defaultdict(int))
    loaded: dict[str, Any] = {}
    for line in (DATA / f"{name}_pairs.jsonl").read_text().splitlines():
        row = json.loads(line)
        for expected, found in statuses(name, row, loaded):
            here = counts[row["category"]]
            here["texts"] += 1
            here["correct"] += expected == "correct"
            here["false positives"] += found == "correct" != expected
            here["false negatives"] += expected == "correct" != found
            here["right"] += expected == found
    return {category: dict(count) for category, count in sorted(counts.items())}


def total(counts: dict[str, Counts]) -> Counts:
    """The sum over all categories."""
    keys = next(iter(counts.values()))
    return {key: sum(count[key] for count in counts.values()) for key in keys}


def table(counts: dict[str, Counts]) -> str:
    """The counts as Markdown, a line a category."""
    head = list(total(counts))
    lines = ["| category | " + " | ".join(head) + " |", "|---|" + "---:|" * len(head)]
    for category, count in {**counts, "all": total(counts)}.items():
        lines.append(f"| {category} | " + " | ".join(str(count[key]) for key in head) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="Verifiers on their labelled lists.")
    parser.add_argument("names", nargs="*", default=names())
    parser.add_argument("--docs", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    bars = {}
    for name in args.names:
        counts = measure(name)
        print(f"{name}\n{table(counts)}")
        whole = total(counts)
        figures[name] = {"version": str(base.load(name).version), **whole}
        bars[f"{name}: no false positive"] = whole["false positives"] == 0
        bars[f"{name}: at least 98 % right"] = whole["right"] >= RIGHT * whole["texts"]
        if args.docs:
            write(name, table(counts), [PAGE])
    if args.docs:
        FIGURES.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
    if args.json:
        mine = {name: figures[name] for name in args.names}
        summary = {"benchmark": "verifier_lists", "figures": mine, "bars": bars}
        print(json.dumps({**summary, "holds": all(bars.values())}))
    sys.exit(not all(bars.values()))


if __name__ == "__main__":
    main()
