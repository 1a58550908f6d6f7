"""The recipe's words for students: what is trained, and how each stage trains it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from verifiers.rewards import Weights


class Section(BaseModel):
    """Base of all sections: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


Strategy = Literal["ddp", "fsdp2", "zero1", "zero2"]
Beta = Annotated[float, Field(ge=0, lt=1)]


class Scratch(Section):
    """A student that starts from random weights."""

    architecture: str = Field("qwen2", description="A transformers model type, e.g. qwen2, llama.")
    hidden_size: int = Field(96, gt=0, description="Width of the residual stream.")
    layers: int = Field(3, gt=0, description="Number of decoder layers.")
    heads: int = Field(3, gt=0, description="Attention heads; hidden_size / heads is 32 or 64.")
    kv_heads: int | None = Field(
        None, gt=0, description="Key-value heads; as many as heads if absent."
    )
    intermediate_size: int = Field(256, gt=0, description="Width of the MLP.")
    context: int = Field(512, gt=0, description="Longest sequence in tokens.")
    tokenizer: str = Field("bytes", description="`bytes`, or a folder or hub id of a tokenizer.")

    @model_validator(mode="after")
    def _head_size(self) -> Scratch:
        if self.hidden_size % self.heads or self.hidden_size // self.heads not in (32, 64):
            raise ValueError("hidden_size / heads must be 32 or 64, the sizes that vLLM serves")
        if self.heads % (self.kv_heads or self.heads):
            raise ValueError("heads must be a multiple of kv_heads")
        return self


class Lora(Section):
    """Low-rank adapters instead of full weights (arXiv 2106.09685)."""

    rank: int = Field(16, gt=0, description="Rank of the adapters.")
    alpha: int | None = Field(None, gt=0, description="Scale; twice the rank if absent.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout on the adapters' input.")
    targets: str | list[str] = Field(
        "all-linear", description="Modules that get an adapter: all layers but the head, a list of "
        "names such as [q_proj, v_proj], or a regular expression."
    )  # fmt: skip
    dora: bool = Field(
        False, description="Learn the magnitudes of columns beside (DoRA, arXiv 2402.09353)."
    )
    rslora: bool = Field(
        False, description="Scale by alpha / sqrt(rank), not alpha / rank (arXiv 2312.03732)."
    )
    quantize: Literal["nf4", "fp4"] | None = Field(
        None, description="Hold the frozen weights in 4 bits (QLoRA, arXiv 2305.14314); adapters "
        "are merged into the weights as they are stored. Needs the extra `qlora`."
    )  # fmt: skip
    begin: Literal["adapter", "merged"] = Field(
        "adapter", description="A stage goes on with the adapter of the one before, or `merged`: "
        "that is merged into the weights first, and a new one begins."
    )  # fmt: skip


