"""Attention over packed documents, for any transformers decoder, unpatched.

Registered under the name `distill` in transformers' attention registry. The model's forward passes
a context object (a keyword argument `context`) down to every layer; the context decides who sees
whom: `Segments` for packed documents, `students.rollouts.decoder` for the decoder's cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import AttentionInterface

from students.errors import ModelError

NAME = "distill"
KEPT_APART = {"full_attention", "sliding_attention"}


class Context(Protocol):
    """Decides what each query attends to, of no more than `longest` tokens."""

    @property
    def longest(self) -> int: ...

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """Attention output [B, T, H, D] of query [B, H, T, D] on key and value [B, K, T, D]."""
        ...


def attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    context: Context | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """The function that transformers calls in every layer.

    Raises ModelError for attention of other kinds; a sliding window is none where all fit into it.
    """
    if context is None:
        raise ValueError("attention 'distill' needs a context: pass context=Segments(lengths)")
    if kwargs.get("softcap") or kwargs.get("s_aux") is not None:
        raise ModelError("attention that is soft-capped or has sinks is not available")
    window = kwargs.get("sliding_window")
    if window and context.longest > window:
        raise ModelError(
            f"the model's attention slides over {window} tokens, and a document of "
            f"{context.longest} is longer: lower max_length"
        )
    scale = scaling if scaling is not None else query.shape[-1] ** -0.5
    return context.attend(int(module.layer_idx), query, key, value, scale), None  # type: ignore[arg-type]


AttentionInterface.register(NAME, attention)


def check(model: Any) -> None:
    """Raise ModelError where the layers of `model` would not keep packed documents apart."""
    kind, config = model.config.model_type, model.config.get_text_config()
    others = set(getattr(config, "layer_types", None) or ()) - KEPT_APART
    if others:
        raise ModelError(f"{kind} models have layers of {min(others)}, which would mix documents")
    if not model._supports_attention_backend:
        raise ModelError(f"{kind} models do not take their attention from transformers' registry")
    if config._attn_implementation != NAME:
        raise ModelError(f"the model must be loaded with attn_implementation={NAME!r}")


class Segments:
    """Causal attention inside each of the packed documents, never across.

    Documents of similar length go through one SDPA call, the shorter ones padded on the right
    inside it, where no real query looks; so one document's numbers never touch another's. A
    document that follows another sees that one too; each of several that follow the same one gets
    a copy of it here, and only here.

    Args:
        lengths: tokens of each document, in packed order.
        follows: for each document the one that it goes on from, or -1; none where absent.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        device: torch.device | str = "cpu",
        follows: Sequence[int] = (),
    ):
        size = torch.tensor(lengths, dtype=torch.long)
        start = size.cumsum(0) - size
        before = torch.tensor(follows or [-1] * len(lengths))
        ahead = torch.where(before >= 0, size[before], 0)
        whole = size + ahead
        self.longest = int(whole.max())
        read = [d for d in range(len(lengths)) if d not in set(follows)]
        self.shapes: list[tuple[int, int]] = []
        tokens, reals = [], []
        for members in _alike(read, whole.tolist()):
            chosen = torch.tensor(members)[:, None]
            width = int(whole[members[-1]])
            self.shapes.append((len(members), width))
            offset = torch.arange(width)
            real = offset < whole[chosen]
            own = start[chosen] + (offset - ahead[chosen]) * real
            tokens.append(torch.where(offset < ahead[chosen], start[before[chosen]] + offset, own))
            reals.append(real)
        token = torch.cat([part.flatten() for part in tokens])
        real = torch.cat([part.flatten() for part in reals])
        self.total = sum(lengths)
        slot = torch.full((self.total,), len(token))
        slot.scatter_reduce_(0, token[real], real.nonzero().squeeze(1), "amin")
        first = slot[token] == torch.arange(len(token))
        self.token = token.to(device)  # the token that each slot of the padded layout holds
        self.slot = slot.to(device)  # where each token's output is read
        self.unread = (~first).nonzero().squeeze(1).to(device)
        self.copies = (real & ~first).nonzero().squeeze(1).to(device)

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """Per-document causal attention; query [1, H, T, D] -> [1, T, H, D]."""
        q, k, v = (
            _Lay.apply(t[0].transpose(0, 1), self.token, self.slot, None, self.copies)
            for t in (query, key, value)
        )
        parts = []
        first = 0
        for rows, width in self.shapes:
            last = first + rows * width
            bq, bk, bv = (
                t[first:last].view(rows, width, *t.shape[1:]).transpose(1, 2) for t in (q, k, v)
            )
            out = F.scaled_dot_product_attention(
                bq, bk, bv, is_causal=True, scale=scale, enable_gqa=bq.shape[1] != bk.shape[1]
            )
            parts.append(out.transpose(1, 2).flatten(0, 1))
            first = last
        joined = parts[0] if len(parts) == 1 else torch.cat(parts)
        return _Lay.apply(joined, self.slot, self.token, self.unread, None)[None]


def _alike(documents: Sequence[int], lengths: Sequence[int]) -> Iterator[list[int]]:
    """The documents in groups of similar length, each sorted by it."""
    order = sorted(documents, key=lengths.__getitem__)
    low = 0
    while low < len(order):
        shortest = lengths[order[low]]
        high = low
        while high < len(order) and lengths[order[high]] <= shortest + max(4, shortest // 8):
            high += 1
        yield order[low:high]
        low = high


class _Lay(torch.autograd.Function):
    """`rows[index]`, where `back` tells of each row one place that it went to.

    Its gradient is taken from there; what further `copies` of it got is added; it is zero for the
    `unread` rows, which went nowhere.
    """

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, index: Tensor, back: Tensor, unread: Tensor | None,
        copies: Tensor | None,
    ) -> Any:  # fmt: skip
        ctx.save_for_backward(index, back, unread, copies)
        return rows.index_select(0, index)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        index, back, unread, copies = ctx.saved_tensors
        found = gradient.index_select(0, back)
        if unread is not None and len(unread):
            found.index_fill_(0, unread, 0)
        if copies is not None and len(copies):
            found.index_add_(0, index[copies], gradient[copies])
        return found, None, None, None, None
