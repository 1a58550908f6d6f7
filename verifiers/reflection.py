"""Does a text check itself, does it state a wrong step, and does it take that step back?

Only what stands in the text counts. A marker is a word such as `wait` or `let me check`, whatever
it is used for. A step is a stated equality of plain arithmetic, `12 + 9 = 21`, evaluated with exact
rationals; sides that hold anything else (a variable, a power, a percentage, a number of more than
30 digits) are passed over, and so is what words interrupt. A decimal may be the other side rounded.
All of it takes time linear in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from verifiers.scope import TAKES_BACK

RETRACTION = re.compile(rf"\b(?:{TAKES_BACK})\b", re.I)
CHECK = re.compile(
    rf"\b(?:{TAKES_BACK}|(?:re-?|double[- ]?)?check(?:ed|ing)?|verif(?:y|ied|ying)"
    r"|re-?(?:calculate|compute|consider|examine|evaluate)|let me (?:see|redo|try again))\b",
    re.I,
)
TOKEN = re.compile(
    r"(?P<bullet>(?m:^)[ \t]*[-*+•][ \t]+)"
    r"|(?P<blank>[ \t$]+|\\[()\[\],;:! $]|\\left|\\right|\\boxed[ ]?\{)"
    r"|(?P<number>[0-9]+(?:,[0-9]+)*(?:\.[0-9]+)?|\.[0-9]+)"
    r"|(?P<arrow>-{1,3}>)"
    r"|(?P<power>\*\*|\^|!(?!=)|%|√)"
    r"|(?P<operator>[-+*/()×·⋅∙÷⁄−–]|\\times|\\cdot|\\div)"
    r"|(?P<times>[xX](?=[ \t]*[0-9(]))"
    r"|(?P<relation>[=<>!≠≈≤≥~:]+)"
    r"|(?P<word>[^\W\d_]\w*)"
)
FRACTION = re.compile(r"\\[dt]?frac\{(-?[0-9.]{1,40})\}\{(-?[0-9.]{1,40})\}")
SIGNS = {
    "×": "*", "·": "*", "⋅": "*", "∙": "*", "\\times": "*", "\\cdot": "*", "x": "*", "X": "*",
    "÷": "/", "⁄": "/", "\\div": "/", "−": "-", "–": "-",
}  # fmt: skip
SCALES = {"dozen", "hundred", "thousand", "million", "billion", "trillion", "k", "percent"}
GROUPED = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")
OPAQUE = "?"
MOST_DIGITS = 30
MOST_TOKENS = 64


@dataclass(frozen=True)
class Step:
    """A stated equality: where it ends, its left side as tokens, whether it holds."""

    end: int
    left: tuple[str, ...]
    holds: bool


@dataclass(frozen=True)
class Reflection:
    """What a text says about its own way.

    Args:
        self_check: a marker of checking or correcting stands in it.
        wrong_step: it states an equality that does not hold.
        taken_back: every wrong step is followed by a word that takes it back, before the next
            step, or by the same left side with its right value.
    """

    self_check: bool
    wrong_step: bool
    taken_back: bool


def reflect(text: str) -> Reflection:
    """What `text` says about its own way."""
    found = list(steps(text))
    taken = True
    restated: set[tuple[str, ...]] = set()
    after = len(text)
    for step in reversed(found):
        if step.holds:
            restated.add(step.left)
        elif step.left not in restated:
            taken = taken and RETRACTION.search(text, step.end, after) is not None
        after = step.end
    wrong = any(not step.holds for step in found)
    return Reflection(checks_itself(text), wrong, wrong and taken)


def checks_itself(text: str) -> bool:
    """True where a marker of checking or correcting stands in `text`."""
    return CHECK.search(text) is not None


def steps(text: str) -> Iterator[Step]:
    """The stated equalities of `text` in their order; a chain a = b = c states two."""
    for run in _runs(text):
        sides = _sides(run)
        values = [_value(side) for side, _ in sides]
        for n in range(len(sides) - 1):
            (left, _), (right, end) = sides[n], sides[n + 1]
            a, b = values[n], values[n + 1]
            if a is None or b is None or not (_calculates(left) or _calculates(right)):
                continue
            holds = a == b or _rounded(a, right, b) or _rounded(b, left, a)
            yield Step(end, tuple(left), holds)


Token = tuple[str, int]


def _runs(text: str) -> Iterator[list[Token]]:
    """Stretches of arithmetic and `=`, each token with its end; words and other signs part them."""
    if "frac" in text:
        text = FRACTION.sub(lambda m: f"({m[1]}/{m[2]})".ljust(len(m[0])), text)
    run: list[Token] = []
    depth, last = 0, 0
    after_word = False

    def finish(cut: bool = False) -> list[Token]:
        """The run so far; without its last side where something glued to it goes on."""
        nonlocal run, depth, after_word
        done, run, depth, after_word = run, [], 0, False
        return [*done, (OPAQUE, last)] if cut else done

    for match in TOKEN.finditer(text):
        kind, sign, start = match.lastgroup, match[0], match.start()
        gap = start > last
        glued = not gap and start > 0 and not text[start - 1].isspace()
        if gap:
            yield finish()
        if kind == "blank":
            last = match.end()
            continue
        operand = bool(run) and (run[-1][0][-1].isdigit() or run[-1][0] == ")")
        if kind == "times" and not operand:
            kind = "word"
        if kind == "number":
            if operand:
                yield finish()
            named = glued and after_word and not run
            run.append((OPAQUE if named else _number(sign), match.end()))
        elif kind in ("operator", "times"):
            sign = SIGNS.get(sign, sign)
            if sign == ")" and not depth:
                yield finish()
            else:
                depth += {"(": 1, ")": -1}.get(sign, 0)
                negative = sign == "-" and not glued and text[start + 1 : start + 2].isdigit()
                if not run and after_word and not negative and (sign != "(" or glued):
                    run.append((OPAQUE, start))
                run.append((sign, match.end()))
        elif kind == "power":
            follows = text[match.end() : match.end() + 2].strip()[:1]
            if sign != "**" or (operand and (follows.isdigit() or follows == "(")):
                run.append((OPAQUE, match.end()))
        elif kind == "relation" and sign in ("=", "=="):
            run.append(("=", match.end()))
        else:
            scale = kind == "word" and sign.lower() in SCALES
            yield finish(scale or (kind == "word" and glued))
            after_word = kind == "word"
        last = match.end()
    yield finish()


def _number(text: str) -> str:
    """A number as Fraction reads it; opaque where it is too long or its commas group nothing."""
    if "," in text and not GROUPED.fullmatch(text):
        return OPAQUE
    return text.replace(",", "") if len(text) <= MOST_DIGITS else OPAQUE


def _sides(run: list[Token]) -> list[tuple[list[str], int]]:
    """The run between its `=` signs, each side with its end, without brackets that stay open."""
    sides: list[tuple[list[str], int]] = []
    side: list[Token] = []
    for token in [*run, ("=", -1)]:
        if token[0] != "=":
            side.append(token)
            continue
        signs = [sign for sign, _ in side] if len(side) <= MOST_TOKENS else [OPAQUE]
        while signs and signs[0] == "(" and signs.count("(") > signs.count(")"):
            del signs[0]
        while signs and signs[-1] == ")" and signs.count(")") > signs.count("("):
            del signs[-1]
        sides.append((signs, side[-1][1] if side else -1))
        side = []
    return sides


def _calculates(side: list[str]) -> bool:
    """Whether two numbers are joined in it."""
    return any(
        sign in "+-*/" and (before == ")" or before[-1].isdigit())
        for before, sign in pairwise(side)
    )


def _value(side: list[str]) -> Fraction | None:
    """The value of a side; None where it is no plain arithmetic."""
    if not side or OPAQUE in side:
        return None
    try:
        value, end = _sum(side, 0)
    except (ValueError, IndexError, ZeroDivisionError):
        return None
    return value if end == len(side) else None


def _sum(side: list[str], at: int) -> tuple[Fraction, int]:
    value, at = _product(side, at)
    while at < len(side) and side[at] in "+-":
        sign = side[at]
        term, at = _product(side, at + 1)
        value = value + term if sign == "+" else value - term
    return value, at


def _product(side: list[str], at: int) -> tuple[Fraction, int]:
    value, at = _factor(side, at)
    while at < len(side) and side[at] in "*/":
        sign = side[at]
        factor, at = _factor(side, at + 1)
        value = value * factor if sign == "*" else value / factor
    return value, at


def _factor(side: list[str], at: int) -> tuple[Fraction, int]:
    if side[at] == "-":
        value, at = _factor(side, at + 1)
        return -value, at
    if side[at] == "(":
        value, at = _sum(side, at + 1)
        if side[at] != ")":
            raise ValueError(side[at])
        return value, at + 1
    return Fraction(side[at]), at + 1


def _rounded(exact: Fraction, side: list[str], value: Fraction) -> bool:
    """Whether `side` is a decimal, `value`, to which `exact` rounds."""
    if len(side) > 2 or "." not in side[-1]:
        return False
    places = len(side[-1].partition(".")[2])
    return abs(exact - value) * 2 * 10**places <= 1
