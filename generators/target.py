"""A number of accepted completions: how many questions to read for it, and when to give up."""

from __future__ import annotations

from math import ceil, inf, log

from verifiers.records import Group

SURE = 0.01
FIRST = 32


class Target:
    """Counts what is accepted, and says how many questions are worth reading next.

    Args:
        wanted: correct completions that are to be drawn; answers written beside questions are not
            counted.
        questions: how many there are.
        most: samples that one question gives at most.

    `why` says why it ended before the target; empty where it did not.
    """

    def __init__(self, wanted: int, questions: int, most: int):
        self.wanted, self.questions, self.most = wanted, questions, most
        self.accepted = self.closed = self.fruitful = self.failed = self.drawn = 0
        self.why = ""

    def add(self, group: Group) -> None:
        """Count a finished question."""
        sampled = [(done, verdict) for done, verdict in group.samples if done.sampled]
        right = sum(verdict.correct for _, verdict in sampled)
        self.drawn += len(sampled)
        self.failed += sum(done.finish_reason == "error" for done, _ in sampled)
        self.accepted += right
        self.closed += 1
        self.fruitful += right > 0

    def next(self) -> int:
        """Questions to read now, all before them being finished; 0 where it is the end.

        The first are as few as could do, a handful at most. Later ones are as many as the
        acceptance so far asks for, and never more than twice those before.
        """
        missing, left = self.wanted - self.accepted, self.questions - self.closed
        if missing <= 0:
            return 0
        if not self.closed:
            return min(left, FIRST, ceil(missing / self.most))
        told = f"{self.accepted:,} of {self.wanted:,} accepted after {self.closed:,} questions"
        if self.failed:
            told += f", {self.failed / self.drawn:.0%} of {self.drawn:,} samples failed"
        if left <= 0:
            self.why = f"{told}: there are no more questions"
            return 0
        hope = upper_bound(self.fruitful, self.closed) * left * self.most
        if hope < missing:
            self.why = f"{told}: the other {left:,} would bring {hope:,.0f} more at the very most"
            return 0
        expected = self.closed / max(self.accepted, 1)
        return min(left, 2 * self.closed, ceil(missing * expected))


def upper_bound(successes: int, trials: int, level: float = SURE) -> float:
    """Chernoff's bound (1952): rates above it bring so few successes less often than `level`. Exact
    where there was none."""
    seen, low, high = successes / trials, successes / trials, 1.0
    for _ in range(50):
        rate = (low + high) / 2
        if trials * _divergence(seen, rate) < log(1 / level):
            low = rate
        else:
            high = rate
    return high


def _divergence(seen: float, rate: float) -> float:
    """Kullback-Leibler divergence of coins, seen <= rate, in nats."""
    if rate >= 1:
        return 0.0 if seen >= 1 else inf
    heads = seen * log(seen / rate) if seen > 0 else 0.0
    tails = (1 - seen) * log((1 - seen) / (1 - rate)) if seen < 1 else 0.0
    return heads + tails
