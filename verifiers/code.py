"""`code`: the submission runs in a box against the tests of the ground truth.

docs/code.md lists the policies. `verifiers.submission` finds the code, `verifiers.box` runs it, and
what comes back is compared here, outside: expected values never enter the box.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from verifiers import scripts, stdio
from verifiers.box.compare import same
from verifiers.box.order import Child
from verifiers.boxed import Boxed, fault
from verifiers.languages import Languages
from verifiers.records import Problem, Verdict
from verifiers.submission import LONGEST, completed, find

QUICK = 0.5
"""Seconds within which a block must fail for want of the blocks above it, to be tried with them."""
SUM = {
    "kind": "function",
    "entry_point": "add",
    "tests": [{"args": [1, 2], "expected": 3}, {"args": [-1, 1], "expected": 0}],
}


class CodeVerifier(Boxed):
    """Correct where the submission passes every test of the ground truth.

    `json_types`: what JSON has no word for is compared as what it becomes there (a tuple as a list,
    integer keys as texts).
    """

    version = "1"
    gold_type = "json"
    examples = (
        ({"prompt": "add(a, b)", "answer": SUM}, "def add(a, b):\n    return a + b", "correct"),
        ({"prompt": "add(a, b)", "answer": SUM}, "def add(a, b):\n    return a - b", "wrong"),
        ({"prompt": "add(a, b)", "answer": SUM}, "", "wrong"),
    )

    def __init__(
        self,
        json_types: bool = False,
        languages: Mapping[str, Mapping[str, Any]] | None = None,
        **limits: Any,
    ):
        super().__init__(**limits)
        self.json_types = json_types
        self.languages = Languages(languages or {})

    def check_gold(self, problem: Problem) -> str | None:
        """Why the tests cannot be used, or None."""
        gold = problem.answer
        if not isinstance(gold, Mapping):
            return "the answer must be an object with a `kind`"
        match gold.get("kind"):
            case "function":
                return _check_entry(gold) or _check_function(gold)
            case "script":
                return _check_entry(gold) or scripts.check(gold)
            case "stdio":
                return stdio.check(gold) or self.languages.check(gold)
            case "compiles":
                return (
                    self.languages.check(gold) if "language" in gold else "it names no `language`"
                )
        return "`kind` must be function, script, stdio or compiles"

    def verify(self, problem: Problem, text: str) -> Verdict:
        """Run the submission of `text`."""
        gold = problem.answer
        language = self.languages.name(gold)
        code = find(text, self.languages.fences(language), str(gold.get("entry_point", "")))
        if code is None:
            return self.verdict("wrong", "no_answer", "the text holds no code")
        if len(code.source) > LONGEST:
            why = f"the code is longer than {LONGEST:,} characters"
            verdict = self.verdict("wrong", "output", why)
        else:
            start = time.monotonic()
            verdict = self._judge(problem, code.source, language)
            quick = time.monotonic() - start < QUICK
            if code.whole and quick and not verdict.correct and "NameError" in verdict.why:
                verdict = self._judge(problem, code.whole, language)
        verdict.extracted, verdict.span = code.source, code.span
        verdict.method = f"code/{gold['kind']}"
        return verdict

    def _judge(self, problem: Problem, source: str, name: str) -> Verdict:
        gold = problem.answer
        if "entry_point" in gold and isinstance(problem.prompt, str):
            source = completed(source, problem.prompt, gold["entry_point"])
        if gold["kind"] == "function":
            return self._function(gold, source)
        if gold["kind"] == "script":
            return scripts.judge(self, gold, source, problem)
        language = None if name == "python" else self.languages.get(name)
        if gold["kind"] == "stdio":
            return stdio.judge(self, gold, source, language)
        return stdio.compiles(self, source, language)

    def _function(self, gold: Mapping[str, Any], source: str) -> Verdict:
        tests = gold["tests"]
        sent = [{"args": test.get("args", []), "kwargs": test.get("kwargs", {})} for test in tests]
        task = {"source": source, "entry": gold["entry_point"], "tests": sent}
        outcome = self.box(source).run([Child("function", task)], self.limits)
        head, *answers = outcome.messages or [{}]
        if "load" in head:
            return self.verdict("wrong", *fault(head["load"]))
        if "missing" in head:
            return self.verdict("wrong", "no_answer", f"there is no {gold['entry_point']!r}")
        right, first = 0, ("", "")
        for number, (test, answer) in enumerate(zip(tests, answers, strict=False), 1):
            if "value" in answer and same(test["expected"], answer["value"], self.json_types):
                right += 1
            elif not first[0]:
                first = _failure(answer, test)
                first = first[0], f"test {number} of {len(tests)}: {first[1]}"
        if outcome.why or len(answers) != len(tests):
            first = self.stopped(outcome)
            if not outcome.why and len(answers) > len(tests):
                first = "crash", "it sent more answers than it was asked for"
        if first[0]:
            return self.verdict("wrong", *first, score=min(right, len(tests) - 1) / len(tests))
        return self.verdict("correct", "", f"all {len(tests)} tests passed")


def _failure(answer: Any, test: Mapping[str, Any]) -> tuple[str, str]:
    if "value" not in answer:
        return fault(answer)
    returned, expected = _short(answer["value"]), _short(test["expected"])
    return "different", f"{_short(test.get('args', []))} gave {returned}, expected {expected}"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _check_entry(gold: Mapping[str, Any]) -> str | None:
    entry = gold.get("entry_point")
    named = isinstance(entry, str) and all(part.isidentifier() for part in entry.split("."))
    return None if named else "`entry_point` must name a function"


def _check_function(gold: Mapping[str, Any]) -> str | None:
    tests = gold.get("tests")
    if not isinstance(tests, list) or not tests:
        return "`tests` must be a list with something in it"
    for number, test in enumerate(tests, 1):
        if not isinstance(test, Mapping) or "expected" not in test:
            return f"test {number} has no `expected`"
        if not isinstance(test.get("args", []), list):
            return f"`args` of test {number} must be a list"
        if not isinstance(test.get("kwargs", {}), Mapping):
            return f"`kwargs` of test {number} must be an object"
    return None
