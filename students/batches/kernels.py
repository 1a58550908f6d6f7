"""Attention over packed documents by CUDA's kernels: the same contexts as on a CPU, faster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

from students.batches.attention import Context, Segments


def context(
    lengths: Sequence[int], follows: Sequence[int], device: torch.device, dtype: torch.dtype
) -> Context:
    """The attention of packed documents, as `device` does it best.

    Flash-attention over ragged documents where it takes the numbers (16 bits, Ampere or later) and
    none follows another, else flex_attention; on a CPU one SDPA call for documents alike.
    """
    if device.type != "cuda":
        return Segments(lengths, device, follows)
    flash = dtype in (torch.bfloat16, torch.float16) and torch.cuda.get_device_capability() >= (8,)
    return Blocks(lengths, device, follows) if follows or not flash else Varlen(lengths, device)


class Varlen:
    """Flash-attention with the borders of the documents, through torch's own kernel."""

    def __init__(self, lengths: Sequence[int], device: torch.device):
        from torch.nn.attention.varlen import varlen_attn  # takes seconds to import

        self.kernel = varlen_attn
        ends = torch.tensor([0, *lengths]).cumsum(0)
        self.borders = ends.to(device, torch.int32)
        self.longest = max(lengths)

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """Per-document causal attention; query [1, H, T, D] -> [1, T, H, D]."""
        q, k, v = (t[0].transpose(0, 1) for t in (query, key, value))
        out = self.kernel(
            q, k, v, self.borders, self.borders, self.longest, self.longest, scale=scale,
            window_size=(-1, 0), enable_gqa=q.shape[1] != k.shape[1],
        )  # fmt: skip
        return out[None]  # type: ignore[call-overload]


class Blocks:
    """flex_attention with a block mask; documents that follow the same one share its keys."""

    def __init__(
        self, lengths: Sequence[int], device: torch.device | str, follows: Sequence[int] = ()
    ):
        owner = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
        owner = owner.to(device)
        before = torch.tensor(follows or [-1] * len(lengths), device=device)
        ahead = [lengths[f] if f >= 0 else 0 for f in follows or [-1] * len(lengths)]
        self.longest = max(map(sum, zip(lengths, ahead, strict=True)))

        def sees(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
            mine, other = owner[query], owner[key]
            return (query >= key) & ((mine == other) | (before[mine] == other))

        total = len(owner)
        self.mask = create_block_mask(sees, None, None, total, total, device=device)

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """Per-document causal attention; query [1, H, T, D] -> [1, T, H, D]."""
        out = _flex(query.is_cuda)(
            query, key, value, block_mask=self.mask, scale=scale,
            enable_gqa=query.shape[1] != key.shape[1],
        )  # fmt: skip
        return out.transpose(1, 2)


@cache
def _flex(compiled: bool) -> Callable[..., Any]:
    """Without being compiled it holds all scores, which is for tests on a CPU."""
    found: Any = torch.compile(flex_attention, dynamic=True) if compiled else flex_attention
    return found
