"""The folder that a submission may write to: whether it is too full, and how it is emptied."""

from __future__ import annotations

import os
from contextlib import suppress

FILES = 20_000
"""Files that a submission may make."""


def crowded(folder: str) -> bool:
    """Whether a folder on a common disk holds more files than a submission may make."""
    count, waiting = 0, [folder]
    while waiting and count <= FILES:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                count += 1
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
    return count > FILES


def wipe(folder: str) -> None:
    """Empty `folder`, however deep and however named: what is nested is moved up first."""
    os.chmod(folder, 0o700)
    token, count = os.urandom(8).hex(), 0
    while names := os.listdir(folder):
        for name in names:
            path = os.path.join(folder, name)
            if not _is_folder(path):
                os.unlink(path)
                continue
            os.chmod(path, 0o700)
            for inner in os.listdir(path):
                below = os.path.join(path, inner)
                if _is_folder(below):
                    os.chmod(below, 0o700)
                    count += 1
                    os.rename(below, os.path.join(folder, f"{token}.{count}"))
                else:
                    os.unlink(below)
            os.rmdir(path)


def _is_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def make_runnable(folder: str) -> None:
    """What was built in `folder` may be run: on Landlock a compiler cannot change its mode."""
    for entry in os.scandir(folder):
        if entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_nlink == 1:
            os.chmod(entry.path, 0o700)
