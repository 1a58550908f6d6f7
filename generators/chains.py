"""Chains: completions of each question, each judged as it comes, until there are enough."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import contextmanager

from generators.bands import Keep
from generators.config import ChainsConfig, Sampling
from generators.stopping import Rule
from generators.store import Store
from generators.stored import Stored
from generators.target import Target
from generators.teachers.written import WrittenSampler, answers
from verifiers.pool import Backlog, VerdictPool
from verifiers.records import Completion, Group, Problem, Verdict, content_id
from verifiers.sampler import Request, Sampler

LOOK_AHEAD, JUDGED = 512, 128
WINDOW = 8
"""Batches of questions that are asked together, round by round."""


async def chains(
    problems: Iterable[Problem],
    sampler: Sampler,
    pool: VerdictPool,
    store: Store,
    config: ChainsConfig,
    sampling: Sampling,
    seed: int,
    keep: Keep = "learnable",
    target: Target | None = None,
) -> AsyncIterator[Group]:
    """Judged groups in the order in which they finish; samples stand by their index, answers that
    are written beside the question behind them. Both are judged together, where a verifier does so.

    `problems` are read as far as the sampler has room, so there may be any number of them. Verdicts
    are kept in the store by completion and judge, so nothing is judged twice either. `keep` is the
    difficulty band that `samples.stop: band_known` decides about. With a `target`, questions are
    read in steps, each when all before it are finished, until so many samples are correct.
    """
    rule = Rule(config.samples, keep)
    asking = _Asking(problems, config, sampling, seed, rule, sampler.batch, target)
    ready: deque[Group] = deque()
    judging = Backlog(JUDGED)
    book = _Book(store, pool)
    own = Stored(WrittenSampler(), store)

    async def completions() -> AsyncIterator[Completion]:
        async for completion in sampler.sample(asking.requests()):
            yield completion
            if len(asking.beside) >= LOOK_AHEAD:
                async for answer in own.sample(_taken(asking.beside)):
                    yield answer
        async for answer in own.sample(_taken(asking.beside)):
            yield answer

    async def judge(completion: Completion) -> None:
        with asking.ending():
            group = asking.open[completion.problem_id]
            verdict = None
            if not pool.together(group.problem.verifier):
                verdict = await book.verdict(group.problem, completion)
            group.samples.append((completion, verdict))
            if len(group.samples) == group.wanted:
                judged = await group.judged(book)
                if not asking.again(group, judged, verdict is None):
                    ready.append(asking.close(group, judged))

    while not asking.done:
        async for completion in completions():
            await judging.add(judge(completion))
            while ready:
                yield ready.popleft()
        await judging.drain()
        for group in asking.short():
            ready.append(asking.close(group, await group.judged(book)))
        store.flush()
        while ready:
            yield ready.popleft()


def _taken(requests: list[Request]) -> list[Request]:
    taken, requests[:] = list(requests), []
    return taken


class _Open:
    """A question some of whose samples are still to come; verdicts may wait for all of them."""

    def __init__(self, problem: Problem, place: int, written: int):
        self.problem, self.place = problem, place
        self.asked = 0
        self.wanted = written
        self.samples: list[tuple[Completion, Verdict | None]] = []

    async def judged(self, book: _Book) -> list[tuple[Completion, Verdict]]:
        """All samples so far, in their order, with their verdicts."""
        self.samples.sort(key=lambda pair: (not pair[0].sampled, pair[0].index))
        judged = [(done, verdict) for done, verdict in self.samples if verdict is not None]
        if len(judged) < len(self.samples):
            judged = await book.group(self.problem, [completion for completion, _ in self.samples])
        return judged


class _Asking:
    """Which samples are asked for next: the questions that are open, and those still to come.

    Where a sampler draws requests one by one, a question's further samples go first as soon as its
    verdicts are known. Where it draws whole batches, whose shape must not depend on who finishes
    first, all questions of a window are asked in rounds, in their order.
    """

    def __init__(
        self,
        problems: Iterable[Problem],
        config: ChainsConfig,
        sampling: Sampling,
        seed: int,
        rule: Rule,
        batch: int,
        target: Target | None,
    ):
        self.problems = enumerate(problems)
        self.config, self.seed, self.rule = config, seed, rule
        self.chosen = sampling.chosen()
        self.in_rounds = batch > 1 and config.samples.sequential
        self.window = WINDOW * batch
        self.open: dict[str, _Open] = {}
        self.beside: list[Request] = []
        self.next: deque[tuple[_Open, int]] = deque()
        self.exhausted = self.broken = False
        self.target, self.allowed = target, 0

    @property
    def done(self) -> bool:
        """Whether nothing is left to ask."""
        return self.exhausted and not self.open

    def requests(self) -> Iterator[Request]:
        """What can be asked now; it may end while verdicts are awaited, and is called again."""
        return self._round() if self.in_rounds else _Stream(self)

    def now(self) -> Iterator[Request]:
        """The next samples of one question; none where verdicts are awaited, or at the end."""
        return self._draw(*self.next.popleft()) if self.next or self._read() else iter(())

    @property
    def awaits(self) -> bool:
        """Whether nothing can be asked just now, and verdicts that are to come may want more."""
        readable = not (self.exhausted or (self.target is not None and self.allowed == 0))
        if readable or self.next or self.beside or self.broken:
            return False
        return bool(self.open) and (self.config.samples.sequential or self.target is not None)

    @contextmanager
    def ending(self) -> Iterator[None]:
        """An error in here ends the asking."""
        try:
            yield
        except BaseException:
            self.broken = True
            raise

    def _round(self) -> Iterator[Request]:
        if not self.next:
            while len(self.next) < self.window and self._read():
                pass
        waiting, self.next = sorted(self.next, key=lambda pair: pair[0].place), deque()
        for group, more in waiting:
            yield from self._draw(group, more)

    def _read(self) -> bool:
        """Open the next question; False where there is none, or none may be read yet."""
        if not self._may_read():
            return False
        place, problem = next(self.problems, (0, None))
        if problem is None:
            self.exhausted = True
            return False
        written = answers(problem, self.config.system)
        self.beside.extend(written)
        group = self.open[problem.id] = _Open(problem, place, len(written))
        self._want(group, self.config.samples.min)
        return True

    def _may_read(self) -> bool:
        if self.target is None:
            return True
        if self.allowed == 0 and not self.open:
            self.allowed = self.target.next()
            self.exhausted = self.allowed == 0
        if self.allowed == 0:
            return False
        self.allowed -= 1
        return True

    def _want(self, group: _Open, more: int) -> None:
        group.wanted += more
        self.next.append((group, more))

    def _draw(self, group: _Open, more: int) -> Iterator[Request]:
        first = group.asked
        group.asked += more
        messages = group.problem.messages(self.config.system)
        for index in range(first, group.asked):
            yield Request(
                problem_id=group.problem.id, messages=messages, sampling=self.chosen,
                seed=self.seed, index=index,
            )  # fmt: skip

    def again(self, group: _Open, judged: list[tuple[Completion, Verdict]], together: bool) -> bool:
        """Whether a question needs more samples, which are then asked for."""
        drawn = [verdict for completion, verdict in judged if completion.sampled]
        more = self.rule.more(drawn, together)
        if more:
            self._want(group, more)
        return more > 0

    def short(self) -> list[_Open]:
        """Open questions that get nothing more: the sampler left out some of their samples."""
        waiting = {group.problem.id for group, _ in self.next}
        return [group for name, group in self.open.items() if name not in waiting]

    def close(self, group: _Open, judged: list[tuple[Completion, Verdict]]) -> Group:
        """The finished question."""
        del self.open[group.problem.id]
        closed = Group(problem=group.problem, samples=judged)
        if self.target is not None:
            self.target.add(closed)
        return closed


class _Stream:
    """What a served teacher is asked: it pauses, and is `full`, while verdicts are awaited."""

    def __init__(self, asking: _Asking):
        self._asking = asking
        self._due: deque[Request] = deque()

    def __iter__(self) -> Iterator[Request]:
        return self

    def __next__(self) -> Request:
        if not self._due:
            self._due.extend(self._asking.now())
        if not self._due:
            raise StopIteration
        return self._due.popleft()

    def full(self) -> bool:
        """Whether there may be more, though not now."""
        return not self._due and self._asking.awaits


class _Book:
    """Verdicts from the store, or from the pool and then stored."""

    def __init__(self, store: Store, pool: VerdictPool):
        self.store = store
        self.pool = pool

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
            self.store.judged(judge, completion.id, verdict)
