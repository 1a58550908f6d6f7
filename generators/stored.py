"""A sampler in front of the store: what is there is not asked again, what comes is stored first."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from generators.intake import Inlet, pauses, stored_ahead
from generators.ledger import Spent
from generators.store import Store
from verifiers.records import Completion, Usage
from verifiers.sampler import Request, Sampler

LOOK_UP = 100
READY_MOST, FRESH_MOST = 128, 256
"""Answers, stored and not yet stored, that may wait before nothing more is asked."""


class Stored:
    """A sampler that asks another one only for what the store does not hold yet."""

    def __init__(self, sampler: Sampler, store: Store):
        self.sampler = sampler
        self.store = store
        self.identity = sampler.identity
        self.batch = sampler.batch
        self.asked = 0

    @property
    def continues(self) -> bool:
        """Whether the sampler can go on from a request's prefix."""
        return bool(getattr(self.sampler, "continues", False))

    @property
    def trouble(self) -> dict[str, int]:
        """What went wrong, by reason, where the sampler counts it."""
        return dict(getattr(self.sampler, "trouble", {}))

    @property
    def endpoints(self) -> list[Any]:
        """The servers that the sampler asks; none where it asks none."""
        return list(getattr(self.sampler, "endpoints", ()))

    async def sample(self, requests: Iterable[Request]) -> AsyncIterator[Completion]:
        """Stored completions as they are, missing ones from the sampler, stored first."""
        waiting = iter(requests)
        while chunk := list(islice(waiting, LOOK_UP)):
            known = self.known(chunk, self.keys(chunk))
            if len(known) < len(chunk):
                break
            for completion in known.values():
                yield completion
        else:
            return
        ready: deque[Completion] = deque()
        fresh: list[Completion] = []
        twins: dict[str, list[Request]] = {}
        before = self._recall()
        stir = asyncio.Event()
        missing = _Missing(self, chunk, waiting, ready, twins, stir)
        held: list[Request] = []

        async def keep(taken: list[Completion]) -> None:
            nonlocal before
            before = self._recall(before)
            await self.store.keep([c for c in taken if _paid(c)], self._spent(taken))
            ready.extend(self._share(taken, twins))

        def full() -> bool:
            crowded = len(ready) >= READY_MOST or len(fresh) >= FRESH_MOST
            return crowded or missing.full()

        try:
            while True:
                coming = self.sampler.sample(Inlet(self._afforded(missing, held), full))
                alone = self.batch == 1
                async for _ in (
                    stored_ahead(coming, fresh, keep, stir)
                    if alone
                    else self._batches(coming, fresh, keep)
                ):
                    while ready:
                        yield ready.popleft()
                if not held:
                    break
                if self.store.budget.full:
                    raise self.store.budget.over()
        finally:
            self._recall(before)
            if spent := self._spent():
                self.store.put([], spent)
        while ready:
            yield ready.popleft()

    def _recall(self, before: dict[str, str] | None = None) -> dict[str, str]:
        """Tell the sampler who answered before, and note who answers now."""
        served = getattr(self.sampler, "served", None)
        if served is None:
            return {}
        if before is None:
            served.update(self.store.served(self.identity) | served)
        elif served != before:
            self.store.put_served(self.identity, served)
        return dict(served)

    def _spent(self, fresh: Sequence[Completion] = ()) -> list[Spent]:
        """What the sampler paid for that no completion holds, since last asked; it is priced and
        taken off the budget, as `fresh` completions are."""
        waste: deque[Spent] = getattr(self.sampler, "spent", deque())
        taken = [waste.popleft() for _ in range(len(waste))]
        budget = self.store.budget
        for completion in fresh:
            budget.pay(self.identity, completion.usage)
        for place, row in enumerate(taken):
            usage = Usage(
                prompt_tokens=row.prompt_tokens, completion_tokens=row.completion_tokens,
                cost=row.cost,
            )  # fmt: skip
            budget.pay(self.identity, usage, answer=False)
            taken[place] = row._replace(cost=usage.cost)
        return taken

    def _afforded(self, missing: Iterator[Request], held: list[Request]) -> Iterator[Request]:
        """Requests as far as the budget has room, in whole batches; the first without is `held`."""
        budget = self.store.budget
        count = 0
        while (request := held.pop() if held else next(missing, None)) is not None:
            if count % self.batch == 0 and not budget.room(self.batch):
                held.append(request)
                return
            budget.open += 1
            count += 1
            yield request

    async def _batches(
        self,
        completions: AsyncIterator[Completion],
        fresh: list[Completion],
        keep: Callable[[list[Completion]], Awaitable[None]],
    ) -> AsyncIterator[None]:
        """Whole batches: they are stored in one transaction."""
        async for completion in completions:
            fresh.append(completion)
            if len(fresh) == self.batch:
                await keep(fresh)
                yield
                fresh.clear()
        if fresh:
            await keep(fresh)
            yield
            fresh.clear()

    def known(
        self, chunk: Sequence[Request], keys: Sequence[str]
    ) -> dict[tuple[str, str], Completion]:
        """What the store holds for requests with these keys, by problem and key."""
        stored = self.store.get(keys)
        return {
            (request.problem_id, key): stored[key].answering(request.problem_id)
            for request, key in zip(chunk, keys, strict=True)
            if key in stored
        }

    def keys(self, chunk: Sequence[Request]) -> list[str]:
        """What names requests in the store."""
        return [request.key(self.identity) for request in chunk]

    def _share(
        self, fresh: Sequence[Completion], twins: dict[str, list[Request]]
    ) -> Iterator[Completion]:
        """Completions, handed to all who asked the same."""
        for completion in fresh:
            yield completion
            for request in twins.pop(completion.request_key, []):
                yield completion.answering(request.problem_id)


