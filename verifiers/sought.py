"""The unit that a question asks for, and whether a number is of it."""

from __future__ import annotations

import re

from verifiers.cues import VALUE
from verifiers.maths.units import TABLE, Dimensions

COUNTED = re.compile(
    r"\bhow many ((?:(?!(?:are|is|was|were|do|does|did|will|would|can|could|must|should|has|have"
    r"|had)"
    r"\b)[\w-]+ ?)+)",
    re.I,
)
MEASURED = re.compile(
    r"\bin (\w+)(?=\W*$|,? (?:does|did|do|is|are|was|were|will|can|has|have|would|should)\b)", re.I
)
LESS = re.compile(r"^(?:(?:more|fewer|less|total|additional|extra|full|whole) )+", re.I)
MONEY = re.compile(
    r"\bhow much (?:money|profit|change)\b"
    r"|\bhow much (?:more )?(?:d[oi]|is|are|was|were|ha[sv]|will|would|should|can|could)[a-z]*\b.*"
    r"\b(?:makes?|earns?|earned|costs?|pays?|paid|spends?|spent|charges?|owes?|saves?|saved|worth"
    r"|bill|raises?d?|dollars?)\b",
    re.I,
)
COMPARED = re.compile(
    r"(?:tall|old|young|fast|long|short|heavi|high|bigg|larg|small)er|more|less|fewer"
)


def unit(asked: str) -> str:
    """The unit that a question asks for, such as "km"; empty where it names none."""
    measured, counted = MEASURED.search(asked), COUNTED.search(asked)
    named = [measured[1]] if measured else []
    named += LESS.sub("", counted[1]).split()[:1] if counted else []
    units = [word for word in named if dimensions(word)]
    return units[0] if units else "dollars" if MONEY.search(asked) else ""


def measures(sentence: str, place: int, asked: str, question: str) -> bool:
    """Whether a number is of the unit that is asked for, as far as both name one."""
    number = VALUE.search(sentence, place)
    if number is None:
        return True
    words = re.findall(r"[a-z]+", sentence[number.end() :].lower())[:2]
    name = _named(sentence, number)
    if COMPARED.fullmatch(name) and name not in question:
        return False
    counted = COUNTED.search(asked)
    if dimensions(name) is not None:
        other = wanted(asked)
        return other == dimensions(name) if other else counted is None or name in asked
    nouns = [
        word.removesuffix("s") for word in words if word.endswith("s") and word in question.lower()
    ]
    if not nouns or words[0] in ("of", "times", "less", "more"):
        return True
    return wanted(asked) is None and (
        not counted or any(noun in counted[1].lower() for noun in nouns)
    )


def other_unit(sentence: str, place: int, asked: str) -> bool:
    """Whether a number has a unit of another dimension than that which is asked for."""
    number = VALUE.search(sentence, place)
    mine = dimensions(_named(sentence, number)) if number else None
    other = wanted(asked)
    return mine is not None and other is not None and mine != other


def _named(sentence: str, number: re.Match[str]) -> str:
    """The word behind a number; dollars where their sign stands before it."""
    if "$" in number[0] and sentence[number.end() : number.end() + 1] not in ("$", "^", "\\"):
        return "dollars"
    near = re.match(r"\W{0,3}([a-z]+)", sentence[number.end() :], re.I)
    return near[1] if near else ""


def dimensions(unit: str) -> Dimensions | None:
    """The dimensions of a word that is a unit, None for any other."""
    known = TABLE.get(unit.lower()) if len(unit) > 1 else None
    return known.dimensions if known else None


def wanted(asked: str) -> Dimensions | None:
    """The dimensions of the unit that a question names."""
    return dimensions(unit(asked))
