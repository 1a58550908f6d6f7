"""Differences between two measurements, with 95 % intervals by the normal approximation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.report.load import Tally
from students import intervals
from students.intervals import Interval


@dataclass(frozen=True)
class Difference(Interval):
    """`value` lies between `low` and `high` with 95 % confidence; all are shares, 0.01 a point."""

    method: str

    @property
    def verdict(self) -> str:
        """improved, flat or regressed: by the side of zero on which the whole interval lies."""
        return intervals.verdict(self)


def paired(before: Mapping[str, Tally], after: Mapping[str, Tally]) -> Difference | None:
    """The mean difference over the problems; None unless both measured the same ones."""
    if len(before) < 2 or before.keys() != after.keys():
        return None
    ours, theirs = ({name: t.rate for name, t in side.items()} for side in (after, before))
    found = intervals.paired(ours, theirs)
    return Difference(found.value, found.low, found.high, "paired")


def unpaired(before: Mapping[str, Any], after: Mapping[str, Any]) -> Difference | None:
    """The difference of two values from their own intervals; None where one has no interval."""
    if any(row.get(side) is None for row in (before, after) for side in ("low", "high")):
        return None
    half = math.hypot(*((row["high"] - row["low"]) / 2 for row in (before, after)))
    found = intervals.around(after["value"] - before["value"], half)
    return Difference(found.value, found.low, found.high, "unpaired")


def difference(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    raw_before: Mapping[str, Tally],
    raw_after: Mapping[str, Tally],
) -> Difference | None:
    """Paired by problem where both have raw rows of the same problems, else unpaired."""
    return paired(raw_before, raw_after) or unpaired(before, after)
