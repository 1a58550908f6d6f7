"""The run folder: one lock, a manifest, tables that are there whole or not at all."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from generators.budget import Budget
from generators.store import Store
from pipelines.errors import PipelineError, UsageError
from pipelines.recipe import Recipe, dump
from pipelines.tables import Table, rows
from verifiers.files import place
from verifiers.records import Completion, Group, Problem, Verdict, canonical_json

CHAIN_JSON = ("usage", "token_ids", "logprobs", "top_logprobs", "teacher", "sampling")
NUMBERS = ("difficulty",)
VERDICT = ("status", "score", "reason", "extracted")


class RunFolder:
    """A run folder that this process holds the lock of; `store` is a store that other runs share.

    Raises UsageError where another process holds it, or another recipe's run is in it.
    """

    def __init__(self, path: Path, recipe: Recipe, store: Path | None = None):
        self.path = path
        self.recipe = recipe
        self._shared = store
        self.budget = Budget(None, {})
        if store is not None and (store.is_dir() or not store.resolve().parent.is_dir()):
            raise UsageError(f"no store can be at {store}: it is a folder, or in none that exists")
        known = _name_in(path)
        self.manifest = read_manifest(path) or {"name": recipe.name, "stages": {}}
        self.fresh = known is None
        self._made = [p for p in (path, *path.parents) if not p.exists()]
        if known is not None and known != recipe.name:
            raise UsageError(
                f"{path} holds the run of recipe {known!r}, not of {recipe.name!r}; "
                "choose another --run-dir"
            )
        path.mkdir(parents=True, exist_ok=True)
        self._lock = (path / ".lock").open("a+")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.seek(0)
            holder = self._lock.read().strip() or "unknown"
            self._lock.close()
            raise UsageError(f"{path} is in use by process {holder}") from error
        self._lock.truncate(0)
        self._lock.write(f"{os.getpid()} on {socket.gethostname()}")
        self._lock.flush()
        if store is not None:
            self.manifest["store"] = str(store.resolve())
        if known is None:
            self.write_recipe()

    @classmethod
    def lent(cls, path: Path, recipe: Recipe, store: Path, budget: Budget) -> RunFolder:
        """The folder for a child of the process that holds its lock: to read from."""
        folder = cls.__new__(cls)
        folder.path, folder.recipe, folder._shared, folder.budget = path, recipe, store, budget
        return folder

    def close(self, discard: bool = False) -> None:
        """Give the lock back; `discard` removes a folder that holds problem sets at most."""
        bare = all(stage.startswith("questions:") for stage in self.manifest["stages"])
        if discard and self.fresh and bare and not (self.path / "store.sqlite").exists():
            for child in self.path.iterdir():
                shutil.rmtree(child) if child.is_dir() else child.unlink()
            for made in self._made:
                made.rmdir()
        self._lock.close()

    def write_recipe(self) -> None:
        """Write the resolved recipe."""
        self.write_text("recipe.yaml", dump(self.recipe))

    def write_text(self, name: str, text: str) -> Path:
        """Write a file beside and rename it."""
        target = self.path / name
        beside = target.with_name(f".{target.name}.tmp")
        beside.write_text(text, encoding="utf-8")
        place(beside, target)
        return target

    @property
    def store_path(self) -> Path:
        """The store's file: the run's own, or the one that it shares with other runs."""
        return self._shared or store_of(self.path, self.manifest)

    def store(self) -> Store:
        """The store of what was paid for."""
        store = Store(self.store_path)
        if self.budget.text:
            store.limit(self.budget)
        self.budget.open = 0
        store.budget = self.budget
        return store

    def done(self, node: str, fingerprint: str, outputs: Sequence[str]) -> bool:
        """True where `node` is finished with this fingerprint and its output is there."""
        entry = self.manifest["stages"].get(node)
        same = entry is not None and entry["fingerprint"] == fingerprint
        return same and all((self.path / output).exists() for output in outputs)

    def finish(self, node: str, fingerprint: str, seconds: float, counts: dict[str, Any]) -> None:
        """Note that `node` is done; this is what makes its output count."""
        self.manifest["stages"][node] = {
            "fingerprint": fingerprint,
            "seconds": round(seconds, 2),
            "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "counts": counts,
        }
        self.write_manifest()

    def write_manifest(self) -> None:
        """Write the manifest as it stands."""
        self.write_text("manifest.json", json.dumps(self.manifest, indent=1) + "\n")

    def log(self, event: str, **values: Any) -> None:
        """Append a line to log.jsonl."""
        with (self.path / "log.jsonl").open("a") as stream:
            stream.write(
                json.dumps({"time": round(time.time(), 3), "event": event, **values}) + "\n"
            )

    def write_table(
        self, config: str, rows: Sequence[dict[str, Any]], file: str = "part-0"
    ) -> None:
        """Write data/<config>/<file>.parquet, whole or not at all; nested values as JSON text."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        folder = self.path / "data" / config
        folder.mkdir(parents=True, exist_ok=True)
        table = _typed(pa.Table.from_pylist(list(rows))) if rows else pa.table({})
        beside = folder / f".{file}.tmp"
        pq.write_table(table, beside)
        place(beside, folder / f"{file}.parquet")

    def read_table(self, config: str, file: str = "part-0") -> list[dict[str, Any]]:
        """Rows of data/<config>/<file>.parquet."""
        import pyarrow.parquet as pq

        path = self.path / "data" / config / f"{file}.parquet"
        with parquet_errors(path):
            return pq.read_table(path).to_pylist()

    def drop_table(self, config: str) -> None:
        """Remove data/<config>."""
        shutil.rmtree(self.path / "data" / config, ignore_errors=True)

    def table(self, config: str, columns: tuple[str, ...]) -> Table:
        """data/<config>/part-0.parquet, to be written row by row."""
        return Table(self.path / "data" / config / "part-0.parquet", columns)

    def problems(self, config: str) -> list[Problem]:
        """The problems of data/problems or data/heldout."""
        return list(self.each_problem(config))

    def each_problem(self, config: str) -> Iterator[Problem]:
        """The problems of data/problems or data/heldout, one at a time."""
        path = self.path / "data" / config / "part-0.parquet"
        with parquet_errors(path):
            yield from map(problem_of, rows(path))

    def groups(self) -> Iterable[Group]:
        """The judged groups of data/chains, in the order of data/problems."""
        by_problem: dict[str, list[tuple[Completion, Verdict]]] = {}
        for row in self.read_table("chains"):
            by_problem.setdefault(row["problem_id"], []).append(sample_of(row))
        for problem in self.problems("problems"):
            yield Group(problem=problem, samples=by_problem.get(problem.id, []))


