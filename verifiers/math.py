"""`math`: the final answer of a text, compared with the ground truth as mathematics.

docs/math.md lists the policies. The answer is found by `verifiers.extract`, read by
`verifiers.maths.answers` and compared by `verifiers.maths.compare`; plain numbers and fractions
take a fast path. Nothing in a text is ever evaluated as code.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

from verifiers import asked, scope
from verifiers.choices.options import printed
from verifiers.explain import short
from verifiers.extract import Found, extract, marked, said, visible
from verifiers.maths import rational
from verifiers.maths.node import Node, TooHard
from verifiers.maths.vocabulary import VALUES, WORDY
from verifiers.prose import closing, result, trimmed
from verifiers.records import Problem, Verdict

PERCENT = re.compile(
    r"\b(?:what|which|how many|as an?|in|find the|calculate the|by what)\s+(?:\w+\s+){0,2}percent",
    re.I,
)
SHOWN = 500
LONGEST = 200_000
NO_ANSWER = "no final answer: no closed box or tag, no marked line, no sentence that states one"
PLACES = {
    "boxed": "the last box",
    "tagged": "the last answer tag",
    "marker ####": "what follows the last ####",
    "marker A:": "what follows the last A:",
    "phrase": 'what follows the last "the answer is"',
    "prose": "what the last asserting sentence states",
    "whole": "the whole text",
}
PLACES |= {f"prose after {how}": "what takes the answer before it back" for how in PLACES}
TEXT = re.compile(r"\\(?:text|mathrm|textbf)\s*\{([^{}]*)\}")
PREDICATE = re.compile(
    r"^.*\b(?:is|are|was|equals|(?:falls?|lands?) on|comes)\s+(?:always |\w+ly |an? )?(?!not\b)"
    r"|^.*\bhas\s+(?=no\b)|^(?:the|this|it) (?:\w+ )?(?=(?:con|di)verges)",
    re.I,
)
LETTER = re.compile(r"[\s$*(]*([A-J])[\s$*).:]*")
CONDITION = re.compile(
    r"(?<==)([^=<>≤≥]*?),?\s*(?:\\q?quad\s*|\\text\s*\{[^{}]*\}|\bfor\b|\bwhere\b|\bwith\b|\()*\s*"
    r"\$?[a-z]\s*(?:\\neq?|≠|!=)[^=<>]*$"
)
COUNT = re.compile(r"(\$?\d[\d,.]*(?<=\d)) ((?!or\b)[A-Za-z][A-Za-z -]*)")
OPEN = re.compile(r"\\(?:int|sum|lim|prod)\b|∫|∑")
CLOSING = 200
UNMARKED = ("prose", "whole")
BINARY = ("yes", "no", "true", "false")
ENGINES = {
    "rational": "as exact fractions",
    "text": "as text",
    "symbolic": "as mathematics",
    "math-verify": "by math-verify",
}


class _Gold(NamedTuple):
    """A ground truth: its text, its value where it is a plain rational, why it cannot be used."""

    text: str
    plain: tuple[Any, bool] | None = None
    fault: str | None = None
    hard: bool = False


class Math:
    """Correct where the final answer of the text equals the ground truth as mathematics."""

    version = "11"
    trust = "pure"
    gold_type = "text"
    examples = (
        (
            {"prompt": "What is 1/2 + 1/4?", "answer": "3/4"},
            r"So it is \boxed{\frac{3}{4}}.",
            "correct",
        ),
        ({"prompt": "What is 1/2 + 1/4?", "answer": "3/4"}, "The answer is 0.75.", "correct"),
        ({"prompt": "What is 1/3?", "answer": "1/3"}, "The answer is 0.33.", "wrong"),
        ({"prompt": "Solve x^2 = 4.", "answer": r"\pm 2"}, r"\boxed{2}", "wrong"),
        ({"prompt": "What is 2 + 2?", "answer": "4"}, r"\boxed{2+2=4=5}", "wrong"),
        ({"prompt": "What is 2 + 2?", "answer": "4"}, "I do not know.", "wrong"),
    )

    def check_gold(self, problem: Problem) -> str | None:
        """Why the ground truth cannot be used, or None."""
        return _gold(_text(problem.answer)).fault

    def verify(self, problem: Problem, text: str) -> Verdict:
        """Find the answer of `text` and compare it."""
        gold = _gold(_text(problem.answer))
        if gold.fault:
            return Verdict(status="undecided", reason="bad_gold", detail=gold.fault)
        found = extract(text, _reads, problem.text)
        if TEXT.sub(r"\1", gold.text).casefold() in BINARY and (
            found is None or found.how in UNMARKED
        ):
            found = said(text) or found
        if (found is None or found.how in UNMARKED) and (last := _worded(gold, text)):
            found = last
        if found is None:
            return Verdict(status="wrong", reason="no_answer", why=NO_ANSWER)
        try:
            same, engine = _decide(gold, found, problem)
        except (TooHard, RecursionError) as error:
            return Verdict(
                status="undecided", reason="timeout", detail=str(error), span=found.span,
                extracted=found.text[:SHOWN], method=f"{found.how}/guard",
                why=f"{PLACES[found.how]} holds what would take too long to compare",
            )  # fmt: skip
        return Verdict(
            status="correct" if same else "wrong",
            score=float(same),
            reason="" if same else "different",
            extracted=found.text[:SHOWN],
            span=found.span,
            method=f"{found.how}/{engine}",
            why=f"{PLACES[found.how]} {'equals' if same else 'differs from'} the ground truth "
            f"{short(gold.text)}, compared {ENGINES[engine]}",
        )

    def vote(self, problem: Problem, text: str) -> str | None:
        """What the text answers, as a ground truth; None where it gives no answer."""
        found = extract(text, _reads)
        return found.text if found else None

    def solve(self, prompt: str) -> str | None:
        """The ground truth of a prompt that is an expression, such as `3 + 4 * 2=?`, or None."""
        expression, asked, rest = prompt.strip().rpartition("=")
        if not asked or rest.strip() not in ("", "?") or not re.search(r"\d", expression):
            return None
        from verifiers.maths import exact
        from verifiers.maths.answers import read

        try:
            return str(exact.evaluate(read(expression), {}))
        except (exact.Inexact, exact.Undefined, TooHard, RecursionError, KeyError):
            return None


def _measured(gold: _Gold, node: Node, problem: Problem) -> bool | None:
    """Whether a quantity is the ground truth in the unit that the question asks for.

    None where the question, or the answer, names none, or the ground truth has one of its own.
    """
    unit = asked.unit(asked.question_of(problem.text)) if gold.plain else ""
    if not unit or node.op != "quantity" or len(node.value.dimensions) != 1:
        return None
    from verifiers.maths.compare import equal

    if _meaning(gold.text).op == "quantity":
        return None
    return equal(_meaning(f"{gold.text} {unit}"), node, False)


def _decide(gold: _Gold, found: Found, problem: Problem) -> tuple[bool, str]:
    """Whether the answer is right, also as a printed option or as the value of an open sum."""
    try:
        same, engine = _compare(gold, found, problem)
        if not same and (option := _option(gold, found, problem)):
            return _compare(option[0], found._replace(text=option[1]), problem)
        return same, engine
    except (TooHard, RecursionError):
        sign, _, last = found.text.rpartition("=")
        if not OPEN.search(sign) or not _compare(gold, found._replace(text=last), problem)[0]:
            raise
        return True, "symbolic"


def _worded(gold: _Gold, text: str) -> Found | None:
    """The end of the last sentence, where it is a ground truth that is no number."""
    if gold.plain or gold.hard or not text.strip():
        return None
    mine = _meaning(gold.text)
    if mine.op in VALUES:
        return None
    from verifiers.maths.compare import equal

    for end in closing(visible(text)):
        place = text.rfind(end)
        said = PREDICATE.sub("", end)
        same = 0 < len(end) <= CLOSING and any(
            equal(mine, _meaning(one), False) for one in (end, said)
        )
        if same and place >= 0 and scope.asserted(text, place, place + len(end)):
            return Found(said, "prose", False, (place, place + len(end)))
    return None


def _option(gold: _Gold, found: Found, problem: Problem) -> tuple[_Gold, str] | None:
    """Ground truth and answer as values, where one is the letter of a choice that was printed."""
    options = printed(problem.text)
    mine = LETTER.fullmatch(TEXT.sub(r"\1", gold.text))
    yours = LETTER.fullmatch(TEXT.sub(r"\1", found.text))
    if not options or bool(mine) == bool(yours) or (yours and found.how == "prose"):
        return None
    letter = (mine or yours)[1]  # type: ignore[index]
    if letter not in options:
        return None
    value = options[letter].strip("$")
    return (_gold(value), found.text) if mine else (gold, value)


def _text(answer: Any) -> str:
    return "" if answer is None else str(answer)


@lru_cache(maxsize=8192)
def _gold(answer: str) -> _Gold:
    """A ground truth, read once: behind its final marker where it is a whole solution."""
    text = answer.strip()
    if len(text) > LONGEST:
        return _Gold("", fault=f"the answer is longer than {LONGEST:,} characters")
    plain = rational.read(text)
    if plain is None and text:
        found = marked(text)
        text = found.text if found else text
        plain = rational.read(text)
    if plain is not None:
        return _Gold(text, plain)
    if not text:
        return _Gold(text, fault="the answer is empty")
    try:
        node = _meaning(text)
    except TooHard:
        return _Gold(text, hard=True)
    if node.op == "false":
        return _Gold(text, fault="the answer contradicts itself")
    if node.op == "raw":
        from verifiers.maths import fallback

        if not fallback.readable(text):
            return _Gold(text, fault="the answer cannot be read")
    return _Gold(text)


def _meaning(text: str, thousands: bool | None = None) -> Node:
    from verifiers.maths.answers import read
    from verifiers.maths.resolve import resolve

    try:
        return resolve(read(text, thousands))
    except RecursionError as error:
        raise TooHard("nested too deeply") from error


def _reads(text: str) -> bool:
    """Whether a text is mathematics by itself."""
    if rational.read(text) is not None:
        return True
    try:
        return bool(_meaning(text).op not in WORDY)
    except TooHard:
        return True


def _asks_percent(problem: Problem) -> bool:
    """Whether the question is about a percentage, so that 50 means 50%."""
    return PERCENT.search(problem.text) is not None


def _compare(gold: _Gold, found: Found, problem: Problem) -> tuple[bool, str]:
    """Whether the answer is right, and by what means that was decided."""
    plain = rational.read(found.text)
    if plain is not None and gold.plain is not None:
        same = plain[0] == gold.plain[0]
        if same or plain[1] == gold.plain[1] or not _asks_percent(problem):
            return same, "rational"
    from verifiers.maths.compare import equal
    from verifiers.maths.tidy import tidy

    node = _meaning(found.text)
    if found.clause and node.op in WORDY and re.search(r"\d", found.text):
        told = result(found.text, _reads)
        if told and told != found.text:
            return _compare(gold, found._replace(text=told, clause=False), problem)
    if node.op != "false" and tidy(found.text) == tidy(gold.text):
        return True, "text"
    if gold.hard:
        raise TooHard("the ground truth is too big")
    mine = _meaning(gold.text)
    if mine.op == "raw":
        from verifiers.maths import fallback

        return fallback.equal(gold.text, found.text), "math-verify"
    percent = _asks_percent(problem)
    engine = "text" if mine.op in ("words", "choice") else "symbolic"
    if equal(mine, node, percent):
        return _measured(gold, node, problem) is not False, engine
    counted = COUNT.fullmatch(found.text.rpartition("=")[2].strip())
    if counted and asked.counts(counted[2], problem.text):
        return equal(mine, _meaning(counted[1]), percent), engine
    if _measured(gold, node, problem):
        return True, engine
    if (bare := CONDITION.sub(r"\1", found.text)) != found.text and not CONDITION.search(gold.text):
        return _compare(gold, found._replace(text=bare), problem)
    if engine == "text":
        named = (trimmed(found.text), PREDICATE.sub("", trimmed(found.text)))
        return any(equal(mine, _meaning(text), percent) for text in named), engine
    last = found.text.rpartition("=")[2] if node.op in VALUES else found.text
    if last != found.text and equal(mine, _meaning(last), percent):
        return True, engine
    if mine.op == "list" and "," in found.text:
        return equal(mine, _meaning(found.text, False), percent), engine
    if mine.op in VALUES and mine.op != "big":
        from verifiers.maths.respell import respellings

        others = respellings(tidy(found.text))
        return any(equal(mine, _meaning(other), percent) for other in others), engine
    return False, engine
