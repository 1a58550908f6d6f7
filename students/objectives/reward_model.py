"""The pairwise loss of a reward model (Bradley-Terry; arXiv 2203.02155)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from students.batches.pack import Packed
from students.objectives import Metrics


class Reward:
    """-log sigmoid(r_w - r_l - margin) + centering (r_w + r_l)^2, the mean over pairs.

    Unlike the other objectives it is given one reward a document, not one log-prob a learned token.
    Documents alternate, chosen before rejected. Only differences of rewards are learned from pairs;
    `centering` keeps their mean about zero (arXiv 2312.09244), `margin` is how far the chosen one
    is to be ahead (arXiv 2307.09288).
    """

    def __init__(self, margin: float = 0.0, centering: float = 0.0):
        self.margin = margin
        self.centering = centering

    def count(self, packed: Packed) -> float:
        """Pairs."""
        return len(packed.answers) / 2

    def __call__(
        self, rewards: Tensor, packed: Packed, normaliser: float
    ) -> tuple[Tensor, Metrics]:
        """The loss from rewards [answers]; how often the chosen one is ahead, and by how much."""
        chosen, rejected = rewards[0::2], rewards[1::2]
        ahead = chosen - rejected
        losses = -F.logsigmoid(ahead - self.margin)
        if self.centering:
            losses = losses + self.centering * (chosen + rejected).square()
        loss = losses.sum() / normaliser
        return loss, {
            "loss": loss.detach(),
            "accuracy": (ahead > 0).float().sum().detach() / normaliser,
            "margin": ahead.sum().detach() / normaliser,
            "chosen": chosen.sum().detach() / normaliser,
            "rejected": rejected.sum().detach() / normaliser,
        }
