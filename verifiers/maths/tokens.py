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
GROUPED = re.compile(rf"(?P<num>\d{{1,3}}(?:,\d{{3}})+(?!\d)(?:\.\d+)?|{DECIMAL}){REST}")
BRACKET = re.compile(r"[(\[]|\\\{")
MATRIX = re.compile(
    r"\\(begin|end)\s*\{\s*(?:[pbB]|small)?(?:matrix|array)\s*\}(?:\s*\{[lcr| ]*\})?"
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
        thousands = ", " in text or not BRACKET.search(text)
    text = MATRIX.sub(lambda m: rf" \{m[1]}matrix ", text)
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
