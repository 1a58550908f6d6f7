"""Verdicts to rewards: pure functions on the samples of one group.

    reward = correctness, 0 or 1
           + efficiency of a right answer within its group
           + partial credit of a wrong one, by its verdict's score
           + format, where the answer stands in an explicit place
           - overlong, towards the limit of tokens

A wrong answer never earns anything for being short: length only matters among right ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from verifiers.records import Completion, Verdict


class Weights(BaseModel):
    """What a reward is made of beside correctness; part of a `grpo` stage in the recipe."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    efficiency: float = Field(
        0.0, ge=0, lt=1, description="What being shorter than the group's right answers adds to a "
        "right one's reward."
    )  # fmt: skip
    efficiency_by: Literal["tokens", "steps"] = Field(
        "tokens", description="Shorter in tokens, or in steps: the equalities that are stated."
    )
    partial: float = Field(
        0.0, ge=0, lt=1, description="What a wrong answer earns, times its verdict's score: the "
        "share of tests that passed."
    )  # fmt: skip
    format: float = Field(
        0.0, ge=0, description="What an answer earns for standing in a box, in a tag, behind ####, "
        "A: or \"the answer is\"."
    )  # fmt: skip
    overlong: int = Field(
        0, ge=0, description="Tokens before max_tokens in which the reward falls by up to 1."
    )

    @model_validator(mode="after")
    def _order(self) -> Weights:
        if self.partial + self.efficiency > 1:
            raise ValueError("efficiency + partial above 1: a wrong answer could earn most")
        return self


def rewards(
    completions: Sequence[Completion], verdicts: Sequence[Verdict], weights: Weights, limit: int
) -> list[float]:
    """The rewards of one group's completions; `limit` is max_tokens, for `overlong`."""
    correct = [verdict.correct for verdict in verdicts]
    tokens = [completion.usage.completion_tokens for completion in completions]
    texts = [completion.text for completion in completions]
    by_steps = weights.efficiency_by == "steps" and weights.efficiency
    lengths = [count_steps(f"{c.reasoning}\n{c.text}") for c in completions] if by_steps else tokens
    return [
        reward
        + partial(verdict, weights.partial)
        + (weights.format * well_formed(text) if weights.format else 0.0)
        + (overlong(length, limit, weights.overlong) if weights.overlong else 0.0)
        for reward, verdict, text, length in zip(
            efficiency(correct, lengths, weights.efficiency), verdicts, texts, tokens, strict=True
        )
    ]


def efficiency(correct: Sequence[bool], lengths: Sequence[float], weight: float) -> list[float]:
    """1 for right, 0 for wrong; right in less than the right ones' mean length earns more.

    A right answer of length l earns 1 + weight * clip((mean - l) / mean, -1, 1), the mean being
    that of the group's right answers, so a lone right answer earns 1. Lengths are in tokens or
    steps.
    """
    right = [length for ok, length in zip(correct, lengths, strict=True) if ok]
    mean = sum(right) / len(right) if right else 0.0
    return [
        1.0 + weight * max(-1.0, min(1.0, (mean - length) / mean)) if ok and mean else float(ok)
        for ok, length in zip(correct, lengths, strict=True)
    ]


def count_steps(text: str) -> int:
    """Equalities that `text` states: 2+3=5; 5*2=10 are two steps."""
    from verifiers.reflection import steps

    return sum(1 for _ in steps(text))


def partial(verdict: Verdict, weight: float) -> float:
    """Credit of an answer that is wrong but not all wrong, weight * score; 0 for all others."""
    return weight * verdict.score if verdict.status == "wrong" else 0.0


def well_formed(text: str) -> bool:
    """Whether the final answer stands in an explicit place, behind the thinking."""
    # what compiles all patterns of prose is imported where it is needed, not for every command
    from verifiers.extract import marked
    from verifiers.visible import visible

    return marked(visible(text)) is not None


def overlong(length: int, limit: int, cushion: int) -> float:
    """0 up to `limit - cushion` tokens, falling to -1 at `limit` (DAPO, arXiv 2503.14476)."""
    if length <= limit - cushion:
        return 0.0
    return max(-1.0, (limit - cushion - length) / cushion)


def advantages(rewards: Sequence[float], scale: bool = True) -> list[float]:
    """Rewards less the group's mean, over its standard deviation where `scale` (arXiv 2402.03300).

    All zero where the group has no variance; without `scale` as in Dr. GRPO (arXiv 2503.20783).
    """
    n = len(rewards)
    mean = sum(rewards) / n if n else 0.0
    centred = [reward - mean for reward in rewards]
    if not scale:
        return centred
    deviation = math.sqrt(sum(c * c for c in centred) / max(1, n - 1))
    return [c / (deviation + 1e-4) if deviation > 1e-6 else 0.0 for c in centred]
