"""The tree that answers are read into, and the two ways in which reading or comparing can fail."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple


class Unreadable(Exception):
    """The text is not in a notation that the grammar knows."""


class TooHard(Exception):
    """Deciding would take more than is sensible: huge numbers, deep nesting, open integrals."""


class Node(NamedTuple):
    """An expression (`num`, `sym`, `add`, ...) or a structure (`list`, `interval`, ...)."""

    op: str
    args: tuple[Node, ...] = ()
    value: Any = None


def number(value: Fraction | int) -> Node:
    """A literal."""
    return Node("num", (), Fraction(value))


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(current.args)


def symbols(node: Node) -> frozenset[str]:
    """Names of the variables in a tree."""
    return frozenset(part.value for part in walk(node) if part.op == "sym")
