"""Trained weights have 32 bits, whatever the model computes in."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

SHORT = (torch.bfloat16, torch.float16)


def hold_whole(model: Any) -> None:
    """Hold every trained weight in float32; a model of 16 bits goes on computing in 16.

    AdamW's updates are far smaller than what 16 bits can tell apart, so a weight of 16 bits would
    hardly ever move. Passes through the model must then be under `computing`. Again changes
    nothing.
    """
    for parameter in model.parameters():
        if parameter.requires_grad and parameter.dtype in SHORT:
            model.computes_in = parameter.dtype
            parameter.data = parameter.data.float()


def compute_in(model: Any, dtype: str) -> None:
    """Let a model of whole weights compute in `dtype`, a name of the recipe."""
    short = torch.cuda.is_available() if dtype == "auto" else dtype == "bfloat16"
    if short:
        model.computes_in = torch.bfloat16


def computing(model: Any) -> AbstractContextManager[Any]:
    """The precision in which `model` computes: mixed where `hold_whole` widened its weights."""
    dtype = getattr(model, "computes_in", None)
    if dtype is None:
        return nullcontext()
    return torch.autocast(next(model.parameters()).device.type, dtype)
