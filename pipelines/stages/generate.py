"""Questions and chains: what is asked, what the teacher wrote, what the verifiers said."""

from __future__ import annotations

import asyncio
from collections import Counter

from generators.chains import chains
from generators.questions import BadRow, hold_out, questions
from generators.store import Stored
from pipelines import samplers
from pipelines.errors import PipelineError
from pipelines.run_folder import chain_row, problem_row
from pipelines.stages import Counts, Job
from verifiers.pool import VerdictPool
from verifiers.records import Problem

QUESTIONS_VERSION = 1
CHAINS_VERSION = 1


def ask(job: Job) -> Counts:
    """Write data/problems and data/heldout."""
    recipe = job.recipe
    found: list[Problem] = []
    bad: list[BadRow] = []
    for item in questions(recipe.questions, recipe.seed, recipe.verifiers):
        if isinstance(item, BadRow):
            bad.append(item)
        else:
            found.append(item)
            job.progress.update(f"{len(found)} problems")
    asked, held = found, list[Problem]()
    if recipe.evaluate is not None:
        split = recipe.evaluate.heldout
        asked, held = hold_out(found, split.n, split.by, recipe.seed)
    for row in bad:
        job.folder.log("bad_row", source=row.source, row=row.row, reason=row.reason)
    job.folder.write_table("problems", [problem_row(p) for p in asked])
    job.folder.write_table("heldout", [problem_row(p) for p in held])
    counts: Counts = {"problems": len(asked), "heldout": len(held)}
    return counts | ({"bad_row": len(bad)} if bad else {})


def draw(job: Job) -> Counts:
    """Write data/chains."""
    return asyncio.run(_draw(job))


async def _draw(job: Job) -> Counts:
    recipe = job.recipe
    assert recipe.teacher is not None
    problems = job.folder.problems("problems")
    order = {problem.id: n for n, problem in enumerate(problems)}
    rows = []
    tally: Counter[str] = Counter()
    wanted = len(problems) * recipe.chains.samples
    with job.folder.store() as store:
        sampler = Stored(samplers.teacher(recipe.teacher), store)
        sampling = recipe.chains.sampling or recipe.teacher.sampling
        async with VerdictPool(options=recipe.verifiers) as pool:
            async for group in chains(
                problems, sampler, pool, store, recipe.chains, sampling, recipe.seed
            ):
                for completion, verdict in group.samples:
                    rows.append(chain_row(completion, verdict))
                    tally[verdict.status] += 1
                    if verdict.reason:
                        tally[f"reason:{verdict.reason}"] += 1
                decided = tally["correct"] / max(1, len(rows))
                job.progress.update(f"{len(rows)} of {wanted} chains, {decided:.0%} correct")
        damaged = len(store.damaged)
    if not rows:
        raise PipelineError("the teacher gave no completion at all")
    rows.sort(key=lambda row: (order[row["problem_id"]], row["index"]))
    job.folder.write_table("chains", rows)
    counts: Counts = {"completions": len(rows), "asked": sampler.asked}
    counts |= {status: tally[status] for status in ("correct", "wrong", "undecided")}
    counts["reasons"] = {
        name.removeprefix("reason:"): n for name, n in sorted(tally.items()) if ":" in name
    }
    if missing := wanted - len(rows):
        counts["missing"] = missing
    if damaged:
        counts["damaged"] = damaged
    return counts
