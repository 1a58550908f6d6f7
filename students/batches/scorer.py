"""Log-probs of the learned tokens, without ever holding the whole logits tensor."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from students.batches.pack import Packed

LOGITS_PER_CHUNK = 1 << 24


class Scorer(nn.Module):
    """A decoder that scores packed batches.

    Args:
        model: a causal language model of transformers, loaded with the `distill` attention.
    """

    def __init__(self, model: Any):
        super().__init__()
        self.model = model

    def forward(self, packed: Packed) -> Tensor:
        """Log-probs [N] of the N learned tokens of `packed`, in order."""
        hidden = self.hidden(packed)
        where = packed.mask.nonzero().squeeze(1)
        return logprobs(
            self.model.get_output_embeddings(), hidden.index_select(0, where - 1), packed.ids[where]
        )

    def hidden(self, packed: Packed) -> Tensor:
        """Last hidden states [T, width]."""
        decoder = self.model.get_decoder()
        output = decoder(
            input_ids=packed.ids[None],
            position_ids=packed.positions()[None],
            context=packed.segments(),
            use_cache=False,
        )
        return output.last_hidden_state[0]


def logprobs(head: Any, hidden: Tensor, targets: Tensor) -> Tensor:
    """log p(targets) [N] from hidden states [N, width], the head applied in chunks.

    Chunks are recomputed in the backward pass, so memory holds one chunk of logits at a time.
    """
    rows = max(1, LOGITS_PER_CHUNK // head.weight.shape[0])
    if len(targets) <= rows:
        return _score(head, hidden, targets)
    parts = [
        checkpoint(_score, head, hidden[i : i + rows], targets[i : i + rows], use_reentrant=False)
        for i in range(0, len(targets), rows)
    ]
    return torch.cat(parts)


def _score(head: Any, hidden: Tensor, targets: Tensor) -> Tensor:
    return -nn.functional.cross_entropy(head(hidden).float(), targets, reduction="none")
