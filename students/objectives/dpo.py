"""Direct preference optimisation on packed pairs (arXiv 2305.18290)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from students.batches.pack import Packed
from students.objectives import Metrics, of_documents


class Dpo:
    """-log sigmoid(beta * delta), delta = (lw - lw_ref) - (ll - ll_ref), the mean over pairs.

    l is the sum of a completion's log-probs. Documents alternate, chosen before rejected; the
    extra `ref_logp` [T] holds the reference's log-prob of each learned token. `label_smoothing` is
    the share of pairs taken to be the wrong way round (conservative DPO). `rpo_alpha` adds that
    much of the chosen completion's own loss, -lw / |w|, which keeps its likelihood from falling
    along with the rejected one's (arXiv 2404.19733).
    """

    def __init__(self, beta: float, label_smoothing: float = 0.0, rpo_alpha: float = 0.0):
        self.beta = beta
        self.label_smoothing = label_smoothing
        self.rpo_alpha = rpo_alpha

    def count(self, packed: Packed) -> float:
        """Pairs."""
        return len(packed.answers) / 2

    def __call__(self, logp: Tensor, packed: Packed, normaliser: float) -> tuple[Tensor, Metrics]:
        """The loss; how often the chosen completion gains on the rejected one, and by how much."""
        gains = of_documents(logp - packed.extras["ref_logp"][packed.mask], packed)
        chosen, rejected = gains[0::2], gains[1::2]
        margin = self.beta * (chosen - rejected)
        smooth = self.label_smoothing
        losses = -(1 - smooth) * F.logsigmoid(margin) - smooth * F.logsigmoid(-margin)
        own = -(of_documents(logp, packed) / of_documents(torch.ones_like(logp), packed))[0::2]
        loss = (losses + self.rpo_alpha * own).sum() / normaliser
        return loss, {
            "loss": loss.detach(),
            "chosen_loss": own.sum().detach() / normaliser,
            "accuracy": (margin > 0).float().sum().detach() / normaliser,
            "margin": margin.sum().detach() / normaliser,
            "chosen": chosen.sum().detach() / normaliser,
            "rejected": rejected.sum().detach() / normaliser,
        }
