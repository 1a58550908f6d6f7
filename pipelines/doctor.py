"""What this machine can do."""

from __future__ import annotations

import os
import platform
import shutil
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from typing import Any

from verifiers import base


def examine() -> dict[str, Any]:
    """Findings by subject, each a short text."""
    disk = shutil.disk_usage(".")
    found = {
        "python": platform.python_version(),
        "cpus": f"{len(os.sched_getaffinity(0))} that may be used",
        "memory": _memory(),
        "disk": f"{disk.free / 1e9:.0f} GB free here",
        "torch": _torch(),
        "vllm": _vllm(),
        "isolation": _isolation(),
        "verifiers": ", ".join(base.names()),
        "imports": _imports(),
        "keys": _keys(),
    }
    return found


def _isolation() -> str:
    from verifiers.box.box import NoBox, isolation

    try:
        return f"{isolation()}: what runs code runs it in a box of this kind"
    except NoBox as error:
        return f"none: {error}"


def _memory() -> str:
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"{pages / 2**30:.1f} GiB"


def _torch() -> str:
    if find_spec("torch") is None:
        return "not installed: no local teacher, no training (the extra `train` brings it)"
    import torch

    if not torch.cuda.is_available():
        return f"{version('torch')}, no GPU: training runs on the CPU"
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return f"{version('torch')}, {', '.join(names)}"


def _vllm() -> str:
    if find_spec("vllm") is None:
        return (
            "not installed here: the extra `vllm` brings it, or `teacher.vllm.python` names the "
            "Python of an environment that has it"
        )
    owners = packages_distributions().get("vllm", [])
    return ", ".join(f"{owner} {version(owner)}" for owner in sorted(set(owners))) or "installed"


def _imports() -> str:
    owners = sorted(set(packages_distributions().get("verifiers", [])) - {"distill-factory"})
    if owners:
        return f"the package `verifiers` is also installed by {', '.join(owners)}: remove it here"
    return "no other package claims `verifiers`"


def _keys() -> str:
    known = [name for name in ("OPENAI_API_KEY", "HF_TOKEN") if os.environ.get(name)]
    return f"set: {', '.join(known)}" if known else "none set"
