"""A run that starts warm: chains that exist already stand in front of a teacher that is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

from generators.stored import Stored
from generators.teachers.recorded import RecordedSampler
from verifiers.records import Completion
from verifiers.sampler import Request


class Warm:
    """A sampler in front of which recorded chains stand: only what they lack is asked.

    They go into the store as what they are, under the name of their file.
    """

    def __init__(self, recorded: RecordedSampler, asked: Stored) -> None:
        self.recorded, self.stored = recorded, asked
        self.identity, self.batch = asked.identity, asked.batch

    @property
    def continues(self) -> bool:
        """Whether the sampler behind the store can go on from a request's prefix."""
        return self.stored.continues

    @property
    def asked(self) -> int:
        """Requests that had to be made."""
        return self.stored.asked

    @property
    def trouble(self) -> dict[str, int]:
        """What went wrong, by reason."""
        return self.stored.trouble

    @property
    def endpoints(self) -> list[Any]:
        """The servers that are asked."""
        return self.stored.endpoints

    async def sample(self, requests: Iterable[Request]) -> AsyncIterator[Completion]:
        """Recorded completions, and those of the other sampler as they finish."""
        ready: list[Completion] = []

        def missing() -> Iterator[Request]:
            for request in requests:
                completion = None if request.prefix else self.recorded.find(request)
                if completion is None:
                    yield request
                else:
                    ready.append(completion)

        def taken() -> list[Completion]:
            found = ready.copy()
            ready.clear()
            if found:
                self.stored.store.put(found)
            return found

        async for completion in self.stored.sample(missing()):
            for known in taken():
                yield known
            yield completion
        for known in taken():
            yield known
