"""`puzzle`: reasoning-gym's own checkers, run in the box, because several execute the answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from verifiers.base import VerifierError
from verifiers.box.order import Child
from verifiers.boxed import Boxed, fault
from verifiers.extract import marked
from verifiers.marks import PHRASE
from verifiers.records import Problem, Verdict
from verifiers.visible import visible

LONGEST = 100_000
"""Characters of an answer; more is no answer to a puzzle."""
SUM = {
    "dataset": "chain_sum",
    "entry": {"question": "State the final answer: 4 + 3 =", "answer": "7", "metadata": {}},
}


class Puzzle(Boxed):
    """Correct where reasoning-gym's checker of the problem's data set gives the full score.

    Part of the score stands in the verdict of a wrong answer. The answer is what stands in the last
    `<answer>` tag or box, else what follows "the answer is", else the whole text.
    """

    version = "2"
    gold_type = "json"
    preload = ("reasoning_gym",)
    examples = (
        ({"prompt": "4 + 3 = ?", "answer": SUM}, "<answer>7</answer>", "correct"),
        ({"prompt": "4 + 3 = ?", "answer": SUM}, "The answer is 7.", "correct"),
        ({"prompt": "4 + 3 = ?", "answer": SUM}, "8", "wrong"),
        ({"prompt": "4 + 3 = ?", "answer": SUM}, "", "wrong"),
    )

    def __init__(self, **limits: Any):
        if find_spec("reasoning_gym") is None:
            raise VerifierError("reasoning-gym is not installed: pip install reasoning-gym")
        super().__init__(**limits)

    def check_gold(self, problem: Problem) -> str | None:
        """Why the entry cannot be used, or None."""
        gold = problem.answer
        if not isinstance(gold, Mapping) or not isinstance(gold.get("dataset"), str):
            return "the answer must be an object with `dataset` and `entry`"
        entry = gold.get("entry")
        return None if isinstance(entry, Mapping) and "answer" in entry else "`entry` has no answer"

    def verify(self, problem: Problem, text: str) -> Verdict:
        """Score the answer of `text`."""
        answer, span = _answer(text)
        if not answer:
            return self.verdict("wrong", "no_answer", "the text is empty")
        if len(answer) > LONGEST:
            return self.verdict(
                "wrong", "output", f"the answer is longer than {LONGEST:,} characters"
            )
        gold = problem.answer
        task = {"dataset": gold["dataset"], "entry": gold["entry"], "answer": answer}
        outcome = self.box().run([Child("puzzle", task)], self.limits)
        said = outcome.messages[0] if outcome.messages else {}
        if outcome.why or not said:
            verdict = self.verdict("wrong", *self.stopped(outcome))
        elif "bad" in said:
            why = f"reasoning-gym cannot check {gold['dataset']!r}: {fault(said['bad'])[1]}"
            verdict = self.verdict("undecided", "bad_gold", why)
        elif "score" not in said:
            why = f"the checker cannot read it ({fault(said)[1]})"
            verdict = self.verdict("wrong", "different", why)
        else:
            verdict = self._scored(gold["dataset"], said["score"])
        verdict.extracted, verdict.span, verdict.method = answer, span, "reasoning-gym"
        return verdict

    def _scored(self, dataset: str, value: Any) -> Verdict:
        score = min(1.0, max(0.0, float(value)))
        why = f"the checker of {dataset!r} gives {json.dumps(score)}"
        if value == 1.0:  # a sum of parts may round to more
            return self.verdict("correct", "", why)
        return self.verdict("wrong", "different", why, score=score)


def _answer(text: str) -> tuple[str, tuple[int, int] | None]:
    """The answer of a text, and where it stands."""
    shown = visible(text)
    found = marked(shown)
    start = text.rfind(shown) if shown else 0
    whole = shown.strip()
    at = start + len(shown) - len(shown.lstrip())
    if found is None:
        return whole, (at, at + len(whole)) if whole else None
    answer, span = found.text, found.span
    if span and (phrase := PHRASE.match(shown, span[0])):  # `**` was taken for bold
        answer = shown[phrase.end() :].strip().removesuffix(".")
        begin = shown.find(answer, phrase.end())
        return answer, (start + begin, start + begin + len(answer))
    rest = shown[span[1] :].strip(" .\t\r\n*") if span and found.how == "phrase" else ""
    if rest:
        answer = shown[span[0] :].strip()
        span = (span[0], span[0] + len(answer))
    return answer, (start + span[0], start + span[1]) if span else None
