"""Weights that are split over all processes (FSDP2), and whole again where somebody needs them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from students import ranks
from students.batches.scorer import Scorer
from students.errors import ModelError


def shard(scorer: Scorer) -> None:
    """Split the weights of every decoder layer, and of what is outside them, over all processes.

    Each process then holds its part, and a layer is whole only while it is passed through. Raises
    ModelError where the model does not say what its layers are. Layers of a model that computes in
    16 bits are gathered in 16 bits; gradients are summed in 32.
    """
    names = set(getattr(scorer.model, "_no_split_modules", None) or ())
    layers = [module for module in scorer.modules() if type(module).__name__ in names]
    if not layers:
        kind = type(scorer.model).__name__
        raise ModelError(f"{kind} does not name its layers, so fsdp2 cannot split it: use ddp")
    device = next(scorer.parameters()).device.type
    mesh = init_device_mesh(device, (ranks.count(),))
    short = getattr(scorer.model, "computes_in", None)
    policy = MixedPrecisionPolicy(
        short, torch.float32 if short else None, cast_forward_inputs=False
    )
    for layer in layers:
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    fully_shard(scorer, mesh=mesh)


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor that may be split; a meeting of all processes where it is."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def as_held(value: Tensor, like: Tensor) -> Tensor:
    """The part of a whole tensor that this process holds where `like` is split the same way."""
    if not isinstance(like, DTensor):
        return value
    return distribute_tensor(
        value.to(like.device), like.device_mesh, like.placements, src_data_rank=None
    )


def gather_weights(model: nn.Module) -> None:
    """Make a split model whole in the main process, on the CPU; in the others it is then no use."""
    made: dict[int, Any] = {}
    for module in model.modules():
        for name, parameter in list(module._parameters.items()):
            if not isinstance(parameter, DTensor):
                continue
            if id(parameter) not in made:
                value = parameter.detach().full_tensor()
                value = value.cpu() if ranks.main() else torch.empty(0)
                made[id(parameter)] = parameter, nn.Parameter(value, parameter.requires_grad)
            module._parameters[name] = made[id(parameter)][1]
