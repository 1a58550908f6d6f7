"""Measuring a sampler on held-out problems, with the verifiers that made its training data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from students.config import EvaluateConfig
from students.intervals import Interval, paired, rate, verdict
from verifiers.pool import Backlog, VerdictPool
from verifiers.records import Completion, Problem, Verdict
from verifiers.reflection import reflect
from verifiers.sampler import Request, Sampler

GREEDY = -1
Row = dict[str, Any]


@dataclass(frozen=True)
class Score:
    """One answer and what became of it; `index` -1 is the greedy one.

    `self_check`, `wrong_step` and `taken_back` are those of `verifiers.reflection`.
    """

    problem_id: str
    index: int
    status: str
    reason: str
    extracted: str | None
    tokens: int
    text: str
    self_check: bool
    wrong_step: bool
    taken_back: bool


async def evaluate(
    sampler: Sampler,
    problems: Sequence[Problem],
    pool: VerdictPool,
    config: EvaluateConfig,
    seed: int,
    progress: Callable[[int], None] = lambda done: None,
) -> list[Score]:
    """Every answer to every problem, judged; nothing is dropped, in problem and index order.

    A verifier that judges groups judges all answers to a problem, the greedy one among them.
    """
    known = {problem.id: problem for problem in problems}
    groups: dict[str, list[Completion]] = {}
    scores: list[Score] = []

    async def judge(problem: Problem, completions: Sequence[Completion]) -> None:
        verdicts = await pool.judge_group(problem, completions)
        scores.extend(map(_score, completions, verdicts))
        progress(len(scores))

    judging = Backlog()
    async for completion in sampler.sample(_requests(problems, config, seed)):
        problem = known[completion.problem_id]
        if pool.together(problem.verifier):
            groups.setdefault(problem.id, []).append(completion)
        else:
            await judging.add(judge(problem, [completion]))
    for name, completions in groups.items():
        await judging.add(judge(known[name], completions))
    await judging.drain()
    order = {problem.id: n for n, problem in enumerate(problems)}
    return sorted(scores, key=lambda score: (order[score.problem_id], score.index))


def _score(completion: Completion, verdict: Verdict) -> Score:
    text = completion.text
    if completion.reasoning:
        text = f"{completion.reasoning}\n{text}"
    return Score(
        problem_id=completion.problem_id,
        index=completion.index,
        status=verdict.status,
        reason=verdict.reason,
        extracted=verdict.extracted,
        tokens=completion.usage.completion_tokens,
        text=text,
        **asdict(reflect(text)),
    )


def _requests(problems: Sequence[Problem], config: EvaluateConfig, seed: int) -> Iterator[Request]:
    greedy = config.sampling() | {"temperature": 0.0}
    for problem in problems:
        chat = problem.messages(config.system)
        for index in range(GREEDY if config.greedy else 0, config.samples):
            yield Request(
                problem_id=problem.id,
                messages=chat,
                sampling=greedy if index == GREEDY else config.sampling(),
                seed=seed,
                index=index,
            )


def rates(rows: Sequence[dict[str, Any]], greedy: bool = False) -> dict[str, float]:
    """Success rate of each problem over its samples, or over its greedy answer."""
    seen: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        if (row["index"] == GREEDY) == greedy:
            seen[row["problem_id"]].append(row["status"] == "correct")
    return {problem: sum(hits) / len(hits) for problem, hits in seen.items()}


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The figures of one stage from its raw rows: pass@1 and greedy with 95 % intervals.

    Without sampled answers there is no pass@1, and the other figures are of the greedy ones.
    """
    sampled, greedy = rates(rows), rates(rows, greedy=True)
    per_problem = sum(row["index"] != GREEDY for row in rows) / max(1, len(sampled))
    result: dict[str, Any] = {"n": len(sampled or greedy), "samples": round(per_problem)}
    if sampled:
        interval = rate(list(sampled.values()), max(1, round(per_problem)))
        result |= {"pass@1": interval.value, "low": interval.low, "high": interval.high}
    if greedy:
        interval = rate(list(greedy.values()), 1)
        result |= {
            "greedy": interval.value, "greedy_low": interval.low, "greedy_high": interval.high,
        }  # fmt: skip
    chosen = [row for row in rows if row["index"] != GREEDY] or list(rows)
    result["tokens_mean"] = sum(row["tokens"] for row in chosen) / max(1, len(chosen))
    result["undecided"] = sum(r["status"] == "undecided" for r in chosen) / max(1, len(chosen))
    result = {k: round(v, 6) if isinstance(v, float) else v for k, v in result.items()}
    return result | {"reflection": reflection(chosen)}


def reflection(rows: Sequence[Row]) -> dict[str, float | None]:
    """How often answers check themselves, and how those with a wrong step end.

    Shares of all `rows`: self_check, wrong_step. Shares of those with a wrong step (None where
    there is none): taken_back; recovered, which end correct; the same of those that check
    themselves and of those that do not.
    """
    slipped = [row for row in rows if row["wrong_step"]]

    def share(part: Sequence[Row], hit: Callable[[Row], bool]) -> float | None:
        return round(sum(map(hit, part)) / len(part), 6) if part else None

    def correct(row: Row) -> bool:
        return bool(row["status"] == "correct")

    return {
        "self_check": share(rows, lambda row: row["self_check"]),
        "wrong_step": share(rows, lambda row: row["wrong_step"]),
        "taken_back": share(slipped, lambda row: row["taken_back"]),
        "recovered": share(slipped, correct),
        "recovered_checked": share([r for r in slipped if r["self_check"]], correct),
        "recovered_unchecked": share([r for r in slipped if not r["self_check"]], correct),
    }


def compare(ours: Sequence[dict[str, Any]], theirs: Sequence[dict[str, Any]]) -> Interval:
    """Paired difference of two stages' sampled rates (greedy ones where nothing was sampled)."""
    a, b = rates(ours), rates(theirs)
    if not a or not b:
        a, b = rates(ours, greedy=True), rates(theirs, greedy=True)
    return paired(a, b)


def against(stage: str, difference: Interval) -> dict[str, Any]:
    """A difference as it stands in evaluation.json."""
    return {
        "stage": stage,
        "diff": round(difference.value, 6),
        "low": round(difference.low, 6),
        "high": round(difference.high, 6),
    }


def table(
    stages: Sequence[tuple[str, Sequence[dict[str, Any]]]], round_: int, on: str
) -> list[dict[str, Any]]:
    """Rows of evaluation.json: the stages in order, each against the one before."""
    teacher = next((rows for name, rows in stages if name == "teacher"), None)
    result = []
    before: tuple[str, Sequence[dict[str, Any]]] | None = None
    for name, rows in stages:
        row = {"stage": name, "round": round_, "on": on, **summary(rows)}
        if before is not None:
            difference = compare(rows, before[1])
            row["vs"] = against(before[0], difference)
            if name != "teacher":
                row["verdict"] = verdict(difference)
        if teacher is not None and name != "teacher":
            row["to_teacher"] = against("teacher", compare(rows, teacher))
        before = (name, rows)
        result.append(row)
    return result


def as_row(stage: str, round_: int, on: str, score: Score) -> dict[str, Any]:
    """A raw row of data/evaluation."""
    return {"stage": stage, "round": round_, "on": on, **asdict(score)}