class _Missing:
    """Requests that are to be asked; stored ones go to `ready`, equal ones in flight to `twins`.

    `stir` is set where something is ready. Where the requests pause (they are `full`) so does this.
    What goes wrong when they are looked at is raised to whoever asks for the next.
    """

    def __init__(
        self,
        stored: Stored,
        first: Sequence[Request],
        later: Iterator[Request],
        ready: deque[Completion],
        twins: dict[str, list[Request]],
        stir: asyncio.Event,
    ):
        self._stored, self._later = stored, later
        self._paused = pauses(later)
        self._ready, self._twins, self._stir = ready, twins, stir
        self._due: deque[Request] = deque()
        self._over = False
        self._wrong: Exception | None = None
        self._sort(first)

    def __iter__(self) -> Iterator[Request]:
        return self

    def __next__(self) -> Request:
        self._look()
        if self._wrong is not None:
            raise self._wrong
        if not self._due:
            raise StopIteration
        self._stored.asked += 1
        return self._due.popleft()

    def full(self) -> bool:
        """Whether there may be more, though not now."""
        self._look()
        return not self._due and not self._over

    def _look(self) -> None:
        try:
            while not self._due and not self._over:
                if chunk := list(islice(self._later, LOOK_UP)):
                    self._sort(chunk)
                elif self._paused():
                    return
                else:
                    self._over = True
        except Exception as error:
            self._wrong, self._over = error, True

    def _sort(self, chunk: Sequence[Request]) -> None:
        keys = self._stored.keys(chunk)
        known = self._stored.known(chunk, keys)
        for request, key in zip(chunk, keys, strict=True):
            if (request.problem_id, key) in known:
                self._ready.append(known[request.problem_id, key])
                self._stir.set()
            elif key in self._twins:
                self._twins[key].append(request)
            else:
                self._twins[key] = []
                self._due.append(request)


def _paid(completion: Completion) -> bool:
    """False where nothing came: such a request is asked again the next time."""
    usage = completion.usage
    return completion.finish_reason != "error" or usage.completion_tokens > 0 or bool(usage.cost)
