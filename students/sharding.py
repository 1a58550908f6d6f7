"""Weights that are split over all processes (FSDP2), and whole again where somebody needs them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from students import models, ranks
from students.batches.scorer import Scorer
from students.config import Training
from students.errors import ModelError
from students.strategies import Whole, on_main


class Split(Whole):
    """`fsdp2`: weights, gradients and AdamW's moments split over all devices, layer by layer."""

    def __init__(self, scorer: Scorer, config: Training):
        shard(scorer.to(models.device()))
        super().__init__(scorer, config)

    def prepare(self) -> None:
        """Nothing: gradients of split weights are summed at every micro-batch."""

    def whole(self, tensor: Tensor) -> Tensor:
        """All of a tensor that may be split."""
        return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor

    def part(self, value: Tensor, like: Tensor) -> Tensor:
        """What this process holds of a whole tensor where `like` is split the same way."""
        value = value.to(like.device)
        if not isinstance(like, DTensor):
            return value
        return distribute_tensor(value, like.device_mesh, like.placements, src_data_rank=None)

    def settle(self) -> None:
        """Let go of the weights that a passing through left whole."""
        for module in self.scorer.modules():
            if isinstance(module, FSDPModule):
                module.reshard()

    def gather(self) -> None:
        """Make the model whole in the main process, on the CPU; in the others it is no use."""
        self.settle()
        made: dict[int, Any] = {}
        for module in self.scorer.modules():
            for name, parameter in list(module._parameters.items()):
                if not isinstance(parameter, DTensor):
                    continue
                if id(parameter) not in made:
                    value = on_main(self.whole(parameter.detach()))
                    made[id(parameter)] = parameter, nn.Parameter(value, parameter.requires_grad)
                module._parameters[name] = made[id(parameter)][1]


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
