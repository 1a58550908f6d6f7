"""How a student is held on its devices while it is trained, and what that makes of a step.

Here: whole on each device. `sharding` and `zero` hold it otherwise; the loop and the checkpoints
know none but the methods of `Whole`. All processes call each of them, in the same order.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs
from torch import Tensor, nn

from students import ranks
from students.batches.scorer import Scorer
from students.config import Training
from students.errors import ModelError

ELSEWHERE = ("DEEPSPEED", "FSDP", "MEGATRON_LM")
"""What `accelerate launch` may be configured to train by; it is not taken from there."""


class Whole:
    """`ddp`: the whole student on each device; gradients are summed once a step.

    `trained` are the trained weights by name, as this process holds them. Raises ModelError where
    accelerate was configured for another way to train.
    """

    def __init__(self, scorer: Scorer, config: Training):
        self.scorer, self.config = scorer, config
        self.module: Any = scorer
        self.accelerator = _accelerator(scorer)
        self.trained = {n: p for n, p in scorer.named_parameters() if p.requires_grad}
        self.optimizer: Any = _optimizer(list(self.trained.values()), config)
        self.prepare()

    def prepare(self) -> None:
        """Put the student on its device, under what sums its gradients."""
        self.module, self.optimizer = self.accelerator.prepare(self.scorer, self.optimizer)

    def passing(self, last: bool) -> AbstractContextManager[Any]:
        """What a micro-batch is passed through under, the `last` of a step or not."""
        return nullcontext() if last else self.accelerator.no_sync(self.module)

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of a micro-batch's loss; that of the step is the processes' mean."""
        loss.backward()

    def step(self) -> float:
        """Clip the whole gradient and let AdamW step; its norm before."""
        norm = nn.utils.clip_grad_norm_(self.scorer.parameters(), self.config.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return self.whole(norm).item()

    def whole(self, tensor: Tensor) -> Tensor:
        """All of a tensor that may be split over processes."""
        return tensor

    def part(self, value: Tensor, like: Tensor) -> Tensor:
        """What this process holds of a whole tensor that is split as `like` is."""
        return value.to(like.device)

    def weights(self) -> dict[str, Tensor]:
        """The trained weights, as `on_main`."""
        return {name: on_main(self.whole(p.detach())) for name, p in self.trained.items()}

    @torch.no_grad()
    def set_weights(self, kept: dict[str, Tensor]) -> None:
        """Put back what `weights` took in the main process; every process needs it."""
        for name, parameter in self.trained.items():
            parameter.copy_(self.part(kept[name], parameter))

    def moments(self) -> dict[str, dict[str, Tensor]]:
        """What AdamW holds of each trained weight, its step and both moments, as `on_main`."""
        state = self.optimizer.state
        return {
            name: {key: on_main(self.whole(value)) for key, value in state[parameter].items()}
            for name, parameter in self.trained.items()
            if parameter in state
        }

    def set_moments(self, kept: dict[str, dict[str, Tensor]]) -> None:
        """Put back what `moments` took in the main process, when the weights are back."""
        for name, values in kept.items():
            like = self.trained[name]
            self.optimizer.state[like] = {
                key: self.part(value, like) if value.dim() else value.to(like.device)
                for key, value in values.items()
            }

    def settle(self) -> None:
        """To be called where `scorer` was passed through without `module`."""

    def gather(self) -> None:
        """Leave the whole model in the main process; in the others it is then no use."""


def on_main(whole: Tensor) -> Tensor:
    """A whole tensor on the CPU of the main process; nothing of it in the others."""
    return whole.cpu() if ranks.main() else torch.empty(0)


def has_experts(scorer: Scorer) -> bool:
    """Whether a process's tokens may reach no token of a weight, which then has no gradient."""
    return any("expert" in name for name, _ in scorer.named_parameters())


def _accelerator(scorer: Scorer) -> Accelerator:
    for way in ELSEWHERE:
        if os.environ.get(f"ACCELERATE_USE_{way}") == "true":  # on a CPU accelerate forgets it
            raise ModelError(
                f"accelerate was told to train by {way}; start the processes plainly and name a "
                "strategy: ddp, fsdp2, zero1, zero2"
            )
    options = DistributedDataParallelKwargs(find_unused_parameters=has_experts(scorer))
    return Accelerator(cpu=not torch.cuda.is_available(), kwargs_handlers=[options])


def _optimizer(trained: list[nn.Parameter], config: Training) -> torch.optim.Optimizer:
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas, fused=True)
