"""Second readings of an answer to a single value, where the first one reads a list or a word."""

from __future__ import annotations

import re
from collections.abc import Iterator

DECIMAL_COMMA = re.compile(r"(?<![\d.,])(-?(?:0|[1-9]\d*)),(\d+)(?![\d.,])")
GROUPED = re.compile(r"[1-9]\d{0,2},\d{3}(?!\d)")
AND_PART = re.compile(r"(?<![\d.,])(\d+)\s*and\s*(\d+\s*/\s*\d+|\\[dt]?frac)")
IMPROPER = re.compile(r"(?<![\d.])(\d+)\s*(\\frac\s*(?:\d\d|\{\d+\}\s*\{\d+\}))")
REMARK = re.compile(r"([^()]*[^()\s=])\s+\(=?\s*([^()]+)\)")
COUNT = r"\{?\s*(\d+)\s*\}?"
COMBINATIONS = (
    re.compile(r"(?<![A-Za-z\\])C\s*\(\s*(\d+)\s*,\s*(\d+)\s*\)"),
    re.compile(rf"(?:\{{\}})?\s*[_^]\s*{COUNT}\s*C\s*_\s*{COUNT}"),
    re.compile(rf"(?<![A-Za-z\\])C\s*_\s*{COUNT}\s*\^\s*{COUNT}"),
    re.compile(rf"(?<![\w}}])(\d+)\s*C\s*_?\s*{COUNT}(?!\w)"),
)
PERMUTATIONS = (
    re.compile(r"(?<![A-Za-z\\])[PA]\s*\(\s*(\d+)\s*,\s*(\d+)\s*\)"),
    re.compile(rf"(?:\{{\}})?\s*[_^]\s*{COUNT}\s*P\s*_\s*{COUNT}"),
    re.compile(rf"(?<![\w}}])(\d+)\s*P\s*_?\s*{COUNT}(?!\w)"),
)
LETTERED = re.compile(r"\s*(?=[0-9]*[A-Fa-f])([0-9A-Fa-f]+)\s*_\s*\{?\s*(1[1-6])\s*\}?\s*")


def respellings(text: str) -> Iterator[str]:
    """Other spellings of `text`, a tidied answer to a question for one value."""
    commas = len(DECIMAL_COMMA.findall(text))
    if (commas == 1 or (commas and "=" in text)) and not GROUPED.search(text):
        yield DECIMAL_COMMA.sub(r"\1.\2", text)
    if "=" in text and (parts := IMPROPER.sub(r"(\1+\2)", text)) != text:
        yield parts
    if (part := AND_PART.search(text)) is not None:
        yield f"{text[: part.start()]}{part[1]} {part[2]}{text[part.end() :]}"
    if (remark := REMARK.fullmatch(text)) is not None:
        yield f"{remark[1]} = {remark[2]}"
    counted = text
    for pattern in COMBINATIONS:
        counted = pattern.sub(_combination, counted)
    for pattern in PERMUTATIONS:
        counted = pattern.sub(r" ((\1)!/(\1-\2)!) ", counted)
    if counted != text:
        yield counted
    if (number := LETTERED.fullmatch(text)) is not None and _valid(number):
        yield str(int(number[1], int(number[2])))


def _combination(match: re.Match[str]) -> str:
    one, two = int(match[1][:9]), int(match[2][:9])
    return rf" \binom{{{max(one, two)}}}{{{min(one, two)}}} "


def _valid(match: re.Match[str]) -> bool:
    try:
        int(match[1], int(match[2]))
    except ValueError:
        return False
    return True
