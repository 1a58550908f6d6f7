"""A teacher, or a student to be measured, on a vLLM server of our own."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from generators.intake import pauses
from generators.ledger import Spent
from generators.teachers.endpoints import Endpoint
from generators.teachers.errors import TeacherError
from generators.teachers.openai_api import OpenAISampler
from generators.teachers.servers import Servers
from generators.teachers.vllm_server import VllmServer
from generators.vllm_config import VllmConfig
from verifiers.records import Completion, content_id
from verifiers.sampler import Request

CRASHES = 4
SHORT = 8


class VllmSampler:
    """Samples from `model` on the server that `servers` keeps for it.

    The server is started when the first request comes. Where it crashes it is started again and
    what was under way is asked again; what met two crashes is asked alone, and where it brings the
    server down alone it becomes a completion with finish_reason "error". The identity names a
    local folder by `content`, its hash, and holds the options that change what the model says.

    `client` are further arguments of the OpenAISampler that asks it.

    Raises TeacherError where the server does not start, or crashes four times in a row without an
    answer in between. `spent` holds answers that no completion holds.
    """

    batch = 1
    continues = True

    def __init__(
        self,
        model: str,
        config: VllmConfig,
        servers: Servers,
        *,
        content: str = "",
        revision: str = "",
        identity: str = "",
        **client: Any,
    ) -> None:
        self.name = Path(model).name if Path(model).is_dir() else model
        self.model, self.config, self.servers = model, config, servers
        self.revision, self.client = revision, client
        shaping = config.shaping()
        marks = (content, content_id(shaping)[:SHORT] if shaping else "", identity)
        self.spent: deque[Spent] = deque()
        self.endpoints: list[Endpoint] = []
        self._where = "-".join(filter(None, marks))
        self.identity = self._client("http://127.0.0.1/v1").identity

    async def sample(self, requests: Iterable[Request]) -> AsyncIterator[Completion]:
        """Completions as they finish; `requests` is read only as far as there is room."""
        waiting = _Waiting(requests, self.identity)
        in_a_row = 0
        while waiting.more():
            server = self.server
            client = self._client(await server.up())
            client.spent, self.endpoints = self.spent, client.endpoints
            inner: Any = client.sample(waiting)
            lost = asyncio.ensure_future(server.lost())
            coming = asyncio.ensure_future(anext(inner, None))
            crashed = True
            try:
                while True:
                    await asyncio.wait({coming, lost}, return_when=asyncio.FIRST_COMPLETED)
                    if not coming.done():
                        break
                    completion = coming.result()
                    if completion is None:
                        crashed = False
                        break
                    if completion.finish_reason == "error" and not server.alive:
                        break
                    waiting.settle(completion)
                    in_a_row = 0
                    yield completion
                    coming = asyncio.ensure_future(anext(inner, None))
            except TeacherError:
                if server.alive:
                    raise
            finally:
                coming.cancel()
                lost.cancel()
                await asyncio.gather(coming, lost, return_exceptions=True)
                await inner.aclose()
            if not crashed:
                continue
            in_a_row += 1
            words = server.last_words()
            await asyncio.to_thread(server.stop)
            if in_a_row == CRASHES:
                raise TeacherError(
                    f"vLLM ended {CRASHES} times in a row without an answer, while it was asked "
                    f"{waiting.named()}; the end of {server.log}:{words}"
                )
            for request in waiting.crashed():
                yield self._failed(request)

    @property
    def server(self) -> VllmServer:
        """The server that answers, started or not."""
        return self.servers.server(self.model, self.name, self.config, self.revision)

    def _client(self, base_url: str) -> OpenAISampler:
        return OpenAISampler(
            self.name,
            base_url=base_url,
            revision=self.revision,
            identity=self._where,
            api_key_env="VLLM_API_KEY",
            may_change=True,
            **self.client,
        )

    def _failed(self, request: Request) -> Completion:
        return Completion(
            problem_id=request.problem_id,
            index=request.index,
            text="",
            finish_reason="error",
            teacher={"identity": self.identity, "model": self.name, "revision": self.revision},
            sampling=request.sampling,
            request_key=request.key(self.identity),
        )


class _Waiting:
    """Requests that are to be asked, those first that were under way when a server was lost."""

    def __init__(self, requests: Iterable[Request], identity: str) -> None:
        self._fresh = iter(requests)
        self.full = pauses(requests)
        self._again: list[tuple[Request, int]] = []
        self._under_way: dict[tuple[str, str], list[tuple[Request, int]]] = {}
        self._identity = identity
        self._alone = False

    def __iter__(self) -> Iterator[Request]:
        return self

    def __next__(self) -> Request:
        if self._alone:
            raise StopIteration
        request, crashes = self._again.pop() if self._again else (next(self._fresh), 0)
        self._alone = crashes > 1
        key = (request.problem_id, request.key(self._identity))
        self._under_way.setdefault(key, []).append((request, crashes))
        return request

    def more(self) -> bool:
        """Whether there is anything left to ask; reads one request ahead to see."""
        self._alone = False
        if not self._again:
            self._again = [(request, 0) for request in islice(self._fresh, 1)]
        return bool(self._again)

    def settle(self, completion: Completion) -> None:
        """One request less that is under way."""
        key = (completion.problem_id, completion.request_key)
        twins = self._under_way[key]
        twins.pop()
        if not twins:
            del self._under_way[key]

    def crashed(self) -> list[Request]:
        """Take what is under way back, to be asked again; the one that crashed a server alone."""
        asked = [pair for twins in self._under_way.values() for pair in twins]
        self._under_way.clear()
        guilty = [request for request, _ in asked if self._alone]
        again = [(request, crashes + 1) for request, crashes in asked if not self._alone]
        self._again = sorted([*self._again, *again], key=lambda pair: pair[1])
        return guilty

    def named(self) -> str:
        """Some of the problems that are under way."""
        names = [problem for problem, _ in self._under_way]
        return (
            f"{', '.join(names[:3])} and {len(names) - 3} more" if names[3:] else ", ".join(names)
        )