def _typed(table: Any) -> Any:
    """`table` with a type for columns without any value, so that files of one set fit together."""
    import pyarrow as pa

    fields = [
        field.with_type(pa.float64() if field.name in NUMBERS else pa.string())
        if pa.types.is_null(field.type)
        else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))


def problem_row(problem: Problem) -> dict[str, Any]:
    """A row of data/problems; a prompt that is a chat, and the answer, as text or JSON text."""
    row = problem.model_dump()
    if not isinstance(row["prompt"], str):
        row["prompt"] = canonical_json(row["prompt"])
    row["answer_is_json"] = not isinstance(row["answer"], str)
    if row["answer_is_json"]:
        row["answer"] = canonical_json(row["answer"])
    row["prompt_is_chat"] = not isinstance(problem.prompt, str)
    row["parents"] = canonical_json(row["parents"])
    row["meta"] = canonical_json(row["meta"])
    return row


def problem_of(row: dict[str, Any]) -> Problem:
    """The problem of a row of data/problems."""
    row = dict(row)
    for key, flag in (("prompt", "prompt_is_chat"), ("answer", "answer_is_json")):
        if row.pop(flag):
            row[key] = json.loads(row[key])
    row["parents"] = json.loads(row["parents"])
    row["meta"] = json.loads(row["meta"])
    return Problem(**row)


def chain_row(completion: Completion, verdict: Verdict) -> dict[str, Any]:
    """A row of data/chains: the completion's fields and the verdict's."""
    row = completion.model_dump()
    for key in CHAIN_JSON:
        row[key] = None if row[key] is None else _json(row[key])
    return row | {key: getattr(verdict, key) for key in VERDICT} | {"verifier": verdict.verifier}


def _json(value: Any) -> str:
    """JSON with sorted keys, quickly."""
    import orjson

    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:
        return canonical_json(value)


def sample_of(row: dict[str, Any]) -> tuple[Completion, Verdict]:
    """The completion and its verdict of a row of data/chains."""
    verdict = Verdict(verifier=row["verifier"], **{key: row[key] for key in VERDICT})
    fields = {
        key: json.loads(value) if key in CHAIN_JSON and value is not None else value
        for key, value in row.items()
        if key not in (*VERDICT, "verifier")
    }
    return Completion(**fields), verdict


@contextmanager
def parquet_errors(path: Path) -> Iterator[None]:
    """A damaged Parquet file as a PipelineError that names it."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowInvalid, OSError) as error:
        raise PipelineError(f"{path} is damaged; remove it and run again") from error


def read_json(path: Path) -> Any:
    """What a JSON file holds; PipelineError where it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise PipelineError(f"{path} is damaged: {error}") from error


def read_manifest(path: Path) -> dict[str, Any] | None:
    """The manifest of a run folder, or None; UsageError where it is damaged."""
    file = path / "manifest.json"
    try:
        manifest = json.loads(file.read_text())
        for entry in manifest["stages"].values():
            entry["fingerprint"], entry["counts"]
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError, OSError) as error:
        raise UsageError(f"{file} is damaged; remove it to have every stage checked") from error
    return manifest


def store_of(path: Path, manifest: dict[str, Any]) -> Path:
    """The store of the run in `path`."""
    return Path(manifest.get("store") or path / "store.sqlite")


def _name_in(path: Path) -> str | None:
    """The name of the recipe whose run is in `path`."""
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is not a folder")
    try:
        data = yaml.safe_load((path / "recipe.yaml").read_text())
    except (yaml.YAMLError, UnicodeDecodeError, IsADirectoryError) as error:
        raise UsageError(f"{path / 'recipe.yaml'} is damaged") from error
    except FileNotFoundError:
        if path.is_dir() and any(
            p.name not in (".lock", ".recipe.yaml.tmp") for p in path.iterdir()
        ):
            raise UsageError(f"{path} is not empty and not a run folder") from None
        return None
    return data.get("name") if isinstance(data, dict) else None
