"""Limits of one process: set after the fork, before any code of a submission runs."""

from __future__ import annotations

import resource
from typing import Any

from . import system

STACK = 100 << 20
OPEN_FILES = 256


def warm() -> None:
    """For the process that forks: its own limits back to what they may be, and no looking in."""
    for name in (resource.RLIMIT_DATA, resource.RLIMIT_AS, resource.RLIMIT_NPROC):
        hard = resource.getrlimit(name)[1]
        resource.setrlimit(name, (hard, hard))
    system.prctl(system.PR_SET_DUMPABLE, 0)
    system.prctl(system.PR_SET_CHILD_SUBREAPER, 1)


def limit(limits: dict[str, Any], footprint: int) -> None:
    """Set the limits of this process for good.

    `limits` holds `memory`, `file` (bytes), `processes` and `cpu` (seconds); `footprint` is the
    address space that the interpreter takes before a submission does anything. Programs of other
    languages reserve far more than they use; with `reserve` only what they may write counts.
    """
    memory = limits["memory"] + footprint
    _set(resource.RLIMIT_DATA if limits.get("reserve") else resource.RLIMIT_AS, memory)
    _set(resource.RLIMIT_CPU, limits["cpu"])
    _set(resource.RLIMIT_FSIZE, limits["file"])
    _set(resource.RLIMIT_NPROC, limits["processes"])
    _set(resource.RLIMIT_NOFILE, OPEN_FILES)
    _set(resource.RLIMIT_CORE, 0)
    _set(resource.RLIMIT_STACK, STACK)


def _set(name: int, value: int) -> None:
    hard = resource.getrlimit(name)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(name, (value, value))
