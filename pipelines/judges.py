"""The models that verifiers ask: `teacher` in the options of a recipe's `verifiers`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, ValidationError

from generators.config import TeacherConfig
from generators.store import Store, Stored
from verifiers.base import in_words
from verifiers.sampler import Sampler


def _asks(options: dict[str, Any]) -> dict[str, Any]:
    try:
        teachers({"": options})
    except ValidationError as error:
        raise ValueError(f"teacher: {in_words(error)}") from error
    return options


Options = Annotated[dict[str, Any], AfterValidator(_asks)]
"""Options of one verifier; a `teacher` among them is one like the recipe's own."""


def teachers(verifiers: Mapping[str, Mapping[str, Any]]) -> dict[str, TeacherConfig]:
    """The `teacher` of each verifier that names one."""
    return {
        name: TeacherConfig.model_validate(options["teacher"])
        for name, options in verifiers.items()
        if options.get("teacher") is not None
    }


def samplers(verifiers: Mapping[str, Mapping[str, Any]], store: Store) -> dict[str, Sampler]:
    """Who is asked by each verifier that names a teacher; what was paid is kept in `store`."""
    from pipelines.samplers import teacher

    return {name: Stored(teacher(config), store) for name, config in teachers(verifiers).items()}
