"""95 % intervals for rates over problems with several samples each, and for paired differences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Z = 1.959964


@dataclass(frozen=True)
class Interval:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float


def rate(means: Sequence[float], samples: int) -> Interval:
    """The mean of per-problem success rates, each from `samples` answers.

    Wilson's score interval on an effective number of answers: what the answers would number if
    they were independent, from the variance between problems (Kish's design effect). At 0 or 1,
    where no variance is seen, a problem counts as one answer.
    """
    n = len(means)
    if not n:
        return Interval(math.nan, math.nan, math.nan)
    p = sum(means) / n
    spread = sum((m - p) ** 2 for m in means) / max(1, n - 1)
    binomial = p * (1 - p)
    effective = n * min(samples, binomial / spread) if spread > 0 else float(n)
    centre = p + Z * Z / (2 * effective)
    half = Z * math.sqrt(binomial / effective + Z * Z / (4 * effective**2))
    scale = 1 + Z * Z / effective
    return Interval(p, max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale))


def paired(ours: Mapping[str, float], theirs: Mapping[str, float]) -> Interval:
    """The mean difference ours - theirs over the problems that both answered.

    A normal interval on the per-problem differences, so that what is hard for both cancels.
    """
    diffs = [ours[key] - theirs[key] for key in ours if key in theirs]
    n = len(diffs)
    if not n:
        return Interval(math.nan, math.nan, math.nan)
    mean = sum(diffs) / n
    variance = sum((d - mean) ** 2 for d in diffs) / max(1, n - 1)
    return around(mean, Z * math.sqrt(variance / n))


def around(difference: float, half: float) -> Interval:
    """A difference of two rates with its interval, which no difference of rates can leave."""
    return Interval(difference, max(-1.0, difference - half), min(1.0, difference + half))


def verdict(difference: Interval) -> str:
    """`improved`, `flat` or `regressed`, by whether the interval lies off zero."""
    if difference.low > 0:
        return "improved"
    return "regressed" if difference.high < 0 else "flat"
