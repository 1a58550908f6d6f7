"""Exact evaluation in rational numbers, with a bound on their size."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

from verifiers.maths.node import Node, TooHard

BITS = 100_000
FACTORIAL = 8_000


class Inexact(Exception):
    """The value is not a rational number that can be had exactly."""


class Undefined(Exception):
    """The expression has no value there: a division by zero, a root of a negative number."""


def evaluate(node: Node, point: Mapping[str, Fraction]) -> Fraction:
    """The value of an expression where the variables have the values of `point`."""
    op, args, value = node
    if op == "num":
        return value
    if op == "sym":
        return point[value]
    if op == "add":
        return _bounded(sum((evaluate(arg, point) for arg in args), Fraction(0)))
    if op == "mul":
        product = Fraction(1)
        for arg in args:
            product = _bounded(product * evaluate(arg, point))
        return product
    if op == "neg":
        return -evaluate(args[0], point)
    if op == "div":
        top, bottom = evaluate(args[0], point), evaluate(args[1], point)
        if not bottom:
            raise Undefined("division by zero")
        return _bounded(top / bottom)
    if op == "pct":
        return evaluate(args[0], point) / 100
    if op == "pow":
        return power(evaluate(args[0], point), evaluate(args[1], point))
    if op == "root":
        return _root(evaluate(args[0], point), evaluate(args[1], point))
    if op == "fact":
        return Fraction(_factorial(evaluate(args[0], point)))
    if op == "based":
        return Fraction(_based(*value))
    if op == "call":
        return _call(value, [evaluate(arg, point) for arg in args])
    raise Inexact(op)


def power(base: Fraction, exponent: Fraction) -> Fraction:
    """base ** exponent; an exponent with a denominator is a root."""
    if exponent.denominator != 1:
        return power(_root(base, Fraction(exponent.denominator)), Fraction(exponent.numerator))
    whole = exponent.numerator
    if not base and whole <= 0:
        raise Undefined("a power of zero")
    if base in (0, 1, -1):
        return base if whole % 2 else base * base
    size = max(base.numerator.bit_length(), base.denominator.bit_length())
    if size * abs(whole) > BITS:
        raise TooHard("a power is too big")
    return base**whole


def _bounded(value: Fraction) -> Fraction:
    if value.numerator.bit_length() + value.denominator.bit_length() > 2 * BITS:
        raise TooHard("a number is too big")
    return value


def _root(value: Fraction, degree: Fraction) -> Fraction:
    if degree.denominator != 1 or not 1 <= degree.numerator <= 1000:
        raise Inexact("root")
    n = degree.numerator
    if value < 0:
        if n % 2 == 0:
            raise Inexact("root of a negative number")
        return -_root(-value, degree)
    return Fraction(_integer_root(value.numerator, n), _integer_root(value.denominator, n))


def _integer_root(value: int, n: int) -> int:
    if value < 2:
        return value
    if n == 2:
        root = math.isqrt(value)
    elif value.bit_length() > 4096:
        raise Inexact("root")
    else:
        low, high = 1, 1 << (value.bit_length() // n + 1)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if middle**n <= value else (low, middle - 1)
        root = low
    if root**n != value:
        raise Inexact("root")
    return root


def _factorial(value: Fraction) -> int:
    if value.denominator != 1 or value < 0:
        raise Inexact("factorial")
    if value > FACTORIAL:
        raise TooHard("a factorial is too big")
    return math.factorial(value.numerator)


def _based(digits: str, base: int) -> int:
    try:
        return int(digits, base)
    except ValueError as error:
        raise Undefined(str(error)) from error


def _call(name: str, args: list[Fraction]) -> Fraction:
    if name == "abs" and len(args) == 1:
        return abs(args[0])
    if name == "floor" and len(args) == 1:
        return Fraction(math.floor(args[0]))
    if name == "ceil" and len(args) == 1:
        return Fraction(math.ceil(args[0]))
    if name in ("max", "min"):
        return max(args) if name == "max" else min(args)
    if any(arg.denominator != 1 for arg in args):
        raise Inexact(name)
    whole = [arg.numerator for arg in args]
    if name == "binom" and len(whole) == 2 and whole[0] >= 0:
        n, k = whole
        if n > FACTORIAL:
            raise TooHard("a binomial is too big")
        return Fraction(math.comb(n, k) if k >= 0 else 0)
    if name in ("gcd", "lcm"):
        return Fraction(math.gcd(*whole) if name == "gcd" else math.lcm(*whole))
    if name == "factorial":
        return Fraction(_factorial(args[0]))
    if name == "double factorial" and 0 <= whole[0] <= FACTORIAL:
        return Fraction(math.prod(range(whole[0], 0, -2)))
    raise Inexact(name)
