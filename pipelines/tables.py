"""Tables of problems and chains that are written and read piece by piece, whatever their size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from verifiers.files import place

if TYPE_CHECKING:
    import pyarrow as pa

PIECE_ROWS = 2048
PIECE_CHARACTERS = 1 << 19
GROWS, LARGEST = 128, 32
"""After so many pieces they become twice as large, up to so many times: Parquet keeps 16 KB of each
in memory until the file is closed."""
NUMBERS = {"difficulty": "double", "score": "double", "index": "int64"}
FLAGS = ("answer_is_json", "prompt_is_chat")
LONG = ("prompt", "answer", "reasoning", "text", "token_ids", "logprobs", "top_logprobs")
"""Columns whose smallest and largest value help nobody."""
PROBLEM = (
    "id", "prompt", "answer", "verifier", "gold", "source", "difficulty", "parents", "meta",
    "answer_is_json", "prompt_is_chat",
)  # fmt: skip
CHAIN = (
    "id", "problem_id", "index", "reasoning", "text", "finish_reason", "usage", "token_ids",
    "logprobs", "top_logprobs", "teacher", "sampling", "request_key", "status", "score", "reason",
    "extracted", "verifier",
)  # fmt: skip


class Table:
    """A Parquet file that is there when all of it is written, or not at all.

    `columns` are its columns; rows are dicts with them. Rows are put in their order within pieces
    of 2048 rows, or fewer where they are long; more in files of many pieces.
    """

    def __init__(self, target: Path, columns: tuple[str, ...]):
        import pyarrow as pa
        import pyarrow.parquet as pq

        target.parent.mkdir(parents=True, exist_ok=True)
        self.rows = 0
        self._target = target
        self._beside = target.with_name(f".{target.stem}.tmp")
        self._schema = pa.schema([(name, _type(name)) for name in columns])
        self._writer = pq.ParquetWriter(
            self._beside, self._schema, write_statistics=[c for c in columns if c not in LONG]
        )
        self._pieces, self._times = 0, 1
        self._piece: list[tuple[int, int, list[Any]]] = []
        self._size = 0

    def add(self, row: dict[str, Any], order: int = 0) -> None:
        """Write a row; `order` is its place among those around it."""
        values = [row[name] for name in self._schema.names]
        self._piece.append((order, self.rows, values))
        self.rows += 1
        self._size += sum([len(value) for value in values if type(value) is str])
        full = len(self._piece) >= PIECE_ROWS * self._times
        if full or self._size >= PIECE_CHARACTERS * self._times:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        self._piece.sort(key=lambda item: item[:2])
        columns = zip(*(values for _, _, values in self._piece), strict=True)
        arrays = [
            _array(field.type, values) for field, values in zip(self._schema, columns, strict=True)
        ]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self._piece.clear()
        self._size = 0
        self._pieces += 1
        if self._pieces % GROWS == 0:
            self._times = min(LARGEST, 2 * self._times)

    def __enter__(self) -> Table:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        if kind is None and self._piece:
            self._flush()
        self._writer.close()
        if kind is None:
            place(self._beside, self._target)
        else:
            self._beside.unlink(missing_ok=True)


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file, read piece by piece."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(128, use_threads=False):
            yield from batch.to_pylist()


def _type(name: str) -> pa.DataType:
    import pyarrow as pa

    if name in FLAGS:
        return pa.bool_()
    return pa.type_for_alias(NUMBERS.get(name, "string"))


def _array(kind: pa.DataType, values: Sequence[Any]) -> pa.Array:
    """A column. Not `pa.array`, which imports pandas: half a second and 60 MB."""
    import numpy as np
    import pyarrow as pa

    if not any(value is not None for value in values):
        return pa.nulls(len(values), kind)
    if kind == pa.string():
        builder = pa.lib.StringBuilder()
        builder.append_values(values)
        return builder.finish()

    def bits(of: Sequence[bool]) -> pa.Buffer:
        return pa.py_buffer(np.packbits(np.array(of, dtype=bool), bitorder="little").tobytes())

    there = [value is not None for value in values]
    if kind == pa.bool_():
        data = bits([bool(value) for value in values])
    else:
        dtype = np.dtype(kind.to_pandas_dtype())
        data = pa.py_buffer(np.array([value or 0 for value in values], dtype=dtype).tobytes())
    return pa.Array.from_buffers(kind, len(values), [bits(there), data])
