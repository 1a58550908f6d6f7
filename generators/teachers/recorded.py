"""A teacher whose chains exist already: a JSONL or Parquet file of prompts and completions."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from generators.teachers.errors import TeacherError
from generators.teachers.thinking import split_thinking
from verifiers.records import Completion, FinishReason, Usage, content_id
from verifiers.sampler import Request


class Chain(NamedTuple):
    """One recorded completion and the column it stood in."""

    text: str
    reasoning: str
    finish_reason: FinishReason
    column: str


class RecordedSampler:
    """Answers a request with what was recorded for its last user message.

    `prompt` names the column of prompts (a string or chat messages; by default `prompt`, else
    `messages`), `columns` those of completions, as dotted paths where they are nested. A row with
    k columns gives k completions; further rows of the same prompt count on from there. Completion
    number `index` answers a request of that index. Where none is recorded nothing is yielded, and
    `missing` counts it. The whole file is held in memory.

    Raises TeacherError where the file or a column is absent, or a line is no JSON object.
    """

    batch = 1

    def __init__(
        self, path: Path | str, *, prompt: str | None = None, columns: Sequence[str] = ()
    ) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise TeacherError(f"there is no file {self.path} with recorded chains")
        self.missing = 0
        self.identity = f"recorded:{_hash(self.path)}"
        if prompt or columns:
            self.identity += f":{content_id([prompt, *columns])[:8]}"
        self._chains = _load(self.path, prompt, columns)

    async def sample(self, requests: Iterable[Request]) -> AsyncIterator[Completion]:
        """The recorded completions, in the order of the requests."""
        for request in requests:
            await asyncio.sleep(0)
            chain = self._find(request)
            if chain is None:
                self.missing += 1
                continue
            yield Completion(
                problem_id=request.problem_id,
                index=request.index,
                reasoning=chain.reasoning,
                text=chain.text,
                finish_reason=chain.finish_reason,
                usage=Usage(cost=0.0),
                teacher={
                    "identity": self.identity,
                    "model": self.path.name,
                    "column": chain.column,
                },
                sampling=request.sampling,
                request_key=request.key(self.identity),
            )

    def _find(self, request: Request) -> Chain | None:
        chains = self._chains.get(_question(request.messages), [])
        return chains[request.index] if 0 <= request.index < len(chains) else None


def _load(path: Path, prompt: str | None, columns: Sequence[str]) -> dict[str, list[Chain | None]]:
    """Completions by question; a hole where a row has nothing in a column, so that indexes stay."""
    found: dict[str, list[Chain | None]] = {}
    asked, filled, known = False, set[str](), dict[str, None]()
    for row in _rows(path):
        known |= dict.fromkeys(_paths(row))
        name = prompt or ("prompt" if "prompt" in row else "messages")
        chat = _parsed(_at(row, name))
        question = _question(chat)
        if not question:
            continue
        asked = True
        chains = [_chain(row, column, chat) for column in columns or ("completion",)]
        filled |= {chain.column for chain in chains if chain}
        found.setdefault(question, []).extend(chains)
    absent = [] if asked else [prompt or "prompt"]
    absent += [column for column in columns or ("completion",) if column not in filled]
    if absent:
        raise TeacherError(
            f"no row of {path} has anything in column {absent[0]!r}; "
            f"its columns are {', '.join(known) or 'none, the file is empty'}"
        )
    return found


def _chain(row: dict[str, Any], column: str, chat: Any) -> Chain | None:
    """What a row holds in a column; the chat's own last turn where it has no such column."""
    value = _parsed(_at(row, column))
    if value is None and isinstance(chat, list):
        value = chat
    if isinstance(value, list):
        last = value[-1] if value else None
        answered = isinstance(last, dict) and last.get("role") == "assistant"
        value = last.get("content") if answered and isinstance(last, dict) else None
    if not isinstance(value, str):
        return None
    reasoning, text = split_thinking(value)
    finish: FinishReason = "length" if row.get("finish_reason") == "length" else "stop"
    return Chain(text, reasoning or str(row.get("reasoning") or ""), finish, column)


def _question(prompt: Any) -> str:
    """The last user message of a chat, or the prompt itself."""
    if isinstance(prompt, list):
        users = [turn for turn in prompt if isinstance(turn, dict) and turn.get("role") == "user"]
        prompt = users[-1].get("content") if users else None
    return prompt.strip() if isinstance(prompt, str) else ""


def _parsed(value: Any) -> Any:
    """Chat messages that Parquet keeps as JSON text, as a list."""
    if isinstance(value, str) and value.startswith("[{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _at(row: Any, path: str) -> Any:
    """The value at a dotted path; a column whose name holds the dots itself goes first."""
    if path in row:
        return row[path]
    for part in path.split("."):
        row = row.get(part) if isinstance(row, dict) else None
    return row


def _paths(row: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """The dotted paths of a row's values."""
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _paths(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if path.suffix == ".parquet":
        yield from _parquet(path)
        return
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise TeacherError(f"{path} line {number} is no JSON: {error}") from error
            if not isinstance(row, dict):
                raise TeacherError(f"{path} line {number} is no JSON object")
            yield row


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(1024):
                yield from batch.to_pylist()
    except pa.ArrowInvalid as error:
        raise TeacherError(f"{path} is no Parquet file: {error}") from error


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:24]
