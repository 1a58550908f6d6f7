"""Keeps requests in flight: as many as the endpoints take, failed ones again, hanging ones twice.

A request that hangs (longer than everything seen lately) is asked a second time while the first is
still listened to. The first answer counts; a later one was paid too, so it goes to `spent`.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import random
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator

from generators.ledger import Spent, shortened
from generators.teachers.answers import Answer, Reading, Trouble
from generators.teachers.endpoints import Endpoint, choose
from generators.teachers.errors import TeacherError
from verifiers.records import Usage
from verifiers.sampler import Request

PAID_RETRIES = 2
WAITING_MOST = 4
HEDGES = 0.05
SWEEP, HELD_UP = 0.1, 0.01
LONGEST_BACKOFF = 60.0
REST = 0.5
REFUSED = ("status 429", "status 529")


class Flight:
    """One body that is asked: a request, or several samples of one question."""

    __slots__ = ("fails", "given_up", "keys", "live", "partial", "refusals", "requests", "settled",
                 "started", "useless")  # fmt: skip

    def __init__(self, requests: list[Request], keys: list[str]):
        self.requests, self.keys = requests, keys
        self.fails = self.refusals = self.useless = self.live = 0
        self.started = time.monotonic()
        self.settled = self.given_up = False
        self.partial = ""


class Attempt:
    """One try of a flight at one endpoint."""

    __slots__ = ("endpoint", "flight", "holds", "late", "started", "task")

    def __init__(self, flight: Flight, endpoint: Endpoint):
        self.flight, self.endpoint = flight, endpoint
        self.started = time.monotonic()
        self.holds, self.late = True, False
        self.task: asyncio.Task[None] | None = None


class Patience:
    """When a failed request is asked again, and when no more."""

    def __init__(self, retries: int, backoff: float, longest_wait: float):
        self.retries, self.backoff, self.longest_wait = retries, backoff, longest_wait

    def over(self, flight: Flight, trouble: Trouble) -> bool:
        """True where the request has had its tries."""
        waited = time.monotonic() - flight.started > self.longest_wait
        return (
            trouble.final
            or flight.useless > PAID_RETRIES
            or flight.fails > self.retries
            or (flight.refusals > self.retries and waited)
        )

    def wait(self, attempt: Attempt, trouble: Trouble) -> float:
        """Seconds until the next try: at least what was asked; short where others are answered,
        and bounded by how long nobody was, for a busy server, or else at first."""
        flight, endpoint = attempt.flight, attempt.endpoint
        refused = trouble.reason in REFUSED
        if trouble.wait is not None and trouble.wait > self.longest_wait:
            raise TeacherError(
                f"the teacher at {endpoint.host} asks to wait {trouble.wait:.0f} seconds "
                f"({trouble.reason}); run again later, what is done is kept"
            )
        lively = endpoint.last_answer > attempt.started
        usual = max(0.02, endpoint.pace.typical)
        base = min(self.backoff, usual) if lively else self.backoff
        tries = (flight.refusals if refused else flight.fails) - 1
        silence = max(usual, time.monotonic() - endpoint.last_answer)
        longest = min(LONGEST_BACKOFF, silence * (1.0 if refused else 4.0 ** min(tries, 20)))
        backoff = min(longest, base * 2.0 ** min(tries, 20)) * random.uniform(0.5, 1.0)
        return max(backoff, trouble.wait or 0.0)


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
        self._again: list[tuple[float, int, Flight]] = []
        self._number = itertools.count()
        self._credit, self._looked = 1.0, time.monotonic()
        self._began = self._looked
        self._open = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def done(self) -> bool:
        """True where nothing is left to wait for."""
        if self.failure is not None:
            return not any(not attempt.flight.settled for attempt in self._running)
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
        limit = sum(int(endpoint.throttle.limit) for endpoint in self.endpoints)
        return self.backlog() + len(self._running) < limit and len(self._again) < (
            WAITING_MOST * limit
        )

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
            del self._running[attempt]
            held = self._release(attempt)
        if reading is not None:
            try:
                self._take(attempt, held, reading, content)
            except TeacherError as error:
                self._fail(error)
        self.pump()
        self.wake.set()

    def _release(self, attempt: Attempt) -> bool:
        """Free the place of an attempt; False where another was started in its stead before."""
        held, attempt.holds = attempt.holds, False
        if held:
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
        endpoint.last_answer = time.monotonic()
        endpoint.pace.add(seconds)
        endpoint.throttle.answered()
        self._credit = min(64.0, self._credit + HEDGES)
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
        if self._timer is not None or self.done:
            return
        wait = HELD_UP if self.backlog() == math.inf else SWEEP
        if self._again:
            wait = min(wait, max(0.001, self._again[0][0] - now))
        self._timer = asyncio.get_running_loop().call_later(wait, self._rang, now + wait)

    def _rang(self, due: float) -> None:
        """Where we were held up ourselves, answers may lie unread: nothing hangs then."""
        self._timer = None
        now = time.monotonic()
        if now - due < SWEEP / 2:
            self._hedge(now)
        self.pump()
        self.wake.set()

    def _hedge(self, now: float) -> None:
        """Ask again what hangs; its place is free for others. There is credit for one request in
        twenty that are answered, and one for each deadline that passes."""
        deadlines = {e: e.pace.deadline(self.drained) for e in self.endpoints}
        passed, self._looked = now - self._looked, now
        if known := [deadline for deadline in deadlines.values() if deadline is not None]:
            self._credit = min(64.0, self._credit + min(passed, SWEEP) / min(known))
        for attempt in list(itertools.takewhile(lambda a: now - a.started > SWEEP, self._running)):
            if now - attempt.started > self.timeout and attempt.task is not None:
                attempt.late = True
                attempt.task.cancel()
                continue
            deadline = deadlines[attempt.endpoint]
            if not attempt.holds or deadline is None or now - attempt.started < deadline:
                continue
            if self._credit < 1 or self.failure is not None:
                continue
            self._credit -= 1
            self._release(attempt)
            self.trouble["hedged"] += 1
            if not attempt.flight.settled:
                self._later(attempt.flight, 0.0)

    async def close(self) -> None:
        """Let go of everything that is still under way."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.failure = self.failure or asyncio.CancelledError()
        tasks = [attempt.task for attempt in self._running if attempt.task is not None]
        if tasks:
            self.trouble["let go"] += len(tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
