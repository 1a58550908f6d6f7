"""log p(targets) from hidden states, a chunk of logits at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.utils.checkpoint import checkpoint

from students.batches.products import product

LOGITS_PER_CHUNK = {"cpu": 1 << 22, "cuda": 1 << 26}


def logprobs(head: Any, hidden: Tensor, targets: Tensor, uniform: bool = False) -> Tensor:
    """log p(targets) [N], at least in float32, from hidden states [N, width].

    `uniform` promises that the loss gives each of them the same factor, as SFT does. Memory holds
    one chunk of logits at a time, backwards too.
    """
    weight = getattr(head, "weight", None)
    plain = isinstance(head, nn.Linear) and weight is not None and weight.is_floating_point()
    if not plain or isinstance(weight, DTensor):
        return _recomputed(head, hidden, targets)
    kind = hidden.device.type
    weight, bias = head.weight, head.bias
    if torch.is_autocast_enabled(kind):
        hidden, weight = (t.to(torch.get_autocast_dtype(kind)) for t in (hidden, weight))
    with torch.autocast(kind, enabled=False):
        return _LogProbs.apply(hidden, weight, bias, targets, uniform)


class _LogProbs(torch.autograd.Function):
    """With e_t - p the error of a row's logits, the gradient of log p(t) is (e_t - p) W for the
    hidden state h, and h (e_t - p) for W; the loss brings a factor for each row.

    The first is worked out in the forward pass, while the logits are at hand. The second needs the
    factor: it takes the logits again in the backward pass, but where all factors will be the same.
    A frozen head needs neither.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        uniform: bool,
    ) -> Tensor:
        wants_hidden, *wants_head = ctx.needs_input_grad[:3]
        scores = torch.empty(len(targets), dtype=_wide(hidden.dtype), device=hidden.device)
        slopes = torch.empty_like(hidden) if wants_hidden else None
        sums = _Sums(weight, bias) if uniform and any(wants_head) else None
        for part in _chunks(len(targets), weight):
            logits = _logits(hidden[part], weight, bias)
            shares = logits.softmax(1)
            rows = targets[part, None]
            norm = logits.amax(1) - shares.amax(1).log()
            scores[part] = logits.gather(1, rows).squeeze(1) - norm
            if slopes is None and sums is None:
                continue
            errors = _errors(shares, rows).to(hidden.dtype)
            if slopes is not None:
                slopes[part] = product(errors, weight)
            if sums is not None:
                sums.add(errors, hidden[part])
        again = any(wants_head) and not uniform
        ctx.sums = sums
        ctx.save_for_backward(slopes, *((hidden, weight, bias, targets) if again else ()))
        return scores

    @staticmethod
    def backward(ctx: Any, factors: Tensor) -> Any:
        slopes, *again = ctx.saved_tensors
        sums, factor = ctx.sums, torch.ones(())
        ctx.sums = None  # so that the gradient is nobody else's and need not be copied
        if again:
            hidden, weight, bias, targets = again
            sums = _Sums(weight, bias)
            for part in _chunks(len(targets), weight):
                shares = _logits(hidden[part], weight, bias).softmax(1)
                errors = _errors(shares, targets[part, None]).mul_(factors[part, None])
                sums.add(errors.to(hidden.dtype), hidden[part])
        elif sums is not None and len(factors):
            factor = factors[0]
            if not torch.equal(factors, factor.expand_as(factors)):
                raise ValueError("log-probs that were promised the same factor have several")
        found = slopes * factors[:, None].to(slopes.dtype) if slopes is not None else None
        return found, *(sums.times(factor) if sums is not None else (None, None)), None, None


class _Sums:
    """The gradients of the head, summed over chunks."""

    def __init__(self, weight: Tensor, bias: Tensor | None):
        self.dtype = weight.dtype
        self.weight = torch.zeros_like(weight, dtype=_wide(weight.dtype))
        self.bias = torch.zeros_like(bias, dtype=_wide(bias.dtype)) if bias is not None else None

    def add(self, errors: Tensor, hidden: Tensor) -> None:
        if self.weight.dtype == hidden.dtype:
            self.weight.addmm_(errors.T, hidden)  # in place: `product` would need as much again
        else:
            self.weight += errors.T @ hidden
        if self.bias is not None:
            self.bias += errors.sum(0)

    def times(self, factor: Any) -> tuple[Tensor, Tensor | None]:
        weight = self.weight.mul_(factor).to(self.dtype)
        return weight, self.bias.mul_(factor).to(self.dtype) if self.bias is not None else None


def _logits(hidden: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    logits = product(hidden, weight.T)
    logits = logits.to(_wide(logits.dtype))
    return logits if bias is None else logits.add_(bias)


def _errors(shares: Tensor, targets: Tensor) -> Tensor:
    """e_t - p, in the place of p."""
    return shares.neg_().scatter_add_(1, targets, torch.ones_like(shares[:, :1]))


def _chunks(rows: int, weight: Tensor) -> Iterator[slice]:
    size = max(1, LOGITS_PER_CHUNK[weight.device.type] // weight.shape[0])
    return (slice(i, i + size) for i in range(0, rows, size))


def _wide(dtype: torch.dtype) -> torch.dtype:
    return torch.promote_types(dtype, torch.float32)


def _recomputed(head: Any, hidden: Tensor, targets: Tensor) -> Tensor:
    """The same through whatever module the head is, its logits taken again backwards."""

    def score(hidden: Tensor, targets: Tensor) -> Tensor:
        logits = head(hidden)
        logits = logits.to(_wide(logits.dtype))
        return -nn.functional.cross_entropy(logits, targets, reduction="none")

    words = getattr(head, "out_features", None) or head.weight.shape[0]
    size = max(1, LOGITS_PER_CHUNK[hidden.device.type] // words)
    parts = [
        checkpoint(score, hidden[i : i + size], targets[i : i + size], use_reentrant=False)
        for i in range(0, max(1, len(targets)), size)  # the head is passed through even for none
    ]
    return torch.cat(parts)
