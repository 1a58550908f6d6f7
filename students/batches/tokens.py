"""Tokens of many documents on disk: appended piece by piece, memory-mapped when they are read."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from students.errors import DataError
from verifiers.files import place

MARK = "mark.json"
COLUMNS = 4

Bad = dict[str, tuple[int, int]]
"""What is wrong with rows, in words that follow "3 rows": how many, and the first of them."""


@dataclass(frozen=True)
class Piece:
    """Encoded rows, in their order.

    Args:
        ids: uint32 [T], token ids, learned ones with the bit LEARNED.
        index: int64 [documents, 4]: tokens, place of the first learned token, number of the row
            from 1, and a hash of the problem, which is the prompt where the row names none.
        rows: how many rows there were, up to and with the last of the piece.
        bad: rows without a document.
    """

    ids: np.ndarray
    index: np.ndarray
    rows: int
    bad: Bad = field(default_factory=dict)


class Tokens(Piece):
    """A finished folder as one piece, memory-mapped."""

    @classmethod
    def open(cls, folder: Path) -> Tokens:
        """The tokens in `folder`."""
        state = json.loads((folder / MARK).read_text())
        ids = _mapped(folder / "ids.bin", np.uint32)
        index = _mapped(folder / "index.bin", np.int64).reshape(-1, COLUMNS)
        return cls(ids, index, state["rows"], {k: (n, at) for k, (n, at) in state["bad"].items()})


class Writer:
    """Tokens that are being made in `folder`; goes on after what was last marked as done."""

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        file = folder / MARK
        state: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        self.rows: int = state.get("rows", 0)
        self.bad: Bad = {reason: (n, at) for reason, (n, at) in state.get("bad", {}).items()}
        self._streams = [(folder / name).open("ab") for name in ("ids.bin", "index.bin")]
        for stream, size in zip(self._streams, state.get("sizes", [0, 0]), strict=True):
            stream.truncate(size)

    def add(self, piece: Piece) -> None:
        """Append a piece."""
        for stream, part in zip(self._streams, (piece.ids, piece.index), strict=True):
            stream.write(part.tobytes())
        for reason, (count, first) in piece.bad.items():
            known, at = self.bad.get(reason, (0, first))
            self.bad[reason] = (known + count, at)
        self.rows = piece.rows

    def mark(self) -> None:
        """Make what was added count: it is on the disk when this returns."""
        for stream in self._streams:
            stream.flush()
            os.fsync(stream.fileno())
        sizes = [os.path.getsize(stream.name) for stream in self._streams]
        beside = self.folder / ".mark.tmp"
        beside.write_text(json.dumps({"rows": self.rows, "sizes": sizes, "bad": self.bad}))
        place(beside, self.folder / MARK)

    def close(self) -> None:
        """Close the files; what was not marked is lost."""
        for stream in self._streams:
            stream.close()


def refuse(bad: Bad, rows: int, more: bool = False) -> None:
    """Raise DataError where there are bad rows among `rows`; `more` are still to be read."""
    for reason, (count, first) in bad.items():
        seen = f"the first {rows}" if more else str(rows)
        where = f" (the first is row {first})" if rows > 1 else ""
        raise DataError(f"{count} of {seen} rows {reason}{where}")


def _mapped(file: Path, kind: type[np.generic]) -> np.ndarray:
    """The numbers in `file`; an empty file cannot be mapped."""
    return np.memmap(file, kind, "r") if file.stat().st_size else np.empty(0, kind)
