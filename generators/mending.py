"""Mends a damaged store: what can be read of it goes into a new file, which takes its place.

A completion is kept where its checksum says that it is whole. Those that are lost are named, so
that they are made again, and the ledger says that they were paid. The damaged file stays beside.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from generators.errors import StoreError
from generators.schema import SCHEMA, checksum, text
from verifiers.files import place

DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_damage(error: sqlite3.DatabaseError) -> bool:
    """True where the file is damaged, not merely locked or on a full disk."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGE


def mend(path: Path) -> tuple[set[str], Path]:
    """Put a new store in the place of the damaged one at `path`.

    Returns the request keys of completions that are lost, and where the damaged file is now.
    Raises StoreError, and changes nothing, where another process uses it or nothing can be read.
    """
    beside = path.with_name(f".{path.name}.mending")
    beside.unlink(missing_ok=True)
    old = _alone(path)
    new = sqlite3.connect(beside, isolation_level=None)
    try:
        new.execute("PRAGMA synchronous=FULL")
        new.executescript(SCHEMA)
        new.execute("BEGIN")
        lost = _copy(old, new)
        new.execute("COMMIT")
    finally:
        old.close()
        new.close()
    aside = next(
        name
        for number in count(1)
        if not (name := path.with_name(f"{path.stem}.damaged-{number}{path.suffix}")).exists()
    )
    os.link(path, aside)
    place(beside, path)
    return lost, aside


def _alone(path: Path) -> sqlite3.Connection:
    """The damaged file, which nobody else has open, with its log written into it."""
    db = sqlite3.connect(path, isolation_level=None, timeout=1)
    db.text_factory = text
    try:
        # what lets a file be read that ends before its last page
        db.execute("PRAGMA writable_schema=ON")
        db.execute("PRAGMA locking_mode=EXCLUSIVE")
        (mode,) = db.execute("PRAGMA journal_mode=DELETE").fetchone()
        if mode == "wal":
            raise StoreError(f"{path} is damaged, and another run uses it; end that one first")
        db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as error:
        db.close()
        if not is_damage(error):
            raise StoreError(
                f"{path} is damaged, and another run uses it; end that one first"
            ) from error
        raise StoreError(
            f"{path} is damaged so that nothing in it can be read ({error}); it was left as it is. "
            "Put a copy of it back, or move it away to pay for everything again"
        ) from error
    except StoreError:
        db.close()
        raise
    return db


def _copy(old: sqlite3.Connection, new: sqlite3.Connection) -> set[str]:
    """Copy what is whole; the keys of the completions that are not."""
    kept, teachers, lost = set[str](), set[str](), set[str]()
    for row in _rows(old, "completions"):
        if checksum(row["body"]) == row["checksum"]:
            _insert(new, "completions", row)
            kept.add(row["request_key"])
            teachers.add(row["teacher"])
        else:
            lost.add(str(row["request_key"]))
    lost |= {str(row["request_key"]) for row in _ends(old, "completions", "request_key")}
    lost -= kept
    for row in _rows(old, "spent"):
        _insert(new, "spent", row)
    for table, key in (("verdicts", "completion_id, judge, body, checksum"), ("served", "*")):
        for row in _ends(old, table, key):
            _insert(new, table, row)
    teacher = teachers.pop() if len(teachers) == 1 else "unknown"
    gone = [(key, teacher, "lost: the store was damaged") for key in sorted(lost)]
    new.executemany("INSERT INTO spent VALUES (?, ?, ?, 0, 0, NULL, 0, '', 0)", gone)
    return lost


def _insert(new: sqlite3.Connection, table: str, row: dict[str, Any]) -> None:
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    new.execute(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", list(row.values()))


def _rows(db: sqlite3.Connection, table: str) -> Iterator[dict[str, Any]]:
    """The rows of a table with row ids; those in damaged pages are passed over one by one."""
    try:
        last = db.execute(f"SELECT max(rowid) FROM {table}").fetchone()[0] or 0
    except sqlite3.DatabaseError:
        last = 64 * db.execute("PRAGMA page_count").fetchone()[0]
    here = 0
    while here < last:
        try:
            found = db.execute(
                f"SELECT rowid, * FROM {table} NOT INDEXED WHERE rowid > ? ORDER BY rowid", (here,)
            )
            names = [column[0] for column in found.description][1:]
            for number, *values in found:
                if not here < number <= last:
                    break
                here = number
                yield dict(zip(names, values, strict=True))
            else:
                return
        except sqlite3.DatabaseError:
            pass
        here += 1


def _ends(db: sqlite3.Connection, table: str, columns: str) -> Iterator[dict[str, Any]]:
    """The rows of a table or of its index, from both ends up to the damage."""
    for order in ("ASC", "DESC"):
        try:
            found = db.execute(f"SELECT {columns} FROM {table} ORDER BY 1 {order}")
            names = [column[0] for column in found.description]
            for values in found:
                yield dict(zip(names, values, strict=True))
            return
        except sqlite3.DatabaseError:
            continue
