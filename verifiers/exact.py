"""`exact`: the text equals the ground truth, blanks folded."""

from __future__ import annotations

import unicodedata

from verifiers.explain import short
from verifiers.golds import plain
from verifiers.records import Problem, Verdict
from verifiers.visible import visible

COMPOSED = 10_000
"""Longer texts are compared as they are: the time of composing marks grows as their square."""


class Exact:
    """Correct where text and answer are the same after folding white space.

    Only what follows the last `</think>` counts, unless the answer itself speaks of it. Characters
    are compared in their composed form (NFC).

    `case`: False ignores upper and lower case.
    """

    version = "2"
    trust = "pure"
    gold_type = "text"
    examples = (
        ({"prompt": "Say hello.", "answer": "hello"}, " hello\n", "correct"),
        ({"prompt": "Say hello.", "answer": "hello"}, "<think>hm</think>hello", "correct"),
        ({"prompt": "Say hello.", "answer": "hello"}, "hello there", "wrong"),
        ({"prompt": "Say hello.", "answer": "hello"}, "", "wrong"),
    )

    def __init__(self, case: bool = True):
        self.case = case

    def _fold(self, text: str) -> str:
        composed = text.isascii() or len(text) > COMPOSED
        folded = text if composed else unicodedata.normalize("NFC", text)
        return folded if self.case else folded.casefold()

    def check_gold(self, problem: Problem) -> str | None:
        """A gold must be a text with something in it."""
        return None if plain(problem.answer).strip() else "the answer is empty"

    def vote(self, problem: Problem, text: str) -> str | None:
        """What the text answers, as a ground truth; None where it is empty."""
        return " ".join(visible(text).split()) or None

    def verify(self, problem: Problem, text: str) -> Verdict:
        """Compare the whole text."""
        gold = " ".join(plain(problem.answer).split())
        said = text if "think>" in gold else visible(text)
        mine = " ".join(said.split())
        if not mine:
            return Verdict(status="wrong", reason="no_answer", method="exact", why="it is empty")
        same = mine == gold or self._fold(mine) == self._fold(gold)
        start = text.rfind(said) + len(said) - len(said.lstrip())
        folded = "blanks" if self.case else "blanks and case"
        return Verdict(
            status="correct" if same else "wrong",
            score=float(same),
            reason="" if same else "different",
            extracted=mine,
            span=(start, start + len(said.strip())),
            method="exact",
            why=f"the whole text {'is' if same else 'is not'} {short(gold)!r}, {folded} folded",
        )
