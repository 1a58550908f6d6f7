"""`instructions`: constraints on a response that can be checked by rule (IFEval, arXiv 2311.07911).

docs/verifiers.md states what each constraint counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from verifiers.constraints import CONSTRAINTS, read
from verifiers.golds import structured
from verifiers.records import Problem, Verdict
from verifiers.visible import visible


class Instructions:
    """Correct where every constraint of the ground truth holds; the score is their share.

    The ground truth is a list of `{"id": ..., "kwargs": {...}}`. `loose` takes a constraint as
    satisfied where it holds without asterisks, or without the first or the last line.
    """

    version = "1"
    trust = "pure"
    gold_type = "json"
    examples = (
        ({"prompt": "p", "answer": [{"id": "detectable_format:title", "kwargs": {}}]},
         "<<On bees>>\nThey dance.", "correct"),
        ({"prompt": "p", "answer": [{"id": "detectable_format:title", "kwargs": {}}]},
         "On bees\nThey dance.", "wrong"),
        ({"prompt": "p", "answer": [
            {"id": "keywords:frequency",
             "kwargs": {"keyword": "bee", "frequency": 2, "relation": "at least"}},
            {"id": "punctuation:no_comma", "kwargs": {}}]},
         "A bee sees a bee.", "correct"),
        ({"prompt": "p", "answer": [{"id": "punctuation:no_comma", "kwargs": {}}]}, "", "wrong"),
    )  # fmt: skip

    def __init__(self, loose: bool = False):
        if not isinstance(loose, bool):
            raise ValueError(f"loose must be true or false, not {loose!r}")
        self.loose = loose

    def check_gold(self, problem: Problem) -> str | None:
        """Every instruction must be known, with all its arguments and no others."""
        try:
            _instructions(problem)
        except ValueError as error:
            return str(error)
        return None

    def verify(self, problem: Problem, text: str) -> Verdict:
        """Check every constraint, also where an id occurs more than once."""
        response = visible(text)
        if not response.strip():
            return Verdict(
                status="wrong", reason="no_answer", method="rules", why="the response is empty"
            )
        wanted = _instructions(problem)
        failed = []
        for name, args in wanted:
            right, said = CONSTRAINTS[name].check(response, args)
            if not right and self.loose:
                right = any(CONSTRAINTS[name].check(v, args)[0] for v in _variants(response))
            if not right:
                failed.append(f"{name} ({said})")
        share = f"{len(wanted) - len(failed)} of {len(wanted)} constraints hold"
        return Verdict(
            status="wrong" if failed else "correct",
            score=1 - len(failed) / len(wanted),
            reason="different" if failed else "",
            method="rules/loose" if self.loose else "rules/strict",
            why=f"{share}; failed: {'; '.join(failed)}"[:1000] if failed else share,
        )


def _instructions(problem: Problem) -> list[tuple[str, dict[str, Any]]]:
    entries = structured(problem.answer)
    if not isinstance(entries, list) or not entries:
        raise ValueError("the ground truth must be a list of instructions, each with id and kwargs")
    return [read(entry) for entry in entries]


def _variants(text: str) -> Iterator[str]:
    """The text without its first line, its last, both, and each of these without asterisks."""
    lines = text.strip().split("\n")
    for part in (lines, lines[1:], lines[:-1], lines[1:-1]):
        joined = "\n".join(part).strip()
        for variant in (joined, joined.replace("*", "")):
            if variant.strip():
                yield variant
