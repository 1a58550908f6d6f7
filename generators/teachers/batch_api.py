"""A teacher behind a batch API of OpenAI's kind: half the price, an answer within a day.

Requests go up as files of JSON lines and come back likewise, https://platform.openai.com/docs/guides/batch.
Each batch is noted in a journal before it is bought, so a run that was killed finds its batches
again and collects them; nothing is bought twice. It was never run against the real service.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import openai
import orjson

from generators.ledger import Spent, shortened
from generators.teachers.answers import Answer, Trouble
from generators.teachers.batch_desk import TRIES, Desk
from generators.teachers.batch_journal import Batch, Journal
from generators.teachers.batch_service import ENDPOINT, Line, Service
from generators.teachers.dialect import Dialect
from generators.teachers.endpoints import Key
from generators.teachers.errors import TeacherError
from generators.teachers.openai_api import DEFAULT_URL, OpenAISampler
from verifiers.records import Completion, Usage
from verifiers.sampler import Request

log = logging.getLogger("distill.teacher")


class BatchSampler:
    """Samples from `model` in batches of at most `most` requests and `most_bytes` of JSON.

    `at_once` batches are under way at a time. `pause` is the time in seconds between two looks at
    them, growing up to `longest_pause`. `journal` is the folder in which bought batches are noted.
    A request that a batch left unanswered (it expired, the server failed) goes into another one,
    three times at most; then it is a completion with finish_reason "error", as is one that the
    server refuses. `spent` holds paid answers that no completion holds.

    Raises TeacherError where a batch is refused or was cancelled, or the service is out of reach;
    what was answered is delivered before that, and running again collects the rest.
    """

    batch = 1

    def __init__(
        self,
        model: str,
        base_url: str | Sequence[str] = DEFAULT_URL,
        *,
        journal: Path,
        revision: str = "",
        identity: str = "",
        api_key_env: str = "OPENAI_API_KEY",
        api_key_file: str | None = None,
        most: int = 50_000,
        most_bytes: int = 190 << 20,
        at_once: int = 4,
        pause: float = 5.0,
        longest_pause: float = 120.0,
    ) -> None:
        asker = OpenAISampler(
            model, base_url, revision=revision, identity=identity, api_key_env=api_key_env,
            api_key_file=api_key_file,
        )  # fmt: skip
        if len(asker.endpoints) > 1:
            raise TeacherError("backend batch asks one endpoint: base_url must be one address")
        self.identity, self._endpoint = asker.identity, asker.endpoints[0]
        self._teacher = {"identity": self.identity, "model": model, "revision": revision}
        self._key = Key(api_key_env, api_key_file, asker.host, optional=asker.loopback)
        self._journal = Journal(journal, self.identity)
        self._dialect = Dialect(model)
        self._dialect.renamed.add("max_tokens")
        self.most, self.most_bytes, self.at_once = most, most_bytes, at_once
        self.pause, self.longest_pause = pause, longest_pause
        self.spent: deque[Spent] = deque()

    async def sample(self, requests: Iterable[Request]) -> AsyncIterator[Completion]:
        """Completions as their batches end; requests are read a batch at a time."""
        source = iter(requests)
        head = list(islice(source, 1))
        if not head:
            return
        async with self._service() as service:
            desk = Desk(head, source, await service.resumed())
            pause = self.pause
            while True:
                while len(desk.busy()) < self.at_once and await self._buy(service, desk):
                    pause = self.pause
                if not desk.busy():
                    return
                ended = False
                for batch in desk.busy():
                    if (state := await service.ended(batch)) is not None:
                        ended = True
                        async for completion in self._collect(service, desk, batch, state):
                            yield completion
                pause = self.pause if ended else min(1.5 * pause, self.longest_pause)
                if not ended:
                    await asyncio.sleep(pause)

    async def _buy(self, service: Service, desk: Desk) -> bool:
        """Send one more batch; False where nothing is left to ask."""
        with TemporaryDirectory() as scratch:
            file = Path(scratch) / "requests.jsonl"
            with file.open("wb") as stream:
                asked: dict[str, list[Request]] = {}
                size = 0
                for request in desk.fresh(self.identity, asked):
                    line = self._line(request)
                    size += stream.write(line)
                    if len(asked) >= self.most or size + 2 * len(line) > self.most_bytes:
                        break
            if not asked:
                return False
            batch = await service.buy(file, list(asked), int(time.time()))
        batch.wanted = asked
        desk.add(batch)
        return True

    def _line(self, request: Request) -> bytes:
        key = request.key(self.identity)
        body = orjson.Fragment(self._dialect.body(request, key))
        line = {"custom_id": key, "method": "POST", "url": ENDPOINT, "body": body}
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)

    async def _collect(
        self, service: Service, desk: Desk, batch: Batch, state: Any
    ) -> AsyncIterator[Completion]:
        """What an ended batch brought for those who want it; the rest goes back to the desk."""
        async for line in service.results(batch, state):
            for request in batch.wanted.pop(line.key, []):
                if isinstance(line.found, Answer):
                    yield self._completion(request, line.found, line.usage)
                    continue
                self._note_spent(line)
                if line.found.final or desk.again(request, line.key) >= TRIES:
                    yield self._completion(request, Answer("", "", "error"), Usage())
        missed, batch.wanted = batch.wanted, {}
        if state.status == "failed":
            self._journal.forget(batch)
            self._shrink(batch, state)
        for key, requests in missed.items():
            for request in requests:
                if desk.again(request, key, counts=state.status != "failed") >= TRIES:
                    yield self._completion(request, Answer("", "", "error"), Usage())
        if state.status == "cancelled" and missed:
            self._journal.forget(batch)
            raise TeacherError(
                f"batch {batch.id} was cancelled; run again to ask the {len(missed)} requests that "
                "it left"
            )

    def _shrink(self, batch: Batch, state: Any) -> None:
        """A batch that was not accepted: a smaller one where it was too much, else TeacherError."""
        errors = [error for error in (state.errors.data if state.errors else None) or []]
        said = "; ".join(str(error.message) for error in errors[:3]) or "no reason is given"
        if len(batch.keys) > 1 and any("limit" in str(error.code) for error in errors):
            self.most = max(1, len(batch.keys) // 2)
            log.warning("batch %s was too much (%s); smaller ones follow", batch.id, said)
            return
        raise TeacherError(f"{self._endpoint.host} refused batch {batch.id}: {said[:500]}")

    def _note_spent(self, line: Line) -> None:
        if isinstance(line.found, Trouble) and line.found.answered:
            self.spent.append(
                Spent(line.key, self.identity, line.found.reason, line.usage.prompt_tokens,
                      line.usage.completion_tokens, line.usage.cost, 0.0, shortened(line.raw))
            )  # fmt: skip

    def _completion(self, request: Request, answer: Answer, usage: Usage) -> Completion:
        return Completion(
            problem_id=request.problem_id,
            index=request.index,
            reasoning=answer.reasoning,
            text=answer.text,
            finish_reason=answer.finish_reason,
            usage=usage,
            logprobs=answer.logprobs,
            top_logprobs=answer.top_logprobs,
            teacher=self._teacher,
            sampling=request.sampling,
            request_key=request.key(self.identity),
        )

    @asynccontextmanager
    async def _service(self) -> AsyncIterator[Service]:
        async with openai.AsyncOpenAI(
            api_key=self._key.read() or "none", base_url=self._endpoint.root, max_retries=5
        ) as client:
            yield Service(client, self._endpoint.host, self._journal, self.pause)
