"""Answers of a text that are found with the ground truth in hand, where no marker shows them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from verifiers import asked, cues, prose, scope
from verifiers.clauses import folded
from verifiers.extract import Found, extract
from verifiers.marks import places
from verifiers.maths import labelled
from verifiers.maths.decide import PART, PREDICATE, decide
from verifiers.maths.ground import Gold, ground, meaning, reads
from verifiers.maths.node import Node, TooHard, symbols
from verifiers.maths.vocabulary import VALUES
from verifiers.records import Problem
from verifiers.visible import visible

SECTION = re.compile(r"(?m)^\W{0,4}\((?:[a-e]|[1-5])\)\W{0,3}(?=\s)")
CLOSING = 200
JOINT = re.compile(r"[,;:](?:\s|$)|[()=≈→⇒|]|\s(?:and|or|so|but|that|which|is|are|was|were|of)\s")
COMPOUND = re.compile(r"\d[\d.]* [a-z]+ and \d[\d.]* [a-z]+")
WORKED = re.compile(r"[-−+\d.,/*×÷·^() $€£]{1,60}=\s*(?=[-−$€£]?\.?\d)")
UNSURE = re.compile(
    r"\b(?:either|maybe|perhaps|possibly|might|could|unsure|not|never|if|unless|between|around"
    r"|somewhere|roughly)\b|n['’]t\b",
    re.I,
)
ALGEBRA = re.compile(r"\\[a-zA-Z]|[√^²³α-ω]|(?<![A-Za-z'’])[a-z]\s*=")
BOLD = re.compile(r"\*\*[^*]+\*\*\.?")
CLAUSE = re.compile(r"[,;]\s|\s(?:and|while|but)\s")
CLOCK = re.compile(r"\b\d{1,2}:\d{2}\b|\b\d{1,2}(?= ?[ap]\.?m\b)")
TIMES = re.compile(r"\s*(?:times|more|less|fewer)\b")
EMPTY = Node("all", (), "empty")
PHRASE = re.compile(r"\s(?:in|on|at|for)\s.*", re.S)
YES_OR_NO = re.compile(r"\W*(?:is|are|does|do|can|has|have|was|will)\b", re.I)
FORMULA = re.compile(r"\$[^$]*\$")
NOT = re.compile(r"\b(?:not|no|never|neither|cannot|fails?|false)\b|n['’]t\b", re.I)
LONGEST = 8
MOST = 12


class Value(NamedTuple):
    """A value that a sentence states: its text, and where it begins."""

    text: str
    start: int


def worded(gold: Gold, text: str, problem: Problem) -> Found | None:
    """What a text states, where that is a ground truth that is no number: in its last sentence,
    or value by value where each has a name."""
    if gold.hard or not text.strip():
        return None
    none = gold.plain and not gold.plain[0] and "how many" in problem.text.lower()
    mine = EMPTY if none else meaning(gold.text)
    if mine.op in VALUES:
        return None
    seen = visible(text)
    pairs = labelled.labels(gold.text, problem.text)
    if pairs and (span := labelled.stated(pairs, seen)):
        said = labelled.shown(gold.text, pairs)
        place = text.rfind(seen)
        return Found(said, "prose", False, (place + span[0], place + span[1]))
    from verifiers.maths.compare import equal

    for end in prose.closing(seen):
        told = PREDICATE.sub("", end.rpartition("= ")[2] if mine.op == "words" else end)
        for said in (end, told, PHRASE.sub("", told)) if 0 < len(end) <= CLOSING else ():
            place = text.rfind(said)
            stands = place >= 0 and equal(mine, meaning(said), False)
            if stands and scope.asserted(text, place, place + len(said)):
                return Found("0" if none else said, "prose", False, (place, place + len(said)))
    return None


def solved(gold: Gold, text: str, problem: Problem) -> Found | None:
    """The values of the unknowns of a system, where a text gives each of them last as it is."""
    mine = meaning(gold.text) if not gold.hard else EMPTY
    parts = mine.args if mine.op in ("tuple", "list") and 1 < len(mine.args) < 4 else ()
    named = [part.value for part in parts if part.op == "assign"]
    names = named if len(named) == len(parts) else list("xyz"[: len(parts)])
    asks = all(re.search(rf"(?<![A-Za-z]){name}(?![A-Za-z])", problem.text) for name in names)
    if not parts or not asks or mine.value == "or" or len(set(names)) < len(parts) or places(text):
        return None
    seen, ends = visible(text), []
    for name, part in zip(names, parts, strict=True):
        given = [*re.finditer(rf"(?<![A-Za-z\d\\]){name}\s*=([^,;.\n$]+)", seen)]
        value = part.args[0] if part.op == "assign" else part
        if not given or meaning(given[-1][1].rpartition("=")[2].strip()) != value:
            return None
        ends.append(given[-1].end())
    rest = seen[max(ends) :].strip(" $.)\n")
    return None if rest else Found(gold.text, "prose", False, (min(ends), max(ends)))


def polar(text: str, question: str) -> Found | None:
    """Yes or no, where the last sentence of a text repeats what the question asks, or denies it."""
    asks = [s for s in cues.SENTENCE.split(question + " ") if YES_OR_NO.match(s) and "?" in s]
    closing = prose.closing(visible(text))
    if len(asks) != 1 or not closing or places(text):
        return None
    end = closing[-1]
    place = text.rfind(end)
    key = re.findall(r"[a-z]{4,}", FORMULA.sub("", asks[0].partition("?")[0]))[-1:]
    denials = len(NOT.findall(end))
    said = re.search(rf"\b{key[0][:6]}", end, re.I) if key and place >= 0 else None
    if said is None or denials > 1:
        return None
    if not denials and not scope.asserted(text, place, place + len(end), place + said.start()):
        return None
    return Found("no" if denials else "yes", "prose", False, (place, place + len(end)))


def in_parts(gold: Gold, text: str, problem: Problem) -> Found | None:
    """The answers of the parts (a), (b) of a text, where the ground truth has them too."""
    mine = PART.split(gold.text)[1:]
    if len(mine) < 2:
        return None
    seen = visible(text)
    pieces = SECTION.split(seen)[1:]
    if len(mine) != len(pieces):
        return None
    answers = []
    for one, piece in zip(mine, pieces, strict=True):
        said = (extract(part, reads) for part in (piece, piece.strip().rpartition("\n\n")[0]))
        part = ground(one.strip(" ,;."))
        right = next((f for f in said if f and decide(part, f, problem)[0]), None)
        if right is None:
            return None
        answers.append(right.text)
    start = text.rfind(seen)
    return Found("; ".join(answers), "prose", False, (start, start + len(seen)))


def added(gold: Gold, text: str, problem: Problem) -> Found | None:
    """The ground truth, where it is the only value that the last sentence of a text adds.

    What the question gives, what is computed with and what restates the value add nothing. Where
    other values of its kind stand beside it, it must be the one that the question asks for.
    """
    if gold.hard or not problem.text:
        return None
    seen = visible(text)
    sentence = prose.last(seen, problem.text)
    concludes = cues.CUE.search(sentence) or BOLD.fullmatch(sentence)
    if not (concludes and len(sentence) <= CLOSING) or places(seen):
        return None
    if (mine := meaning(gold.text)).op not in (*VALUES, "clock") or symbols(mine):
        return None
    new = list(_new(sentence, mine, problem.text))
    if UNSURE.search(sentence) or ALGEBRA.search(sentence) or not 0 < len(new) <= MOST:
        return None
    fits = [decide(gold, Found(value.text, "prose"), problem)[0] for value in new]
    rivals = [value for value, fit in zip(new, fits, strict=True) if not fit]
    right = next((new[k] for k in range(len(new) - 1, -1, -1) if fits[k]), None)
    if right is None or not _stands(sentence, right, problem):
        return None
    if rivals and not _singled(right, rivals, sentence, problem.text):
        return None
    if not asked.relevant(sentence, right.text, problem.text):
        return None
    place = text.rfind(right.text)
    return Found(right.text, "prose", False, (place, place + len(right.text)))


def _new(sentence: str, gold: Node, question: str) -> Iterator[Value]:
    """The values of the kind of a ground truth that a sentence concludes and its question does
    not give."""
    line = WORKED.sub(lambda worked: " " * len(worked[0]), sentence.replace("−", "-"))
    cuts = [cut.end() for cut in cues.CONSEQUENCE.finditer(line)]
    line = " " * max(cuts, default=0) + line[max(cuts, default=0) :]
    pattern = CLOCK if gold.op == "clock" else cues.VALUE
    given = set(map(folded, pattern.finditer(question)))
    end = 0
    for number in pattern.finditer(line):
        if number.start() < end or folded(number) in given:
            continue
        if (value := _value(line, number.start(), gold)) is not None:
            end = value.start + len(value.text)
            yield value


def _value(line: str, start: int, gold: Node) -> Value | None:
    """The longest value that begins there, of the kind of the ground truth."""
    rest = line[start:]
    whole = COMPOUND.match(rest)
    pieces = re.split(r"(\s+)", JOINT.split(rest, maxsplit=1)[0])[: 2 * LONGEST]
    heads = ["".join(pieces[:count]) for count in range(len(pieces), 0, -2)]
    for head in [*([whole[0]] if whole else []), *heads]:
        text = head.strip(" .*_")
        try:
            node = meaning(text)
        except TooHard:
            return None
        if node.op == "clock" or (node.op in VALUES and not symbols(node)):
            return Value(text, start) if (node.op == "clock") == (gold.op == "clock") else None
    return None


def _stands(sentence: str, value: Value, problem: Problem) -> bool:
    """Whether a sentence asserts a value, as it is and not as a bound."""
    end = value.start + len(value.text)
    before = CLAUSE.split(sentence[: value.start])[-1]
    behind = _behind(sentence, value)
    bound = cues.BOUND.search(before) or cues.ENDING.search(behind) or TIMES.match(behind)
    sure = scope.asserted(sentence, value.start, end, question=problem.text)
    return sure and not (bound or cues.FAULTED.match(behind) or scope.refused(sentence, end))


def _singled(right: Value, rivals: list[Value], sentence: str, question: str) -> bool:
    """Whether one value among others is that which the question asks for, by name or by noun."""
    wanted = asked.question_of(question)
    names = [name[0] for name in cues.NAME.finditer(wanted)]
    clauses = {value: _clause(sentence, value) for value in (right, *rivals)}
    about = [value for value, said in clauses.items() if any(name in said for name in names)]
    if about:
        others = all(cues.NAME.search(f" {clauses[value]}") for value in rivals)
        return about == [right] and others
    counted = [value for value in clauses if asked.counts(_behind(sentence, value), question)]
    return counted == [right]


def _clause(sentence: str, value: Value) -> str:
    start = [0, *(cut.end() for cut in CLAUSE.finditer(sentence, 0, value.start))][-1]
    end = CLAUSE.search(sentence, value.start)
    return sentence[start : end.start() if end else len(sentence)]


def _behind(sentence: str, value: Value) -> str:
    number = cues.VALUE.match(sentence, value.start)
    return _clause(sentence, value).rpartition(number[0])[2] if number else ""
