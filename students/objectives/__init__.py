"""Objectives: pure functions on packed tensors, without model or trainer."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from students.batches.pack import Packed

Metrics = dict[str, Tensor]
Objective = Callable[[Tensor, Packed, float], tuple[Tensor, Metrics]]
"""(log-probs [N] of the learned tokens, their batch, normaliser) -> (loss, metrics).

The normaliser counts the whole optimizer step, all micro-batches and ranks, so losses of
micro-batches add up; so do metrics, which are detached scalars.
"""
