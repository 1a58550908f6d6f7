"""The store: every completion that was paid for and every verdict, in one SQLite file.

Completions are keyed by their request key, so the same request of the same model is never paid
twice. A completion is stored before anything judges it. Each row has a checksum; a row that does
not match is named in `Store.damaged` and treated as absent, so it is made again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

from verifiers.records import Completion, Verdict, completion_id
from verifiers.sampler import Request, Sampler

SCHEMA = """
CREATE TABLE IF NOT EXISTS completions (
    request_key TEXT PRIMARY KEY, body TEXT NOT NULL, checksum TEXT NOT NULL,
    teacher TEXT NOT NULL, finish_reason TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, cost REAL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS verdicts (
    completion_id TEXT NOT NULL, judge TEXT NOT NULL, body TEXT NOT NULL, checksum TEXT NOT NULL,
    PRIMARY KEY (completion_id, judge)
) WITHOUT ROWID;
"""
COLUMNS = "request_key, body, checksum"
LOOK_UP = 500
COMMIT_PAUSE = 0.001
COMMIT_AFTER = 0.02
COMMIT_MOST = 256


class Store:
    """Completions and verdicts in the SQLite file `path`, created where absent.

    `readonly`: nothing is written, also while another process writes; the file must be there.
    """

    def __init__(self, path: Path, readonly: bool = False):
        self.damaged: set[str] = set()
        if readonly:
            in_use = path.with_name(f"{path.name}-wal").exists()
            uri = f"{path.resolve().as_uri()}?{'mode=ro' if in_use else 'immutable=1'}"
            self._db = sqlite3.connect(uri, uri=True, isolation_level=None)
            return
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def put(self, completions: Sequence[Completion]) -> None:
        """Store completions, all of them or none."""
        rows = []
        for completion in completions:
            body = completion.model_dump_json(exclude_defaults=True)
            usage = completion.usage
            rows.append((
                completion.request_key, body, _checksum(body),
                completion.teacher.get("identity", ""), completion.finish_reason,
                usage.prompt_tokens, usage.completion_tokens, usage.cost,
            ))  # fmt: skip
        with self._transaction():
            self._db.executemany(
                "INSERT OR REPLACE INTO completions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows
            )

    def get(self, keys: Sequence[str]) -> dict[str, Completion]:
        """The stored completions among `keys`."""
        found: dict[str, Completion] = {}
        for part in _chunks(keys):
            marks = ",".join("?" * len(part))
            query = f"SELECT {COLUMNS} FROM completions WHERE request_key IN ({marks})"
            for key, body, checksum in self._db.execute(query, part):
                if self._intact(key, body, checksum):
                    found[key] = Completion.model_validate_json(body)
        return found

    def put_verdicts(self, judge: str, verdicts: Iterable[tuple[str, Verdict]]) -> None:
        """Store verdicts of one judge, by completion id."""
        rows = []
        for completion, verdict in verdicts:
            body = json.dumps(verdict.model_dump())
            rows.append((completion, judge, body, _checksum(body)))
        with self._transaction():
            self._db.executemany("INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?, ?)", rows)

    def verdict(self, completion: str, judge: str) -> Verdict | None:
        """What `judge` said of a completion."""
        row = self._db.execute(
            "SELECT body, checksum FROM verdicts WHERE completion_id = ? AND judge = ?",
            (completion, judge),
        ).fetchone()
        if row is None or not self._intact(completion, *row):
            return None
        return Verdict.model_validate_json(row[0])

    def verdicts(self, completion: str) -> list[Verdict]:
        """What every judge said of a completion."""
        rows = self._db.execute(
            "SELECT body, checksum FROM verdicts WHERE completion_id = ? ORDER BY judge",
            (completion,),
        )
        return [
            Verdict.model_validate_json(body)
            for body, checksum in rows
            if self._intact(completion, body, checksum)
        ]

    def find(self, completion: str, problem: str | None = None) -> Completion | None:
        """A completion by its id, as an answer to `problem`; looks through the whole store."""
        for key, body, checksum in self._db.execute(f"SELECT {COLUMNS} FROM completions"):
            own = completion in body or (problem and completion_id(problem, key) == completion)
            if own and self._intact(key, body, checksum):
                found = Completion.model_validate_json(body)
                for answer in (found, found.answering(problem or found.problem_id)):
                    if answer.id == completion:
                        return answer
        return None

    def ledger(self) -> list[dict[str, object]]:
        """What was paid, a row for each teacher."""
        names = ("teacher", "completions", "prompt_tokens", "completion_tokens", "cost")
        rows = self._db.execute(
            "SELECT teacher, count(*), sum(prompt_tokens), sum(completion_tokens), sum(cost) "
            "FROM completions GROUP BY teacher ORDER BY teacher"
        )
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _intact(self, name: str, body: str, checksum: str) -> bool:
        intact = _checksum(body) == checksum
        if not intact:
            self.damaged.add(name)
        return intact

    def _transaction(self) -> sqlite3.Connection:
        self._db.execute("BEGIN IMMEDIATE")
        return self._db


class Stored:
    """A sampler that asks another one only for what the store does not hold yet."""

    def __init__(self, sampler: Sampler, store: Store):
        self.sampler = sampler
        self.store = store
        self.identity = sampler.identity
        self.batch = sampler.batch
        self.asked = 0

    async def sample(self, requests: Iterable[Request]) -> AsyncIterator[Completion]:
        """Stored completions as they are, missing ones from the sampler, stored first."""
        waiting = iter(requests)
        while chunk := list(islice(waiting, LOOK_UP)):
            known = self._known(chunk)
            if len(known) < len(chunk):
                break
            for completion in known.values():
                yield completion
        else:
            return
        ready: deque[Completion] = deque()
        twins: dict[str, list[Request]] = {}
        missing = self._missing(chain(chunk, waiting), ready, twins)
        async for fresh in self._together(self.sampler.sample(missing)):
            ready.extend(self._keep(fresh, twins))
            while ready:
                yield ready.popleft()
        while ready:
            yield ready.popleft()

    async def _together(
        self, completions: AsyncIterator[Completion]
    ) -> AsyncIterator[list[Completion]]:
        """What is stored in one transaction: whole batches, or what comes within a moment."""
        served = self.batch == 1
        fresh: list[Completion] = []
        due = 0.0
        coming = asyncio.ensure_future(anext(completions, None))
        try:
            while True:
                await asyncio.wait([coming], timeout=COMMIT_PAUSE if served and fresh else None)
                paused = not coming.done()
                if coming.done():
                    try:
                        completion = coming.result()
                    except Exception:
                        if served and fresh:
                            yield fresh
                        raise
                    if completion is None:
                        break
                    due = due if fresh else time.monotonic() + COMMIT_AFTER
                    fresh.append(completion)
                    coming = asyncio.ensure_future(anext(completions, None))
                full = len(fresh) >= (COMMIT_MOST if served else self.batch)
                if full or (served and (paused or time.monotonic() >= due)):
                    yield fresh
                    fresh = []
        finally:
            coming.cancel()
        if fresh:
            yield fresh

    def _known(self, chunk: Sequence[Request]) -> dict[tuple[str, str], Completion]:
        keys = [request.key(self.identity) for request in chunk]
        stored = self.store.get(keys)
        return {
            (request.problem_id, key): stored[key].answering(request.problem_id)
            for request, key in zip(chunk, keys, strict=True)
            if key in stored
        }

    def _missing(
        self, requests: Iterator[Request], ready: deque[Completion], twins: dict[str, list[Request]]
    ) -> Iterator[Request]:
        """Requests to be asked; stored ones go to `ready`, equal ones in flight to `twins`."""
        while chunk := list(islice(requests, LOOK_UP)):
            known = self._known(chunk)
            for request in chunk:
                key = request.key(self.identity)
                if (request.problem_id, key) in known:
                    ready.append(known[request.problem_id, key])
                elif key in twins:
                    twins[key].append(request)
                elif done := self.store.get([key]):
                    ready.append(done[key].answering(request.problem_id))
                else:
                    twins[key] = []
                    self.asked += 1
                    yield request

    def _keep(
        self, fresh: Sequence[Completion], twins: dict[str, list[Request]]
    ) -> Iterator[Completion]:
        """Store completions and hand them to all who asked the same."""
        paid = [c for c in fresh if c.finish_reason != "error"]
        if paid:
            self.store.put(paid)
        for completion in fresh:
            yield completion
            for request in twins.pop(completion.request_key, []):
                yield completion.answering(request.problem_id)


def _chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), LOOK_UP):
        yield keys[start : start + LOOK_UP]


def _checksum(body: str) -> str:
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()[:16]
