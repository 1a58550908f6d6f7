"""Difficulty bands: the words for a measured pass rate, and whether a recipe keeps it."""

from __future__ import annotations

from typing import Literal

Level = Literal["solved", "learnable", "unsolved"]
Keep = tuple[float, float] | Level | list[Level]


def level(rate: float) -> Level:
    """The word for a pass rate."""
    return "unsolved" if rate == 0 else "solved" if rate == 1 else "learnable"


def inside(rate: float, keep: Keep) -> bool:
    """Whether a pass rate lies in the band `keep`: bounds, both included, or words."""
    if isinstance(keep, tuple):
        return keep[0] <= rate <= keep[1]
    return level(rate) in ([keep] if isinstance(keep, str) else keep)
