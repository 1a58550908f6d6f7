"""The models that verifiers ask: `teacher` in the options of a recipe's `verifiers`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from generators.config import TeacherConfig
from generators.store import Store
from generators.stored import Stored
from generators.teachers.servers import Servers
from pipelines.samplers import teacher
from verifiers.base import in_words
from verifiers.records import Completion
from verifiers.sampler import Request, Sampler


def checked(verifiers: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The section as it is; raises ValueError where a `teacher` in it is none."""
    for name, options in verifiers.items():
        try:
            teachers({name: options})
        except ValidationError as error:
            raise ValueError(f"{name}: teacher: {in_words(error)}") from error
    return verifiers


def teachers(verifiers: Mapping[str, Mapping[str, Any]]) -> dict[str, TeacherConfig]:
    """The `teacher` of each verifier that names one."""
    return {
        name: TeacherConfig.model_validate(options["teacher"])
        for name, options in verifiers.items()
        if options.get("teacher") is not None
    }


class Recall:
    """What a sampler said before; it is asked nothing."""

    def __init__(self, sampler: Sampler, store: Store):
        self.identity, self.batch, self.store = sampler.identity, sampler.batch, store

    async def sample(self, requests: Iterable[Request]) -> AsyncIterator[Completion]:
        """The stored completions; raises LookupError where one is not stored."""
        for request in requests:
            key = request.key(self.identity)
            found = self.store.get([key])
            if not found:
                raise LookupError("the store holds no answer, and no request is made here")
            yield found[key]


def recalled(verifiers: Mapping[str, Mapping[str, Any]], store: Store) -> dict[str, Sampler]:
    """Like `samplers`, from what `store` holds alone."""
    servers = Servers(Path())
    return {
        name: Recall(teacher(config, servers), store)
        for name, config in teachers(verifiers).items()
    }


def samplers(
    verifiers: Mapping[str, Mapping[str, Any]], store: Store, servers: Servers
) -> dict[str, Sampler]:
    """Who is asked by each verifier that names a teacher, on one of `servers` where we serve it;
    what was paid is kept in `store`."""
    return {
        name: Stored(teacher(config, servers), store)
        for name, config in teachers(verifiers).items()
    }
