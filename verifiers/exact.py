"""`exact`: the text equals the ground truth, blanks folded."""

from __future__ import annotations

from typing import Any

from verifiers.explain import short
from verifiers.records import Problem, Verdict


class Exact:
    """Correct where text and answer are the same after folding white space.

    `case`: False ignores upper and lower case.
    """

    version = "1"
    trust = "pure"
    gold_type = "text"
    examples = (
        ({"prompt": "Say hello.", "answer": "hello"}, " hello\n", "correct"),
        ({"prompt": "Say hello.", "answer": "hello"}, "hello there", "wrong"),
        ({"prompt": "Say hello.", "answer": "hello"}, "", "wrong"),
    )

    def __init__(self, case: bool = True):
        self.case = case

    def _fold(self, text: str) -> str:
        folded = " ".join(text.split())
        return folded if self.case else folded.casefold()

    def check_gold(self, problem: Problem) -> str | None:
        """A gold must be a text with something in it."""
        return None if str(_plain(problem.answer)).strip() else "the answer is empty"

    def verify(self, problem: Problem, text: str) -> Verdict:
        """Compare the whole text."""
        mine, gold = self._fold(text), self._fold(str(_plain(problem.answer)))
        if not mine:
            return Verdict(status="wrong", reason="no_answer", method="exact", why="it is empty")
        same = mine == gold
        start = len(text) - len(text.lstrip())
        folded = "blanks" if self.case else "blanks and case"
        return Verdict(
            status="correct" if same else "wrong",
            score=float(same),
            reason="" if same else "different",
            extracted=mine[:500],
            span=(start, len(text.rstrip())),
            method="exact",
            why=f"the whole text {'is' if same else 'is not'} {short(gold)!r}, {folded} folded",
        )


def _plain(answer: Any) -> Any:
    return "" if answer is None else answer
