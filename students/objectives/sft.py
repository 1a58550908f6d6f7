"""Next-token cross-entropy, for SFT and continued pretraining alike."""

from __future__ import annotations

from torch import Tensor

from students.batches.pack import Packed
from students.objectives import Metrics


class Sft:
    """-sum log p / N over the learned tokens, in nats; N counts those of the whole step."""

    uniform = True

    def count(self, packed: Packed) -> float:
        """Learned tokens."""
        return float(packed.targets)

    def __call__(self, logp: Tensor, packed: Packed, normaliser: float) -> tuple[Tensor, Metrics]:
        """The loss and itself as a metric."""
        loss = -logp.sum() / normaliser
        return loss, {"loss": loss.detach()}
