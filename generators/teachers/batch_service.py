"""The service behind a batch sampler: files go up, batches are bought, results come down.

Its errors are TeacherErrors of one sentence.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import openai
import orjson

from generators.teachers import answers
from generators.teachers.answers import Answer, Trouble
from generators.teachers.batch_journal import Batch, Journal
from generators.teachers.errors import TeacherError, TeacherRefusal
from verifiers.records import Usage

OPEN = ("validating", "in_progress", "finalizing", "cancelling")
ENDPOINT: Final = "/v1/chat/completions"
PASSING = (408, 409, 425, 429)
log = logging.getLogger("distill.teacher")


class Line(NamedTuple):
    """What came back for one request: an answer, or trouble; and what it cost."""

    key: str
    found: Answer | Trouble
    usage: Usage
    raw: bytes


class Service:
    """The batch API of one host; `journal` notes what is bought, `pause` is in seconds."""

    def __init__(self, client: openai.AsyncOpenAI, host: str, journal: Journal, pause: float):
        self._client, self._host, self._journal, self._pause = client, host, journal, pause

    async def resumed(self) -> list[Batch]:
        """The batches of the journal; one without an id is looked up by its mark."""
        found = []
        for batch in self._journal.load():
            if batch.id is None:
                batch.id = await self._by_mark(batch)
                if batch.id is None:
                    self._journal.forget(batch)
                    continue
                self._journal.note(batch)
            found.append(batch)
        return found

    async def buy(self, file: Path, keys: list[str], made: int) -> Batch:
        """Send the requests in `file`, which have these keys; `made` is the Unix time now.

        Where the answer is lost the batch is looked up, and never just asked for again.
        """
        with _sentences(self._host):
            upload = await self._client.files.create(file=file, purpose="batch")
        batch = self._journal.plan(keys, made)
        for last in (False, False, True):
            try:
                bought = await self._client.with_options(max_retries=0).batches.create(
                    input_file_id=upload.id, endpoint=ENDPOINT, completion_window="24h",
                    metadata={"distill": batch.mark},
                )  # fmt: skip
                batch.id = bought.id
            except (openai.APIConnectionError, openai.InternalServerError, openai.RateLimitError):
                await asyncio.sleep(self._pause)
                batch.id = await self._by_mark(batch)
                if batch.id is None and last:
                    self._journal.forget(batch)
                    raise TeacherError(
                        f"{self._host} takes no batch just now; run again later, what is "
                        "done is kept"
                    ) from None
            except openai.APIError as error:
                self._journal.forget(batch)
                raise _failure(self._host, error) from error
            if batch.id is not None:
                break
        self._journal.note(batch)
        log.info("batch %s: %d requests", batch.id, len(batch.keys))
        return batch

    async def _by_mark(self, batch: Batch) -> str | None:
        with _sentences(self._host):
            async for other in self._client.batches.list(limit=100):
                if (other.metadata or {}).get("distill") == batch.mark:
                    return other.id
                if other.created_at < batch.made - 86_400:
                    break
        return None

    async def ended(self, batch: Batch) -> Any | None:
        """The state of a batch that has ended; None while it has not."""
        with _sentences(self._host, self._journal.file(batch)):
            state = await self._client.batches.retrieve(str(batch.id))
        return None if state.status in OPEN else state

    async def results(self, batch: Batch, state: Any) -> AsyncIterator[Line]:
        """What an ended batch brought, by way of the disk: a file may be larger than memory."""
        for file in (state.output_file_id, state.error_file_id):
            if not file:
                continue
            with TemporaryDirectory() as scratch:
                kept = Path(scratch) / "results.jsonl"
                with _sentences(self._host, self._journal.file(batch)):
                    content = self._client.files.with_streaming_response.content(file)
                    async with content as response:
                        await response.stream_to_file(kept)
                with kept.open("rb") as stream:
                    for raw in stream:
                        if raw.strip() and (line := _read(raw)):
                            yield line


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
            raise TeacherRefusal(
                f"{host} has no batch API at this base_url ({_said(error)}); backend openai asks "
                "an endpoint without one"
            ) from error
        raise TeacherError(
            f"{host} does not know a batch that was bought, or no longer has its results. Is it "
            f"the same key and project? Remove {noted} to buy its requests once more"
        ) from error
    except openai.APIError as error:
        raise _failure(host, error) from error


def _failure(host: str, error: openai.APIError) -> TeacherError:
    status = getattr(error, "status_code", None)
    if status in (401, 403):
        return TeacherRefusal(f"{host} refused the key (status {status})")
    return TeacherError(
        f"{host} failed at its batches: {_said(error)}; run again, what is bought is collected then"
    )


def _said(error: openai.APIError) -> str:
    return " ".join(str(error.message).split())[:300]
