"""Find the final answer in a text, and say where it was found.

Explicit places are boxes, answer tags, `####`, `A:` at the start of a line and "the answer is".
The last of them counts, unless what follows it takes it back and says something else. Without any,
`verifiers.prose` finds what the text asserts.
"""

from __future__ import annotations

import re
from collections import deque
from typing import NamedTuple

from verifiers import asked, clauses, cues, prose, scope
from verifiers.marks import CLAUSE, LIMIT, MATCHES, Mark, neighbours, places
from verifiers.visible import THOUGHT, visible

QUESTION = re.compile(
    r"(?m)^\s*(?:\*\*)?(?:Q|Question|Problem|Human|User|Input|### (?:Question|Problem|Instruction))"
    r"(?:\s*\d+)?(?:\*\*)?\s*:"
)
BINARY = re.compile(
    r"(?:^|[.!?\n]|\b(?:so|therefore|thus|hence|is)\b)[\s,*]{0,9}\b(yes|no|true|false)\b"
    r"(?=[\s*]{0,9}(?:[,.;:!]|$))",
    re.I,
)
OR_ELSE = re.compile(
    r"[\s$]{0,9}(?:\\text\s?\{\s?or\s?\}|\bor\b)[\s$\\(]{0,9}(-?\d[\d.,/]*(?<=\d)%?)(?!\w)"
)
REFUSAL = re.compile(r"\W*(?:i|we|sorry|unfortunately|unknown|unsure|no idea)\b", re.I)
RETOLD = 4000
WHOLE = 4_000


class Found(NamedTuple):
    """An answer: its text, how it was found, and whether it is a clause of a longer sentence.

    `span` are the characters (start, end) of the whole text that it stands in.
    """

    text: str
    how: str
    clause: bool = False
    span: tuple[int, int] = (0, 0)


def extract(text: str, reads: clauses.Reads, question: str = "") -> Found | None:
    """The final answer in `text`; None where there is none, or where its box is not closed.

    `reads` tells whether a piece of text is mathematics by itself; `question` is what was asked.
    """
    seen = visible(text)
    found = _answer(seen, reads, question)
    if found is None or seen is text:
        return found
    hidden = text.rfind(THOUGHT) + len(THOUGHT) if THOUGHT in text else 0
    return found._replace(span=(found.span[0] + hidden, found.span[1] + hidden))


def _answer(text: str, reads: clauses.Reads, question: str) -> Found | None:
    text, stated = _own(text, places(text))
    if not stated:
        return _unmarked(text, reads, question)
    marks = [*stated[:-MATCHES], *(m for m in stated[-MATCHES:] if _asserted(text, m, question))]
    if not marks:
        later = prose.assertion(text[stated[-1].end :], reads, question)
        return Found(later[1], "prose", False, _stated(text, later)) if later else None
    last = marks[-1]
    tail = text[last.end :]
    if not scope.SAYING.search(tail):
        return None if last.text is None else _found(text, marks)
    if last.text and len(last.text) <= CLAUSE and _refused(last.text, tail):
        return None
    if (cue := scope.RETRACTION.search(tail)) is not None and len(tail) < RETOLD:
        later = prose.assertion(tail[cue.start() :], reads)
        if later is not None and reads(later[1]):
            span = _stated(text, later)
            return Found(later[1], "prose after " + last.how, True, span)
        if scope.DENIAL.search(tail):
            return None
    return None if last.text is None else _found(text, marks)


def _asserted(text: str, mark: Mark, question: str) -> bool:
    """Whether a mark stands where it is neither denied nor supposed nor reported."""
    if mark.how.startswith("marker"):
        return True
    end, at = mark.end, mark.at
    if mark.clause and (number := cues.NUMBER.search(mark.text or "")) is not None:
        end += number.end() - len(mark.text or "")
        at = (at or 0) + number.start()
    return scope.asserted(text, mark.start, end, at, question)


