"""Wiring: the sampler of a recipe's teacher, and of a student's folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from generators.config import TeacherConfig
from pipelines.errors import UsageError
from verifiers.sampler import Sampler

if TYPE_CHECKING:
    from students.rollouts.decoder import LocalSampler


def teacher(config: TeacherConfig) -> Sampler:
    """The sampler that asks the recipe's teacher."""
    if config.backend == "openai":
        from generators.teachers.openai_api import OpenAISampler

        return OpenAISampler(
            str(config.model),
            base_url=config.base_url or "",
            revision=config.revision or "",
            identity=config.identity or "",
            api=config.api,
            api_key_env=config.api_key_env,
            api_key_file=config.api_key_file,
            max_in_flight=config.max_in_flight,
            n=config.n,
            stream=config.stream,
            timeout=config.timeout,
            may_change=config.may_change,
        )
    if config.backend == "recorded":
        from generators.teachers.recorded import RecordedSampler

        return RecordedSampler(
            str(config.path), prompt=config.prompt, columns=config.completions or ()
        )
    return local(Path(str(config.model)), config.batch)


def local(folder: Path, batch: int) -> LocalSampler:
    """The sampler of a model in a folder, in this process."""
    if not has_training():
        raise UsageError("local models need torch: pip install 'distill-factory[train]'")
    from students.rollouts.decoder import LocalSampler

    return LocalSampler.of_folder(folder, batch)


def has_training() -> bool:
    """True where the extra `train` is installed."""
    from importlib.util import find_spec

    return find_spec("torch") is not None and find_spec("transformers") is not None
