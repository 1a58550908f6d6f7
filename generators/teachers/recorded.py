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

LAYOUTS = (
    ("prompt", "completion"),
    ("prompt", "completions"),
    ("conversations", "conversations"),
    ("problem", "generations"),
    ("messages", "messages"),
    ("problem", "solution"),
    ("question", "solution"),
    ("question", "answer"),
)
ROLES = {"human": "user", "gpt": "assistant"}
CLAIMS = ("correctness_math_verify", "correctness_llama", "correctness")


class Chain(NamedTuple):
    """One recorded completion, the column it stood in, and what the file says of it."""

    text: str
    reasoning: str
    finish_reason: FinishReason
    column: str
    claimed: str = ""


class RecordedSampler:
    """Answers a request with what was recorded for its last user message.

    `prompt` names the column of prompts (a string or a chat), `columns` those of completions (a
    string, a chat whose last turn it is, or a list of strings), as dotted paths where they are
    nested. Where they are absent each row is read in the first layout of LAYOUTS whose columns it
    has: ours, and those of OpenThoughts, OpenR1, NuminaMath and GSM8K. A row with k completions
    gives k samples; further rows of the same prompt count on from there. Completion number `index`
    answers a request of that index. Where none is recorded nothing is yielded, and `missing` counts
    it. What a file says about correctness is kept as `claimed` in the completion's teacher, and is
    no verdict. The whole file is held in memory.

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
            completion = self.find(request)
            if completion is None:
                self.missing += 1
            else:
                yield completion

    def find(self, request: Request) -> Completion | None:
        """What is recorded for a request; None where nothing is."""
        chains = self._chains.get(_question(request.messages), [])
        chain = chains[request.index] if 0 <= request.index < len(chains) else None
        if chain is None:
            return None
        about = {"identity": self.identity, "model": self.path.name, "column": chain.column}
        return Completion(
            problem_id=request.problem_id,
            index=request.index,
            reasoning=chain.reasoning,
            text=chain.text,
            finish_reason=chain.finish_reason,
            usage=Usage(cost=0.0),
            teacher=about | ({"claimed": chain.claimed} if chain.claimed else {}),
            sampling=request.sampling,
            request_key=request.key(self.identity),
        )


def _load(path: Path, prompt: str | None, columns: Sequence[str]) -> dict[str, list[Chain | None]]:
    """Completions by question; a hole where a row has nothing in a column, so that indexes stay."""
    found: dict[str, list[Chain | None]] = {}
    asked, filled, known = False, set[str](), dict[str, None]()
    for row in _rows(path):
        known |= dict.fromkeys(_paths(row))
        name, usual = _layout(row, prompt)
        question = _question(_parsed(_at(row, name)))
        if not question:
            continue
        asked = True
        for column in columns or (usual,):
            chains = _chains(row, column, name)
            filled |= {column for chain in chains if chain}
            found.setdefault(question, []).extend(chains)
    absent = [] if asked else [prompt or "prompt"]
    absent += [column for column in columns if column not in filled]
    absent += [] if filled or absent else ["completion"]
    if absent:
        raise TeacherError(
            f"no row of {path} has anything in column {absent[0]!r}; "
            f"its columns are {', '.join(known) or 'none, the file is empty'}"
        )
    return found


def _layout(row: dict[str, Any], prompt: str | None) -> tuple[str, str]:
    """The columns of prompt and completions, where the recipe does not name them."""
    fitting = [(p, c) for p, c in LAYOUTS if c in row and (p in row or prompt)]
    usual = fitting[0] if fitting else LAYOUTS[0]
    return prompt or usual[0], usual[1]


def _chains(row: dict[str, Any], column: str, prompt: str) -> list[Chain | None]:
    """What a row holds in a column: one completion, or each of a list of them."""
    value = _parsed(_at(row, column))
    if value is None and isinstance(chat := _parsed(_at(row, prompt)), list):
        value = chat
    if isinstance(value, list) and value and not any(isinstance(turn, dict) for turn in value):
        return [_chain(row, text, f"{column}.{n}", n) for n, text in enumerate(value)]
    if isinstance(value, list):
        role, value = _turn(value[-1] if value else None)
        value = value if role == "assistant" else None
    return [_chain(row, value, column)]


def _chain(row: dict[str, Any], value: Any, column: str, number: int | None = None) -> Chain | None:
    """One completion, with what the row says of it in columns beside, lists where it has several.

    OpenR1 names an ending for each generation, or only whether its reasoning is complete.
    """
    if not isinstance(value, str):
        return None

    def beside(name: str) -> Any:
        said = row.get(name)
        if number is None or not isinstance(said, list):
            return None if isinstance(said, list) else said
        return said[number] if number < len(said) else None

    reasoning, text = split_thinking(value)
    ending = beside("finish_reason") or beside("finish_reasons")
    cut = ending == "length" or (not ending and beside("is_reasoning_complete") is False)
    claims = [said for said in map(beside, CLAIMS) if isinstance(said, bool)]
    return Chain(
        text=text,
        reasoning=reasoning or str(row.get("reasoning") or ""),
        finish_reason="length" if cut else "stop",
        column=column,
        claimed=("correct" if claims[0] else "wrong") if claims else "",
    )


def _turn(turn: Any) -> tuple[str, Any]:
    """(role, text) of a turn in a chat, in either of the two spellings."""
    if not isinstance(turn, dict):
        return "", None
    role = str(turn.get("role") or turn.get("from") or "")
    return ROLES.get(role, role), turn.get("content", turn.get("value"))


def _question(prompt: Any) -> str:
    """The last user message of a chat, or the prompt itself."""
    if isinstance(prompt, list):
        users = [text for role, text in map(_turn, prompt) if role == "user"]
        prompt = users[-1] if users else None
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
