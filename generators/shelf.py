"""What may number tens of millions, on disk: memory stays flat."""

from __future__ import annotations

import sqlite3
from typing import Self

CACHE = 4096
"""KiB of it that stay in memory."""


class Scratch:
    """A database of our own, which is gone when it is closed, or when we are killed. It stays in
    memory while it is small; then it is a file without a name in SQLITE_TMPDIR, TMPDIR or /var/tmp.

    `schema` is the one table of it.
    """

    def __init__(self, schema: str) -> None:
        self.db = sqlite3.connect("", isolation_level=None)
        self.db.execute("PRAGMA journal_mode=OFF")
        self.db.execute("PRAGMA synchronous=OFF")
        self.db.execute(f"PRAGMA cache_size=-{CACHE}")
        self.db.execute("BEGIN")
        self.db.execute(schema)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.db.close()


class Shelf(Scratch):
    """Numbers, or nothing, by their names."""

    def __init__(self) -> None:
        super().__init__("CREATE TABLE shelf (name TEXT PRIMARY KEY, value REAL) WITHOUT ROWID")

    def put(self, name: str, value: float | None = None) -> bool:
        """Keep `value` under `name`; False, and nothing is changed, where the name is known."""
        put = self.db.execute("INSERT OR IGNORE INTO shelf VALUES (?, ?)", (name, value))
        return put.rowcount == 1

    def get(self, name: str) -> float | None:
        """What is kept under `name`; None where nothing is."""
        row = self.db.execute("SELECT value FROM shelf WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None
