"""Several teachers as one: the samples of a question go to them in turn."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple

from verifiers.records import Completion
from verifiers.sampler import Request, Sampler

AHEAD = 1024
"""Requests that one teacher may be ahead of another."""


class Member(NamedTuple):
    """A teacher, and how it samples where that is not as the request says."""

    sampler: Sampler
    sampling: dict[str, Any] | None = None


class Ensemble:
    """A sampler that deals the requests of a question to its members by their index.

    Each completion names the member that wrote it, and each member's answers are keyed by its own
    identity, so that a member that is added or left out later costs only what is new. A member that
    fails ends the others too, when what they have under way is delivered.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = list(members)
        self.identity = " + ".join(member.sampler.identity for member in members)
        self.batch = max(member.sampler.batch for member in members)

    @property
    def asked(self) -> int:
        """Requests that had to be made."""
        return sum(getattr(member.sampler, "asked", 0) for member in self.members)

    @property
    def trouble(self) -> dict[str, int]:
        """What went wrong, by reason."""
        found: Counter[str] = Counter()
        for member in self.members:
            found.update(getattr(member.sampler, "trouble", {}))
        return dict(found)

    @property
    def endpoints(self) -> list[Any]:
        """The servers that are asked."""
        return [one for m in self.members for one in getattr(m.sampler, "endpoints", ())]

    async def sample(self, requests: Iterable[Request]) -> AsyncIterator[Completion]:
        """Completions of all members as they finish."""
        deal = _Deal(iter(requests), self.members)
        came: asyncio.Queue[Completion | None] = asyncio.Queue(AHEAD)

        async def work(place: int) -> None:
            try:
                while deal.left(place):
                    own: Any = self.members[place].sampler.sample(deal.hand(place))
                    async with aclosing(own):
                        async for completion in own:
                            await came.put(completion)
                    await deal.room.wait()
            finally:
                deal.stop(place)
                await came.put(None)

        working = [asyncio.create_task(work(place)) for place in range(len(self.members))]
        try:
            for _ in working:
                while (completion := await came.get()) is not None:
                    yield completion
            await asyncio.gather(*working)
        finally:
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)


class _Deal:
    """Requests on their way to members. One that is far ahead of another waits for it: a question
    needs both, and what waits must stay little. It waits between batches, so that these are whole.
    """

    def __init__(self, source: Iterator[Request], members: Sequence[Member]) -> None:
        self.source, self.members = source, members
        self.hands: list[deque[Request]] = [deque() for _ in members]
        self.dealt = [0] * len(members)
        self.over = False
        self.room = asyncio.Event()
        self.room.set()

    def left(self, place: int) -> bool:
        """Whether a member has more to do."""
        return bool(self.hands[place]) or not self.over

    def stop(self, place: int) -> None:
        """A member has ended: with work left, it has failed, and nobody gets anything new."""
        if self.left(place):
            self.over = True
            for hand in self.hands:
                hand.clear()
        self.room.set()

    def hand(self, place: int) -> Iterator[Request]:
        """The requests of a member; they end early where others are far behind."""
        own, batch = self.hands[place], self.members[place].sampler.batch
        while own or self._deal(place, whole=self.dealt[place] % batch == 0):
            if not own:
                continue
            self.dealt[place] += 1
            request = own.popleft()
            if len(own) < AHEAD // 2:
                self.room.set()
            yield request

    def _deal(self, place: int, whole: bool) -> bool:
        """Take one more request from the source; False where there is none, or none now."""
        if self.over:
            return False
        if whole and max(map(len, self.hands)) >= AHEAD:
            self.room.clear()
            return False
        request = next(self.source, None)
        if request is None:
            self.over = True
            self.room.set()
            return False
        to = request.index % len(self.members)
        if (own := self.members[to].sampling) is not None:
            request = request.model_copy(update={"sampling": own})
        self.hands[to].append(request)
        return True
