"""What the filters work on: problems with their chains, and what each filter took of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from generators.curation.text import said
from verifiers.records import Completion, Group, Problem, Verdict

UNUSABLE = ("bad_gold", "bad_row")


@dataclass(slots=True)
class Chain:
    """One completion as it would be trained on; `cut` where it ran out of tokens."""

    id: str
    text: str
    status: str
    reason: str
    detail: str
    cut: bool = False
    kept: bool = True


@dataclass(slots=True)
class Item:
    """A problem, the chains that the filters have left of it, and how often it was solved.

    Args:
        correct: confirmed samples; answers that were written beside the question do not count.
        decided: confirmed and refuted samples.
    """

    problem: Problem
    chains: list[Chain] = field(default_factory=list)
    negatives: list[Chain] = field(default_factory=list)
    correct: int = 0
    decided: int = 0
    complaint: str = ""
    kept: bool = True

    @property
    def rate(self) -> float | None:
        """The measured pass rate; the problem's own where nothing was decided."""
        return self.correct / self.decided if self.decided else self.problem.difficulty

    @property
    def unusable(self) -> str:
        """Why nobody can judge answers to this problem; empty where someone could."""
        return "" if self.decided else self.complaint


class Drop(NamedTuple):
    """A filter's wish: drop this chain, or the whole problem where there is no chain."""

    item: Item
    chain: Chain | None
    reason: str
    detail: str = ""


Filter = Callable[[list[Item]], Iterator[Drop]]


def completion_text(completion: Completion) -> str:
    """What the student is to write: the reasoning in think tags, where there is any, then the text.

    Empty where the completion holds nothing at all.
    """
    if completion.reasoning:
        return f"<think>\n{completion.reasoning}\n</think>\n{completion.text}"
    return completion.text


def collect(groups: Iterable[Group], negatives: bool) -> list[Item]:
    """One item a problem, in order of first sight; groups of one problem are joined.

    `negatives` keeps the wrong chains at hand for preference pairs.
    """
    items: dict[str, Item] = {}
    seen: set[str] = set()
    for group in groups:
        item = items.setdefault(group.problem.id, Item(group.problem))
        for completion, verdict in group.samples:
            if completion.id not in seen:
                seen.add(completion.id)
                _add(item, completion, verdict, negatives)
    return list(items.values())


def _add(item: Item, completion: Completion, verdict: Verdict, negatives: bool) -> None:
    text = completion_text(completion)
    cut = completion.finish_reason == "length"
    chain = Chain(completion.id, text, verdict.status, verdict.reason, verdict.detail, cut)
    item.chains.append(chain)
    if completion.sampled:
        item.decided += verdict.status != "undecided"
        item.correct += verdict.correct
    if verdict.status == "undecided" and verdict.reason in UNUSABLE:
        item.complaint = verdict.reason
    if negatives and verdict.status == "wrong" and text:
        item.negatives.append(chain)


class Sieve:
    """Applies filters one after the other and keeps the books."""

    def __init__(self, items: list[Item], barren: bool):
        """`barren` keeps problems without a chain, for reinforcement learning."""
        self.items = items
        self.rejects: list[dict[str, Any]] = []
        self.chains = [("chains", sum(len(item.chains) for item in items))]
        self.problems = [("problems", len(items))]
        self._barren = barren

    def apply(self, name: str, *filters: Filter) -> None:
        """Run the filters of one step and count what they left."""
        for run in filters:
            for drop in list(run(self.items)):
                self._drop(name, drop)
            self._settle(name)
        self.chains.append((name, sum(len(item.chains) for item in self.items)))
        self.problems.append((name, len(self.items)))

    def reject(self, name: str, drop: Drop) -> None:
        """Write down what was dropped, and why."""
        item, chain, reason, detail = drop
        self.rejects.append(
            {
                "problem_id": item.problem.id,
                "completion_id": chain.id if chain else None,
                "filter": name,
                "reason": reason,
                "detail": detail,
                "prompt": said(item.problem.prompt),
                "text": chain.text if chain else "",
            }
        )

    def _drop(self, name: str, drop: Drop) -> None:
        if drop.chain is not None:
            drop.chain.kept = False
        else:
            drop.item.kept = False
            for chain in drop.item.chains:
                if chain.kept:
                    self._drop(name, drop._replace(chain=chain))
        self.reject(name, drop)

    def _settle(self, name: str) -> None:
        for item in self.items:
            item.chains = [chain for chain in item.chains if chain.kept]
            if item.kept and not item.chains and not (self._barren and not item.unusable):
                self._drop(name, Drop(item, None, item.unusable or "no_chain_left"))
        self.items = [item for item in self.items if item.kept]
