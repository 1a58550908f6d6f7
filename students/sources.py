"""Sources of packed batches: one `Packed` an optimizer step, resumable at any step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from students.batches.pack import Packed, Unit, pack, share
from students.batches.units import lengths_of


class Source(Protocol):
    """Yields the batch of each optimizer step, endlessly or until it is exhausted."""

    def __iter__(self) -> Iterator[Packed]: ...

    def state_dict(self) -> dict[str, Any]:
        """Where the source stands, after the last batch it gave."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where `state` was taken."""
        ...


class FileSource:
    """Units in a new random order every epoch, about `tokens_per_step` tokens a step.

    A step never crosses an epoch. Within a step units stand sorted by length, which the attention
    likes and the loss does not see. What the documents of a unit begin with alike, such as the
    prompt of a pair, is in the batch once.
    """

    def __init__(self, units: Sequence[Unit], tokens_per_step: int, seed: int):
        self.units = units
        self.tokens_per_step = tokens_per_step
        self.seed = seed
        self.epoch = 0
        self.step = 0
        self._lengths = lengths_of(units)

    def plan(self, epoch: int) -> list[np.ndarray]:
        """Indices of the units of each step of an epoch, of about equal tokens."""
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.units))
        ends = np.cumsum(self._lengths[order])
        steps = max(1, round(float(ends[-1]) / self.tokens_per_step))
        targets = ends[-1] * np.arange(1, steps) / steps
        cuts = np.searchsorted(ends, targets)
        return [part for part in np.split(order, cuts) if len(part)]

    def steps(self, epochs: float) -> int:
        """Optimizer steps in `epochs` epochs."""
        whole = int(epochs)
        count = sum(len(self.plan(epoch)) for epoch in range(whole))
        return count + round((epochs - whole) * len(self.plan(whole)))

    def __iter__(self) -> Iterator[Packed]:
        while True:
            plan = self.plan(self.epoch)
            while self.step < len(plan):
                members = plan[self.step]
                self.step += 1
                members = members[np.argsort(self._lengths[members], kind="stable")]
                yield pack(share(self.units[i]) for i in members)
            self.epoch, self.step = self.epoch + 1, 0

    def state_dict(self) -> dict[str, Any]:
        """Epoch and step within it."""
        return {"epoch": self.epoch, "step": self.step}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on after the step at which `state` was taken."""
        self.epoch, self.step = state["epoch"], state["step"]
