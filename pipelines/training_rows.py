"""The rows that a training stage reads: one by one, as often as they are wanted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from generators.curation.decontaminate import held_prompts
from generators.curation.text import said
from pipelines.errors import PipelineError
from pipelines.own_rows import OwnRows
from pipelines.run_folder import parquet_errors
from pipelines.stages import Job
from pipelines.tables import rows
from students.config import CPT, FromRows, Training
from verifiers.records import Problem


def rows_of(job: Job, stage: Training) -> TrainingRows | OwnRows:
    """The rows that `stage` reads."""
    if isinstance(stage, FromRows) and stage.own:
        return OwnRows(stage, job.kept_out(), job.recipe.curate.decontaminate)
    return TrainingRows(job, stage)


class TrainingRows:
    """Rows that the run made; refuses, at their end, a set that holds what is measured on."""

    counts: ClassVar[dict[str, int]] = {}

    def __init__(self, job: Job, stage: Training):
        self._folder = job.folder
        self._stage = stage
        self._decontaminate = job.recipe.curate.decontaminate
        self._held = job.kept_out()
        prompts = {str(problem.prompt) for problem in self._held}
        asked = self._folder.each_problem("problems")
        same = {problem.id for problem in asked if str(problem.prompt) in prompts}
        self._barred = {problem.id for problem in self._held} | same

    def __iter__(self) -> Iterator[dict[str, Any]]:
        leaked = amount = 0
        for row in self._read():
            amount += 1
            leaked += row["problem_id"] in self._barred
            yield row
        name = f"data/{self._stage.reads}"
        if leaked:
            raise PipelineError(f"{leaked} rows of {name} are of problems that are evaluated on")
        if not amount:
            raise PipelineError(f"{name} is empty")

    def _read(self) -> Iterator[dict[str, Any]]:
        if isinstance(self._stage, CPT) and self._stage.data == "questions":
            for problem in self._questions():
                yield {"text": problem.text, "problem_id": problem.id}
            return
        path = self._folder.path / "data" / self._stage.reads / "part-0.parquet"
        with parquet_errors(path):
            yield from rows(path)

    def _questions(self) -> Iterator[Problem]:
        """What was asked, without what is measured on and what curation takes for a copy of it."""
        problems = self._folder.problems("problems")
        copies = set[str]()
        if self._decontaminate is not None:
            texts = [said(problem.prompt) for problem in problems]
            held = held_prompts(self._held, self._decontaminate, texts)
            copies = {p.id for p, text in zip(problems, texts, strict=True) if held.match(text)}
        left_out = self._barred | copies
        yield from (problem for problem in problems if problem.id not in left_out)
