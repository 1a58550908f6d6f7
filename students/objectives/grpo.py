"""Clipped policy gradient with group-relative advantages."""

from __future__ import annotations

import torch
from torch import Tensor

from students.batches.pack import Packed
from students.objectives import Metrics


class Grpo:
    """-sum_t min(r A, clip(r, 1 - low, 1 + high) A) / N + kl * sum_t k3 / N (arXiv 2402.03300).

    r = exp(logp - old_logp) with the log-probs at sampling time; the normaliser N counts learned
    tokens of the whole step and the clip range is asymmetric (DAPO, arXiv 2503.14476); k3 is the
    unbiased estimator exp(d) - d - 1, d = ref_logp - logp. Extras, each [T]: `old_logp`,
    `advantage`, and `ref_logp` where kl > 0.
    """

    def __init__(self, clip_low: float, clip_high: float, kl: float = 0.0):
        self.clip_low = clip_low
        self.clip_high = clip_high
        self.kl = kl

    def count(self, packed: Packed) -> float:
        """Learned tokens."""
        return float(packed.targets)

    def __call__(self, logp: Tensor, packed: Packed, normaliser: float) -> tuple[Tensor, Metrics]:
        """The loss, the share of clipped tokens, and how far the policy moved from its samples."""
        old = packed.extras["old_logp"][packed.mask]
        advantage = packed.extras["advantage"][packed.mask]
        log_ratio = logp - old
        ratio = log_ratio.exp()
        clipped = ratio.clamp(1 - self.clip_low, 1 + self.clip_high)
        loss = -torch.minimum(ratio * advantage, clipped * advantage).sum() / normaliser
        outside = (ratio * advantage > clipped * advantage).float().sum().detach()
        moved = (ratio - 1 - log_ratio).sum().detach()
        metrics = {"clipped": outside / normaliser, "moved": moved / normaliser}
        if self.kl:
            d = packed.extras["ref_logp"][packed.mask] - logp
            distance = (d.exp() - d - 1).sum() / normaliser
            loss = loss + self.kl * distance
            metrics["kl"] = distance.detach()
        return loss, {"loss": loss.detach(), **metrics}
