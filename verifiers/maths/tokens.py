"""Tokens of a tidied answer."""

from __future__ import annotations

import re
from typing import NamedTuple

from verifiers.maths.node import TooHard
from verifiers.maths.rational import DIGITS

MAX_CHARS = 12_000
MAX_TOKENS = 3_000

REST = (
    r"|(?P<cmd>\\[A-Za-z]+|\\.)|(?P<word>[A-Za-zΩ]+)"
    r"|(?P<op><=|>=|!=|==|:=|\*\*|[^\s])"
)
DECIMAL = r"\d+\.(?=\s*\\overline)|\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|\.\d+"
TOKEN = re.compile(rf"(?P<num>{DECIMAL}){REST}")
GROUPED = re.compile(rf"(?P<num>[1-9]\d{{0,2}}(?:,\d{{3}})+(?!\d)(?:\.\d+)?|{DECIMAL}){REST}")
MATRIX = re.compile(
    r"\\(begin|end)\s*\{\s*([pbBvV]|small|d|r)?(matrix|array|cases)\s*\}(?:\s*\{[lcr| ]*\})?"
)


class Token(NamedTuple):
    """kind (num, cmd, word, op, end), its text, and whether a blank stood before it."""

    kind: str
    text: str
    space: bool = False


END = Token("end", "")


def tokenize(text: str, thousands: bool | None = None) -> list[Token]:
    """Tokens of `text`; raises TooHard where it is too long to be an answer.

    `thousands`: whether "1,000" is one number; by default it is, save inside brackets whose
    commas are all tight, as in (1,200).
    """
    if len(text) > MAX_CHARS:
        raise TooHard("the answer is too long")
    if thousands is None:
        thousands = ", " in text or "," not in text or not _inside(text)
    if "\\begin" in text:
        text = MATRIX.sub(_environment, text)
    tokens: list[Token] = []
    last = 0
    for match in (GROUPED if thousands else TOKEN).finditer(text):
        kind, value = str(match.lastgroup), match[0]
        if kind == "num":
            exponent = value.lower().partition("e")[2]
            if len(value) > DIGITS or abs(int(exponent or 0)) > DIGITS:
                raise TooHard("a number is too long")
            value = value.replace(",", "")
        tokens.append(Token(kind, value, match.start() > last))
        last = match.end()
        if len(tokens) > MAX_TOKENS:
            raise TooHard("the answer has too many parts")
    return [*tokens, END]


def _inside(text: str) -> bool:
    """Whether a comma stands inside brackets."""
    depth = 0
    for char in text.replace(r"\{", "(").replace(r"\}", ")"):
        depth += (char in "([") - (char in ")]")
        if char == "," and depth:
            return True
    return False


def _environment(match: re.Match[str]) -> str:
    """One token for where a matrix or cases begin or end; bars around one are a determinant."""
    kind = "cases" if match[3] == "cases" else "matrix"
    bars = r"\det " if match[1] == "begin" and match[2] == "v" else ""
    return rf" {bars}\{match[1]}{kind} "
