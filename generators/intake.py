"""Between a sampler and whoever reads its answers: they are stored as they come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator

from verifiers.records import Completion
from verifiers.sampler import Request

MOMENT, BURST, LONGEST = 0.002, 4, 0.02
"""Where so many answers come in a moment they wait for more, up to a limit, in seconds."""


def pauses(requests: Iterable[Request]) -> Callable[[], bool]:
    """The `full` of requests that have one: true while no more of them should be read."""
    return getattr(requests, "full", lambda: False)


class Inlet:
    """Requests that are read one by one; `full()` is true while no more of them should be."""

    def __init__(self, requests: Iterator[Request], full: Callable[[], bool]):
        self._requests, self.full = requests, full

    def __iter__(self) -> Iterator[Request]:
        return self

    def __next__(self) -> Request:
        return next(self._requests)


async def stored_ahead(
    completions: AsyncIterator[Completion],
    fresh: list[Completion],
    keep: Callable[[list[Completion]], Awaitable[None]],
    stir: asyncio.Event,
) -> AsyncIterator[None]:
    """Have `keep` store what comes within a moment together, and yield whenever it has, or when
    somebody sets `stir`.

    An answer does not wait for whoever consumes those before it. `fresh` holds those that are not
    stored yet.
    """
    came = asyncio.Event()

    async def pull() -> None:
        try:
            async for completion in completions:
                fresh.append(completion)
                came.set()
        finally:
            came.set()

    async def store() -> None:
        try:
            while fresh or not pulling.done():
                await came.wait()
                due, before = time.monotonic() + LONGEST, 0
                while len(fresh) - before >= BURST and time.monotonic() < due:
                    before = len(fresh)
                    await asyncio.wait([pulling], timeout=MOMENT)
                came.clear()
                taken = fresh.copy()
                fresh.clear()
                if taken:
                    await keep(taken)
                    stir.set()
            await pulling
        finally:
            stir.set()

    pulling = asyncio.create_task(pull())
    storing = asyncio.create_task(store())
    try:
        while not storing.done():
            await stir.wait()
            stir.clear()
            yield
        await storing
    finally:
        for task in (pulling, storing):
            task.cancel()
        await asyncio.gather(pulling, storing, return_exceptions=True)
