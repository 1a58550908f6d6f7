"""Wiring: the sampler of a recipe's teacher, and of a student's folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from generators.config import ChainsConfig, Sampling, TeacherConfig
from generators.store import Store
from generators.stored import Stored
from generators.teachers.servers import Servers
from generators.vllm_config import VllmConfig
from pipelines.errors import UsageError
from students.identity import identity
from verifiers.sampler import Sampler

if TYPE_CHECKING:
    from generators.extended import Extended
    from generators.teachers.ensemble import Ensemble
    from generators.teachers.recorded import RecordedSampler
    from generators.teachers.warm import Warm
    from students.rollouts.decoder import LocalSampler


def teacher(config: TeacherConfig, servers: Servers) -> Sampler:
    """The sampler that asks the recipe's teacher, on one of `servers` where we serve it."""
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
    if config.backend == "vllm":
        return vllm(
            str(config.model), config.server(), servers,
            revision=config.revision or "", identity=config.identity or "", api=config.api,
            max_in_flight=config.max_in_flight, n=config.n, stream=config.stream,
            timeout=config.timeout,
        )  # fmt: skip
    if config.backend == "batch":
        from generators.teachers.batch_api import BatchSampler
        from generators.teachers.openai_api import DEFAULT_URL

        return BatchSampler(
            str(config.model),
            base_url=config.base_url or DEFAULT_URL,
            journal=servers.folder / "batches",
            revision=config.revision or "",
            identity=config.identity or "",
            api_key_env=config.api_key_env,
            api_key_file=config.api_key_file,
        )
    if config.backend == "recorded":
        return recorded(config)
    return local(Path(str(config.model)), config.batch)


def recorded(config: TeacherConfig) -> RecordedSampler:
    """The sampler of the chains in the teacher's file."""
    from generators.teachers.recorded import RecordedSampler

    return RecordedSampler(str(config.path), prompt=config.prompt, columns=config.completions or ())


def drawing(
    config: TeacherConfig, chains: ChainsConfig, servers: Servers, store: Store
) -> Stored | Warm | Extended | Ensemble:
    """Who writes the chains: the teacher, or it and further ones in turn."""
    if not chains.teachers:
        return asking(config, servers, store, chains.extend)
    from generators.teachers.ensemble import Ensemble, Member

    return Ensemble(
        [
            Member(
                asking(one, servers, store, chains.extend),
                None if chains.sampling else one.sampling.chosen(),
            )
            for one in (config, *chains.teachers)
        ]
    )


def asking(
    config: TeacherConfig, servers: Servers, store: Store, extend: int = 0
) -> Stored | Warm | Extended:
    """The teacher behind the store, behind chains that exist already where the recipe has some;
    what is cut goes on `extend` times."""
    found: Stored | Warm = (stored := Stored(teacher(config, servers), store))
    if config.path is not None and config.backend != "recorded":
        from generators.teachers.warm import Warm

        found = Warm(recorded(config), stored)
    if not extend:
        return found
    from generators.extended import Extended

    return Extended(found, extend)


def check(config: TeacherConfig, sampling: Sampling | None = None) -> None:
    """Raise TeacherError where the teacher cannot be asked: no key, no vLLM, an unknown option;
    UsageError where it cannot do what `sampling`, else its own, wants."""
    asked = sampling or config.sampling
    if config.backend == "local" and (asked.json_schema or asked.logprobs is not None):
        raise UsageError(
            "a local teacher knows no sampling.json_schema and keeps no sampling.logprobs; "
            "a served one does"
        )
    if config.backend in ("openai", "batch"):
        teacher(config, Servers(Path()))
    if config.backend == "vllm":
        model = str(config.model)
        if not Path(model).is_dir() and (Path(model).is_absolute() or model.startswith(".")):
            raise UsageError(f"no model at {model!r}: no such folder")
        check_vllm(config.server())


def check_vllm(config: VllmConfig) -> None:
    """Raise TeacherError where there is no such vLLM; nothing is started."""
    from generators.teachers.vllm_server import check as installed

    installed(config)


def server(own: VllmConfig, teacher: TeacherConfig | None) -> VllmConfig:
    """How a student's server is started: in the teacher's environment where `own` names none."""
    if own.python is None and teacher is not None:
        same = {"python": teacher.vllm.python, "env": teacher.vllm.env | own.env}
        return own.model_copy(update=same)
    return own


def vllm(model: str, config: VllmConfig, servers: Servers, **options: Any) -> Sampler:
    """The sampler of a folder or hub id on a vLLM server; it starts with the first request."""
    from generators.teachers.vllm_sampler import VllmSampler

    content = identity(model).rpartition("@")[2] if Path(model).is_dir() else ""
    return VllmSampler(model, config, servers, content=content, **options)


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