class StudentConfig(Section):
    """The model that learns: a folder or hub id, or `scratch` for random weights."""

    model: str | None = Field(None, description="A local folder or a hub id.")
    scratch: Scratch | None = Field(None, description="Random weights of this shape.")
    lora: Lora | None = Field(None, description="Train adapters instead of all weights.")
    dtype: Literal["float32", "bfloat16", "auto"] = Field(
        "auto",
        description="What the student computes in, and its frozen weights are held in; "
        "auto is bfloat16 on a GPU, float32 on a CPU. Trained weights always have 32 bits.",
    )

    devices: int | Literal["auto"] = Field(
        1, gt=0, description="Processes that train together, each on a device of its own: `auto` "
        "is all GPUs of this machine, or one process on the CPU."
    )  # fmt: skip
    strategy: Strategy = Field(
        "ddp", description="On many devices: `ddp` holds the whole student on each, `fsdp2` splits "
        "its weights, gradients and moments over all; `zero1` splits the moments only, `zero2` "
        "gradients too, by DeepSpeed (extra `deepspeed`)."
    )  # fmt: skip
    context_parallel: int = Field(
        1, gt=0, description="Devices that share the tokens of each micro-batch, so that a long "
        "document need not fit on one; devices and attention heads are to be multiples of it."
    )  # fmt: skip
    trackers: list[Literal["tensorboard", "wandb", "trackio"]] = Field(
        [], description="Where the metrics of training go beside metrics.jsonl."
    )
    tokens: list[Annotated[str, Field(min_length=1)]] = Field(
        [], description="Tokens that the vocabulary gets, such as <think>; each starts as the mean "
        "of all others, and is trained with adapters too."
    )  # fmt: skip

    @model_validator(mode="after")
    def _one(self) -> StudentConfig:
        if (self.model is None) == (self.scratch is None):
            raise ValueError("give either model or scratch")
        if self.lora is not None and self.lora.quantize and self.scratch is not None:
            raise ValueError("lora.quantize needs a model; scratch has no weights to quantise")
        if self.devices != "auto" and self.devices % self.context_parallel:
            raise ValueError("devices must be a multiple of context_parallel")
        if len(set(self.tokens)) < len(self.tokens):
            raise ValueError("tokens: a token stands there twice")
        return self

    def shaping(self) -> dict[str, Any]:
        """What the trained student depends on: not where it is trained, nor who watches."""
        where = {"devices", "strategy", "context_parallel", "trackers"}
        return self.model_dump(mode="json", exclude=where)


class Training(Section):
    """What every training stage has: lengths, the optimizer, the schedule."""

    reads: ClassVar[str] = "sft"
    """The training set that the stage reads."""
    policy: ClassVar[bool] = True
    """Whether the stage trains the student itself, which the next one goes on from."""

    id: str | None = Field(
        None, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$",
        description="Name of the stage where a kind repeats.",
    )  # fmt: skip
    epochs: float | None = Field(
        None, gt=0, description="Passes over the rows; 1 where neither this nor max_steps is "
        "given. Not for grpo, which reads no rows."
    )  # fmt: skip
    max_steps: int | None = Field(None, gt=0, description="Stop after so many optimizer steps.")
    learning_rate: float = Field(1e-3, gt=0, description="Peak learning rate.")
    schedule: Literal["cosine", "linear", "constant"] = Field(
        "cosine", description="How the learning rate falls after warm-up."
    )
    warmup: float = Field(0.05, ge=0, lt=1, description="Share of the steps that warm up.")
    final_learning_rate: float = Field(
        0.1, ge=0, le=1, description="Learning rate at the end, as a share of the peak."
    )
    weight_decay: float = Field(0.0, ge=0, description="AdamW weight decay on matrices.")
    betas: tuple[Beta, Beta] = Field((0.9, 0.98), description="AdamW betas.")
    max_grad_norm: float = Field(1.0, gt=0, description="Gradients are clipped to this norm.")
    tokens_per_step: int = Field(
        4096, gt=0, description="Tokens of one optimizer step. Not for grpo."
    )
    tokens_per_micro_batch: int = Field(
        8192, gt=0, description="Tokens that go through the model at once."
    )
    activations: Literal["keep", "recompute", "offload"] = Field(
        "keep", description="Between a layer's forward and backward pass, `keep` its activations, "
        "`recompute` them from its input, which takes a third more time and far less memory, or "
        "`offload` that input to the host's memory too."
    )  # fmt: skip
    max_length: int = Field(2048, gt=1, description="Most tokens of a row. Not for grpo.")
    checkpoint_every: int = Field(50, gt=0, description="Steps between checkpoints.")
    keep_checkpoints: int = Field(2, gt=0, description="Checkpoints kept while training.")


class ValidationConfig(Section):
    """Loss on rows that are kept out of training; the weights where it was lowest are kept."""

    rows: int = Field(200, gt=0, description="Rows kept out, at least; whole problems at random.")
    every: int = Field(50, gt=0, description="Steps between two measurements.")
    patience: int | None = Field(
        None, gt=0, description="Stop after so many measurements in a row that were no better."
    )


