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
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import openai
import orjson

from generators.ledger import Spent, shortened
from generators.teachers import answers
from generators.teachers.answers import Answer, Trouble
from generators.teachers.batch_journal import Batch, Journal
from generators.teachers.dialect import Dialect
from generators.teachers.endpoints import Key
from generators.teachers.errors import TeacherError
from generators.teachers.openai_api import DEFAULT_URL, OpenAISampler
from verifiers.records import Completion, Usage
from verifiers.sampler import Request

OPEN = ("validating", "in_progress", "finalizing", "cancelling")
ENDPOINT: Final = "/v1/chat/completions"
PASSING = (408, 409, 425, 429)
TRIES = 3
log = logging.getLogger("distill.teacher")


class Line(NamedTuple):
    """What came back for one request: an answer, or trouble; and what it cost."""

    key: str
    found: Answer | Trouble
    usage: Usage
    raw: bytes


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
        async with self._client() as client:
            desk = _Desk(head, source, await self._resumed(client))
            pause = self.pause
            while True:
                while len(desk.busy()) < self.at_once and await self._buy(client, desk):
                    pause = self.pause
                if not desk.busy():
                    return
                ended = False
                for batch in desk.busy():
                    with _sentences(self._endpoint.host, self._journal.file(batch)):
                        state = await client.batches.retrieve(str(batch.id))
                    if state.status not in OPEN:
                        ended = True
                        async for completion in self._collect(client, desk, batch, state):
                            yield completion
                pause = self.pause if ended else min(1.5 * pause, self.longest_pause)
                if not ended:
                    await asyncio.sleep(pause)

    async def _resumed(self, client: openai.AsyncOpenAI) -> list[Batch]:
        """The batches of the journal; one without an id is looked up by its mark."""
        found = []
        for batch in self._journal.load():
            if batch.id is None:
                batch.id = await self._by_mark(client, batch)
                if batch.id is None:
                    self._journal.forget(batch)
                    continue
                self._journal.note(batch)
            found.append(batch)
        return found

    async def _by_mark(self, client: openai.AsyncOpenAI, batch: Batch) -> str | None:
        with _sentences(self._endpoint.host):
            async for other in client.batches.list(limit=100):
                if (other.metadata or {}).get("distill") == batch.mark:
                    return other.id
                if other.created_at < batch.made - 86_400:
                    break
        return None

    async def _buy(self, client: openai.AsyncOpenAI, desk: _Desk) -> bool:
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
            batch = self._journal.plan(list(asked), int(time.time()))
            with _sentences(self._endpoint.host):
                upload = await client.files.create(file=file, purpose="batch")
        await self._create(client, batch, upload.id)
        batch.wanted = asked
        desk.add(batch)
        return True

    def _line(self, request: Request) -> bytes:
        key = request.key(self.identity)
        body = orjson.Fragment(self._dialect.body(request, key))
        line = {"custom_id": key, "method": "POST", "url": ENDPOINT, "body": body}
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)

    async def _create(self, client: openai.AsyncOpenAI, batch: Batch, upload: str) -> None:
        """Buy a batch. Where the answer is lost it is looked up, and never just asked again."""
        for last in (False, False, True):
            try:
                bought = await client.with_options(max_retries=0).batches.create(
                    input_file_id=upload, endpoint=ENDPOINT, completion_window="24h",
                    metadata={"distill": batch.mark},
                )  # fmt: skip
                batch.id = bought.id
            except (openai.APIConnectionError, openai.InternalServerError, openai.RateLimitError):
                await asyncio.sleep(self.pause)
                batch.id = await self._by_mark(client, batch)
                if batch.id is None and last:
                    self._journal.forget(batch)
                    raise TeacherError(
                        f"{self._endpoint.host} takes no batch just now; run again later, what is "
                        "done is kept"
                    ) from None
            except openai.APIError as error:
                self._journal.forget(batch)
                raise TeacherError(_sentence(self._endpoint.host, error)) from error
            if batch.id is not None:
                break
        self._journal.note(batch)
        log.info("batch %s: %d requests", batch.id, len(batch.keys))

    async def _collect(
        self, client: openai.AsyncOpenAI, desk: _Desk, batch: Batch, state: Any
    ) -> AsyncIterator[Completion]:
        """What an ended batch brought for those who want it; the rest goes back to the desk."""
        for file in (state.output_file_id, state.error_file_id):
            if not file:
                continue
            async for line in self._lines(client, batch, file):
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

    async def _lines(
        self, client: openai.AsyncOpenAI, batch: Batch, file: str
    ) -> AsyncIterator[Line]:
        """The lines of a result file, by way of the disk: a file may be larger than memory."""
        with TemporaryDirectory() as scratch:
            kept = Path(scratch) / "results.jsonl"
            with _sentences(self._endpoint.host, self._journal.file(batch)):
                async with client.files.with_streaming_response.content(file) as response:
                    await response.stream_to_file(kept)
            with kept.open("rb") as stream:
                for raw in stream:
                    if raw.strip() and (line := _read(raw)):
                        yield line

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
    async def _client(self) -> AsyncIterator[openai.AsyncOpenAI]:
        async with openai.AsyncOpenAI(
            api_key=self._key.read() or "none", base_url=self._endpoint.root, max_retries=5
        ) as client:
            yield client


class _Desk:
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


def _read(raw: bytes) -> Line | None:
    """One line of a result file; None where it names no request."""
    try:
        line = answers.loads(raw)
        key = line["custom_id"]
    except (ValueError, KeyError, TypeError):
        return None
    response = line.get("response") if isinstance(line.get("response"), dict) else {}
    status = response.get("status_code")
    if status == 200:
        reading = answers.read(orjson.dumps(response.get("body")))
        found = reading.found if isinstance(reading.found, Trouble) else reading.found[0]
        return Line(key, found, reading.usage, raw)
    refused = isinstance(status, int) and 400 <= status < 500 and status not in PASSING
    return Line(key, Trouble(f"status {status}", final=refused), Usage(), raw)


@contextmanager
def _sentences(host: str, noted: Path | None = None) -> Iterator[None]:
    """Errors of the service as TeacherError; `noted` is the file of the batch in question."""
    try:
        yield
    except openai.NotFoundError as error:
        if noted is None:
            raise TeacherError(_sentence(host, error)) from error
        raise TeacherError(
            f"{host} does not know a batch that was bought, or no longer has its results. Is it "
            f"the same key and project? Remove {noted} to buy its requests once more"
        ) from error
    except openai.APIError as error:
        raise TeacherError(_sentence(host, error)) from error


def _sentence(host: str, error: openai.APIError) -> str:
    status = getattr(error, "status_code", None)
    if status in (401, 403):
        return f"{host} refused the key (status {status})"
    said = " ".join(str(error.message).split())[:300]
    return f"{host} failed at its batches: {said}; run again, what is bought is collected then"
