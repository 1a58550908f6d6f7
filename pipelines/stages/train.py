"""Training stages: from the policy before to the policy after."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipelines.errors import PipelineError
from pipelines.recipe import stage_id
from pipelines.stages import Counts, Job
from students.config import Training

VERSION = 1


def run(job: Job, stage: Training, before: str | None) -> Counts:
    """Train `stage` from the student of stage `before`, or from the start."""
    from students import engine, models
    from students.batches.encode import as_chat, encode_chats
    from students.objectives.sft import sft
    from students.sources import FileSource

    name = stage_id(stage)
    rows = _rows(job)
    config = job.recipe.student
    assert config is not None
    if before is None:
        model, tokenizer = models.start(config, job.recipe.seed)
    else:
        model, tokenizer = models.load(job.folder.path / "students" / before, config.dtype)
    if config.lora is not None:
        model = models.adapt(model, config.lora, job.recipe.seed)
    documents = encode_chats(tokenizer, [as_chat(row) for row in rows], stage.max_length)
    source = FileSource(documents, stage.tokens_per_step, job.recipe.seed)
    steps = source.steps(stage.epochs)
    if stage.max_steps is not None:
        steps = min(steps, stage.max_steps)
    metrics = Metrics(job, name)
    summary = models.describe(model)
    students = job.folder.path / "students"
    students.mkdir(exist_ok=True)
    engine.train(model, tokenizer, sft, source, stage, students / name, steps, metrics.add)
    counts: Counts = {"rows": len(rows), "steps": steps, **metrics.totals(), **summary}
    return counts


def _rows(job: Job) -> list[dict[str, Any]]:
    """The rows of data/sft; refuses a training set that holds a held-out problem."""
    rows = job.folder.read_table("sft")
    if "messages" in (rows[0] if rows else {}):
        rows = [row | {"messages": json.loads(row["messages"])} for row in rows]
    held = {problem.id for problem in job.folder.problems("heldout")}
    leaked = sum(row["problem_id"] in held for row in rows)
    if leaked:
        raise PipelineError(f"{leaked} rows of data/sft answer held-out problems")
    if not rows:
        raise PipelineError("data/sft is empty")
    return rows


class Metrics:
    """The lines of metrics.jsonl of one stage: each step once, however often it was redone."""

    def __init__(self, job: Job, stage: str):
        self.progress = job.progress
        self.stage = stage
        self.file: Path = job.folder.path / "metrics.jsonl"
        self.lines: list[dict[str, Any]] = []
        kept: list[dict[str, Any]] = []
        if self.file.exists():
            for line in self.file.read_text().splitlines():
                try:
                    entry = json.loads(line)
                except ValueError:
                    continue
                (self.lines if entry.get("stage") == stage else kept).append(entry)
        self.kept = kept
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
        left = (metrics["steps"] - metrics["step"]) * metrics["tokens"]
        self.progress.update(
            f"step {metrics['step']} of {metrics['steps']}, loss {metrics['loss']:.3f}, "
            f"{metrics['tokens_per_second']:,.0f} tokens/s, "
            f"{left / max(1.0, metrics['tokens_per_second']):.0f} s left"
        )

    def totals(self) -> dict[str, Any]:
        """Tokens that were trained on, and the loss at the end."""
        last = [line["loss"] for line in self.lines[-20:]]
        return {
            "tokens": sum(line["tokens"] for line in self.lines),
            "loss": round(sum(last) / max(1, len(last)), 4),
        }

    def _rewrite(self) -> None:
        beside = self.file.with_suffix(".tmp")
        entries = [*self.kept, *self.lines]
        beside.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
        beside.rename(self.file)
