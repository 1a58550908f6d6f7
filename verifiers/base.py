"""The verifier protocol, the registry, and the one function that turns an answer into a Verdict.

Errors:
    VerifierError           base of all below
    ├── UnknownVerifier     no built-in and no plug-in has that name
    └── BrokenPlugin        a plug-in cannot be loaded, refuses its options or is no verifier
"""

from __future__ import annotations

import difflib
import importlib
import time
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol

from pydantic import ValidationError

from verifiers import explain
from verifiers.records import Problem, Verdict

GROUP = "distill.verifiers"
BUILTIN = {
    "exact": "verifiers.exact:Exact",
    "math": "verifiers.math:Math",
    "refusal": "verifiers.refusal:Refusal",
}


class VerifierError(Exception):
    """Base of the verifier package's errors."""


class UnknownVerifier(VerifierError):
    """No verifier of that name is built in or installed."""


class BrokenPlugin(VerifierError):
    """A verifier exists but cannot be loaded."""


FAULTS = (Exception, SystemExit)


class Verifier(Protocol):
    """What a verifier is. Duck-typed: a plug-in imports nothing of ours.

    Optional: `check_gold(problem) -> str | None` (the reason why a gold is unusable),
    `solve(prompt) -> answer | None` (the ground truth of a question that somebody wrote),
    `trust` ("pure" or "boxed"), `gold_type` ("text": the gold is itself a correct answer; "json";
    or "label": it names what kind of answer is wanted), `judges_truncated` (True where a text that
    was cut off can be judged as well as a whole one).
    """

    version: str
    examples: list[tuple[dict[str, Any], str, str]]

    def verify(self, problem: Problem, text: str) -> Verdict | Mapping[str, Any]:
        """Judge `text` as an answer to `problem`."""
        ...


@cache
def plugins() -> dict[str, EntryPoint]:
    """Verifiers that other installed packages offer, by name."""
    return {point.name: point for point in entry_points(group=GROUP)}


def names() -> list[str]:
    """All verifiers that can be named, built-in ones first."""
    return [*BUILTIN, *sorted(name for name in plugins() if name not in BUILTIN)]


def load(name: str, options: Mapping[str, Any] | None = None) -> Verifier:
    """An instance of verifier `name`; `options` are those of the recipe's `verifiers` section.

    Raises UnknownVerifier or BrokenPlugin.
    """
    options = dict(options or {})
    target = options.pop("use", name)
    if not isinstance(target, str):
        raise UnknownVerifier(f"`use` of verifier {name!r} must be a name, not {target!r}")
    if target in BUILTIN:
        module, attribute = BUILTIN[target].split(":")
        factory = getattr(importlib.import_module(module), attribute)
    elif target in plugins():
        try:
            factory = plugins()[target].load()
        except FAULTS as error:
            raise BrokenPlugin(f"verifier {target!r} cannot be loaded: {_said(error)}") from error
    else:
        near = difflib.get_close_matches(target, names(), 1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(names())}"
        raise UnknownVerifier(f"unknown verifier {target!r}{hint}")
    try:
        verifier = factory(**options)
        judges = callable(getattr(verifier, "verify", None))
    except TypeError as error:
        raise BrokenPlugin(f"verifier {target!r} refuses its options: {_said(error)}") from error
    except FAULTS as error:
        raise BrokenPlugin(f"verifier {target!r} cannot be set up: {_said(error)}") from error
    if not judges:
        raise BrokenPlugin(f"verifier {target!r} has no method `verify`")
    return verifier


def _said(error: BaseException) -> str:
    """What an error says, in one line that can be printed."""
    lines = _storable(str(error)).split("\n")
    return next((line.strip() for line in lines if line.strip()), type(error).__name__)


def gold_problem(verifier: Verifier, problem: Problem) -> str | None:
    """Why the ground truth of `problem` cannot be used, or None."""
    check = getattr(verifier, "check_gold", None)
    return check(problem) if check is not None else None


def judge(name: str, verifier: Verifier, problem: Problem, text: str) -> Verdict:
    """The verdict of `verifier` on `text`; whatever it raises is `undecided/infra`, never wrong."""
    start = time.perf_counter()
    version = str(getattr(verifier, "version", ""))
    try:
        bad = gold_problem(verifier, problem)
        answer: Any
        if bad:
            answer = {"status": "undecided", "reason": "bad_gold", "detail": bad}
        else:
            answer = verifier.verify(problem, text)
        verdict = as_verdict(answer)
    except Exception as error:
        detail = _storable(f"{type(error).__name__}: {error}"[:300])
        verdict = Verdict(status="undecided", reason="infra", detail=detail)
    verdict.verifier, verdict.version, verdict.why = name, version, explain.why(verdict)
    verdict.seconds = round(time.perf_counter() - start, 6)
    return verdict


def as_verdict(answer: Verdict | Mapping[str, Any]) -> Verdict:
    """A Verdict from what a verifier returned: a Verdict, or a mapping with its fields.

    Lone surrogates, which no file can hold, are replaced in its texts. Raises TypeError.
    """
    fields: Any = vars(answer) if isinstance(answer, Verdict) else answer
    if not isinstance(fields, Mapping):
        raise TypeError(f"a verifier must return a verdict or a dict, not {type(answer).__name__}")
    texts = {name: _storable(value) for name, value in fields.items() if isinstance(value, str)}
    try:
        return Verdict.model_validate({"score": None, **fields, **texts})
    except ValidationError as error:
        raise TypeError(f"a verifier returned a bad verdict: {in_words(error)}") from error


def in_words(error: ValidationError) -> str:
    """The first fault that pydantic found, and in which field."""
    first = error.errors()[0]
    return ": ".join(filter(None, [".".join(map(str, first["loc"])), first["msg"]]))


def _storable(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
