"""The host's side of a box: start it, run children in it, bound what they take, replace it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from verifiers.base import VerifierError
from verifiers.box import ladder
from verifiers.box.order import Child, Limits, Order, Outcome
from verifiers.box.scratch import wipe
from verifiers.records import Isolation

UP, READY = 10.0, 60.0
PIECE = 1 << 16


class NoBox(VerifierError):
    """This machine has no isolation that a box could be built of."""


class BoxDied(Exception):
    """The box ended, or did not answer; nobody's fault that can be named."""


class Box:
    """A warm box, started with its first order and replaced where it breaks; safe for threads.

    `preload`: modules that its processes find imported.
    """

    def __init__(self, preload: Sequence[str] = ()):
        self.preload = tuple(preload)
        self._lock = threading.Lock()
        self._running: _Running | None = None

    def run(self, children: Sequence[Child], limits: Limits) -> Outcome:
        """Run `children` together until the last of them ends.

        Raises BoxDied where two boxes in turn broke, NoBox where there is no isolation.
        """
        with self._lock:
            for attempt in (1, 2):
                try:
                    return self._start().run(children, limits)
                except BoxDied:
                    self._stop()
                    if attempt == 2:
                        raise
        raise AssertionError

    @contextlib.contextmanager
    def session(self) -> Iterator[Callable[[Sequence[Child], Limits], Outcome]]:
        """Several orders that share the scratch folder, such as a build and the runs after it.

        Gives what runs one; raises BoxDied where the box broke, NoBox where there is no isolation.
        """
        with self._lock:
            running = self._start()
            try:
                yield lambda children, limits: running.run(children, limits, keep=True)
            finally:
                running.wipe()

    def close(self) -> None:
        """End the box and all in it."""
        with self._lock:
            self._stop()

    def _start(self) -> _Running:
        if self._running is not None and self._running.owner != os.getpid():
            self._running = None
        if self._running is None or self._running.broken:
            self._stop()
            self._running = start(self.preload)
        return self._running

    def _stop(self) -> None:
        if self._running is not None:
            self._running.close()
            self._running = None

    def __del__(self) -> None:
        if getattr(self, "_running", None) is not None:
            self._stop()


_found: list[Isolation] = []


def isolation() -> Isolation:
    """The best rung that works on this machine, tried once; raises NoBox where none does."""
    rungs = ladder.wanted()
    if not any(rung in rungs for rung in _found):
        start().close()
    return _found[0]


def start(preload: Sequence[str] = ()) -> _Running:
    """A box on the best rung that works here; raises NoBox with the reasons of all."""
    if sys.platform != "linux":
        raise NoBox(
            f"code is judged in a box, and the means to build one are Linux's, not {sys.platform}'s"
            " (--unsafe-local does not change that)"
        )
    reasons = []
    rungs = ladder.wanted()
    for rung in [rung for rung in _found if rung in rungs] or rungs:
        try:
            running = _Running(rung, tuple(preload))
        except OSError as error:
            reasons.append(f"{rung}: {error}")
            continue
        _found[:] = [rung]
        return running
    raise NoBox(f"no isolation to run code in ({'; '.join(reasons)}); --unsafe-local does without")


