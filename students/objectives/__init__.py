"""Objectives: pure functions on packed tensors, without model or trainer."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from students.batches.pack import Packed

Metrics = dict[str, Tensor]


class Objective(Protocol):
    """What a training stage minimises.

    One that gives every log-prob the same factor says so with `uniform = True`, which saves work.
    """

    def count(self, packed: Packed) -> float:
        """What the loss of an optimizer step is divided by, from all of its batch."""
        ...

    def __call__(
        self, scores: Tensor, /, packed: Packed, normaliser: float
    ) -> tuple[Tensor, Metrics]:
        """(loss, metrics) of a micro-batch from the log-probs [N] of its learned tokens.

        A reward model's objective gets the rewards of its documents instead.

        The normaliser counts the whole optimizer step, all micro-batches and ranks, so losses of
        micro-batches add up; so do metrics, which are detached scalars.
        """
        ...


def of_documents(values: Tensor, packed: Packed) -> Tensor:
    """Sums of per-target values over each document: [N] -> [documents], shared prompts left out."""
    lengths = torch.tensor(packed.lengths, device=values.device)
    owner = torch.repeat_interleave(torch.arange(len(lengths), device=values.device), lengths)
    zeros = torch.zeros(len(lengths), device=values.device, dtype=values.dtype)
    return zeros.index_add(0, owner[packed.mask], values)[packed.answers]
