"""Linear layers on a CPU whose products are oneDNN's, forwards and backwards.

torch hands products of 32 bits to MKL, which leaves half of the vector units of AMD's processors
idle; those of 16 bits, and everything elsewhere, are left to torch.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WORTH = 1 << 20  # multiplications from which on it pays


def few_shapes(rows: int) -> int:
    """What to round `rows` up to a multiple of, at most a sixteenth more, to meet few of them.

    oneDNN compiles a kernel for every shape of a product.
    """
    return int(1 << max(0, rows.bit_length() - 5))


def product(a: Tensor, b: Tensor) -> Tensor:
    """`a @ b` of matrices [n, k] and [k, m], without a gradient."""
    if a.dtype != torch.float32 or b.dtype != torch.float32 or not a.is_cpu or not a.numel():
        return a @ b
    return torch.ops.mkldnn._linear_pointwise(a, b.t(), None, "none", [], "")


def use_onednn(model: nn.Module) -> None:
    """Let the plain linear layers of `model` compute by `product`."""
    if torch.backends.mkldnn.is_available():
        for module in model.modules():
            if type(module) is nn.Linear:
                module.__class__ = Linear


class Linear(nn.Linear):
    """`nn.Linear`, by `product`."""

    def forward(self, input: Tensor) -> Tensor:
        """Rows [..., in] to [..., out]."""
        plain = input.is_cpu and input.dtype == self.weight.dtype == torch.float32
        worth = input.numel() * self.out_features >= WORTH
        if not plain or not worth or torch.is_autocast_enabled("cpu"):
            return F.linear(input, self.weight, self.bias)
        rows = _Linear.apply(input.flatten(0, -2), self.weight, self.bias)
        return rows.view(*input.shape[:-1], -1)


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(rows if ctx.needs_input_grad[1] else None, weight)
        out = product(rows, weight.t())
        return out if bias is None else out.add_(bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        rows, weight = ctx.saved_tensors
        needs_rows, needs_weight, needs_bias = ctx.needs_input_grad
        return (
            product(gradient, weight) if needs_rows else None,
            product(gradient.t(), rows) if needs_weight else None,
            gradient.sum(0) if needs_bias else None,
        )