class FromRows(Training):
    """Training on rows that are there before it starts."""

    shape: ClassVar[Literal["text", "chat", "pair"]] = "chat"
    """What a row is."""

    data: str | None = Field(
        None, description="Rows of your own: a JSONL or Parquet file, or a folder of Parquet files "
        "or one that `datasets` saved. Nobody verifies them. What curation wrote where absent."
    )  # fmt: skip
    validation: ValidationConfig | None = Field(
        None, description="Measure the loss on rows that are not trained on, and keep the best."
    )
    too_long: Literal["refuse", "drop", "cut"] = Field(
        "refuse", description="What is done with rows of more than max_length tokens; how many "
        "were dropped or cut is counted and shown."
    )  # fmt: skip
    bad_rows: Literal["refuse", "drop"] = Field(
        "refuse", description="What is done with rows that cannot be learned, such as those that "
        "the chat template refuses; dropped ones are counted and shown."
    )  # fmt: skip

    @property
    def own(self) -> str | None:
        """Where the user's own rows are; None where the run makes the rows."""
        return self.data


class SFT(FromRows):
    """Supervised fine-tuning on verified chains; the loss is on completions only."""

    kind: Literal["sft"] = "sft"


class CPT(FromRows):
    """Continued pretraining on plain text; every token is learned."""

    reads: ClassVar[str] = "cpt"
    shape: ClassVar[Literal["text", "chat", "pair"]] = "text"
    kind: Literal["cpt"] = "cpt"
    data: str = Field(
        "cpt", description="`cpt`: prompts with their chains; `questions`: the prompts alone; or "
        "texts of your own, as for the other stages."
    )  # fmt: skip
    too_long: Literal["split", "refuse", "drop", "cut"] = Field(  # type: ignore[assignment]
        "split", description="What is done with texts of more than max_length tokens; how many "
        "were split, dropped or cut is counted and shown."
    )  # fmt: skip

    @property
    def own(self) -> str | None:
        """Where the user's own texts are; None where the run makes the texts."""
        return None if self.data in ("cpt", "questions") else self.data


class DPO(FromRows):
    """Direct preference optimisation of correct over wrong chains (arXiv 2305.18290)."""

    reads: ClassVar[str] = "dpo"
    shape: ClassVar[Literal["text", "chat", "pair"]] = "pair"
    kind: Literal["dpo"] = "dpo"
    learning_rate: float = Field(1e-4, gt=0, description="Peak learning rate.")
    beta: float = Field(0.1, gt=0, description="How closely the policy stays to its start.")
    label_smoothing: float = Field(
        0.0, ge=0, lt=0.5, description="Share of pairs taken to be the wrong way round."
    )
    rpo_alpha: float = Field(
        0.0, ge=0, description="Weight of the chosen completion's own loss a token, which keeps "
        "its likelihood up (arXiv 2404.19733)."
    )  # fmt: skip


class RewardModel(FromRows):
    """A reward model on the last policy's decoder, from the pairs that `dpo` reads.

    It is no policy: the next stage goes on from the stage before it.
    """

    reads: ClassVar[str] = "dpo"
    shape: ClassVar[Literal["text", "chat", "pair"]] = "pair"
    policy: ClassVar[bool] = False
    kind: Literal["reward_model"] = "reward_model"
    learning_rate: float = Field(1e-4, gt=0, description="Peak learning rate.")
    margin: float = Field(
        0.0, ge=0, description="How far the chosen completion's reward is to be ahead."
    )
    centering: float = Field(
        0.0, ge=0, description="Weight of the squared sum of a pair's rewards, which keeps them "
        "about zero; 0.01 is usual (arXiv 2312.09244)."
    )  # fmt: skip
    heldout: float = Field(
        0.1, ge=0, lt=1, description="Share of the problems whose pairs are not trained on; its "
        "accuracy is measured on them."
    )  # fmt: skip


