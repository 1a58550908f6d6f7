"""When two expressions are the same: exactly where they are rational, else to high precision.

Identity is tested at several points of a fixed pseudo-random sequence. Rational functions are
evaluated exactly there. For everything else the precision grows with the size of every literal
and of every intermediate value, so that tiny differences such as 1 + 10^-500 are seen.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import partial
from typing import Any

from verifiers.maths import exact
from verifiers.maths.exact import Inexact, Undefined
from verifiers.maths.node import Node, TooHard, Unreadable, number, symbols, walk
from verifiers.maths.vocabulary import EXPRESSIONS

POINTS = 4
TRIES = 36
PRECISION = 30_000


def same(one: Node, two: Node) -> bool:
    """Whether two expressions have the same value wherever both have one."""
    if one == two:
        return True
    if one.op == two.op == "num":
        return False
    if one.op not in EXPRESSIONS or two.op not in EXPRESSIONS:
        if any(part.op == "big" for node in (one, two) for part in walk(node)):
            raise TooHard("an operator that is not evaluated")
        return False
    return proportional(one, two, ratio=Fraction(1)) is not None


def proportional(one: Node, two: Node, ratio: Fraction | None = None) -> int | None:
    """The sign of the constant c with one = c * two, or None where there is none.

    With `ratio` only that constant will do.
    """
    both = (one, two)
    if any(part.op == "big" for node in both for part in walk(node)):
        raise TooHard("an operator that is not evaluated")
    both = (fold(one), fold(two))
    names = sorted(symbols(both[0]) | symbols(both[1]))
    found = None if any(p.op == "const" and p.value == "i" for n in both for p in walk(n)) else (
        _agree(both, names, ratio, real=True)
    )  # fmt: skip
    if found is None:
        found = _agree(both, names, ratio, real=False)
    return found or None


def _agree(
    both: Sequence[Node], names: list[str], ratio: Fraction | None, real: bool
) -> int | None:
    """The sign of the constant ratio, 0 where there is none, None where too few points count."""
    whole = any(part.op == "fact" or part.value == "binom" for n in both for part in walk(n))
    first: tuple[Any, Any] | None = None
    sign, seen = 0, 0
    for point in points(names, whole):
        try:
            a, b, equal = _values(both, point, real)
        except Undefined:
            continue
        if first is None:
            if ratio is None and (equal(a, 0) or equal(b, 0)):
                if not (equal(a, 0) and equal(b, 0)):
                    return 0
                continue
            first = (a, b) if ratio is None else (ratio.numerator, ratio.denominator)
            sign = 1 if ratio is not None or _positive(a, b) else -1
        if not equal(a, b, *first):
            return 0
        seen += 1
        if seen == (POINTS if names else 1):
            return sign
    return None


def _positive(a: Any, b: Any) -> bool:
    quotient = a / b
    return bool((quotient if isinstance(quotient, Fraction) else quotient.real) > 0)


def points(names: list[str], whole: bool) -> Iterator[dict[str, Fraction]]:
    """Values for the variables: positive, small, negative, mixed, at last or only `whole` ones."""
    if not names:
        yield {}
        return
    rng = random.Random("points")
    spans = [(1, 4), (0, 1), (-4, 4), (1, 3), (-3, 0), (-1, 1), (2, 9), (0, 1)]
    for turn in range(TRIES):
        low, high = spans[turn % len(spans)]
        if turn < TRIES * 2 // 3 and not whole:
            yield {
                name: low + (high - low) * Fraction(rng.randrange(1, 1 << 20), (1 << 20) + 7)
                for name in names
            }
        else:
            yield {name: Fraction(rng.randrange(1, 12)) for name in names}


def fold(node: Node) -> Node:
    """The tree with every rational part computed."""
    if node.op == "num" or not node.args:
        return number(exact.evaluate(node, {})) if node.op == "based" else node
    args = tuple(fold(arg) for arg in node.args)
    node = Node(node.op, args, node.value)
    if all(arg.op == "num" for arg in args):
        try:
            return number(exact.evaluate(node, {}))
        except (Inexact, Undefined):
            return node
    return node


def _values(
    both: Sequence[Node], point: Mapping[str, Fraction], real: bool
) -> tuple[Any, Any, Callable[..., bool]]:
    """Both values and the test of their equality: exact, or to high precision."""
    try:
        return exact.evaluate(both[0], point), exact.evaluate(both[1], point), _cross
    except Inexact:
        pass
    from verifiers.maths import approximate

    bits = sum(
        part.value.numerator.bit_length() + part.value.denominator.bit_length()
        for node in both
        for part in walk(node)
        if part.op == "num"
    )
    bits += 40 * len(point)
    spread = 0
    for _ in range(3):
        precision = 256 + 6 * (bits + spread)
        if precision > PRECISION:
            raise TooHard("numbers of too different sizes")
        values, reached = approximate.evaluate(both, point, precision, real)
        if reached <= max(spread, 40):
            break
        spread = reached
    return values[0], values[1], partial(approximate.cross, precision=precision)


def _cross(a: Fraction, b: Fraction, c: Fraction | int = 1, d: Fraction | int = 1) -> bool:
    """Whether a / b = c / d."""
    return a * d == b * c


def value(node: Node) -> float | None:
    """A float near the value of a constant expression, for sorting; None where there is none."""
    if node.op == "const" and node.value == "inf":
        return float("inf")
    if node.op == "neg":
        inner = value(node.args[0])
        return None if inner is None else -inner
    if symbols(node):
        return None
    try:
        return float(_values((fold(node), number(0)), {}, True)[0])
    except (Inexact, Undefined, Unreadable, TypeError, OverflowError):
        return None
