"""`consensus`: what most texts of a group answer is right (self-consistency, arXiv 2203.11171)."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from verifiers.base import Parts, gold_problem, judge
from verifiers.golds import plain
from verifiers.records import Problem, Verdict, canonical_json

SECONDS = 1.0


class Consensus:
    """Correct where the text answers what most texts of its group answer.

    of: the verifier that finds the answers and says which are equal.
    share: the share of the answers given that the winner must exceed; 0.5 is more than half.
    votes: how many texts must have given the winner at least.

    A group votes, and the ground truth is not looked at there. A text that stands alone is held
    against the problem's ground truth, which a vote may have given it (`gold: consensus`).
    """

    version = "2"
    trust = "pure"
    composite = True
    examples = (
        ({"prompt": "2 + 2?", "answer": "4", "gold": "consensus"}, "It is 4.", "correct"),
        ({"prompt": "2 + 2?", "answer": "4", "gold": "consensus"}, "It is 5.", "wrong"),
        ({"prompt": "2 + 2?", "gold": "consensus"}, "It is 4.", "undecided"),
    )

    def __init__(
        self,
        parts: Parts,
        of: str = "math",
        share: float = 0.5,
        votes: int = 2,
    ):
        if not 0 <= share < 1:
            raise ValueError(f"share must be from 0 to below 1, not {share}")
        if votes < 1:
            raise ValueError(f"votes must be at least 1, not {votes}")
        self.of, self.share, self.votes = of, share, votes
        self.judge = parts.load(of)
        if not callable(getattr(self.judge, "vote", None)):
            raise ValueError(f"{of!r} has no method `vote`, so its answers cannot be counted")
        self.trust = getattr(self.judge, "trust", "pure")
        self.gold_type = getattr(self.judge, "gold_type", "json")
        self.version = f"2 ({parts.stated({of: self.judge})})"

    def check_gold(self, problem: Problem) -> str | None:
        """A ground truth may be absent; where it is there, it must be one for the judge."""
        return gold_problem(self.judge, problem) if plain(problem.answer) else None

    def verify(self, problem: Problem, text: str) -> Verdict:
        """Hold a single text against the ground truth."""
        if plain(problem.answer):
            return judge(self.of, self.judge, problem, text)
        return Verdict(
            status="undecided", reason="bad_gold", detail="one text alone is no majority",
            method="vote", why="there is neither a ground truth nor a group.",
        )  # fmt: skip

    def verify_group(self, problem: Problem, texts: Sequence[str]) -> list[Verdict]:
        """Verdicts on all texts, in their order: those that answer as most do are correct."""
        if len(texts) == 1 and self.votes > 1:
            return [self.verify(problem, texts[0])]
        return _Count(self, problem, texts).verdicts()


class _Count:
    """One vote: the ballots, which of them are equal, and who wins."""

    def __init__(self, rules: Consensus, problem: Problem, texts: Sequence[str]):
        self.rules, self.problem, self.texts = rules, problem, texts
        self.deadline = time.process_time() + SECONDS
        self.ballots: list[str | None] = []
        self.golds: dict[str, Any] = {}
        self.voters: dict[str, list[int]] = defaultdict(list)
        self.faults: dict[int, str] = {}

    def verdicts(self) -> list[Verdict]:
        """The verdicts, in the order of the texts."""
        for number, text in enumerate(self.texts):
            self._collect(number, text)
        try:
            alike = self._alike()
        except TimeoutError as error:
            return [self._undecided("timeout", str(error)) for _ in self.texts]
        total = sum(len(voters) for voters in self.voters.values())
        support = {
            name: sum(len(self.voters[other]) for other in equals) for name, equals in alike.items()
        }
        most = max(support.values(), default=0)
        leaders = [name for name, votes in support.items() if votes == most]
        winner = alike[leaders[0]] if leaders else set()
        tied = any(leader not in winner for leader in leaders)
        enough = most >= self.rules.votes and most > self.rules.share * total
        told = f"{most} of {total} answers" if leaders else "no answer"
        if tied or not enough:
            return [self._undecided("bad_gold", f"no majority: {told}") for _ in self.texts]
        return [self._verdict(number, winner, told) for number in range(len(self.texts))]

    def _collect(self, number: int, text: str) -> None:
        try:
            gold = self.rules.judge.vote(self.problem, text)  # type: ignore[attr-defined]
        except Exception as error:
            self.faults[number] = f"{type(error).__name__}: {error}"[:300]
            gold = None
        name = None if gold is None else canonical_json(gold)
        if name is not None and gold_problem(self.rules.judge, self._asks(gold)):
            self.faults[number] = "the answer cannot be compared with others"
            name = None
        self.ballots.append(name)
        if name is not None:
            self.golds[name] = gold
            self.voters[name].append(number)

    def _asks(self, gold: Any) -> Problem:
        return self.problem.model_copy(update={"answer": gold})

    def _alike(self) -> dict[str, set[str]]:
        """For each answer all that are equal to it, taken as ground truth both ways."""
        names = list(self.voters)
        alike = {name: {name} for name in names}
        for place, one in enumerate(names):
            for other in names[:place]:
                if time.process_time() > self.deadline:
                    raise TimeoutError(f"{len(names)} different answers took too long to compare")
                if self._equal(one, other) and self._equal(other, one):
                    alike[one].add(other)
                    alike[other].add(one)
        return alike

    def _equal(self, gold: str, name: str) -> bool:
        text = self.texts[self.voters[name][0]]
        problem = self._asks(self.golds[gold])
        return judge(self.rules.of, self.rules.judge, problem, text).correct

    def _verdict(self, number: int, winner: set[str], told: str) -> Verdict:
        name = self.ballots[number]
        if name is None and number in self.faults:
            return self._undecided("timeout", self.faults[number])
        right = name in winner
        shown = None if name is None else plain(self.golds[name])
        return Verdict(
            status="correct" if right else "wrong",
            reason="" if right else "no_answer" if name is None else "different",
            extracted=shown,
            method=f"vote/{self.rules.of}",
            why=f"the majority, {told}, {'agrees with' if right else 'differs from'} this text",
        )

    def _undecided(self, reason: str, detail: str) -> Verdict:
        return Verdict(
            status="undecided", reason=reason, detail=detail, method=f"vote/{self.rules.of}",
            why=f"the vote says nothing: {detail}",
        )  # fmt: skip
