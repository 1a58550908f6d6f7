"""What a whole run would take, judged by a few of its questions."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from generators.budget import Bill, Budget, model_of, no_price
from generators.config import TeacherConfig
from generators.prices import FREE, listed
from pipelines.recipe import Recipe
from students.intervals import Z
from verifiers.records import Completion, Group

ENOUGH = 5
"""Questions below which no interval is told."""


@dataclass
class Trial:
    """Some judged questions of a run.

    `questions` is how many the whole run has, `asked` the requests that were made now, in
    `seconds`, for `paid` in all, with so much `trouble`; `writing` is the bill for the questions
    that a teacher writes. `whole` is what all of it would take.
    """

    groups: list[Group]
    questions: int
    asked: int
    trouble: dict[str, int]
    seconds: float
    paid: Bill
    writing: Bill
    whole: dict[str, Any] = field(default_factory=dict)

    @property
    def samples(self) -> list[list[Completion]]:
        """What the teacher wrote, by question; what answers several is the first one's."""
        seen: set[str] = set()
        found = []
        for group in self.groups:
            own = [done for done, _ in group.samples if done.sampled]
            found.append([done for done in own if done.request_key not in seen])
            seen.update(done.request_key for done in own)
        return found

    @property
    def failed(self) -> int:
        """Requests that brought no answer."""
        return sum(done.finish_reason == "error" for group in self.samples for done in group)

    @property
    def reasons(self) -> str:
        """What went wrong, in brackets, where anything did."""
        told = ", ".join(f"{reason}: {count}" for reason, count in self.trouble.items())
        return f" ({told})" if told else ""

    @property
    def fresh(self) -> bool:
        """Whether all of it was asked now, so that time and bill are those of these questions."""
        return self.asked >= sum(map(len, self.samples)) > 0


def project(recipe: Recipe, trial: Trial, budget: Budget) -> dict[str, Any]:
    """What all questions would take, from the means over those that were asked."""
    n, total = len(trial.groups), trial.questions
    right = sum(v.correct and c.sampled for group in trial.groups for c, v in group.samples)
    reached, wanted = True, recipe.chains.accepted
    if wanted is not None:
        reached = right * total >= wanted * n
        total = math.ceil(wanted * n / right) if reached else total
    usages = [[completion.usage for completion in group] for group in trial.samples]
    costs = [[_cost(budget, done) for done in group] for group in trial.samples]
    whole: dict[str, Any] = {
        "basis": n, "questions": total, "target_in_reach": reached,
        "requests": estimate([len(group) for group in usages], total),
        "prompt_tokens": estimate([sum(u.prompt_tokens for u in g) for g in usages], total),
        "completion_tokens": estimate([sum(u.completion_tokens for u in g) for g in usages], total),
        "usd": None, "price": _price(recipe, trial, costs), "beside": None,
        "seconds_at_this_pace": trial.seconds / n * total if trial.fresh else None,
    }  # fmt: skip
    if all(cost is not None for group in costs for cost in group):
        whole["usd"] = estimate([sum(cost or 0.0 for cost in group) for group in costs], total)
    if trial.fresh:
        chains = Bill(
            sum(u.prompt_tokens for group in usages for u in group),
            sum(u.completion_tokens for group in usages for u in group),
            sum(cost or 0.0 for group in costs for cost in group),
        )
        whole["beside"] = asdict((trial.paid - chains).times(total / n) + trial.writing)
    return whole


def _cost(budget: Budget, done: Completion) -> float | None:
    """US dollars that a completion cost; None where nobody knows."""
    model = model_of(done.teacher.get("identity", ""))
    used = done.usage.prompt_tokens or done.usage.completion_tokens
    return 0.0 if model in budget.free or not used else budget.cost(model, done.usage)


def _price(recipe: Recipe, trial: Trial, costs: list[list[float | None]]) -> str:
    """Where the price of the answers comes from, or which of them has none."""

    def told(teacher: TeacherConfig) -> str:
        if teacher.backend in FREE:
            return "no bill for what runs here or is recorded"
        if str(teacher.model) in recipe.prices:
            return "the recipe's prices"
        if (listing := listed(teacher)) is None:
            return "what the server said"
        price, month = listing
        return (
            f"list price of {teacher.model} in {month}: {price.input:g} in, {price.output:g} out, "
            "US dollars a million tokens; the recipe's `prices` win over it"
        )

    for group, known in zip(trial.samples, costs, strict=True):
        for completion, cost in zip(group, known, strict=True):
            if cost is None:
                return no_price(model_of(completion.teacher.get("identity", "")))
    return "; ".join(dict.fromkeys(map(told, recipe.teachers)))


def estimate(values: list[float], total: int) -> dict[str, float | None]:
    """The sum over `total` of which `values` are some, with its 95 % interval: Student's, with the
    correction for a finite number; no interval where there are fewer than five values."""
    n, mean = len(values), sum(values) / len(values)
    if n < ENOUGH and n < total:
        return {"about": mean * total, "low": None, "high": None}
    left = max(0.0, 1 - n / total)
    variance = sum((value - mean) ** 2 for value in values) / max(1, n - 1)
    half = student(n - 1) * math.sqrt(variance / n * left) * total if left else 0.0
    low = max(float(sum(values)), mean * total - half)
    return {"about": mean * total, "low": low, "high": mean * total + half}


def student(freedom: int) -> float:
    """The 97.5 % point of Student's t with at least 4 degrees of freedom, to three digits
    (Abramowitz and Stegun, 26.7.5)."""
    z = Z
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / freedom**power for power, term in enumerate(terms, 1))
