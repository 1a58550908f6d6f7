"""The recipe's words for generation: the teacher, the sources of questions, the chains."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from generators.vllm_config import VllmConfig


class Section(BaseModel):
    """Base of all sections: unknown keys are refused, and numbers that are not finite."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Sampling(Section):
    """How completions are sampled; part of what a request is paid for."""

    temperature: float = Field(1.0, ge=0, description="0 is greedy.")
    max_tokens: int = Field(1024, gt=0, description="Longest completion in tokens.")
    top_p: float | None = Field(None, gt=0, le=1, description="Nucleus sampling.")
    top_k: int | None = Field(None, ge=0, description="Sample among the k likeliest tokens.")
    logprobs: int | None = Field(
        None, ge=0, le=20, description="openai: keep the log-probs of the tokens, and of so many "
        "likeliest ones at each place."
    )  # fmt: skip
    json_schema: dict[str, Any] | None = Field(
        None, description="openai: answers are JSON of this schema."
    )

    def chosen(self) -> dict[str, Any]:
        """The values that are set."""
        return self.model_dump(exclude_none=True)


class TeacherConfig(Section):
    """Who writes the chains."""

    backend: Literal["local", "openai", "vllm", "batch", "recorded"] = Field(
        "local", description="`local`: in this process; `openai`: any compatible endpoint; "
        "`vllm`: a server that distill starts and watches; `batch`: OpenAI's batch API; "
        "`recorded`: chains that exist already."
    )  # fmt: skip
    model: str | None = Field(
        None, description="Folder or hub id (`embedded` is the teacher in the package), or the "
        "name that an endpoint knows."
    )  # fmt: skip
    revision: str | None = Field(
        None, coerce_numbers_to_str=True, description="Revision of the model, part of its identity."
    )
    identity: str | None = Field(
        None, coerce_numbers_to_str=True, description="What tells this endpoint from others."
    )
    sampling: Sampling = Field(default_factory=Sampling, description="Default sampling.")
    batch: int = Field(256, gt=0, description="local: requests decoded together.")
    base_url: str | list[str] | None = Field(
        None, description="openai: the endpoint, up to and with /v1, or several that serve the "
        "same model."
    )  # fmt: skip
    api: Literal["chat", "completions"] = Field("chat", description="openai: which of its calls.")
    api_key_env: str = Field("OPENAI_API_KEY", description="openai: variable that holds the key.")
    api_key_file: str | None = Field(
        None, description="openai: file that holds the key, alone or as NAME=key."
    )
    max_in_flight: int | None = Field(
        None, gt=0, description="openai: requests at a time for each endpoint, to begin with and "
        "at most; absent, as many as it goes along with."
    )  # fmt: skip
    timeout: float | None = Field(
        None, gt=0, description="openai: seconds that an answer may take; 900 where absent. What "
        "takes much longer than the answers so far is asked a second time before."
    )  # fmt: skip
    n: int = Field(1, gt=0, description="openai: samples of a question asked in one request.")
    stream: bool = Field(
        False, description="openai: read answers as they are written; one that breaks off goes on "
        "from there where the server can."
    )  # fmt: skip
    may_change: bool = Field(
        False, description="openai: go on where another model than before answers."
    )
    tensor_parallel: int | None = Field(None, gt=0, description="vllm: short for that in `vllm`.")
    data_parallel: int | None = Field(None, gt=0, description="vllm: short for that in `vllm`.")
    vllm: VllmConfig = Field(default_factory=VllmConfig, description="vllm: how it is started.")
    path: str | None = Field(
        None, description="recorded: a JSONL or Parquet file. With another backend these "
        "chains come first, and the teacher is asked only for what they lack."
    )  # fmt: skip
    prompt: str | None = Field(None, description="recorded: column of the prompt.")
    completions: list[str] | None = Field(
        None, description="recorded: columns of the completions, dotted where nested."
    )

    @model_validator(mode="after")
    def _complete(self) -> TeacherConfig:
        needs = {"openai": "base_url", "recorded": "path"}.get(self.backend, "model")
        if getattr(self, needs) is None:
            raise ValueError(f"backend {self.backend} needs {needs}")
        if self.backend == "openai" and self.model is None:
            raise ValueError("backend openai needs model")
        if self.base_url is not None and self.backend not in ("openai", "batch"):
            raise ValueError(
                f"base_url is an address that backend openai or batch asks, not {self.backend}"
            )
        return self

    def server(self) -> VllmConfig:
        """How the vLLM server is started."""
        short = {"tensor_parallel": self.tensor_parallel, "data_parallel": self.data_parallel}
        given = {name: value for name, value in short.items() if value is not None}
        return self.vllm.model_copy(update=given)


class Rows(Section):
    """What all question sources share."""

    verifier: str = Field(
        "math", description="Who judges the answers, or the column of a file that names it."
    )
    n: int | None = Field(None, gt=0, description="At most so many problems.")
    gold: Literal["given", "computed", "tests", "consensus"] = Field(
        "given", description="Where the ground truth comes from. `consensus`: rows need none, and "
        "the verifier judges all answers to a problem together."
    )  # fmt: skip


