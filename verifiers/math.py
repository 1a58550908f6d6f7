"""`math`: the final answer of a text, compared with the ground truth as mathematics.

docs/math.md lists the policies. The answer is found by `verifiers.extract`, or with the ground
truth in hand by `verifiers.maths.known`; `verifiers.maths.decide` has it read and compared, plain
numbers and fractions on a fast path. Nothing in a text is ever evaluated as code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from verifiers.explain import short
from verifiers.extract import Found, extract, said, sentence
from verifiers.maths.decide import decide
from verifiers.maths.ground import Gold, ground, reads
from verifiers.maths.known import added, in_parts, polar, solved, worded
from verifiers.maths.labelled import TEXT
from verifiers.maths.node import TooHard
from verifiers.records import Problem, Verdict

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
UNMARKED = ("prose", "whole")
BINARY = ("yes", "no", "true", "false")
ENGINES = {
    "rational": "as exact fractions",
    "text": "as text",
    "symbolic": "as mathematics",
    "math-verify": "by math-verify",
}


class Math:
    """Correct where the final answer of the text equals the ground truth as mathematics."""

    version = "32"
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
        return ground(_text(problem.answer)).fault

    def verify(self, problem: Problem, text: str) -> Verdict:
        """Find the answer of `text` and compare it."""
        gold = ground(_text(problem.answer))
        if gold.fault:
            return Verdict(status="undecided", reason="bad_gold", detail=gold.fault)
        found: Found | None = None
        try:
            found = _find(gold, text, problem)
            same, engine = decide(gold, found, problem) if found else (False, "")
            for other in _others(gold, found, text, problem) if not same else ():
                decided = decide(gold, other, problem)
                if decided[0]:
                    found, (same, engine) = other, decided
                    break
        except (TooHard, RecursionError) as error:
            at = found or Found("", "prose")
            return Verdict(
                status="undecided", reason="timeout", detail=str(error), span=at.span,
                extracted=at.text, method=f"{at.how}/guard",
                why=f"{PLACES[at.how]} holds what would take too long to compare",
            )  # fmt: skip
        if found is None:
            return Verdict(status="wrong", reason="no_answer", why=NO_ANSWER)
        return Verdict(
            status="correct" if same else "wrong",
            score=float(same),
            reason="" if same else "different",
            extracted=found.text,
            span=found.span,
            method=f"{found.how}/{engine}",
            why=f"{PLACES[found.how]} {'equals' if same else 'differs from'} the ground truth "
            f"{short(gold.text)}, compared {ENGINES[engine]}",
        )

    def vote(self, problem: Problem, text: str) -> str | None:
        """What the text answers, as a ground truth; None where it gives no answer."""
        found = extract(text, reads)
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


def _find(gold: Gold, text: str, problem: Problem) -> Found | None:
    """The answer in a text, which may be what it says of the parts or words of a ground truth."""
    found = in_parts(gold, text, problem) or extract(text, reads, problem.text)
    if found is not None and found.how not in UNMARKED:
        return found
    binary = TEXT.sub(r"\1", gold.text).casefold() in BINARY
    told = (said(text) or polar(text, problem.text)) if binary else None
    return worded(gold, text, problem) or told or found


def _others(gold: Gold, found: Found | None, text: str, problem: Problem) -> Iterator[Found]:
    """What else a text without a marked answer says, where it is no answer as a whole."""
    if found is not None and found.how not in UNMARKED:
        return
    if found is not None and found.how == "whole" and (said := sentence(text, reads, problem.text)):
        yield said
    yield from filter(None, (added(gold, text, problem), solved(gold, text, problem)))


def _text(answer: Any) -> str:
    return "" if answer is None else str(answer)
