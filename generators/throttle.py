"""How much one endpoint is asked at a time, and how long an answer may take: both found by looking.

The number in flight climbs while more of it brings more answers a second, and falls by the share of
requests that the server refused. A fall that does not make refusals rarer is taken back: those do
not come from the load.
"""

from __future__ import annotations

import time
from collections import deque

START = 16
MOST = 4096
SMALLEST_WINDOW = 32
NOTICED = 0.02
SEEN, ENOUGH, EVERY = 512, 20, 16
SHORTEST_DEADLINE = 0.1
"""Seconds; a shorter wait may be a hiccup of this machine."""


class Throttle:
    """The limit of one endpoint. `start` is where it begins and the most it may be; absent, it
    climbs by itself. Times are in seconds of `time.monotonic`.

    `in_flight` counts what holds a place now; whoever asks adds and takes away.
    """

    def __init__(self, start: int | None = None):
        self.limit = float(start or START)
        self.most = float(start or MOST)
        self.in_flight = 0
        self.paused_until = 0.0
        self._climbing = start is None
        self._best_rate, self._best_limit = 0.0, self.limit
        self._before: tuple[float, float] | None = None
        self._deaf, self._deafness = 0, 4
        self._open()

    def _open(self) -> None:
        """A new window of answers begins."""
        self._answers = self._refusals = 0
        self._since = time.monotonic()
        self._size = max(SMALLEST_WINDOW, int(self.limit))

    def room(self, now: float) -> int:
        """How many more may be asked now."""
        return 0 if now < self.paused_until else int(self.limit) - self.in_flight

    def answered(self) -> None:
        """An answer came."""
        self._answers += 1
        if self._climbing and self.in_flight + 1 >= int(self.limit):
            self.limit = min(self.most, self.limit + 1)
        if self._answers + self._refusals >= self._size:
            self._close()

    def refused(self, wait: float | None) -> None:
        """The server said that it is too much, and to wait so long."""
        self._refusals += 1
        if wait and self._refusals > self._answers:
            self.pause(wait)
        if self._answers + self._refusals >= self._size:
            self._close()

    def pause(self, seconds: float) -> None:
        """Ask nothing for so long."""
        self.paused_until = max(self.paused_until, time.monotonic() + seconds)

    def _close(self) -> None:
        """A window is full: learn from it."""
        share = self._refusals / self._size
        rate = self._answers / max(1e-6, time.monotonic() - self._since)
        if share > NOTICED:
            self._climbing = False
            self._fall(share)
        elif self._climbing:
            if rate < 1.1 * self._best_rate and self.limit > 1.3 * self._best_limit:
                self._climbing = False
                self.limit = self._best_limit
        else:
            self._before = None
            self._probe(rate)
        if rate > self._best_rate or not self._climbing:
            self._best_rate, self._best_limit = rate, min(self.limit, self._best_limit + self._size)
        self._open()

    def _fall(self, share: float) -> None:
        if self._before is not None:
            limit, seen = self._before
            self._before = None
            if share > 0.6 * seen:
                self.limit = limit
                self._deaf, self._deafness = self._deafness, min(64, 2 * self._deafness)
                return
        if self._deaf:
            self._deaf -= 1
            return
        self._before = (self.limit, share)
        self.limit = max(1.0, self.limit * (1 - min(0.5, max(0.1, share))))

    def _probe(self, rate: float) -> None:
        """A little more, unless the last little more brought nothing."""
        step = max(1.0, 0.05 * self.limit)
        fewer = rate < 0.8 * self._best_rate and self.limit > self._best_limit
        self.limit = min(self.most, self._best_limit if fewer else self.limit + step)


class Pace:
    """How long answers take, from the last 512 of them.

    `typical` is their median, 0 before there is one. `deadline` is longer by far than any of them
    took: twice the 95th percentile, and as far beyond the longest as that is beyond the median;
    None while too little has been seen. All in seconds.
    """

    def __init__(self) -> None:
        self.typical = 0.0
        self.deadline: float | None = None
        self._late = self._newest = self._answered = self._probed = 0.0
        self._seen: deque[float] = deque(maxlen=SEEN)
        self._count = 0

    def add(self, started: float, now: float) -> None:
        """What was asked at `started` is answered."""
        self._newest, self._answered = max(self._newest, started), now
        self._seen.append(now - started)
        self._count += 1
        if self._count % EVERY and self._count != ENOUGH:
            return
        ordered = sorted(self._seen)
        self.typical = ordered[len(ordered) // 2]
        if self._count >= ENOUGH:
            self._late = ordered[int(0.95 * len(ordered))]
            spread = ordered[-1] - self.typical
            self.deadline = max(2 * self._late, ordered[-1] + spread, SHORTEST_DEADLINE)

    def overdue(self, started: float, now: float) -> bool:
        """Whether to ask again what was asked at `started`: its deadline is over, and an answer has
        come to what was asked well after it. Where none has, the server itself may have stalled, so
        one is tried; its answer overtakes all that hang. Unanswered, others are tried at intervals
        that double."""
        if self.deadline is None or now - started <= self.deadline:
            return False
        if self._newest - started > self._late:
            return True
        if now - self._probed <= max(self.deadline, self._probed - self._answered):
            return False
        self._probed = now
        return True
