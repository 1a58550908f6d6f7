"""Evaluation to high precision, with mpmath (a dependency of sympy), real or complex."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import mpmath
from mpmath import mp

from verifiers.maths.exact import Undefined
from verifiers.maths.node import Node, TooHard

LARGEST = 4_000
GAMMA = 60
FUNCTIONS: dict[str, Any] = {
    "sin": mp.sin, "cos": mp.cos, "tan": mp.tan, "cot": mp.cot, "sec": mp.sec, "csc": mp.csc,
    "arcsin": mp.asin, "arccos": mp.acos, "arctan": mp.atan, "arccot": mp.acot, "sinh": mp.sinh,
    "cosh": mp.cosh, "tanh": mp.tanh, "arcsinh": mp.asinh, "arccosh": mp.acosh,
    "arctanh": mp.atanh, "ln": mp.ln, "abs": mp.fabs, "floor": mp.floor, "ceil": mp.ceil,
    "sgn": mp.sign, "cbrt": mp.cbrt,
}  # fmt: skip


def cross(a: Any, b: Any, c: Any = 1, d: Any = 1, *, precision: int) -> bool:
    """Whether a / b = c / d, for values computed at `precision` bits."""
    with mp.workprec(precision):
        return bool(abs(a * d - b * c) <= mp.ldexp(1, -(precision // 2)))


def evaluate(
    nodes: Sequence[Node], point: Mapping[str, Fraction], precision: int, real: bool
) -> tuple[list[Any], int]:
    """The values of `nodes`, and the largest binary exponent met on the way, up or down."""
    with mp.workprec(precision):
        machine = _Machine(point, real)
        return [machine.run(node) for node in nodes], machine.spread


class _Machine:
    def __init__(self, point: Mapping[str, Fraction], real: bool):
        self.point = point
        self.real = real
        self.spread = 0

    def run(self, node: Node) -> Any:
        """The value of a tree; raises Undefined and TooHard."""
        try:
            value = self.step(node)
        except (ZeroDivisionError, ValueError, OverflowError) as error:
            raise Undefined(str(error)) from error
        if mpmath.isnan(value) or mpmath.isinf(value):
            raise Undefined("not a number")
        if self.real and value.imag:
            raise Undefined("not a real number")
        if value and node.op in ("call", "add") and mpmath.mag(value) < -0.75 * mp.prec:
            value = mp.mpf(0)
        if value:
            size = abs(int(mpmath.mag(value)))
            if size > LARGEST:
                raise TooHard("a number is too big")
            self.spread = max(self.spread, size)
        return value

    def step(self, node: Node) -> Any:
        op, args, value = node
        if op in ("num", "sym"):
            number = value if op == "num" else self.point[value]
            return mp.mpf(number.numerator) / number.denominator
        if op == "const":
            return self.constant(value)
        values = [self.run(arg) for arg in args]
        if op == "add":
            return mp.fsum(values)
        if op == "mul":
            return mp.fprod(values)
        if op == "neg":
            return -values[0]
        if op == "div":
            return values[0] / values[1]
        if op == "pct":
            return values[0] / 100
        if op == "pow":
            return self.power(values[0], values[1])
        if op == "root":
            return self.root(values[0], values[1])
        if op == "fact":
            return self.factorial(values[0])
        return self.call(value, values)

    def constant(self, name: str) -> Any:
        if name == "inf":
            raise Undefined("infinity")
        return {"pi": +mp.pi, "e": +mp.e, "i": mp.mpc(0, 1)}[name]

    def power(self, base: Any, exponent: Any) -> Any:
        if base and abs(exponent) * (abs(mpmath.mag(base)) + 1) > 4 * LARGEST:
            raise TooHard("a power is too big")
        return base**exponent

    def root(self, value: Any, degree: Any) -> Any:
        if self.real and value.real < 0 and degree == int(degree) and int(degree) % 2:
            return -mp.power(-value, 1 / degree)
        return mp.sqrt(value) if degree == 2 else mp.power(value, 1 / degree)

    def factorial(self, value: Any) -> Any:
        if abs(value) > GAMMA:
            raise Undefined("a factorial of something big")
        if mp.isint(value) and value.real < 0:
            raise Undefined("a factorial")
        return mp.factorial(value)

    def call(self, name: str, values: list[Any]) -> Any:
        if name in FUNCTIONS and len(values) == 1:
            return FUNCTIONS[name](values[0])
        if name == "log" and len(values) == 1:
            return mp.ln(values[0]) / mp.ln(10)
        if name == "binom" and len(values) == 2 and max(map(abs, values)) < GAMMA:
            return mp.binomial(*values)
        if name in ("max", "min"):
            return max(values) if name == "max" else min(values)
        if name == "factorial" and len(values) == 1:
            return self.factorial(values[0])
        if name == "gamma" and len(values) == 1:
            return self.factorial(values[0] - 1)
        raise Undefined(name)
