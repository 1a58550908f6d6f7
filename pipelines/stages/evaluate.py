"""Evaluation: raw answers of one stage, and the table of all of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from generators.store import Stored
from pipelines import samplers
from pipelines.run_folder import RunFolder
from pipelines.stages import Counts, Job
from verifiers.pool import VerdictPool
from verifiers.sampler import Sampler

VERSION = 1
ROUND = 1
ON = "heldout"
BATCH = 500


def run(job: Job, stage: str, before: str | None = None) -> Counts:
    """Write the raw rows of `stage` (base, teacher, or a training stage) to data/evaluation.

    A training stage that was skipped is the policy of `before`, and so are its rows.
    """
    from students import evaluate as measuring

    if before is not None and "skipped" in trained(job.folder, stage):
        same = job.folder.read_table("evaluation", file_of(before))
        rows = [row | {"stage": stage} for row in same]
        job.folder.write_table("evaluation", rows, file_of(stage))
        return measuring.summary(rows)
    config = job.recipe.evaluate
    assert config is not None
    if config.system is None:
        config = config.model_copy(update={"system": job.recipe.chains.system})
    problems = job.folder.problems("heldout")
    total = len(problems) * (config.samples + config.greedy)

    async def measure() -> list[measuring.Score]:
        with job.folder.store() as store:
            sampler = _sampler(job, stage)
            if stage == "teacher":
                sampler = Stored(sampler, store)
            async with VerdictPool(options=job.recipe.verifiers) as pool:
                return await measuring.evaluate(
                    sampler, problems, pool, config, job.recipe.seed + 1,
                    lambda done: job.progress.update(f"{done} of {total} answers"),
                )  # fmt: skip

    scores = asyncio.run(measure())
    rows = [measuring.as_row(stage, ROUND, ON, score) for score in scores]
    job.folder.write_table("evaluation", rows, file_of(stage))
    return measuring.summary(rows)


def _sampler(job: Job, stage: str) -> Sampler:
    if stage == "teacher":
        assert job.recipe.teacher is not None
        return samplers.teacher(job.recipe.teacher)
    if stage != "base":
        return samplers.local(job.folder.path / "students" / stage, BATCH)
    from students import models
    from students.rollouts.decoder import LocalSampler

    assert job.recipe.student is not None
    model, tokenizer = models.start(job.recipe.student, job.recipe.seed)
    return LocalSampler(model.to(models.device()), tokenizer, "base", BATCH)


def trained(folder: RunFolder, stage: str) -> Counts:
    """What the manifest says of the training of `stage`; empty where it was none."""
    return folder.manifest["stages"].get(f"train:{stage}", {}).get("counts", {})


def file_of(stage: str) -> str:
    """Name of the file of raw rows in data/evaluation."""
    return f"r{ROUND}-{stage}-{ON}"


def write_table(folder: RunFolder, stages: Sequence[str]) -> list[dict[str, Any]]:
    """Write evaluation.json from the raw rows of `stages`, and remove raw rows of others."""
    from students.evaluate import table

    present = {file.stem for file in _files(folder)}
    for name in present - {file_of(stage) for stage in stages}:
        (folder.path / "data" / "evaluation" / f"{name}.parquet").unlink()
    raw = [
        (stage, folder.read_table("evaluation", file_of(stage)))
        for stage in stages
        if file_of(stage) in present
    ]
    rows = table(raw, ROUND, ON)
    for row in rows:
        counts = trained(folder, row["stage"])
        row |= {key: counts[key] for key in ("skipped", "ended") if key in counts}
    folder.write_text("evaluation.json", json.dumps(rows, indent=1) + "\n")
    return rows


def _files(folder: RunFolder) -> list[Path]:
    return sorted((folder.path / "data" / "evaluation").glob("*.parquet"))
