"""AdamW's moments, and gradients too, split over all processes: ZeRO by DeepSpeed (1910.02054).

Each process keeps the whole weights to compute with, and steps its share of a second copy in
float32, after which the shares are sent round.
"""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from students.batches.scorer import Scorer
from students.config import Training
from students.errors import ModelError
from students.strategies import Whole, has_experts, on_main

BUCKET = 1 << 24
"""Weights whose gradients are summed in one go."""
MOMENTS = ("exp_avg", "exp_avg_sq")
OLD = r"`torch\.distributed\.\w+` is deprecated"


def check(strategy: str) -> None:
    """Raise ModelError where `strategy` is DeepSpeed's, which is not installed."""
    if strategy.startswith("zero") and find_spec("deepspeed") is None:
        raise ModelError(
            f"strategy {strategy} needs DeepSpeed: pip install 'distill-factory[train,deepspeed]'"
        )


class Zero(Whole):
    """`zero1`: AdamW's moments are split; gradients are summed once a step."""

    stage = 1

    def __init__(self, scorer: Scorer, config: Training):
        check(f"zero{self.stage}")
        if has_experts(scorer):
            raise ModelError(
                "DeepSpeed waits for every weight's gradient, and a device whose tokens reach no "
                "token of an expert has none: use ddp or fsdp2"
            )
        super().__init__(scorer, config)

    def prepare(self) -> None:
        """Hand student and optimizer over to DeepSpeed, which steps when it is told to."""
        import deepspeed
        from deepspeed.ops import __compatible_ops__ as compiled

        # a sum that nothing here takes would be compiled at the first start, under a lock that a
        # killed process never lets go of
        compiled["deepspeed_shm_comm"] = False
        warnings.filterwarnings("ignore", OLD, category=FutureWarning)
        settings = {
            "zero_optimization": {"stage": self.stage, "reduce_bucket_size": BUCKET},
            "gradient_clipping": self.config.max_grad_norm,
            "managed_gradient_accumulation": False,
            "train_micro_batch_size_per_gpu": 1,
            "steps_per_print": None,
        }
        self.module, *_ = deepspeed.initialize(
            model=self.scorer, optimizer=self.optimizer, config=settings
        )

    def passing(self, last: bool) -> AbstractContextManager[Any]:
        """Nothing to be under."""
        return nullcontext()

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of a micro-batch's loss; that of the step is the processes' mean."""
        self.module.backward(loss)

    def step(self) -> float:
        """Clip the whole gradient and let AdamW step; its norm before."""
        self.module.step()
        return float(self.module.get_global_grad_norm())

    def set_weights(self, kept: dict[str, Tensor]) -> None:
        """Put back what `weights` took in the main process, in both copies."""
        super().set_weights(kept)
        self.module.optimizer.refresh_fp32_params()

    def moments(self) -> dict[str, dict[str, Tensor]]:
        """What AdamW holds of each trained weight, its step and both moments, as `on_main`."""
        from deepspeed.utils import safe_get_full_optimizer_state as whole

        self._link()
        step = next(iter(self.optimizer.state.values()))["step"]
        return {
            name: {"step": step} | {key: on_main(whole(parameter, key)) for key in MOMENTS}
            for name, parameter in self.trained.items()
        }

    def set_moments(self, kept: dict[str, dict[str, Tensor]]) -> None:
        """Put back what `moments` took in the main process, when the weights are back."""
        from deepspeed.utils import safe_set_full_optimizer_state as put

        step = next(iter(kept.values()))["step"]
        for share in self.module.optimizer.single_partition_of_fp32_groups:
            state = {key: torch.zeros_like(share, requires_grad=False) for key in MOMENTS}
            self.optimizer.state[share] = {"step": step.to(share.device)} | state
        self._link()
        for name, parameter in self.trained.items():
            for key in MOMENTS:
                put(parameter, kept[name][key].to(parameter.device), key)

    def _link(self) -> None:
        """Tell each weight where its moments are; DeepSpeed tells those of the first group."""
        from deepspeed.utils import lazy_init_hp_params_optimizer_state as link

        held = self.module.optimizer
        for group, share in zip(
            held.bit16_groups, held.single_partition_of_fp32_groups, strict=True
        ):
            link(group, share, self.optimizer.state)

    def gather(self) -> None:
        """Take the student back; it is whole in every process."""
        self.module.destroy()


class Zero2(Zero):
    """`zero2`: gradients are split too, and summed at every micro-batch."""

    stage = 2
