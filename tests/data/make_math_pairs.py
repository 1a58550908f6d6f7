"""Make the mutated rows of math_pairs.jsonl anew from a seed; rows written by hand are kept.

    python tests/data/make_math_pairs.py

The expected status of a mutated row follows from how it was made, never from the verifier.
"""

import json
import random
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import math_forms
import math_mutations

SEEDS = range(1, 6)
PAIRS = Path(__file__).with_name("math_pairs.jsonl")
Row = tuple[str, str, str, str]


def box(text: str) -> str:
    return rf"\boxed{{{text}}}"


def places(rng: random.Random) -> Iterator[Row]:
    """One value in every place where an answer can stand, and one that is off by a digit."""
    for form in (
        "{}", r"\boxed{{{}}}", "<answer>{}</answer>", "The answer is {}.", "So\n#### {}", "So\nA: {}",
        "**Answer:** {}", "<think>or 17?</think>{}", "Answer: \\({}\\)", "Thus $x = {}$.",
        "Therefore the final answer is ${}$. I hope it is correct.", "so the total is {}",
    ):  # fmt: skip
        gold = rng.randrange(20, 999)
        yield str(gold), form.format(gold), "correct", "place"
        yield str(gold), form.format(gold + 10), "wrong", "place"
        yield str(gold), form.format(f"{gold} or {gold + 1}"), "wrong", "hedge"


def rationals(rng: random.Random) -> Iterator[Row]:
    """A rational in several spellings, and its neighbours."""
    for _ in range(36):
        value = Fraction(rng.randrange(-300, 300), rng.choice((2, 4, 5, 8, 20, 25)))
        exact = f"{float(value):.6f}".rstrip("0").rstrip(".")
        top, bottom = value.numerator, value.denominator
        for text in (
            exact,
            rf"\frac{{{top}}}{{{bottom}}}",
            f"{3 * top}/{3 * bottom}",
            f"{float(100 * value):g}\\%",
        ):
            yield f"{top}/{bottom}", box(text), "correct", "rational"
        for text in (
            f"{float(value) + 0.001:g}",
            f"{top + bottom}/{bottom}",
            f"{-top}/{bottom}" if top else "1",
        ):
            yield f"{top}/{bottom}", box(text), "wrong", "rational"
    for _ in range(8):
        bottom = rng.choice((3, 7, 9, 11, 13))
        value = Fraction(rng.randrange(1, bottom), bottom)
        yield str(value), box(f"{float(value):.{rng.randrange(2, 9)}f}"), "wrong", "rounded"


def polynomials(rng: random.Random) -> Iterator[Row]:
    """Products against their expansions, with a coefficient off by one for the wrong ones."""
    for _ in range(20):
        a, b, c = (rng.choice((-7, -3, -2, 2, 3, 5)) for _ in range(3))
        gold = f"({a}x{b:+d})(x{c:+d})"
        middle, last = a * c + b, b * c
        yield gold, box(f"{a}x^2{middle:+d}x{last:+d}"), "correct", "polynomial"
        yield gold, box(f"{last}{middle:+d}x{a:+d}x^{{2}}"), "correct", "polynomial"
        yield gold, box(f"{a}x^2{middle + 1:+d}x{last:+d}"), "wrong", "polynomial"
        yield gold, box(f"{a}x^2{middle:+d}x{last:+d}=0"), "wrong", "polynomial"


def structures(rng: random.Random) -> Iterator[Row]:
    """Intervals with a bracket turned, tuples and lists in another order, scaled equations."""
    for _ in range(12):
        low, high = sorted(rng.sample(range(-20, 20), 2))
        left, right = rng.choice("(["), rng.choice(")]")
        gold = f"{left}{low},{high}{right}"
        yield gold, box(rf"\left{left} {low}, {high} \right{right}"), "correct", "interval"
        yield gold, box(f"{'[' if left == '(' else '('}{low},{high}{right}"), "wrong", "interval"
        yield gold, box(f"{left}{low},{high}.5{right}"), "wrong", "interval"
        one, two, three = rng.sample(range(-9, 30), 3)
        yield f"({one},{two},{three})", box(f"({one}, {two}, {three})"), "correct", "tuple"
        yield f"({one},{two},{three})", box(f"({two}, {one}, {three})"), "wrong", "tuple"
        yield (
            f"{one},{two},{three}",
            box(rf"{three}, {one} \text{{ and }} {two}"),
            "correct",
            "list",
        )
        yield f"{one},{two},{three}", box(f"{three}, {one}"), "wrong", "list"
        yield f"{one},{two}", box(f"{one},{two},{three}"), "wrong", "list"
        a, b, factor = rng.randrange(2, 9), rng.randrange(1, 9), rng.randrange(2, 5)
        yield f"y={a}x+{b}", box(f"{factor * a}x-{factor}y+{factor * b}=0"), "correct", "equation"
        yield f"y={a}x+{b}", box(f"{factor * a}x-{factor}y+{b}=0"), "wrong", "equation"


def damaged(hand: list[dict[str, str]], rng: random.Random) -> Iterator[Row]:
    """Hand-written correct rows: cut off in their box, or their gold as its own answer."""
    boxed = [
        row
        for row in hand
        if row["expected"] == "correct" and re.fullmatch(r"\\boxed\{.*\}", row["text"])
    ]
    for row in rng.sample(boxed, 40):
        yield row["gold"], row["text"][:-1], "wrong", "unclosed"
        yield row["gold"], box(row["gold"]), "correct", "itself"


def main() -> None:
    rng = random.Random(20)
    rows = [json.loads(line) for line in PAIRS.read_text().splitlines()]
    hand = [row for row in rows if row["by"] == "hand"]
    made = [*places(rng), *rationals(rng), *polynomials(rng), *structures(rng), *damaged(hand, rng)]
    for seed in SEEDS:
        for kind in (*math_mutations.KINDS, *math_forms.KINDS):
            made += kind(random.Random(seed))
    mutated = [
        {"gold": gold, "text": text, "expected": expected, "category": category, "by": "mutation"}
        for gold, text, expected, category in dict.fromkeys(made)
    ]
    PAIRS.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in hand + mutated))


if __name__ == "__main__":
    main()
