"""The warm process inside the box: forks for each submission, and leaves nothing behind.

It hears orders on a socket and never sees what it is about: sources and tests go from the host
straight to the child, over descriptors that come with the order, so that no child can find in its
inherited memory what an earlier one was given. It ends when the host's end of the socket closes.
"""

from __future__ import annotations

import _socket as socket
import gc
import importlib
import json
import os
import select
import signal
import struct
import time
from contextlib import suppress
from typing import Any, NoReturn

from . import jail, landlock, puzzles, remote, script, seccomp
from .scratch import FILES, crowded, make_runnable, wipe

TICK = 0.03
FDS = 24
CLOEXEC = 0x40000000
CHANNEL = 250
# not random or threading: what they do after each fork costs more than importing them when needed
PRELOAD = (
    "atexit", "bisect", "collections", "copy", "datetime", "enum", "functools", "heapq", "io",
    "itertools", "math", "operator", "re", "string", "time", "typing",
)  # fmt: skip
MODES = {
    "function": remote.function,
    "serve": remote.serve,
    "check": script.check,
    "program": remote.program,
    "syntax": remote.check_syntax,
    "command": remote.command,
    "puzzle": puzzles.score,
}


class Zygote:
    """Serves one host.

    Args:
        rung: the isolation that stands around this process.
        scratch: folders that are wiped after each order, the first being the working folder.
        granted: what Landlock is to leave to children (read, write, devices); None without it.
        signals: whether the filter must bound signals.
    """

    def __init__(
        self, rung: str, scratch: list[str], granted: list[list[str]] | None, signals: bool
    ):
        self.rung = rung
        self.scratch = scratch
        self.granted = granted
        self.first = os.getpid() == 1
        self.control = socket.socket(fileno=os.dup(0))
        self.anonymous = self.footprint = 0
        self.filter = b"" if signals else seccomp.program(granted is not None)

    def serve(self, preload: list[str]) -> NoReturn:
        """Say that the walls stand, import what submissions often need, then obey."""
        jail.warm()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        null = os.open("/dev/null", os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(null, number)
        os.chdir(self.scratch[0])
        self.say({"up": self.rung})
        for name in (*PRELOAD, *preload):
            importlib.import_module(name)
        remote.forget_ourselves()
        gc.collect()
        gc.freeze()
        with open("/proc/self/statm") as statm:
            pages = [int(field) for field in statm.read().split()]
        self.footprint = pages[0] * os.sysconf("SC_PAGE_SIZE")
        self.anonymous = (pages[1] - pages[2]) * os.sysconf("SC_PAGE_SIZE")
        self.say({"ready": True})
        while True:
            order, descriptors = self.hear()
            if "n" in order:
                self.obey(order, descriptors)
            elif "wipe" in order:
                self.clear()
                self.say({"n": order["wipe"]})

    def say(self, message: dict[str, Any]) -> None:
        """One message to the host."""
        try:
            self.control.send(json.dumps(message).encode())
        except OSError:
            os._exit(0)

    def hear(self) -> tuple[dict[str, Any], list[int]]:
        """The next message and its descriptors; ends the process where the host is gone."""
        room = socket.CMSG_SPACE(4 * FDS)
        try:
            data, extra, _, _ = self.control.recvmsg(1 << 16, room, CLOEXEC)
        except ConnectionError:
            data = b""
        if not data:
            self.leave()
        descriptors: list[int] = []
        for _, kind, packed in extra:
            if kind == socket.SCM_RIGHTS:
                descriptors += struct.unpack(f"{len(packed) // 4}i", packed)
        return json.loads(data), descriptors

    def leave(self) -> NoReturn:
        """The end, when nobody is left to serve."""
        self.sweep([])
        if not self.first:
            wipe(self.scratch[0])
            os.rmdir(self.scratch[0])
        os._exit(0)

    def obey(self, order: dict[str, Any], descriptors: list[int]) -> None:
        """Run the children of an order until the last of them ends, then clean up and say so."""
        pids: list[int] = []
        trouble, told = os.pipe()
        why = ""
        try:
            left = list(descriptors)
            for spec in order["children"]:
                mine = [left.pop(0) for _ in range(spec["fds"])]
                pid = os.fork()
                if pid == 0:
                    self.become(spec, mine, told)
                pids.append(pid)
        except OSError as error:
            why = f"infra: {error}"
        for number in (*descriptors, told):
            os.close(number)
        if not why:
            why = self.watch(order, pids)
        exits = self.sweep(pids)
        os.set_blocking(trouble, False)
        with suppress(BlockingIOError):
            if fault := os.read(trouble, 300):
                why = f"infra: {fault.decode(errors='replace')}"
        os.close(trouble)
        if not order.get("keep"):
            self.clear()
        elif self.rung == "landlock":
            make_runnable(self.scratch[0])
        self.say({"n": order["n"], "why": why, "exits": exits})

    def clear(self) -> None:
        """Empty the scratch folders."""
        for folder in self.scratch:
            wipe(folder)

    def become(self, spec: dict[str, Any], mine: list[int], told: int) -> NoReturn:
        """The child: take the place that the order names, give up everything else, and run."""
        try:
            os.setsid()
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self.control.close()
            size = os.fstat(mine[0]).st_size
            payload = os.pread(mine[0], size, 0)
            for number, target in zip(mine[2:5], (0, 1, 2), strict=True):
                os.dup2(number, target)
            channels = [CHANNEL + n for n in range(len(mine) - 4)]
            for number, target in zip([mine[1], *mine[5:]], channels, strict=True):
                os.dup2(number, target, inheritable=False)
            os.dup2(told, CHANNEL - 1, inheritable=False)
            os.closerange(3, CHANNEL - 1)
            os.closerange(channels[-1] + 1, 1 << 16)
            if self.granted is not None:
                landlock.restrict(*self.granted)
            jail.limit(spec["limits"], self.footprint)
            if self.rung != "unsafe":
                seccomp.install(self.filter or seccomp.program(True, os.getpid()))
            os.close(CHANNEL - 1)
        except BaseException as error:
            with suppress(OSError):
                os.write(CHANNEL - 1, f"{type(error).__name__}: {error}".encode()[:300])
            os._exit(1)
        remote.run(MODES[spec["mode"]], payload, channels)

    def watch(self, order: dict[str, Any], pids: list[int]) -> str:
        """Wait for the last child; why it had to be stopped, or an empty text."""
        handle = os.pidfd_open(pids[-1])
        poller = select.poll()
        poller.register(handle, select.POLLIN)
        poller.register(self.control, select.POLLIN)
        last = time.monotonic()
        try:
            while True:
                ready = {number for number, _ in poller.poll(TICK * 1000)}
                if handle in ready:
                    return ""
                if ready:
                    message, extra = self.hear()
                    for number in extra:
                        os.close(number)
                    if message.get("kill") == order["n"]:
                        return "killed"
                if time.monotonic() - last >= TICK:
                    if why := self.excess(order["memory"], pids):
                        return why
                    last = time.monotonic()
        finally:
            os.close(handle)

    def excess(self, memory: int, pids: list[int]) -> str:
        """Which bound all processes of a submission have passed together, if any."""
        total = 0
        for pid in self.family(pids):
            anonymous, shared = _resident(pid)
            total += max(0, anonymous - self.anonymous) + shared
        if total > memory:
            return "memory"
        for folder in self.scratch:
            if self.first:
                room = os.statvfs(folder)
                full = room.f_files - room.f_ffree > FILES
            else:
                full = crowded(folder)
            if full:
                return "files"
        return ""

    def family(self, pids: list[int]) -> list[int]:
        """All processes that are not this one: of the namespace, or descended from this one."""
        if self.first:
            return [int(name) for name in os.listdir("/proc") if name.isdigit() and name != "1"]
        found: list[int] = []
        waiting = [os.getpid()]
        while waiting:
            with suppress(OSError):
                pid = waiting.pop()
                with open(f"/proc/{pid}/task/{pid}/children") as children:
                    waiting += (more := [int(child) for child in children.read().split()])
                    found += more
        return found

    def sweep(self, pids: list[int]) -> list[int | None]:
        """Kill and reap everything; the exit status of each of `pids`, None where it was killed.

        The first process of a namespace reaches all others at once. Elsewhere a submission cannot
        leave its process group, which dies at once too.
        """
        exits: dict[int, int] = {}
        for pid in pids:
            with suppress(ChildProcessError):
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    exits[pid] = os.waitstatus_to_exitcode(status)
        while True:
            with suppress(ProcessLookupError):
                if self.first:
                    os.kill(-1, signal.SIGKILL)
            if not self.first:
                for pid in (*pids, *self.family(pids)):
                    with suppress(ProcessLookupError, PermissionError):
                        os.killpg(pid, signal.SIGKILL)
                    if pid not in exits:
                        with suppress(ProcessLookupError, PermissionError):
                            os.kill(pid, signal.SIGKILL)
            try:
                while os.waitpid(-1, 0 if self.first else os.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                return [exits.get(pid) for pid in pids]
            time.sleep(0.0005)


def _resident(pid: int) -> tuple[int, int]:
    """Bytes of memory of a process: its own, and shared without a file.

    Read from one of its threads, because the first may have ended before the others.
    """
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return 0, 0
    for thread in threads:
        with suppress(OSError, ValueError, IndexError):
            with open(f"/proc/{pid}/task/{thread}/status", "rb") as status:
                text = status.read()
            own, shared = (
                text.split(b"\n%s:\t" % name, 1)[1] for name in (b"RssAnon", b"RssShmem")
            )
            return int(own.split(None, 1)[0]) << 10, int(shared.split(None, 1)[0]) << 10
    return 0, 0
