"""Rows of files: JSONL and Parquet in, columns and templates over them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Formatter
from typing import Any

from generators.errors import SourceError


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a JSONL or Parquet file (or a folder of Parquet files), one at a time.

    A line that is not a JSON object is the row `{"bad_row": reason}`. Raises SourceError where
    the file is missing or empty of rows.
    """
    if not path.exists():
        raise SourceError(f"no such file: {path}")
    if path.suffix == ".parquet" or path.is_dir():
        import pyarrow.dataset

        for batch in pyarrow.dataset.dataset(path, format="parquet").to_batches():
            yield from batch.to_pylist()
        return
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield parse(line, number)


def parse(line: str, number: int) -> dict[str, Any]:
    """One JSONL line as a row; `{"bad_row": reason}` where it is none."""
    try:
        row = json.loads(line)
    except ValueError as error:
        return {"bad_row": f"line {number} is not JSON: {error}"}
    if not isinstance(row, dict):
        return {"bad_row": f"line {number} is not a JSON object"}
    return clean(row)


def clean(value: Any) -> Any:
    """`value` with lone surrogates, which no file can hold, replaced in all its texts."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, list):
        return [clean(item) for item in value]
    if isinstance(value, dict):
        return {clean(key): clean(item) for key, item in value.items()}
    return value


class Column:
    """A value of a row: the name of a column, dotted where nested, or a `{template}` over it."""

    def __init__(self, text: str):
        self.text = text
        fields = [field for _, field, _, _ in Formatter().parse(text) if field is not None]
        self.names = [field.split("[")[0].split(".")[0] for field in fields] or [text]
        self._template = bool(fields)

    def of(self, row: Mapping[str, Any]) -> Any:
        """The value in `row`; None where a column is absent."""
        if self._template:
            try:
                return self.text.format_map(row)
            except (KeyError, IndexError, AttributeError, TypeError, ValueError):
                return None
        if self.text in row:
            return row[self.text]
        value: Any = row
        for part in self.text.split("."):
            if not isinstance(value, Mapping) or part not in value:
                return None
            value = value[part]
        return value