def _refused(answer: str, tail: str) -> bool:
    """Whether the text goes on to say that this very answer is wrong."""
    if scope.retracted(tail):
        return True
    number = cues.NUMBER.match(answer)
    said = number[0] if number else answer
    return any(
        scope.refused(tail, again.end())
        for again in re.finditer(rf"(?<![\w.]){re.escape(said)}(?![\w])", tail[:RETOLD])
    )


def _found(text: str, marks: list[Mark]) -> Found:
    last = marks[-1]
    if last.how == "boxed":
        boxes = neighbours(text, marks)
        answer = ", ".join(dict.fromkeys(box.text or "" for box in boxes))
        if (other := OR_ELSE.match(text, last.end)) is not None:
            answer = f"{answer} or {other[1]}"
        return Found(answer, last.how, False, locate(text, answer, boxes[0].start, last.end))
    answer = last.text or ""
    return Found(answer, last.how, last.clause, locate(text, answer, last.start, last.end))


def locate(text: str, answer: str, start: int, end: int) -> tuple[int, int]:
    """Where `answer` stands last in that part of `text`; the whole part where not word for word."""
    place = text.rfind(answer, start, end)
    return (start, end) if place < 0 else (place, place + len(answer))


def _stated(text: str, said: tuple[str, str]) -> tuple[int, int]:
    """Where the result of a sentence stands."""
    sentence, answer = said
    start, end = locate(text, sentence, max(0, len(text) - cues.LAST), len(text))
    return locate(text, answer, start, end)


def marked(text: str) -> Found | None:
    """The answer after the last explicit marker; None where there is none."""
    marks = [mark for mark in places(text) if mark.text]
    return _found(text, marks) if marks else None


def said(text: str) -> Found | None:
    """The last yes, no, true or false that a sentence of `text` begins with."""
    start = text.rfind(THOUGHT) + len(THOUGHT) if THOUGHT in text else 0
    found = deque(BINARY.finditer(text, max(start, len(text) - LIMIT)), maxlen=1)
    return Found(found[0][1], "prose", False, found[0].span(1)) if found else None


def _own(text: str, marks: list[Mark]) -> tuple[str, list[Mark]]:
    """What precedes a question that the text asks itself once it has given an answer."""
    if marks and ":" in text:
        for match in QUESTION.finditer(text, marks[0].end):
            cut = match.start()
            return text[:cut], [mark for mark in marks if mark.end <= cut]
    return text, marks


def sentence(text: str, reads: clauses.Reads, question: str) -> Found | None:
    """What the last asserting sentence of a text states."""
    said = prose.assertion(text, reads, question)
    return Found(said[1], "prose", False, _stated(text, said)) if said else None


def _unmarked(text: str, reads: clauses.Reads, question: str) -> Found | None:
    """A bare answer, or what the last sentence asserts."""
    whole = text.strip()
    line = "\n" not in whole and len(whole) <= WHOLE
    place = len(text) - len(text.lstrip())
    span = (place, place + len(whole))
    ends = deque(cues.NUMBER.finditer(text, *span), maxlen=1) if line else ()
    denied = any(not scope.asserted(text, *number.span()) for number in ends)
    apt = asked.relevant(whole, whole, question)
    if line and whole and apt and not denied and reads(whole):
        return Found(whole, "whole", False, span)
    if said := sentence(text, reads, question):
        return said
    words = re.search(r"\w", re.sub(r"\\[A-Za-z]+", "", whole))
    brief = line and apt and not denied and words and len(whole.split()) <= 10
    brief = brief and (bool(ends) or scope.asserted(text, span[1] - 1, span[1]))
    short = brief and not REFUSAL.match(whole)
    if short:
        return Found(whole, "whole", False, span)
    first = cues.SENTENCE.split(whole, maxsplit=1)[0]
    number = cues.NUMBER.fullmatch(clauses.bare(first))
    if number is None or number[0] == "1" or scope.RETRACTION.search(whole):
        return None
    return Found(number[0], "whole", False, (place, place + len(first)))
