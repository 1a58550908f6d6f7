"""The tables of a store, and how its file is opened."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS completions (
    request_key TEXT PRIMARY KEY, body TEXT NOT NULL, checksum TEXT NOT NULL,
    teacher TEXT NOT NULL, finish_reason TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, cost REAL,
    seconds REAL NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS verdicts (
    completion_id TEXT NOT NULL, judge TEXT NOT NULL, body TEXT NOT NULL, checksum TEXT NOT NULL,
    PRIMARY KEY (completion_id, judge)
);
CREATE TABLE IF NOT EXISTS spent (
    request_key TEXT NOT NULL, teacher TEXT NOT NULL, reason TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, cost REAL,
    seconds REAL NOT NULL, raw TEXT NOT NULL, counted INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS served (teacher TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TRIGGER IF NOT EXISTS paid_again BEFORE INSERT ON completions
WHEN EXISTS (SELECT 1 FROM completions WHERE request_key = NEW.request_key)
BEGIN
    INSERT INTO spent SELECT request_key, teacher, 'made again', prompt_tokens, completion_tokens,
        cost, seconds, body, 1 FROM completions WHERE request_key = NEW.request_key;
END;
"""


def opened(path: Path, readonly: bool) -> sqlite3.Connection:
    """The file at `path`; `readonly` where it is not written to, also while others write."""
    if not readonly:
        db = sqlite3.connect(path, isolation_level=None, timeout=60, check_same_thread=False)
    else:
        in_use = path.with_name(f"{path.name}-wal").exists()
        uri = f"{path.resolve().as_uri()}?{'mode=ro' if in_use else 'immutable=1'}"
        db = sqlite3.connect(uri, uri=True, isolation_level=None)
    db.text_factory = text
    return db


def prepare(db: sqlite3.Connection) -> None:
    """See to it that the tables are there, and that kill -9 and power cuts cost nothing."""
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("PRAGMA cache_size=-512")
    db.executescript(SCHEMA)
    columns = [row[1] for row in db.execute("PRAGMA table_info(completions)")]
    if "seconds" not in columns:
        db.execute("ALTER TABLE completions ADD COLUMN seconds REAL NOT NULL DEFAULT 0")


def checksum(body: Any) -> str:
    """16 hex digits that a changed byte changes."""
    return hashlib.sha256(str(body).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def text(raw: bytes) -> str:
    """A text of the file; what is no UTF-8 any more does not match its checksum."""
    return raw.decode("utf-8", "replace")
