"""Mutated answers for math_pairs.jsonl, a generator for each kind; statuses follow from the making."""

import random
from collections.abc import Iterator
from fractions import Fraction

Row = tuple[str, str, str, str]
ENDS = (
    "So the final answer is {}.", "Therefore, the answer is ${}$.", "\n#### {}",
    "**Final Answer**\n\n\\[ \\boxed{{{}}} \\]", "Thus, the total comes to {}.", "Answer: {}",
    "**Answer: {}**", "<answer>\n{}\n</answer>", "Hence the answer is **{}**.",
    "So, the answer is $\\boxed{{{}}}$.", "A: {}", "In total: {}", "\\boxed{{{}}}", "Result = {}",
    "The final answer is: $\\boxed{{{}}}$. I hope it is correct.", "Final answer: {}",
    "So we get {} as the final result.", "\n\n{}", "That makes {} altogether.", "ANSWER: {}",
    "The correct answer is {}.", "The value of the expression is {}.", "Therefore x = {}.",
    "### Final answer\n{}", "Our answer is {}.",
)  # fmt: skip
UNITS = (
    ("km", "m", 1000), ("m", "cm", 100), ("hours", "minutes", 60), ("kg", "g", 1000),
    ("L", "mL", 1000), ("feet", "inches", 12), ("days", "hours", 24), ("dollars", "cents", 100),
    ("weeks", "days", 7), ("cm", "mm", 10),
)  # fmt: skip


def box(text: str) -> str:
    return rf"\boxed{{{text}}}"


def chains(rng: random.Random) -> Iterator[Row]:
    """A chain of steps with each way to end it; the wrong one ends in another number."""
    for end in ENDS:
        a, b, c = rng.randrange(11, 60), rng.randrange(2, 9), rng.randrange(3, 40)
        total = a * b + c
        body = rng.choice((
            f"Mia has {a} boxes with {b} coins each: {a}*{b} = {a * b}.\n{a * b} + {c} = {total}.\n",
            f"First, {a} times {b} is {a * b}.\nNext we add {c}: {a * b}+{c}={total}.\n",
            f"**Step 1:** ${a} \\times {b} = {a * b}$.\n\n**Step 2:** Add {c}.\n\n",
            f"Let's denote the number by x. x = {a}·{b} + {c}.\n",
        ))  # fmt: skip
        yield str(total), body + end.format(total), "correct", "place"
        off = rng.choice((1, -1, 10, -10, c))
        yield str(total - off), body + end.format(total), "wrong", "place"


def spellings(value: Fraction) -> list[str]:
    """Ways to write a rational that is not whole."""
    top, bottom = value.numerator, value.denominator
    sign, size = ("-", -top) if top < 0 else ("", top)
    found = [
        rf"\frac{{{top}}}{{{bottom}}}", f"{top}/{bottom}", rf"\dfrac{{{2 * top}}}{{{2 * bottom}}}",
        rf"\frac{{{-top}}}{{{-bottom}}}", f"{{{top}}}/{{{bottom}}}", f"({top})/({bottom})",
        rf"{top} \div {bottom}", rf"\left(\frac{{{top}}}{{{bottom}}}\right)",
    ]  # fmt: skip
    if size > bottom:
        whole, rest = divmod(size, bottom)
        found += [rf"{sign}{whole}\frac{{{rest}}}{{{bottom}}}", f"{sign}{whole} {rest}/{bottom}"]
    if 10**6 % bottom == 0:
        found.append(f"{float(value):.6f}".rstrip("0"))
    return found


def rationals(rng: random.Random) -> Iterator[Row]:
    """A rational in another spelling, and one that is near, inverted or of the other sign."""
    for _ in range(20):
        value = Fraction(rng.randrange(-90, 90), rng.choice((2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 25)))
        if value.denominator == 1:
            value = Fraction(2 * abs(value.numerator) + 1, 2)
        gold = f"{value.numerator}/{value.denominator}"
        form = rng.choice((r"\boxed{%s}", "The answer is %s", "$%s$", r"\(%s\)"))
        yield gold, form % rng.choice(spellings(value)), "correct", "rational"
        near = value + Fraction(1, 1000)
        other = rng.choice((value + Fraction(1, value.denominator), -value, 1 / value, near))
        text = str(other) if other.denominator == 1 else rng.choice(spellings(other))
        yield gold, box(text), "correct" if other == value else "wrong", "rational"
    for _ in range(10):
        exact = f"{rng.randrange(10, 9000)}.{rng.randrange(100, 999)}7"
        yield exact, box(f"{float(exact):.2f}"), "wrong", "rounded"
        yield f"{float(exact):.2f}", box(f"{float(exact):.2f}"), "correct", "rounded"


