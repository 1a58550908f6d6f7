"""Next-token cross-entropy, for SFT and continued pretraining alike."""

from __future__ import annotations

from torch import Tensor

from students.batches.pack import Packed
from students.objectives import Metrics


def sft(logp: Tensor, packed: Packed, normaliser: float) -> tuple[Tensor, Metrics]:
    """-sum log p / N over the learned tokens; N counts the whole optimizer step, in nats."""
    loss = -logp.sum() / normaliser
    return loss, {"loss": loss.detach()}
