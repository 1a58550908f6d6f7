"""GRPO's rollouts on a vLLM server: the recipe's words for it, and who draws from it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from generators.teachers.servers import Servers
from generators.vllm_config import VllmConfig
from students import config as students
from students.config import StudentConfig

if TYPE_CHECKING:
    from generators.teachers.vllm_sampler import VllmSampler
    from students.rollouts.source import Drawing


class GRPO(students.GRPO):
    """Group-relative policy optimisation with the verifiers as reward (arXiv 2402.03300)."""

    vllm: VllmConfig = Field(
        default_factory=VllmConfig, description="With `backend: vllm`, how it is started; `python` "
        "and `env` are those of teacher.vllm where absent."
    )  # fmt: skip


def on_server(stage: Any) -> bool:
    """Whether a stage draws its rollouts on a vLLM server."""
    return getattr(stage, "backend", "local") == "vllm"


def depends_on(stage: Any) -> dict[str, Any]:
    """What of a stage its result depends on: not how fast its server is."""
    words: dict[str, Any] = stage.model_dump(mode="json", exclude={"backend", "vllm"})
    return words | {"vllm": stage.vllm.shaping()} if on_server(stage) else words


def check(stage: Any, student: StudentConfig) -> None:
    """Raise ValueError where no server can draw the rollouts of `stage`."""
    if not on_server(stage):
        return
    if student.devices != 1:
        raise ValueError("a grpo stage with `backend: vllm` needs student.devices to be 1")
    if student.lora is not None and student.lora.quantize:
        raise ValueError(
            "a grpo stage with `backend: vllm` needs a student whose weights are not quantised"
        )


def served(
    stage: GRPO, config: VllmConfig, servers: Servers, folder: Path, model: Any, tokenizer: Any
) -> tuple[VllmSampler, Drawing]:
    """Who draws the answers of `model`, on one of `servers`, and the weight sync before a round.

    The weights go through `folder`. Prompts go as token ids, and the server computes as the student
    does where `config` names no dtype.
    """
    from generators.teachers.vllm_sampler import VllmSampler
    from students.batches.encode import encode_prompts
    from students.memory import release
    from students.rollouts import weights

    ours = {
        "dtype": str(weights.served_in(model)).removeprefix("torch."),
        "logprobs_mode": "processed_logprobs",
    }
    environment = {"VLLM_SERVER_DEV_MODE": "1", **config.env}
    folder.mkdir(parents=True, exist_ok=True)
    sampler = VllmSampler(
        str(folder),
        config.model_copy(update={**ours, **(config.model_extra or {}), "env": environment}),
        servers,
        encode=lambda chat: encode_prompts(tokenizer, [chat])[0],
        n=stage.group_size,
        max_in_flight=stage.prompts,
    )

    @contextmanager
    def drawing() -> Iterator[None]:
        weights.write(model, tokenizer, folder)
        release()
        asyncio.run(sampler.server.load())
        yield
        asyncio.run(sampler.server.sleep())

    return sampler, drawing
