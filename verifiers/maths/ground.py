"""A ground truth, and whether a found answer is it in the light of the question."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

from verifiers import asked, scope
from verifiers.choices.options import printed
from verifiers.clauses import result, trimmed
from verifiers.extract import Found, extract, marked, visible
from verifiers.maths import labelled, rational
from verifiers.maths.node import Node, TooHard
from verifiers.maths.vocabulary import VALUES, WORDY
from verifiers.prose import closing
from verifiers.records import Problem

PERCENT = re.compile(
    r"\b(?:what|which|how many|as an?|in|find the|calculate the|by what)\s+(?:\w+\s+){0,2}percent",
    re.I,
)
LONGEST = 200_000
TEXT = re.compile(r"\\(?:text|mathrm|textbf)\s*\{([^{}]*)\}")
PREDICATE = re.compile(
    r"^.*\b(?:is|are|was|will be|(?:it|that)['’]s|equals|(?:falls?|lands?) on|comes)"
    r"\s+(?:always |\w+ly |an? )?(?!not\b)"
    r"|^.*\bhas\s+(?=no\b)|^(?:the|this|it) (?:\w+ )?(?=(?:con|di)verges)",
    re.I,
)
LETTER = re.compile(r"[\s$*(]*([A-J])[\s$*).:]*")
CONDITION = re.compile(
    r"(?<==)([^=<>≤≥]*?),?\s*(?:\\q?quad\s*|\\text\s*\{[^{}]*\}|\bfor\b|\bwhere\b|\bwith\b|\()*\s*"
    r"\$?[a-z]\s*(?:\\neq?|≠|!=)[^=<>]*$"
)
COUNT = re.compile(r"(\$?\d[\d,.]*(?<=\d)) ((?!or\b)[A-Za-z][A-Za-z -]*)")
PART = re.compile(r"(?:^|(?<=[\s,;]))\([a-e]\)\s*")
SECTION = re.compile(r"(?m)^\W{0,4}\([a-e]\)\W{0,3}(?=\s)")
TERM = re.compile(r"\([^()]*\)|-?\d+(?:\.\d+)?|[A-Za-z]{2,}")
SPACES = re.compile(r"(?:\\left|\\right)?\s*([-=+*/^(){}\\,_|])\s*")
FORMULA = re.compile(r"[\\^=+/*\[\]{}<>|°%]")
YES = re.compile(r"(yes|no|true|false)[,;.:] ", re.I)
CONSTANT = re.compile(r"(?<![A-Za-z\\])[A-DK](?=e\s*\^|[^A-Za-z]|$)")
LINKS = frozenset(("the", "is", "and", "are", "an", "of", "at", "with"))
OPEN = re.compile(r"\\(?:int|sum|lim|prod)\b|∫|∑")
CLOSING = 200
FORMULAS = re.compile(r"\$([^$]+)\$")
COMPOSED = frozenset(("add", "mul", "div", "pow", "root", "call"))


class Gold(NamedTuple):
    """A ground truth: its text, its value where it is a plain rational, why it cannot be used."""

    text: str
    plain: tuple[Any, bool] | None = None
    fault: str | None = None
    hard: bool = False


def _measured(gold: Gold, node: Node, problem: Problem) -> bool | None:
    """Whether a quantity is the ground truth in the unit that the question asks for.

    None where the question, or the answer, names none, or the ground truth has one of its own.
    """
    unit = asked.unit(asked.question_of(problem.text)) if gold.plain else ""
    if not unit or node.op != "quantity" or len(node.value.dimensions) != 1:
        return None
    from verifiers.maths.compare import equal

    if meaning(gold.text).op == "quantity":
        return None
    return equal(meaning(f"{gold.text} {unit}"), node, False)


def decide(gold: Gold, found: Found, problem: Problem) -> tuple[bool, str]:
    """Whether the answer is right, also as a printed option or as the value of an open sum."""
    if named := _named(found, problem):
        same, engine = decide(gold, named, problem)
        if same:
            return same, engine
    try:
        same, engine = _compare(gold, found, problem)
        if not same and (option := _option(gold, found, problem)):
            return _compare(option[0], found._replace(text=option[1]), problem)
        same = same or _piecewise(gold, found, problem)
        return same or _renamed(gold, found, problem), engine
    except (TooHard, RecursionError):
        sign, _, last = found.text.rpartition("=")
        if not OPEN.search(sign) or not _compare(gold, found._replace(text=last), problem)[0]:
            raise
        return True, "symbolic"


def _named(found: Found, problem: Problem) -> Found | None:
    """What an answer says of an expression that the question names, such as `|3+4i| = 5`."""
    left, sign, right = found.text.partition("=")
    if not sign:
        return None
    name, asked = (SPACES.sub(r"\1", part) for part in (left.strip(" $"), problem.text))
    alone = rf"(?<![\w+\-*/^]){re.escape(name)}(?![\w+\-*/^=<>({{])"
    if len(name) < 2 or name.isdigit():
        return None
    if not re.search(alone, asked) and not _asked_for(left, problem):
        return None
    return found._replace(text=right.strip(" $"))


def _asked_for(left: str, problem: Problem) -> bool:
    """Whether `left` is a formula of the question in another spelling: x³ for $x^3$."""
    question = asked.question_of(problem.text)
    formulas = [formula[1].strip() for formula in FORMULAS.finditer(question)]
    if not formulas or len(left) > CLOSING or (mine := meaning(left)).op not in COMPOSED:
        return False
    return any(meaning(one) == mine for one in formulas if len(one) <= CLOSING)


def _piecewise(gold: Gold, found: Found, problem: Problem) -> bool:
    """Whether an answer in parts, or in words around several values, is right in each of them."""
    mine, yours = _parts(gold.text), _parts(found.text)
    if len(mine) > 1:
        return len(mine) == len(yours) and all(
            _compare(ground(one), found._replace(text=other), problem)[0]
            for one, other in zip(mine, yours, strict=True)
        )
    terms = _terms(gold.text)
    values = sum(not term.isalpha() for term in terms)
    return 0 < values < len(terms) and terms == _terms(found.text)


def _renamed(gold: Gold, found: Found, problem: Problem) -> bool:
    """Whether an answer is right but for the name of its arbitrary constant."""
    mine, yours = (set(CONSTANT.findall(text)) for text in (gold.text, found.text))
    if len(mine - yours) != 1 or len(yours - mine) != 1 or "general" not in problem.text.lower():
        return False
    (name,), (other,) = mine - yours, yours - mine
    text = CONSTANT.sub(lambda m: name if m[0] == other else m[0], found.text)
    return _compare(gold, found._replace(text=text), problem)[0]


def _parts(text: str) -> list[str]:
    """The parts of an answer such as "(a) 2; (b) 3" or "2 s; 3 m"."""
    pieces = PART.split(text)[1:] or text.split(";")
    return [piece.strip(" ,;.") for piece in pieces]


def _terms(text: str) -> list[str]:
    """The words and bracketed or plain numbers of a text, in order; none of a formula."""
    plain = TEXT.sub(r" \1 ", text.replace("−", "-")).replace("$", " ")
    if FORMULA.search(plain):
        return []
    terms = [term.replace(" ", "").lower() for term in TERM.findall(plain)]
    return [term for term in terms if term not in LINKS]


def worded(gold: Gold, text: str) -> Found | None:
    """What a text states, where that is a ground truth that is no number: in its last sentence,
    or value by value where each has a name."""
    if gold.plain or gold.hard or not text.strip():
        return None
    mine = meaning(gold.text)
    if mine.op in VALUES:
        return None
    seen = visible(text)
    if (pairs := labelled.labels(_terms(gold.text))) and (span := labelled.stated(pairs, seen)):
        said = ", ".join(f"{name} {value}" for name, value in pairs.items())
        place = text.rfind(seen)
        return Found(said, "prose", False, (place + span[0], place + span[1]))
    from verifiers.maths.compare import equal

    for end in closing(seen):
        for said in (end, PREDICATE.sub("", end)) if 0 < len(end) <= CLOSING else ():
            place = text.rfind(said)
            stands = place >= 0 and equal(mine, meaning(said), False)
            if stands and scope.asserted(text, place, place + len(said)):
                return Found(said, "prose", False, (place, place + len(said)))
    return None


def in_parts(gold: Gold, text: str, problem: Problem) -> Found | None:
    """The answers of the parts (a), (b) of a text, where the ground truth has them too."""
    seen = visible(text)
    mine, pieces = PART.split(gold.text)[1:], SECTION.split(seen)[1:]
    if len(mine) < 2 or len(mine) != len(pieces):
        return None
    answers = []
    for one, piece in zip(mine, pieces, strict=True):
        said = (extract(part, reads) for part in (piece, piece.strip().rpartition("\n\n")[0]))
        part = ground(one.strip(" ,;."))
        right = next((f for f in said if f and _compare(part, f, problem)[0]), None)
        if right is None:
            return None
        answers.append(right.text)
    start = text.rfind(seen)
    return Found("; ".join(answers), "prose", False, (start, start + len(seen)))


def _option(gold: Gold, found: Found, problem: Problem) -> tuple[Gold, str] | None:
    """Ground truth and answer as values, where one is the letter of a choice that was printed."""
    options = printed(problem.text) if problem.text else {}
    if not options:
        return None
    mine = LETTER.fullmatch(TEXT.sub(r"\1", gold.text))
    yours = LETTER.fullmatch(TEXT.sub(r"\1", found.text))
    if bool(mine) == bool(yours) or (yours and found.how == "prose"):
        return None
    letter = (mine or yours)[1]  # type: ignore[index]
    if letter not in options:
        return None
    value = options[letter].strip("$")
    return (ground(value), found.text) if mine else (gold, value)


@lru_cache(maxsize=8192)
def ground(answer: str) -> Gold:
    """A ground truth, read once: behind its final marker where it is a whole solution."""
    text = answer.strip()
    if len(text) > LONGEST:
        return Gold("", fault=f"the answer is longer than {LONGEST:,} characters")
    plain = rational.read(text)
    if plain is None and text:
        found = marked(text)
        text = found.text if found else text
        plain = rational.read(text)
    if plain is not None:
        return Gold(text, plain)
    if not text:
        return Gold(text, fault="the answer is empty")
    try:
        node = meaning(text)
    except TooHard:
        return Gold(text, hard=True)
    if node.op == "false":
        return Gold(text, fault="the answer contradicts itself")
    if node.op == "raw":
        from verifiers.maths import fallback

        if not fallback.readable(text):
            return Gold(text, fault="the answer cannot be read")
    return Gold(text)


def meaning(text: str, thousands: bool | None = None) -> Node:
    """What a text means as mathematics. Raises TooHard."""
    from verifiers.maths.answers import read
    from verifiers.maths.resolve import resolve

    try:
        return resolve(read(text, thousands))
    except RecursionError as error:
        raise TooHard("nested too deeply") from error


def reads(text: str) -> bool:
    """Whether a text is mathematics by itself."""
    if rational.read(text) is not None:
        return True
    try:
        return bool(meaning(text).op not in WORDY)
    except TooHard:
        return True


def _asks_percent(problem: Problem) -> bool:
    """Whether the question is about a percentage, so that 50 means 50%."""
    return PERCENT.search(problem.text) is not None


def _compare(gold: Gold, found: Found, problem: Problem) -> tuple[bool, str]:
    """Whether the answer is right, and by what means that was decided."""
    plain = rational.read(found.text)
    if plain is not None and gold.plain is not None:
        same = plain[0] == gold.plain[0]
        if same or plain[1] == gold.plain[1] or not _asks_percent(problem):
            return same, "rational"
    from verifiers.maths.compare import equal
    from verifiers.maths.tidy import tidy

    node = meaning(found.text)
    if node.op == "false" and found.text.count("%") == 1 and _asks_percent(problem):
        node = meaning(found.text.replace("%", ""))
    if (
        (found.clause or found.how == "tagged")
        and node.op in WORDY
        and re.search(r"\d", found.text)
    ):
        told = result(found.text, reads)
        if told and told != found.text:
            return _compare(gold, found._replace(text=told, clause=False), problem)
    if node.op != "false" and tidy(found.text) == tidy(gold.text):
        return True, "text"
    if gold.hard:
        raise TooHard("the ground truth is too big")
    mine = meaning(gold.text)
    if mine.op == "raw":
        from verifiers.maths import fallback

        return fallback.equal(gold.text, found.text), "math-verify"
    percent = _asks_percent(problem)
    engine = "text" if mine.op in ("words", "choice") else "symbolic"
    if equal(mine, node, percent):
        return _measured(gold, node, problem) is not False, engine
    counted = COUNT.fullmatch(found.text.rpartition("=")[2].strip())
    if counted and asked.counts(counted[2], problem.text):
        same = equal(mine, meaning(counted[1]), percent)
        worked = "=" in found.text  # in another unit than was asked for: a step on the way
        return same or (not worked and _measured(gold, node, problem) is True), engine
    if _measured(gold, node, problem):
        return True, engine
    if (bare := CONDITION.sub(r"\1", found.text)) != found.text and not CONDITION.search(gold.text):
        return _compare(gold, found._replace(text=bare), problem)
    if engine == "text":
        named = [trimmed(found.text), PREDICATE.sub("", trimmed(found.text))]
        named += [first[1]] if (first := YES.match(found.text)) else []
        return any(equal(mine, meaning(text), percent) for text in named), engine
    last = found.text.rpartition("=")[2] if node.op in VALUES else found.text
    if last != found.text and equal(mine, meaning(last), percent):
        return True, engine
    if mine.op == "list" and "," in found.text:
        return equal(mine, meaning(found.text, False), percent), engine
    if mine.op in VALUES and mine.op != "big":
        from verifiers.maths.respell import respellings

        others = respellings(tidy(found.text))
        return any(equal(mine, meaning(other), percent) for other in others), engine
    return False, engine
