"""Running a recipe: which stages there are, which are done, and doing the rest."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from generators.errors import GeneratorError
from pipelines.card import write_card
from pipelines.errors import PipelineError, UsageError
from pipelines.progress import Progress
from pipelines.recipe import Recipe, stage_id, training_sets
from pipelines.run_folder import RunFolder
from pipelines.samplers import has_training
from pipelines.stages import Job, Node, curate, evaluate, generate, train
from students.errors import DataError, ModelError
from verifiers import base
from verifiers.base import VerifierError
from verifiers.pool import VerdictPool
from verifiers.records import content_id

PARTS = ("generate", "curate", "train", "evaluate")


def nodes(recipe: Recipe) -> list[Node]:
    """The stages of a run in their order."""
    config = recipe.model_dump(mode="json")
    heldout = (config["evaluate"] or {}).get("heldout")
    found = [
        Node("questions", "generate", [config["questions"], heldout, recipe.seed], [],
             generate.ask, generate.QUESTIONS_VERSION),
        Node("chains", "generate", [config["teacher"], config["chains"], recipe.seed],
             ["questions"], generate.draw, generate.CHAINS_VERSION, verifiers=True),
        Node("curate", "curate", [config["curate"], training_sets(recipe), recipe.seed],
             ["chains", "questions"], curate.run, curate.VERSION),
    ]  # fmt: skip
    student = config["student"]
    measured = measured_stages(recipe)

    def measure(stage: str, subject: Any, inputs: list[str]) -> None:
        if stage in measured:
            what = [config["evaluate"], config["chains"]["system"], subject, recipe.seed]
            found.append(
                Node(f"evaluate:{stage}", "evaluate", what, ["questions", *inputs],
                     partial(evaluate.run, stage=stage), evaluate.VERSION, verifiers=True)
            )  # fmt: skip

    measure("teacher", config["teacher"], [])
    measure("base", student, [])
    before: str | None = None
    for stage, section in zip(recipe.stages, config["stages"], strict=True):
        name = stage_id(stage)
        inputs = ["curate", "questions"] + ([f"train:{before}"] if before else [])
        found.append(
            Node(f"train:{name}", "train", [section, student, recipe.seed], inputs,
                 partial(train.run, stage=stage, before=before), train.VERSION)
        )  # fmt: skip
        measure(name, None, [f"train:{name}"])
        before = name
    return found


def measured_stages(recipe: Recipe) -> list[str]:
    """What is evaluated, in the order of the table: base, the stages, the teacher last."""
    if recipe.evaluate is None:
        return []
    stages = ["base", *map(stage_id, recipe.stages)] if recipe.student else []
    wanted = recipe.evaluate.teacher
    free = recipe.teacher is not None and recipe.teacher.backend in ("local", "recorded")
    if recipe.teacher is not None and (free if wanted is None else wanted):
        stages.append("teacher")
    return stages


def fingerprints(recipe: Recipe, plan: Sequence[Node]) -> dict[str, str]:
    """What each stage's output depends on, as one hash; raises UsageError for a bad verifier."""
    versions = check_verifiers(recipe)
    known: dict[str, str] = {}
    for node in plan:
        known[node.name] = content_id(
            {
                "version": node.version,
                "config": node.config,
                "verifiers": [versions, recipe.verifiers] if node.verifiers else None,
                "inputs": {name: known[name] for name in node.inputs},
            }
        )
    return known


def check_verifiers(recipe: Recipe) -> dict[str, str]:
    """Versions of all verifiers that the recipe names; UsageError where one is unknown."""
    files = {s.verifier for s in recipe.questions if s.source in ("jsonl", "dataset")}
    names = {source.verifier for source in recipe.questions} | set(recipe.verifiers)
    names -= files - set(base.names()) - set(recipe.verifiers)
    try:
        return VerdictPool(workers=1, options=recipe.verifiers).require(names)
    except VerifierError as error:
        raise UsageError(str(error)) from error


