"""Units of a training set: documents over memory-mapped tokens, none longer than allowed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, overload

import numpy as np

from students.batches.encode import document
from students.batches.pack import Unit
from students.batches.tokens import Tokens
from students.errors import DataError


class UnitSequence(Sequence[Unit]):
    """Units that are made when they are asked for; a slice of them is a list."""

    @abstractmethod
    def at(self, place: int) -> Unit:
        """The unit at `place`, 0 or more."""

    @overload
    def __getitem__(self, place: int) -> Unit: ...
    @overload
    def __getitem__(self, place: slice) -> list[Unit]: ...
    def __getitem__(self, place: Any) -> Any:
        found = range(len(self))[place]
        return [self.at(i) for i in found] if isinstance(place, slice) else self.at(found)


class Units(UnitSequence):
    """Units of `together` documents each; only places and lengths are held in memory.

    Args:
        ids: marked token ids [T], memory-mapped.
        starts, lengths: where each document stands in `ids`, [documents].
        groups: a hash of the problem of each document [documents].
    """

    def __init__(
        self,
        ids: np.ndarray,
        starts: np.ndarray,
        lengths: np.ndarray,
        groups: np.ndarray,
        together: int = 1,
    ):
        self._ids, self._starts, self._lengths = ids, starts, lengths
        self._groups, self._together = groups, together
        self.lengths = lengths.reshape(-1, together).sum(1)
        """Tokens of each unit [units]."""
        self.groups = groups.reshape(-1, together)[:, 0]
        """A hash of each unit's problem [units]: whole problems are kept out together."""

    def part(self, chosen: np.ndarray) -> Units:
        """The units at `chosen`, places or a mask over units."""
        starts, lengths, groups = (
            values.reshape(-1, self._together)[chosen].reshape(-1)
            for values in (self._starts, self._lengths, self._groups)
        )
        return Units(self._ids, starts, lengths, groups, self._together)

    def __len__(self) -> int:
        return len(self.lengths)

    def at(self, place: int) -> Unit:
        """The unit at `place`, 0 or more."""
        first = place * self._together
        return tuple(
            document(self._ids[start : start + length])
            for start, length in zip(
                self._starts[first : first + self._together],
                self._lengths[first : first + self._together],
                strict=True,
            )
        )


def lengths_of(units: Sequence[Unit]) -> np.ndarray:
    """Tokens of each unit."""
    known = getattr(units, "lengths", None)
    return known if known is not None else np.array([sum(len(d.ids) for d in u) for u in units])


def units(
    tokens: Tokens, together: int, max_length: int, too_long: str
) -> tuple[Units, dict[str, int]]:
    """The units that are trained on, and how many rows were dropped, cut or split for length.

    `too_long` says what is done with a document of more than `max_length` tokens: `refuse` raises
    DataError, `drop` leaves out its unit, `cut` keeps its head, `split` makes several documents of
    it. Split ones share one token, so that every token but the first of the whole is learned.
    """
    lengths, first, rows, groups = (tokens.index[:, column] for column in range(4))
    if not len(lengths):
        raise DataError(f"none of {tokens.rows} rows can be learned")
    starts = np.cumsum(lengths) - lengths
    long = lengths > max_length
    number = len(np.unique(rows[long]))
    if too_long == "refuse" and number:
        raise DataError(
            f"{number} of {tokens.rows} rows are longer than max_length={max_length} tokens (the "
            f"longest has {lengths.max()}); raise max_length, or say in too_long what to do with "
            "them"
        )
    if too_long == "split":
        starts, lengths, owner = _split(starts, lengths, max_length)
        found = Units(tokens.ids, starts, lengths, groups[owner])
        return found, {"too_long_split": number} if number else {}
    keep = ~long if too_long == "drop" else first < max_length
    whole = np.repeat(keep.reshape(-1, together).all(1), together)
    dropped = len(np.unique(rows[~whole]))
    counts = {"too_long_dropped": dropped}
    if too_long == "cut":
        counts["too_long_cut"] = number - dropped
        lengths = np.minimum(lengths, max_length)
    if not whole.any():
        raise DataError(f"none of {tokens.rows} rows has a token to learn within {max_length}")
    found = Units(tokens.ids, starts[whole], lengths[whole], groups[whole], together)
    return found, {name: count for name, count in counts.items() if count}


def _split(starts: np.ndarray, lengths: np.ndarray, most: int) -> tuple[np.ndarray, ...]:
    """Places, lengths and owners of the parts of documents, at most `most` tokens each."""
    step = most - 1
    parts = np.maximum(1, -(-(lengths - 1) // step))
    owner = np.repeat(np.arange(len(lengths)), parts)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(parts) - parts, parts)
    offset = number * step
    return starts[owner] + offset, np.minimum(lengths[owner] - offset, most), owner
