"""Evaluation: raw answers of one stage, and the table of all of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from generators.stored import Stored
from pipelines import samplers
from pipelines.problem_sets import table_of
from pipelines.recipe import Recipe
from pipelines.run_folder import RunFolder
from pipelines.stages import Counts, Job
from students.config import EvaluateConfig
from verifiers.sampler import Sampler

VERSION = 2
ROUND = 1


def run(job: Job, stage: str, on: str, before: str | None = None) -> Counts:
    """Write the raw rows of `stage` (base, teacher, or a training stage) on a problem set.

    A training stage that was skipped is the policy of `before`, and so are its rows.
    """
    from students import evaluate as measuring

    if before is not None and "skipped" in trained(job.folder, stage):
        same = job.folder.read_table("evaluation", file_of(before, on))
        rows = [row | {"stage": stage} for row in same]
        job.folder.write_table("evaluation", rows, file_of(stage, on))
        return measuring.summary(rows)
    assert job.recipe.evaluate is not None
    config = job.recipe.evaluate.settings(on)
    if config.system is None:
        config = config.model_copy(update={"system": job.recipe.chains.system})
    problems = job.folder.problems(table_of(on))
    total = len(problems) * (config.samples + config.greedy)

    async def measure(sampler: Sampler) -> list[measuring.Score]:
        with job.folder.store() as store:
            if stage == "teacher":
                sampler = Stored(sampler, store)
            async with job.pool(store) as pool:
                return await measuring.evaluate(
                    sampler, problems, pool, config, job.recipe.seed + 1,
                    lambda done: job.progress.update(f"{done} of {total} answers"),
                )  # fmt: skip

    scores = asyncio.run(measure(_sampler(job, stage, config)))
    rows = [measuring.as_row(stage, ROUND, on, score) for score in scores]
    job.folder.write_table("evaluation", rows, file_of(stage, on))
    return measuring.summary(rows) | {"tokens": sum(score.tokens for score in scores)}


def _sampler(job: Job, stage: str, config: EvaluateConfig) -> Sampler:
    """Whoever answers as `stage`; no server but a student's own runs while a student answers."""
    recipe = job.recipe
    if stage == "teacher":
        assert recipe.teacher is not None
        return samplers.teacher(recipe.teacher, job.servers)
    if config.backend == "vllm":
        model = _weights(job, stage)
        job.servers.stop(but=model)
        assert recipe.evaluate is not None
        started = samplers.server(recipe.evaluate.vllm, recipe.teacher)
        return samplers.vllm(model, started, job.servers, max_in_flight=config.batch)
    job.servers.stop()
    if stage != "base":
        return samplers.local(job.folder.path / "students" / stage, config.batch)
    from students import models
    from students.rollouts.decoder import LocalSampler

    model, tokenizer = _untrained(recipe)
    return LocalSampler(model.to(models.device()), tokenizer, "base", config.batch)


def _weights(job: Job, stage: str) -> str:
    """The folder or hub id of a student; one that starts from nothing is written first."""
    students, student = job.folder.path / "students", job.recipe.student
    assert student is not None
    if stage != "base":
        return str(students / stage)
    if student.model is not None and not student.tokens:
        return student.model
    from students import models

    models.save(*_untrained(job.recipe), students / ".base")
    return str(students / ".base")


def _untrained(recipe: Recipe) -> tuple[Any, Any]:
    from students import models

    assert recipe.student is not None
    plain = recipe.student.model_copy(update={"dtype": "auto", "lora": None})
    return models.start(plain, recipe.seed)


def trained(folder: RunFolder, stage: str) -> Counts:
    """What the manifest says of the training of `stage`; empty where it was none."""
    return folder.manifest["stages"].get(f"train:{stage}", {}).get("counts", {})


def file_of(stage: str, on: str) -> str:
    """Name of the file of raw rows in data/evaluation."""
    return f"r{ROUND}-{stage}-{on}"


def write_table(folder: RunFolder, measured: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """Write evaluation.json from the raw rows of (stage, on), and remove raw rows of others."""
    from students.evaluate import table

    present = {file.stem for file in _files(folder)}
    for name in present - {file_of(*pair) for pair in measured}:
        (folder.path / "data" / "evaluation" / f"{name}.parquet").unlink()
    raw: dict[str, list[tuple[str, list[dict[str, Any]]]]] = {}
    for stage, on in measured:
        if file_of(stage, on) in present:
            answers = folder.read_table("evaluation", file_of(stage, on))
            raw.setdefault(on, []).append((stage, answers))
    rows = [row for on, stages in raw.items() for row in table(stages, ROUND, on)]
    for name, entry in folder.manifest["stages"].items():
        if pairs := entry["counts"].get("pairs"):
            stage = name.removeprefix("train:")
            rows.append({"stage": stage, "round": ROUND, "on": "pairs", **pairs})
    for row in rows:
        counts = trained(folder, row["stage"])
        row |= {key: counts[key] for key in ("skipped", "ended") if key in counts}
    folder.write_text("evaluation.json", json.dumps(rows, indent=1) + "\n")
    return rows


def _files(folder: RunFolder) -> list[Path]:
    return sorted((folder.path / "data" / "evaluation").glob("*.parquet"))
