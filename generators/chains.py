"""Chains: n completions a question, each judged as soon as it is there."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

from generators.config import ChainsConfig, Sampling
from generators.store import Store
from generators.stored import Stored
from generators.teachers.written import WrittenSampler, answers
from verifiers.pool import Backlog, VerdictPool
from verifiers.records import Completion, Group, Problem, Verdict, content_id
from verifiers.sampler import Request, Sampler

LOOK_AHEAD = 512


async def chains(
    problems: Iterable[Problem],
    sampler: Sampler,
    pool: VerdictPool,
    store: Store,
    config: ChainsConfig,
    sampling: Sampling,
    seed: int,
) -> AsyncIterator[Group]:
    """Judged groups in the order in which they finish; samples stand by their index, answers that
    are written beside the question behind them. Both are judged together, where a verifier does so.

    `problems` are read as far as the sampler has room, so there may be any number of them. Verdicts
    are kept in the store by completion and judge, so nothing is judged twice either.
    """
    open_groups: dict[str, _Open] = {}
    beside: list[Request] = []
    ready: deque[Group] = deque()
    judging = Backlog(LOOK_AHEAD)
    book = _Book(store, pool)

    def requests() -> Iterator[Request]:
        chosen = sampling.chosen()
        for problem in problems:
            written = answers(problem, config.system)
            beside.extend(written)
            open_groups[problem.id] = _Open(problem, config.samples + len(written))
            messages = problem.messages(config.system)
            for index in range(config.samples):
                yield Request(
                    problem_id=problem.id,
                    messages=messages,
                    sampling=chosen,
                    seed=seed,
                    index=index,
                )

    async def completions() -> AsyncIterator[Completion]:
        async for completion in sampler.sample(requests()):
            yield completion
            if len(beside) >= LOOK_AHEAD:
                async for answer in own.sample(_taken(beside)):
                    yield answer
        async for answer in own.sample(_taken(beside)):
            yield answer

    async def judge(completion: Completion) -> None:
        group = open_groups[completion.problem_id]
        verdict = None
        if not pool.together(group.problem.verifier):
            verdict = await book.verdict(group.problem, completion)
        group.samples.append((completion, verdict))
        if len(group.samples) == group.wanted:
            ready.append(await open_groups.pop(completion.problem_id).close(book))

    own = Stored(WrittenSampler(), store)
    async for completion in completions():
        await judging.add(judge(completion))
        while ready:
            yield ready.popleft()
    await judging.drain()
    ready.extend([await left.close(book) for left in open_groups.values()])
    book.flush()
    for group in ready:
        yield group


def _taken(requests: list[Request]) -> list[Request]:
    taken, requests[:] = list(requests), []
    return taken


class _Open:
    """A question some of whose samples are still to come; verdicts may wait for all of them."""

    def __init__(self, problem: Problem, wanted: int):
        self.problem = problem
        self.wanted = wanted
        self.samples: list[tuple[Completion, Verdict | None]] = []

    async def close(self, book: _Book) -> Group:
        self.samples.sort(key=lambda pair: (not pair[0].sampled, pair[0].index))
        judged = [(done, verdict) for done, verdict in self.samples if verdict is not None]
        if len(judged) < len(self.samples):
            judged = await book.group(self.problem, [completion for completion, _ in self.samples])
        return Group(problem=self.problem, samples=judged)


class _Book:
    """Verdicts from the store, or from the pool and then stored."""

    def __init__(self, store: Store, pool: VerdictPool):
        self.store = store
        self.pool = pool
        self.fresh: dict[str, list[tuple[str, Verdict]]] = {}
        self.count = 0

    async def verdict(self, problem: Problem, completion: Completion) -> Verdict:
        judge = self.pool.judge_id(problem.verifier)
        verdict = self.store.verdict(completion.id, judge)
        if verdict is None:
            verdict = await self.pool.judge(problem, completion)
            self._keep(judge, completion, verdict)
        return verdict

    async def group(
        self, problem: Problem, completions: Sequence[Completion]
    ) -> list[tuple[Completion, Verdict]]:
        """Completions that are judged together: what is said of one depends on all of them."""
        names = [completion.id for completion in completions]
        judge = content_id([self.pool.judge_id(problem.verifier), names])
        stored = [verdict for name in names if (verdict := self.store.verdict(name, judge))]
        if len(stored) == len(names):
            return list(zip(completions, stored, strict=True))
        verdicts = await self.pool.judge_group(problem, completions)
        judged = list(zip(completions, verdicts, strict=True))
        for completion, verdict in judged:
            self._keep(judge, completion, verdict)
        return judged

    def _keep(self, judge: str, completion: Completion, verdict: Verdict) -> None:
        if verdict.reason not in ("infra", "timeout"):
            self.fresh.setdefault(judge, []).append((completion.id, verdict))
            self.count += 1
        if self.count >= LOOK_AHEAD:
            self.flush()

    def flush(self) -> None:
        for judge, verdicts in self.fresh.items():
            self.store.put_verdicts(judge, verdicts)
        self.fresh.clear()
        self.count = 0
