"""Whether a sentence without a marker states the quantity that the question asks for.

A sentence that only repeats what is given, counts other things, measures in another dimension or
names another quantity is a step on the way, not the answer.
"""

from __future__ import annotations

import re

from verifiers.cues import CUE, NUMBER, SENTENCE
from verifiers.maths.units import TABLE, Dimensions

ASKS = re.compile(
    r"\b(?:how (?:many|much|far|long|old|fast|tall|heavy)|what|which|find|calculate|compute"
    r"|determine)\b",
    re.I,
)
COUNTED = re.compile(r"\bhow many ((?:(?!(?:are|is|do|does|did|will|can|has|have)\b)\w+ ?)+)", re.I)
MEASURED = re.compile(r"\bin (\w+)\W*$|\bhow many (?:\w+ )?(\w+)", re.I)
MONEY = re.compile(
    r"\bhow much\b.*\b(?:makes?|earns?|costs?|pays?|paid|spends?|spent|charges?|owes?|saves?|worth"
    r"|money|profit|change|bill|raises?d?|dollars?)\b",
    re.I,
)
NAMED = re.compile(
    r"\b(?:what(?:'s| is| was| are| will be)|find|calculate|compute|determine)"
    r" (?:the|her|his|its|their) ((?:(?!(?:of|when|if|in|for|that|after|to|at)\b)[a-z]+ ?)+)",
    re.I,
)
SUBJECT = re.compile(
    r"(?:^|[,;:]|\b(?:and|so|that|thus|hence|therefore))\s*(?:the|her|his|its|their|one|each)"
    r" ((?:[a-z]+ ){0,3}?[a-z]+)(?: (?:of|for|in|between|from|with) [^,;]*?)?,?"
    r" (?:is|was|are|equals?|comes? to)\W*(?:[^,;=]*=)?[^,;\w]*$",
    re.I,
)
GENERIC = frozenset(
    "answer result value total solution number amount quantity expression output figure one".split()
)
ALIKE = (
    "cost price bill fee charge payment", "speed rate velocity", "chance probability odds",
    "mean average", "distance length side", "remainder rest",
)  # fmt: skip


def relevant(sentence: str, told: str, question: str) -> bool:
    """False where the sentence that states `told` speaks of something else than was asked."""
    wanted = [part for part in SENTENCE.split(question + " ") if ASKS.search(part)]
    if not wanted or told == sentence:
        return True
    asked = wanted[-1]
    place = sentence.rfind(told)
    before = sentence[:place] if place >= 0 else ""
    head = _head(NAMED.search(asked))
    subject = _head(SUBJECT.search(before))
    if head and subject and subject != head and not _alike(head, subject):
        return False
    number = NUMBER.match(told)
    if number is None:
        return True
    given = {match[0].strip() for match in NUMBER.finditer(question)}
    concludes = CUE.search(sentence) or "=" in sentence or (head and head == subject)
    if number[0].strip() in given and not concludes:
        return False
    return _measures(sentence, max(place, 0), asked, question)


def _head(match: re.Match[str] | None) -> str:
    """The noun that a noun phrase is about."""
    return _single(match[1].split()[-1]) if match and match[1].split() else ""


def _single(noun: str) -> str:
    return noun.lower().removesuffix("s")


def _alike(head: str, subject: str) -> bool:
    return (
        bool({head, subject} & GENERIC)
        or any({head, subject} <= set(alike.split()) for alike in ALIKE)
    )


def _measures(sentence: str, place: int, asked: str, question: str) -> bool:
    """Whether a number is of the unit that is asked for, as far as both name one."""
    number = NUMBER.search(sentence, place)
    if number is None:
        return True
    behind = re.match(r"\W{0,3}(?:[a-z]+ )?([a-z]+)", sentence[number.end() :], re.I)
    first = re.match(r"\W{0,3}([a-z]+)", sentence[number.end() :], re.I)
    unit = "dollars" if "$" in number[0] else first[1] if first else ""
    mine, yours = _dimensions(unit), _wanted(asked)
    if yours is not None and mine is not None:
        return mine == yours
    counted = COUNTED.search(asked)
    if mine is not None:
        return counted is None or unit in asked
    noun = _single(behind[1]) if behind and behind[1].endswith("s") else ""
    other = noun and re.search(rf"\b{noun}s?\b", question, re.I)
    if not other or (first and first[1].lower() in ("of", "times", "less", "more")):
        return True
    return not (yours is not None or (counted and noun not in counted[1].lower()))


def _dimensions(unit: str) -> Dimensions | None:
    known = TABLE.get(unit.lower()) if len(unit) > 1 else None
    return known.dimensions if known else None


def _wanted(asked: str) -> Dimensions | None:
    """The dimensions of the unit that a question names."""
    if MONEY.search(asked):
        return TABLE["dollars"].dimensions
    match = MEASURED.search(asked)
    return _dimensions(match[1] or match[2]) if match else None
