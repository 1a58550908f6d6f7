"""Rollouts as a source of batches: GRPO is the same loop with another source in front.

A round draws a group of answers to each of a number of problems from the policy as it stands,
judges them, and gives the answers as packed documents with advantages and the log-probs that they
were drawn with; tokens are never tokenised again, whoever drew them. Groups that are all right, or
all wrong to the same degree, teach nothing and are replaced by further ones; where a round finds no
other, the source is exhausted and says so in `ended`: pass@k is not above pass@1, there is nothing
to learn.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from students import ranks
from students.batches.encode import encode_prompts
from students.batches.pack import Document, Packed, pack, together
from students.config import GRPO
from students.errors import DataError
from students.memory import release
from verifiers.pool import VerdictPool
from verifiers.records import Completion, Problem, Verdict
from verifiers.reflection import reflect
from verifiers.rewards import advantages, partial, rewards
from verifiers.sampler import Request, Sampler

MOST_UNDECIDED = 0.2
Drawing = Callable[[], AbstractContextManager[None]]
Change = Callable[[Packed], Packed]


@dataclass(frozen=True)
class Ended:
    """The round in which no group was worth training on, after so many that were.

    `groups` were drawn with `group_size` answers each: `solved` ones are always right, `unsolved`
    ones never, of `unjudged` ones no answer counts.
    """

    rounds: int
    groups: int
    group_size: int
    solved: int
    unsolved: int
    unjudged: int

    def __str__(self) -> str:
        also = f" and {self.unjudged} have no answer that counts" if self.unjudged else ""
        return (
            f"pass@{self.group_size} is not above pass@1: of {self.groups} groups drawn, "
            f"{self.solved} are solved by every answer, {self.unsolved} by none{also}"
        )


@dataclass(frozen=True)
class Rollouts:
    """The answers to one problem that count, with rewards and advantages.

    `varied`: some are right and some wrong, or wrong ones earn different credit.
    """

    problem: Problem
    samples: list[Completion]
    correct: list[bool]
    rewards: list[float]
    advantages: list[float]
    varied: bool


class RolloutSource:
    """Packed rollouts of the policy that `sampler` draws from, judged by `pool`.

    Each round gives `passes * minibatches` optimizer steps. With the local decoder the same state,
    weights and seed give the same batches.

    Args:
        sampler: gives token ids, and the log-probs that they were drawn with.
        drawing: entered while a round is drawn; in it `sampler` is the policy as it stands.
        changes: what is made of each batch when its round is drawn, such as reference log-probs.
    """

    def __init__(
        self,
        sampler: Sampler,
        drawing: Drawing,
        tokenizer: Any,
        pool: VerdictPool,
        problems: Sequence[Problem],
        config: GRPO,
        seed: int,
        system: str | None = None,
        changes: Sequence[Change] = (),
    ):
        self.sampler, self.drawing, self.changes = sampler, drawing, changes
        self.tokenizer, self.pool, self.problems = tokenizer, pool, list(problems)
        self.config, self.seed, self.system = config, seed, system
        self.runner = asyncio.Runner()
        self.round = 0
        self.cursor = 0
        self._known = (-1, np.empty(0, dtype=int))
        self.queue: deque[Packed] = deque()
        self.ended: Ended | None = None

    def close(self) -> None:
        """End the verifier workers."""
        self.runner.run(self.pool.__aexit__())
        self.runner.close()

    def __iter__(self) -> Iterator[Packed]:
        while True:
            if not self.queue:
                groups, figures = self._collect()
                if not groups:
                    return
                self.queue.extend(self._batches(groups, figures))
                self.round += 1
            yield self.queue.popleft()

    def _collect(self) -> tuple[list[Rollouts], dict[str, float]]:
        """Enough groups with variance, or as many as `refill` times the problems give."""
        config = self.config
        release()
        drawn: list[Rollouts] = []
        varied: list[Rollouts] = []
        asked = undecided = 0
        with self.drawing():
            while len(varied) < config.prompts and asked < config.refill * config.prompts:
                want = config.prompts - len(varied)
                groups, lost = self._draw(self._next(want))
                asked += want
                drawn += groups
                undecided += lost
                varied += [group for group in groups if group.varied]
        release()
        share = undecided / (asked * config.group_size)
        if share > MOST_UNDECIDED:
            raise DataError(f"{share:.0%} of the rollouts could not be judged")
        if not varied:
            solved = sum(all(group.correct) for group in drawn)
            self.ended = Ended(
                self.round, asked, config.group_size, solved, len(drawn) - solved,
                asked - len(drawn),
            )  # fmt: skip
        figures = {"zero_variance": 1 - len(varied) / asked, "undecided": share}
        return varied, _figures(drawn) | figures

    def _next(self, count: int) -> list[tuple[Problem, int]]:
        """The next problems, each with how often it was drawn before."""
        chosen = []
        for _ in range(count):
            epoch, place = divmod(self.cursor, len(self.problems))
            chosen.append((self.problems[self._order(epoch)[place]], epoch))
            self.cursor += 1
        return chosen

    def _order(self, epoch: int) -> np.ndarray:
        if self._known[0] != epoch:
            generator = np.random.default_rng([self.seed, epoch])
            self._known = (epoch, generator.permutation(len(self.problems)))
        return self._known[1]

    def _draw(self, turns: Sequence[tuple[Problem, int]]) -> tuple[list[Rollouts], int]:
        """Judged groups of the policy's answers, and how many answers nobody can judge.

        Each process answers its share of the problems; the main one judges all of them.
        """
        n, size = ranks.count(), self.config.group_size
        shared = ranks.gather(self.runner.run(self._answers(turns[ranks.own() :: n])))
        drawn = [shared[g % n][g // n * size : (g // n + 1) * size] for g in range(len(turns))]
        judged = ranks.from_main(lambda: self.runner.run(self._judged(turns, drawn)))
        groups, lost = [], 0
        for (problem, _), samples, verdicts in zip(turns, drawn, judged, strict=True):
            pairs = list(zip(samples, verdicts, strict=True))
            counted = [pair for pair in pairs if self._counts(pair[1])]
            lost += sum(v.status == "undecided" and v.reason != "truncated" for _, v in pairs)
            if counted:
                groups.append(self._group(problem, counted))
        return groups, lost

    async def _answers(self, turns: Sequence[tuple[Problem, int]]) -> list[Completion]:
        config = self.config
        requests = [
            Request(
                problem_id=problem.id,
                messages=problem.messages(self.system),
                sampling={"temperature": 1.0, "max_tokens": config.max_tokens},
                seed=self.seed * 1_000_003 + self.round,
                index=turn * config.group_size + index,
            )
            for problem, turn in turns
            for index in range(config.group_size)
        ]
        written = {(c.problem_id, c.index): c async for c in self.sampler.sample(requests)}
        return [written[request.problem_id, request.index] for request in requests]

    async def _judged(
        self, turns: Sequence[tuple[Problem, int]], drawn: list[list[Completion]]
    ) -> list[list[Verdict]]:
        return await asyncio.gather(
            *(self.pool.judge_group(p, group) for (p, _), group in zip(turns, drawn, strict=True))
        )

    def _counts(self, verdict: Verdict) -> bool:
        """Truncated counts as wrong unless the recipe masks it; undecided does not count."""
        if verdict.status != "undecided":
            return True
        return verdict.reason == "truncated" and self.config.truncated == "wrong"

    def _group(self, problem: Problem, pairs: Sequence[tuple[Completion, Verdict]]) -> Rollouts:
        config = self.config
        samples, verdicts = [c for c, _ in pairs], [v for _, v in pairs]
        earned = rewards(samples, verdicts, config, config.max_tokens)
        return Rollouts(
            problem, samples, [v.correct for v in verdicts], earned,
            advantages(earned, config.scale_advantages),
            varied=len({(v.correct, partial(v, config.partial)) for v in verdicts}) > 1,
        )  # fmt: skip

    def _batches(self, groups: list[Rollouts], figures: dict[str, float]) -> Iterator[Packed]:
        """The optimizer steps of one round."""
        prompts = encode_prompts(
            self.tokenizer, [group.problem.messages(self.system) for group in groups]
        )
        documents = [
            _document(prompt, completion, advantage)
            for group, prompt in zip(groups, prompts, strict=True)
            for completion, advantage in zip(group.samples, group.advantages, strict=True)
        ]
        owners = [n for n, group in enumerate(groups) for _ in group.samples]
        for number in range(self.config.passes):
            order = np.random.default_rng([self.seed, self.round, number]).permutation(
                len(documents)
            )
            for part in np.array_split(order, self.config.minibatches):
                units = together(
                    [documents[i] for i in part], [owners[i] for i in part],
                    self.config.tokens_per_micro_batch,
                )  # fmt: skip
                batch = replace(pack(units), metrics=figures)
                for change in self.changes:
                    batch = change(batch)
                yield batch

    def state_dict(self) -> dict[str, Any]:
        """Where it stands, with the batches of this round that are still to be given."""
        queue = [
            {
                "ids": b.ids, "mask": b.mask, "lengths": b.lengths, "extras": b.extras,
                "follows": b.follows, "units": b.units, "metrics": b.metrics,
            }
            for b in self.queue
        ]  # fmt: skip
        return {"round": self.round, "cursor": self.cursor, "queue": queue}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where `state` was taken."""
        self.round, self.cursor = state["round"], state["cursor"]
        self.queue = deque(Packed(**batch) for batch in state["queue"])


