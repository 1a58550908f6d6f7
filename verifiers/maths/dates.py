"""Days of the calendar and times of the day."""

from __future__ import annotations

import re
from fractions import Fraction

from verifiers.maths.node import Node, number

MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
MONTH = r"(?P<month>(?:jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)[a-z]*)\.?"
DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
YEAR = r"(?:,?\s+(?P<year>\d{4}))?"
WEEKDAY = r"(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day,?\s+)?(?:the\s+)?"
FORMS = tuple(
    re.compile(form, re.I)
    for form in (
        rf"{WEEKDAY}{MONTH}\s+(?:the\s+)?{DAY}{YEAR}",
        rf"{WEEKDAY}{DAY}\s+(?:of\s+)?{MONTH}{YEAR}",
    )
)
ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
TIMES = {"noon": "pm", "midday": "pm", "12 noon": "pm", "midnight": "am", "12 midnight": "am"}


def date(text: str) -> Node | None:
    """A day with its month, and its year where one is given."""
    if (iso := ISO.fullmatch(text)) is not None:
        known = tuple(map(int, iso.groups()))
        return Node("date", (), known) if 1 <= known[1] <= 12 and known[2] <= 31 else None
    for form in FORMS:
        match = form.fullmatch(text)
        if match is not None:
            name = match["month"].lower()
            month = next((k + 1 for k, m in enumerate(MONTHS) if m.startswith(name[:3])), 0)
            if not MONTHS[month - 1].startswith(name.removesuffix("t") if name == "sept" else name):
                return None
            year = int(match["year"]) if match["year"] else None
            return Node("date", (), (year, month, int(match["day"])))
    return None


def same_date(gold: Node, text: Node) -> bool:
    """Whether two days are one; the year may be left out on one side."""
    (year, *day), (other, *another) = gold.value, text.value
    return day == another and (year == other or None in (year, other))


def named_time(text: str) -> Node | None:
    """Noon and midnight."""
    half = TIMES.get(text.lower())
    return Node("clock", (number(12), number(0)), half) if half else None


def same_time(gold: Node, text: Node) -> bool:
    """Whether two times of day are one: am or pm may be left out, and 15:30 is 3:30 pm."""
    one, two = ([arg.value for arg in node.args] for node in (gold, text))
    if bool(gold.value) == bool(text.value):
        return _minutes(one, gold.value) == _minutes(two, text.value)
    if one[1:] == two[1:] and one[0] == two[0]:
        return True
    plain = two if gold.value else one
    late = plain[0] > 12 or plain[0] == 0
    return bool(late and _minutes(one, gold.value) == _minutes(two, text.value))


def _minutes(parts: list[Fraction], half: str) -> list[Fraction]:
    hour = parts[0] % 12 + (12 if half == "pm" else 0) if half else parts[0]
    rest = [*parts[1:], Fraction(0)][:2]
    return [hour, *rest]
