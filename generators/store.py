"""The store: every completion that was paid for and every verdict, in one SQLite file.

Completions are keyed by their request key, so the same request of the same model is never paid
twice. A completion is stored before anything judges it. Each row has a checksum; a row that does
not match is named in `Store.damaged` and treated as absent, so it is made again. A damaged file is
mended when the damage is met (`generators.mending`), and what is lost is named there too.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any

from generators.budget import Budget
from generators.errors import StoreError
from generators.ledger import Spent
from generators.mending import is_damage, mend
from generators.schema import checksum as _checksum
from generators.schema import opened, prepare
from verifiers.records import Completion, Usage, Verdict, completion_id

COLUMNS = "request_key, body, checksum"
PAID = "teacher, prompt_tokens, completion_tokens, cost"
SUMS = "teacher, sum(prompt_tokens), sum(completion_tokens), sum(cost)"
LOOK_UP = 500
AT_ONCE = 512
"""Verdicts that wait for completions to be stored with."""
log = logging.getLogger("distill.store")


def _mended(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method that mends the file where it is damaged, and is called again then."""

    @wraps(method)
    def call(self: Store, *arguments: Any) -> Any:
        try:
            return method(self, *arguments)
        except sqlite3.DatabaseError as error:
            self._mend(error)
            return method(self, *arguments)

    return call


