"""The `math` verifier beside math-verify and TRL's accuracy reward: who is right, and how fast.

    python benchmarks/verifiers.py [--docs] [--json]

All arms run on one core in a fresh process that has seen none of the answers, three times; the
middle one counts. The peers come from PyPI into .peers/math-verify. `integers and fractions` are
made from a seed, `mixed` is a sample of tests/data/math_pairs.jsonl. --docs writes the tables of
docs/math.md. GSM8K's recorded chains are judged where DISTILL_DATA names their folder.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import statistics
import subprocess
import sys
import time
import venv
from collections import Counter, defaultdict
from fractions import Fraction
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import pathological  # noqa: E402
from verifiers import base  # noqa: E402
from verifiers.records import Problem  # noqa: E402

PAIRS = ROOT / "tests" / "data" / "math_pairs.jsonl"
PAGE = ROOT / "docs" / "math.md"
PEER = ROOT / ".peers" / "math-verify"
REPEATS = 3
MIXED = 400
MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
Pair = dict[str, str]

OURS = """
from verifiers.math import Math  # noqa: E402
from verifiers.records import Problem  # noqa: E402
math = Math()
def right(gold, text, prompt=""):
    return math.verify(Problem(prompt=prompt, answer=gold), text).status == "correct"
"""
MATH_VERIFY = """
from math_verify import parse, verify
def right(gold, text, prompt=""):
    return verify(parse(gold if "$" in gold else f"${gold}$"), parse(text))
"""
TRL = """
from math_verify import LatexExtractionConfig, parse, verify
from latex2sympy2_extended import NormalizationConfig
config = LatexExtractionConfig(
    boxed_match_priority=0, try_extract_without_anchor=False,
    normalization_config=NormalizationConfig(units=True),
)
def right(gold, text, prompt=""):
    gold = parse(gold if "$" in gold else f"${gold}$")
    return bool(gold) and verify(gold, parse(text, [config], extraction_mode="first_match"))
"""
RUN = """
import json, logging, sys, time
logging.disable(logging.CRITICAL)
rows = json.load(sys.stdin)
for k in range(20):
    right(f"{k}/7", f"\\\\boxed{{\\\\frac{{{k}}}{{9}}}}")
    right(f"x+{k}", f"\\\\boxed{{{k}+x}}")
said, start = [], time.perf_counter()
for row in rows:
    try:
        said.append(bool(right(row["gold"], row["text"], row.get("prompt", ""))))
    except Exception:
        said.append(False)
