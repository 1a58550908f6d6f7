"""Worked chains for training the embedded teacher, written by a solver.

    python -m pipelines.recipes.embedded_teacher_chains --rows 200000 --output chains.jsonl

Problems are reasoning-gym's; the steps are computed. A small share of the chains makes a slip and
corrects it in the next line ("wait ..."), so that the teacher knows how to take back a step; a
tenth of the rows teach it to write a problem harder than a given one. The same seed writes the
same file. Nothing here runs when a teacher is sampled.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path

FAMILIES = (
    # share, dataset, options of the reasoning-gym data set
    (0.40, "chain_sum", {"min_terms": 2, "max_terms": 8, "min_digits": 1, "max_digits": 1}),
    (0.05, "chain_sum", {"min_terms": 9, "max_terms": 12, "min_digits": 1, "max_digits": 1}),
    (0.20, "chain_sum", {"min_terms": 2, "max_terms": 6, "min_digits": 2, "max_digits": 2}),
    (0.20, "products", {"min_terms": 2, "max_terms": 4, "min_digits": 1, "max_digits": 1}),
    (0.05, "products", {"min_terms": 5, "max_terms": 5, "min_digits": 1, "max_digits": 1}),
)
SLIPS = 0.05
WRITE = "Write a harder problem: "


def solve(expression: str, rng: random.Random) -> tuple[str, str]:
    """(worked steps ending in the answer, answer) of a left-to-right `a + b - c` or `a * b`."""
    tokens = expression.split()
    total = int(tokens[0])
    slip = rng.randrange(len(tokens) // 2) if rng.random() < SLIPS else -1
    lines = []
    for n, (operator, term) in enumerate(zip(tokens[1::2], tokens[2::2], strict=True)):
        value = int(term)
        result = {"+": total + value, "-": total - value, "*": total * value}[operator]
        step = f"{total}{operator}{value}="
        if n == slip:
            lines.append(step + str(result + rng.choice([-10, -2, -1, 1, 2, 10])))
            step = "wait " + step
        lines.append(step + str(result))
        total = result
    return "\n".join([*lines, f"A: {total}"]), str(total)


def harder(expression: str, rng: random.Random) -> str:
    """Another expression of the same family with one to three more terms."""
    tokens = expression.split()
    digits = len(tokens[0])
    operators = ["*"] if "*" in tokens else ["+", "-"]
    low = 1 if digits == 1 else 10 ** (digits - 1)
    terms = (len(tokens) + 1) // 2 + rng.choice([1, 1, 2, 3] if operators != ["*"] else [1])
    parts = [str(rng.randint(low, 10**digits - 1))]
    for _ in range(terms - 1):
        parts += [rng.choice(operators), str(rng.randint(low, 10**digits - 1))]
    return " ".join(parts)


def expressions(rows: int, seed: int) -> list[str]:
    """Distinct expressions of all families, in their shares."""
    import reasoning_gym

    found: dict[str, None] = {}
    for n, (share, name, options) in enumerate(FAMILIES):
        size = int(rows * share)
        dataset = reasoning_gym.create_dataset(
            name, size=2 * size, seed=seed * 1000 + 500 + n, **options
        )
        before = len(found)
        for item in dataset:
            found[item["metadata"]["expression"]] = None
            if len(found) - before >= size:
                break
    return list(found)


def chains(rows: int, seed: int) -> Iterator[dict[str, str]]:
    """Rows {"prompt", "answer", "verifier", "completion"}."""
    rng = random.Random(seed)
    pool = expressions(rows, seed)
    for expression in pool:
        text, answer = solve(expression, rng)
        yield {
            "prompt": f"{expression}=?", "answer": answer, "verifier": "math", "completion": text,
        }  # fmt: skip
    for expression in rng.sample(pool, min(len(pool), rows // 10)):
        if expression.count(" ") > 18:
            continue
        question = f"{harder(expression, rng)}=?"
        yield {
            "prompt": f"{WRITE}{expression}=?", "answer": question, "verifier": "exact",
            "completion": question,
        }  # fmt: skip


def main() -> None:
    """Write the chains."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    with args.output.open("w") as stream:
        for row in chains(args.rows, args.seed):
            stream.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
