"""Rows of the user's own: read as they come, without those that hold what is measured on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from generators.curation.config import DecontaminateConfig
from generators.curation.decontaminate import HeldOut
from generators.rows import read
from pipelines.errors import PipelineError
from students.config import FromRows
from students.errors import DataError
from students.formats import Row, as_chat, as_pair, as_text
from verifiers.records import Problem

SAMPLE = 5_000


class OwnRows:
    """The rows at `stage.own`, as often as they are wanted.

    A row is left out where what it asks, or a text in it, is a copy of a problem of `heldout`; with
    no `config` only one with all the same words is.
    """

    def __init__(
        self, stage: FromRows, heldout: Sequence[Problem], config: DecontaminateConfig | None
    ):
        assert stage.own is not None
        self.path = Path(stage.own)
        self._shape = stage.shape
        self._heldout = [(problem.id, problem.text) for problem in heldout]
        self._config = config or DecontaminateConfig(overlap=None)
        self._left_out: set[int] | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How many rows were left out, once all were read."""
        return {"heldout_dropped": len(self._left_out)} if self._left_out else {}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        if self._left_out is None:
            yield from self._first()
            return
        for number, row in enumerate(read(self.path)):
            if number not in self._left_out:
                yield row

    def _first(self) -> Iterator[dict[str, Any]]:
        """All rows, compared; what is found is remembered."""
        held = self._compared() if self._heldout else None
        found, number = set[int](), -1
        for number, row in enumerate(read(self.path)):
            if held is not None and any(held.match(t) or held.inside(t) for t in self._asked(row)):
                found.add(number)
            else:
                yield row
        if len(found) == number + 1:
            why = "all of them hold problems that are measured on" if found else "it has no rows"
            raise PipelineError(f"{self.path}: {why}")
        self._left_out = found

    def _compared(self) -> HeldOut:
        some = [text for row in islice(read(self.path), SAMPLE) for text in self._asked(row)]
        return HeldOut(self._heldout, self._config, some)

    def _asked(self, row: Row) -> list[str]:
        """What a row asks; nothing where it is no row, which the encoder says."""
        try:
            if self._shape == "text":
                return [as_text(row)]
            chat = as_pair(row)[0] if self._shape == "pair" else as_chat(row)
        except DataError:
            return []
        return [m["content"] for m in chat.messages if m["role"] == "user"]