class _Running:
    """One zygote and the socket to it."""

    def __init__(self, rung: Isolation, preload: tuple[str, ...]):
        self.rung = rung
        self.owner = os.getpid()
        self.broken = False
        self._ready = False
        self._orders = 0
        self._crowd = ladder.crowd(rung)
        plan = ladder.plan(rung, preload)
        self._scratch = plan["scratch"][0] if rung in ("landlock", "unsafe") else None
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            self._process = subprocess.Popen(
                ladder.argv(plan), stdin=theirs.fileno(), stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE, env=ladder.environment(plan["scratch"][0]), cwd="/",
                start_new_session=True,
            )  # fmt: skip
        self._zygote = 0
        if self._hear(time.monotonic() + UP) is None:
            self._process.kill()
            said = self._process.communicate()[1].decode(errors="replace").strip()
            self.close()
            raise OSError(said.splitlines()[-1][:300] if said else "it did not start")

    def _hear(self, deadline: float) -> dict[str, Any] | None:
        """The zygote's next message; None where it ended or `deadline` came."""
        self._control.settimeout(max(0.001, deadline - time.monotonic()))
        room = socket.CMSG_SPACE(struct.calcsize("3i"))
        try:
            data, extra, _, _ = self._control.recvmsg(PIECE, room)
        except OSError:
            return None
        for _, kind, packed in extra:
            if kind == socket.SCM_CREDENTIALS:
                self._zygote = struct.unpack("3i", packed)[0]
        return json.loads(data) if data else None

    def run(self, children: Sequence[Child], limits: Limits, keep: bool = False) -> Outcome:
        """One order; raises BoxDied."""
        if not self._ready and self._hear(time.monotonic() + READY) is None:
            self.broken = True
            raise BoxDied("it did not get ready")
        self._ready = True
        self._orders += 1
        with Order(self._orders, children, limits, keep, self._crowd) as order:
            try:
                socket.send_fds(self._control, [json.dumps(order.said).encode()], order.given)
            except OSError as error:
                self.broken = True
                raise BoxDied(str(error)) from error
            order.let_go()
            return self._attend(order)

    def wipe(self) -> None:
        """Empty the scratch folder; a box that cannot is broken."""
        self._orders += 1
        try:
            self._control.send(json.dumps({"wipe": self._orders}).encode())
        except OSError:
            self.broken = True
            return
        answer = self._hear(time.monotonic() + UP)
        self.broken = self.broken or answer is None or answer.get("n") != self._orders

    def _attend(self, order: Order) -> Outcome:
        """Read what the children say until the zygote reports their end."""
        poller = select.poll()
        poller.register(self._control, select.POLLIN)
        for number in order.sinks:
            poller.register(number, select.POLLIN)
        control = self._control.fileno()
        while True:
            events = poller.poll(max(0.0, order.due() - time.monotonic()) * 1000)
            if not events and order.why:
                self.broken = True
                return order.outcome([])
            if not events:
                self._kill(order, order.late())
            for number, _ in events:
                if number == control:
                    return self._end(order)
                if not order.read(number):
                    poller.unregister(number)
            if order.over and not order.why:
                self._kill(order, "output")

    def _kill(self, order: Order, why: str) -> None:
        order.why, order.killed = why, time.monotonic()
        with contextlib.suppress(OSError):
            self._control.send(json.dumps({"kill": order.number}).encode())

    def _end(self, order: Order) -> Outcome:
        message = self._hear(time.monotonic() + 1.0)
        if message is None or message.get("n") != order.number:
            self.broken = True
            if order.why:
                return order.outcome([])
            raise BoxDied("the box ended while a submission ran")
        if message["why"].startswith("infra"):
            self.broken = True
            raise BoxDied(message["why"])
        if message["why"] in ("memory", "files") and not order.why:
            order.why = "memory"
        for number in order.sinks:
            while not order.over and order.read(number):
                pass
        if order.over and not order.why:
            order.why = "output"
        return order.outcome(message["exits"])

    def close(self) -> None:
        """End the box; whatever still runs in it dies with it."""
        self._control.close()
        if self.owner != os.getpid():
            return
        try:
            self._process.wait(0.3 if not self.broken else 0.05)
        except subprocess.TimeoutExpired:
            for pid in (*_tree(self._process.pid), self._zygote, self._process.pid):
                with contextlib.suppress(OSError):
                    if pid:
                        os.kill(pid, signal.SIGKILL)
            self._process.wait()
        assert self._process.stderr is not None
        self._process.stderr.close()
        if self._scratch:
            with contextlib.suppress(OSError):
                wipe(self._scratch)
                os.rmdir(self._scratch)


def _tree(pid: int) -> list[int]:
    """All descendants of `pid`."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        here = waiting.pop()
        with contextlib.suppress(OSError), open(f"/proc/{here}/task/{here}/children") as children:
            more = [int(child) for child in children.read().split()]
            waiting += more
            found += more
    return found
