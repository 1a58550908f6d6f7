"""Find the final answer in a text, and say where it was found.

Explicit places are boxes, answer tags, `####`, `A:` at the start of a line and "the answer is".
The last of them counts, unless what follows it takes it back and says something else. Without any,
`verifiers.prose` finds what the text asserts.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from verifiers import asked, cues, prose, scope


class Found(NamedTuple):
    """An answer: its text, how it was found, and whether it is a clause of a longer sentence.

    `span` are the characters (start, end) of the whole text that it stands in.
    """

    text: str
    how: str
    clause: bool = False
    span: tuple[int, int] = (0, 0)


class _Mark(NamedTuple):
    start: int
    end: int
    text: str | None
    how: str
    clause: bool = False
    at: int | None = None
    """Where the words end that announce it."""


BOX = re.compile(r"\\(?:boxed|fbox)\s*(?=\{|\d)")
MINUS = re.compile(r"(?:^|[$=(:\[{])\s*[-−]\s*$|\s[-−]$")
SINGLE = re.compile(r"[\w.,\\]+")
TAG = re.compile(r"[<\[](answer|final_answer|ans)[>\]]", re.I)
FOREIGN = re.compile(
    r"\b(?:r[ée]ponse|respuesta|antwort|risposta|resposta|ответ|lösung|resultado"
    r"|ergebnis)\b[*_]{0,3}"
    r"[ \u00a0]*(?::|\b(?:est|es|ist|lautet|è|é)\b)[*_: ]*(?:(?:donc|also|pues|quindi)\b)?|(?:答案"
    r"|答え)(?:是|为|は|:|：)\s*",
    re.I,
)
LINE = re.compile(r"(?m)^[ \t]*(####|[*_]{0,3}A[*_]{0,3}:(?![:=]))[*_]{0,3}[ \t]*(.*)$")
PHRASE = re.compile(
    r"(?<!if the )(?<!whether the )(?<!assume the )(?<!suppose the )(?<!when the )(?<!is the )"
    r"(?<!assume that the )(?<!suppose that the )(?<!imagine the )(?<!say the )"
    r"\b(?:final |correct |right )?(?:answer|ans\b|(?:correct|right) (?:option|choice))[*_\"]{0,3}"
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
THOUGHT = "</think>"
STOP = re.compile(r"<\|[a-z_]+\|>|</s>")
REFUSAL = re.compile(r"\W*(?:i|we|sorry|unfortunately|unknown|unsure|no idea)\b", re.I)
LIMIT = 400_000
PHRASE_WORDS = ("ans", "option", "choice")
CLAUSE = 2000
RETOLD = 4000
MATCHES = 100
WHOLE = 4_000


def extract(text: str, reads: prose.Reads, question: str = "") -> Found | None:
    """The final answer in `text`; None where there is none, or where its box is not closed.

    `reads` tells whether a piece of text is mathematics by itself; `question` is what was asked.
    """
    seen = visible(text)
    found = _answer(seen, reads, question)
    if found is None or seen is text:
        return found
    hidden = text.rfind(THOUGHT) + len(THOUGHT) if THOUGHT in text else 0
    return found._replace(span=(found.span[0] + hidden, found.span[1] + hidden))


def _answer(text: str, reads: prose.Reads, question: str) -> Found | None:
    text, stated = _own(text, _marks(text))
    if not stated:
        return _unmarked(text, reads, question)
    marks = [*stated[:-MATCHES], *(m for m in stated[-MATCHES:] if _asserted(text, m, question))]
    if not marks:
        later = prose.assertion(text[stated[-1].end :], reads, question)
        return Found(later[1], "prose", False, _stated(text, later)) if later else None
    last = marks[-1]
    tail = text[last.end :]
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


def _asserted(text: str, mark: _Mark, question: str) -> bool:
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


def _found(text: str, marks: list[_Mark]) -> Found:
    last = marks[-1]
    if last.how == "boxed":
        boxes = _neighbours(text, marks)
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
    marks = [mark for mark in _marks(text) if mark.text]
    return _found(text, marks) if marks else None


def said(text: str) -> Found | None:
    """The last yes, no, true or false that a sentence of `text` begins with."""
    start = text.rfind(THOUGHT) + len(THOUGHT) if THOUGHT in text else 0
    found = deque(BINARY.finditer(text, max(start, len(text) - LIMIT)), maxlen=1)
    return Found(found[0][1], "prose", False, found[0].span(1)) if found else None


def visible(text: str) -> str:
    """What counts of a text: behind the last `</think>`, before a token that ends a turn."""
    _, sign, rest = text.rpartition(THOUGHT)
    if sign:
        text = rest
    elif "<think>" in text:
        text = text.partition("<think>")[0]
    return STOP.split(text, maxsplit=1)[0] if "<" in text else text


def _own(text: str, marks: list[_Mark]) -> tuple[str, list[_Mark]]:
    """What precedes a question that the text asks itself once it has given an answer."""
    if marks and ":" in text:
        for match in QUESTION.finditer(text, marks[0].end):
            cut = match.start()
            return text[:cut], [mark for mark in marks if mark.end <= cut]
    return text, marks


def _marks(text: str) -> list[_Mark]:
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
            marks.append(_Mark(match.start(), match.end(2), match[2].strip(), how, True))
    lowered = text.lower()
    phrases = [*_last(PHRASE, text)] if any(word in lowered for word in PHRASE_WORDS) else []
    for match in [*phrases, *_last(FOREIGN, text)]:
        rest = text[match.end() : match.end() + CLAUSE]
        back = scope.RETRACTION.search(rest.split("\n", 1)[0])
        rest = rest[: back.start()] if back and back.start() else rest
        clause = prose.clause(rest)
        if clause and free(match.start()) and not _negated(clause):
            end = match.end() + rest.find(clause[:1]) + len(clause)
            marks.append(_Mark(match.start(), end, clause, "phrase", True, match.end()))
    outer = [mark for mark in marks if mark.how != "phrase" or not _holds(mark, marks)]
    return sorted(outer, key=lambda mark: (mark.end, mark.start))


def _last(pattern: re.Pattern[str], text: str) -> Iterable[re.Match[str]]:
    """The last matches: more would be looked at in vain."""
    return deque(pattern.finditer(text), maxlen=MATCHES)


def _holds(phrase: _Mark, marks: list[_Mark]) -> bool:
    """Whether a phrase only announces a box, a tag or a marked line."""
    return any(m.how != "phrase" and phrase.start <= m.start <= phrase.end + 4 for m in marks)


def _negated(clause: str) -> bool:
    return JUDGED.match(clause) is not None


def _boxes(text: str) -> list[_Mark]:
    marks = []
    end = 0
    for match in BOX.finditer(text):
        if match.start() < end:
            continue
        start = match.end()
        if text[start] != "{":
            digits = re.compile(r"\d+").match(text, start)
            end = digits.end() if digits else start
            marks.append(_Mark(match.start(), end, text[start:end], "boxed"))
            continue
        stop = closing(text, start)
        end = len(text) if stop is None else stop + 1
        content = None if stop is None else text[start + 1 : stop].strip()
        if content != "":
            if content and MINUS.search(text, max(0, match.start() - 8), match.start()):
                content = f"-{content}" if SINGLE.fullmatch(content) else f"-({content})"
            marks.append(_Mark(match.start(), end, content, "boxed"))
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


def _tags(text: str) -> list[_Mark]:
    if "<" not in text and "[" not in text:
        return []
    marks = []
    for match in _last(TAG, text):
        close = re.compile(rf"[<\[]/{match[1]}[>\]]", re.I).search(text, match.end())
        if close is None:
            marks.append(_Mark(match.start(), len(text), None, "tagged"))
            continue
        content = text[match.end() : close.start()].strip()
        inner = [mark for mark in _boxes(content) if mark.text]
        if content:
            answer = inner[-1].text if inner else content
            marks.append(_Mark(match.start(), close.end(), answer, "tagged"))
    return marks


def _neighbours(text: str, marks: list[_Mark]) -> list[_Mark]:
    """The last box with those that stand right before it: several boxes are one list."""
    boxes = [mark for mark in marks if mark.how == "boxed"]
    group = [boxes[-1]]
    for box in reversed(boxes[:-1]):
        between = text[box.end : group[0].start]
        if box.text is None or not GLUE.fullmatch(between):
            break
        group.insert(0, box)
    return group


def _unmarked(text: str, reads: prose.Reads, question: str) -> Found | None:
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
    said = prose.assertion(text, reads, question)
    if said:
        return Found(said[1], "prose", False, _stated(text, said))
    words = re.search(r"\w", re.sub(r"\\[A-Za-z]+", "", whole))
    brief = line and apt and not denied and words and len(whole.split()) <= 10
    short = brief and not REFUSAL.match(whole)
    if short:
        return Found(whole, "whole", False, span)
    first = prose.SENTENCE.split(whole, maxsplit=1)[0]
    number = cues.NUMBER.fullmatch(prose.bare(first))
    if number is None or number[0] == "1" or scope.RETRACTION.search(whole):
        return None
    return Found(number[0], "whole", False, (place, place + len(first)))
