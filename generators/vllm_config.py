"""The recipe's words for a vLLM server that we start ourselves."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

OURS = ("model", "host", "port", "served_model_name", "api_key", "uds")
SHAPING = (
    "chat_template", "dtype", "generation_config", "hf_overrides", "kv_cache_dtype", "lora_modules",
    "max_model_len", "override_generation_config", "quantization", "reasoning_parser", "tokenizer",
)  # fmt: skip


class VllmConfig(BaseModel):
    """How a vLLM server is started. Any further key is vLLM's own option of that name, such as
    `max_model_len: 32768`, and is passed through.
    """

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    python: str | None = Field(
        None, description="Python of the environment that holds vLLM; this one's where absent."
    )
    env: dict[str, str] = Field({}, description="Environment variables of the server.")
    ready_within: float = Field(1800, gt=0, description="Seconds that starting may take.")
    tensor_parallel: int | None = Field(None, gt=0, description="GPUs that share each layer.")
    data_parallel: int | None = Field(None, gt=0, description="Copies of the model.")
    quantization: str | None = Field(None, description="Such as `fp8` or `awq`.")
    prefix_caching: bool | None = Field(None, description="Reuse what prompts have in common.")
    reasoning_parser: str | None = Field(None, description="What tells thoughts from answers.")
    speculative: dict[str, Any] | None = Field(
        None, description="Speculative decoding, vLLM's `speculative_config`."
    )

    @model_validator(mode="after")
    def _names(self) -> VllmConfig:
        if taken := sorted(set(OURS) & set(self.options())):
            raise ValueError(f"{taken[0]} is set by distill itself")
        return self

    def options(self) -> dict[str, Any]:
        """What vLLM is started with, by vLLM's own names."""
        ours = {
            "tensor_parallel_size": self.tensor_parallel,
            "data_parallel_size": self.data_parallel,
            "quantization": self.quantization,
            "enable_prefix_caching": self.prefix_caching,
            "reasoning_parser": self.reasoning_parser,
            "speculative_config": self.speculative,
        }
        further = {name.replace("-", "_"): v for name, v in (self.model_extra or {}).items()}
        return {name: value for name, value in (ours | further).items() if value is not None}

    def shaping(self) -> dict[str, Any]:
        """The options that change what the model says, not how fast it says it."""
        options = self.options()
        return {name: options[name] for name in SHAPING if name in options}
