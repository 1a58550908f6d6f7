"""Keeps requests in flight: as many as the endpoints take, failed ones again, hanging ones twice.

A request that hangs (longer than everything seen lately) is asked a second time while the first is
still listened to. The first answer counts; a later one was paid too, so it goes to `spent`.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator

from generators.ledger import Spent, shortened
from generators.teachers.answers import Answer, Reading, Trouble
from generators.teachers.attempts import LONGEST_BACKOFF, Attempt, Flight, Patience
from generators.teachers.endpoints import Endpoint, choose
from generators.teachers.errors import TeacherError
from verifiers.records import Usage

WAITING_MOST = 4
HEDGES, CREDIT_MOST = 0.05, 64.0
SWEEP, LATE, HELD_UP = 0.02, 0.05, 0.01
REST = 0.5


class Flights:
    """The requests of one call of a sampler.

    Args:
        source: flights to start, drawn only as far as there is room.
        ask: one try; returns what came back, raises TeacherError to stop everything.
        settle: called with a flight and its answers, or the Trouble that it ended in.
        backlog: how many results wait for whoever consumes them; infinite where nothing new is
            to be asked.
        timeout: seconds after which one try is given up.
    """

    def __init__(
        self,
        source: Iterator[Flight],
        endpoints: list[Endpoint],
        patience: Patience,
        ask: Callable[[Attempt], Awaitable[tuple[Reading, bytes]]],
        settle: Callable[[Flight, list[Answer] | Trouble, Usage, float], None],
        backlog: Callable[[], float],
        spent: deque[Spent],
        trouble: Counter[str],
        identity: str,
        timeout: float,
    ):
        self.source, self.endpoints, self.patience = source, endpoints, patience
        self.ask, self.settle, self.backlog = ask, settle, backlog
        self.spent, self.trouble, self.identity = spent, trouble, identity
        self.timeout = timeout
        self.failure: BaseException | None = None
        self.drained = False
        self.wake = asyncio.Event()
        self._running: dict[Attempt, None] = {}
        self._overdue: dict[Attempt, None] = {}
        self._again: list[tuple[float, int, Flight]] = []
        self._number = itertools.count()
        self._credit, self._looked = 1.0, time.monotonic()
        self._began = self._looked
        self._open = 0
        self._timer: asyncio.TimerHandle | None = None
        self._rings = 0.0

    @property
    def done(self) -> bool:
        """True where nothing is left to wait for."""
        if self.failure is not None:
            return all(a.flight.settled for a in itertools.chain(self._running, self._overdue))
        return self.drained and not self._open

    def pump(self) -> None:
        """Start what there is room for: failed ones that are due, then new ones."""
        now = time.monotonic()
        while self.failure is None:
            due = bool(self._again) and self._again[0][0] <= now
            if not due and (self.drained or not self._roomy()):
                break
            endpoint = choose(self.endpoints) or (None if self._running else self._rested(now))
            if endpoint is None:
                break
            flight = heapq.heappop(self._again)[2] if due else self._draw()
            if flight is None:
                break
            if flight.settled:
                flight.live -= 1
                continue
            self._start(flight, endpoint)
        self._alarm(now)

    def _roomy(self) -> bool:
        return self.backlog() + len(self._running) < self._limit and len(self._again) < (
            WAITING_MOST * self._limit
        )

    @property
    def _limit(self) -> int:
        return sum(int(endpoint.throttle.limit) for endpoint in self.endpoints)

    def _rested(self, now: float) -> Endpoint | None:
        """An endpoint that others keep busy, so that nobody starves; None where all are paused."""
        free = [e for e in self.endpoints if now >= e.throttle.paused_until]
        return min(free, key=lambda endpoint: endpoint.backlog, default=None)

    def _draw(self) -> Flight | None:
        try:
            flight = next(self.source, None)
        except BaseException as error:
            self._fail(error)
            return None
        if flight is None:
            self.drained = True
            return None
        self._open += 1
        flight.live = 1
        return flight

    def _start(self, flight: Flight, endpoint: Endpoint) -> None:
        attempt = Attempt(flight, endpoint)
        endpoint.throttle.in_flight += 1
        self._running[attempt] = None
        attempt.task = asyncio.create_task(self._try(attempt))

    async def _try(self, attempt: Attempt) -> None:
        reading: Reading | None = None
        content = b""
        try:
            reading, content = await self.ask(attempt)
        except asyncio.CancelledError:
            if not attempt.late:
                raise
            reading = Reading(Trouble("timeout"), Usage())
        except BaseException as error:
            self._fail(error)
        finally:
            held = self._release(attempt)
            self._overdue.pop(attempt, None)
        if reading is not None:
            try:
                self._take(attempt, held, reading, content)
            except TeacherError as error:
                self._fail(error)
        self.pump()
        self.wake.set()

    def _release(self, attempt: Attempt) -> bool:
        """Free the place of an attempt; False where another was started in its stead before."""
        held = attempt in self._running
        if held:
            del self._running[attempt]
            attempt.endpoint.throttle.in_flight -= 1
            attempt.flight.live -= 1
        return held

    def _take(self, attempt: Attempt, held: bool, reading: Reading, content: bytes) -> None:
        """What an attempt brought: an answer, one that comes too late, or trouble."""
        flight, endpoint, found = attempt.flight, attempt.endpoint, reading.found
        seconds = time.monotonic() - attempt.started
        if isinstance(found, Trouble):
            self.trouble[found.reason] += 1
            if found.answered or reading.usage.completion_tokens:
                self._note(flight, found.reason, reading, seconds, content)
            self._failed(attempt, held, found)
            return
        endpoint.last_answer = attempt.started + seconds
        endpoint.pace.add(attempt.started, endpoint.last_answer)
        endpoint.throttle.answered()
        self._credit = min(CREDIT_MOST, self._credit + HEDGES)
        if not reading.counted:
            self.trouble["usage missing"] += 1
        if flight.settled:
            self.trouble["answered twice"] += 1
            self._note(flight, "answered twice", reading, seconds, content)
            return
        for request, key in list(zip(flight.requests, flight.keys, strict=True))[len(found) :]:
            self._open += 1
            self._later(Flight([request], [key]), 0.0)
        self._end(flight)
        self.settle(flight, found, reading.usage, seconds)

    def _failed(self, attempt: Attempt, held: bool, trouble: Trouble) -> None:
        flight = attempt.flight
        if trouble.reason.startswith("status") and trouble.reason[7:] in ("429", "503", "529"):
            attempt.endpoint.throttle.refused(trouble.wait)
            flight.refusals += trouble.reason != "status 503"
            flight.fails += trouble.reason == "status 503"
        else:
            flight.fails += 1
            self._rest(attempt.endpoint, trouble)
        if trouble.answered:
            attempt.endpoint.last_answer = time.monotonic()
            flight.useless += 1
        if not held or flight.settled or flight.live > 0 or self.failure is not None:
            return
        if self.patience.over(flight, trouble):
            self._end(flight)
            self.settle(flight, trouble, Usage(), 0.0)
            return
        flight.partial += trouble.partial
        self._later(flight, self.patience.wait(attempt, trouble))

    def _rest(self, endpoint: Endpoint, trouble: Trouble) -> None:
        """One of several endpoints that does not answer is left alone for a while: it fails so
        soon that it would seem the quickest."""
        if trouble.answered or trouble.final or len(self.endpoints) == 1:
            return
        silence = time.monotonic() - (endpoint.last_answer or self._began)
        if not endpoint.last_answer or silence > max(REST, 2 * endpoint.pace.typical):
            endpoint.throttle.pause(min(LONGEST_BACKOFF, max(REST, silence)))

    def _later(self, flight: Flight, wait: float) -> None:
        flight.live += 1
        due = time.monotonic() + wait
        heapq.heappush(self._again, (due, next(self._number), flight))

    def _end(self, flight: Flight) -> None:
        flight.settled = True
        self._open -= 1

    def _fail(self, error: BaseException) -> None:
        self.failure = self.failure or error
        self._again.clear()

    def _note(
        self, flight: Flight, reason: str, reading: Reading, seconds: float, content: bytes
    ) -> None:
        usage = reading.usage
        self.spent.append(
            Spent(
                flight.keys[0], self.identity, reason, usage.prompt_tokens,
                usage.completion_tokens, usage.cost, seconds, shortened(content), reading.counted,
            )
        )  # fmt: skip

    def _alarm(self, now: float) -> None:
        """Look again when something is due: a failed request, a pause's end, a hanging one."""
        if self.done:
            return
        wait = HELD_UP if self.backlog() == math.inf else SWEEP
        if self._again:
            wait = min(wait, max(0.001, self._again[0][0] - now))
        if self._timer is not None:
            if self._rings <= now + wait:
                return
            self._timer.cancel()
        self._rings = now + wait
        self._timer = asyncio.get_running_loop().call_later(wait, self._rang)

    def _rang(self) -> None:
        """Where we were held up ourselves, answers may lie unread: nothing hangs then."""
        self._timer = None
        now = time.monotonic()
        if now - self._rings < LATE:
            self._sweep(now)
        self.pump()
        self.wake.set()

    def _sweep(self, now: float) -> None:
        """Ask again what hangs, and let go what it is no use to wait for: an attempt that had its
        time, and the eldest of those asked twice where they are more than may be in flight."""
        deadlines = [e.pace.deadline for e in self.endpoints if e.pace.deadline is not None]
        shortest = min([*deadlines, self.timeout])
        self._earn(now, shortest)
        for attempt in list(
            itertools.takewhile(lambda a: now - a.started > shortest, self._running)
        ):
            if now - attempt.started > self.timeout:
                self._let_go(attempt)
            elif self._credit >= 1 and attempt.endpoint.pace.overdue(attempt.started, now):
                self._hedge(attempt)
        crowd = len(self._overdue) - self._limit
        for place, attempt in enumerate(list(self._overdue)):
            if place < crowd or now - attempt.started > self.timeout:
                self._let_go(attempt)

    def _earn(self, now: float, deadline: float) -> None:
        """Credit for asking twice: once for each deadline that passes, so that what hangs never
        takes all places; `_take` adds a share of what is answered."""
        passed, self._looked = min(now - self._looked, LATE), now
        self._credit = min(CREDIT_MOST, self._credit + passed / deadline)

    def _hedge(self, attempt: Attempt) -> None:
        """Ask again what hangs, unless we end; its place is free for others."""
        self._credit -= 1
        self._release(attempt)
        self._overdue[attempt] = None
        self.trouble["hedged"] += 1
        if not attempt.flight.settled and self.failure is None:
            self._later(attempt.flight, 0.0)

    def _let_go(self, attempt: Attempt) -> None:
        if attempt.task is not None:
            attempt.late = True
            attempt.task.cancel()

    async def close(self) -> None:
        """Let go of everything that is still under way."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.failure = self.failure or asyncio.CancelledError()
        attempts = [*self._running, *self._overdue]
        tasks = [attempt.task for attempt in attempts if attempt.task is not None]
        if tasks:
            self.trouble["let go"] += len(tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
