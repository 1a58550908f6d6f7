"""Questions and chains: what is asked, what the teacher wrote, what the verifiers said."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from generators.chains import chains
from generators.config import QuestionSource
from generators.questions import BadRow, questions
from generators.questions.evolve import evolve
from generators.questions.pile import Pile
from generators.shelf import Shelf
from generators.stored import Stored
from generators.target import Target
from pipelines import samplers
from pipelines.errors import PipelineError
from pipelines.live import View, watching
from pipelines.problem_sets import AnySet
from pipelines.recipe import difficulty_band
from pipelines.run_folder import chain_row, problem_row
from pipelines.stages import Counts, Job
from pipelines.tables import CHAIN, PROBLEM, Table
from verifiers.base import load
from verifiers.records import WRITTEN, Group, Problem, pass_rate

QUESTIONS_VERSION = 2
CHAINS_VERSION = 1


def ask(job: Job) -> Counts:
    """Write data/problems and data/heldout; the teacher writes its questions after the split."""
    recipe = job.recipe
    evolves = any(source.source == "evolve" for source in recipe.questions)
    holds_out = recipe.evaluate is not None and recipe.evaluate.holds_out
    asked = _Asked(job)
    counts: Counts = {}
    with Pile() as pile:
        found: Iterable[Problem] = asked.found(recipe.questions, recipe.seed)
        if holds_out or evolves:
            for problem in found:
                pile.add(problem)
            found = pile.to_ask()
        if recipe.evaluate is not None and holds_out:
            split = recipe.evaluate.heldout
            pile.hold_out(split.n, split.by, recipe.seed)
        if evolves:
            counts["written"] = asyncio.run(_write(job, pile, asked.rejected))
        for config, rows in (("problems", found), ("heldout", pile.held())):
            with job.folder.table(config, PROBLEM) as table:
                for problem in rows:
                    table.add(problem_row(problem))
            counts[config] = table.rows
    order = ("problems", "heldout", "written")
    return {name: counts[name] for name in order if name in counts} | asked.rejects()


class _Asked:
    """What the sources give; a row that is no problem goes to the log and is counted."""

    def __init__(self, job: Job):
        self.job = job
        self.reasons: Counter[str] = Counter()

    def found(self, sources: Sequence[QuestionSource], seed: int) -> Iterator[Problem]:
        """The problems of all sources that exist."""
        count = 0
        for item in questions(sources, seed, self.job.recipe.verifiers):
            if isinstance(item, BadRow):
                self.rejected(item)
                continue
            count += 1
            self.job.progress.update(f"{count:,} problems")
            yield item

    def rejected(self, row: BadRow) -> None:
        """Log and count a row."""
        self.job.folder.log("bad_row", source=row.source, row=row.row, reason=row.reason)
        self.reasons[row.reason if row.source == "evolve" else "bad_row"] += 1

    def rejects(self) -> Counts:
        """For the manifest."""
        return dict(sorted(self.reasons.items()))


def collect(job: Job, problems: AnySet) -> Counts:
    """Write the problems of one set that students are measured on."""
    asked = _Asked(job)
    with job.folder.table(problems.config, PROBLEM) as table:
        for problem in asked.found([problems.source_config()], problems.seed(job.recipe.seed)):
            table.add(problem_row(problem))
    return {"problems": table.rows} | asked.rejects()


async def _write(job: Job, pile: Pile, rejected: Callable[[BadRow], None]) -> int:
    """Put the teacher's own questions on the pile, none of which it knows already; how many."""
    recipe = job.recipe
    sources = [source for source in recipe.questions if source.source == "evolve"]
    assert recipe.teacher is not None
    written = 0
    with job.folder.store() as store:
        sampler = Stored(samplers.teacher(recipe.teacher, job.servers), store)
        for number, source in enumerate(sources):
            verifier = load(
                source.verifier, recipe.verifiers.get(source.verifier), recipe.verifiers
            )
            sampling = source.sampling or recipe.teacher.sampling
            seed = recipe.seed * 1_000_003 + number

            def note(count: int, most: int = source.n) -> None:
                job.progress.update(f"{count:,} of {most:,} questions written")

            async for item in evolve(source, pile, sampler, verifier, sampling, seed, note):
                if isinstance(item, BadRow):
                    rejected(item)
                    continue
                pile.add(item, written=True)
                written += 1
    return written


