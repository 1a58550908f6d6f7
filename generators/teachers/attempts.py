"""A request, its tries, and when one that failed is tried again."""

from __future__ import annotations

import asyncio
import random
import time

from generators.teachers.answers import Trouble
from generators.teachers.endpoints import Endpoint
from generators.teachers.errors import TeacherError
from verifiers.sampler import Request

PAID_RETRIES = 2
SHORTEST_USUAL, LONGEST_BACKOFF = 0.02, 60.0
REFUSED = ("status 429", "status 529")


class Flight:
    """One body that is asked: a request, or several samples of one question."""

    __slots__ = (
        "fails", "keys", "live", "partial", "refusals", "requests", "settled", "started", "useless",
    )  # fmt: skip

    def __init__(self, requests: list[Request], keys: list[str]):
        self.requests, self.keys = requests, keys
        self.fails = self.refusals = self.useless = self.live = 0
        self.started = time.monotonic()
        self.settled = False
        self.partial = ""


class Attempt:
    """One try of a flight at one endpoint."""

    __slots__ = ("endpoint", "flight", "late", "started", "task")

    def __init__(self, flight: Flight, endpoint: Endpoint):
        self.flight, self.endpoint = flight, endpoint
        self.started = time.monotonic()
        self.late = False
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
        the shorter the fewer are asked, as a place that is left free spares the server nothing;
        bounded by how long nobody was answered, for a busy server, or else at first."""
        flight, endpoint = attempt.flight, attempt.endpoint
        refused = trouble.reason in REFUSED
        if trouble.wait is not None and trouble.wait > self.longest_wait:
            raise TeacherError(
                f"the teacher at {endpoint.host} asks to wait {trouble.wait:.0f} seconds "
                f"({trouble.reason}); run again later, what is done is kept"
            )
        lively = endpoint.last_answer > attempt.started
        usual = max(SHORTEST_USUAL, endpoint.pace.typical)
        base = min(self.backoff, usual) * endpoint.taken if lively else self.backoff
        tries = (flight.refusals if refused else flight.fails) - 1
        silence = max(usual, time.monotonic() - endpoint.last_answer)
        longest = min(LONGEST_BACKOFF, silence * (1.0 if refused else 4.0 ** min(tries, 20)))
        backoff = min(longest, base * 2.0 ** min(tries, 20)) * random.uniform(0.5, 1.0)
        return max(backoff, trouble.wait or 0.0)
