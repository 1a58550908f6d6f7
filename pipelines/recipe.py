"""The recipe: one YAML file that says everything a run does.

It only composes what the packages declare. Every mistake is one sentence with file, line and key.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from generators.bands import Keep
from generators.config import ChainsConfig, QuestionSource, TeacherConfig
from generators.curation.config import CurateConfig, DifficultyConfig
from generators.prices import Price
from pipelines import judges, rollouts
from pipelines.errors import UsageError
from pipelines.problem_sets import AnySet, Evaluate
from pipelines.recipe_errors import explain, line_of
from pipelines.recipe_yaml import RecipeLoader
from pipelines.rollouts import GRPO
from students.config import CPT, DPO, SFT, STAGES, RewardModel, StudentConfig

SHIPPED = Path(__file__).parent / "recipes"
EMBEDDED = Path(__file__).parent.parent / "generators" / "teachers" / "embedded"
PATHS = ("path", "model", "data")
NAMED = ("openai", "batch")
Stage = Annotated[CPT | SFT | RewardModel | DPO | GRPO, Field(discriminator="kind")]


class Scale(BaseModel):
    """Where the work runs."""

    model_config = ConfigDict(extra="forbid")
    engine: Literal["local"] = Field("local", description="This machine.")


class Recipe(BaseModel):
    """Everything a run does."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="Name of the run.")
    description: str = Field("", description="What it is for, for the dataset card.")
    warnings: list[str] = Field([], description="What users of the data must know, for the card.")
    seed: int = Field(0, ge=0, lt=2**31, description="Feeds every random generator.")
    teacher: TeacherConfig | None = Field(None, description="Who writes the chains.")
    questions: list[QuestionSource] = Field([], description="Where problems come from.")
    chains: ChainsConfig = Field(default_factory=ChainsConfig, description="How chains are drawn.")
    curate: CurateConfig = Field(default_factory=CurateConfig, description="What is trained on.")
    student: StudentConfig | None = Field(None, description="The model that learns.")
    stages: list[Stage] = Field([], description="How it learns, in order.")
    rounds: Literal[1] = Field(1, description="Passes through the whole recipe.")
    evaluate: Evaluate | None = Field(None, description="How it is measured.")
    verifiers: dict[str, dict[str, Any]] = Field({}, description="Options of verifiers, by name.")
    prices: dict[str, Price] = Field(
        {},
        description="What models cost, by name, where the server does not say. They win over "
        "the few list prices that distill knows (docs/generation.md).",
    )
    scale: Scale = Field(default_factory=Scale, description="Where the work runs.")

    @model_validator(mode="before")
    @classmethod
    def _stage_forms(cls, data: Any) -> Any:
        """Stages as `sft` or `{sft: {...}}` become `{kind: sft, ...}`."""
        if not isinstance(data, dict) or not isinstance(data.get("stages"), list):
            return data
        stages = []
        for item in data["stages"]:
            if isinstance(item, str):
                item = {item: {}}
            if isinstance(item, dict) and len(item) == 1:
                ((kind, body),) = item.items()
                if isinstance(body, dict) or body is None:
                    item = {"kind": kind, **(body or {})}
            stages.append(item)
        return {**data, "stages": stages}

    _teachers = field_validator("verifiers")(judges.checked)

    @property
    def teachers(self) -> list[TeacherConfig]:
        """All who write chains."""
        return [*([self.teacher] if self.teacher else []), *self.chains.teachers]

    @model_validator(mode="after")
    def _parents(self) -> Recipe:
        if self.questions and all(source.source == "evolve" for source in self.questions):
            raise ValueError("evolve makes questions from those of other sources; name one")
        return self

    @model_validator(mode="after")
    def _stage_ids(self) -> Recipe:
        ids = [stage_id(stage) for stage in self.stages]
        twice = {name for name in ids if ids.count(name) > 1 or name in ("base", "teacher")}
        if twice:
            raise ValueError(f"stage {min(twice)!r} needs an id of its own")
        if self.stages and self.student is None:
            raise ValueError("stages need a student section")
        for stage in self.stages:
            assert self.student is not None
            rollouts.check(stage, self.student)
        if self.student and self.student.strategy == "fsdp2":
            drawing = [stage_id(stage) for stage in self.stages if stage.kind == "grpo"]
            if drawing and self.student.devices != 1:
                raise ValueError(
                    f"stage {drawing[0]!r} draws answers, for which every device needs the whole "
                    "student: set student.strategy to ddp"
                )
        return self


def training_sets(recipe: Recipe) -> list[str]:
    """The training sets that curation writes: those asked for and those that stages read."""
    read = [table for table in map(table_read, recipe.stages) if table not in (None, "problems")]
    return list(dict.fromkeys([*recipe.curate.sets, *filter(None, read)]))


def table_read(stage: Any) -> str | None:
    """The table of the run that a training stage reads; None where its rows are the user's own."""
    if own_rows(stage):
        return None
    return "problems" if getattr(stage, "data", None) == "questions" else stage.reads


def own_rows(stage: Any) -> str | None:
    """Where the user's own rows are that a stage learns from."""
    return getattr(stage, "own", None)


def makes_data(recipe: Recipe) -> bool:
    """False where all that is trained on is there already, so that no teacher is asked."""
    own = recipe.stages and all(own_rows(stage) for stage in recipe.stages)
    return bool(recipe.questions) or not own


def difficulty_band(recipe: Recipe) -> Keep:
    """The band of measured difficulty that the run is about: what curation keeps."""
    return (recipe.curate.difficulty or DifficultyConfig()).keep


def problem_sets(recipe: Recipe) -> list[AnySet]:
    """What is measured on beside the held-out split."""
    return recipe.evaluate.sets if recipe.evaluate else []


