"""What a text asserts where no marker says so: the result of its last asserting sentence."""

from __future__ import annotations

import re

from verifiers import asked, scope
from verifiers.clauses import Reads, bare, maths, result, sole, trimmed
from verifiers.cues import (
    ALIGNED,
    ANNOTATION,
    ASIDE,
    CLAUSES,
    COMPUTED,
    CONSEQUENCE,
    CONTINUED,
    CUE,
    CUT_OFF,
    EQUATES,
    LAST,
    MATHS,
    NOTE,
    NUMBER,
    PENDING,
    PREMISE,
    SENTENCE,
    START,
    THAT,
    WORD,
)

DIGIT = re.compile(r"\d|[π∞∅]|\\(?:pi|infty|emptyset)")


def assertion(text: str, reads: Reads, question: str = "") -> tuple[str, str] | None:
    """The last asserting sentence of `text` and the result that it states; None without one.

    Where that sentence speaks of several things, the one that `question` asks for counts.
    """
    sentences = [s.strip() for s in SENTENCE.split(_plain(text[-LAST:]) + " ")]
    bullets = sum(s.startswith("- ") for s in sentences) > 1
    sentences = [s.removeprefix("- ") if bullets else s for s in sentences if s]
    if sentences and CUT_OFF.search(sentences[-1].rstrip("* ")):
        return None
    numbers = any(MATHS.search(s) for s in sentences)
    aside: str | None = None
    for sentence in reversed(sentences):
        cued = CUE.search(sentence)
        counts = COMPUTED.search(sentence) or sole(sentence, reads, question)
        if THAT.match(sentence) and aside is None and not cued and not counts:
            aside = sentence
            continue
        if (
            ASIDE.match(sentence)
            or sentence.endswith("?")
            or (sentence[0] == "(" and "=" not in sentence)
        ):
            continue
        if PREMISE.match(sentence) and not cued:
            continue
        if numbers and not (maths(sentence) or cued):
            if aside is None and PENDING.match(sentence):
                return None
            continue
        if NOTE.match(sentence):
            aside = aside or sentence
            continue
        part = _asked(sentence, question)
        told = _stated(sentence, result(part, reads), question)
        if not (told and asked.relevant(part, told, question)) and (cued or question):
            told = _stated(sentence, sole(part, reads, question), question) or told
        if told and not cued and not asked.relevant(part, told, question):
            continue
        if told is None and not cued and not DIGIT.search(sentence):
            continue
        told = told if told and asked.relevant(part, told, question) else None
        return (sentence, told) if told else None
    told = _stated(aside, result(aside, reads), question) if aside is not None else None
    return (aside, told) if aside is not None and told else None


def _plain(text: str) -> str:
    """A text without annotations, its aligned equations in one line."""
    return ALIGNED.sub("", CONTINUED.sub(" =", ANNOTATION.sub("", text)))


def _stated(sentence: str, told: str | None, question: str) -> str | None:
    """The result of a sentence; None where the words around it do not assert it."""
    place = sentence.rfind(told) if told else -1
    if told is None:
        return None
    end = place + len(told)
    numbers = list(NUMBER.finditer(told))
    near = place + numbers[-1].end() if numbers else end
    if place >= 0 and (
        scope.refused(sentence, end) or not scope.asserted(sentence, place, near, question=question)
    ):
        return None
    return told


def _asked(sentence: str, question: str) -> str:
    """The clause of a sentence that speaks of what the question asks for, where one does more."""
    clauses = CLAUSES.split(CONSEQUENCE.split(sentence)[-1])
    if all("=" in piece for piece in sentence.split(", ")):
        clauses = sentence.split(", ")
    wanted = set(WORD.findall(asked.question_of(question).lower()))
    if len(set(asked.ASSIGNED.findall(sentence))) == 1:
        return sentence
    if len(clauses) < 2 or not wanted or any(CUE.search(clause) for clause in clauses):
        return sentence
    scores = []
    for clause in clauses:
        verb = EQUATES.search(clause)
        if verb is None or not START.search(clause[verb.end() :]):
            return sentence
        shared = set(WORD.findall(clause[: verb.start()].lower())) & wanted
        scores.append(len(shared) + 9 * asked.names(clause[: verb.start()], question))
    best = max(scores)
    return clauses[scores.index(best)] if scores.count(best) == 1 else sentence


def closing(text: str) -> list[str]:
    """What the last sentence of a text says, without what it follows from."""
    sentences = [s.strip() for s in SENTENCE.split(text[-LAST:] + " ") if s.strip()]
    sentences = [s for s in sentences if not ASIDE.match(s)]
    parts = CONSEQUENCE.split(sentences[-1])[-1] if sentences else ""
    pieces = re.split(r"[,:;]?\s*\bi\.e\.,?|[:;] ", parts)
    return [cut(piece) for piece in pieces for cut in (trimmed, bare)]
