"""Chooses chains to show: some that were kept, some that were dropped, rare reasons included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipelines.report.load import Run, question

LONGEST = 6000
COLUMNS = (
    "id", "problem_id", "completion_id", "prompt", "completion", "messages", "text",
    "filter", "status", "reason", "detail",
)  # fmt: skip


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


def _kept(run: Run, count: int) -> list[Sample]:
    """Rows spread evenly over the SFT set, else correct chains."""
    if run.files("sft"):
        rows = run.pick("sft", _spread(run.rows("sft"), count), COLUMNS)
        return [_sample(row, "kept", row.get("completion") or row.get("messages")) for row in rows]
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
