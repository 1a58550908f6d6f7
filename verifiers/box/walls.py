"""Namespaces of one's own: what the process that enters sees of files, processes and network.

Two entries. `reach` makes paths of the interpreter readable to an ordinary user, for a run that
was started as root from a home directory. `enter` builds the whole room: own root, own /proc,
no network.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable

from . import system
from .system import MS_BIND, MS_NODEV, MS_NOSUID, MS_PRIVATE, MS_RDONLY, MS_REC, MS_REMOUNT

NOBODY = 65534
OWN = 1_900_000_000
DEVICES = {"null": "null", "full": "full", "zero": "full", "random": "random", "urandom": "urandom"}
"""Devices inside, and what they are: a mapping of the real /dev/zero is memory nobody counts."""
AT_RECURSIVE = 0x8000
INODES = 20_000


def stranger(number: int) -> int:
    """A user that no other box is: limits on processes bind, and bind each box by itself."""
    user = OWN + number
    with open("/proc/self/uid_map") as lines:
        ranges = [[int(field) for field in line.split()] for line in lines]
    return user if any(low <= user < low + count for low, _, count in ranges) else NOBODY


def drop(user: int) -> None:
    """From root to `user`, for good."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def reach(paths: Iterable[str]) -> None:
    """Make `paths` readable to others where a directory above them is not, seen from here only.

    Needs root. Raises OSError where a path is out of reach and this cannot be mended.
    """
    shut = {path: top for path in paths if (top := _shut(path))}
    if not shut:
        return
    system.unshare(system.NEWNS)
    system.mount("none", "/", flags=MS_REC | MS_PRIVATE)
    handles = {path: os.open(path, os.O_PATH) for path in shut}
    for top in sorted(set(shut.values())):
        system.mount("tmpfs", top, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m")
    for path in sorted(shut):
        os.makedirs(path, mode=0o755, exist_ok=True)
        system.mount(f"/proc/self/fd/{handles[path]}", path, flags=MS_BIND | MS_REC)
        os.close(handles[path])


def _shut(path: str) -> str | None:
    """The topmost directory above `path` that others may not pass through."""
    parts = path.split("/")
    for n in range(2, len(parts) + 1):
        above = "/".join(parts[:n])
        if not os.stat(above).st_mode & 0o001:
            return above
    return None


def enter(
    read: Iterable[tuple[str, str]],
    links: Iterable[tuple[str, str]],
    ways: Iterable[str],
    size: int,
) -> None:
    """Into namespaces of one's own; returns in their first process only, without privileges.

    Args:
        read: what may be read: (path outside, path inside).
        links: symbolic links: (path inside, what it says).
        ways: folders that only lead to what may be read: passed through, but not listed.
        size: bytes of /tmp.

    Raises OSError where the kernel refuses.
    """
    root, user, group = os.geteuid() == 0, os.geteuid(), os.getegid()
    if root:
        user = group = stranger(os.getpid())
    flags = system.NEWNS | system.NEWUTS | system.NEWIPC | system.NEWPID | system.NEWNET
    system.unshare(flags if root else flags | system.NEWUSER)
    if not root:
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/gid_map", f"{group} {group} 1")
        _write("/proc/self/uid_map", f"{user} {user} 1")
    child = os.fork()
    if child:
        os.close(0)
        os.close(1)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF)
    _build(read, links, ways, f"mode=700,size={size},nr_inodes={INODES},uid={user},gid={group}")
    if root:
        drop(user)
    for capability in range(64):
        try:
            system.prctl(system.PR_CAPBSET_DROP, capability)
        except OSError:
            break
    _no_capabilities()


def _build(
    read: Iterable[tuple[str, str]],
    links: Iterable[tuple[str, str]],
    ways: Iterable[str],
    scratch: str,
) -> None:
    """The room under a new root, then the change into it; `scratch` are the options of /tmp."""
    quiet = MS_NOSUID | MS_NODEV
    system.mount("none", "/", flags=MS_REC | MS_PRIVATE)
    system.mount("tmpfs", "/tmp", "tmpfs", quiet, "mode=755,size=1m")
    os.mkdir("/tmp/old")
    system.syscall("pivot_root", b"/tmp", b"/tmp/old")
    os.chdir("/")
    for name in ("/proc", "/dev", "/tmp"):
        os.mkdir(name)
    system.mount("tmpfs", "/tmp", "tmpfs", quiet, scratch)
    for outside, path in read:
        _bind(f"/old{outside}", path)
    for path, said in links:
        os.symlink(said, path)
    system.mount("proc", "/proc", "proc", quiet | 8)
    for name, device in DEVICES.items():
        open(f"/dev/{name}", "x").close()
        system.mount(f"/old/dev/{device}", f"/dev/{name}", flags=MS_BIND)
    for name, said in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        os.symlink(f"/proc/self/fd{said}", f"/dev/{name}")
    os.mkdir("/dev/shm")
    system.mount("tmpfs", "/dev/shm", "tmpfs", quiet, scratch)
    for path in ways:
        os.chmod(path, 0o111)
    system.unmount("/old")
    os.rmdir("/old")
    system.mount("none", "/", flags=MS_REMOUNT | MS_BIND | MS_RDONLY | quiet)


def _bind(source: str, target: str) -> None:
    """`source` at `target`, read-only with all that is mounted below it."""
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        open(target, "x").close()
    system.mount(source, target, flags=MS_BIND | MS_REC)
    attributes = struct.pack("QQQQ", MS_RDONLY | MS_NOSUID | MS_NODEV, 0, 0, 0)
    system.syscall(
        "mount_setattr", ctypes.c_int(-100), target.encode(), ctypes.c_uint(AT_RECURSIVE),
        attributes, ctypes.c_size_t(len(attributes)),
    )  # fmt: skip


def _no_capabilities() -> None:
    """Give up what the first user of a namespace holds in it."""
    head = struct.pack("Ii", 0x20080522, 0)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.capset(head, bytes(24)):
        number = ctypes.get_errno()
        raise OSError(number, f"capset: {os.strerror(number)}")


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)
