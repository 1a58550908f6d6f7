"""Attention over packed documents, for any transformers decoder, unpatched.

Registered under the name `distill` in transformers' attention registry. The model's forward passes
a context object (a keyword argument `context`) down to every layer; the context decides who sees
whom: `Segments` for packed documents, `students.rollouts.decoder` for the decoder's cache.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import AttentionInterface

NAME = "distill"


class Context(Protocol):
    """Decides what each query attends to."""

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
    """The function that transformers calls in every layer."""
    if context is None:
        raise ValueError("attention 'distill' needs a context: pass context=Segments(lengths)")
    if kwargs.get("sliding_window") or kwargs.get("softcap"):
        raise ValueError("sliding-window and soft-capped attention are not available packed")
    scale = scaling if scaling is not None else query.shape[-1] ** -0.5
    return context.attend(int(module.layer_idx), query, key, value, scale), None  # type: ignore[arg-type]


AttentionInterface.register(NAME, attention)


class Segments:
    """Causal attention inside each of the packed documents, never across.

    Documents of similar length go through one SDPA call, the shorter ones padded on the right
    inside it, where no real query looks; so one document's numbers never touch another's.

    Args:
        lengths: tokens of each document, in packed order.
    """

    def __init__(self, lengths: list[int], device: torch.device | str = "cpu"):
        starts = [0]
        for length in lengths:
            starts.append(starts[-1] + length)
        self.total = starts[-1]
        order = sorted(range(len(lengths)), key=lengths.__getitem__)
        self.buckets: list[tuple[Tensor, Tensor, Tensor]] = []
        low = 0
        while low < len(order):
            shortest = lengths[order[low]]
            high = low
            while high < len(order) and lengths[order[high]] <= shortest + max(4, shortest // 8):
                high += 1
            members = order[low:high]
            width = lengths[members[-1]]
            size = torch.tensor([lengths[i] for i in members])
            start = torch.tensor([starts[i] for i in members])
            offset = torch.arange(width)
            inside = offset < size[:, None]
            gather = torch.where(inside, start[:, None] + offset, start[:, None])
            self.buckets.append(
                (
                    gather.to(device),
                    inside.flatten().nonzero().squeeze(1).to(device),
                    gather[inside].to(device),
                )
            )
            low = high

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """Per-document causal attention; query [1, H, T, D] -> [1, T, H, D]."""
        q, k, v = (t[0].transpose(0, 1) for t in (query, key, value))
        parts, places = [], []
        for gather, inside, place in self.buckets:
            rows, width = gather.shape
            index = gather.flatten()
            bq, bk, bv = (
                t.index_select(0, index).view(rows, width, *t.shape[1:]).transpose(1, 2)
                for t in (q, k, v)
            )
            out = F.scaled_dot_product_attention(
                bq, bk, bv, is_causal=True, scale=scale, enable_gqa=bq.shape[1] != bk.shape[1]
            )
            out = out.transpose(1, 2).reshape(rows * width, *q.shape[1:])
            parts.append(out.index_select(0, inside))
            places.append(place)
        if len(parts) == 1:
            joined, place = parts[0], places[0]
        else:
            joined, place = torch.cat(parts), torch.cat(places)
        return torch.empty_like(joined).index_copy(0, place, joined)[None]
