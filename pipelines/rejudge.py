"""The chains of a run judged again by today's verifiers: no request, and what changed is shown."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import pyarrow.parquet as pq

from generators.store import Store
from pipelines import judges
from pipelines import recipe as recipes
from pipelines.errors import UsageError
from pipelines.progress import Progress
from pipelines.report.load import Run
from pipelines.run_folder import parquet_errors, problem_of, sample_of, store_of
from pipelines.verify import Explain
from verifiers.base import VerifierError
from verifiers.pool import VerdictPool
from verifiers.records import Completion, Problem, Verdict

SHOWN = 3
TOGETHER = 256
SAME = ("status", "reason", "extracted", "verifier")


class Change(NamedTuple):
    """From what to what a verdict came: verifier, its versions then and now, both statuses."""

    verifier: str
    was: str
    version: str
    before: str
    after: str


class Changes:
    """How many verdicts came from what to what, with the first few ids of each."""

    def __init__(self) -> None:
        self.counts: dict[Change, int] = {}
        self.first: dict[Change, list[str]] = {}

    def add(self, name: str, old: Verdict, new: Verdict) -> None:
        """Count one completion."""
        change = Change(new.verifier, old.version, new.version, old.status, new.status)
        self.counts[change] = self.counts.get(change, 0) + 1
        known = self.first.setdefault(change, [])
        if len(known) < SHOWN:
            known.append(name)

    def rows(self) -> list[dict[str, Any]]:
        """A row for each change, and for what stayed as it was, in a fixed order."""
        return [
            {**change._asdict(), "chains": self.counts[change], "first": self.first[change]}
            for change in sorted(self.counts)
        ]

    def text(self) -> str:
        """A table; ids stand where the verdict is another one."""
        head = ("verifier", "version", "before", "today", "chains", "such as")
        cells = [head]
        for row in self.rows():
            versions = f"{row['was'] or '?'} -> {row['version'] or '?'}"
            other = row["before"] != row["after"]
            first = ", ".join(row["first"]) if other else "(as before)"
            count = f"{row['chains']:,}"
            cells.append((row["verifier"], versions, row["before"], row["after"], count, first))
        widths = [max(len(row[n]) for row in cells) for n in range(len(head))]
        lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in cells]
        changed = sum(n for change, n in self.counts.items() if change.before != change.after)
        lines.append(f"{changed:,} of {sum(self.counts.values()):,} verdicts changed")
        return "\n".join(line.rstrip() for line in lines)


def judge_run(
    folder: Path, stream: TextIO | None, workers: int | None, explain: Explain | None = None
) -> Changes:
    """Judge the chains of the run in `folder` again, with the options of its recipe.

    `stream` gets {"id", "problem_id", ...Verdict fields, "before": {status, reason, version}} a
    line. The run itself is only read. Raises UsageError where it is no run, has no chains yet, or
    needs a verifier that is not there.
    """
    if not (folder / "recipe.yaml").is_file():
        raise UsageError(f"{folder} is not a run folder")
    run = Run(folder)
    if not run.files("chains"):
        raise UsageError(f"{folder} has no chains yet")
    options = recipes.load(str(folder / "recipe.yaml")).verifiers
    return asyncio.run(_judge(run, VerdictPool(workers, options), stream, explain))


async def _judge(
    run: Run, pool: VerdictPool, stream: TextIO | None, explain: Explain | None
) -> Changes:
    changes = Changes()
    progress = Progress()
    progress.start("verify")
    path = store_of(run.folder, run.manifest)
    with ExitStack() as stack:
        store = stack.enter_context(Store(path, readonly=True)) if path.is_file() else None

        if store:
            pool.samplers |= judges.recalled(pool.options, store)
        async with pool:
            groups = list(_groups(run))
            try:
                pool.require({problem.verifier for problem, _ in groups})
            except VerifierError as error:
                raise UsageError(str(error)) from error
            for start in range(0, len(groups), TOGETHER):
                part = groups[start : start + TOGETHER]
                judged = await asyncio.gather(
                    *(pool.judge_group(p, [done for done, _ in samples]) for p, samples in part)
                )
                for (_, samples), verdicts in zip(part, judged, strict=True):
                    for (done, old), new in zip(samples, verdicts, strict=True):
                        before = _stored(store, done.id, old)
                        changes.add(done.id, before, new)
                        if stream:
                            stream.write(_line(done, before, new))
                        if explain:
                            explain(done.id, new, done.text)
                progress.update(f"{sum(changes.counts.values()):,} chains")
    return changes


def _groups(run: Run) -> Iterator[tuple[Problem, list[tuple[Completion, Verdict]]]]:
    """The problems that were asked, each with its judged completions."""
    with parquet_errors(run.folder / "data"):
        samples: dict[str, list[tuple[Completion, Verdict]]] = {}
        for row in _rows(run, "chains"):
            samples.setdefault(row["problem_id"], []).append(sample_of(row))
        for row in _rows(run, "problems"):
            if row["id"] in samples:
                yield problem_of(row), samples[row["id"]]


def _rows(run: Run, config: str) -> Iterator[dict[str, Any]]:
    for path in run.files(config):
        yield from pq.read_table(path).to_pylist()


def _stored(store: Store | None, name: str, verdict: Verdict) -> Verdict:
    """The verdict of a chain as the store keeps it: with its judge's version."""
    known = store.verdicts(name) if store else []
    same = [old for old in known if all(getattr(old, f) == getattr(verdict, f) for f in SAME)]
    return same[-1] if same else verdict


def _line(completion: Completion, before: Verdict, verdict: Verdict) -> str:
    was = {field: getattr(before, field) for field in ("status", "reason", "version")}
    name = {"id": completion.id, "problem_id": completion.problem_id}
    return json.dumps({**name, **verdict.model_dump(), "before": was}) + "\n"
