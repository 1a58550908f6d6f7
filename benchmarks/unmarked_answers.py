"""Real solutions with their marked answer taken off: does `math` find what their prose asserts?

    python benchmarks/unmarked_answers.py [--json]

GSM8K's human solutions without their last line (`#### N`), of which all are right, and the recorded
chains of two model sizes without theirs (`A: N`), which carry a label. The train split was never
looked at up to version 22 of the verifier. Some chains are cut off in their marked line (`A: 5` for
5,600), so that their label says wrong though their prose is right: they are in the false positives.
Exits 1 where less than 95 % of a set are right.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path[0] = str(Path(__file__).parent.parent)

from verifiers.math import Math  # noqa: E402
from verifiers.records import Problem  # noqa: E402

DATA = Path(os.environ.get("DISTILL_DATA", Path(__file__).parents[2] / "shared" / "data"))
MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
LEAST = 0.95
Case = tuple[str, str, str, bool]


def solutions(split: str) -> Iterator[Case]:
    """Question, ground truth, solution without its last line, and that it is right."""
    for line in (DATA / f"gsm8k_{split}.jsonl").read_text().splitlines():
        row = json.loads(line)
        text, _, gold = row["answer"].rpartition("####")
        yield row["question"], gold.strip(), text.strip(), True


def chains() -> Iterator[Case]:
    """Question, ground truth, chain without its marked line, and its label."""
    for line in (DATA / "gsm8k_model_solutions.jsonl").read_text().splitlines():
        row = json.loads(line)
        for model in MODELS:
            whole = row[model]["solution"].strip()
            text = re.sub(r"\n?A: ?.*$", "", whole).strip()
            if text and text != whole:
                gold = row["ground_truth"].split("A:")[-1].strip()
                yield row["question"], gold, text, row[model]["is_correct"]


def measure(cases: Iterator[Case]) -> dict[str, int]:
    """Counts of texts, right verdicts, false positives and false negatives."""
    math = Math()
    counts = dict.fromkeys(("texts", "right", "false positives", "false negatives"), 0)
    for question, gold, text, label in cases:
        found = math.verify(Problem(prompt=question, answer=gold), text).status == "correct"
        counts["texts"] += 1
        counts["right"] += found == label
        counts["false positives"] += found and not label
        counts["false negatives"] += label and not found
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description="Answers that no marker announces.")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    sets = {"test": solutions("test"), "train": solutions("train"), "chains": chains()}
    figures = {name: measure(cases) for name, cases in sets.items()}
    bars = {
        f"{name}: at least {LEAST:.0%} right": count["right"] >= LEAST * count["texts"]
        for name, count in figures.items()
    }
    for name, count in figures.items():
        print(f"{name}: {count['right'] / count['texts']:.1%} right of {count}")
    if args.json:
        summary = {"benchmark": "unmarked_answers", "figures": figures, "bars": bars}
        print(json.dumps({**summary, "holds": all(bars.values())}))
    sys.exit(not all(bars.values()))


if __name__ == "__main__":
    main()
