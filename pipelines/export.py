"""A folder that can be published: the dataset with its card, a student with its model card."""

from __future__ import annotations

import difflib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines import recipe as recipes
from pipelines.card import configurations, dataset_card
from pipelines.errors import UsageError
from pipelines.model_card import model_card
from pipelines.public import shortened
from pipelines.recipe import Recipe, stage_id
from pipelines.run_folder import read_json, read_manifest

OURS = ("attn_implementation", "_attn_implementation")


@dataclass
class Finished:
    """A run folder that is only read."""

    path: Path
    recipe: Recipe
    manifest: dict[str, Any]


def export(folder: Path, to: str, stage: str | None = None) -> list[Path]:
    """Write `to`/dataset and `to`/student, whole or not at all; the folders that were written.

    `stage` names the student, or a reward model; the last student where None. A run without
    students gives the dataset alone, one without tables the student alone. Raises UsageError where
    `to` is a hub or holds something already, where the run is at work, or where there is nothing to
    export.
    """
    if to.startswith("hub:"):
        raise UsageError(f"--to {to}: uploading is not available; export to a folder")
    target = Path(to)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} is {'not empty' if target.is_dir() else 'not a folder'}")
    manifest = read_manifest(folder)
    if manifest is None or not (folder / "recipe.yaml").is_file():
        raise UsageError(f"{folder} is not a run folder")
    with _at_rest(folder):
        run = Finished(folder, recipes.load(str(folder / "recipe.yaml")), manifest)
        student, configs = _student(run, stage), configurations(run)
        if student is None and not configs:
            raise UsageError(f"{folder} has neither tables nor students yet")
        made = [p for p in (target.parent, *target.parent.parents) if not p.exists()]
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        try:
            if configs:
                _write_dataset(run, list(configs), beside / "dataset")
            if student is not None:
                _write_student(run, student, beside / "student")
            beside.rename(target)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            for parent in made:
                parent.rmdir()
            raise
    return sorted(target.iterdir())


@contextmanager
def _at_rest(folder: Path) -> Iterator[None]:
    """Keeps a run from starting in `folder`; UsageError where one is at work there."""
    file = folder / ".lock"
    if not file.exists():
        yield
        return
    with file.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = lock.read().strip() or "unknown"
            raise UsageError(
                f"{folder} is in use by process {holder}; export it when that is done"
            ) from error
        yield


def _student(run: Finished, wanted: str | None) -> str | None:
    """The stage whose student is exported; None where there is none."""
    trained = [
        stage
        for stage in run.recipe.stages
        if f"train:{stage_id(stage)}" in run.manifest["stages"]
        and (run.path / "students" / stage_id(stage) / "config.json").is_file()
    ]
    policies = [stage_id(stage) for stage in trained if stage.policy]
    if wanted is None:
        return policies[-1] if policies else None
    found = [stage_id(stage) for stage in trained]
    if wanted not in found:
        near = difflib.get_close_matches(wanted, found, 1)
        known = f"students: {', '.join(found)}" if found else "it has none"
        hint = f"did you mean {near[0]!r}?" if near else known
        raise UsageError(f"{run.path} has no student of stage {wanted!r}; {hint}")
    return wanted


def _write_dataset(run: Finished, configs: list[str], out: Path) -> None:
    for config in configs:
        (out / config).mkdir(parents=True)
        for file in sorted((run.path / "data" / config).glob("*.parquet")):
            shutil.copyfile(file, out / config / file.name)
    (out / "README.md").write_text(dataset_card(run), encoding="utf-8")


def _write_student(run: Finished, stage: str, out: Path) -> None:
    """A copy of the student that nothing of this machine is named in."""
    shutil.copytree(
        run.path / "students" / stage, out,
        ignore=shutil.ignore_patterns(".*", "training.json", "README.md"),
    )  # fmt: skip
    for file in sorted(out.rglob("*.json")):
        if file.name != "tokenizer.json":
            values = read_json(file)
            public = shortened(values)
            if file.name == "config.json":
                public = {key: value for key, value in public.items() if key not in OURS}
            if public != values:
                file.write_text(json.dumps(public, indent=2) + "\n", encoding="utf-8")
    card = model_card(run, stage, (out / "adapter").is_dir())
    (out / "README.md").write_text(card, encoding="utf-8")
