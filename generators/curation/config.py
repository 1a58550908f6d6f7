"""The recipe's `curate` section: which judged chains become training rows."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from generators.bands import Keep
from generators.config import Section

SetName = Literal["cpt", "sft", "dpo", "rl"]
SUFFIXES = (".jsonl", ".parquet")


class DedupConfig(Section):
    """Copies and near-copies among prompts, and among the chains of one problem."""

    threshold: float | None = Field(
        0.6, ge=0.5, le=1, description="Jaccard similarity of word shingles from which two texts "
        "are near-duplicates; null drops exact copies only."
    )  # fmt: skip
    shingle: int = Field(2, ge=1, le=8, description="Words in a shingle.")
    same_answer: bool = Field(
        True, description="Near-duplicate prompts must share their ground truth and verifier: "
        "one changed word can make another question."
    )  # fmt: skip
    family: int = Field(
        30, ge=2, description="Wording that so many prompts share is the frame of a task; a prompt "
        "that is frame by half is only a copy of one with all the same words."
    )  # fmt: skip
    problems: bool = Field(True, description="Look for copies among prompts.")
    chains: bool = Field(True, description="Look for copies among the chains of a problem.")


class Against(Section):
    """A list of problems, beside the held-out ones, that must not be trained on."""

    path: str = Field(description="A JSONL or Parquet file.")
    column: str | None = Field(
        None, description="Column of the prompt, or a template over the row; the first of prompt, "
        "question, problem, text if absent."
    )  # fmt: skip

    @field_validator("path")
    @classmethod
    def _is_file(cls, path: str) -> str:
        if not path.endswith(SUFFIXES):
            raise ValueError(
                f"benchmark {path!r} is not available by name; give the path of a "
                f"{' or '.join(SUFFIXES)} file that holds its problems"
            )
        return path


class DecontaminateConfig(Section):
    """Problems that resemble a held-out one are dropped; held-out problems count always."""

    against: list[Against] = Field(
        [], description="More lists: paths of JSONL or Parquet files, or {path, column}."
    )
    n: int = Field(
        8, ge=4, description="Words of prose from which overlap counts; a shorter prompt only "
        "matches as a whole."
    )  # fmt: skip
    overlap: float | None = Field(
        0.8, ge=0.7, le=1, description="A copy holds this share of the held-out prompt's words in "
        "their order, numbers masked; null compares whole prompts only."
    )  # fmt: skip
    family: int = Field(
        30, ge=2, description="Wording that so many prompts share, held out or not, is the frame "
        "of a task; a prompt that is frame by half is only a copy of one with all the same words."
    )  # fmt: skip

    @field_validator("against", mode="before")
    @classmethod
    def _paths(cls, value: Any) -> Any:
        if isinstance(value, list):
            return [{"path": item} if isinstance(item, str) else item for item in value]
        return value


class DifficultyConfig(Section):
    """Problems by their measured pass rate: correct over decided chains."""

    keep: Keep = Field(
        "learnable", description="Band [low, high] of the pass rate, bounds included, or words: "
        "solved (always right), learnable (sometimes), unsolved (never)."
    )  # fmt: skip

    @field_validator("keep")
    @classmethod
    def _band(cls, value: Any) -> Any:
        if isinstance(value, tuple) and not 0 <= value[0] <= value[1] <= 1:
            raise ValueError("a band is [low, high] with 0 <= low <= high <= 1")
        return value


class CurateConfig(Section):
    """From judged chains to training sets; the filters run in the order of these fields."""

    verify: bool = Field(
        True, description="Keep confirmed chains only; false keeps wrong and undecided chains in "
        "the sft set too, all else equal: the arm that shows what verification buys."
    )  # fmt: skip
    dedup: DedupConfig | None = Field(
        default_factory=DedupConfig, description="Drop copies and near-copies; null or false: off."
    )
    decontaminate: DecontaminateConfig | None = Field(
        default_factory=DecontaminateConfig,
        description="Drop problems that resemble held-out ones; null or false: off.",
    )
    difficulty: DifficultyConfig | None = Field(
        None, description="Keep problems of this measured difficulty; absent: all."
    )
    max_per_problem: int | None = Field(
        None, gt=0, description="At most so many chains a problem, distinct ones first."
    )
    max_rows: int | None = Field(
        None, gt=0, description="At most so many rows in each set, drawn with the seed."
    )
    sets: list[SetName] = Field(
        ["sft"], min_length=1, description="Training sets to write: cpt, sft, dpo, rl."
    )

    @model_validator(mode="before")
    @classmethod
    def _switches(cls, data: Any) -> Any:
        """`filter: false` is null and `filter: true` its defaults."""
        if not isinstance(data, dict):
            return data
        values: dict[bool, dict[str, Any] | None] = {False: None, True: {}}
        switches = ("dedup", "decontaminate", "difficulty")
        return {
            key: values[value] if key in switches and isinstance(value, bool) else value
            for key, value in data.items()
        }
