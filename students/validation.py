"""Loss on rows that are kept out of training: when to stop, and which weights were the best."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor

from students.batches.pack import Packed
from students.config import ValidationConfig
from students.errors import DataError


class Validation:
    """What is known of the loss on `batch` so far. The best weights are part of every checkpoint.

    Args:
        batch: the rows that are kept out, packed.
        config: when they are measured, and how long training may go on without a better loss.
    """

    def __init__(self, batch: Packed, config: ValidationConfig):
        self.batch = batch
        self.config = config
        self.step = 0
        self.loss = float("inf")
        self.weights: dict[str, Tensor] = {}
        self.worse = 0

    def due(self, step: int, steps: int) -> bool:
        """True where the loss is to be measured after `step` of `steps`."""
        return step % self.config.every == 0 or step == steps

    def note(self, step: int, loss: float, weights: Callable[[], dict[str, Tensor]]) -> None:
        """The loss after `step`; `weights` gives those of the model, and is called if need be."""
        if loss < self.loss:
            self.step, self.loss, self.worse = step, loss, 0
            self.weights = {name: value.clone() for name, value in weights().items()}
        else:
            self.worse += 1

    @property
    def hopeless(self) -> bool:
        """True where the loss has not become better for as long as the recipe is patient."""
        return self.config.patience is not None and self.worse >= self.config.patience

    def summary(self, last: int) -> dict[str, Any]:
        """What became of it, for the student's training.json."""
        found: dict[str, Any] = {"best_step": self.step, "validation_loss": round(self.loss, 6)}
        if self.hopeless:
            found["stopped"] = (
                f"after step {last}: no better validation loss in {self.worse} measurements"
            )
        return found

    def state_dict(self) -> dict[str, Any]:
        """All of it but the rows."""
        return {"step": self.step, "loss": self.loss, "weights": self.weights, "worse": self.worse}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where `state` was taken."""
        self.step, self.loss, self.weights = state["step"], state["loss"], state["weights"]
        self.worse = state["worse"]


def chosen(groups: np.ndarray, rows: int, seed: int) -> np.ndarray:
    """Which units are kept out of training [units]: at least `rows`, whole problems at random.

    `groups` [units] tells which are of one problem. Raises DataError where none would be left.
    """
    problems, owner = np.unique(groups, return_inverse=True)
    order = np.random.default_rng([seed, len(groups)]).permutation(len(problems))
    sizes = np.bincount(owner)[order].cumsum()
    count = int(np.searchsorted(sizes, rows)) + 1
    if count >= len(problems):
        raise DataError(
            f"validation keeps {rows} rows out of training, and there are only {len(groups)} of "
            f"{len(problems)} problems"
        )
    return np.isin(owner, order[:count])
