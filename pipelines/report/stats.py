"""Differences between two measurements, with 95 % intervals by the normal approximation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from pipelines.report.load import Tally

Z = 1.959964


@dataclass(frozen=True)
class Difference:
    """`value` lies between `low` and `high` with 95 % confidence; all are shares, 0.01 a point."""

    value: float
    low: float
    high: float
    method: str

    @property
    def verdict(self) -> str:
        """improved, flat or regressed: by the side of zero on which the whole interval lies."""
        if self.low > 0:
            return "improved"
        return "regressed" if self.high < 0 else "flat"


def paired(before: Mapping[str, Tally], after: Mapping[str, Tally]) -> Difference | None:
    """The mean difference over the problems; None unless both measured the same ones."""
    if len(before) < 2 or before.keys() != after.keys():
        return None
    steps = [after[name].rate - before[name].rate for name in before]
    mean, half = fmean(steps), Z * stdev(steps) / math.sqrt(len(steps))
    return Difference(mean, mean - half, mean + half, "paired")


def unpaired(before: Mapping[str, Any], after: Mapping[str, Any]) -> Difference | None:
    """The difference of two values from their own intervals; None where one has no interval."""
    if any(row.get(side) is None for row in (before, after) for side in ("low", "high")):
        return None
    value = after["value"] - before["value"]
    half = math.hypot(*((row["high"] - row["low"]) / 2 for row in (before, after)))
    return Difference(value, value - half, value + half, "unpaired")


def difference(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    raw_before: Mapping[str, Tally],
    raw_after: Mapping[str, Tally],
) -> Difference | None:
    """Paired by problem where both have raw rows of the same problems, else unpaired."""
    return paired(raw_before, raw_after) or unpaired(before, after)
