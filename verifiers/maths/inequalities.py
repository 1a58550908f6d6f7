"""Inequalities in one variable, solved: linear, quadratic, and absolute values of linear ones."""

from __future__ import annotations

from fractions import Fraction

from verifiers.maths.exact import Inexact, Undefined, evaluate
from verifiers.maths.node import Node, TooHard, number, symbols
from verifiers.maths.numeric import fold, value

INFINITY = Node("const", (), "inf")
MINUS_INFINITY = Node("neg", (INFINITY,))
CHECKS = (Fraction(3), Fraction(-1), Fraction(7, 2), Fraction(-13), Fraction(100))
Bounds = tuple[Node, bool, Node, bool]
"""Low end, whether it belongs, high end, whether it belongs."""


def solve(left: Node, relation: str, right: Node) -> tuple[str, list[Bounds]] | None:
    """The variable and the intervals where `left relation right` holds; None where unknown."""
    names = symbols(left) | symbols(right)
    if len(names) != 1:
        return None
    name = next(iter(names))
    if relation in (">", ">="):
        left, right, relation = right, left, relation.replace(">", "<")
    if relation not in ("<", "<=", "!="):
        return None
    for side, other, inside in ((left, right, True), (right, left, False)):
        if side.op == "call" and side.value == "abs" and not symbols(other):
            return _absolute(name, side.args[0], other, relation, inside)
    found = _polynomial(Node("add", (left, Node("neg", (right,)))), name)
    if found is None:
        return None
    a, b, c = found
    if not a:
        return (name, _half(b, c, relation)) if b else None
    root = b * b - 4 * a * c
    if root < 0 or (not root and relation == "<" and a > 0):
        holds = a < 0 or relation == "!="
        return name, _everything() if holds else []
    half = Node("root", (number(root), number(2)))
    ends = [
        fold(Node("div", (Node("add", (number(-b), part)), number(2 * a))))
        for part in (Node("neg", (half,)), half)
    ]
    low, high = ends if a > 0 else ends[::-1]
    return name, _between(low, high, relation, a > 0)


def _everything() -> list[Bounds]:
    return [(MINUS_INFINITY, False, INFINITY, False)]


def _half(b: Fraction, c: Fraction, relation: str) -> list[Bounds]:
    """bx + c < 0."""
    end, closed = number(-c / b), relation == "<="
    below, above = (MINUS_INFINITY, False, end, closed), (end, closed, INFINITY, False)
    if relation == "!=":
        return [below, above]
    return [below if b > 0 else above]


def _between(low: Node, high: Node, relation: str, inside: bool) -> list[Bounds]:
    """Between two ends, or outside of them."""
    closed = relation == "<="
    if relation == "!=":
        middle = [] if low == high else [(low, False, high, False)]
        return [(MINUS_INFINITY, False, low, False), *middle, (high, False, INFINITY, False)]
    if inside:
        return [(low, closed, high, closed)] if closed or low != high else []
    if closed and low == high:
        return _everything()
    return [(MINUS_INFINITY, False, low, closed), (high, closed, INFINITY, False)]


def _absolute(
    name: str, inner: Node, bound: Node, relation: str, inside: bool
) -> tuple[str, list[Bounds]] | None:
    """|ax + b| against a constant."""
    found = _polynomial(inner, name)
    size = value(bound)
    if found is None or found[0] or not found[1] or size is None:
        return None
    if size < 0:
        return name, [] if inside and relation != "!=" else _everything()
    _, a, b = found
    ends = [
        fold(Node("div", (Node("add", (part, number(-b))), number(a))))
        for part in (Node("neg", (bound,)), bound)
    ]
    low, high = ends if a > 0 else ends[::-1]
    return name, _between(low, high, relation, inside)


def _polynomial(node: Node, name: str) -> tuple[Fraction, Fraction, Fraction] | None:
    """a, b, c of ax^2 + bx + c with rational coefficients; None for anything else."""
    try:
        p, q, r = (evaluate(node, {name: Fraction(k)}) for k in (0, 1, 2))
        a = (r - 2 * q + p) / 2
        b = q - p - a
        if all(evaluate(node, {name: x}) == a * x * x + b * x + p for x in CHECKS):
            return a, b, p
    except (Inexact, Undefined, KeyError, TooHard):
        pass
    return None
