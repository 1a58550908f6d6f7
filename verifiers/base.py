"""The verifier protocol, the registry, and the one function that turns an answer into a Verdict.

Errors:
    VerifierError           base of all below
    ├── UnknownVerifier     no built-in and no plug-in has that name
    ├── BrokenPlugin        a plug-in cannot be loaded, refuses its options or is no verifier
    └── NeedsSampler        a verifier asks a model, and nobody said which
"""

from __future__ import annotations

import difflib
import importlib
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol

from pydantic import ValidationError

from verifiers import explain
from verifiers.records import Problem, Verdict, content_id

GROUP = "distill.verifiers"
BUILTIN = {
    "all": "verifiers.composite:AllOf",
    "any": "verifiers.composite:AnyOf",
    "choice": "verifiers.choice:Choice",
    "code": "verifiers.code:CodeVerifier",
    "consensus": "verifiers.consensus:Consensus",
    "exact": "verifiers.exact:Exact",
    "format": "verifiers.format:Format",
    "instructions": "verifiers.instructions:Instructions",
    "judge": "verifiers.judge:Judge",
    "json_schema": "verifiers.json_schema:JsonSchema",
    "math": "verifiers.math:Math",
    "puzzle": "verifiers.puzzle:Puzzle",
    "refusal": "verifiers.refusal:Refusal",
    "regex": "verifiers.regex:Regex",
    "sql": "verifiers.sql:Sql",
    "weighted": "verifiers.composite:Weighted",
}


class VerifierError(Exception):
    """Base of the verifier package's errors."""


class UnknownVerifier(VerifierError):
    """No verifier of that name is built in or installed."""


class BrokenPlugin(VerifierError):
    """A verifier exists but cannot be loaded."""


class NeedsSampler(VerifierError):
    """A verifier asks a model and has none."""

    def __init__(self, name: str):
        super().__init__(
            f"verifier {name!r} asks a model and needs a sampler: name its teacher in a recipe "
            f"(verifiers: {{{name}: {{teacher: {{...}}}}}}), or give the pool one (samplers=)"
        )


FAULTS = (Exception, SystemExit)
MOST = {"extracted": 500, "why": 2_000, "detail": 2_000, "method": 500}
"""Characters of a verdict's texts that are kept."""


