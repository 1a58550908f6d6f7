"""Which isolation this machine offers: the rungs, best first, and how a box is started on each.

bubblewrap, namespaces of our own, Landlock with a filter on system calls; otherwise nothing runs,
unless the user said `--unsafe-local`.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import site
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any, get_args

from verifiers.records import Isolation

RUNGS: tuple[Isolation, ...] = ("bubblewrap", "namespaces", "landlock")
UNSAFE = "DISTILL_UNSAFE_LOCAL"
"""Set by `--unsafe-local` for this process and its workers."""
ONLY = "DISTILL_BOX"
"""Names the one rung to use, for tests and for who does not trust a better one."""
HERE = str(Path(__file__).parent)
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/nix/store")
FILES = ("/etc/ld.so.cache", "/etc/alternatives")
DEVICES = tuple(f"/dev/{name}" for name in ("null", "full", "random", "urandom"))
SCRATCH = 64 << 20
"""Bytes of /tmp."""
FLAGS = ("-P", "-s", "-S")


def wanted() -> tuple[Isolation, ...]:
    """The rungs to try, in order."""
    only = os.environ.get(ONLY)
    if only:
        known = [level for level in get_args(Isolation) if level != "none"]
        if only not in known or (only == "unsafe" and not os.environ.get(UNSAFE)):
            raise ValueError(f"{ONLY} must be one of {', '.join(RUNGS)}, not {only!r}")
        return (only,)  # type: ignore[return-value]
    return (*RUNGS, "unsafe") if os.environ.get(UNSAFE) else RUNGS


def interpreter() -> str:
    """The interpreter's own file, outside of any virtual environment."""
    return os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable)


def packages() -> list[str]:
    """Folders of installed packages."""
    known = [*site.getsitepackages(), *map(sysconfig.get_path, ("purelib", "platlib"))]
    known += [path for path in sys.path if os.path.basename(path) == "site-packages"]
    return [path for path in dict.fromkeys(known) if os.path.isdir(path)]


def environment(scratch: str) -> dict[str, str]:
    """All that a box knows of an environment."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": scratch, "TMPDIR": scratch,
        "LANG": "C.UTF-8", "USER": "box", "LOGNAME": "box", "PYTHONHASHSEED": "0",
        "MALLOC_ARENA_MAX": "2", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1",
        "OPENSSL_CONF": "/dev/null",
    }  # fmt: skip


def plan(rung: Isolation, preload: tuple[str, ...]) -> dict[str, Any]:
    """What `launch.py` needs to know. Raises OSError where the rung cannot be."""
    prefix = os.path.realpath(sys.base_prefix)
    real = [path for path in SYSTEM if os.path.isdir(path) and not os.path.islink(path)]
    links = [(path, os.readlink(path)) for path in SYSTEM if os.path.islink(path)]
    own = [] if any(Path(prefix).is_relative_to(path) for path in real) else [prefix]
    read = [*real, *own, *(path for path in FILES if os.path.exists(path))]
    found = packages()
    inside = [f"/packages/{n}" for n in range(len(found))]
    result: dict[str, Any] = {
        "rung": rung, "inside": False, "preload": preload, "size": SCRATCH, "links": links,
        "read": [*((path, path) for path in read), *zip(found, inside, strict=True)],
        "packages": inside, "scratch": ["/tmp", "/dev/shm"],
        "reach": [*own, *found, HERE],
        "ways": sorted({str(folder) for path in own for folder in Path(path).parents[:-1]}),
    }  # fmt: skip
    if rung in ("landlock", "unsafe"):
        scratch = os.path.join(tempfile.gettempdir(), f"distill-box-{secrets.token_hex(8)}")
        seen = [*read, *found, *(path for path, _ in links), "/proc/self/fd"]
        grants = [seen, [scratch], DEVICES]
        return result | {"packages": found, "scratch": [scratch], "grants": grants}
    if Path(prefix).is_relative_to("/tmp"):
        raise OSError(f"the interpreter lies in {prefix}, where a box has its scratch folder")
    if rung == "bubblewrap":
        result["argv"] = _bubblewrap(result)
    return result


def _bubblewrap(plan: dict[str, Any]) -> list[str]:
    program = shutil.which("bwrap")
    if program is None:
        raise OSError("bwrap is not installed")
    argv = [
        program, "--unshare-all", "--unshare-user", "--as-pid-1", "--new-session", "--clearenv",
        "--cap-drop", "ALL", "--hostname", "box", "--proc", "/proc", "--dev", "/dev",
        "--dev-bind", "/dev/full", "/dev/zero", "--size", str(SCRATCH), "--tmpfs", "/dev/shm",
        "--remount-ro", "/dev",
        "--size", str(SCRATCH), "--tmpfs", "/tmp", "--ro-bind", HERE, "/box",
    ]  # fmt: skip
    for folder in plan["ways"]:
        argv += ["--perms", "0111", "--dir", folder]
    for outside, path in plan["read"]:
        argv += ["--ro-bind", outside, path]
    for path, said in plan["links"]:
        argv += ["--symlink", said, path]
    for name, value in environment("/tmp").items():
        argv += ["--setenv", name, value]
    inner = json.dumps(plan | {"inside": True})
    argv += ["--remount-ro", "/", "--chdir", "/tmp", "--"]
    return [*argv, interpreter(), *FLAGS, "/box/launch.py", inner]


def argv(plan: dict[str, Any]) -> list[str]:
    """The command that starts a box by `plan`."""
    return [interpreter(), *FLAGS, os.path.join(HERE, "launch.py"), json.dumps(plan)]


def crowd(rung: Isolation) -> int:
    """Processes and threads of this user, where a box's limit counts them too."""
    if rung not in ("landlock", "unsafe") or os.geteuid() == 0:
        return 0
    count = 0
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat(f"/proc/{name}").st_uid == os.geteuid():
                count += len(os.listdir(f"/proc/{name}/task"))
        except OSError:
            continue
    return count
