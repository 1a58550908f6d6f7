"""From judged groups to training sets, with a reason for everything that was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from generators.curation.config import CurateConfig
from generators.curation.filters import draw, steps
from generators.curation.items import Drop, Sieve, collect
from generators.curation.sets import Rows
from verifiers.records import Group, Problem


@dataclass
class Curated:
    """What curation made.

    sets: rows by name of set, in input order
    rejects: one row for everything dropped: problem_id, completion_id (None: the problem itself),
        filter, reason, detail, prompt, text
    funnel: chains left after each step, the first entry being all
    problems: problems left after each step, the first entry being all
    """

    sets: dict[str, list[dict[str, Any]]]
    rejects: list[dict[str, Any]]
    funnel: list[tuple[str, int]]
    problems: list[tuple[str, int]]

    def explain(self) -> list[str]:
        """One sentence a filter: what it took, and why."""
        taken: dict[tuple[str, bool], Counter[str]] = {}
        for row in self.rejects:
            key = row["filter"], row["completion_id"] is None
            taken.setdefault(key, Counter())[row["reason"]] += 1
        return [
            self._sentence(place, taken.get((name, False), {}), taken.get((name, True), {}))
            for place, (name, _) in enumerate(self.funnel)
            if place
        ]

    def _sentence(self, place: int, chains: dict[str, int], problems: dict[str, int]) -> str:
        name = self.funnel[place][0]
        parts = [
            f"{sum(reasons.values())} of {steps[place - 1][1]} {what} ({_listed(reasons)})"
            for what, reasons, steps in (
                ("chains", chains, self.funnel),
                ("problems", problems, self.problems),
            )
            if reasons
        ]
        sentence = f"{name} took {' and '.join(parts) or 'nothing'}"
        copies = problems.get("template", 0) + problems.get("overlap", 0)
        if name == "decontaminate" and 2 * copies > self.problems[place - 1][1]:
            sentence += (
                ": held-out and training problems differ in little but numbers; hold out whole "
                "families, or set decontaminate.overlap to null if other numbers are enough"
            )
        return sentence


def curate(
    groups: Iterable[Group],
    heldout: Sequence[Problem],
    config: CurateConfig,
    seed: int,
    system: str | None = None,
) -> Curated:
    """Filter judged chains and write the training sets that `config` names.

    The same input gives the same output. Nothing left is no error: `Curated.explain` says what
    took it. Wrong chains are dropped as truth and stay at hand as the losing side of preference
    pairs. Raises SourceError where a list to decontaminate against cannot be read.
    """
    items = collect(groups, negatives="dpo" in config.sets)
    sieve = Sieve(items, barren="rl" in config.sets)
    for name, filters in steps(config, heldout, seed):
        sieve.apply(name, *filters)
    rows = Rows(sieve.items, system)
    write = {"cpt": rows.cpt, "sft": rows.sft, "dpo": rows.dpo, "rl": rows.rl}
    sets = {str(name): list(write[name]()) for name in dict.fromkeys(config.sets)}
    if "rl" in sets:
        sets["rl"] = _judgeable(sets["rl"], sieve, config.max_rows, seed)
    return Curated(sets, sieve.rejects, sieve.chains, sieve.problems)


def _judgeable(
    rows: list[dict[str, Any]], sieve: Sieve, most: int | None, seed: int
) -> list[dict[str, Any]]:
    """The rl rows within the limit; the problems that are left out are written down."""
    names = [row["problem_id"] for row in rows]
    chosen = set(names) if most is None else draw(names, most, seed)
    for item in sieve.items:
        if item.unusable:
            sieve.reject("verify", Drop(item, None, item.unusable, "left out of rl"))
        elif item.problem.id not in chosen:
            sieve.reject("max_rows", Drop(item, None, "over_limit", f"more than {most} rl rows"))
    return [row for row in rows if row["problem_id"] in chosen]


def _listed(reasons: dict[str, int]) -> str:
    ordered = sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{reason} {count}" for reason, count in ordered)
