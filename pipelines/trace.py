"""The whole history of a training row, a completion or a problem.

Reads the tables and the store of a run; takes no lock and writes nothing, so that it also works
while the run goes on.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from generators.bands import level
from generators.budget import model_of
from generators.prices import unbilled
from generators.store import Store
from pipelines import recipe as recipes
from pipelines.errors import UsageError
from pipelines.recipe import Recipe, stage_id, table_read
from pipelines.report.load import Run
from pipelines.run_folder import (
    parquet_errors,
    problem_of,
    read_manifest,
    sample_of,
    store_of,
)
from verifiers.records import Completion, Group, Problem, Verdict

History = dict[str, Any]
IDS = ("sample_id", "id")
COMPLETIONS = ("completion_id", "chosen_id", "rejected_id")
SAME = ("status", "reason", "extracted", "verifier")


def trace(folder: Path, name: str) -> History:
    """What is known of the row, completion or problem `name`, down to its last ancestor.

    run, id, kind      kind is row, completion or problem
    rows               rows of data/ it is or went into: set, read_by (stages), row
    completions        role, the completion's fields, verdict, other_verdicts (of older judges)
    problem            its fields, table, measured, written_by (a completion), parents (problems)
    answers            of a held-out problem: what each stage answered

    Raises UsageError where the folder is no run or holds nothing of that name.
    """
    if not any((folder / file).is_file() for file in ("recipe.yaml", "manifest.json")):
        raise UsageError(f"{folder} is not a run folder")
    with ExitStack() as stack:
        path = store_of(folder, read_manifest(folder) or {})
        store = stack.enter_context(Store(path, readonly=True)) if path.is_file() else None
        return _Tracer(folder, store).history(name)


class _Tracer:
    """Looks things up in one run."""

    def __init__(self, folder: Path, store: Store | None):
        self.run = Run(folder)
        self.store = store
        file = folder / "recipe.yaml"
        self.recipe = recipes.load(str(file)) if file.is_file() else None
        self.free = unbilled(self.recipe.teachers) if self.recipe else set[str]()
        self.chains: dict[str, list[dict[str, Any]]] = {}

    def history(self, name: str) -> History:
        """See `trace`."""
        found = self._row(name) or self._problem_by_id(name) or self._completion_by_id(name)
        if found is None:
            raise UsageError(self._unknown(name))
        return {"run": str(self.run.folder), "id": name, **found}

    def _row(self, name: str) -> History | None:
        for config in self.run.configs():
            for row in self._where(config, "sample_id", name):
                return {
                    "kind": "row",
                    "rows": [self._use(config, row)],
                    "completions": [
                        self._completion(row[key], row["problem_id"], key.removesuffix("_id"))
                        for key in COMPLETIONS
                        if row.get(key)
                    ],
                    "problem": self._problem(row["problem_id"]),
                    "answers": [],
                }
        return None

    def _problem_by_id(self, name: str) -> History | None:
        problem = self._problem(name)
        if problem is None:
            return None
        samples = self._samples(name)
        return {
            "kind": "problem",
            "rows": [
                self._use(config, row)
                for config in self.run.configs()
                if config not in ("chains", "evaluation")
                for row in self._where(config, "problem_id", name)
            ],
            "completions": [self._told(done, verdict, "completion") for done, verdict in samples],
            "problem": problem,
            "answers": self._where("evaluation", "problem_id", name),
        }

    def _completion_by_id(self, name: str) -> History | None:
        completion = self._completion(name, None, "completion")
        if completion.get("missing"):
            return None
        return {
            "kind": "completion",
            "rows": [
                self._use(config, row)
                for config in self.run.configs()
                for key in COMPLETIONS
                for row in self._where(config, key, name)
            ],
            "completions": [completion],
            "problem": self._problem(completion["problem_id"]),
            "answers": [],
        }

    def _use(self, config: str, row: dict[str, Any]) -> History:
        """A row of a data set, and the stages that learn from that set."""
        return {"set": config, "read_by": readers(self.recipe, config), "row": row}

    def _completion(self, name: str, problem: str | None, role: str) -> History:
        """A completion by its id, from the table of chains or, where it is not there, the store."""
        for row in self._where("chains", "id", name):
            return self._told(*sample_of(row), role)
        found = self.store.find(name, problem) if self.store else None
        if found is None:
            return {"role": role, "id": name, "missing": True}
        return self._told(found, None, role)

    def _told(self, completion: Completion, verdict: Verdict | None, role: str) -> History:
        """A completion with what its judges said; the store knows more of a verdict."""
        stored = self.store.verdicts(completion.id) if self.store else []
        if verdict is None:
            current = stored[-1] if stored else None
        else:
            same = [s for s in stored if all(getattr(s, f) == getattr(verdict, f) for f in SAME)]
            current = same[-1] if same else verdict
        return {
            "role": role,
            **completion.model_dump(),
            "free": model_of(completion.teacher.get("identity", "")) in self.free,
            "verdict": current and current.model_dump(),
            "other_verdicts": [other.model_dump() for other in stored if other is not current],
        }

    def _problem(self, name: str, seen: frozenset[str] = frozenset()) -> History | None:
        """A problem by its id, with its ancestors."""
        for config in self.run.configs():
            for row in self._where(config, "id", name):
                if "problem_id" in row:
                    continue
                problem = problem_of(row)
                writer = problem.meta.get("written_by")
                parent = problem.parents[0] if problem.parents else None
                older = [p for p in problem.parents if p not in seen | {name}]
                return {
                    **problem.model_dump(),
                    "table": config,
                    "measured": self._measured(problem),
                    "written_by": self._completion(writer, parent, "written by")
                    if writer
                    else None,
                    "parents": [
                        self._problem(p, seen | {name}) or {"id": p, "missing": True} for p in older
                    ],
                    "read_by": readers(self.recipe, config),
                }
        return None

    def _measured(self, problem: Problem) -> History | None:
        """How the teacher did on a problem; None where it was not asked."""
        samples = self._samples(problem.id)
        if not samples:
            return None
        statuses = [verdict.status for _, verdict in samples]
        rate = Group(problem=problem, samples=samples).pass_rate
        counts = {status: statuses.count(status) for status in ("correct", "wrong", "undecided")}
        return {**counts, "pass_rate": rate, "level": None if rate is None else level(rate)}

    def _samples(self, problem: str) -> list[tuple[Completion, Verdict]]:
        return [sample_of(row) for row in self._where("chains", "problem_id", problem)]

    def _where(self, config: str, column: str, value: str) -> list[dict[str, Any]]:
        with parquet_errors(self.run.folder / "data" / config):
            return self.run.where(config, column, value)

    def _unknown(self, name: str) -> str:
        """That there is no such id, with the one that was probably meant."""
        near = difflib.get_close_matches(name, set(self._alike(name)), 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f"{self.run.folder} has no row, completion or problem {name!r}{hint}"

    def _alike(self, name: str) -> Iterator[str]:
        """Ids that begin or end like `name`: a slip at one end leaves the other."""
        half = max(4, len(name) // 3)
        for config in self.run.configs():
            for column in IDS:
                for row in self.run.records(config, (column,)):
                    known = row[column]
                    if known and (known[:half] == name[:half] or known[-half:] == name[-half:]):
                        yield known


def readers(recipe: Recipe | None, config: str) -> list[str]:
    """Ids of the training stages that read a data set."""
    return [
        stage_id(stage)
        for stage in (recipe.stages if recipe else [])
        if config == table_read(stage)
    ]
