"""A process that runs queries on SQLite and says whether they give the same rows.

Started by `verifiers.sql`, one JSON object a line in both directions. A query may only read: an
authorizer denies everything else, SQLite's own limits bound sizes, a progress handler bounds time,
and the process bounds memory; whoever started it kills it where all that does not help. Imports
nothing but the standard library.
"""

from __future__ import annotations

import json
import re
import resource
import sqlite3
import sys
import time
from collections import Counter
from functools import lru_cache
from typing import Any

MEMORY = 256 << 20
SECONDS = 0.6
STEPS = 2_000
ROWS = 100_000
DIGITS = 10
"""Significant digits that two REALs must share: sums in another order differ in the last ones."""
LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_COLUMN: 200,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 100,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 200_000,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 200,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
READS = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}
FORBIDDEN = {"load_extension", "random", "randomblob", "readfile", "writefile", "fts3_tokenizer"}
ATTACHES = {sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH}


class Refused(Exception):
    """A query that gives no rows: its reason and what happened."""

    def __init__(self, reason: str, detail: str):
        super().__init__(detail)
        self.reason, self.detail = reason, detail


class Rows:
    """What a query gave: rows with values as they are compared, and whether a table was read."""

    def __init__(self, width: int, rows: list[tuple[Any, ...]], reads: bool):
        self.width, self.rows, self.reads = width, rows, reads


def main() -> None:
    """Serve until stdin ends."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    for line in sys.stdin:
        task = json.loads(line)
        sys.stdout.write(json.dumps(compare(task)) + "\n")
        sys.stdout.flush()


def compare(task: dict[str, Any]) -> dict[str, str]:
    """Outcome `same`, `different` (why), `failed` (reason, why) or `bad_gold` (why)."""
    for db in task["dbs"]:
        try:
            image = loaded(db)
            gold = expected(db, task["gold"])
        except Refused as error:
            return {"outcome": "bad_gold", "why": error.detail}
        if task["query"] is None:
            continue
        try:
            mine = run(image, task["query"])
        except Refused as error:
            return {"outcome": "failed", "reason": error.reason, "why": error.detail}
        if why := difference(gold, mine, task["ordered"], task["lucky"]):
            return {"outcome": "different", "why": why}
    return {"outcome": "same", "why": "the rows are the same"}


def difference(gold: Rows, mine: Rows, ordered: bool, lucky: bool) -> str:
    """Why two results are not the same; empty where they are. `lucky`: nothing orders `mine`."""
    if gold.reads and not mine.reads:
        return "it reads no table"
    if gold.width != mine.width:
        return f"it has {mine.width} columns, not {gold.width}"
    if len(gold.rows) != len(mine.rows):
        return f"it has {len(mine.rows)} rows, not {len(gold.rows)}"
    if ordered and lucky and len(set(gold.rows)) > 1:
        return "nothing orders its rows, in whatever order they come"
    if gold.rows == mine.rows:
        return ""
    if Counter(gold.rows) != Counter(mine.rows):
        return "its rows hold other values"
    return "its rows come in another order" if ordered else ""


@lru_cache(maxsize=16)
def loaded(db: str) -> bytes:
    """The database that a script makes, or that a file holds, as bytes; raises Refused."""
    if not re.search(r"\s", db.strip()) or db.strip().endswith((".db", ".sqlite", ".sqlite3")):
        return _file(db.strip())
    return _made(db)


def _file(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            content = file.read(MEMORY // 4)
    except OSError as error:
        raise Refused("bad_gold", f"the database cannot be read: {error}") from error
    if content.startswith(b"SQLite format 3\0"):
        return content
    return _made(content.decode("utf-8", "replace"))


def _made(script: str) -> bytes:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.set_authorizer(
        lambda action, one, two, *_: (
            sqlite3.SQLITE_DENY
            if action in ATTACHES or (action == sqlite3.SQLITE_FUNCTION and two == "load_extension")
            else sqlite3.SQLITE_OK
        )
    )
    _timed(connection)
    try:
        connection.executescript(script)
        connection.set_progress_handler(None, 0)
        connection.set_authorizer(None)
        return connection.serialize()
    except (sqlite3.Error, sqlite3.Warning, MemoryError) as error:
        raise Refused("bad_gold", f"the database cannot be made: {error}") from error
    finally:
        connection.close()


def _timed(connection: sqlite3.Connection) -> None:
    end = time.process_time() + SECONDS
    connection.set_progress_handler(lambda: time.process_time() > end, STEPS)


@lru_cache(maxsize=64)
def expected(db: str, query: str) -> Rows:
    """The rows of the ground truth's query; raises Refused."""
    try:
        return run(loaded(db), query)
    except Refused as error:
        raise Refused("bad_gold", f"the ground truth's query fails: {error.detail}") from error


def run(image: bytes, query: str) -> Rows:
    """The rows of a query on a copy of a database; raises Refused."""
    read: list[str] = []

    def allowed(action: int, one: str | None, two: str | None, *_: Any) -> int:
        if action == sqlite3.SQLITE_READ and one and not one.startswith("sqlite_"):
            read.append(one)
            del read[1:]
        known = action == sqlite3.SQLITE_FUNCTION and (two or "").lower() not in FORBIDDEN
        return sqlite3.SQLITE_OK if action in READS or known else sqlite3.SQLITE_DENY

    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        connection.deserialize(image)
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        for limit, value in LIMITS.items():
            connection.setlimit(limit, value)
        connection.set_authorizer(allowed)
        _timed(connection)
        cursor = connection.execute(query.rstrip("; \t\r\n"))
        if cursor.description is None:
            raise Refused("crash", "it is no query: it has no columns")
        rows: list[tuple[Any, ...]] = []
        for row in cursor:
            if len(rows) == ROWS:
                raise Refused("output", f"it gives more than {ROWS} rows")
            rows.append(tuple(map(comparable, row)))
        return Rows(len(cursor.description), rows, bool(read))
    except (sqlite3.Error, sqlite3.Warning, UnicodeError, ValueError) as error:
        raise Refused(*_cause(error)) from error
    except MemoryError as error:
        raise Refused("memory", f"it takes more than {MEMORY >> 20} MiB") from error
    finally:
        connection.close()


def _cause(error: Exception) -> tuple[str, str]:
    said = str(error)
    if "interrupted" in said:
        return "timeout", f"it takes more than {SECONDS} s"
    if "out of memory" in said:
        return "memory", f"it takes more than {MEMORY >> 20} MiB"
    if "too big" in said or "too large" in said:
        return "memory", said
    return "crash", said[:300]


def comparable(value: Any) -> Any:
    """A value as it is compared: whole REALs as INTEGER, other REALs to ten digits."""
    if isinstance(value, float):
        if value.is_integer() and abs(value) < 2**53:
            return int(value)
        return float(f"{value:.{DIGITS}g}")
    return value


if __name__ == "__main__":
    main()
