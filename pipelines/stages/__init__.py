"""The stages of a run, in order, each a function from finished inputs to a finished output.

A stage is redone only when its fingerprint changed: its section of the recipe, its inputs, the
versions of the verifiers that it uses, or its own VERSION.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from generators.store import Store
from generators.teachers.servers import Servers
from pipelines import judges
from pipelines.progress import Progress
from pipelines.recipe import Recipe, makes_data, problem_sets
from pipelines.run_folder import RunFolder
from verifiers.pool import VerdictPool
from verifiers.records import Problem

Counts = dict[str, Any]


@dataclass
class Job:
    """What a stage works with."""

    recipe: Recipe
    folder: RunFolder
    progress: Progress
    servers: Servers

    def pool(self, store: Store) -> VerdictPool:
        """The verifiers of the recipe; `store` keeps what the models that they ask say."""
        asked = judges.samplers(self.recipe.verifiers, store, self.servers)
        return VerdictPool(options=self.recipe.verifiers, samplers=asked)

    def kept_out(self) -> list[Problem]:
        """What students are measured on and must not be trained on."""
        held = ["heldout"] if makes_data(self.recipe) else []
        configs = [*held, *(on.config for on in problem_sets(self.recipe))]
        return [problem for config in configs for problem in self.folder.problems(config)]


@dataclass
class Node:
    """One stage: what it depends on and what it does.

    Args:
        name: as it stands in the manifest, such as `chains` or `train:sft`.
        part: the command that runs it alone: generate, curate, train or evaluate.
        config: what of the recipe it depends on.
        inputs: names of the stages whose output it reads.
        run: does it and returns the counts for the manifest.
    """

    name: str
    part: str
    config: Any
    inputs: list[str]
    run: Callable[[Job], Counts]
    version: int = 1
    verifiers: bool = False
    outputs: list[str] = field(default_factory=list)
