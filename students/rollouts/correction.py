"""A served policy is not quite the trained one: the difference, measured and corrected.

A server computes with other kernels, and perhaps in other bits, than the trainer, so that the
log-probs that its tokens were drawn with are not the trainer's.
"""

from __future__ import annotations

from dataclasses import replace

from students.batches.pack import Packed
from students.reference import Policy

MOST = 2.0


class Corrected(Policy):
    """Batches that a server drew, as the objective wants them: with the trainer's log-probs.

    `old_logp` becomes the trainer's own, and each token's advantage is weighed by
    min(exp(own - drawn), 2), truncated importance sampling (Ionides 2008, doi
    10.1198/106186008X320456), so that the gradient is that of the policy which drew, within a
    bounded variance.
    """

    def __call__(self, batch: Packed) -> Packed:
        """`batch` with the metrics `mismatch`, the mean of |own - drawn| a learned token in nats,
        and `mismatch_kl`, k3 of the same."""
        own, drawn = self.scores(batch), batch.extras["old_logp"]
        ahead = (own - drawn)[batch.mask]
        advantage = batch.extras["advantage"] * (own - drawn).exp().clamp(max=MOST)
        figures = {
            "mismatch": ahead.abs().mean().item(),
            "mismatch_kl": (ahead.exp() - 1 - ahead).mean().item(),
        }
        return replace(
            batch, extras=batch.extras | {"old_logp": own, "advantage": advantage},
            metrics=batch.metrics | figures,
        )  # fmt: skip
