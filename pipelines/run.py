"""Running a recipe: which stages there are, which are done, and doing the rest."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from generators.budget import Budget
from generators.errors import GeneratorError
from generators.prices import FREE, price, unbilled
from generators.teachers.errors import TeacherError, TeacherRefusal
from generators.teachers.servers import Servers
from pipelines import judges, launch, rollouts, samplers, trial
from pipelines.card import write_card
from pipelines.errors import PipelineError, UsageError
from pipelines.graph import check_verifiers, evaluation, fingerprints, measured_stages, nodes
from pipelines.problem_sets import table_of
from pipelines.progress import Progress
from pipelines.recipe import Recipe, makes_data, own_rows, problem_sets
from pipelines.run_folder import RunFolder
from pipelines.stages import Job, Node, evaluate
from students.errors import DataError, ModelError, TrackerError
from students.memory import few_kernels, one_heap, release
from verifiers.base import VerifierError

PARTS = ("generate", "curate", "train", "evaluate")


def check(recipe: Recipe, parts: Sequence[str]) -> None:
    """Refuse what cannot work, before anything is written or spent."""
    check_verifiers(recipe)
    for asked in judges.teachers(recipe.verifiers).values():
        samplers.check(asked)
    generating = "generate" in parts and makes_data(recipe)
    training = bool(recipe.stages) and "train" in parts
    if not makes_data(recipe) and recipe.evaluate and recipe.evaluate.holds_out:
        raise UsageError(
            "evaluate.on: heldout needs questions to hold out; name a problem set to measure on"
        )
    if generating:
        if recipe.teacher is None:
            raise UsageError("the recipe has no teacher section")
        if not recipe.questions:
            raise UsageError("the recipe has no questions section")
        for teacher in recipe.teachers:
            samplers.check(teacher, recipe.chains.sampling)
    measured = recipe.evaluate if "evaluate" in parts and recipe.student else None
    asking: list[Any] = [measured, *(recipe.stages if training else [])]
    for section in filter(rollouts.on_server, asking):
        samplers.check_vllm(samplers.server(section.vllm, recipe.teacher))
    _check_files(recipe, parts)
    local = [one for one in recipe.teachers if one.backend == "local" and generating]
    if not local and not training:
        return
    if not samplers.has_training():
        raise UsageError("local models need torch: pip install 'distill-factory[train]'")
    from students import models, trackers

    for teacher in local:
        models.check(str(teacher.model))
    if training and recipe.student is not None:
        models.rehearse(recipe.student, any(not stage.policy for stage in recipe.stages))
        trackers.check(recipe.student.trackers)
        launch.processes(recipe.student)


def _check_files(recipe: Recipe, parts: Sequence[str]) -> None:
    against = recipe.curate.decontaminate.against if recipe.curate.decontaminate else []
    paths, recorded = [other.path for other in against], list[str]()
    if "train" in parts:
        paths += [own for own in map(own_rows, recipe.stages) if own]
    if "generate" in parts:
        sources = [*recipe.questions, *problem_sets(recipe)]
        paths += [source.path for source in sources if source.source == "jsonl"]
        recorded = [teacher.path for teacher in recipe.teachers if teacher.path is not None]
        paths += recorded
    for path in paths:
        if not Path(path).exists():
            raise UsageError(f"no such file: {path}")
        if Path(path).is_dir() and path in recorded:
            raise UsageError(f"{path} is a folder, not a file of recorded chains")


@contextmanager
def users_mistakes() -> Any:
    """Errors of the packages below, as what they are to a user."""
    try:
        yield
    except (GeneratorError, VerifierError, ModelError, TrackerError) as error:
        raise UsageError(str(error)) from error


def run(
    recipe: Recipe,
    path: Path,
    parts: Sequence[str] = PARTS,
    progress: Progress | None = None,
    store: Path | None = None,
    budget: str | None = None,
) -> list[dict[str, Any]]:
    """Do what is not done yet of `parts` in the run folder `path`; the rows of evaluation.json.

    Raises UsageError for the user's mistakes, in a folder that stays as it was, and PipelineError
    where a stage fails; what was finished stays finished.
    """
    with _opened(recipe, path, parts, progress, store, budget) as job:
        plan = nodes(recipe)
        prints = fingerprints(recipe, plan)
        for node in plan:
            if node.part in parts:
                _do(job, node, plan, prints)
        return _finish(job, plan, prints)


def attempt(
    recipe: Recipe,
    path: Path,
    limit: int,
    parts: Sequence[str] = PARTS,
    progress: Progress | None = None,
    store: Path | None = None,
    budget: str | None = None,
) -> trial.Trial:
    """Ask `limit` questions of a run only, and say what all of it would cost. What is paid stays in
    the store, so that the whole run does not pay it again; no stage but the questions is done.

    Raises as `run` does, and UsageError where `limit` is below 1.
    """
    if limit < 1:
        raise UsageError(f"--limit {limit}: at least 1 question must be asked")
    with _opened(recipe, path, parts, progress, store, budget) as job:
        whole = nodes(recipe)
        prints = fingerprints(recipe, whole)
        questions = next(node for node in whole if node.name == "questions")
        fewer = recipe
        if not job.folder.done("questions", prints["questions"], questions.outputs):
            fewer = trial.fewer_questions(recipe, limit)
            plan = nodes(fewer)
            questions = next(node for node in plan if node.name == "questions")
            _do(replace(job, recipe=fewer), questions, plan, fingerprints(fewer, plan))
        with stage_errors():
            return trial.run(job, limit, fewer)


@contextmanager
def _opened(
    recipe: Recipe,
    path: Path,
    parts: Sequence[str],
    progress: Progress | None,
    store: Path | None,
    budget: str | None,
) -> Iterator[Job]:
    """The run folder with its lock, after everything that can be checked was checked."""
    one_heap()
    few_kernels()
    with users_mistakes():
        check(recipe, parts)
        fingerprints(recipe, nodes(recipe))
        paying = budget_of(recipe, budget)
        folder = RunFolder(path, recipe, store)
        folder.budget = paying
        servers = Servers(path)
        done = False
        try:
            yield Job(recipe, folder, progress or Progress(), servers)
            done = True
        finally:
            servers.stop()
            folder.close(discard=not done)


@contextmanager
def stage_errors() -> Iterator[None]:
    """What goes wrong in a stage, as a PipelineError."""
    try:
        yield
    except TeacherRefusal:
        raise
    except (DataError, TeacherError) as error:
        raise PipelineError(str(error)) from error


def budget_of(recipe: Recipe, text: str | None) -> Budget:
    """What is paid and may be spent: with a limit in dollars, all who are asked need a price."""
    asked = [*recipe.teachers, *judges.teachers(recipe.verifiers).values()]
    billed = [one for one in asked if one.backend not in FREE]
    known = {str(one.model): price(one, recipe.prices) for one in billed}
    listed = {model: found for model, found in known.items() if found is not None}
    free = unbilled(asked) - {str(one.model) for one in billed}
    paying = Budget(text, listed | recipe.prices, free)
    for one in asked:
        paying.check(str(one.model))
    return paying


def _do(job: Job, node: Node, plan: Sequence[Node], prints: dict[str, str]) -> None:
    folder, progress = job.folder, job.progress
    fingerprint = prints[node.name]
    if folder.done(node.name, fingerprint, node.outputs):
        _forget_partial(job, node)
        progress.note(f"{node.name}: already done")
        return
    needed = [other for other in plan if other.name in node.inputs]
    missing = [n.name for n in needed if not folder.done(n.name, prints[n.name], n.outputs)]
    if missing:
        raise UsageError(
            f"{node.name} needs {', '.join(missing)} of this recipe, which {folder.path} does not "
            "hold yet; run the parts before it first"
        )
    if node.part == "train":
        job.servers.stop()
    _mark_partial(job, node, fingerprint)
    progress.start(node.name)
    folder.log("start", stage=node.name, fingerprint=fingerprint)
    start = time.monotonic()
    with stage_errors():
        counts = node.run(job)
    seconds = time.monotonic() - start
    release()
    folder.write_recipe()
    folder.finish(node.name, fingerprint, seconds, counts)
    _forget_partial(job, node)
    folder.log("done", stage=node.name, seconds=round(seconds, 2))
    progress.done(_say(counts))


def _mark_partial(job: Job, node: Node, fingerprint: str) -> None:
    """Checkpoints of an unfinished training that was of another fingerprint are no use."""
    if node.part != "train":
        return
    partial = _partial(job, node)
    mark = partial / "fingerprint"
    if mark.exists() and mark.read_text() == fingerprint:
        return
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    job.folder.write_text(str(mark.relative_to(job.folder.path)), fingerprint)


def _forget_partial(job: Job, node: Node) -> None:
    """Remove the checkpoints of a training whose result is noted."""
    if node.part == "train":
        shutil.rmtree(_partial(job, node), ignore_errors=True)


def _partial(job: Job, node: Node) -> Path:
    return job.folder.path / "students" / f".{node.name.removeprefix('train:')}.partial"


def _finish(job: Job, plan: Sequence[Node], prints: dict[str, str]) -> list[dict[str, Any]]:
    """Everything that is made of finished stages: table, card, report."""
    folder, recipe = job.folder, job.recipe
    folder.write_recipe()
    current = {node.name for node in plan}
    stale = [name for name in folder.manifest["stages"] if name not in current]
    for name in stale:
        del folder.manifest["stages"][name]
        if name.startswith("train:"):
            shutil.rmtree(folder.path / "students" / name.removeprefix("train:"), True)
        if name.startswith("questions:"):
            folder.drop_table(table_of(name.removeprefix("questions:")))
    _say_what_is_old(job, prints)
    folder.write_manifest()
    measured = [
        (stage, on)
        for on in (recipe.evaluate.names if recipe.evaluate else [])
        for stage in measured_stages(recipe)
        if evaluation(stage, on) in folder.manifest["stages"]
    ]
    rows = evaluate.write_table(folder, measured) if measured else []
    write_card(folder)
    from pipelines.report.build import build

    build(folder.path)
    return rows


def _say_what_is_old(job: Job, prints: dict[str, str]) -> None:
    """Note which results are of another recipe than the one that was run in part."""
    stages = job.folder.manifest["stages"]
    old = [name for name, entry in stages.items() if entry["fingerprint"] != prints[name]]
    job.folder.manifest["outdated"] = old
    if old:
        job.progress.note(f"of an earlier recipe, to be done again: {', '.join(old)}")


def _say(counts: dict[str, Any]) -> str:
    plain = [
        f"{key} {value:,}" if isinstance(value, int) else f"{key} {value:.3g}"
        for key, value in counts.items()
        if isinstance(value, int | float)
    ]
    return ", ".join(plain) or "done"
