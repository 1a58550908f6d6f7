"""Reads a run folder; every part of it may be missing.

Errors:
    ReportError             the folder is no run, or one of its files is damaged; one plain sentence
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import PipelineError

METRICS = (
    "loss", "validation_loss", "accuracy", "margin", "chosen", "rejected",
    "reward", "pass_rate", "length", "entropy", "kl", "moved", "clipped",
    "zero_variance", "self_check", "wrong_step", "recovered",
)  # fmt: skip
Points = list[tuple[int, float]]
PIECE = 4096


class ReportError(PipelineError):
    """A run folder that cannot be reported on."""


class Key(NamedTuple):
    """What was measured: the policy after a stage of a round, on a set of problems."""

    stage: str
    round: int
    on: str

    @property
    def label(self) -> str:
        """The stage as people see it."""
        return self.stage if self.round == 1 else f"{self.stage} · round {self.round}"


@dataclass
class Tally:
    """How the samples of one problem went: correct, undecided, all."""

    correct: int = 0
    undecided: int = 0
    samples: int = 0

    @property
    def rate(self) -> float:
        """Share that was correct."""
        return self.correct / self.samples


@dataclass(frozen=True)
class Run:
    """A run folder, read piece by piece when a section asks for it."""

    folder: Path

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise ReportError(f"{self.folder} is not a folder")
        if not any((self.folder / name).exists() for name in ("manifest.json", "recipe.yaml")):
            raise ReportError(f"{self.folder} is not a run: it has no manifest.json or recipe.yaml")

    @property
    def name(self) -> str:
        """The recipe's name, else the folder's."""
        return str(self.manifest.get("name") or self.folder.resolve().name)

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """manifest.json, or an empty dict."""
        return self._json("manifest.json", dict)

    @cached_property
    def recipe(self) -> str:
        """The text of recipe.yaml, or an empty string."""
        path = self.folder / "recipe.yaml"
        return path.read_text(errors="replace") if path.exists() else ""

    @cached_property
    def evaluation(self) -> dict[Key, dict[str, Any]]:
        """The rows of evaluation.json that measured something, in their order.

        Each has its `measure` (pass@1, or greedy where nothing was sampled) and its `value`.
        """
        rows = map(_measured, self._json("evaluation.json", list))
        return {key_of(row): row for row in rows if row["value"] is not None}

    @cached_property
    def ranked(self) -> list[dict[str, Any]]:
        """The rows of evaluation.json that measured a reward model, on pairs."""
        return [row for row in self._json("evaluation.json", list) if "accuracy" in row]

    def counts(self, stage: str) -> dict[str, Any]:
        """The counts of a stage in the manifest."""
        return self.manifest.get("stages", {}).get(stage, {}).get("counts", {})

    def configs(self) -> list[str]:
        """Names of the data sets that hold at least one file."""
        folders = sorted(path for path in (self.folder / "data").glob("*") if path.is_dir())
        return [path.name for path in folders if self.files(path.name)]

    def files(self, config: str) -> list[Path]:
        """The Parquet files of a data set."""
        return sorted((self.folder / "data" / config).glob("*.parquet"))

    def rows(self, config: str) -> int:
        """How many rows a data set has, by the files' own footers."""
        return sum(pq.read_metadata(path).num_rows for path in self.files(config))

    def batches(self, config: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """A data set in pieces, with those of `columns` that it has."""
        for path in self.files(config):
            with pq.ParquetFile(path) as file:
                present = [name for name in columns if name in file.schema_arrow.names]
                yield from file.iter_batches(PIECE, columns=present, use_threads=False)

    def records(self, config: str, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """A data set row by row, absent columns as None."""
        absent = dict.fromkeys(columns)
        for batch in self.batches(config, columns):
            for row in batch.to_pylist():
                yield absent | row

    def where(self, config: str, column: str, value: str) -> list[dict[str, Any]]:
        """The rows of a data set whose `column` is `value`; none where it has no such column."""
        found: list[dict[str, Any]] = []
        for path in self.files(config):
            schema = pq.read_schema(path)
            if column in schema.names and schema.field(column).type == pa.string():
                found += pq.read_table(path, filters=[(column, "=", value)]).to_pylist()
        return found

    def pick(
        self, config: str, numbers: Sequence[int], columns: Sequence[str]
    ) -> list[dict[str, Any]]:
        """The rows with these numbers, ascending; only the row groups that hold them are read."""
        wanted, found, start = sorted(numbers), list[dict[str, Any]](), 0
        for path in self.files(config):
            with pq.ParquetFile(path) as file:
                present = [name for name in columns if name in file.schema_arrow.names]
                for group in range(file.num_row_groups):
                    end = start + file.metadata.row_group(group).num_rows
                    if any(start <= number < end for number in wanted):
                        pieces = file.iter_batches(4096, row_groups=[group], columns=present)
                        found += _take(pieces, [number - start for number in wanted])
                    start = end
        return found

    def outcomes(self) -> dict[Key, dict[str, Tally]]:
        """Per measurement and problem how its samples went; greedy ones if all are."""
        sampled: dict[Key, dict[str, Tally]] = {}
        greedy: dict[Key, dict[str, Tally]] = {}
        columns = ("stage", "round", "on", "problem_id", "index", "status")
        for row in self.records("evaluation", columns):
            found = greedy if row["index"] is not None and row["index"] < 0 else sampled
            tally = found.setdefault(key_of(row), {}).setdefault(row["problem_id"], Tally())
            tally.samples += 1
            tally.correct += row["status"] == "correct"
            tally.undecided += row["status"] == "undecided"
        return greedy | sampled

    def curves(self) -> dict[str, dict[str, Points]]:
        """Per training stage and metric its points; a step that was run again counts once."""
        found: dict[str, dict[str, dict[int, float]]] = {}
        for row in self._lines("metrics.jsonl"):
            step = row.get("step")
            if not isinstance(step, int):
                continue
            stage = found.setdefault(str(row.get("stage", "train")), {})
            for metric in METRICS:
                value = row.get(metric)
                if isinstance(value, int | float) and math.isfinite(value):
                    stage.setdefault(metric, {})[step] = value
        return {
            stage: {name: sorted(metrics[name].items()) for name in METRICS if name in metrics}
            for stage, metrics in found.items()
            if metrics
        }

    def _lines(self, name: str) -> Iterator[dict[str, Any]]:
        """The objects of a JSONL file; a line that a crash cut short is passed over."""
        path = self.folder / name
        if not path.exists():
            return
        with path.open(errors="replace") as stream:
            for line in stream:
                try:
                    row = json.loads(line)
                except ValueError:
                    continue
                if isinstance(row, dict):
                    yield row

    def _json(self, name: str, kind: type) -> Any:
        path = self.folder / name
        if not path.exists():
            return kind()
        try:
            value = json.loads(path.read_bytes())
        except ValueError as error:
            raise ReportError(f"{path} is damaged: {error}") from error
        if not isinstance(value, kind):
            raise ReportError(f"{path} should hold a JSON {'object' if kind is dict else 'list'}")
        return value


def _take(batches: Iterable[pa.RecordBatch], numbers: Sequence[int]) -> list[dict[str, Any]]:
    """The rows with these numbers, counted over the batches."""
    found, start = list[dict[str, Any]](), 0
    for batch in batches:
        inside = [n - start for n in numbers if start <= n < start + batch.num_rows]
        found += [row for place in inside for row in batch.slice(place, 1).to_pylist()]
        start += batch.num_rows
    return found


def _measured(row: dict[str, Any]) -> dict[str, Any]:
    if row.get("pass@1") is not None:
        return row | {"measure": "pass@1", "value": row["pass@1"]}
    interval = {"low": row.get("greedy_low"), "high": row.get("greedy_high"), "greedy": None}
    return row | interval | {"measure": "greedy", "value": row.get("greedy")}


def key_of(row: dict[str, Any]) -> Key:
    """Which measurement a row belongs to."""
    return Key(str(row["stage"]), int(row.get("round") or 1), str(row.get("on") or "heldout"))


def question(prompt: Any) -> str:
    """What a prompt asks: the last user message where it is a chat (or the JSON of one)."""
    return _said(prompt, "user")


def answer(completion: Any) -> str:
    """What a completion says: the last assistant message where it is a chat (or JSON of one)."""
    return _said(completion, "assistant")


def _said(text: Any, role: str) -> str:
    if isinstance(text, str) and text.startswith("[{"):
        try:
            text = json.loads(text)
        except ValueError:
            return text
    if isinstance(text, list):
        turns = [turn for turn in text if isinstance(turn, dict) and turn.get("role") == role]
        return str(turns[-1].get("content", "")) if turns else ""
    return "" if text is None else str(text)
