"""Comparing values that may carry a unit."""

from __future__ import annotations

from fractions import Fraction

from verifiers.maths.node import Node, number
from verifiers.maths.numeric import same
from verifiers.maths.units import TABLE, Unit, compatible

PLAIN = Unit()
HALF_TURN = Node("div", (Node("const", (), "pi"), number(180)))


def split(node: Node) -> tuple[Node, Unit]:
    """The expression and its unit, which is empty where there is none."""
    return (node.args[0], node.value) if node.op == "quantity" else (node, PLAIN)


def scaled(node: Node, unit: Unit) -> Node:
    """The expression in base units."""
    if unit.factor != 1:
        node = Node("mul", (node, number(unit.factor)))
    return Node("mul", (node, HALF_TURN)) if unit.degrees else node


def _sterling(unit: Unit, other: Unit) -> Unit:
    """Pounds are money beside a sum of money."""
    money = other.dimensions == TABLE["£"].dimensions
    return TABLE["£"] if money and unit == TABLE["pounds"] else unit


def is_percent(node: Node) -> bool:
    """Whether the expression is a percentage."""
    return node.op == "pct" or (node.op == "neg" and is_percent(node.args[0]))


def quantities(gold: Node, text: Node, percent: bool) -> bool:
    """Whether two values are equal: units convert, and one side may leave its unit out.

    `percent`: the question asks for a percentage, so that 50 means 50%.
    """
    (mine, unit), (yours, other) = split(gold), split(text)
    unit, other = _sterling(unit, other), _sterling(other, unit)
    if unit != PLAIN and other != PLAIN:
        if not compatible(unit, other):
            return False
        return same(scaled(mine, unit), scaled(yours, other))
    if same(mine, yours):
        return True
    if unit.degrees or other.degrees:
        return same(scaled(mine, unit), scaled(yours, other))
    if percent and is_percent(mine) != is_percent(yours):
        hundred = number(Fraction(1, 100))
        mine = mine if is_percent(mine) else Node("mul", (mine, hundred))
        yours = yours if is_percent(yours) else Node("mul", (yours, hundred))
        return same(mine, yours)
    return False
