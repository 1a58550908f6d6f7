"""A few questions of a run, asked and judged, and what the whole run would cost by them."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from generators.budget import Bill
from generators.chains import chains
from pipelines import samplers
from pipelines.errors import PipelineError
from pipelines.live import View, watching
from pipelines.projection import Trial, project
from pipelines.recipe import Recipe, difficulty_band
from pipelines.run_folder import chain_row, problem_row
from pipelines.stages import Job
from verifiers.records import Group, Problem


def fewer_questions(recipe: Recipe, limit: int) -> Recipe:
    """The recipe, its teacher writing no more than `limit` questions for each source."""
    sources = [
        source.model_copy(update={"n": min(source.n, limit)})
        if source.source == "evolve"
        else source
        for source in recipe.questions
    ]
    return recipe.model_copy(update={"questions": sources})


def run(job: Job, limit: int, asked_for: Recipe) -> Trial:
    """Ask `limit` of the questions that data/problems holds; nothing but the store is written.

    `asked_for` is the recipe by which the questions were made: `fewer_questions`, or the whole one.
    Raises TeacherError as the teacher does, and PipelineError where no answer came at all.
    """
    budget = job.folder.budget
    there = job.folder.manifest["stages"]["questions"]["counts"]["problems"]
    chosen = _chosen(job, there, min(limit, there))
    job.progress.start("trial")
    before, start = budget.bill, time.monotonic()
    groups, asked, trouble = asyncio.run(_draw(job, chosen))
    wanted, written = _to_write(job.recipe), _to_write(asked_for)
    trial = Trial(
        groups=groups,
        questions=there + wanted - written,
        asked=asked,
        trouble=trouble,
        seconds=time.monotonic() - start,
        paid=budget.bill - before,
        writing=before.times(wanted / written) if written else Bill(),
    )
    job.folder.log("trial", questions=len(groups), asked=asked, trouble=trouble)
    if trial.failed == sum(map(len, trial.samples)):
        raise PipelineError(f"the teacher gave no answer at all{trial.reasons}")
    trial.whole = project(job.recipe, trial, budget)
    return trial


def _to_write(recipe: Recipe) -> int:
    """Questions that the teacher is asked to write."""
    return sum(source.n for source in recipe.questions if source.source == "evolve")


def _chosen(job: Job, there: int, count: int) -> list[Problem]:
    """Problems spread over all of them; the first, where the run reads only as many as it needs."""
    first = job.recipe.chains.accepted is not None
    places = {n if first else n * there // count for n in range(count)}
    problems = enumerate(job.folder.each_problem("problems"))
    return [problem for place, problem in problems if place in places]


async def _draw(job: Job, problems: list[Problem]) -> tuple[list[Group], int, dict[str, int]]:
    """The judged groups in the order of their problems, how many requests were made, and what went
    wrong with them."""
    recipe = job.recipe
    assert recipe.teacher is not None
    order = {problem.id: place for place, problem in enumerate(problems)}
    groups = []
    with job.folder.store() as store:
        sampler = samplers.drawing(recipe.teacher, recipe.chains, job.servers, store)
        sampling = recipe.chains.sampling or recipe.teacher.sampling
        view = View.of(job, sampler, len(problems))
        async with job.pool(store) as pool, watching(job.progress, view):
            async for group in chains(
                problems, sampler, pool, store, recipe.chains, sampling, recipe.seed,
                difficulty_band(recipe),
            ):  # fmt: skip
                groups.append(group)
                view.add(group)
    groups.sort(key=lambda group: order[group.problem.id])
    return groups, sampler.asked, getattr(sampler, "trouble", {})


def as_json(trial: Trial) -> dict[str, Any]:
    """Rows and projection for a program."""
    rows = [
        problem_row(group.problem)
        | {"chains": [chain_row(completion, verdict) for completion, verdict in group.samples]}
        for group in trial.groups
    ]
    seconds = round(trial.seconds, 3)
    return {"rows": rows, "asked": trial.asked, "seconds": seconds, "whole": trial.whole}
