"""A teacher behind one or several OpenAI-compatible endpoints.

A request that fails for a passing reason is asked again; one that never gets an answer becomes a
Completion with finish_reason "error". What is no passing reason (a refused key, an unknown model,
another model than before) stops the sampler: completions that are under way are still delivered,
then TeacherError is raised.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

import aiohttp

from generators.intake import pauses
from generators.ledger import Spent
from generators.teachers import answers, transport
from generators.teachers.answers import Answer, Reading, Trouble
from generators.teachers.dialect import OURS, Dialect, Encode
from generators.teachers.endpoints import Endpoint, Key
from generators.teachers.errors import TeacherError, TeacherRefusal
from generators.teachers.flights import Attempt, Flight, Flights, Patience
from verifiers.records import Completion, Usage, completion_id
from verifiers.sampler import Request

log = logging.getLogger("distill.teacher")
DEFAULT_URL = "https://api.openai.com/v1"
THERE = ("status 4", "status 500", "status 529")
"""What a server says that is up; after anything else it is asked again what it serves."""
REACH = 5.0
"""Seconds for which an address is tried where nothing has ever answered."""


class OpenAISampler:
    """Samples from `model` at `base_url`, or at several endpoints that serve the same model.

    Args:
        api: `chat` for /chat/completions, `completions` for /completions.
        identity: what tells the endpoint from others; the first one's host where it is remote.
        max_in_flight: requests at a time for each endpoint, to begin with and at most; absent,
            the number climbs as far as the endpoint goes along.
        n: samples of a question that one request asks for, where the server takes it.
        stream: read answers as they are written; one that breaks off is continued.
        timeout: seconds that one attempt may take. One that takes much longer than what was seen
            lately is asked a second time before that; both are in the ledger if both are answered.
        may_change: go on where the endpoint says that it serves another model than before.
        encode: prompts go as the token ids that it makes of a chat, and answers come with theirs
            and the log-probs that they were drawn with; not with `stream`.

    `trouble` counts what went wrong, by reason; `spent` holds paid answers that no completion
    holds; `served` is who the endpoint says it is. An answer that cannot be used was paid for, so
    it is asked for at most twice more. A value of null in a request's sampling leaves that word out
    of the request's body. Raises TeacherError where a remote endpoint's key is missing; the key is
    read when it is needed and kept nowhere.
    """

    batch = 1

    def __init__(
        self,
        model: str,
        base_url: str | Sequence[str] = DEFAULT_URL,
        *,
        revision: str = "",
        identity: str = "",
        api: str = "chat",
        api_key_env: str = "OPENAI_API_KEY",
        api_key_file: str | None = None,
        max_in_flight: int | None = None,
        n: int = 1,
        stream: bool = False,
        retries: int = 8,
        backoff: float = 0.5,
        longest_wait: float = 600.0,
        timeout: float | None = None,
        give_up_after: int = 8,
        may_change: bool = False,
        encode: Encode | None = None,
    ) -> None:
        urls = [base_url] if isinstance(base_url, str) else list(base_url)
        if not urls:
            raise TeacherError("base_url must name at least one endpoint")
        self.endpoints = [Endpoint(url, max_in_flight) for url in urls]
        self.host = self.endpoints[0].host
        self.model, self.revision = model, revision
        self.loopback = all(endpoint.loopback for endpoint in self.endpoints)
        self.dialect = Dialect(model, api, stream, encode)
        chats = self.dialect.api == "chat"
        self.url = str(self.endpoints[0].chat if chats else self.endpoints[0].completions)
        self.patience = Patience(retries, backoff, longest_wait)
        self.timeout, self.give_up_after, self.may_change = (
            timeout or 900.0,
            give_up_after,
            may_change,
        )
        self.n = 1 if stream else n
        self.trouble: Counter[str] = Counter()
        self.spent: deque[Spent] = deque()
        self.served: dict[str, str] = {}
        where = identity or ("" if self.loopback else self.host)
        marks = (f"#{revision}" if revision else "", f"@{where}" if where else "")
        self.identity = model + "".join(marks)
        self._teacher = {"identity": self.identity, "model": model, "revision": revision}
        self._unanswered = 0
        self._began = 0.0
        self._key = Key(api_key_env, api_key_file, self.host, optional=self.loopback)

    @property
    def continues(self) -> bool:
        """False once an endpoint has said that it cannot go on from what was written."""
        return self.dialect.continues

    async def sample(self, requests: Iterable[Request]) -> AsyncIterator[Completion]:
        """Completions as they finish; `requests` is read only as far as there is room."""
        source = iter(requests)
        head = list(islice(source, 1))
        if not head:
            return
        ready: deque[Completion] = deque()
        full = pauses(requests)
        client = transport.session(self._key.read(), self.loopback)
        self._began = time.monotonic()

        async def ask(attempt: Attempt) -> tuple[Reading, bytes]:
            return await self._ask(client, attempt)

        def settle(
            flight: Flight, found: list[Answer] | Trouble, usage: Usage, seconds: float
        ) -> None:
            if isinstance(found, Trouble):
                self._count_unanswered(found)
                found = [Answer("", "", "error")] * len(flight.requests)
            ready.extend(self._completions(flight, found, usage, seconds))

        flights = Flights(
            self._flights(chain(head, source)), self.endpoints, self.patience, ask, settle,
            lambda: math.inf if full() else len(ready), self.spent, self.trouble,
            self.identity, self.timeout,
        )  # fmt: skip
        try:
            await asyncio.gather(*(self._check(client, e) for e in self.endpoints if not e.checked))
            while True:
                while ready:
                    yield ready.popleft()
                flights.pump()
                if flights.done:
                    break
                flights.wake.clear()
                await flights.wake.wait()
        finally:
            await flights.close()
            await client.close()
        if flights.failure and not isinstance(flights.failure, asyncio.CancelledError):
            raise flights.failure

    def _flights(self, requests: Iterator[Request]) -> Iterator[Flight]:
        """Requests, samples of one question together where the server takes that."""
        held: list[Request] = []
        while True:
            most = self.n if self.dialect.takes_n else 1
            held += islice(requests, most - len(held) if len(held) < most else 0)
            if not held:
                return
            alike = 1
            while alike < min(most, len(held)) and _alike(held[0], held[alike]):
                alike += 1
            group, held = held[:alike], held[alike:]
            if clash := OURS & group[0].sampling.keys():
                raise TeacherError(f"sampling must not set {', '.join(sorted(clash))}")
            yield Flight(group, [request.key(self.identity) for request in group])

    async def _ask(self, client: aiohttp.ClientSession, attempt: Attempt) -> tuple[Reading, bytes]:
        """One attempt, in words that the endpoint takes."""
        flight, endpoint = attempt.flight, attempt.endpoint
        if not endpoint.checked:
            await self._check(client, endpoint)
        request, n = flight.requests[0], len(flight.requests)
        while True:
            if request.prefix and not self.continues:
                return Reading(Trouble("cannot go on", final=True), Usage()), b""
            prefix = request.prefix + flight.partial if self.continues else ""
            body = self.dialect.body(request, flight.keys[0], n, prefix)
            try:
                reading, content = await transport.ask(
                    client, endpoint, self.dialect, body, n, prefix
                )
            except transport.Refused as refusal:
                said = answers.complaint(refusal.content, hide=self._key.read())
                if refusal.status in (400, 413, 422):
                    if answers.too_long(said):
                        return Reading(Trouble("prompt too long", final=True), Usage()), b""
                    if self.dialect.adapt(said, body):
                        continue
                raise TeacherRefusal(self._refusal(endpoint, refusal.status, said)) from None
            break
        if isinstance(reading.found, Trouble):
            there = reading.found.answered or reading.found.reason.startswith(THERE)
            endpoint.checked = endpoint.checked and there
            self._reach(endpoint, reading.found.unreachable)
            if key := self._key.read().encode():
                content = content.replace(key, b"[key]")
        else:
            self._unanswered = 0
        if reading.served:
            self._recognise(endpoint, reading.served)
        return reading, content

    def _reach(self, endpoint: Endpoint, unreachable: str) -> None:
        """Patience is for servers that were there before, or whose neighbours are."""
        tried = time.monotonic() - self._began > REACH
        if unreachable and tried and not any(e.reached for e in self.endpoints):
            raise TeacherRefusal(
                f"nothing has ever answered at {endpoint.root} ({unreachable}); "
                "is the server up, and base_url right?"
            )

    async def _check(self, client: aiohttp.ClientSession, endpoint: Endpoint) -> None:
        """Ask what the endpoint serves, at the start and after it was out of reach."""
        endpoint.checked = True
        listed = await transport.models(client, endpoint)
        self._recognise(endpoint, transport.check_model(endpoint, self.model, listed))

    def _recognise(self, endpoint: Endpoint, served: dict[str, str]) -> None:
        """Notice where another model answers than before."""
        known = self.served
        for name, value in served.items():
            before = known.setdefault(name, value)
            if before == value:
                continue
            said = (
                f"the model behind {endpoint.host} has changed: its {name} is {value!r}, and "
                f"{before!r} wrote what there is"
            )
            if not self.may_change:
                raise TeacherError(
                    f"{said}; give teacher.revision a new name to ask the new model for everything"
                )
            known[name] = value
            log.warning("%s", said)

    def _completions(
        self, flight: Flight, found: list[Answer], usage: Usage, seconds: float
    ) -> Iterator[Completion]:
        costs = answers.shares(usage, found)
        for request, key, answer, cost in zip(
            flight.requests, flight.keys, found, costs, strict=False
        ):
            yield Completion(
                id=completion_id(request.problem_id, key),
                problem_id=request.problem_id,
                index=request.index,
                reasoning=answer.reasoning,
                text=answer.text,
                finish_reason=answer.finish_reason,
                usage=cost,
                token_ids=answer.token_ids,
                logprobs=answer.logprobs,
                top_logprobs=answer.top_logprobs,
                teacher=self._teacher,
                sampling=request.sampling,
                request_key=key,
                seconds=seconds,
            )

    def _count_unanswered(self, last: Trouble) -> None:
        """A request without an answer is a bad sample; many in a row are a dead endpoint."""
        if last.answered or last.final:
            return
        self._unanswered += 1
        if self._unanswered >= self.give_up_after:
            raise TeacherError(
                f"the teacher at {self.host} answered none of the last {self._unanswered} "
                f"requests in {self.patience.retries + 1} attempts each (last: {last.reason})"
            )

    def _refusal(self, endpoint: Endpoint, status: int, said: str) -> str:
        if status in (401, 403):
            what = f"refused the key in {self._key.where}"
        elif status == 404:
            what = f"knows no model {self.model!r}, or base_url {endpoint.root} is wrong"
        else:
            what = "refused a request"
        return f"the teacher at {endpoint.host} {what} (status {status}){said and f': {said}'}"


def _alike(one: Request, other: Request) -> bool:
    def asked(request: Request) -> tuple[Any, ...]:
        return request.messages, request.sampling, request.seed, request.prefix

    return asked(one) == asked(other)