def _document(prompt: list[int], completion: Completion, advantage: float) -> Document:
    tokens, scores = completion.token_ids, completion.logprobs
    if tokens is None or scores is None:
        raise DataError("rollouts need token ids and the log-probs that they were drawn with")
    before = [0.0] * len(prompt)
    return Document(
        ids=[*prompt, *tokens],
        mask=[False] * len(prompt) + [True] * len(tokens),
        extras={
            "old_logp": [*before, *scores],
            "advantage": [*before, *([advantage] * len(tokens))],
        },
    )


def _figures(groups: Sequence[Rollouts]) -> dict[str, float]:
    """What the drawn groups look like, those without variance included."""
    samples = [sample for group in groups for sample in group.samples]
    correct = [ok for group in groups for ok in group.correct]
    rewards = [reward for group in groups for reward in group.rewards]
    scores = [score for sample in samples for score in sample.logprobs or []]
    found = [reflect(f"{sample.reasoning}\n{sample.text}") for sample in samples]
    slipped = [ok for ok, said in zip(correct, found, strict=True) if said.wrong_step]
    n = max(1, len(samples))
    figures = {"recovered": sum(slipped) / len(slipped)} if slipped else {}
    return figures | {
        "reward": sum(rewards) / n,
        "pass_rate": sum(correct) / n,
        "length": sum(sample.usage.completion_tokens for sample in samples) / n,
        "entropy": -math.fsum(scores) / max(1, len(scores)),
        "self_check": sum(said.self_check for said in found) / n,
        "wrong_step": len(slipped) / n,
    }
