"""Answers that name each of their values: "center (3, -2), radius 5", in any order of words."""

from __future__ import annotations

import re

from verifiers import scope
from verifiers.cues import LAST

VALUE = re.compile(r"\([^()]{0,99}\)|-?\d+(?:\.\d+)?(?![\w./^]*[\w/^])")
GLUE = re.compile(r"(?:[\s*_:=$|]|\b(?:is|at|of|value|point)\b){1,40}")
TEXT = re.compile(r"\\(?:text|mathrm|textbf)\s*\{([^{}]*)\}")
TERM = re.compile(r"\([^()]*\)|-?\d+(?:\.\d+)?|[A-Za-z]{2,}")
FORMULA = re.compile(r"[\\^=+/*\[\]{}<>|°%]")
LINKS = frozenset(("the", "is", "and", "are", "an", "of", "at", "with"))
NAMES = re.compile(r"\(([a-z]{4,}), ([a-z]{4,})\)")
ENDS = re.compile(
    r"[*_$]{0,9}(?: (?:[cmk]?m|feet|ft|inch(?:es)?|(?:met|unit)[a-z]*)\b)?"
    r" ?(?:$|[,;:.\n(]|(?:and|with|at)\b)"
)


def terms(text: str) -> list[str]:
    """The words and bracketed or plain numbers of a text, in order; none of a formula."""
    plain = TEXT.sub(r" \1 ", text.replace("−", "-")).replace("$", " ")
    if FORMULA.search(plain):
        return []
    found = [term.replace(" ", "").lower() for term in TERM.findall(plain)]
    return [term for term in found if term not in LINKS]


def labels(gold: str, question: str) -> dict[str, str]:
    """The values by their labels, where a ground truth names two or more, or the question does
    so for it: "center (3, -2), radius 5", or (18, 9) for its "(length, width)"; else empty."""
    found = terms(gold)
    names, values = found[::2], found[1::2]
    if (asked := NAMES.search(question)) and len(found) == 1 and found[0].count(",") == 1:
        names, values = list(asked.groups()), found[0].strip("()").split(",")
    paired = len(names) == len(values) == len(set(names)) > 1
    words = all(name.isalpha() and len(name) > 2 for name in names)
    plain = all(VALUE.fullmatch(value) for value in values)
    return dict(zip(names, values, strict=True)) if paired and words and plain else {}


def shown(gold: str, pairs: dict[str, str]) -> str:
    """Labelled values as an answer of the form that the ground truth has."""
    if gold.strip(" $").startswith("("):
        return f"({', '.join(pairs.values())})"
    return ", ".join(f"{name} {value}" for name, value in pairs.items())


def stated(wanted: dict[str, str], text: str) -> tuple[int, int] | None:
    """Where `text` states all these values, each at the last mention of its label; else None."""
    start = max(0, len(text) - LAST)
    spans = [_value(name, value, text, start) for name, value in wanted.items()]
    found = [span for span in spans if span]
    if len(found) < len(spans):
        return None
    first, last = min(span[0] for span in found), max(span[1] for span in found)
    return None if scope.RETRACTION.search(text, last) else (first, last)


def _value(name: str, value: str, text: str, start: int) -> tuple[int, int] | None:
    mentions = [m.span() for m in re.finditer(rf"\b{name}\b", text[start:], re.I)]
    if not mentions:
        return None
    plain = text.replace("−", "-")
    at, end = (start + place for place in mentions[-1])
    glue = GLUE.match(plain, end)
    term = VALUE.match(plain, glue.end()) if glue else None
    if term is None or "".join(term[0].split()) != value or not ENDS.match(plain, term.end()):
        return None
    if scope.refused(text, term.end()) or not scope.asserted(text, at, term.end()):
        return None
    return at, term.end()