class JsonlSource(Rows):
    """Problems in a JSONL or Parquet file."""

    source: Literal["jsonl"] = Field(alias="from")
    path: str = Field(description="The file; relative paths start at the recipe's folder.")
    prompt: str = Field("prompt", description="Column of the prompt, or a template over the row.")
    answer: str = Field("answer", description="Column of the ground truth, dotted where nested.")
    answer_after: str | None = Field(
        None, description="Only what follows the last such mark in the answer is ground truth."
    )
    solution: str | list[str] | None = Field(
        None, description="Columns of written answers: a text or a list of texts in each row. "
        "They are judged and curated beside the teacher's samples, and cost nothing."
    )  # fmt: skip


class DatasetSource(Rows):
    """Problems in a dataset of the Hugging Face hub, or a local folder of one."""

    source: Literal["dataset"] = Field(alias="from")
    path: str = Field(description="Hub id or folder.")
    name: str | None = Field(None, description="Configuration of the dataset.")
    split: str = Field("train", description="Split of the dataset.")
    revision: str | None = Field(None, description="Revision on the hub.")
    prompt: str = Field("prompt", description="Column of the prompt, or a template over the row.")
    answer: str = Field("answer", description="Column of the ground truth.")
    answer_after: str | None = Field(None, description="As in `jsonl`.")
    solution: str | list[str] | None = Field(None, description="As in `jsonl`.")


class ReasoningGymSource(Rows):
    """Problems that reasoning-gym writes, with computed ground truth."""

    source: Literal["reasoning_gym"] = Field(alias="from")
    dataset: str = Field(description="Name of the reasoning-gym data set.")
    n: int = Field(1000, gt=0, description="How many distinct problems.")
    options: dict[str, Any] = Field(default_factory=dict, description="Options of the data set.")
    prompt: str = Field("question", description="Column of the item, or a template over it.")
    gold: Literal["given", "computed", "tests", "consensus"] = "computed"


class EvolveSource(Rows):
    """Questions that the teacher writes: harder ones than those of the sources before it."""

    source: Literal["evolve"] = Field(alias="from")
    n: int = Field(1000, gt=0, description="How many questions the teacher is asked to write.")
    prompt: str = Field(
        "Write a problem that is harder than this one, and nothing else:\n\n{prompt}",
        description="How it is asked; {prompt} is the parent's prompt.",
    )
    sampling: Sampling | None = Field(None, description="Instead of the teacher's sampling.")
    gold: Literal["given", "computed", "tests", "consensus"] = "computed"

    @field_validator("prompt")
    @classmethod
    def _names_the_parent(cls, prompt: str) -> str:
        if "{prompt}" not in prompt:
            raise ValueError("{prompt} is missing, the place of the parent's prompt")
        return prompt


QuestionSource = Annotated[
    JsonlSource | DatasetSource | ReasoningGymSource | EvolveSource, Field(discriminator="source")
]


class Samples(Section):
    """How many completions are drawn for a question; a plain number stands for exactly so many."""

    min: int = Field(2, gt=0, description="So many at least.")
    max: int = Field(16, gt=0, description="So many at most; 128 where `min` is less.")
    stop: Literal["band_known", "vote_decided"] = Field(
        "band_known", description="When fewer than `max` are enough. `band_known`: it is decided "
        "whether the pass rate of `max` samples would lie in `curate.difficulty.keep`, or be "
        "`learnable` where that is absent. `vote_decided`: the answer that most gave will stay so."
    )  # fmt: skip
    confidence: float = Field(
        0.95, gt=0.5, le=1, description="How sure `stop` must be; 1 waits for certainty."
    )

    @model_validator(mode="before")
    @classmethod
    def _number(cls, data: Any) -> Any:
        if isinstance(data, int) and not isinstance(data, bool):
            return {"min": data, "max": data}
        if isinstance(data, dict | Samples):
            return data
        raise ValueError("a whole number, or {min, max, stop}")

    @model_validator(mode="after")
    def _ordered(self) -> Samples:
        if self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        if self.sequential and self.max > 128:
            raise ValueError("max may be 128 at most where min is less")
        return self

    @model_serializer(mode="wrap")
    def _plain(self, handler: SerializerFunctionWrapHandler) -> Any:
        return handler(self) if self.sequential else self.max

    @property
    def sequential(self) -> bool:
        """Whether the number depends on the verdicts."""
        return self.min < self.max


class ChainsConfig(Section):
    """How chains are drawn for each question."""

    samples: Samples = Field(
        default_factory=lambda: Samples(min=4, max=4),
        description="Completions a question: a number, or {min, max, stop} to draw as few as "
        "decide what matters.",
    )
    accepted: int | None = Field(
        None, gt=0, description="Read questions, in their order, only until so many sampled "
        "completions are correct; ends sooner, and says why, where that is out of reach."
    )  # fmt: skip
    teachers: list[TeacherConfig] = Field(
        [], description="Further teachers: the samples of a question go to `teacher` and to these "
        "in turn, each with its own sampling."
    )  # fmt: skip
    extend: int = Field(
        0, ge=0, description="How many times an answer that is cut at `max_tokens` goes on, by "
        "`max_tokens` more; local, vllm, and endpoints that know `continue_final_message`."
    )  # fmt: skip
    system: str | None = Field(None, description="System prompt in front of each question.")
    sampling: Sampling | None = Field(
        None, description="Instead of the teacher's sampling, of all teachers."
    )