def radicals(rng: random.Random) -> Iterator[Row]:
    """a sqrt(b) in other spellings, and with a part of it changed."""
    for _ in range(12):
        a, b = rng.sample((2, 3, 5, 6, 7, 10, 11), 2)
        gold, value = rf"{a}\sqrt{{{b}}}", a * b**0.5
        right = (
            box(rf"\sqrt{{{a * a * b}}}"), f"{a}*sqrt({b})", box(rf"\frac{{{a * b}}}{{\sqrt{{{b}}}}}"),
            rf"$\sqrt{{{b}}} \cdot {a}$", box(rf"{a}{{\sqrt {b}}}"), f"{a}√{b}",
            box(rf"{a}\cdot {b}^{{1/2}}"), f"{a}*{b}^(1/2)", box(rf"{a}\sqrt{{{b}}} \approx {value:.2f}"),
        )  # fmt: skip
        wrong = (
            rf"\sqrt{{{a * b}}}", rf"{a}\sqrt{{{b + 1}}}", f"{value:.3f}", rf"-{a}\sqrt{{{b}}}",
            rf"{a}\sqrt[3]{{{b}}}", rf"{b}\sqrt{{{a}}}",
        )  # fmt: skip
        yield gold, rng.choice(right), "correct", "radical"
        yield gold, box(rng.choice(wrong)), "wrong", "radical"


def conversions(rng: random.Random) -> Iterator[Row]:
    """A quantity in another unit, and the same number in a unit that differs."""
    for _ in range(14):
        big, small, factor = rng.choice(UNITS)
        size = rng.randrange(2, 40)
        gold, same = f"{size} {big}", size * factor
        right = (
            box(rf"{same} \text{{ {small}}}"), f"The answer is {same} {small}.",
            box(rf"{size}\,\mathrm{{{big}}}"), f"It is {size} {big}.", str(size),
        )  # fmt: skip
        wrong = (
            box(rf"{size} \text{{ {small}}}"), box(rf"{same + 1} \text{{ {small}}}"),
            f"The answer is {same * 10} {small}.", f"The answer is {same}.",
        )  # fmt: skip
        yield gold, rng.choice(right), "correct", "units"
        yield gold, rng.choice(wrong), "wrong", "units"


def ranges(rng: random.Random) -> Iterator[Row]:
    """Intervals as inequalities, and with an end or a bracket changed."""
    for _ in range(14):
        low, high = sorted(rng.sample(range(-30, 30), 2))
        left, right = rng.choice("[("), rng.choice("])")
        above, below = ("<" if left == "(" else r"\le"), ("<" if right == ")" else r"\le")
        turned = {"<": ">", r"\le": r"\ge"}
        other = r"\le" if above == "<" else "<"
        gold = f"{left}{low},{high}{right}"
        good = (
            f"{low} {above} x {below} {high}", rf"x\in{left}{low}, {high}{right}",
            rf"\{{x : {low} {above} x {below} {high}\}}",
            f"{high} {turned[below]} t {turned[above]} {low}",
        )  # fmt: skip
        bad = (
            f"{low} {other} x {below} {high}", f"x {turned[above]} {low}",
            f"{left}{low},{high + 1}{right}", rf"\{{{low},{high}\}}", f"{left}{high},{low}{right}",
        )  # fmt: skip
        yield gold, box(rng.choice(good)), "correct", "interval"
        yield gold, box(rng.choice(bad)), "wrong", "interval"


def orders(rng: random.Random) -> Iterator[Row]:
    """Lists in another order and form, and with one value gone, added or changed."""
    for _ in range(12):
        gold = rng.sample(range(-20, 40), rng.randrange(2, 5))
        mixed = rng.sample(gold, len(gold))
        commas = ", ".join(map(str, mixed))
        right = (
            box(commas), f"The solutions are {', '.join(map(str, mixed[:-1]))} and {mixed[-1]}.",
            box(rf"x \in \{{{commas}\}}"), box(r" \text{ or } ".join(f"x={x}" for x in mixed)),
            f"The answer is x = {', x = '.join(map(str, mixed))}.",
        )  # fmt: skip
        wrong = (mixed[1:], [*mixed, 99], [77, *mixed[1:]], [*mixed[1:], mixed[0] + 100])
        listed = ", ".join(map(str, rng.choice(wrong)))
        yield ", ".join(map(str, gold)), rng.choice(right), "correct", "list"
        yield (
            ", ".join(map(str, gold)),
            rng.choice((box(listed), box(rf"\{{{listed}\}}"))),
            "wrong",
            "list",
        )


def digits(rng: random.Random) -> Iterator[Row]:
    """A number with a digit lost, doubled or changed, a sign or a point."""
    for _ in range(20):
        gold = str(rng.randrange(100, 9999))
        at = rng.randrange(1, len(gold))
        digit = rng.choice("0123456789")
        text = rng.choice((
            gold[:at] + gold[at + 1 :], gold[:at] + digit + gold[at:], gold[::-1],
            gold[:at] + digit + gold[at + 1 :], f"-{gold}", f"{gold[:at]}.{gold[at:]}",
        ))  # fmt: skip
        form = rng.choice(
            (r"\boxed{%s}", "The answer is %s.", "#### %s", "<answer>%s</answer>", "A: %s")
        )
        yield gold, form % text, "correct" if text == gold else "wrong", "digit"


KINDS = (chains, rationals, radicals, conversions, ranges, orders, digits)