def stage_id(stage: Any) -> str:
    """The id of a stage: its own, or its kind."""
    return stage.id or stage.kind


def find(name: str) -> Path:
    """The file of a recipe: a path, or the name of one that ships with the package."""
    path = Path(name)
    if path.is_file():
        return path
    shipped = SHIPPED / f"{name}.yaml"
    if shipped.is_file():
        return shipped
    known = sorted(p.stem for p in SHIPPED.glob("*.yaml"))
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"recipes that ship: {', '.join(known)}"
    raise UsageError(f"no recipe {name!r}; {hint}")


def load(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe of file or shipped name `name`, with `a.b=c` overrides; paths made absolute.

    Raises UsageError with file, line and key of the first mistake.
    """
    path = find(name)
    try:
        text = path.read_text(encoding="utf-8")
        data = yaml.load(text, Loader=RecipeLoader)
        tree: Any = yaml.compose(text, Loader=RecipeLoader)
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise UsageError(f"{path}{line}: not YAML: {problem}") from error
    if not isinstance(data, dict):
        raise UsageError(f"{path}: a recipe is a mapping of keys such as name, teacher, stages")
    for override in overrides:
        _override(data, override)
    try:
        recipe = Recipe.model_validate(data)
    except ValidationError as error:
        raise UsageError(explain(error, path, tree, Recipe)) from error
    return _resolve(recipe, path, tree)


def dump(recipe: Recipe) -> str:
    """The resolved recipe as YAML."""
    data = recipe.model_dump(mode="json", by_alias=True)
    teachers = [section.get("teacher") for section in (data, *data["verifiers"].values())]
    for teacher in [*teachers, *data["chains"]["teachers"]]:
        if teacher and teacher.get("model") == str(EMBEDDED):
            teacher["model"] = "embedded"
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)


def _override(data: dict[str, Any], text: str) -> None:
    """Apply one `a.b=c`; a stage is named by its id or kind, another list's item by number."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UsageError(f"--set {text}: write key=value, such as stages.sft.learning_rate=0.001")
    try:
        parsed = yaml.load(value, Loader=RecipeLoader)
    except yaml.YAMLError as error:
        raise UsageError(f"--set {text}: {value!r} is not YAML") from error
    here: Any = data
    parts = key.split(".")
    for n, part in enumerate(parts):
        last = n == len(parts) - 1
        if isinstance(here, list):
            index = _list_index(here, part)
            if index is None:
                raise UsageError(f"--set {text}: there is no {part!r} in {'.'.join(parts[:n])}")
            if last:
                here[index] = parsed
                return
            item = here[index]
            if isinstance(item, str):
                item = here[index] = {item: {}}
            if isinstance(item, dict) and len(item) == 1 and next(iter(item)) in STAGES:
                kind = next(iter(item))
                item[kind] = item[kind] or {}
                item = item[kind]
            here = item
        elif last:
            here[part] = parsed
        else:
            if here.get(part) is None:
                here[part] = {}
            here = here[part]
            if not isinstance(here, dict | list):
                raise UsageError(f"--set {text}: {'.'.join(parts[: n + 1])} has no keys")


def _list_index(items: list[Any], part: str) -> int | None:
    if part.isdigit():
        return int(part) if int(part) < len(items) else None
    for n, item in enumerate(items):
        if item == part:
            return n
        if isinstance(item, dict):
            body = next(iter(item.values())) if len(item) == 1 else item
            own = body.get("id") if isinstance(body, dict) else None
            if own == part or (own is None and (part in item or item.get("kind") == part)):
                return n
    return None


def _resolve(recipe: Recipe, path: Path, tree: yaml.Node) -> Recipe:
    """`recipe` with environment variables expanded and relative paths made absolute."""
    base = path.resolve().parent
    against = recipe.curate.decontaminate.against if recipe.curate.decontaminate else []
    asked = judges.teachers(recipe.verifiers)
    places: list[tuple[tuple[str | int, ...], Any]] = [
        (("teacher",), recipe.teacher),
        *((("chains", "teachers", n), config) for n, config in enumerate(recipe.chains.teachers)),
        *((("verifiers", name, "teacher"), config) for name, config in asked.items()),
        (("student",), recipe.student),
        *((("questions", n), source) for n, source in enumerate(recipe.questions)),
        *(
            (("evaluate", "on", n), on)
            for n, on in enumerate(recipe.evaluate.on if recipe.evaluate else [])
        ),
        *((("curate", "decontaminate", "against", n), other) for n, other in enumerate(against)),
        *((("stages", n), stage) for n, stage in enumerate(recipe.stages) if own_rows(stage)),
    ]
    for where, section in places:
        for key in PATHS:
            value = getattr(section, key, None)
            named = key == "model" and getattr(section, "backend", "local") in NAMED
            if named or not isinstance(value, str):
                continue
            unset = re.findall(r"\$\{?(\w+)\}?", os.path.expandvars(value))
            if unset:
                at = line_of(tree, (*where, key))
                name = ".".join(map(str, (*where, key)))
                raise UsageError(f"{path}{at}: {name}: environment variable {unset[0]} is not set")
            value = os.path.expanduser(os.path.expandvars(value))
            if key == "model" and value == "embedded":
                value = str(EMBEDDED)
            elif (base / value).exists() or (key != "model" and _is_file(section)):
                value = str(base / value)
            setattr(section, key, value)
    for name, config in asked.items():
        recipe.verifiers[name]["teacher"] = config.model_dump(mode="json", exclude_unset=True)
    return recipe


def _is_file(section: Any) -> bool:
    return getattr(section, "source", None) != "dataset"
