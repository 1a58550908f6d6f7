"""Answers that name each of their values: "center (3, -2), radius 5", in any order of words."""

from __future__ import annotations

import re

from verifiers import scope
from verifiers.cues import LAST

TERM = re.compile(r"\([^()]{0,99}\)|-?\d+(?:\.\d+)?(?![\w./^]*[\w/^])")
GLUE = re.compile(r"(?:[\s*_:=$|]|\b(?:is|at|of|value|point)\b){1,40}")
ENDS = re.compile(r"[*_$]{0,9} ?(?:$|[,;:.\n(]|(?:and|with|at)\b)")


def labels(terms: list[str]) -> dict[str, str]:
    """The values by their labels, where terms are two or more of such pairs; else empty."""
    names, values = terms[::2], terms[1::2]
    paired = len(names) == len(values) == len(set(names)) > 1
    words = all(name.isalpha() and len(name) > 3 for name in names)
    return dict(zip(names, values, strict=True)) if paired and words and _plain(values) else {}


def stated(wanted: dict[str, str], text: str) -> tuple[int, int] | None:
    """Where `text` states all these values, each at the last mention of its label; else None."""
    start = max(0, len(text) - LAST)
    spans = [_value(name, value, text, start) for name, value in wanted.items()]
    found = [span for span in spans if span]
    if len(found) < len(spans):
        return None
    first, last = min(span[0] for span in found), max(span[1] for span in found)
    return None if scope.RETRACTION.search(text, last) else (first, last)


def _plain(values: list[str]) -> bool:
    return all(TERM.fullmatch(value) for value in values)


def _value(name: str, value: str, text: str, start: int) -> tuple[int, int] | None:
    mentions = [m.span() for m in re.finditer(rf"\b{name}\b", text[start:], re.I)]
    if not mentions:
        return None
    plain = text.replace("−", "-")
    at, end = (start + place for place in mentions[-1])
    glue = GLUE.match(plain, end)
    term = TERM.match(plain, glue.end()) if glue else None
    if term is None or "".join(term[0].split()) != value or not ENDS.match(plain, term.end()):
        return None
    if scope.refused(text, term.end()) or not scope.asserted(text, at, term.end()):
        return None
    return at, term.end()
