"""Intervals, inequalities and unions of them as sets of real numbers."""

from __future__ import annotations

from typing import NamedTuple

from verifiers.maths.inequalities import INFINITY, MINUS_INFINITY, solve
from verifiers.maths.node import Node, symbols
from verifiers.maths.numeric import same, value
from verifiers.maths.vocabulary import COMPOUND

NEAR = 1e-9
FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


class Piece(NamedTuple):
    """One interval, with whether each end belongs to it."""

    low: Node
    low_closed: bool
    high: Node
    high_closed: bool


EVERYTHING = Piece(MINUS_INFINITY, False, INFINITY, False)


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
            return Region((EVERYTHING,))
        return Region(()) if node.value == "empty" else None
    if node.op == "set":
        if not node.args:
            return Region(())
        if len(node.args) > 1 and all(arg.op == "inequality" for arg in node.args):
            return _several(Node("list", node.args))
        single = len(node.args) == 1 and node.args[0].op in ("inequality", "list")
        return region(node.args[0]) if single else None
    if node.op == "inequality":
        return _inequality(node)
    if node.op in ("union", "list"):
        return _several(node)
    if node.op == "intersection":
        one, two = map(region, node.args)
        return None if one is None or two is None else _common(one, two)
    return _without(node) if node.op == "minus" else None


def _several(node: Node) -> Region | None:
    """A union; of inequalities that are not joined by "or", what they have in common, if any."""
    parts = [part for part in map(region, node.args) if part is not None]
    if len(parts) < len(node.args):
        return None
    variables = {part.variable for part in parts if part.variable}
    if len(variables) > 1 or (node.op == "list" and not variables):
        return None
    if node.op == "list" and node.value != "or":
        common = parts[0]
        for part in parts[1:]:
            common = _common(common, part)
        if common.pieces:
            return common
    pieces = tuple(piece for part in parts for piece in part.pieces)
    return Region(merged(pieces), "".join(variables))


def _common(one: Region, two: Region) -> Region:
    """The intersection of two regions with constant ends."""
    pieces = []
    for a in one.pieces:
        for b in two.pieces:
            low, low_closed = _inner(a.low, a.low_closed, b.low, b.low_closed, 1)
            high, high_closed = _inner(a.high, a.high_closed, b.high, b.high_closed, -1)
            left, right = value(low), value(high)
            if left is None or right is None or left > right + NEAR:
                continue
            if not same(low, high) or (low_closed and high_closed):
                pieces.append(Piece(low, low_closed, high, high_closed))
    return Region(tuple(pieces), one.variable or two.variable)


def _inner(a: Node, a_closed: bool, b: Node, b_closed: bool, sign: int) -> tuple[Node, bool]:
    """The end that lies further in: the greater of two low ends (sign 1), the lesser of high."""
    if same(a, b):
        return a, a_closed and b_closed
    first = (value(a) or 0.0) * sign > (value(b) or 0.0) * sign
    return (a, a_closed) if first else (b, b_closed)


def _without(node: Node) -> Region | None:
    whole, removed = region(node.args[0]), node.args[1]
    if whole is None:
        return None
    if removed.op != "set" or not removed.args or region(removed) is not None:
        hole = region(removed)
        return None if hole is None else _common(whole, _complement(hole))
    pieces = list(whole.pieces)
    for point in removed.args:
        pieces = [part for piece in pieces for part in _cut(piece, point)]
    return Region(merged(tuple(pieces)), whole.variable)


def _complement(hole: Region) -> Region:
    pieces, low, closed = [], MINUS_INFINITY, False
    for piece in merged(hole.pieces):
        pieces.append(Piece(low, closed, piece.low, not piece.low_closed))
        low, closed = piece.high, not piece.high_closed
    pieces.append(Piece(low, closed, INFINITY, False))
    infinite = (float("inf"), float("-inf"))
    kept = [
        piece
        for piece in pieces
        if not (same(piece.low, piece.high) and value(piece.low) in infinite)
    ]
    return Region(tuple(kept))


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
    """x > 3, 1 < x <= 5, x != 2, |x - 1| < 3: solved for one variable."""
    sides, relations = list(node.args), list(node.value)
    if relations[0] in (">", ">="):
        sides.reverse()
        relations = [FLIPPED.get(relation, relation) for relation in reversed(relations)]
    if len(sides) == 3 and sides[1].op == "sym" and set(relations) <= {"<", "<="}:
        piece = Piece(sides[0], relations[0] == "<=", sides[2], relations[1] == "<=")
        return Region((piece,), sides[1].value)
    if len(sides) == 2 and relations[0] in ("<", "<="):
        for name, other in (sides, sides[::-1]):
            if name.op == "sym" and name.value not in symbols(other):
                closed = relations[0] == "<="
                low, high = (MINUS_INFINITY, other) if name is sides[0] else (other, INFINITY)
                piece = Piece(low, closed and low is other, high, closed and high is other)
                return Region((piece,), name.value)
    found: Region | None = None
    for left, relation, right in zip(sides, relations, sides[1:], strict=False):
        solved = solve(left, relation, right)
        if solved is None:
            return None
        part = Region(tuple(Piece(*bounds) for bounds in solved[1]), solved[0])
        if found is not None and found.variable != part.variable:
            return None
        found = part if found is None else _common(found, part)
    return found


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
