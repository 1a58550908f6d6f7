"""When enough samples of a question are drawn: what the draws left could still change.

Both rules look ahead to the verdict that all `most` samples would give, and stop once it is certain
or predicted at the confidence wanted: predictive probability, as in sequential clinical trials (Lee
and Liu, Clinical Trials 5, 2008), after the stochastic curtailment of Lan, Simon and Halperin
(1982). The votes' posterior is that of Adaptive-Consistency (arXiv 2305.11860).

What further samples bring is beta-binomial. The prior of pass rates is Jeffreys' Beta(1/2, 1/2),
which expects questions that are nearly always or nearly never solved; that of votes is uniform.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from math import exp, lgamma

from generators.bands import Keep, inside
from generators.config import Samples
from verifiers.records import Verdict

PRIOR = 0.5
SLACK = 1e-9


class Rule:
    """Says how many more samples a question needs; the verdicts so far are all that it looks at.

    Args:
        samples: the recipe's `chains.samples`.
        keep: the difficulty band that `stop: band_known` decides about.
    """

    def __init__(self, samples: Samples, keep: Keep):
        self.samples, self.keep = samples, keep
        self.chance = band_chance(samples.max, keep)
        self.fewest = lru_cache(1 << 16)(self._fewest)

    def more(self, verdicts: Sequence[Verdict], together: bool = False) -> int:
        """Samples to draw before the next look, 0 where it is decided.

        As many as are needed at least for a decision are asked for at once. Verdicts that
        a verifier gives `together` change with each further answer: no band is predicted of them.
        """
        drawn, most = len(verdicts), self.samples.max
        if drawn < self.samples.min:
            return self.samples.min - drawn
        if drawn >= most:
            return 0
        if self.samples.stop == "vote_decided":
            return self.fewest(*leaders(verdicts), drawn, self._vote_decided)
        if together:
            return most - drawn
        statuses = Counter(verdict.status for verdict in verdicts)
        return self.fewest(statuses["correct"], statuses["wrong"], drawn, self._band_known)

    def _fewest(
        self, one: int, other: int, drawn: int, decided: Callable[[int, int, int], bool]
    ) -> int:
        """The fewest further draws after which the counts may be decided; 0 where they are."""
        left = self.samples.max - drawn
        for step in range(left):
            splits = ((one + a, other + step - a) for a in range(step + 1))
            if any(decided(*split, drawn + step) for split in splits):
                return step
        return left

    def _band_known(self, right: int, wrong: int, drawn: int) -> bool:
        """Decided, and the rate of the samples so far says the same."""
        if right + wrong == 0:
            return False
        chance = self.chance(right, wrong, drawn - right - wrong)
        now = inside(right / (right + wrong), self.keep)
        return (chance if now else 1 - chance) >= self.samples.confidence - SLACK

    def _vote_decided(self, first: int, second: int, drawn: int) -> bool:
        chance = vote_chance(first, second, self.samples.max - drawn)
        return chance >= self.samples.confidence - SLACK


def band_chance(most: int, keep: Keep) -> Callable[[int, int, int], float]:
    """How likely the pass rate of `most` samples lies in `keep`, after so many correct, wrong and
    undecided ones. Without a decided sample there is no rate. Each further sample is predicted from
    those before it, whether it is decided as well as whether it is correct."""

    @lru_cache(None)
    def chance(right: int, wrong: int, undecided: int) -> float:
        total = right + wrong
        if total + undecided == most:
            return float(total > 0 and inside(right / total, keep))
        decided = (total + PRIOR) / (total + undecided + 2 * PRIOR)
        correct = (right + PRIOR) / (total + 2 * PRIOR)
        then = correct * chance(right + 1, wrong, undecided)
        then += (1 - correct) * chance(right, wrong + 1, undecided)
        return decided * then + (1 - decided) * chance(right, wrong, undecided + 1)

    return chance


def vote_chance(first: int, second: int, left: int) -> float:
    """How likely the answer with `first` votes still leads the one with `second` after `left` more
    votes, were all of them for one of these two."""
    return sum(
        beta_binomial(more, left, first + 1, second + 1)
        for more in range(left + 1)
        if first + more > second + left - more
    )


def leaders(verdicts: Sequence[Verdict]) -> tuple[int, int]:
    """Votes of the two answers that most gave: all that are correct are one answer, others are
    told apart by what was extracted. What gave no answer has no vote."""
    votes = Counter(
        "" if verdict.correct else "=" + str(verdict.extracted)
        for verdict in verdicts
        if verdict.correct or verdict.extracted
    )
    counts = [count for _, count in votes.most_common(2)]
    first, second = (*counts, 0, 0)[:2]
    return first, second


def beta_binomial(k: int, n: int, a: float, b: float) -> float:
    """Chance of k in n where the rate has a Beta(a, b) distribution."""
    return exp(
        lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
        + lgamma(k + a) + lgamma(n - k + b) - lgamma(n + a + b)
        + lgamma(a + b) - lgamma(a) - lgamma(b)
    )  # fmt: skip
