"""Sums, products, progressions and determinants that are written out as expressions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

from verifiers.maths import exact
from verifiers.maths.node import Node, TooHard, Unreadable, number, walk

if TYPE_CHECKING:
    from verifiers.maths.grammar import Grammar

TERMS = 300
NODES = 20_000
ROWS = 5


def constant(node: Node) -> Fraction | None:
    """The value of a rational constant; None for anything else."""
    try:
        return exact.evaluate(node, {})
    except (exact.Inexact, exact.Undefined, KeyError):
        return None


def series(name: str, index: str, low: Node, high: Node, body: Node) -> Node:
    """`sum` or `prod` of `body` for index = low..high, as an expression. Raises TooHard."""
    first, last = constant(low), constant(high)
    if first is None or last is None or first.denominator != 1 or last.denominator != 1:
        raise TooHard("an operator that is not evaluated")
    count = int(last - first) + 1
    if count > TERMS or count * sum(1 for _ in walk(body)) > NODES:
        raise TooHard("too many terms")
    empty = number(0 if name == "sum" else 1)
    terms = tuple(_put(body, index, number(first + k)) for k in range(max(count, 0)))
    return Node("add" if name == "sum" else "mul", (empty, *terms))


def _put(node: Node, name: str, value: Node) -> Node:
    """The tree with a value for a variable; the index i is no imaginary unit."""
    if node.value == name and (node.op == "sym" or (node.op == "const" and name == "i")):
        return value
    return Node(node.op, tuple(_put(arg, name, value) for arg in node.args), node.value)


def progression(head: Sequence[Node], last: Node) -> Node:
    """The sum 1 + 2 + ... + 10, arithmetic or geometric."""
    start = [constant(node) for node in head]
    end = constant(last)
    if len(start) < 2 or end is None or any(value is None for value in start):
        raise Unreadable("a sum that goes on")
    values = [value for value in start if value is not None]
    steps = {b - a for a, b in pairwise(values)}
    if len(steps) == 1 and (step := steps.pop()):
        count = (end - values[0]) / step + 1
        if count.denominator == 1 and count >= len(values):
            return number(count * (values[0] + end) / 2)
    if len(values) < 3 or 0 in values:
        raise Unreadable("a sum that goes on")
    ratios = {b / a for a, b in pairwise(values)}
    ratio = ratios.pop()
    value = values[-1]
    for _ in range(TERMS):
        if ratios or ratio in (0, 1, -1) or value == end:
            break
        value *= ratio
        if value.numerator.bit_length() + value.denominator.bit_length() > exact.BITS // 8:
            break
    if ratios or value != end or ratio in (0, 1, -1):
        raise Unreadable("a sum that goes on")
    return number((end * ratio - values[0]) / (ratio - 1))


def determinant(matrix: Node) -> Node:
    """The determinant of a square matrix of expressions."""
    rows = [row.args for row in matrix.args]
    if matrix.op != "matrix" or any(len(row) != len(rows) for row in rows):
        raise Unreadable("a determinant of something that is not square")
    if len(rows) > ROWS:
        raise TooHard("a determinant is too big")
    return _expanded(rows)


def _expanded(rows: list[tuple[Node, ...]]) -> Node:
    if len(rows) == 1:
        return rows[0][0]
    terms = []
    for place, entry in enumerate(rows[0]):
        minor = _expanded([row[:place] + row[place + 1 :] for row in rows[1:]])
        term = Node("mul", (entry, minor))
        terms.append(Node("neg", (term,)) if place % 2 else term)
    return Node("add", tuple(terms))


def read_big(reader: Grammar, name: str) -> Node:
    """An operator that only a computer algebra system can evaluate: kept as its tokens."""
    start, depth = reader.at, 0
    if name in ("sum", "prod") and (written := _read_series(reader, name)) is not None:
        return written
    while reader.token.kind != "end" and (depth or reader.token.text not in ("=", ",", r"\approx")):
        text = reader.take().text
        depth += (text in ("(", "{", "[")) - (text in (")", "}", "]"))
    return Node("big", (), (name, *(t.text for t in reader.tokens[start : reader.at])))


def _read_series(reader: Grammar, name: str) -> Node | None:
    """A finite sum or product of few terms; None, and nothing taken, for any other."""
    start, level = reader.at, reader.depth
    try:
        reader.expect("_")
        reader.expect("{")
        index = reader.take()
        reader.expect("=")
        low = reader.expression()
        reader.expect("}")
        reader.expect("^")
        high = reader.argument()
        return series(name, index.text, low, high, reader.deeper(reader.term))
    except (Unreadable, TooHard):
        reader.at, reader.depth = start, level
        return None


def read_determinant(reader: Grammar) -> Node:
    r"""What stands behind \det, or in bars around a matrix."""
    bracket = reader.accept("(")
    node = determinant(reader.deeper(reader.bracket))
    if bracket:
        reader.expect(")")
    return node
