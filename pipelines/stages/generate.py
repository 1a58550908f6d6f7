"""Questions and chains: what is asked, what the teacher wrote, what the verifiers said."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from generators.chains import chains
from generators.questions import BadRow, hold_out, questions
from generators.questions.evolve import evolve
from generators.stored import Stored
from pipelines import samplers
from pipelines.errors import PipelineError
from pipelines.problem_sets import AnySet
from pipelines.run_folder import chain_row, problem_row
from pipelines.stages import Counts, Job
from verifiers.base import load
from verifiers.records import WRITTEN, Problem, pass_rate

QUESTIONS_VERSION = 2
CHAINS_VERSION = 1


def ask(job: Job) -> Counts:
    """Write data/problems and data/heldout; the teacher writes its questions after the split."""
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
    if recipe.evaluate is not None and recipe.evaluate.holds_out:
        split = recipe.evaluate.heldout
        asked, held = hold_out(found, split.n, split.by, recipe.seed)
    written = asyncio.run(_write(job, asked, held, bad))
    for row in bad:
        job.folder.log("bad_row", source=row.source, row=row.row, reason=row.reason)
    job.folder.write_table("problems", [problem_row(p) for p in [*asked, *written]])
    job.folder.write_table("heldout", [problem_row(p) for p in held])
    counts: Counts = {"problems": len(asked) + len(written), "heldout": len(held)}
    if any(source.source == "evolve" for source in recipe.questions):
        counts["written"] = len(written)
    rejected = Counter(row.reason if row.source == "evolve" else "bad_row" for row in bad)
    return counts | dict(sorted(rejected.items()))


def collect(job: Job, problems: AnySet) -> Counts:
    """Write the problems of one set that students are measured on."""
    found: list[Problem] = []
    bad = 0
    seed = problems.seed(job.recipe.seed)
    for item in questions([problems.source_config()], seed, job.recipe.verifiers):
        if isinstance(item, BadRow):
            bad += 1
            job.folder.log("bad_row", source=item.source, row=item.row, reason=item.reason)
        else:
            found.append(item)
            job.progress.update(f"{len(found)} problems")
    job.folder.write_table(problems.config, [problem_row(p) for p in found])
    return {"problems": len(found)} | ({"bad_row": bad} if bad else {})


async def _write(
    job: Job, asked: list[Problem], held: list[Problem], bad: list[BadRow]
) -> list[Problem]:
    """The teacher's own questions, none of which is asked already or held out."""
    recipe = job.recipe
    sources = [source for source in recipe.questions if source.source == "evolve"]
    if not sources:
        return []
    assert recipe.teacher is not None
    known = {str(problem.prompt) for problem in [*asked, *held]}
    written: list[Problem] = []
    with job.folder.store() as store:
        sampler = Stored(samplers.teacher(recipe.teacher, job.servers), store)
        for number, source in enumerate(sources):
            verifier = load(
                source.verifier, recipe.verifiers.get(source.verifier), recipe.verifiers
            )
            sampling = source.sampling or recipe.teacher.sampling
            async for item in evolve(
                source, asked, sampler, verifier, sampling, recipe.seed * 1_000_003 + number
            ):
                job.progress.update(f"{len(written)} written questions")
                if isinstance(item, Problem) and str(item.prompt) in known:
                    item = BadRow("evolve", len(written), "the question is known already")
                if isinstance(item, BadRow):
                    bad.append(item)
                    continue
                known.add(str(item.prompt))
                written.append(item)
    return written


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
    wanted = sum(recipe.chains.samples + len(p.meta.get(WRITTEN, [])) for p in problems)
    with job.folder.store() as store:
        sampler = samplers.asking(recipe.teacher, job.servers, store)
        sampling = recipe.chains.sampling or recipe.teacher.sampling
        async with job.pool(store) as pool:
            async for group in chains(
                problems, sampler, pool, store, recipe.chains, sampling, recipe.seed
            ):
                for completion, verdict in group.samples:
                    rows.append(chain_row(completion, verdict))
                    tally[verdict.status] += 1
                    tally["tokens"] += completion.usage.completion_tokens
                    if verdict.reason:
                        tally[f"reason:{verdict.reason}"] += 1
                decided = tally["correct"] / max(1, len(rows))
                job.progress.update(f"{len(rows)} of {wanted} chains, {decided:.0%} correct")
        damaged = len(store.damaged)
    if not rows:
        raise PipelineError("the teacher gave no completion at all")
    harder = _harder(problems, rows)
    rows.sort(key=lambda row: order[row["problem_id"]])
    job.folder.write_table("chains", rows)
    counts: Counts = {"completions": len(rows), "asked": sampler.asked}
    counts["tokens"] = tally["tokens"]
    counts |= {status: tally[status] for status in ("correct", "wrong", "undecided")}
    counts["reasons"] = {
        name.removeprefix("reason:"): n for name, n in sorted(tally.items()) if ":" in name
    }
    if harder is not None:
        counts["harder_than_parent"] = harder
    if missing := wanted - len(rows):
        counts["missing"] = missing
    if damaged:
        counts["damaged"] = damaged
    return counts


def _harder(problems: list[Problem], rows: list[dict[str, Any]]) -> float | None:
    """Share of the written questions whose pass rate is below their parent's; None without any."""
    statuses: dict[str, list[str]] = {}
    for row in rows:
        statuses.setdefault(row["problem_id"], []).append(row["status"])
    rates = {name: pass_rate(seen) for name, seen in statuses.items()}
    pairs = [
        (rates.get(problem.id), rates.get(problem.parents[0]))
        for problem in problems
        if problem.meta.get("operator") == "evolve"
    ]
    known = [(own, parent) for own, parent in pairs if own is not None and parent is not None]
    return round(sum(own < parent for own, parent in known) / len(known), 4) if known else None
