"""Which requests a batch sampler has still to buy, and which wait in a batch that was bought."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from generators.teachers.batch_journal import Batch
from verifiers.sampler import Request

TRIES = 3


class Desk:
    """Requests that are still to be asked, and the batches that others are in already."""

    def __init__(self, head: list[Request], source: Iterator[Request], batches: list[Batch]):
        self._again, self._source = deque(head), source
        self._batches = batches
        self._bought = {key: batch for batch in batches for key in batch.keys}
        self._tries: dict[str, int] = {}

    def busy(self) -> list[Batch]:
        """Batches that somebody waits for."""
        return [batch for batch in self._batches if batch.wanted]

    def add(self, batch: Batch) -> None:
        """One more batch."""
        self._batches.append(batch)
        self._bought |= dict.fromkeys(batch.keys, batch)

    def fresh(self, teacher: str, asked: dict[str, list[Request]]) -> Iterator[Request]:
        """Requests to buy, put into `asked`; those of bought batches wait for these."""
        while True:
            if self._again:
                request = self._again.popleft()
            elif (read := next(self._source, None)) is not None:
                request = read
            else:
                return
            key = request.key(teacher)
            if key in self._bought:
                self._bought[key].wanted.setdefault(key, []).append(request)
            elif key in asked:
                asked[key].append(request)
            else:
                asked[key] = [request]
                yield request

    def again(self, request: Request, key: str, counts: bool = True) -> int:
        """Take a request back, to be bought anew below TRIES tries; how many there were."""
        self._bought.pop(key, None)
        self._tries[key] = self._tries.get(key, 0) + counts
        if self._tries[key] < TRIES:
            self._again.append(request)
        return self._tries[key]
