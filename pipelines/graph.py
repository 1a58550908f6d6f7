"""The stages of a run, and what each one's output depends on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from generators.config import QuestionSource, TeacherConfig
from pipelines import judges
from pipelines.errors import UsageError
from pipelines.problem_sets import HELDOUT
from pipelines.recipe import (
    Recipe,
    difficulty_band,
    makes_data,
    own_rows,
    problem_sets,
    stage_id,
    training_sets,
)
from pipelines.rollouts import depends_on
from pipelines.stages import Node, curate, evaluate, generate, train
from students.identity import file_hash, folder_hash, identity
from verifiers import base
from verifiers.base import VerifierError
from verifiers.records import content_id


def nodes(recipe: Recipe) -> list[Node]:
    """The stages of a run in their order."""
    config, seed = recipe.model_dump(mode="json"), recipe.seed
    evaluated = recipe.evaluate
    heldout = config["evaluate"]["heldout"] if evaluated and evaluated.holds_out else None
    teacher = [config["teacher"], _content(recipe.teacher)]
    writer = teacher if any(s.source == "evolve" for s in recipe.questions) else None
    asking = [config["questions"], _files(recipe.questions), heldout, writer, seed]
    sets = training_sets(recipe)
    samples = recipe.chains.samples
    about = samples.sequential and samples.stop == "band_known"
    further = config["chains"].pop("teachers")
    drawing = [teacher, config["chains"], seed, *([difficulty_band(recipe)] if about else [])]
    if further:
        drawing.append([further, [_content(one) for one in recipe.chains.teachers]])
    measured_on = problem_sets(recipe)
    found = [
        Node(f"questions:{on.name}", "generate", [on.asking(), _files([on]), seed], [],
             partial(generate.collect, problems=on), generate.QUESTIONS_VERSION,
             outputs=_tables(on.config))
        for on in measured_on
    ]  # fmt: skip
    kept_out = [node.name for node in found]
    if not makes_data(recipe):
        return found + _learning(recipe, config, teacher, kept_out)
    found += [
        Node("questions", "generate", asking, [], generate.ask, generate.QUESTIONS_VERSION,
             outputs=_tables("problems", "heldout")),
        Node("chains", "generate", drawing, ["questions"],
             generate.draw, generate.CHAINS_VERSION, True, _tables("chains")),
        Node("curate", "curate", [config["curate"], sets, seed], ["chains", "questions", *kept_out],
             curate.run, curate.VERSION, outputs=_tables(*sets, "rejects")),
    ]  # fmt: skip
    return found + _learning(recipe, config, teacher, ["questions", *kept_out])


def _learning(
    recipe: Recipe, config: dict[str, Any], teacher: Any, kept_out: list[str]
) -> list[Node]:
    """Training and evaluation; `kept_out` make the problems that are not trained on."""
    found: list[Node] = []
    student: list[Any] = [None, None]
    if recipe.student is not None:
        student = [recipe.student.shaping(), identity(str(recipe.student.model))]
    measured = measured_stages(recipe)

    def measure(stage: str, subject: Any, inputs: list[str], before: str | None = None) -> None:
        if stage not in measured or recipe.evaluate is None:
            return
        for on in recipe.evaluate.names:
            settings = recipe.evaluate.settings(on).model_dump(mode="json")
            what = [settings, config["chains"]["system"], subject, recipe.seed]
            if recipe.evaluate.backend == "vllm" and stage != "teacher":
                what.append(recipe.evaluate.vllm.shaping())
            problems = "questions" if on == HELDOUT else f"questions:{on}"
            found.append(
                Node(evaluation(stage, on), "evaluate", what, [problems, *inputs],
                     partial(evaluate.run, stage=stage, on=on, before=before),
                     evaluate.VERSION, True,
                     _tables("evaluation", file=evaluate.file_of(stage, on)))
            )  # fmt: skip

    measure("teacher", teacher, [])
    measure("base", student, [])
    before: str | None = None
    for stage in recipe.stages:
        name = stage_id(stage)
        own = own_rows(stage)
        inputs = kept_out if own else ["curate", "questions"]
        inputs = [*inputs, *([f"train:{before}"] if before else [])]
        what = [depends_on(stage), student, recipe.seed]
        if own:
            what += [folder_hash(Path(own)), config["curate"]["decontaminate"]]
        found.append(
            Node(f"train:{name}", "train", what, inputs,
                 partial(train.run, stage=stage, before=before), train.VERSION,
                 outputs=[f"students/{name}/config.json"])
        )  # fmt: skip
        if stage.policy:
            measure(name, None, [f"train:{name}"], before or "base")
            before = name
    return found


def evaluation(stage: str, on: str) -> str:
    """The name of the node that measures `stage` on a problem set."""
    return f"evaluate:{stage}" if on == HELDOUT else f"evaluate:{stage}:{on}"


def _tables(*configs: str, file: str = "part-0") -> list[str]:
    return [f"data/{config}/{file}.parquet" for config in configs]


def _files(sources: Sequence[QuestionSource]) -> list[str]:
    """Content of the question files, so that an edited file is asked again."""
    paths = [Path(s.path) for s in sources if s.source == "jsonl"]
    return [file_hash(path) for path in paths if path.is_file()]


def _content(teacher: TeacherConfig | None) -> list[str]:
    """Content of a teacher that is a folder, and of its recorded chains."""
    content = list[str]()
    if teacher is None:
        return content
    if teacher.backend in ("local", "vllm"):
        content.append(identity(str(teacher.model)))
    if teacher.path and Path(teacher.path).is_file():
        content.append(file_hash(Path(teacher.path)))
    return content


def measured_stages(recipe: Recipe) -> list[str]:
    """What is evaluated, in the order of the table: base, the stages, the teacher last."""
    if recipe.evaluate is None:
        return []
    policies = [stage_id(stage) for stage in recipe.stages if stage.policy]
    stages = ["base", *policies] if recipe.student else []
    wanted = recipe.evaluate.teacher
    free = recipe.teacher is not None and recipe.teacher.backend in ("local", "vllm", "recorded")
    if recipe.teacher is not None and (free if wanted is None else wanted):
        stages.append("teacher")
    return stages


def fingerprints(recipe: Recipe, plan: Sequence[Node]) -> dict[str, str]:
    """What each stage's output depends on, as one hash; raises UsageError for a bad verifier."""
    versions = check_verifiers(recipe)
    asked = {name: _content(config) for name, config in judges.teachers(recipe.verifiers).items()}
    judging = [versions, recipe.verifiers, *([asked] if asked else [])]
    known: dict[str, str] = {}
    for node in plan:
        known[node.name] = content_id(
            {
                "version": node.version,
                "config": node.config,
                "verifiers": judging if node.verifiers else None,
                "inputs": {name: known[name] for name in node.inputs},
            }
        )
    return known


def check_verifiers(recipe: Recipe) -> dict[str, str]:
    """Versions of all verifiers that the recipe names; UsageError where one is unknown."""
    sources = [*recipe.questions, *problem_sets(recipe)]
    files = {s.verifier for s in sources if s.source in ("jsonl", "dataset")}
    names = {source.verifier for source in sources} | set(recipe.verifiers)
    names -= files - set(base.names()) - set(recipe.verifiers)
    try:
        versions = base.versions(names, recipe.verifiers)
        for name in versions:
            asks = hasattr(base.load(name, recipe.verifiers.get(name), recipe.verifiers), "request")
            if asks and not recipe.verifiers.get(name, {}).get("teacher"):
                raise base.NeedsSampler(name)
        for written in (source for source in recipe.questions if source.source == "evolve"):
            name = written.verifier
            judge = base.load(name, recipe.verifiers.get(name), recipe.verifiers)
            if not hasattr(judge, "solve"):
                raise UsageError(
                    f"{name} computes no ground truth, so no question that a teacher writes could "
                    "be used; give the evolve source a verifier that does, such as math"
                )
    except VerifierError as error:
        raise UsageError(str(error)) from error
    return versions