class Store:
    """Completions and verdicts in the SQLite file `path`, created where absent.

    `readonly`: nothing is written, also while another process writes; the file must be there.
    Raises StoreError where it cannot be opened, or is damaged and cannot be mended.
    """

    def __init__(self, path: Path, readonly: bool = False):
        self.damaged: set[str] = set()
        self.budget = Budget(None, {})
        self.path, self._readonly = path, readonly
        self._judged = True
        self._fresh: list[tuple[str, str, str, str]] = []
        self._keeping = asyncio.Lock()
        self._committer = ThreadPoolExecutor(1, "distill-store")
        self._commit: Future[None] | None = None
        try:
            self._open()
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CANTOPEN:
                raise StoreError(f"the store {path} cannot be opened") from error
            self._mend(error)

    def _open(self) -> None:
        self._db = opened(self.path, self._readonly)
        if not self._readonly:
            prepare(self._db)
            any_verdict = self._db.execute("SELECT 1 FROM verdicts LIMIT 1").fetchone()
            self._judged = any_verdict is not None

    def _mend(self, error: sqlite3.DatabaseError) -> None:
        """Put a mended file in the place of the damaged one, where that is what the error means."""
        if not is_damage(error):
            raise error
        if self._readonly:
            raise sqlite3.DatabaseError(
                f"{self.path} is damaged ({error}); `distill generate` with its recipe mends it"
            ) from error
        if self._commit is not None:
            with suppress(sqlite3.Error):
                self._commit.result()
        self._db.close()
        lost, aside = mend(self.path)
        self.damaged |= lost
        log.warning(
            "%s was damaged: %d answers could not be read and are asked for again; the damaged "
            "file is %s", self.path, len(lost), aside.name,
        )  # fmt: skip
        self._open()

    def close(self) -> None:
        """Close the file."""
        self._committer.shutdown()
        self._db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @_mended
    def put(self, completions: Sequence[Completion], spent: Sequence[Spent] = ()) -> None:
        """Store completions and what was spent beside them, all of it or none."""
        with self._transaction():
            self._insert(completions, spent)

    async def keep(self, completions: Sequence[Completion], spent: Sequence[Spent] = ()) -> None:
        """`put` that does not hold up the event loop while the disk is slow; one at a time."""
        async with self._keeping:
            self._begin(completions, spent)
            self._commit = self._committer.submit(self._db.commit)
            await asyncio.shield(asyncio.wrap_future(self._commit))

    @_mended
    def _begin(self, completions: Sequence[Completion], spent: Sequence[Spent]) -> None:
        """Begin a transaction with these rows in it."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._insert(completions, spent)
            self._insert_verdicts()
        except BaseException:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise
        self._fresh.clear()

    def _insert_verdicts(self) -> None:
        self._db.executemany("INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?, ?)", self._fresh)

    def _insert(self, completions: Sequence[Completion], spent: Sequence[Spent]) -> None:
        rows = []
        for completion in completions:
            body = completion.model_dump_json(exclude_defaults=True)
            usage = completion.usage
            rows.append((
                completion.request_key, body, _checksum(body),
                completion.teacher.get("identity", ""), completion.finish_reason,
                usage.prompt_tokens, usage.completion_tokens, usage.cost, completion.seconds,
            ))  # fmt: skip
        marks = ",".join("?" * 9)
        self._db.executemany(f"INSERT OR REPLACE INTO completions VALUES ({marks})", rows)
        if spent:
            self._db.executemany(f"INSERT INTO spent VALUES ({marks})", spent)
        if self.damaged:
            again = [(c.id,) for c in completions if c.request_key in self.damaged]
            self._db.executemany("DELETE FROM verdicts WHERE completion_id = ?", again)

    @_mended
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

    def judged(self, judge: str, completion: str, verdict: Verdict) -> None:
        """Store what `judge` said of a completion, with the next completions or at the next
        `flush`; a verdict can be had again, so it is not worth a look at the disk of its own."""
        body = verdict.model_dump_json()
        self._fresh.append((completion, judge, body, _checksum(body)))
        if len(self._fresh) >= AT_ONCE and not self._keeping.locked():
            self.flush()

    @_mended
    def flush(self) -> None:
        """Store the verdicts that wait."""
        if self._fresh:
            with self._transaction():
                self._insert_verdicts()
            self._fresh.clear()
            self._judged = True

    @_mended
    def verdict(self, completion: str, judge: str) -> Verdict | None:
        """What `judge` said of a completion."""
        if not self._judged:
            return None
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

    @_mended
    def served(self, teacher: str) -> dict[str, str]:
        """Who a teacher's endpoint said it is."""
        row = self._db.execute("SELECT body FROM served WHERE teacher = ?", (teacher,)).fetchone()
        return dict(json.loads(row[0])) if row else {}

    @_mended
    def put_served(self, teacher: str, served: dict[str, str]) -> None:
        """Note who a teacher's endpoint says it is."""
        with self._transaction():
            body = json.dumps(served)
            self._db.execute("INSERT OR REPLACE INTO served VALUES (?, ?)", (teacher, body))

    @_mended
    def ledger(self) -> list[dict[str, object]]:
        """What was paid, a row for each teacher; `unusable` are paid answers without a completion,
        `uncounted` those of them whose cost the server did not say."""
        names = ("teacher", "completions", "unusable", "uncounted", "prompt_tokens",
                 "completion_tokens", "cost", "seconds")  # fmt: skip
        rows = self._db.execute(
            "SELECT teacher, sum(kept), sum(1 - kept), sum(1 - counted), sum(prompt_tokens), "
            "sum(completion_tokens), sum(cost), sum(seconds) FROM ("
            f"SELECT 1 AS kept, 1 AS counted, seconds, {PAID} FROM completions UNION ALL "
            f"SELECT 0 AS kept, counted, seconds, {PAID} FROM spent) "
            "GROUP BY teacher ORDER BY teacher"
        )
        return [dict(zip(names, row, strict=True)) for row in rows]

    @_mended
    def limit(self, budget: Budget) -> None:
        """Spend no more than `budget` in all; what stands in the ledger counts."""
        paid = self._db.execute(
            f"SELECT {SUMS} FROM (SELECT {PAID} FROM completions UNION ALL SELECT {PAID} FROM "
            "spent) GROUP BY teacher, cost IS NULL"
        )
        budget.begin(
            (teacher, Usage(prompt_tokens=prompt, completion_tokens=completion, cost=cost))
            for teacher, prompt, completion, cost in paid
        )
        self.budget = budget

    def _intact(self, name: str, body: str, checksum: str) -> bool:
        intact = _checksum(body) == checksum
        if not intact:
            self.damaged.add(name)
        return intact

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing; part of the one that is under way where there is one."""
        if self._commit is not None:
            wait([self._commit])
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


def _chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), LOOK_UP):
        yield keys[start : start + LOOK_UP]
