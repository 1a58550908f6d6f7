"""The script form of `code`: a test that is itself a program, `def check(candidate): ...`.

Submission and test run in two processes that pass plain values to each other.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from verifiers.box.order import Child
from verifiers.boxed import Boxed, fault
from verifiers.records import Problem, Verdict

LONGEST = 1 << 20


def check(gold: Mapping[str, Any]) -> str | None:
    """Why a script cannot be used, or None."""
    test = gold.get("test")
    if not isinstance(test, str):
        return "`test` must be Python that defines `check(candidate)`"
    return _fault(test)


@lru_cache(maxsize=4096)
def _fault(test: str) -> str | None:
    """What is wrong with a test that can be seen from its text."""
    if len(test) > LONGEST:
        return f"`test` is longer than {LONGEST:,} characters"
    try:
        tree = ast.parse(test)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"`test` is no Python: {error}"
    defined = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    if not any(node.name == "check" for node in defined):
        return "`test` defines no `check(candidate)`"
    asserted = any(map(_asserts, ast.walk(tree)))
    return None if asserted else "`test` asserts nothing"


def _asserts(node: ast.AST) -> bool:
    """Whether a node can make a test fail: it asserts something, raises, or calls an assertX."""
    if isinstance(node, ast.Assert):
        return not isinstance(node.test, ast.Constant) or not node.test.value
    if isinstance(node, ast.Call):
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        return "assert" in name.lower()
    return isinstance(node, ast.Raise)


def judge(verifier: Boxed, gold: Mapping[str, Any], source: str, problem: Problem) -> Verdict:
    """Run the test against the submission."""
    entry, test = gold["entry_point"], gold["test"]
    prompt = problem.prompt if isinstance(problem.prompt, str) else ""
    children = [
        Child("serve", {"source": source, "entry": entry}, serves=True),
        Child("check", {"test": test, "entry": entry, "prompt": prompt}),
    ]
    outcome = verifier.box(source + test).run(children, verifier.limits)
    if outcome.why:
        return verifier.verdict("wrong", *verifier.stopped(outcome))
    said = outcome.messages[-1] if outcome.messages else {}
    if said.get("passed"):
        return verifier.verdict("correct", "", "the test passed")
    if "bad" in said:
        why = fault(said["bad"])[1]
        return verifier.verdict("undecided", "bad_gold", f"the test cannot be used: {why}")
    if "raised" in said:
        reason, why = fault(said["raised"])
        reason = reason if said.get("theirs") else "different"
        return verifier.verdict("wrong", reason, f"the test failed: {why}")
    first = said.get("unloaded") or {}
    if "load" in first:
        return verifier.verdict("wrong", *fault(first["load"]))
    if "missing" in first:
        return verifier.verdict("wrong", "no_answer", f"there is no {entry!r}")
    outcome.exits = outcome.exits[:1]
    return verifier.verdict("wrong", *verifier.stopped(outcome))
