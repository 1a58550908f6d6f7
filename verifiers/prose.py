"""What a text asserts where no marker says so: the result of its last asserting sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

from verifiers import asked, scope
from verifiers.clauses import Reads, bare, maths, result, sole, trimmed
from verifiers.cues import (
    ALIGNED,
    ANNOTATION,
    ASIDE,
    BOLD_LABEL,
    CHECK,
    CHECKED,
    CLAUSES,
    COMPUTED,
    CONSEQUENCE,
    CONTINUED,
    CUE,
    CUT_OFF,
    EQUATES,
    LAST,
    MATHS,
    NAME,
    NOTE,
    NUMBER,
    PENDING,
    PREMISE,
    QED,
    SENTENCE,
    START,
    THAT,
    VERB,
    WHERE,
    WORD,
)

LABEL = re.compile(r"[*_]{0,3}([A-Z][\w' ]{0,40}?)[*_]{0,3}:[*_]{0,3} +(?=\S)")
WHY = re.compile(r"^\W*(?:since|because|as)\b.*,\s+(?=(?:there|no)\b)", re.I)
FORMULA = re.compile(r"\$[^$]*=[^$]*\$")
REMARK = re.compile(
    r"\b(?:by the way|in contrast|on the other hand|incidentally|in comparison)\b", re.I
)
DENIES = re.compile(
    r"\b(?:no|not|none|never|neither|cannot|impossible|undefined|fails?|wrong|contradict\w*)\b|n['’]t\b",
    re.I,
)
AFTERWARDS = re.compile(
    r", and (?:next|later|soon|then|tomorrow|in \w+ \w+)\b[^.!?\n]* will\b[^.!?\n]*"
)
UNREAL = re.compile(r"[^=]*\bwould\b[^=]*")
DIGIT = re.compile(r"\d|[π∞∅]|\\(?:pi|infty|emptyset)")


def assertion(text: str, reads: Reads, question: str = "") -> tuple[str, str] | None:
    """The last asserting sentence of `text` and the result that it states; None without one.

    Where that sentence speaks of several things, the one that `question` asks for counts.
    """
    aside: str | None = None
    stating = [*_stating(_sentences(text[-LAST:], question)), ""]
    for sentence, before in pairwise(stating):
        cued = CUE.search(sentence)
        counts = COMPUTED.search(sentence) or sole(sentence, reads, question)
        if not cued and _remark(sentence, before, question):
            continue
        if THAT.match(sentence) and aside is None and not cued and not counts:
            aside = sentence
            continue
        if NOTE.match(sentence):
            aside = aside or sentence
            continue
        if _pending(sentence):
            if aside is None:
                return None
            continue
        part = _asked(sentence, question)
        told = _stated(sentence, result(part, reads), question)
        if not (told and asked.relevant(part, told, question)):
            for early in _named(sentence, question):
                told = _stated(sentence, result(early, reads), question) or told
        if not (told and asked.relevant(part, told, question)) and (cued or question):
            told = _stated(sentence, sole(part, reads, question), question) or told
        if told and not cued and not asked.relevant(part, told, question):
            continue
        states = DIGIT.search(sentence) or (cued and (maths(sentence) or DENIES.search(sentence)))
        if told is None and not states:
            continue
        told = told if told and asked.relevant(part, told, question) else None
        return (sentence, told) if told else None
    told = _stated(aside, result(aside, reads), question) if aside is not None else None
    return (aside, told) if aside is not None and told else None


def _remark(sentence: str, before: str, question: str) -> bool:
    """Whether a sentence only adds something to a result, or what it would be in another case."""
    unreal = UNREAL.fullmatch(sentence) and CUE.search(before) and not UNREAL.match(question)
    return bool(unreal or REMARK.search(sentence))


def last(text: str, question: str) -> str:
    """The last sentence of `text` that may state a result; empty where there is none."""
    sentence = next(_stating(_sentences(text[-LAST:], question)), "")
    return "" if _pending(sentence) else sentence


@lru_cache(maxsize=1)  # a text whose assertion is not the ground truth is looked at twice
def _sentences(end: str, question: str) -> tuple[str, ...]:
    """The sentences of the end of a text, up to the item of a closing list that is asked for; none
    where they are cut off."""
    end = end if re.search(r"\b(?:will|next)\b", question) else AFTERWARDS.sub("", end)
    found = [s.strip() for s in SENTENCE.split(_plain(end) + " ")]
    bullets = sum(s.startswith("- ") for s in found) > 1
    found = [s.removeprefix("- ") if bullets else s for s in found if s]
    items = [LABEL.match(s) for s in found]
    first = next((k + 1 for k in range(len(items) - 1, -1, -1) if items[k] is None), 0)
    wanted = [
        k
        for k in range(first, len(items))
        if (item := items[k]) and asked.mentions(question, item[1])
    ]
    if len(wanted) == 1 and len(items) - first > 1:
        del found[wanted[0] + 1 :]
    return () if found and CUT_OFF.search(found[-1].rstrip("* ")) else tuple(found)


def _stating(sentences: tuple[str, ...]) -> Iterator[str]:
    """The sentences that may state a result, from the last one: no check, question or premise."""
    numbers = any(MATHS.search(s) for s in sentences)
    for sentence in reversed(sentences):
        cued = CUE.search(sentence)
        if (
            ASIDE.match(sentence)
            or (CHECKED.search(sentence) and sentence is not sentences[0])
            or sentence.endswith("?")
            or (sentence[0] == "(" and "=" not in sentence)
            or (PREMISE.match(sentence) and not cued)
        ):
            continue
        if not numbers or maths(sentence) or cued or _pending(sentence):
            yield sentence


def _pending(sentence: str) -> bool:
    """Whether a sentence without a number announces what is still to be done."""
    return bool(PENDING.match(sentence)) and not (maths(sentence) or CUE.search(sentence))


def _plain(text: str) -> str:
    """A text without annotations and checks, its equations and their conditions in one line."""
    text = ALIGNED.sub("", CONTINUED.sub(" =", ANNOTATION.sub("", text)))
    text = WHERE.sub(" ", QED.sub("", BOLD_LABEL.sub(r"\1 ", text)))
    return CHECK.sub(_checked, text)


def _checked(check: re.Match[str]) -> str:
    """What remains of a check: all of it where it fails or nothing precedes it, else what it
    concludes."""
    if scope.DENIAL.search(check[0]) or not DIGIT.search(check.string, 0, check.start()):
        return check[0]
    concludes = CUE.search(check[0])
    return check[0][concludes.start() :] if concludes else ""


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
    people = NAME.findall(asked.question_of(question)) if "=" not in sentence else []
    known = set(NAME.findall(f" {question}"))
    told = [set(NAME.findall(f" {clause}")) & known for clause in clauses]
    theirs = [names & set(people) == names for names in told]
    if len(clauses) == 2 and list(map(len, told)) == [1, 1] and sum(theirs) == 1:
        return clauses[theirs.index(True)]
    wanted = set(WORD.findall(FORMULA.sub("", asked.question_of(question)).lower()))
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


def _named(sentence: str, question: str) -> list[str]:
    """The part of a sentence that says of what is asked what it is, before what follows from it."""
    parts = CONSEQUENCE.split(sentence)[:-1]
    verbs = [VERB.search(part) for part in parts]
    named = [
        p for p, v in zip(parts, verbs, strict=True) if v and asked.names(p[: v.start()], question)
    ]
    return named if len(named) == 1 else []


def closing(text: str) -> list[str]:
    """What the last sentence of a text says, without what it follows from."""
    sentences = [s.strip() for s in SENTENCE.split(text[-LAST:] + " ") if s.strip()]
    sentences = [s for s in sentences if not ASIDE.match(s)]
    parts = WHY.sub("", CONSEQUENCE.split(sentences[-1])[-1]) if sentences else ""
    pieces = re.split(r"[,:;]?\s*\bi\.e\.,?|[:;] ", parts)
    return [cut(piece) for piece in pieces for cut in (trimmed, bare)]
