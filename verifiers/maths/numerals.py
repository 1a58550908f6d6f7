"""Numbers that are written in several parts: mixed, repeating, in another base."""

from __future__ import annotations

from fractions import Fraction

from verifiers.maths.node import Node, Unreadable, number
from verifiers.maths.units import TABLE
from verifiers.maths.vocabulary import SHORT_WORDS, STRUCTURES


def letters(text: str) -> bool:
    """Whether a short word may be a product of variables."""
    one_case = text.islower() or text.isupper()
    return len(text) <= 3 and one_case and text.lower() not in SHORT_WORDS and text not in TABLE


def product(left: Node, right: Node) -> Node:
    """Two neighbours: a mixed number, the coordinates of a named point, or a product."""
    if left.op == "neg" and mixed(left.args[0], right):
        return Node("neg", (Node("add", (left.args[0], right)),))
    if right.op == "tuple" and left.op not in STRUCTURES:
        point = left.op == "sym" and left.value[0].isupper()
        scaled = right.args if point else tuple(Node("mul", (left, part)) for part in right.args)
        return Node("tuple", scaled)
    if right.op == "matrix" and left.op not in STRUCTURES:
        rows = (
            Node("row", tuple(Node("mul", (left, entry)) for entry in row.args))
            for row in right.args
        )
        return Node("matrix", tuple(rows))
    if right.op == "pct" and mixed(left, right.args[0]):
        return Node("pct", (Node("add", (left, right.args[0])),))
    return Node("add" if mixed(left, right) else "mul", (left, right))


def mixed(left: Node, right: Node) -> bool:
    """Whether two neighbours are a mixed number: a whole and a proper fraction."""
    if left.op != "num" or right.op != "div" or left.value.denominator != 1:
        return False
    top, bottom = right.args
    return top.op == bottom.op == "num" and 0 < top.value < bottom.value


def based(digits: Node, base: Node) -> Node:
    """A whole number in another base, such as 1011_2."""
    if base.op != "num" or base.value.denominator != 1 or not 2 <= base.value <= 36:
        raise Unreadable("a subscript of a number")
    if digits.value.denominator != 1:
        raise Unreadable("a fraction in another base")
    text = str(digits.value.numerator)
    try:
        int(text, int(base.value))
    except ValueError as error:
        raise Unreadable(str(error)) from error
    return Node("based", (), (text, int(base.value)))


def recurring(text: str) -> Node:
    """A decimal that goes on as it ended, such as 0.333... or 0.1212..."""
    digits = text.partition(".")[2]
    for size in range(1, len(digits) // 2 + 1):
        block = digits[-size:]
        if digits.endswith(block * (3 if size == 1 else 2)):
            return repeating(text[: len(text) - size], block)
    raise Unreadable("a number that goes on")


def repeating(head: str, block: str) -> Node:
    """A decimal whose last digits repeat: 0.1 and 6 are 1/6."""
    whole, _, decimals = head.partition(".")
    start = Fraction(int(whole + decimals), 10 ** len(decimals))
    return number(start + Fraction(int(block), 10 ** len(decimals) * (10 ** len(block) - 1)))