print(json.dumps({"seconds": time.perf_counter() - start, "said": said}))
"""
ARMS = {"ours": OURS, "math-verify": MATH_VERIFY, "TRL's accuracy reward": TRL}


def peer() -> str:
    """The interpreter of the environment that holds math-verify alone."""
    python = PEER / "bin" / "python"
    if not python.exists():
        venv.create(PEER, with_pip=True)
        subprocess.run(
            [python, "-m", "pip", "install", "-q", "math-verify[antlr4_13_2]==0.9.0"], check=True
        )
    return str(python)


def arm(name: str, pairs: list[Pair]) -> dict[str, Any]:
    """What one arm says on all pairs, and the middle of its times, on one core."""
    core = min(os.sched_getaffinity(0))
    python = sys.executable if name == "ours" else peer()
    results = []
    for _ in range(REPEATS):
        done = subprocess.run(
            [python, "-c", ARMS[name] + RUN],
            input=json.dumps(pairs), text=True, capture_output=True, check=True, cwd=ROOT,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )  # fmt: skip
        results.append(json.loads(done.stdout.splitlines()[-1]))
    seconds = statistics.median(result["seconds"] for result in results)
    return {"said": results[0]["said"], "rate": len(pairs) / seconds}


def numbers(rng: random.Random) -> list[Pair]:
    """Integers and fractions, half of them wrong; no two rows are the same."""
    rows: list[Pair] = []
    for turn in range(400):
        right = turn % 2 == 0
        if turn % 4 < 2:
            gold = str(rng.randrange(10, 10**6))
            text = gold if right else str(int(gold) + rng.randrange(1, 9))
        else:
            value = Fraction(rng.randrange(1, 999), rng.randrange(2, 99))
            gold = f"{value.numerator}/{value.denominator}"
            other = value if right else value + Fraction(1, rng.randrange(2, 9))
            text = rf"\frac{{{other.numerator}}}{{{other.denominator}}}"
        expected = "correct" if right else "wrong"
        rows.append({"gold": gold, "text": rf"So it is $\boxed{{{text}}}$.", "expected": expected})
    return rows


def score(pairs: list[Pair], said: list[bool]) -> dict[str, Any]:
    """Rate of right verdicts, and how often right and wrong answers were taken for the other."""
    truth = [pair["expected"] == "correct" for pair in pairs]
    return {
        "right": sum(a == b for a, b in zip(truth, said, strict=True)) / len(pairs),
        "false positives": sum(b and not a for a, b in zip(truth, said, strict=True)),
        "false negatives": sum(a and not b for a, b in zip(truth, said, strict=True)),
    }


def categories(pairs: list[Pair]) -> str:
    """Precision and recall of ours on each category of the labelled pairs, as Markdown."""
    math = base.load("math")
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for pair in pairs:
        problem = Problem(prompt=pair.get("prompt", ""), answer=pair["gold"])
        verdict = base.judge("math", math, problem, pair["text"])
        said, truth = verdict.status == "correct", pair["expected"] == "correct"
        for name in (pair["category"], "all"):
            counts[name][f"{said:d}{truth:d}"] += 1
    lines = [
        "| category | pairs | correct answers | precision | recall |",
        "|---|---:|---:|---:|---:|",
    ]
    for name in sorted(counts, key=lambda name: (name == "all", -counts[name].total())):
        c = counts[name]
        said, truth = c["11"] + c["10"], c["11"] + c["01"]
        precision = f"{c['11'] / said:.3f}" if said else "-"
        recall = f"{c['11'] / truth:.3f}" if truth else "-"
        lines.append(f"| {name} | {c.total()} | {truth} | {precision} | {recall} |")
    return "\n".join(lines) + "\n"


def chains() -> tuple[int, int] | None:
    """Recorded GSM8K chains whose verdict agrees with their label, of how many."""
    path = Path(os.environ.get("DISTILL_DATA", "missing")) / "gsm8k_model_solutions.jsonl"
    if not path.exists():
        return None
    math, agreed, seen = base.load("math"), 0, 0
    for row in map(json.loads, path.read_text().splitlines()):
        problem = Problem(
            prompt=row["question"], answer=row["ground_truth"].split("A:")[-1].strip()
        )
        for model in MODELS:
            verdict = base.judge("math", math, problem, row[model]["solution"])
            agreed += (verdict.status == "correct") == row[model]["is_correct"]
            seen += 1
    return agreed, seen


def compared(name: str, pairs: list[Pair]) -> tuple[dict[str, Any], str]:
    """All arms on one list: figures, and the table as Markdown."""
    figures: dict[str, Any] = {}
    lines = [
        f"| {name}, {len(pairs)} pairs | right | false positives | false negatives | verdicts/s |",
        "|---|---:|---:|---:|---:|",
    ]
    said: dict[str, list[bool]] = {}
    for label in ARMS:
        result = arm(label, pairs)
        said[label] = result["said"]
        found = {**score(pairs, result["said"]), "rate": result["rate"]}
        figures[label] = found
        lines.append(
            f"| {label} | {100 * found['right']:.1f} % | {found['false positives']} |"
            f" {found['false negatives']} | {found['rate']:,.0f} |"
        )
    truth = [pair["expected"] == "correct" for pair in pairs]
    both = list(zip(truth, said["ours"], said["math-verify"], strict=True))
    figures["times math-verify"] = round(
        figures["ours"]["rate"] / figures["math-verify"]["rate"], 1
    )
    figures["differ"] = sum(a != b for _, a, b in both)
    figures["only math-verify right"] = sum(a != t and b == t for t, a, b in both)
    return figures, "\n".join(lines) + "\n"


def write(block: str, text: str) -> None:
    """Put `text` into the block of docs/math.md that is named `block`."""
    pattern = re.compile(
        rf"(<!-- figures:{re.escape(block)} [^>]*-->\n).*?(<!-- /figures -->)", re.DOTALL
    )
    PAGE.write_text(pattern.sub(lambda match: match[1] + text + match[2], PAGE.read_text()))


def main() -> None:
    """Run, print, and exit 1 where a bar does not hold."""
    parser = argparse.ArgumentParser(description="math beside math-verify and TRL's reward.")
    parser.add_argument("--docs", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    start = time.monotonic()
    pairs = [json.loads(line) for line in PAIRS.read_text().splitlines()]
    pairs = [pair for pair in pairs if pair["expected"] != "undecided"]
    plain, table_plain = compared("integers and fractions", numbers(random.Random(1)))
    mixed, table_mixed = compared("mixed", random.Random(2).sample(pairs, MIXED))
    table = categories(pairs)
    hard, bars = pathological.run()
    bars |= {
        "integers and fractions: 20 times math-verify": plain["times math-verify"] >= 20,
        "mixed: 2.5 times math-verify": mixed["times math-verify"] >= 2.5,
        "nowhere is only math-verify right": not plain["only math-verify right"]
        and not mixed["only math-verify right"],
        "no false positive": not plain["ours"]["false positives"]
        and not mixed["ours"]["false positives"],
        "labelled pairs: 98 % right": min(plain["ours"]["right"], mixed["ours"]["right"]) >= 0.98,
    }
    figures = {"integers and fractions": plain, "mixed": mixed, "pathological": hard}
    if (found := chains()) is not None:
        figures["GSM8K recorded chains"] = found
        bars["GSM8K recorded chains: every verdict agrees"] = found[0] == found[1]
    figures["seconds"] = round(time.monotonic() - start)
    print(table_plain, table_mixed, table, sep="\n")
    if args.docs:
        write("math-peers", f"{table_plain}\n{table_mixed}")
        write("math-categories", table)
    for key, value in {**figures, **bars}.items():
        print(f"{key}: {value}")
    holds = all(bars.values())
    if args.json:
        print(
            json.dumps({"benchmark": "verifiers", "figures": figures, "bars": bars, "holds": holds})
        )
    sys.exit(not holds)


if __name__ == "__main__":
    main()
