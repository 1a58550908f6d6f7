"""Landlock: a process gives up the files, the network and the signals that it was not granted.

The kernel's own page: https://docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable

from . import system

VERSION = 1
PATH_BENEATH = 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
READ = EXECUTE | READ_FILE | READ_DIR
NEEDED = 3
"""The first version that also keeps files from being truncated."""


def version() -> int:
    """The kernel's Landlock version; raises OSError where it has none."""
    return system.syscall(
        "landlock_create_ruleset", None, ctypes.c_size_t(0), ctypes.c_uint32(VERSION)
    )


def restrict(read: Iterable[str], write: Iterable[str], devices: Iterable[str]) -> None:
    """Keep this process and its children to these paths; no TCP, no signals out where it can.

    Paths that do not exist are left out. Raises OSError where the kernel refuses.
    """
    known = version()
    everything = (1 << {1: 13, 2: 14, 3: 15, 4: 15}.get(known, 16)) - 1
    network = 3 if known >= 4 else 0
    scope = 3 if known >= 6 else 0
    attributes = struct.pack("QQQ", everything, network, scope)
    size = 24 if known >= 6 else 16 if known >= 4 else 8
    rules = system.syscall(
        "landlock_create_ruleset", attributes, ctypes.c_size_t(size), ctypes.c_uint32(0)
    )
    try:
        grants = [(path, READ) for path in read] + [(path, everything) for path in write]
        grants += [(path, READ_FILE | WRITE_FILE) for path in devices]
        for path, access in grants:
            _grant(rules, path, access & everything)
        system.prctl(system.PR_SET_NO_NEW_PRIVS, 1)
        system.syscall("landlock_restrict_self", ctypes.c_int(rules), ctypes.c_uint32(0))
    finally:
        os.close(rules)


def _grant(rules: int, path: str, access: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not os.path.isdir(path):
            access &= EXECUTE | WRITE_FILE | READ_FILE | 1 << 14
        rule = struct.pack("=Qi", access, handle)
        system.syscall(
            "landlock_add_rule", ctypes.c_int(rules), ctypes.c_int(PATH_BENEATH), rule,
            ctypes.c_uint32(0),
        )  # fmt: skip
    finally:
        os.close(handle)
