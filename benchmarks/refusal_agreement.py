"""How far the `refusal` verifier agrees with answers that were labelled by hand.

    python benchmarks/refusal_agreement.py [--json]

Reads tests/data/refusal_labels.jsonl: prompt, text, label (refuse, comply, none), origin (model,
written), part. The rules were written with part 1 in sight and before part 2 was labelled.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from verifiers.records import Problem  # noqa: E402
from verifiers.refusal import Refusal  # noqa: E402

LABELS = ROOT / "tests" / "data" / "refusal_labels.jsonl"
SIDES = ("refuse", "comply", "none")
BAR = 0.95


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true", help="nothing but the last line")
    quiet = parser.parse_args().json
    rows = [json.loads(line) for line in LABELS.read_text(encoding="utf-8").splitlines()]
    verifier = Refusal()
    confusion: Counter[str] = Counter()
    agree: dict[int, list[bool]] = {}
    for row in rows:
        problem = Problem(prompt=row["prompt"], answer="refuse")
        said = verifier.verify(problem, row["text"]).extracted or "none"
        confusion[f"{row['label']}_read_as_{said}"] += 1
        agree.setdefault(row["part"], []).append(said == row["label"])
        if said != row["label"] and not quiet:
            print(f"{row['label']} read as {said}: {row['text']!r}")
    if not quiet:
        print("by hand \\ verifier " + " ".join(f"{side:>7}" for side in SIDES))
        for label in SIDES:
            counts = [confusion[f"{label}_read_as_{said}"] for said in SIDES]
            print(f"{label:18} " + " ".join(f"{count:7}" for count in counts))
    hits = [hit for part in agree.values() for hit in part]
    agreement = sum(hits) / len(hits)
    figures = {
        "answers": len(rows),
        "agreement": round(agreement, 4),
        **{f"agreement_part_{n}": round(sum(h) / len(h), 4) for n, h in sorted(agree.items())},
        **dict(sorted(confusion.items())),
    }
    holds = agreement >= BAR
    print(json.dumps({
        "benchmark": "refusal_agreement", "figures": figures,
        "bars": {"agreement": f">= {BAR}"}, "holds": holds,
    }))  # fmt: skip
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()