def draw(job: Job) -> Counts:
    """Write data/chains. The garbage collector looks less often: it took a tenth of the time."""
    import uvloop

    before = gc.get_threshold()
    gc.set_threshold(20_000, 20, 20)
    try:
        with Shelf() as rates, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_draw(job, _Drawn(job, rates)))
    finally:
        gc.set_threshold(*before)


class _Drawn:
    """What is counted while chains are drawn."""

    def __init__(self, job: Job, rates: Shelf):
        self.job, self.recipe, self.rates = job, job.recipe, rates
        self.tally: Counter[str] = Counter()
        self.order: dict[str, int] = {}
        self.evolves = any(source.source == "evolve" for source in job.recipe.questions)
        self.missing = 0
        self.view: View | None = None

    def problems(self) -> Iterator[Problem]:
        """The problems to ask, with a note of their place while they are open."""
        for number, problem in enumerate(self.job.folder.each_problem("problems")):
            self.order[problem.id] = number
            yield problem

    def add(self, group: Group, table: Table) -> None:
        """Write a judged group."""
        place = self.order.pop(group.problem.id)
        least = self.recipe.chains.samples.min + len(group.problem.meta.get(WRITTEN, []))
        self.missing += max(0, least - len(group.samples))
        for completion, verdict in group.samples:
            table.add(chain_row(completion, verdict), place)
            self.tally[verdict.status] += 1
            self.tally["tokens"] += completion.usage.completion_tokens
            if verdict.reason:
                self.tally[f"reason:{verdict.reason}"] += 1
        if self.evolves:
            statuses = [verdict.status for _, verdict in group.samples]
            self.rates.put(group.problem.id, pass_rate(statuses))
        if self.view is not None:
            self.view.add(group)

    def counts(self) -> Counts:
        """For the manifest."""
        tally = self.tally
        counts: Counts = {"tokens": tally["tokens"]}
        counts |= {status: tally[status] for status in ("correct", "wrong", "undecided")}
        counts["reasons"] = {
            name.removeprefix("reason:"): n for name, n in sorted(tally.items()) if ":" in name
        }
        return counts | (self._against_parents() if self.evolves else {})

    def _against_parents(self) -> Counts:
        """Shares of the written questions with a lower and with a higher pass rate than their
        parent's; empty where no such pair was measured."""
        steps = []
        for problem in self.job.folder.each_problem("problems"):
            if problem.meta.get("operator") == "evolve":
                own, parent = self.rates.get(problem.id), self.rates.get(problem.parents[0])
                if own is not None and parent is not None:
                    steps.append(own - parent)
        if not steps:
            return {}
        return {
            "harder_than_parent": round(sum(step < 0 for step in steps) / len(steps), 4),
            "easier_than_parent": round(sum(step > 0 for step in steps) / len(steps), 4),
        }


async def _draw(job: Job, drawn: _Drawn) -> Counts:
    recipe = job.recipe
    assert recipe.teacher is not None
    with job.folder.store() as store, job.folder.table("chains", CHAIN) as table:
        sampler = samplers.drawing(recipe.teacher, recipe.chains, job.servers, store)
        sampling = recipe.chains.sampling or recipe.teacher.sampling
        target = _target(job)
        drawn.view = View.of(job, sampler, _asked(job), target)
        async with job.pool(store) as pool, watching(job.progress, drawn.view):
            await pool.ready()
            async for group in chains(
                drawn.problems(), sampler, pool, store, recipe.chains, sampling, recipe.seed,
                difficulty_band(recipe), target,
            ):  # fmt: skip
                drawn.add(group, table)
        if not table.rows:
            raise PipelineError("the teacher gave no completion at all")
        damaged = len(store.damaged)
        if trouble := getattr(sampler, "trouble", None):
            job.folder.log("teacher", trouble=dict(trouble))
    counts: Counts = {"completions": table.rows, "asked": sampler.asked, **drawn.counts()}
    if target is not None:
        counts["accepted"] = target.accepted
        if target.why:
            counts["ended"] = target.why
            job.progress.note(f"chains: {target.why}")
    if drawn.missing:
        counts["missing"] = drawn.missing
    if damaged:
        counts["damaged"] = damaged
    return counts


def _target(job: Job) -> Target | None:
    """The number of accepted completions that the recipe asks for."""
    chosen = job.recipe.chains
    if chosen.accepted is None:
        return None
    return Target(chosen.accepted, _asked(job), chosen.samples.max)


def _asked(job: Job) -> int:
    """How many problems there are."""
    return int(job.folder.manifest["stages"]["questions"]["counts"]["problems"])
