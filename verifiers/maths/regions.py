"""Intervals, inequalities and unions of them as sets of real numbers."""

from __future__ import annotations

from typing import NamedTuple

from verifiers.maths.node import Node, symbols
from verifiers.maths.numeric import same, value
from verifiers.maths.vocabulary import COMPOUND

INFINITY = Node("const", (), "inf")
MINUS_INFINITY = Node("neg", (INFINITY,))
FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


class Piece(NamedTuple):
    """One interval, with whether each end belongs to it."""

    low: Node
    low_closed: bool
    high: Node
    high_closed: bool


class Region(NamedTuple):
    """A union of pieces, and the variable that an inequality was about."""

    pieces: tuple[Piece, ...]
    variable: str = ""


def region(node: Node) -> Region | None:
    """The set of numbers that a resolved tree denotes; None where it is none."""
    if node.op == "interval" or (node.op == "tuple" and len(node.args) == 2):
        low, high = node.args
        kind = node.value or "()"
        if low.op in COMPOUND or high.op in COMPOUND:
            return None
        return Region((Piece(low, kind[0] == "[", high, kind[1] == "]"),))
    if node.op == "all":
        if node.value == "R":
            return Region((Piece(MINUS_INFINITY, False, INFINITY, False),))
        return Region(()) if node.value == "empty" else None
    if node.op == "set" and not node.args:
        return Region(())
    if node.op == "set" and len(node.args) == 1 and node.args[0].op == "inequality":
        return _inequality(node.args[0])
    if node.op == "inequality":
        return _inequality(node)
    if node.op in ("union", "list"):
        parts = [region(arg) for arg in node.args]
        if any(part is None for part in parts):
            return None
        variables = {part.variable for part in parts if part is not None and part.variable}
        if len(variables) > 1 or (node.op == "list" and not variables):
            return None
        pieces = tuple(piece for part in parts if part is not None for piece in part.pieces)
        return Region(merged(pieces), "".join(variables))
    if node.op == "minus":
        return _without(node)
    return None


def _without(node: Node) -> Region | None:
    whole, removed = region(node.args[0]), node.args[1]
    if whole is None or removed.op != "set":
        return None
    pieces = list(whole.pieces)
    for point in removed.args:
        pieces = [part for piece in pieces for part in _cut(piece, point)]
    return Region(merged(tuple(pieces)), whole.variable)


def _cut(piece: Piece, point: Node) -> list[Piece]:
    low, high, middle = value(piece.low), value(piece.high), value(point)
    if low is None or high is None or middle is None or not low <= middle <= high:
        return [piece]
    parts = [
        Piece(piece.low, piece.low_closed, point, False),
        Piece(point, False, piece.high, piece.high_closed),
    ]
    return [part for part in parts if not same(part.low, part.high)]


def _inequality(node: Node) -> Region | None:
    """x > 3, 1 < x <= 5, x != 2: solved for one variable."""
    sides, relations = list(node.args), list(node.value)
    if relations == ["!="] and sides[0].op == "sym":
        everything = Piece(MINUS_INFINITY, False, INFINITY, False)
        return Region(tuple(_cut(everything, sides[1])), sides[0].value)
    if any(relation not in FLIPPED for relation in relations):
        return None
    if relations[0] in (">", ">="):
        sides.reverse()
        relations = [FLIPPED[relation] for relation in reversed(relations)]
    if any(relation not in ("<", "<=") for relation in relations):
        return None
    if len(sides) == 2:
        if sides[0].op == "sym" and sides[0].value not in symbols(sides[1]):
            piece = Piece(MINUS_INFINITY, False, sides[1], relations[0] == "<=")
            return Region((piece,), sides[0].value)
        if sides[1].op == "sym" and sides[1].value not in symbols(sides[0]):
            piece = Piece(sides[0], relations[0] == "<=", INFINITY, False)
            return Region((piece,), sides[1].value)
        return None
    if len(sides) == 3 and sides[1].op == "sym":
        piece = Piece(sides[0], relations[0] == "<=", sides[2], relations[1] == "<=")
        return Region((piece,), sides[1].value)
    return None


def merged(pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """In order, touching and overlapping pieces joined, where the ends are constants."""
    ends = [(value(piece.low), value(piece.high)) for piece in pieces]
    if any(low is None or high is None for low, high in ends):
        return pieces
    order = sorted(
        range(len(pieces)), key=lambda place: (ends[place][0], not pieces[place].low_closed)
    )
    joined: list[Piece] = []
    for place in order:
        piece = pieces[place]
        if joined and _touch(joined[-1], piece):
            last = joined[-1]
            closed = last.high_closed or piece.high_closed
            if same(last.high, piece.high):
                joined[-1] = last._replace(high_closed=closed)
            elif (value(piece.high) or 0.0) > (value(last.high) or 0.0):
                joined[-1] = last._replace(high=piece.high, high_closed=piece.high_closed)
        else:
            joined.append(piece)
    return tuple(joined)


def _touch(left: Piece, right: Piece) -> bool:
    if same(left.high, right.low):
        return left.high_closed or right.low_closed
    return (value(left.high) or 0.0) > (value(right.low) or 0.0)


def equal(one: Region, two: Region) -> bool:
    """Whether both are the same set, of the same variable where both name one."""
    if one.variable and two.variable and one.variable != two.variable:
        return False
    mine, yours = merged(one.pieces), merged(two.pieces)
    return len(mine) == len(yours) and all(
        a.low_closed == b.low_closed
        and a.high_closed == b.high_closed
        and same(a.low, b.low)
        and same(a.high, b.high)
        for a, b in zip(mine, yours, strict=True)
    )
