"""Vectors as sums of unit vectors: 2i - 3j + k."""

from __future__ import annotations

from verifiers.maths.node import Node, number, symbols, walk

AXES = ("i", "j", "k")


def components(node: Node, size: int) -> tuple[Node, ...]:
    """The components of a sum of unit vectors; empty where `node` is none of that size."""
    names = symbols(node) | {"i" for part in walk(node) if part == Node("const", (), "i")}
    if not 2 <= size <= 3 or not names or not names <= set(AXES[:size]) or "j" not in names:
        return ()
    return tuple(_along(node, axis) for axis in AXES[:size])


def _along(node: Node, axis: str) -> Node:
    """The sum with 1 for the unit vector of one axis and 0 for the others."""
    if node.op in ("sym", "const") and node.value in AXES:
        return number(int(node.value == axis))
    return Node(node.op, tuple(_along(arg, axis) for arg in node.args), node.value)