def check(recipe: Recipe, parts: Sequence[str]) -> None:
    """Refuse what cannot work, before anything is written or spent."""
    check_verifiers(recipe)
    if "generate" in parts:
        if recipe.teacher is None:
            raise UsageError("the recipe has no teacher section")
        if not recipe.questions:
            raise UsageError("the recipe has no questions section")
        if recipe.teacher.backend == "openai":
            from pipelines.samplers import teacher

            teacher(recipe.teacher)
        paths = [source.path for source in recipe.questions if source.source == "jsonl"]
        if recipe.teacher.path is not None:
            paths.append(recipe.teacher.path)
        for path in paths:
            if not Path(path).exists():
                raise UsageError(f"no such file: {path}")
    local = recipe.teacher is not None and recipe.teacher.backend == "local"
    torch = (local and "generate" in parts) or (recipe.stages and "train" in parts)
    if torch and not has_training():
        raise UsageError("local models need torch: pip install 'distill-factory[train]'")
    wanted = [recipe.teacher.model if local and recipe.teacher and "generate" in parts else None]
    if recipe.student is not None and recipe.stages and "train" in parts:
        wanted.append(recipe.student.model)
    for model in filter(None, wanted):
        from students.models import check as check_model

        check_model(model)


@contextmanager
def users_mistakes() -> Any:
    """Errors of the packages below, as what they are to a user."""
    try:
        yield
    except GeneratorError as error:
        raise UsageError(str(error)) from error
    except VerifierError as error:
        raise UsageError(str(error)) from error
    except ModelError as error:
        raise UsageError(str(error)) from error


def run(
    recipe: Recipe, path: Path, parts: Sequence[str] = PARTS, progress: Progress | None = None
) -> list[dict[str, Any]]:
    """Do what is not done yet of `parts` in the run folder `path`; the rows of evaluation.json.

    Raises UsageError for the user's mistakes, in a folder that stays as it was, and PipelineError
    where a stage fails; what was finished stays finished.
    """
    with users_mistakes():
        check(recipe, parts)
        plan = nodes(recipe)
        prints = fingerprints(recipe, plan)
        folder = RunFolder(path, recipe)
        done = False
        try:
            job = Job(recipe, folder, progress or Progress())
            for node in plan:
                if node.part in parts:
                    _do(job, node, prints)
            done = True
            return _finish(job, plan)
        finally:
            folder.close(discard=not done)


def _do(job: Job, node: Node, prints: dict[str, str]) -> None:
    folder, progress = job.folder, job.progress
    fingerprint = prints[node.name]
    if folder.done(node.name, fingerprint):
        progress.note(f"{node.name}: already done")
        return
    missing = [name for name in node.inputs if not folder.done(name, prints[name])]
    if missing:
        raise UsageError(
            f"{node.name} needs {', '.join(missing)} of this recipe, which {folder.path} does not "
            "hold yet; run the parts before it first"
        )
    _forget_unfinished(job, node, fingerprint)
    progress.start(node.name)
    folder.log("start", stage=node.name, fingerprint=fingerprint)
    start = time.monotonic()
    try:
        counts = node.run(job)
    except DataError as error:
        raise PipelineError(str(error)) from error
    seconds = time.monotonic() - start
    folder.write_recipe()
    folder.finish(node.name, fingerprint, seconds, counts)
    folder.log("done", stage=node.name, seconds=round(seconds, 2))
    progress.done(_say(counts))


def _forget_unfinished(job: Job, node: Node, fingerprint: str) -> None:
    """Checkpoints of an unfinished training that was of another fingerprint are no use."""
    if node.part != "train":
        return
    name = node.name.removeprefix("train:")
    partial_run = job.folder.path / "students" / f".{name}.partial"
    mark = partial_run / "fingerprint"
    if partial_run.exists() and (not mark.exists() or mark.read_text() != fingerprint):
        shutil.rmtree(partial_run)
    partial_run.mkdir(parents=True, exist_ok=True)
    mark.write_text(fingerprint)


def _finish(job: Job, plan: Sequence[Node]) -> list[dict[str, Any]]:
    """Everything that is made of finished stages: table, card, report."""
    folder, recipe = job.folder, job.recipe
    folder.write_recipe()
    current = {node.name for node in plan}
    stale = [name for name in folder.manifest["stages"] if name not in current]
    for name in stale:
        del folder.manifest["stages"][name]
        if name.startswith("train:"):
            shutil.rmtree(folder.path / "students" / name.removeprefix("train:"), True)
    folder.write_manifest()
    order = [s for s in measured_stages(recipe) if f"evaluate:{s}" in folder.manifest["stages"]]
    rows = evaluate.write_table(folder, order) if order else []
    write_card(folder)
    from pipelines.report.build import build

    build(folder.path)
    return rows


def _say(counts: dict[str, Any]) -> str:
    plain = [
        f"{key} {value:,}" if isinstance(value, int) else f"{key} {value:.3g}"
        for key, value in counts.items()
        if isinstance(value, int | float)
    ]
    return ", ".join(plain) or "done"