class GRPO(Weights, Training):
    """Group-relative policy optimisation with the verifiers as reward (arXiv 2402.03300)."""

    reads: ClassVar[str] = "rl"
    kind: Literal["grpo"] = "grpo"
    learning_rate: float = Field(1e-5, gt=0, description="Peak learning rate.")
    schedule: Literal["cosine", "linear", "constant"] = Field(
        "constant", description="How the learning rate falls after warm-up."
    )
    rounds: int = Field(40, gt=0, description="Rollout rounds.")
    prompts: int = Field(96, gt=0, description="Groups with variance that a round trains on.")
    group_size: int = Field(8, gt=1, description="Answers drawn for each problem.")
    passes: int = Field(1, gt=0, description="Passes over the answers of a round.")
    minibatches: int = Field(2, gt=0, description="Optimizer steps in each pass.")
    refill: float = Field(
        2.0, ge=1, description="At most so many times `prompts` groups are drawn in a round to "
        "replace those without variance."
    )  # fmt: skip
    max_tokens: int = Field(256, gt=0, description="Longest answer in tokens.")
    backend: Literal["local", "vllm"] = Field(
        "local", description="Who draws the answers: this process, or a vLLM server that gets the "
        "student's weights before each round."
    )  # fmt: skip
    clip_low: float = Field(0.2, gt=0, lt=1, description="How far a ratio may fall below 1.")
    clip_high: float = Field(0.28, gt=0, description="How far a ratio may rise above 1.")
    kl: float = Field(0.0, ge=0, description="Weight of the distance from the policy's start.")
    truncated: Literal["wrong", "mask"] = Field(
        "wrong", description="A truncated answer counts as wrong, or is left out."
    )
    scale_advantages: bool = Field(
        True, description="Divide advantages by the group's standard deviation."
    )

    @model_validator(mode="after")
    def _of_rollouts(self) -> GRPO:
        if self.overlong > self.max_tokens:
            raise ValueError(f"overlong {self.overlong} is above max_tokens {self.max_tokens}")
        for name in ("epochs", "tokens_per_step", "max_length"):
            if getattr(self, name) != Training.model_fields[name].default:
                raise ValueError(
                    f"{name} is for stages that read rows; here rounds, prompts, group_size, "
                    "minibatches and max_tokens say what a step holds"
                )
        return self


STAGES: dict[str, type[Training]] = {
    "cpt": CPT, "sft": SFT, "reward_model": RewardModel, "dpo": DPO, "grpo": GRPO,
}  # fmt: skip


class Heldout(Section):
    """Problems that are split off before anything is asked."""

    n: int = Field(1000, gt=0, description="How many problems are held out.")
    by: Literal["id", "family"] = Field(
        "id", description="`id`: at random; `family`: whole problem families."
    )


class EvaluateConfig(Section):
    """How answers are drawn to measure a sampler."""

    samples: int = Field(
        4, ge=0, description="Sampled answers a problem, for pass@1; 0 leaves the greedy one."
    )
    greedy: bool = Field(True, description="One greedy answer a problem beside the samples.")
    temperature: float = Field(1.0, gt=0, description="Temperature of the sampled answers.")
    max_tokens: int = Field(256, gt=0, description="Longest answer in tokens.")
    backend: Literal["local", "vllm"] = Field(
        "local", description="Who decodes the students' answers: this process, or a vLLM server "
        "that is started on each student's folder."
    )  # fmt: skip
    batch: int = Field(500, gt=0, description="Answers decoded together.")
    system: str | None = Field(None, description="System prompt; chains.system where absent.")

    def sampling(self) -> dict[str, Any]:
        """Sampling of the sampled answers."""
        return {"temperature": self.temperature, "max_tokens": self.max_tokens}
