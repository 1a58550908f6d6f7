"""Answers that stand in a marked place: boxes, answer tags, `####`, `A:` and "the answer is"."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from verifiers import clauses, scope

BOX = re.compile(r"\\(?:boxed|fbox)\s*(?=\{|\d)")
MINUS = re.compile(r"(?:^|[$=(:\[{])\s*[-−]\s*$|\s[-−]$")
SINGLE = re.compile(r"[\w.,\\]+")
TAG = re.compile(r"[<\[](answer|final_answer|ans)[>\]]", re.I)
FOREIGN = re.compile(
    r"\b(?:r[ée]ponse|respuesta|antwort|risposta|resposta|ответ|lösung|resultado"
    r"|ergebnis)\b[*_]{0,3}"
    r"[ \u00a0]*(?::|\b(?:est|es|ist|lautet|è|é)\b)[*_: ]*(?:(?:donc|also|pues|quindi)\b)?|(?:答案"
    r"|答え|答)(?:是|为|は|:|：)\s*",
    re.I,
)
FIGURES = re.compile(r"\d+(?:[.,]\d+)*")
FOREIGN_TAIL = re.compile(r"(?<=\d)\s*[^\x00-\xff€].*")
LINE = re.compile(r"(?m)^[ \t]*(####|[*_]{0,3}A[*_]{0,3}:(?![:=]))[*_]{0,3}[ \t]*(.*)$")
PHRASE = re.compile(
    r"(?<!if the )(?<!whether the )(?<!assume the )(?<!suppose the )(?<!when the )(?<!is the )"
    r"(?<!assume that the )(?<!suppose that the )(?<!imagine the )(?<!say the )"
    r"(?:\b|(?<=_))(?:final |correct |right )?(?:answer|ans\b|(?:correct|right) (?:option"
    r"|choice))[*_\"]{0,3}"
    r"(?: (?:to|for|of|in|here)\b[^.\n\d,:=]{0,60}?)?\s*"
    r"(?:(?<![a-z])(?:is|are|was|should be|must be|will be|would be|equals|becomes)\b"
    r"|[=:→⇒]|->|(?<=\s)[–—]\s|,(?=\s*-?[\d$\\][^,\n]{0,30},\s)|(?=\s*\n\s*\S)"
    r"|(?=\s*(?:\$|\\[(\[])))"
    r"[*_]{0,3}\s*(?:that\b)?[:=]?\s*",
    re.I,
)
JUDGED = re.compile(
    r"(?:not|n't|n’t|never|(?:in)?correct|right|wrong|unclear|unknown|in the|above|below)\b", re.I
)
GLUE = re.compile(
    r"(?:[\s,$;&.]|\\[,;:()\[\]!]|\\quad|\\text\s*\{\s*(?:and|or)\s*\}|\bor\b|\band\b|\\\\"
    r"|[A-Za-z](?:_\{?\w+\}?)?\s*=)*"
    r"|(?:(?!\b(?:then|so|get|is|gives?|thus|hence|now)\b)[^.\n\d=]){0,30}\band\b[\s}$\\(]*"
)
LIMIT = 400_000
PHRASE_WORDS = ("ans", "option", "choice")
CLAUSE = 2000
MATCHES = 100


class Mark(NamedTuple):
    """A marked place: where it stands, its answer (None where not closed), how it is marked."""

    start: int
    end: int
    text: str | None
    how: str
    clause: bool = False
    at: int | None = None
    """Where the words end that announce it."""


def places(text: str) -> list[Mark]:
    """All explicit answers in the order of their ends; one inside another is left out."""
    if len(text) > LIMIT:
        text = " " * (len(text) - LIMIT) + text[-LIMIT:]
    marks = [*_boxes(text), *_tags(text)]
    inside = [(mark.start, mark.end) for mark in marks]

    def free(place: int) -> bool:
        return not any(start <= place < end for start, end in inside)

    for match in _last(LINE, text) if "A" in text or "####" in text else ():
        if match[2].strip() and free(match.start()):
            how = "marker ####" if match[1] == "####" else "marker A:"
            marks.append(Mark(match.start(), match.end(2), match[2].strip(), how, True))
    lowered = text.lower()
    phrases = [*_last(PHRASE, text)] if any(word in lowered for word in PHRASE_WORDS) else []
    for match in [*phrases, *_last(FOREIGN, text)]:
        rest = text[match.end() : match.end() + CLAUSE]
        back = scope.RETRACTION.search(rest.split("\n", 1)[0])
        rest = rest[: back.start()] if back and back.start() else rest
        clause = clauses.clause(rest)
        values = list(FIGURES.finditer(clause)) if match.re is FOREIGN else []
        if len(values) == 1 and clause[:1].isalpha():
            clause = FOREIGN_TAIL.sub("", clause[values[0].start() :])
        if clause and free(match.start()) and not _negated(clause):
            end = match.end() + rest.find(clause[:1]) + len(clause)
            marks.append(Mark(match.start(), end, clause, "phrase", True, match.end()))
    outer = [mark for mark in marks if mark.how != "phrase" or not _holds(mark, marks)]
    return sorted(outer, key=lambda mark: (mark.end, mark.start))


def _last(pattern: re.Pattern[str], text: str) -> Iterable[re.Match[str]]:
    """The last matches: more would be looked at in vain."""
    return deque(pattern.finditer(text), maxlen=MATCHES)


def _holds(phrase: Mark, marks: list[Mark]) -> bool:
    """Whether a phrase only announces a box, a tag or a marked line."""
    return any(m.how != "phrase" and phrase.start <= m.start <= phrase.end + 4 for m in marks)


def _negated(clause: str) -> bool:
    return JUDGED.match(clause) is not None


def _boxes(text: str) -> list[Mark]:
    marks = []
    end = 0
    for match in BOX.finditer(text):
        if match.start() < end:
            continue
        start = match.end()
        if text[start] != "{":
            digits = re.compile(r"\d+").match(text, start)
            end = digits.end() if digits else start
            marks.append(Mark(match.start(), end, text[start:end], "boxed"))
            continue
        stop = closing(text, start)
        end = len(text) if stop is None else stop + 1
        content = None if stop is None else text[start + 1 : stop].strip()
        if content != "":
            if content and MINUS.search(text, max(0, match.start() - 8), match.start()):
                content = f"-{content}" if SINGLE.fullmatch(content) else f"-({content})"
            marks.append(Mark(match.start(), end, content, "boxed"))
    return marks


def closing(text: str, start: int) -> int | None:
    """The brace that closes the one at `start`."""
    depth = 0
    place = start
    while place < len(text):
        char = text[place]
        if char == "\\":
            place += 1
        elif char == "{":
            depth += 1
        elif char == "}":
            depth -= 1
            if not depth:
                return place
        place += 1
    return None


def _tags(text: str) -> list[Mark]:
    if "<" not in text and "[" not in text:
        return []
    marks = []
    for match in _last(TAG, text):
        close = re.compile(rf"[<\[]/{match[1]}[>\]]", re.I).search(text, match.end())
        if close is None:
            marks.append(Mark(match.start(), len(text), None, "tagged"))
            continue
        content = text[match.end() : close.start()].strip()
        inner = [mark for mark in _boxes(content) if mark.text]
        if content:
            answer = inner[-1].text if inner else content
            marks.append(Mark(match.start(), close.end(), answer, "tagged"))
    return marks


def neighbours(text: str, marks: list[Mark]) -> list[Mark]:
    """The last box with those that stand right before it: several boxes are one list."""
    boxes = [mark for mark in marks if mark.how == "boxed"]
    group = [boxes[-1]]
    for box in reversed(boxes[:-1]):
        between = text[box.end : group[0].start]
        if box.text is None or not GLUE.fullmatch(between):
            break
        group.insert(0, box)
    return group
