"""A teacher behind any OpenAI-compatible /chat/completions endpoint.

A request that fails for a passing reason is asked again; one that never gets an answer becomes a
Completion with finish_reason "error". What is no passing reason (a refused key, an unknown model)
stops the sampler: completions that are under way are still delivered, then TeacherError is raised.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from generators.teachers import answers
from generators.teachers.answers import Answer, Trouble
from generators.teachers.errors import TeacherError
from verifiers.records import Completion, Usage
from verifiers.sampler import Request

PASSING = {408, 409, 425, 429}
PAID_RETRIES = 2
OURS = {"model", "messages", "n", "stream"}


class OpenAISampler:
    """Samples from `model` at `base_url`, at most `max_in_flight` requests at a time.

    `timeout` is in seconds and covers one whole attempt. `trouble` counts what went wrong, by
    reason. An answer that cannot be used was paid for, so it is asked for at most twice more. A
    value of null in a request's sampling leaves that field out of the request's body: `seed: null`
    for endpoints that do not know the word. Raises TeacherError where a remote endpoint's key is
    missing; the key is read from the environment when it is needed and kept nowhere.
    """

    batch = 1

    def __init__(
        self,
        model: str,
        base_url: str = "https://api.openai.com/v1",
        *,
        revision: str = "",
        identity: str = "",
        api_key_env: str = "OPENAI_API_KEY",
        max_in_flight: int = 32,
        retries: int = 8,
        backoff: float = 0.5,
        longest_wait: float = 600.0,
        timeout: float = 900.0,
        give_up_after: int = 8,
    ) -> None:
        self.url, self.host = _endpoint(base_url)
        self.model, self.revision = model, revision
        self.loopback = _loopback(self.host)
        self.api_key_env = api_key_env
        self.max_in_flight, self.retries, self.backoff = max_in_flight, retries, backoff
        self.longest_wait, self.timeout = longest_wait, timeout
        self.give_up_after = give_up_after
        self.trouble: Counter[str] = Counter()
        where = identity or ("" if self.loopback else self.host)
        marks = (f"#{revision}" if revision else "", f"@{where}" if where else "")
        self.identity = model + "".join(marks)
        self._unanswered = 0
        self._key()

    async def sample(self, requests: Iterable[Request]) -> AsyncIterator[Completion]:
        """Completions as they finish; `requests` is read only as far as there is room."""
        source = iter(requests)
        running: set[asyncio.Task[Completion | None]] = set()
        finished: asyncio.Queue[asyncio.Task[Completion | None]] = asyncio.Queue()
        stop = asyncio.Event()
        failure: TeacherError | None = None
        async with self._session() as session:
            try:
                while True:
                    room = 0 if failure else self.max_in_flight - len(running)
                    for request in islice(source, room):
                        task = asyncio.create_task(self._complete(session, request, stop))
                        running.add(task)
                        task.add_done_callback(finished.put_nowait)
                    if not running:
                        break
                    task = await finished.get()
                    running.remove(task)
                    try:
                        completion = task.result()
                    except TeacherError as error:
                        failure = failure or error
                        stop.set()
                        continue
                    if completion is not None:
                        yield completion
            finally:
                for task in running:
                    task.cancel()
                await asyncio.gather(*running, return_exceptions=True)
        if failure:
            raise failure

    async def _complete(
        self, session: aiohttp.ClientSession, request: Request, stop: asyncio.Event
    ) -> Completion | None:
        """One request with its retries; None where the sampler stops before it has an answer."""
        key = request.key(self.identity)
        body = json.dumps(self._body(request, key)).encode()
        usage, answer, last = Usage(), Answer("", "", "error"), Trouble("")
        useless = 0
        for attempt in range(self.retries + 1):
            found, spent = await self._attempt(session, body)
            usage = answers.add(usage, spent)
            if isinstance(found, Answer):
                answer = found
                break
            last = found
            self.trouble[last.reason] += 1
            useless += last.answered
            if useless > PAID_RETRIES:
                break
            if attempt < self.retries and await _pause(stop, self._wait(attempt, last)):
                return None
        else:
            self._count_unanswered(last)
        return Completion(
            problem_id=request.problem_id,
            index=request.index,
            reasoning=answer.reasoning,
            text=answer.text,
            finish_reason=answer.finish_reason,
            usage=usage,
            teacher={"identity": self.identity, "model": self.model, "revision": self.revision},
            sampling=request.sampling,
            request_key=key,
        )

    async def _attempt(
        self, session: aiohttp.ClientSession, body: bytes
    ) -> tuple[Answer | Trouble, Usage]:
        try:
            async with session.post(self.url, data=body, allow_redirects=False) as response:
                content = await response.read()
        except TimeoutError:
            return Trouble("timeout"), Usage()
        except (aiohttp.ClientError, OSError) as error:
            return Trouble(f"connection: {type(error).__name__}"), Usage()
        if response.status == 200:
            self._unanswered = 0
            return answers.read(content)
        if response.status in PASSING or response.status >= 500:
            wait = answers.retry_after(response.headers.get("Retry-After"))
            return Trouble(f"status {response.status}", wait), Usage()
        raise TeacherError(self._refusal(response.status, content))

    def _body(self, request: Request, key: str) -> dict[str, Any]:
        """The seed is the request's own, so that samples of one problem differ and can repeat."""
        if clash := OURS & request.sampling.keys():
            raise TeacherError(f"sampling must not set {', '.join(sorted(clash))}")
        seed = int(key[:8], 16) >> 1
        body = {"model": self.model, "messages": request.messages, "seed": seed}
        return {k: v for k, v in (body | request.sampling).items() if v is not None}

    def _wait(self, attempt: int, trouble: Trouble) -> float:
        """Seconds until the next attempt: what the server asks for, at least the backoff."""
        if trouble.wait is not None and trouble.wait > self.longest_wait:
            raise TeacherError(
                f"the teacher at {self.host} asks to wait {trouble.wait:.0f} seconds "
                f"({trouble.reason}); run again later, what is done is kept"
            )
        backoff = min(60.0, self.backoff * 2**attempt) * random.uniform(0.5, 1.0)
        return max(backoff, trouble.wait or 0.0)

    def _count_unanswered(self, last: Trouble) -> None:
        """A request without an answer is a bad sample; many in a row are a dead endpoint."""
        if last.answered:
            return
        self._unanswered += 1
        if self._unanswered >= self.give_up_after:
            raise TeacherError(
                f"the teacher at {self.host} answered none of the last {self._unanswered} "
                f"requests in {self.retries + 1} attempts each (last: {last.reason})"
            )

    def _refusal(self, status: int, content: bytes) -> str:
        said = answers.complaint(content, hide=self._key())
        if status in (401, 403):
            what = f"refused the key in {self.api_key_env}"
        elif status == 404:
            what = f"knows no model {self.model!r}, or base_url is wrong"
        else:
            what = "refused a request"
        return f"the teacher at {self.host} {what} (status {status}){said and f': {said}'}"

    def _session(self) -> aiohttp.ClientSession:
        key = self._key()
        headers = {"Content-Type": "application/json"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=self.timeout, sock_connect=30),
            headers=headers,
            trust_env=not self.loopback,
        )

    def _key(self) -> str:
        key = os.environ.get(self.api_key_env, "").strip()
        if not key and not self.loopback:
            raise TeacherError(
                f"the teacher at {self.host} needs a key: "
                f"set the environment variable {self.api_key_env}"
            )
        if not (key.isascii() and key.isprintable()):
            raise TeacherError(f"the value of {self.api_key_env} is no key: it has odd characters")
        return key


def _endpoint(base_url: str) -> tuple[str, str]:
    """(URL of the chat endpoint, host) of a base_url."""
    try:
        parts = urlsplit(base_url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise TeacherError(f"base_url is no URL: {error}") from error
    if not host or parts.scheme not in ("http", "https"):
        raise TeacherError("base_url must look like https://host/v1")
    if parts.username or parts.password or parts.query:
        raise TeacherError("base_url must hold no password and no query; keys go into api_key_env")
    path = parts.path.rstrip("/").removesuffix("/chat/completions")
    return f"{parts.scheme}://{parts.netloc}{path}/chat/completions", host


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


async def _pause(stop: asyncio.Event, seconds: float) -> bool:
    """Wait; True as soon as the sampler stops."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return False
    return True
