"""Putting finished files and folders in their place, for good."""

from __future__ import annotations

import os
from pathlib import Path


def place(beside: Path, target: Path) -> None:
    """Move the finished file or folder `beside` to `target`, which holds it from then on.

    Even a power cut leaves the old or the new one: the content reaches the disk before the name
    does, and the name before this returns.
    """
    for path in [*beside.rglob("*"), beside] if beside.is_dir() else [beside]:
        _sync(path)
    beside.rename(target)
    _sync(target.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
