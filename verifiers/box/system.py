"""The system calls that Python has no words for; each raises OSError where the kernel refuses."""

from __future__ import annotations

import ctypes
import os
import platform

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long

MACHINE = platform.machine()
CALLS = {
    "x86_64": {
        "pivot_root": 155, "mount_setattr": 442, "landlock_create_ruleset": 444,
        "landlock_add_rule": 445, "landlock_restrict_self": 446,
    },
    "aarch64": {
        "pivot_root": 41, "mount_setattr": 442, "landlock_create_ruleset": 444,
        "landlock_add_rule": 445, "landlock_restrict_self": 446,
    },
}  # fmt: skip

PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = (
    4, 22, 24, 36, 38,
)  # fmt: skip

NEWNS, NEWCGROUP, NEWUTS, NEWIPC = 0x20000, 0x2000000, 0x4000000, 0x8000000
NEWUSER, NEWPID, NEWNET = 0x10000000, 0x20000000, 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = (
    1, 2, 4, 32, 4096, 16384, 1 << 18,
)  # fmt: skip
MNT_DETACH = 2


def syscall(name: str, *arguments: object) -> int:
    """System call `name` of the table above."""
    numbers = CALLS.get(MACHINE)
    if numbers is None:
        raise OSError(38, f"{name}: no table for {MACHINE}")
    return _checked(_libc.syscall(ctypes.c_long(numbers[name]), *arguments), name)


def prctl(option: int, *arguments: object) -> int:
    """prctl(2); integers are widened to unsigned long."""
    widened = [ctypes.c_ulong(a) if isinstance(a, int) else a for a in arguments]
    widened += [ctypes.c_ulong(0)] * (4 - len(widened))
    return _checked(_libc.prctl(ctypes.c_int(option), *widened), "prctl")


def unshare(flags: int) -> None:
    """Leave the namespaces named by `flags`."""
    _checked(_libc.unshare(ctypes.c_int(flags)), "unshare")


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    said = f"mount {source} on {target}"
    arguments = (source.encode(), target.encode(), kind.encode() or None)
    result = _libc.mount(*arguments, ctypes.c_ulong(flags), data.encode() or None)
    _checked(result, said)


def unmount(target: str) -> None:
    """Take a mount away, now from sight and later from use."""
    _checked(_libc.umount2(target.encode(), MNT_DETACH), f"unmount {target}")


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result
