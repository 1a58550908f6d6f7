"""What each verifier says of its labelled list, category by category.

    python benchmarks/verifier_lists.py [NAME ...] [--docs] [--json]

The lists are tests/data/NAME_pairs.jsonl; that of `code` is hostile_code.jsonl, of which the rows
without a limit of their own run here, and that of `refusal` is refusal_labels.jsonl, each text
asked for both ways. A false positive is called correct and is not, a false negative is correct and
is not called so. Where a verdict is not the expected one and says `infra` or `timeout`, the text is
judged once more, as a busy machine makes them. --docs writes the tables into docs and the totals
into verifiers/figures.json, from which `distill verifiers list` has them. Exits 1 where a verifier
has a false positive, or less than 98 % right; the rules of `refusal` have to reach 95 %.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).parent.parent)

from benchmarks.blocks import ROOT, write  # noqa: E402
from tests.verifiers.lookout import Lookout  # noqa: E402
from tests.verifiers.siege import text_of  # noqa: E402
from verifiers import base  # noqa: E402
from verifiers.records import Completion, Problem, Verdict  # noqa: E402

DATA = ROOT / "tests" / "data"
FIGURES = ROOT / "verifiers" / "figures.json"
PAGES = ("docs/verifiers.md", "docs/code.md", "docs/refusal.md")
OTHER_FILES = {"code": "hostile_code.jsonl", "refusal": "refusal_labels.jsonl"}
RIGHT = 0.98
RULES = {"refusal": 0.95}
"""Share of right verdicts that rules of thumb must reach, which may also be fooled."""
BUSY = ("infra", "timeout")
Row = dict[str, Any]
Counts = dict[str, int]


def names() -> list[str]:
    """Verifiers that have a list."""
    return [name for name in sorted(base.BUILTIN) if file(name).exists()]


def file(name: str) -> Path:
    """Where the list of a verifier is."""
    return DATA / OTHER_FILES.get(name, f"{name}_pairs.jsonl")


def rows(name: str) -> Iterator[Row]:
    """The rows of a list, with prompt, answer, text or texts, expected and category."""
    lines = [json.loads(line) for line in file(name).read_text().splitlines()]
    if name == "code":
        yield from attacks(lines)
    elif name == "refusal":
        for row in lines:
            for side in ("refuse", "comply"):
                expected = "correct" if row["label"] == side else "wrong"
                category = f"`{side}` asked for, {row['origin']}"
                yield {**row, "answer": side, "expected": expected, "category": category}
    else:
        for row in lines:
            yield {"prompt": "", "answer": row.get("gold"), **row}


def attacks(lines: list[Row]) -> Iterator[Row]:
    """Those without a limit of their own, told where the things are that they must not reach."""
    lookout = Lookout()
    for row in lines:
        if "limit" not in row:
            answer = json.loads(lookout.fill(json.dumps(row["answer"])))
            text = lookout.fill(text_of(row))
            yield {"prompt": "", **row, "answer": answer, "text": text}
    lookout.close()


def statuses(name: str, row: Row, loaded: dict[str, Any]) -> list[tuple[str, str]]:
    """Expected and found status of each text of a row."""
    section = row.get("section", {})
    key = json.dumps([name, section], sort_keys=True)
    if key not in loaded:
        loaded[key] = base.load(name, section.get(name), section)
    problem = Problem(prompt=row["prompt"], answer=row["answer"], verifier=name)
    if "reply" in row:
        return [(row["expected"], asked(loaded[key], problem, row).status)]
    if "texts" in row:
        verdicts = loaded[key].verify_group(problem, row["texts"])
        found = [verdict.status for verdict in verdicts]
        return list(zip(row["expected"], found, strict=True))
    verdict = base.judge(name, loaded[key], problem, row["text"])
    if verdict.status != row["expected"] and verdict.reason in BUSY:
        verdict = base.judge(name, loaded[key], problem, row["text"])
    return [(row["expected"], verdict.status)]


def asked(verifier: Any, problem: Problem, row: Row) -> Verdict:
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
    for row in rows(name):
        for expected, found in statuses(name, row, loaded):
            if expected != found:
                said = str(row.get("text", row.get("texts")))
                print(f"{name}: {found} is to be {expected}: {said[-200:]!r}", file=sys.stderr)
            here = counts[row["category"]]
            here["texts"] += 1
            here["correct"] += expected == "correct"
            here["false positives"] += found == "correct" != expected
            here["false negatives"] += expected == "correct" != found
            here["right"] += expected == found
    for verifier in loaded.values():
        getattr(verifier, "close", lambda: None)()
    return {category: dict(count) for category, count in sorted(counts.items())}


def total(counts: dict[str, Counts]) -> Counts:
    """The sum over all categories."""
    keys = next(iter(counts.values()))
    return {key: sum(count[key] for count in counts.values()) for key in keys}


def table(counts: dict[str, Counts]) -> str:
    """The counts with precision and recall as Markdown, a line a category."""
    head = [*total(counts), "precision", "recall"]
    lines = ["| category | " + " | ".join(head) + " |", "|---|" + "---:|" * len(head)]
    for category, count in {**counts, "all": total(counts)}.items():
        hits = count["correct"] - count["false negatives"]
        shares = (share(hits, hits + count["false positives"]), share(hits, count["correct"]))
        lines.append(f"| {category} | " + " | ".join([*map(str, count.values()), *shares]) + " |")
    return "\n".join(lines) + "\n"


def share(part: int, whole: int) -> str:
    """A share of 1 with three digits, or a dash where there is no whole."""
    return f"{part / whole:.3f}" if whole else "-"


def main() -> None:
    parser = argparse.ArgumentParser(description="Verifiers on their labelled lists.")
    parser.add_argument("names", nargs="*", default=names())
    parser.add_argument("--docs", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    mine: dict[str, Row] = {}
    bars = {}
    for name in args.names:
        counts = measure(name)
        print(f"{name}\n{table(counts)}")
        whole = total(counts)
        mine[name] = {"version": str(base.load(name).version), **whole}
        least = RULES.get(name, RIGHT)
        if name not in RULES:
            bars[f"{name}: no false positive"] = whole["false positives"] == 0
        bars[f"{name}: at least {least:.0%} right"] = whole["right"] >= least * whole["texts"]
        if args.docs:
            write(name, table(counts), PAGES)
            figures = json.loads(FIGURES.read_text()) | mine
            FIGURES.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
    if args.json:
        summary = {"benchmark": "verifier_lists", "figures": mine, "bars": bars}
        print(json.dumps({**summary, "holds": all(bars.values())}))
    sys.exit(not all(bars.values()))


if __name__ == "__main__":
    main()
