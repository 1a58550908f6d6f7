"""A micro-batch whose tokens are spread over several processes (context parallel).

Each passes its stretch of the row of tokens through the model. For the attention they trade: each
gives away the heads that are others' and gets all tokens of its own, so that whole documents are
seen by whatever computes attention (Ulysses, arXiv 2309.14509). torch's own `context_parallel`
knows neither packed documents nor kernels of a CPU.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from students.batches.attention import Context
from students.errors import ModelError


class Spread:
    """Attention of queries [B, H, t, D], a stretch of the tokens, by `inner`, which sees them all.

    Heads are as many as `team` has processes, or a multiple of it; keys that are fewer are copied.
    """

    def __init__(self, inner: Context, team: dist.ProcessGroup):
        self.inner, self.team = inner, team
        self.longest = inner.longest

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """Attention output [1, t, H, D] of the stretch of this process."""
        query, key, value = (self._whole(states[0])[None] for states in (query, key, value))
        out = self.inner.attend(layer, query, key, value, scale)[0]
        parts = _Trade.apply(out.unflatten(0, (self.team.size(), -1)), self.team)
        return parts.transpose(0, 1).flatten(1, 2)[None]

    def _whole(self, states: Tensor) -> Tensor:
        """All tokens of this process's heads, [H / n, T, D], from a stretch of all, [H, t, D]."""
        heads, n = len(states), self.team.size()
        states = states.repeat_interleave(math.lcm(heads, n) // heads, 0)
        return _Trade.apply(states.unflatten(0, (n, -1)), self.team).transpose(0, 1).flatten(1, 2)


def check(config: Any, count: int) -> None:
    """Raise ModelError where `count` processes cannot share the heads of a model."""
    heads = config.get_text_config().num_attention_heads
    if heads % count:
        raise ModelError(f"context_parallel: {count} devices cannot share {heads} attention heads")


def stretch(tokens: int, team: dist.ProcessGroup) -> slice:
    """The tokens of this process."""
    size = tokens // team.size()
    return slice(team.rank() * size, (team.rank() + 1) * size)


def gathered(values: Tensor, places: Tensor, total: int, team: dist.ProcessGroup) -> Tensor:
    """The `total` values that all of a team have, each its own at `places`.

    All work out the same loss of them; its gradient goes back to whoever had the value.
    """
    return _Gather.apply(values, places, total, team)


class _Trade(torch.autograd.Function):
    """Of parts [n, ...] the nth goes to process n; what all gave to this one."""

    @staticmethod
    def forward(ctx: Any, parts: Tensor, team: dist.ProcessGroup) -> Tensor:
        ctx.team = team
        parts = parts.contiguous()
        found = torch.empty_like(parts)
        dist.all_to_all_single(found, parts, group=team)
        return found

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return _Trade.apply(gradient, ctx.team), None


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, values: Tensor, places: Tensor, total: int, team: dist.ProcessGroup
    ) -> Tensor:
        ctx.save_for_backward(places)
        found = values.new_zeros(total)
        found[places] = values
        dist.all_reduce(found, group=team)
        return found

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        (places,) = ctx.saved_tensors
        return gradient[places], None, None, None
