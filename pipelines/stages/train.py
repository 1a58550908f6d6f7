"""Training stages: from the policy before to the policy after."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.recipe import stage_id
from pipelines.stages import Counts, Job
from pipelines.training_rows import TrainingRows
from students.config import GRPO, FromRows, RewardModel, Training
from verifiers.files import place

if TYPE_CHECKING:
    from students.stages import Plan

VERSION = 2


def run(job: Job, stage: Training, before: str | None) -> Counts:
    """Train `stage` from the student of stage `before`, or from the start."""
    from students import engine

    name, students = stage_id(stage), job.folder.path / "students"
    students.mkdir(exist_ok=True)
    rows = TrainingRows(job, stage)
    model, tokenizer, origin = student(job, before, stage)
    metrics = Metrics(job, name, fresh=not engine.resumable(students / name))
    with _plan(job, stage, rows, model, tokenizer, origin) as plan:
        engine.train(
            model, tokenizer, plan.objective, plan.source, stage, students / name, plan.steps,
            metrics.add, keep=True,
        )  # fmt: skip
    summary = json.loads((students / name / "training.json").read_text())
    if plan.held is not None:
        from students.reward_model import accuracy

        pairs = summary["pairs"] = accuracy(students / name, plan.held)
        right = f"{pairs['accuracy']:.1%} of {pairs['n']} held-out pairs"
        job.progress.note(f"{name} ranks {right} right")
    return {**plan.counts, **metrics.totals(), **summary, **_ended(job, name, plan.source)}


def student(job: Job, before: str | None, stage: Training) -> tuple[Any, Any, str]:
    """The model that `stage` trains, its tokenizer, and a name for it by content.

    It is the policy as stage `before` left it, for a reward model under a new head. A LoRA policy
    is handed on as the one adapter that all stages train, on the student before any training:
    merged weights round it where they are of 16 bits.
    """
    from students import models
    from students.adapters import adapt
    from students.heads import with_head
    from students.identity import identity
    from students.vocabulary import ids_of

    config, seed = job.recipe.student, job.recipe.seed
    assert config is not None
    lora = config.lora
    name = f"{config.model_dump(mode='json')} {seed} {identity(str(config.model))}"
    last = job.folder.path / "students" / before if before else None
    adapter = last / "adapter" if last and lora and lora.begin == "adapter" else None
    if last and not adapter:
        quantize = lora.quantize if lora else None
        model, tokenizer = models.load(last, config.dtype, quantize=quantize)
        name = identity(last)
    else:
        model, tokenizer = models.start(config, seed)
        name += f" {identity(adapter)}" if adapter else ""
    if isinstance(stage, RewardModel):
        model = with_head(model, tokenizer, seed)
    if lora is not None:
        model = adapt(model, lora, seed, adapter, ids_of(tokenizer, config.tokens))
    return model.to(models.device()), tokenizer, name


def _ended(job: Job, name: str, source: Any) -> Counts:
    """Why a stage had nothing to train on, or not as long as planned; empty where it had."""
    ended = getattr(source, "ended", None)
    if ended is None:
        return {}
    figures = {key: getattr(ended, key) for key in ("groups", "solved", "unsolved")}
    if ended.rounds:
        note = {"ended": f"after {ended.rounds} rounds, {ended}"}
    else:
        note = {"skipped": f"{ended}; the policy is handed on as it was"}
    job.progress.note("".join(f"{name} {how}: {why}" for how, why in note.items()))
    return note | figures


@contextmanager
def _plan(
    job: Job, stage: Training, rows: TrainingRows, model: Any, tokenizer: Any, origin: str
) -> Iterator[Plan]:
    from students import stages

    seed = job.recipe.seed
    if isinstance(stage, FromRows):
        cache, told = job.folder.path / "students" / ".cache", job.progress.update
        yield stages.from_rows(stage, rows, model, tokenizer, seed, origin, cache, told)
        return
    assert isinstance(stage, GRPO)
    known = {problem.id: problem for problem in job.folder.problems("problems")}
    problems = [known[row["problem_id"]] for row in rows]
    with job.folder.store() as store:
        plan = stages.from_rollouts(
            stage, problems, model, tokenizer, job.pool(store), seed, job.recipe.chains.system
        )
        try:
            yield plan
        finally:
            plan.source.close()  # type: ignore[attr-defined]


class Metrics:
    """The lines of metrics.jsonl of one stage: each step once, however often it was redone.

    A `fresh` stage starts without those of an earlier training.
    """

    def __init__(self, job: Job, stage: str, fresh: bool):
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
        if fresh:
            self.lines = []
            self._rewrite()
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
            **({"loss": round(sum(last) / len(last), 4)} if last else {}),
        }

    def _rewrite(self) -> None:
        beside = self.file.with_suffix(".tmp")
        entries = [*self.others, *self.lines]
        beside.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
        place(beside, self.file)
