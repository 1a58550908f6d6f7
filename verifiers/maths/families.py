"""Solutions that repeat: pi/4 + 2k pi for every whole k is the same family with n for k."""

from __future__ import annotations

from fractions import Fraction

from verifiers.maths.node import Node, number, symbols, walk
from verifiers.maths.numeric import fold, same, value
from verifiers.maths.operators import constant

PARAMETERS = frozenset("klmnjNK")
ZERO = number(0)
PLACES = tuple(map(Fraction, ("1/3", "5/7", "6/5", "17/11")))


def parameter(node: Node) -> str | None:
    """The letter for any whole number in an expression with a period; None where it has none."""
    periodic = any(part == Node("const", (), "pi") or part.value == 360 for part in walk(node))
    return _letter(node) if periodic else None


def equal(one: Node, two: Node, names: tuple[str, str]) -> bool:
    """Whether two expressions, linear in the letters `names`, run through the same values."""
    first, second = _linear(one, names[0]), _linear(two, names[1])
    if first is None or second is None:
        return False
    (start, step), (other, pace) = first, second
    if same(step, ZERO) or not (same(step, pace) or same(step, Node("neg", (pace,)))):
        return False
    apart = Node("div", (Node("add", (start, Node("neg", (other,)))), step))
    return _whole(apart)


def runs(node: Node, residue: Node, modulus: Node) -> bool:
    """Whether an expression such as 15k + 8 runs through all numbers of a residue."""
    name = _letter(node)
    if name is None or symbols(modulus):
        return False
    step = Node("mul", (modulus, Node("sym", (), name)))
    return equal(Node("add", (residue, step)), node, (name, name))


def antiderivatives(one: Node, two: Node) -> bool:
    """Whether two expressions with an arbitrary constant, `+ C`, differ by a constant only."""
    any_constant = Node("sym", (), "C")
    if any(node.op != "add" or any_constant not in node.args for node in (one, two)):
        return False
    apart = Node("add", (one, Node("neg", (two,))))
    names = symbols(apart) - {"C"}
    if len(names) != 1:
        return False
    (name,) = names
    values = [_at(_at(apart, "C", 0), name, place) for place in PLACES]
    return all(same(values[0], other) for other in values[1:])


def _letter(node: Node) -> str | None:
    """The only letter of an expression, where it is one for whole numbers."""
    names = symbols(node)
    return next(iter(names)) if len(names) == 1 and names <= PARAMETERS else None


def _linear(node: Node, name: str) -> tuple[Node, Node] | None:
    """Offset and period of an expression that is linear in `name`."""
    values = [_at(node, name, k) for k in range(4)]
    step = Node("add", (values[1], Node("neg", (values[0],))))
    for k in (2, 3):
        line = Node("add", (values[0], Node("mul", (number(k), step))))
        if not same(line, values[k]):
            return None
    return values[0], step


def _at(node: Node, name: str, place: int | Fraction) -> Node:
    if node.op == "sym" and node.value == name:
        return number(place)
    return Node(node.op, tuple(_at(arg, name, place) for arg in node.args), node.value)


def _whole(node: Node) -> bool:
    """Whether a constant expression is a whole number."""
    near = value(fold(node))
    if near is None or abs(near) > 1e6:
        return False
    known = constant(node)
    whole = Fraction(round(near))
    return known == whole if known is not None else same(node, number(whole))