class Verifier(Protocol):
    """What a verifier is. Duck-typed: a plug-in imports nothing of ours.

    One that only judges groups may have `verify_group` in place of `verify`; a text and a status of
    its `examples` are then a list of texts and a list of as many statuses.

    Optional: `check_gold(problem) -> str | None` (the reason why a gold is unusable),
    `solve(prompt) -> answer | None` (the ground truth of a question that somebody wrote),
    `trust` ("pure" or "boxed"), `gold_type` ("text": the gold is itself a correct answer; "json";
    or "label": it names what kind of answer is wanted), `judges_truncated` (True where a text that
    was cut off can be judged as well as a whole one), `composite` (True where it is given
    `parts`, which load other verifiers), `verify_group(problem, texts)` (verdicts on all answers
    to one problem, in their order, where they are judged together), `vote(problem, text)` (what a
    text answers, in the form of a ground truth, or None: `consensus` counts these), and `request`
    with `read` (a verifier that asks a model; `verifiers.asking` calls them).
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


def load(
    name: str,
    options: Mapping[str, Any] | None = None,
    section: Mapping[str, Mapping[str, Any]] | None = None,
    above: tuple[str, ...] = (),
) -> Verifier:
    """An instance of verifier `name`; `options` are its own in the recipe's `verifiers` section.

    A composite finds the options of its parts in `section`; `above` are the composites that it is
    a part of. Raises UnknownVerifier or BrokenPlugin.
    """
    if name in above:
        raise BrokenPlugin(f"verifier {name!r} is a part of itself: {' > '.join([*above, name])}")
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
    if getattr(factory, "composite", False):
        options["parts"] = Parts(section or {}, (*above, name))
    try:
        verifier = factory(**options)
        judges = any(callable(getattr(verifier, way, None)) for way in ("verify", "verify_group"))
    except VerifierError:
        raise
    except TypeError as error:
        raise BrokenPlugin(f"verifier {target!r} refuses its options: {_said(error)}") from error
    except FAULTS as error:
        raise BrokenPlugin(f"verifier {target!r} cannot be set up: {_said(error)}") from error
    if not judges:
        raise BrokenPlugin(f"verifier {target!r} has neither `verify` nor `verify_group`")
    return verifier


class Parts:
    """What a composite loads its parts from: the recipe's `verifiers` section.

    `above` are the composites that the parts stand in, so that a circle is refused.
    """

    def __init__(self, section: Mapping[str, Mapping[str, Any]], above: tuple[str, ...]):
        self.section, self.above = section, above

    def load(self, name: str) -> Verifier:
        """The part `name`; raises UnknownVerifier or BrokenPlugin."""
        part = load(name, self.section.get(name), self.section, self.above)
        if hasattr(part, "request"):
            raise BrokenPlugin(f"{name!r} asks a model, which no part of another verifier can do")
        return part

    def stated(self, parts: Mapping[str, Verifier]) -> str:
        """Versions and options of `parts`, for the version of the whole."""
        versions = ", ".join(f"{name} {part.version}" for name, part in parts.items())
        options = {name: self.section[name] for name in parts if self.section.get(name)}
        return f"{versions}; {content_id(options)[:6]}" if options else versions


def versions(names: Iterable[str], section: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Versions of the verifiers `names`, which are set up as the recipe's `verifiers` section says;
    raises VerifierError where one cannot be had."""
    return {
        name: str(getattr(load(name, section.get(name), section), "version", ""))
        for name in sorted(set(names))
    }


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
            alone = hasattr(verifier, "verify")
            answer = verifier.verify(problem, text) if alone else _one(verifier, problem, text)
        verdict = as_verdict(answer)
    except Exception as error:
        detail = _storable(f"{type(error).__name__}: {error}"[:300])
        verdict = Verdict(status="undecided", reason="infra", detail=detail)
    verdict.verifier, verdict.version, verdict.why = name, version, explain.why(verdict)
    if verdict.isolation == "none":
        verdict.isolation = getattr(verifier, "isolation", "none")
    verdict.seconds = round(time.perf_counter() - start, 6)
    return verdict


def _one(verifier: Verifier, problem: Problem, text: str) -> Any:
    """What a verifier of groups says of a text that stands alone."""
    (answer,) = verifier.verify_group(problem, [text])  # type: ignore[attr-defined]
    return answer


def judge_group(
    name: str, verifier: Verifier, problem: Problem, texts: Sequence[str]
) -> list[Verdict]:
    """The verdicts of a verifier with `verify_group` on all `texts` together, in order; whatever it
    raises is `undecided/infra` for all of them."""
    start = time.perf_counter()
    try:
        bad = gold_problem(verifier, problem)
        answers: Any
        if bad:
            answers = [{"status": "undecided", "reason": "bad_gold", "detail": bad}] * len(texts)
        else:
            answers = list(verifier.verify_group(problem, list(texts)))  # type: ignore[attr-defined]
        if len(answers) != len(texts):
            raise TypeError(f"verify_group returned {len(answers)} verdicts on {len(texts)} texts")
        verdicts = [as_verdict(answer) for answer in answers]
    except Exception as error:
        detail = _storable(f"{type(error).__name__}: {error}"[:300])
        verdicts = [Verdict(status="undecided", reason="infra", detail=detail) for _ in texts]
    seconds = round((time.perf_counter() - start) / max(1, len(texts)), 6)
    for verdict in verdicts:
        verdict.verifier, verdict.version = name, str(getattr(verifier, "version", ""))
        verdict.why, verdict.seconds = explain.why(verdict), seconds
    return verdicts


def as_verdict(answer: Verdict | Mapping[str, Any]) -> Verdict:
    """A Verdict from what a verifier returned: a Verdict, or a mapping with its fields.

    Its texts are cut to what is kept of them (`MOST`); lone surrogates, which no file can hold, are
    replaced. Raises TypeError.
    """
    fields: Any = vars(answer) if isinstance(answer, Verdict) else answer
    if not isinstance(fields, Mapping):
        raise TypeError(f"a verifier must return a verdict or a dict, not {type(answer).__name__}")
    texts = {
        name: _storable(value[: MOST.get(name)])
        for name, value in fields.items()
        if isinstance(value, str)
    }
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
