"""Mutated structures for math_pairs.jsonl: equations, complex numbers, matrices, words, damage."""

import random
from collections.abc import Iterator
from fractions import Fraction

from math_mutations import Row, box

ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
TENS = ("ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def lines(rng: random.Random) -> Iterator[Row]:
    """Equations of lines and circles, rearranged, and with a coefficient changed."""
    for _ in range(12):
        a, c = rng.randrange(1, 9), rng.randrange(-9, 10)
        b, k = rng.choice((-5, -4, -3, -2, 2, 3, 5, 7)), rng.choice((-3, -1, 2, 4))
        gold = f"{a}x{b:+d}y={c}"
        right = (
            box(f"{a * k}x{b * k:+d}y={c * k}"), box(rf"y=\frac{{{c}-{a}x}}{{{b}}}"),
            box(f"{a}x{b:+d}y-({c})=0"), f"${b}y{a:+d}x = {c}$",
        )  # fmt: skip
        wrong = (f"{a}x{-b:+d}y={c}", f"{a}x{b:+d}y={c + 1}", f"{2 * a}x{b:+d}y={c}")
        yield gold, rng.choice(right), "correct", "line"
        yield gold, box(rng.choice(wrong)), "wrong", "line"
    for _ in range(6):
        h, k, r = rng.randrange(1, 6), rng.randrange(-5, 0), rng.randrange(2, 7)
        gold = f"(x{-h:+d})^2+(y{-k:+d})^2={r * r}"
        whole = f"x^2{-2 * h:+d}x+y^2{-2 * k:+d}y={r * r - h * h - k * k}"
        yield gold, box(whole), "correct", "circle"
        yield gold, box(f"(x{-h:+d})^2+(y{-k:+d})^2={r}"), "wrong", "circle"


def constants(rng: random.Random) -> Iterator[Row]:
    """Complex numbers and multiples of pi, and their conjugates, swaps and decimals."""
    for _ in range(8):
        a, b = rng.randrange(10, 20), rng.choice((-9, -7, -4, -2, 2, 3, 5, 8))
        right = (box(f"{b}i{a:+d}"), f"$z = {a}{b:+d}i$", box(f"{a} {b:+d} i"))
        wrong = (f"{a}{-b:+d}i", f"{b}{a:+d}i", f"{a}{b:+d}")
        yield f"{a}{b:+d}i", rng.choice(right), "correct", "complex"
        yield f"{a}{b:+d}i", box(rng.choice(wrong)), "wrong", "complex"
    for _ in range(10):
        n, d = rng.randrange(1, 12), rng.choice((2, 3, 4, 6))
        gold = rf"\frac{{{n}\pi}}{{{d}}}"
        right = (
            box(rf"\frac{{{n}}}{{{d}}}\pi"), f"{n}π/{d}", f"{n}*pi/{d}",
            box(rf"{180 * n // d}^\circ"), box(rf"\frac{{{2 * n}\pi}}{{{2 * d}}}"),
        )  # fmt: skip
        wrong = (
            rf"\frac{{{n}}}{{{d}}}", rf"\frac{{\pi}}{{{d * n + 1}}}", rf"-\frac{{{n}\pi}}{{{d}}}",
            f"{n * 3.14159 / d:.4f}",
        )  # fmt: skip
        yield gold, rng.choice(right), "correct", "pi"
        yield gold, box(rng.choice(wrong)), "wrong", "pi"


def grouped(rng: random.Random) -> Iterator[Row]:
    """Large numbers with their digits in groups, or as powers of ten, and off by one place."""
    for _ in range(10):
        gold = rng.randrange(10_000, 9_999_999)
        text = f"{gold:,}"
        right = (
            box(text), f"The total is ${text}.", f"The answer is {text.replace(',', ' ')}",
            box(text.replace(",", "{,}")), box(text.replace(",", r"\,")), f"#### {text}", f"{text}.00",
        )  # fmt: skip
        yield str(gold), rng.choice(right), "correct", "thousands"
        yield str(gold), box(f"{gold + 10 ** rng.randrange(5):,}"), "wrong", "thousands"
    for _ in range(8):
        m, e = rng.randrange(11, 99), rng.randrange(3, 9)
        right = (
            box(rf"{m / 10} \times 10^{e}"), box(rf"{m / 10}\times10^{{{e}}}"), f"{m / 10}e{e}",
            f"{m / 10} x 10^{e}", f"{m / 10}*10^{e}", f"{m / 10}·10^{e}",
        )  # fmt: skip
        wrong = (
            box(rf"{m / 10} \times 10^{{{e + 1}}}"),
            f"{m / 10}e{e - 1}",
            f"{m / 10} x 10^-{e}",
        )
        yield str(m * 10 ** (e - 1)), rng.choice(right), "correct", "powers of ten"
        yield str(m * 10 ** (e - 1)), rng.choice(wrong), "wrong", "powers of ten"


def matrices(rng: random.Random) -> Iterator[Row]:
    """A matrix in other brackets, transposed, and its determinant."""
    for _ in range(6):
        a, b, c, d = rng.sample(range(-9, 10), 4)
        gold = rf"\begin{{pmatrix}}{a}&{b}\\{c}&{d}\end{{pmatrix}}"
        yield gold, box(gold.replace("pmatrix", "bmatrix")), "correct", "matrix"
        yield gold, box(rf"\begin{{pmatrix}}{a}&{c}\\{b}&{d}\end{{pmatrix}}"), "wrong", "matrix"
        bars = box(gold.replace("pmatrix", "vmatrix"))
        yield str(a * d - b * c), bars, "correct", "determinant"
        yield (
            str(a * d + b * c + 1),
            bars,
            "wrong",
            "determinant",
        )


def said(n: int, joint: str) -> str:
    """A number in words."""
    if n < 20:
        return ONES[n]
    if n < 100:
        return TENS[n // 10 - 1] + (f"-{ONES[n % 10]}" if n % 10 else "")
    size, name = (1000, "thousand") if n >= 1000 else (100, "hundred")
    rest = f"{joint if size == 100 else ' '}{said(n % size, joint)}" if n % size else ""
    return f"{said(n // size, joint)} {name}{rest}"


def spoken(rng: random.Random) -> Iterator[Row]:
    """Numbers in words, and sums of money."""
    for limit in (20, 100, 1000, 99_999) * 3:
        n = rng.randrange(1, limit)
        text = said(n, rng.choice((" ", " and ")))
        form = rng.choice(("The answer is %s.", "%s", "There are %s birds.", r"\boxed{\text{%s}}"))
        yield str(n), form % text, "correct", "spelled"
        yield str(n + rng.choice((1, 10, 100))), form % text, "wrong", "spelled"
    for _ in range(8):
        d, c = rng.randrange(1, 90), rng.randrange(1, 99)
        sum_ = f"{d}.{c:02d}"
        right = (
            f"The total cost is ${sum_}.", f"She pays {d} dollars and {c} cents.", box(rf"\${sum_}"),
            f"{sum_} dollars", f"It costs \\${sum_} in total.", f"Total = ${sum_}",
        )  # fmt: skip
        wrong = (
            f"The total is ${d}.{c + 1:02d}.",
            f"She pays {d} dollars.",
            box(rf"\${d + 1}.{c:02d}"),
        )
        yield sum_, rng.choice(right), "correct", "money"
        yield sum_, rng.choice(wrong), "wrong", "money"


def damage(rng: random.Random) -> Iterator[Row]:
    """Answers whose box, brace or tag is not closed."""
    for gold in (r"\frac{3}{7}", "(1,2]", r"\{1,2\}", r"\sqrt{11}", "x^2+1", r"2\pi"):
        n = rng.randrange(2, 9)
        for text in (gold, f"{n}+{gold}"):
            yield text, rf"The answer is $\boxed{{{text}", "wrong", "damage"
            yield text, rf"The answer is $\boxed{{{text[:-1]}}}$", "wrong", "damage"
            yield text, f"<answer>{text}", "wrong", "damage"


def hedges(rng: random.Random) -> Iterator[Row]:
    """Two candidates, one of them right."""
    for form in (
        r"\boxed{%d} or \boxed{%d}", "The answer is %d or %d.", "It is either %d or %d.",
        r"\boxed{%d \text{ or } %d}", "Maybe %d, maybe %d.", "%d, %d", "#### %d or %d",
        "The answer could be %d, or perhaps %d.", "<answer>%d or %d</answer>", "Answer: %d (or %d)",
    ):  # fmt: skip
        n = rng.randrange(10, 99)
        m = n + rng.randrange(1, 9)
        yield str(rng.choice((n, m))), form % (n, m), "wrong", "hedge"
        yield str(Fraction(n, 1)), form % (m, m + 1), "wrong", "hedge"


KINDS = (lines, constants, grouped, matrices, spoken, damage, hedges)
