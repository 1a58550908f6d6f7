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
MEASURED = re.compile(r"\bin (\w+)\W*$", re.I)
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
VARIABLE = re.compile(
    r"\b(?:find|solve\b.*\bfor|value of|what is|determine|compute|calculate) \$?([a-z])\$?\s*[.?]?\s*$",
    re.I,
)
ASSIGNED = re.compile(r"(?<![A-Za-z\\])([a-z])\$? *=")
GENERIC = re.compile(
    r"answer|result|value|total|solution|number|amount|quantity|expression|output|figure|one"
)
COMPARED = re.compile(
    r"(?:cheap|tall|old|young|fast|slow|long|short|heavi|light|high|low|bigg|larg|small|great|furth"
    r"|earli|lat)er"
)
ALIKE = (
    "cost price bill fee charge payment", "speed rate velocity", "chance probability odds",
    "mean average", "distance length side", "remainder rest",
)  # fmt: skip


def question_of(prompt: str) -> str:
    """The last sentence of a prompt that asks for something; empty where none does."""
    return next((part for part in reversed(SENTENCE.split(prompt + " ")) if ASKS.search(part)), "")


def names(subject: str, question: str) -> bool:
    """Whether a subject with its verb, such as "the sum is", is just what a question asks for."""
    head = _head(NAMED.search(question_of(question)))
    return bool(head) and _head(SUBJECT.search(subject)) == head


def relevant(sentence: str, told: str, question: str) -> bool:
    """False where the sentence that states `told` speaks of something else than was asked."""
    asked = question_of(question)
    variable = VARIABLE.search(asked)
    if variable and set(ASSIGNED.findall(told)) - {variable[1]}:
        return False
    if not asked or told == sentence:
        return True
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
    return bool(GENERIC.fullmatch(head) or GENERIC.fullmatch(subject)) or any(
        {head, subject} <= set(alike.split()) for alike in ALIKE
    )


def _measures(sentence: str, place: int, asked: str, question: str) -> bool:
    """Whether a number is of the unit that is asked for, as far as both name one."""
    number = NUMBER.search(sentence, place)
    if number is None:
        return True
    first = re.match(r"\W{0,3}([a-z]+)", sentence[number.end() :], re.I)
    if first and COMPARED.fullmatch(first[1]) and first[1] not in question:
        return False
    money = "$" in number[0] and sentence[number.end() : number.end() + 1] != "$"
    unit = "dollars" if money else first[1] if first else ""
    mine, yours = _dimensions(unit), _wanted(asked)
    if yours is not None and mine is not None:
        return mine == yours
    counted = COUNTED.search(asked)
    if mine is not None:
        return counted is None or unit in asked
    words = re.findall(r"[a-z]+", sentence[number.end() :].lower())[:2]
    nouns = [_single(word) for word in words if word.endswith("s") and word in question.lower()]
    if not nouns or words[0] in ("of", "times", "less", "more"):
        return True
    return yours is None and (not counted or any(noun in counted[1].lower() for noun in nouns))


def _dimensions(unit: str) -> Dimensions | None:
    known = TABLE.get(unit.lower()) if len(unit) > 1 else None
    return known.dimensions if known else None


def _wanted(asked: str) -> Dimensions | None:
    """The dimensions of the unit that a question names."""
    if MONEY.search(asked):
        return TABLE["dollars"].dimensions
    names = [match[1] for match in (MEASURED.search(asked), COUNTED.search(asked)) if match]
    known = [_dimensions(word) for name in names for word in name.split()]
    return next((dimensions for dimensions in known if dimensions is not None), None)
