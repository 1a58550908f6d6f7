"""The stdio and compiles forms of `code`: whole programs, judged by what they print or by building.

The host holds the expected output; a program only ever sees its stdin.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from verifiers.box.box import BoxDied
from verifiers.box.order import Child, Limits, Outcome
from verifiers.boxed import Boxed, fault
from verifiers.languages import Language
from verifiers.records import Verdict

Run = Callable[[Sequence[Child], Limits], Outcome]


def check(gold: Mapping[str, Any]) -> str | None:
    """Why the tests cannot be used, or None."""
    tests = gold.get("tests")
    if not isinstance(tests, list) or not tests:
        return "`tests` must be a list with something in it"
    for number, test in enumerate(tests, 1):
        if not isinstance(test, Mapping) or not isinstance(test.get("stdout"), str):
            return f"`stdout` of test {number} must be a text"
        if not isinstance(test.get("stdin", ""), str):
            return f"`stdin` of test {number} must be a text"
    return None


def judge(
    verifier: Boxed, gold: Mapping[str, Any], source: str, language: Language | None
) -> Verdict:
    """Run the program on every test; `language` is None for Python."""
    end = time.monotonic() + verifier.limits.submission
    tests = gold["tests"]
    if language is None:
        child = Child("program", {"source": source})
        return _tests(verifier, tests, verifier.box(source).run, child, end)
    return _with_build(
        verifier, source, language, language.build,
        lambda run, child: _tests(verifier, tests, run, child, end),
    )  # fmt: skip


def compiles(verifier: Boxed, source: str, language: Language | None) -> Verdict:
    """Whether the source builds; `language` is None for Python."""
    if language is None:
        outcome = verifier.box().run([Child("syntax", {"source": source})], verifier.limits)
        if outcome.why or not outcome.messages:
            return verifier.verdict("wrong", *verifier.stopped(outcome))
        if "compiles" not in outcome.messages[0]:
            return verifier.verdict("wrong", *fault(outcome.messages[0]))
        return verifier.verdict("correct", "", "it compiles")
    line = language.check or language.build
    return _with_build(
        verifier, source, language, line,
        lambda run, child: verifier.verdict("correct", "", "it compiles"),
    )  # fmt: skip


def _with_build(
    verifier: Boxed, source: str, language: Language, line: str,
    then: Callable[[Run, Child], Verdict],
) -> Verdict:  # fmt: skip
    """Write and build the source in a box, then go on in it; once more where the box broke."""
    files = {language.file: source}
    limits = replace(verifier.limits, reserve=True, test=verifier.limits.submission)
    for attempt in (1, 2):
        try:
            with verifier.box().session() as run:
                if line:
                    outcome = run([_command(line, files)], limits)
                    if outcome.why or outcome.exits != [0]:
                        return verifier.verdict("wrong", *_unbuilt(verifier, outcome))
                program = _command(language.run, {} if line else files)
                return then(run, program)
        except BoxDied:
            if attempt == 2:
                raise
    raise AssertionError


def _command(line: str, files: Mapping[str, str]) -> Child:
    return Child("command", {"argv": shlex.split(line), "files": dict(files)})


def _unbuilt(verifier: Boxed, outcome: Outcome) -> tuple[str, str]:
    reason, why = verifier.stopped(outcome)
    said = (outcome.stderr or outcome.stdout).decode(errors="replace").strip()
    return reason, f"it does not build: {said[:200] or why}"


def _tests(
    verifier: Boxed, tests: Sequence[Mapping[str, Any]], run: Run, child: Child, end: float
) -> Verdict:
    """All tests in turn, until `end` at most."""
    right, first = 0, ("", "")
    for number, test in enumerate(tests, 1):
        left = end - time.monotonic()
        if left <= 0:
            first = first if first[0] else verifier.stopped(Outcome("time"))
            break
        stdin = test.get("stdin", "").encode("utf-8", "surrogatepass")
        limits = replace(verifier.limits, submission=left, reserve=child.mode == "command")
        outcome = run([replace(child, stdin=stdin)], limits)
        failure = _failure(verifier, outcome, test["stdout"])
        if failure is None:
            right += 1
        elif not first[0]:
            first = failure[0], f"test {number} of {len(tests)}: {failure[1]}"
    if first[0]:
        return verifier.verdict("wrong", *first, score=min(right, len(tests) - 1) / len(tests))
    return verifier.verdict("correct", "", f"all {len(tests)} tests passed")


def _failure(verifier: Boxed, outcome: Outcome, expected: str) -> tuple[str, str] | None:
    """Why a test is not passed, None where it is."""
    if outcome.why or outcome.exits != [0]:
        reason, why = verifier.stopped(outcome)
        said = outcome.stderr.decode(errors="replace").strip().splitlines()
        reason = "memory" if said and said[-1].startswith("MemoryError") else reason
        return reason, f"{why}; {said[-1][:200]}" if said else why
    printed = outcome.stdout.decode("utf-8", "replace")
    mine, gold = lines(printed), lines(expected)
    if mine == gold:
        return None
    at = next((n for n, (a, b) in enumerate(zip(mine, gold, strict=False)) if a != b), None)
    if at is None:
        return "different", f"{len(mine)} lines instead of {len(gold)}"
    return "different", f"line {at + 1} is {mine[at][:80]!r}, expected {gold[at][:80]!r}"


def lines(text: str) -> list[str]:
    """The lines of a text, without blanks at their ends and empty lines at its end."""
    found = [line.rstrip() for line in text.split("\n")]
    while found and not found[-1]:
        found.pop()
    return found
