"""The recipe's words for what is measured on: the held-out split and further problem sets."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from generators.config import (
    DatasetSource,
    JsonlSource,
    QuestionSource,
    ReasoningGymSource,
    Section,
)
from generators.vllm_config import VllmConfig
from students.config import EvaluateConfig, Heldout
from verifiers.records import content_id

HELDOUT = "heldout"
OVERRIDES = ("samples", "greedy", "max_tokens")


def table_of(on: str) -> str:
    """The configuration of the data that holds the problems of a set."""
    return HELDOUT if on == HELDOUT else f"evaluate_{on}"


class ProblemSet(Section):
    """Problems that students are measured on and never trained on."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_]*$", description="Name of the set, `on` in evaluation.json."
    )
    samples: int | None = Field(None, ge=0, description="Instead of evaluate.samples.")
    greedy: bool | None = Field(None, description="Instead of evaluate.greedy.")
    max_tokens: int | None = Field(None, gt=0, description="Instead of evaluate.max_tokens.")

    @property
    def config(self) -> str:
        """The configuration of the data that holds its problems."""
        return table_of(self.name)

    def seed(self, seed: int) -> int:
        """The seed of its generator: other problems than the questions of the same seed are."""
        return seed + 1 + int(content_id([self.name])[:8], 16) % 3000

    def asking(self) -> dict[str, Any]:
        """What its problems depend on."""
        return self.model_dump(mode="json", exclude=set(OVERRIDES))

    def source_config(self) -> QuestionSource:
        """It as a source of questions."""
        return self  # type: ignore[return-value]


class JsonlSet(ProblemSet, JsonlSource):
    """A problem set in a JSONL or Parquet file."""


class DatasetSet(ProblemSet, DatasetSource):
    """A problem set in a dataset of the Hugging Face hub, or a local folder of one."""

    configuration: str | None = Field(None, description="Configuration of the dataset.")

    def source_config(self) -> QuestionSource:
        """It as a source of questions, whose `name` is the configuration."""
        values = {name: getattr(self, name) for name in DatasetSource.model_fields}
        return DatasetSource.model_construct(**values | {"name": self.configuration})


class ReasoningGymSet(ProblemSet, ReasoningGymSource):
    """A problem set that reasoning-gym writes."""


AnySet = JsonlSet | DatasetSet | ReasoningGymSet


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("from"))
    return HELDOUT if isinstance(value, str) else str(getattr(value, "source", None))


On = Annotated[
    Annotated[Literal["heldout"], Tag(HELDOUT)]
    | Annotated[JsonlSet, Tag("jsonl")]
    | Annotated[DatasetSet, Tag("dataset")]
    | Annotated[ReasoningGymSet, Tag("reasoning_gym")],
    Discriminator(_kind),
]


class Evaluate(EvaluateConfig):
    """How students and teacher are measured, and on what."""

    heldout: Heldout = Field(default_factory=Heldout, description="The held-out split.")
    on: list[On] = Field(
        ["heldout"], min_length=1, description="`heldout`, and further problem sets; without "
        "`heldout` nothing is held out."
    )  # fmt: skip
    teacher: bool | None = Field(
        None, description="Measure the teacher too; where absent, if asking it is free."
    )

    vllm: VllmConfig = Field(
        default_factory=VllmConfig, description="With `backend: vllm`, how it is started; `python` "
        "and `env` are those of teacher.vllm where absent."
    )  # fmt: skip

    @model_validator(mode="after")
    def _each(self) -> Evaluate:
        names = [HELDOUT if isinstance(on, str) else on.name for on in self.on]
        twice = {name for name in names if names.count(name) > 1}
        if any(problems.name == HELDOUT for problems in self.sets):
            raise ValueError("on: 'heldout' is the held-out split; give the set another name")
        if twice:
            raise ValueError(f"on: {min(twice)!r} stands twice; every set needs a name of its own")
        for name in names:
            settings = self.settings(name)
            if not settings.samples and not settings.greedy:
                raise ValueError(f"nothing is asked on {name!r}: samples is 0 and greedy is off")
        return self

    @property
    def sets(self) -> list[AnySet]:
        """The problem sets beside the held-out split."""
        return [on for on in self.on if not isinstance(on, str)]

    @property
    def holds_out(self) -> bool:
        """Whether problems are split off before anything is asked."""
        return HELDOUT in self.on

    @property
    def names(self) -> list[str]:
        """Names of all that is measured on, the held-out split first."""
        return ([HELDOUT] if self.holds_out else []) + [problems.name for problems in self.sets]

    def settings(self, on: str) -> EvaluateConfig:
        """How answers are drawn on one set."""
        values = {name: getattr(self, name) for name in EvaluateConfig.model_fields}
        for problems in self.sets:
            if problems.name == on:
                own = {name: getattr(problems, name) for name in OVERRIDES}
                values |= {name: value for name, value in own.items() if value is not None}
        return EvaluateConfig.model_construct(**values)
