"""Chooses chains to show: some that were kept, some that were dropped, rare reasons included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from pipelines.report.load import Key, Run, answer, key_of, question

LONGEST = 6000
COLUMNS = (
    "id", "problem_id", "completion_id", "prompt", "completion", "messages", "text",
    "filter", "status", "reason", "detail",
)  # fmt: skip
VERDICT = ("status", "reason", "extracted")


@dataclass(frozen=True)
class Sample:
    """One chain with the reason why it was kept or dropped."""

    prompt: str
    text: str
    reason: str
    detail: str = ""
    completion_id: str = ""
    problem_id: str = ""
    found: str = ""
    expected: str = ""

    @property
    def title(self) -> str:
        """The prompt in one line."""
        line = " ".join(self.prompt.split())
        return line if len(line) <= 140 else line[:139] + "…"

    @property
    def blank(self) -> bool:
        """True where no sign of the text can be seen."""
        return not any(sign.isprintable() and not sign.isspace() for sign in self.text)


@dataclass(frozen=True)
class Same:
    """What several policies, or several chains, say to one problem; (name, status, sample)."""

    prompt: str
    expected: str
    on: str
    answers: list[tuple[str, str, Sample]]


def samples(run: Run, count: int = 20) -> tuple[list[Sample], list[Sample]]:
    """Up to `count` kept and `count` dropped chains, with what was found and expected in each."""
    kept = _kept(run, count)
    dropped = _dropped(run, count)
    both = kept + dropped
    if not both:
        return [], []
    chains = _lookup(run, "chains", {s.completion_id for s in both}, ("extracted", "reasoning"))
    problems = _lookup(run, "problems", {s.problem_id for s in both}, ("answer", "prompt"))
    known = [(chains.get(s.completion_id, {}), problems.get(s.problem_id, {})) for s in both]
    both = [_complete(s, *found) for s, found in zip(both, known, strict=True)]
    return both[: len(kept)], both[len(kept) :]


def pairs(run: Run, count: int = 4) -> list[Same]:
    """Preference pairs, spread evenly over the DPO set, each side with its verdict."""
    sides = ("chosen", "rejected")
    columns = ("problem_id", "prompt", *sides, *(f"{side}_id" for side in sides))
    rows = run.pick("dpo", _spread(run.rows("dpo"), count), columns)
    if not rows or not all(name in row for row in rows for name in sides):
        return []
    ids = {str(row.get(f"{side}_id")) for row in rows for side in sides}
    chains = _lookup(run, "chains", ids, VERDICT)
    problems = _lookup(run, "problems", {str(row.get("problem_id")) for row in rows}, ("answer",))
    found = []
    for row in rows:
        answers = []
        for side in sides:
            name = str(row.get(f"{side}_id") or "")
            verdict = chains.get(name, {})
            answers.append((side, *_judged(answer(row[side]), verdict, name)))
        truth = problems.get(str(row.get("problem_id")), {}).get("answer")
        prompt = _clip(question(row.get("prompt")))
        found.append(Same(prompt, _clip(str(truth or ""), 200), "", answers))
    return found


def by_stage(run: Run, count: int = 3) -> list[Same]:
    """Per problem set the problems on which the stages differ most, with what each answered.

    Greedy answers where there are any, else the first sample.
    """
    order = {key: n for n, key in enumerate(run.evaluation)}
    first: dict[str, dict[str, dict[Key, tuple[int, int, str]]]] = {}
    columns = ("stage", "round", "on", "problem_id", "index", "status")
    for number, row in enumerate(run.records("evaluation", columns)):
        key, index = key_of(row), row["index"] or 0
        seen = first.setdefault(key.on, {}).setdefault(row["problem_id"], {})
        if key in order and (key not in seen or index < seen[key][0]):
            seen[key] = (index, number, row["status"])
    found = []
    names = dict.fromkeys(key.on for key in order if key.on in first)
    for on in sorted(names, key=lambda on: on != "heldout"):
        for problem in _telling(first[on], list(order), count):
            chosen = sorted(first[on][problem].items(), key=lambda pair: order[pair[0]])
            found.append(_same(run, on, problem, [(key, seen[1]) for key, seen in chosen]))
    return [same for same in found if any(sample.text for _, _, sample in same.answers)]


def _telling(
    seen: Mapping[str, Mapping[Key, tuple[int, int, str]]], order: Sequence[Key], count: int
) -> list[str]:
    """Problems whose status changes from stage to stage, one of each pattern first."""
    patterns: dict[tuple[str | None, ...], list[str]] = {}
    for problem in sorted(seen):
        pattern = [seen[problem][key][2] for key in order if key in seen[problem]]
        patterns.setdefault(tuple(pattern), []).append(problem)

    def changes(pattern: tuple[str | None, ...]) -> int:
        return sum((a == "correct") != (b == "correct") for a, b in pairwise(pattern))

    ranked = sorted(patterns, key=lambda p: (-changes(p), -len(patterns[p]), str(p)))
    depth = max(map(len, patterns.values()), default=0)
    return [patterns[p][n] for n in range(depth) for p in ranked if n < len(patterns[p])][:count]


def _same(run: Run, on: str, problem: str, chosen: Sequence[tuple[Key, int]]) -> Same:
    numbers = sorted(number for _, number in chosen)
    columns = ("text", *VERDICT)
    rows = dict(zip(numbers, run.pick("evaluation", numbers, columns), strict=True))
    answers = [(key.label, *_judged(str(rows[n].get("text") or ""), rows[n])) for key, n in chosen]
    config = on if on == "heldout" else f"evaluate_{on}"
    asked = _lookup(run, config, {problem}, ("prompt", "answer")).get(problem, {})
    truth = _clip(str(asked.get("answer") or ""), 200)
    return Same(_clip(question(asked.get("prompt"))), truth, on, answers)


def _judged(text: str, verdict: Mapping[str, Any], name: str = "") -> tuple[str, Sample]:
    """The status of an answer, and the answer."""
    status = str(verdict.get("status") or "")
    found = _clip(str(verdict.get("extracted") or ""), 200)
    reason = str(verdict.get("reason") or "")
    return status, Sample("", _clip(text, 1500), reason, completion_id=name, found=found)


def _kept(run: Run, count: int) -> list[Sample]:
    """Rows spread evenly over the SFT set, else correct chains."""
    if run.files("sft"):
        rows = run.pick("sft", _spread(run.rows("sft"), count), COLUMNS)
        return [
            _sample(row, "kept", answer(row.get("completion") or row.get("messages")))
            for row in rows
        ]
    statuses = run.records("chains", ("status",))
    right = [n for n, row in enumerate(statuses) if row["status"] == "correct"]
    chosen = [right[n] for n in _spread(len(right), count)]
    rows = run.pick("chains", chosen, COLUMNS)
    return [_sample(row, "correct", row.get("text")) for row in rows]


def _dropped(run: Run, count: int) -> list[Sample]:
    """Rejects of every reason in turn, else the chains that were not correct."""
    config, columns = "rejects", ("filter", "reason")
    if not run.files(config):
        config, columns = "chains", ("status", "reason")
    by_reason: dict[str, list[int]] = {}
    for number, row in enumerate(run.records(config, columns)):
        if row[columns[0]] != "correct":
            by_reason.setdefault(_reason(row), []).append(number)
    rows = run.pick(config, _in_turn(list(by_reason.values()), count), COLUMNS)
    found = [_sample(row, _reason(row), row.get("text")) for row in rows]
    return sorted(found, key=lambda s: -len(by_reason[s.reason]))


def _spread(rows: int, count: int) -> list[int]:
    """Up to `count` row numbers at even distances."""
    return [n * rows // count for n in range(count)] if rows > count else list(range(rows))


def _in_turn(lists: Sequence[Sequence[int]], count: int) -> list[int]:
    """Up to `count` numbers, one of each list in turn, spread over each list."""
    shuffled = [[numbers[n] for n in _spread(len(numbers), count)] for numbers in lists]
    depth = max(map(len, shuffled), default=0)
    chosen = [numbers[n] for n in range(depth) for numbers in shuffled if n < len(numbers)]
    return chosen[:count]


def _reason(row: Mapping[str, Any]) -> str:
    first = row.get("filter") or row.get("status")
    return ":".join(str(part) for part in (first, row.get("reason")) if part)


def _sample(row: Mapping[str, Any], reason: str, text: Any) -> Sample:
    return Sample(
        prompt=question(row.get("prompt")),
        text=_clip(str(text or "")),
        reason=reason,
        detail=str(row.get("detail") or ""),
        completion_id=str(row.get("completion_id") or row.get("id") or ""),
        problem_id=str(row.get("problem_id") or ""),
    )


def _complete(sample: Sample, chain: Mapping[str, Any], problem: Mapping[str, Any]) -> Sample:
    reasoning = _clip(str(chain.get("reasoning") or ""))
    repeated = not reasoning or reasoning[:200] in sample.text
    return replace(
        sample,
        prompt=_clip(sample.prompt or question(problem.get("prompt"))),
        text=sample.text if repeated else f"{reasoning}\n\n{sample.text}",
        found=_clip(str(chain.get("extracted") or ""), 200),
        expected=_clip(str(problem.get("answer") or ""), 200),
    )


def _lookup(
    run: Run, config: str, ids: set[str], columns: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """The wanted rows of a data set by id; only the ids of all its rows are read."""
    numbers = [n for n, row in enumerate(run.records(config, ("id",))) if row["id"] in ids]
    return {row["id"]: row for row in run.pick(config, numbers, ("id", *columns))}


def _clip(text: str, longest: int = LONGEST) -> str:
    more = len(text) - longest
    return text if more <= 0 else f"{text[:longest]}\n… and {more:,} more characters"
