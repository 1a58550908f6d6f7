"""Rows of files: JSONL and Parquet in, columns and templates over them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Formatter
from typing import Any

from generators.errors import SourceError
from verifiers.records import Message, canonical_json

DEPTH = 100
SAVED = ("state.json", "dataset_dict.json")
FIELD = re.compile(r"[^.\[\]]+(\.(?!__)[^.\[\]]+|\[[^\[\]]+\])*")
KEY = re.compile(r"\[([^\[\]]+)\]|([^.\[\]]+)")


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a JSONL or Parquet file, of a folder of Parquet files or of one that `datasets`
    saved, one at a time.

    A line that is not a JSON object is the row `{"bad_row": reason}`. Raises SourceError where
    the file is missing or no Parquet file.
    """
    if not path.exists():
        raise SourceError(f"no such file: {path}")
    if any((path / name).is_file() for name in SAVED):
        yield from _saved(path)
        return
    if path.suffix == ".parquet" or path.is_dir():
        yield from _parquet(path)
        return
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield parse(line, number)


def _saved(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a folder that `datasets` saved; of several splits there must be a name."""
    import datasets

    try:
        found = datasets.load_from_disk(str(path))
    except (OSError, ValueError, KeyError) as error:
        first = str(error).partition("\n")[0]
        raise SourceError(f"{path} cannot be read as a saved dataset: {first}") from error
    if isinstance(found, datasets.DatasetDict):
        if len(found) != 1:
            names = ", ".join(str(path / split) for split in found)
            raise SourceError(f"{path} has several splits; name one of {names}")
        (found,) = found.values()
    yield from found


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow.dataset

    try:
        found = pyarrow.dataset.dataset(path, format="parquet")
        for batch in found.to_batches(batch_size=1024, batch_readahead=2, fragment_readahead=1):
            yield from batch.to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        first = str(error).partition("\n")[0]
        raise SourceError(f"{path} cannot be read as Parquet: {first}") from error


def parse(line: str, number: int) -> dict[str, Any]:
    """One JSONL line as a row; `{"bad_row": reason}` where it is none."""
    try:
        row = clean(json.loads(line))
    except RecursionError:
        return {"bad_row": f"line {number} is nested too deeply"}
    except ValueError as error:
        return {"bad_row": f"line {number} is not JSON: {error}"}
    if not isinstance(row, dict):
        return {"bad_row": f"line {number} is not a JSON object"}
    return row


def clean(value: Any, depth: int = DEPTH) -> Any:
    """`value` with lone surrogates, which no file can hold, replaced in all its texts.

    Raises RecursionError where it is nested more than `depth` deep.
    """
    if depth < 0:
        raise RecursionError
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, list):
        return [clean(item, depth - 1) for item in value]
    if isinstance(value, dict):
        return {clean(key): clean(item, depth - 1) for key, item in value.items()}
    return value


def as_prompt(value: Any) -> str | list[Message]:
    """`value` as a prompt: a text, a number as text, or a chat whose messages hold texts only.

    Raises ValueError, which says in words what is wrong.
    """
    if isinstance(value, list):
        for number, message in enumerate(value, 1):
            if not isinstance(message, Mapping):
                raise ValueError(f"message {number} of the prompt is not an object")
            fields = {"content": None, **message}
            odd = [key for key, field in fields.items() if not isinstance(field, str)]
            if odd:
                raise ValueError(f"{odd[0]} of message {number} of the prompt is not a text")
        return clean(value)
    if type(value) is int or (isinstance(value, float) and math.isfinite(value)):
        return str(value)
    if not isinstance(value, str):
        raise ValueError("prompt is neither a text nor a chat")
    return clean(value)


def as_answer(value: Any) -> Any:
    """`value` as a ground truth; raises ValueError, in words, where JSON cannot hold it."""
    try:
        value = clean(value)
        canonical_json(value)
    except RecursionError:
        raise ValueError("answer is nested too deeply") from None
    except ValueError:
        raise ValueError("answer holds NaN or Infinity") from None
    except TypeError as error:
        raise ValueError(f"answer is not JSON: {error}") from None
    return value


class Column:
    """A value of a row: the name of a column, dotted where nested, or a `{template}` over it.

    A template's fields are names, with dots between plain keys or `[keys]` of objects and lists.
    Raises SourceError where the template is not one, or asks for more than such a field.
    """

    def __init__(self, text: str):
        self.text = text
        try:
            parts = list(Formatter().parse(text))
        except ValueError as error:
            raise SourceError(f"{text!r} is no valid template: {error}") from error
        self._parts: list[tuple[str, str | None]] = []
        for literal, field, spec, conversion in parts:
            if field is not None and (spec or conversion or not FIELD.fullmatch(field)):
                raise SourceError(
                    f"a field of template {text!r} is not allowed: "
                    "only names, dots between plain keys and [keys] are"
                )
            self._parts.append((literal, field))
        self._template = any(field is not None for _, field in self._parts)

    def of(self, row: Mapping[str, Any]) -> Any:
        """The value in `row`; None where a column is absent."""
        if not self._template:
            return _find(row, self.text, self.text.split("."))
        said = []
        for literal, field in self._parts:
            said.append(literal)
            if field is not None:
                keys = [bracketed or plain for bracketed, plain in KEY.findall(field)]
                value = _find(row, field, keys)
                if value is None:
                    return None
                said.append(str(value))
        return "".join(said)


def _find(row: Mapping[str, Any], name: str, keys: list[str]) -> Any:
    """The value of column `name`, else the one that `keys` lead to; None where there is none."""
    if name in row:
        return row[name]
    value: Any = row
    for key in keys:
        if isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value
