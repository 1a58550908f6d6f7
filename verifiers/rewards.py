"""Verdicts to rewards: pure functions on the samples of one group.

A wrong answer never earns anything for being short, and length only matters among right ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


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
