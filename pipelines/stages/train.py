"""Training stages: from the policy before to the policy after."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import PipelineError
from pipelines.recipe import stage_id
from pipelines.stages import Counts, Job
from students.config import CPT, GRPO, Training
from verifiers.pool import VerdictPool

if TYPE_CHECKING:
    from students.stages import Plan

VERSION = 1
NESTED = ("messages", "prompt", "answer")


def run(job: Job, stage: Training, before: str | None) -> Counts:
    """Train `stage` from the student of stage `before`, or from the start."""
    from students import engine, models
    from students.identity import identity

    name, config, seed = stage_id(stage), job.recipe.student, job.recipe.seed
    assert config is not None
    students = job.folder.path / "students"
    students.mkdir(exist_ok=True)
    rows = _rows(job, stage)
    if before is None:
        model, tokenizer = models.start(config, seed)
        origin = str(config.model_dump(mode="json")) + str(seed)
    else:
        model, tokenizer = models.load(students / before, config.dtype)
        origin = identity(students / before)
    if config.lora is not None:
        model = models.adapt(model, config.lora, seed)
    summary = models.describe(model)
    metrics = Metrics(job, name)
    with _plan(job, stage, rows, model, tokenizer, origin) as plan:
        engine.train(
            model, tokenizer, plan.objective, plan.source, stage, students / name, plan.steps,
            metrics.add,
        )  # fmt: skip
    return {"rows": len(rows), **metrics.totals(), **summary}


@contextmanager
def _plan(
    job: Job, stage: Training, rows: list[dict[str, Any]], model: Any, tokenizer: Any, origin: str
) -> Iterator[Plan]:
    from students import models, stages

    seed = job.recipe.seed
    if not isinstance(stage, GRPO):
        cache = job.folder.path / "students" / ".reference"
        yield stages.from_rows(stage, rows, model, tokenizer, seed, origin, cache)
        return
    pool = VerdictPool(options=job.recipe.verifiers)
    known = {problem.id: problem for problem in job.folder.problems("problems")}
    problems = [known[row["problem_id"]] for row in rows]
    plan = stages.from_rollouts(
        stage, problems, model.to(models.device()), tokenizer, pool, seed, job.recipe.chains.system
    )
    try:
        yield plan
    finally:
        plan.source.close()  # type: ignore[attr-defined]


def _rows(job: Job, stage: Training) -> list[dict[str, Any]]:
    """The rows that `stage` reads; refuses a training set that holds what is measured on."""
    asked, held = job.folder.problems("problems"), job.kept_out()
    prompts = {str(problem.prompt) for problem in held}
    barred = {p.id for p in held} | {p.id for p in asked if str(p.prompt) in prompts}
    if isinstance(stage, CPT) and stage.data == "questions":
        free = [problem for problem in asked if problem.id not in barred]
        rows = [{"text": problem.text, "problem_id": problem.id} for problem in free]
    else:
        rows = [_nested(row) for row in job.folder.read_table(stage.reads)]
    leaked = sum(row["problem_id"] in barred for row in rows)
    if leaked:
        raise PipelineError(
            f"{leaked} rows of data/{stage.reads} are of problems that are evaluated on"
        )
    if not rows:
        raise PipelineError(f"data/{stage.reads} is empty")
    return rows


def _nested(row: dict[str, Any]) -> dict[str, Any]:
    """A row with its chats as lists again."""
    for key in NESTED:
        value = row.get(key)
        if isinstance(value, str) and value.startswith('[{"'):
            row[key] = json.loads(value)
    return row


class Metrics:
    """The lines of metrics.jsonl of one stage: each step once, however often it was redone."""

    def __init__(self, job: Job, stage: str):
        self.progress = job.progress
        self.stage = stage
        self.file: Path = job.folder.path / "metrics.jsonl"
        self.lines: list[dict[str, Any]] = []
        self.others: list[dict[str, Any]] = []
        if self.file.exists():
            for line in self.file.read_text().splitlines():
                try:
                    entry = json.loads(line)
                except ValueError:  # a line that a kill cut short
                    continue
                mine = entry.get("stage") == stage
                (self.lines if mine else self.others).append(entry)
        self.started = False

    def add(self, metrics: dict[str, Any]) -> None:
        """One more step."""
        if not self.started:
            self.started = True
            self.lines = [line for line in self.lines if line["step"] < metrics["step"]]
            self._rewrite()
        line = {"stage": self.stage, **metrics}
        self.lines.append(line)
        with self.file.open("a") as stream:
            stream.write(json.dumps(line) + "\n")
        shown = "reward" if "reward" in metrics else "loss"
        self.progress.update(
            f"step {metrics['step']} of {metrics['steps']}, {shown} {metrics[shown]:.3f}, "
            f"{metrics['tokens_per_second']:,.0f} tokens/s, {metrics['seconds_left']:.0f} s left"
        )

    def totals(self) -> dict[str, Any]:
        """Tokens that were trained on, and the loss at the end."""
        last = [line["loss"] for line in self.lines[-20:]]
        return {
            "steps": len(self.lines),
            "tokens": sum(line["tokens"] for line in self.lines),
            "loss": round(sum(last) / max(1, len(last)), 4),
        }

    def _rewrite(self) -> None:
        beside = self.file.with_suffix(".tmp")
        entries = [*self.others, *self.lines]
        beside.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
        beside.rename(self.file)
