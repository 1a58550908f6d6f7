"""A decoder that scores packed batches, at the tokens that are learned."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from students.batches.head import logprobs
from students.batches.pack import Packed
from students.batches.products import use_onednn
from students.errors import ModelError
from students.precision import computing

SCALES = ("final_logit_softcapping", "logit_scale", "logits_scaling", "lm_head_multiplier")


class Scorer(nn.Module):
    """Log-probs of the learned tokens, without ever holding the whole logits tensor.

    Args:
        model: a causal language model of transformers, loaded with the `distill` attention.
        uniform: the loss will give all log-probs the same factor, which saves work.

    Raises ModelError where the model scales or caps its logits.
    """

    def __init__(self, model: Any, uniform: bool = False):
        super().__init__()
        config = model.config.get_text_config()
        for name in SCALES:
            if getattr(config, name, None) not in (None, 1.0):
                raise ModelError(f"models whose logits are changed by {name} cannot be trained")
        use_onednn(model)
        self.model = model
        self.uniform = uniform

    def forward(self, packed: Packed) -> Tensor:
        """Log-probs [N] of the N learned tokens of `packed`, in order."""
        with computing(self.model):
            where, source = packed.sources()
            hidden = self.hidden(packed).index_select(0, source)
            head = self.model.get_output_embeddings()
            return logprobs(head, hidden, packed.ids[where], self.uniform)

    def hidden(self, packed: Packed) -> Tensor:
        """Last hidden states [T, width], on a CPU with a few rows that nobody reads behind them."""
        if packed.ids.device.type == "cpu":
            packed = packed.rounded()
        decoder = self.model.get_decoder()
        output = decoder(
            input_ids=packed.ids[None],
            position_ids=packed.positions()[None],
            context=packed.context(self._dtype(packed.ids.device.type)),
            use_cache=False,
        )
        return output.last_hidden_state[0]

    def _dtype(self, kind: str) -> torch.dtype:
        """What the attention's queries are in."""
        if torch.is_autocast_enabled(kind):
            return torch.get_autocast_dtype(kind)
        return self.model.dtype


class Rewarder(Scorer):
    """A reward model that scores packed batches: one reward a document, from its last token.

    Args:
        model: a sequence classifier of transformers with one label and the `distill` attention.
    """

    def forward(self, packed: Packed) -> Tensor:
        """Rewards [answers] of `packed`, in order: of all documents but shared prompts."""
        last = torch.tensor(packed.lengths).cumsum(0)[packed.answers] - 1
        with computing(self.model):
            hidden = self.hidden(packed).index_select(0, last.to(packed.ids.device))
        head = self.model.score  # in 32 bits in training: 16 would not tell close rewards apart
        return head(hidden.to(head.weight.dtype)).float().sum(1)


def scorer(model: Any, uniform: bool = False) -> Scorer:
    """What scores batches by a policy or, where `model` has a scalar head, a reward model."""
    return Rewarder(model) if hasattr(model, "score") else Scorer(model, uniform)
