"""Runs a command and sees to it that nothing of it is left.

    python keeper.py PARENT GRACE COMMAND...

The command gets a session of its own. When it ends, when the keeper is sent SIGTERM, or when the
process PARENT is gone (kill -9 included), the command's whole process group and every descendant
that left the group are ended: SIGTERM first, SIGKILL after GRACE seconds. The keeper exits last,
with the command's status (128 + N where signal N ended it), so whoever waits for it knows that
the GPU is free. It is a file of the standard library alone, run with -I -S to start at once.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time

PAUSE = 0.1
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def keep(parent: int, grace: float, command: list[str]) -> int:
    """Run `command` until it ends or `parent` does; its exit status."""
    asked: list[int] = []
    for ending in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(ending, lambda number, frame: asked.append(number))
    _control(PR_SET_CHILD_SUBREAPER, 1)
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: _control(PR_SET_PDEATHSIG, signal.SIGKILL),
    )
    while child.poll() is None and not asked and os.getppid() == parent:
        time.sleep(PAUSE)
    _signal(child.pid, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(PAUSE)
    _signal(child.pid, signal.SIGKILL)
    status = child.wait()
    _sweep()
    return status if status >= 0 else 128 - status


def _signal(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return


def _sweep() -> None:
    """Kill and reap what is left; on Linux every orphan below has become a child of ours."""
    while True:
        for orphan in _children():
            os.kill(orphan, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children() -> list[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as listed:
            return [int(pid) for pid in listed.read().split()]
    except OSError:
        return []


def _control(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(keep(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]))
