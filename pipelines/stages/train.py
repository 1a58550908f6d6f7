"""Training stages: from the policy before to the policy after."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines import rollouts, samplers
from pipelines.recipe import stage_id
from pipelines.stages import Counts, Job
from pipelines.training_rows import rows_of
from students.config import FromRows, RewardModel, Training
from verifiers.files import place
from verifiers.pool import VerdictPool

if TYPE_CHECKING:
    from students.batches.tokenise import Rows
    from students.stages import Plan

VERSION = 2
MANY_UNDECIDED = 0.05
Report = Callable[[dict[str, Any]], bool | None]


def run(job: Job, stage: Training, before: str | None) -> Counts:
    """Train `stage` from the student of stage `before`, or from the start."""
    from pipelines import launch
    from students import engine
    from students.trackers import Trackers

    name, students = stage_id(stage), job.folder.path / "students"
    students.mkdir(exist_ok=True)
    assert job.recipe.student is not None
    metrics = Metrics(job, name, fresh=not engine.resumable(students / name))
    count = launch.processes(job.recipe.student)
    folder, settings = job.folder.path / "trackers", stage.model_dump(mode="json")
    with Trackers(job.recipe.student.trackers, job.recipe.name, name, folder, settings) as track:

        def report(line: dict[str, Any]) -> None:
            metrics.add(line)
            track(line)

        if count == 1:
            found = learn(job, stage, before, report)
        else:
            found = launch.learn(job, stage, before, report, count)
    for how in ("ended", "skipped", "stopped"):
        if how in found:
            job.progress.note(f"{name} {how}: {found[how]}")
    return {"rows": found.pop("rows"), **metrics.totals(), **found}


def learn(job: Job, stage: Training, before: str | None, report: Report) -> Counts:
    """Train `stage` in this process, with those that were started beside it; what became of it."""
    from students import engine, ranks

    assert job.recipe.student is not None
    ranks.join()
    out = job.folder.path / "students" / stage_id(stage)
    rows = rows_of(job, stage)
    model, tokenizer, origin = student(job, before, stage)
    with _plan(job, stage, rows, model, tokenizer, origin) as plan:
        engine.train(
            model, tokenizer, plan.objective, plan.source, stage, out, plan.steps, report,
            keep=True, seed=job.recipe.seed, validation=plan.validation,
            strategy=job.recipe.student.strategy,
            context_parallel=job.recipe.student.context_parallel,
        )  # fmt: skip
    summary = json.loads((out / "training.json").read_text())
    if plan.held is not None and ranks.main():
        from students.reward_model import accuracy

        pairs = summary["pairs"] = accuracy(out, plan.held)
        right = f"{pairs['accuracy']:.1%} of {pairs['n']} held-out pairs"
        job.progress.note(f"{stage_id(stage)} ranks {right} right")
    return {**plan.counts, **rows.counts, **summary, **_ended(plan.source)}


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
    from students.precision import compute_in
    from students.vocabulary import ids_of

    config, seed = job.recipe.student, job.recipe.seed
    assert config is not None
    lora = config.lora
    name = f"{config.shaping()} {seed} {identity(str(config.model))}"
    held = config if lora else config.model_copy(update={"dtype": "float32"})
    last = job.folder.path / "students" / before if before else None
    adapter = last / "adapter" if last and lora and lora.begin == "adapter" else None
    if last and not adapter:
        quantize = lora.quantize if lora else None
        model, tokenizer = models.load(last, held.dtype, quantize=quantize)
        name = identity(last)
    else:
        model, tokenizer = models.start(held, seed)
        name += f" {identity(adapter)}" if adapter else ""
    if isinstance(stage, RewardModel):
        model = with_head(model, tokenizer, seed)
    if lora is not None:
        model = adapt(model, lora, seed, adapter, ids_of(tokenizer, config.tokens))
    else:
        compute_in(model, config.dtype)
    return model.to(models.device()), tokenizer, name


def _ended(source: Any) -> Counts:
    """Why a stage had nothing to train on, or not as long as planned; empty where it had."""
    ended = getattr(source, "ended", None)
    if ended is None:
        return {}
    figures = {key: getattr(ended, key) for key in ("groups", "solved", "unsolved")}
    if ended.rounds:
        return {"ended": f"after {ended.rounds} rounds, {ended}"} | figures
    return {"skipped": f"{ended}; the policy is handed on as it was"} | figures


@contextmanager
def _plan(
    job: Job, stage: Training, rows: Rows, model: Any, tokenizer: Any, origin: str
) -> Iterator[Plan]:
    from students import engine, ranks, stages

    seed = job.recipe.seed
    if isinstance(stage, FromRows):
        cache, told = job.folder.path / "students" / ".cache", job.progress.update
        yield stages.from_rows(stage, rows, model, tokenizer, seed, origin, cache, told)
        return
    assert isinstance(stage, rollouts.GRPO)
    known = {problem.id: problem for problem in job.folder.problems("problems")}
    problems = [known[row["problem_id"]] for row in rows]
    with ExitStack() as opened:
        main = ranks.main()
        pool = job.pool(opened.enter_context(job.folder.store())) if main else VerdictPool()
        served = None
        if stage.backend == "vllm":
            out = job.folder.path / "students" / stage_id(stage)
            server = samplers.server(stage.vllm, job.recipe.teacher)
            served = rollouts.served(
                stage, server, job.servers, engine.partial_of(out) / "policy", model, tokenizer
            )
            opened.callback(served[0].server.stop)
        plan = stages.from_rollouts(
            stage, problems, model, tokenizer, pool, seed, job.recipe.chains.system, served
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
        self.job, self.stage = job, stage
        self.warned = False
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
        undecided = metrics.get("undecided", 0.0)
        if undecided > MANY_UNDECIDED and not self.warned:
            self.warned = True
            told = f"step {metrics['step']}: {undecided:.0%} of the rollouts could not be judged"
            self.job.progress.note(f"{self.stage}: {told}; above 20% the run stops")
            self.job.folder.log("warning", stage=self.stage, text=told)
        line = {"stage": self.stage, **metrics}
        self.lines.append(line)
        with self.file.open("a") as stream:
            stream.write(json.dumps(line) + "\n")
        shown = "reward" if "reward" in metrics else "loss"
        self.job.progress.update(
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
