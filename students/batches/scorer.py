"""A decoder that scores packed batches, at the tokens that are learned."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from students.batches.attention import check as check_attention
from students.batches.head import logprobs
from students.batches.pack import Packed
from students.batches.products import few_shapes, use_onednn
from students.batches.spread import Spread, check, gathered, stretch
from students.errors import ModelError
from students.precision import computing

SCALES = ("final_logit_softcapping", "logit_scale", "logits_scaling", "lm_head_multiplier")


class Scorer(nn.Module):
    """Log-probs of the learned tokens, without ever holding the whole logits tensor.

    Args:
        model: a causal language model of transformers, loaded with the `distill` attention.
        uniform: the loss will give all log-probs the same factor, which saves work.

    Raises ModelError where the model scales or caps its logits, or would mix packed documents.
    """

    def __init__(self, model: Any, uniform: bool = False):
        super().__init__()
        check_attention(model)
        config = model.config.get_text_config()
        for name in SCALES:
            if getattr(config, name, None) not in (None, 1.0):
                raise ModelError(f"models whose logits are changed by {name} cannot be trained")
        use_onednn(model)
        self.model = model
        self.uniform = uniform
        self.team: dist.ProcessGroup | None = None

    def spread(self, team: dist.ProcessGroup | None) -> None:
        """Let the processes of `team` share the tokens of each batch, which all are given.

        Raises ModelError where they cannot share the model's heads.
        """
        if team is not None:
            check(self.model.config, team.size())
        self.team = team

    def forward(self, packed: Packed) -> Tensor:
        """Log-probs [N] of the N learned tokens of `packed`, in order."""
        where, source = packed.sources()
        targets = packed.ids[where]
        head = self.model.get_output_embeddings()
        return self._scores(
            packed, source, lambda hidden, own: logprobs(head, hidden, targets[own], self.uniform)
        )

    def hidden(self, packed: Packed) -> Tensor:
        """Last hidden states [T, width], with a few rows that nobody reads behind them.

        Of a team's stretch only, where there is one.
        """
        alike = few_shapes(len(packed.ids)) if packed.ids.device.type == "cpu" else 1
        packed = packed.padded(math.lcm(alike, self.team.size() if self.team else 1))
        ids, positions = packed.ids, packed.positions()
        context = packed.context(self._dtype(ids.device.type))
        if self.team is not None:
            own = stretch(len(ids), self.team)
            ids, positions, context = ids[own], positions[own], Spread(context, self.team)
        output = self.model.get_decoder()(
            input_ids=ids[None], position_ids=positions[None], context=context, use_cache=False
        )
        return output.last_hidden_state[0]

    def _scores(
        self, packed: Packed, places: Tensor, score: Callable[[Tensor, Any], Tensor]
    ) -> Tensor:
        """One score for each of `places`: `score` of its hidden state, and of which they are."""
        with computing(self.model):
            hidden = self.hidden(packed)
            if self.team is None:
                return score(hidden.index_select(0, places), slice(None))
            first = self.team.rank() * len(hidden)
            own = ((places >= first) & (places < first + len(hidden))).nonzero().squeeze(1)
            found = score(hidden.index_select(0, places[own] - first), own)
            return gathered(found, own, len(places), self.team)

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
        head = self.model.score  # in 32 bits in training: 16 would not tell close rewards apart
        return self._scores(
            packed, last.to(packed.ids.device),
            lambda hidden, _: head(hidden.to(head.weight.dtype)).float().sum(1),
        )  # fmt: skip


def scorer(model: Any, uniform: bool = False) -> Scorer:
    """What scores batches by a policy or, where `model` has a scalar head, a reward model."""
    return Rewarder(model) if hasattr(model, "score") else Scorer(model, uniform)
