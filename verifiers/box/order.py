"""One order to a box, seen from the host: what is run, in which bounds, and what came of it."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from verifiers.box import ladder

SEALS = 0x1 | 0x2 | 0x4 | 0x8
PIPE = 1 << 16
GRACE = 0.6
"""Seconds that a box has to end an order that it was told to stop."""
PIECE = 1 << 18
TICKS = 64
"""Messages beyond one a test."""
FRAMES = 64 << 10
"""Bytes of messages beyond what a submission may print: their lengths and punctuation."""


@dataclass(frozen=True)
class Limits:
    """What a submission may take: seconds a test and in all, bytes, and processes.

    `reserve`: memory is what it may write to, not what it sets aside.
    """

    test: float = 5.0
    submission: float = 10.0
    memory: int = 512 << 20
    output: int = 1 << 20
    processes: int = 64
    reserve: bool = False


@dataclass
class Child:
    """A process to be forked: what it does, its task, and the text on its stdin.

    `serves`: instead of speaking to the host it is joined to the child after it.
    """

    mode: str
    task: dict[str, Any]
    stdin: bytes = b""
    serves: bool = False


@dataclass
class Outcome:
    """What came of an order.

    `why` it was stopped: "" where it ended by itself, else "test time", "time", "memory", "output".
    `messages` are those of the last child, `exits` the exit statuses (negative: a signal; None:
    still running when the last child ended).
    """

    why: str = ""
    messages: list[Any] = field(default_factory=list)
    stdout: bytes = b""
    stderr: bytes = b""
    exits: list[int | None] = field(default_factory=list)
    seconds: float = 0.0


class Order:
    """An order under way: its descriptors, its deadlines, and what was read so far.

    Every descriptor is new with each order, so that nothing a submission does to one outlives it.
    `given` go to the box, `said` with them.
    """

    def __init__(
        self, number: int, children: Sequence[Child], limits: Limits, keep: bool, crowd: int
    ):
        self.number = number
        self.limits = limits
        self.why = ""
        self.killed = 0.0
        self.sinks: dict[int, bytearray] = {}
        self._open: set[int] = set()
        self._frames = self._at = 0
        self._most = len(children[-1].task.get("tests", ())) + TICKS
        try:
            wires = self._wire(children)
        except BaseException:
            self.__exit__()
            raise
        self.given = [number for wire in wires for number in wire]
        bounds = {
            "memory": limits.memory, "file": ladder.SCRATCH, "reserve": limits.reserve,
            "processes": limits.processes + crowd + 2, "cpu": int(limits.submission) * 4 + 2,
        }  # fmt: skip
        self.said = {
            "n": number, "keep": keep, "memory": limits.memory,
            "children": [
                {"mode": child.mode, "fds": len(wire), "limits": bounds}
                for child, wire in zip(children, wires, strict=True)
            ],
        }  # fmt: skip
        self.start = self._since = time.monotonic()

    def _wire(self, children: Sequence[Child]) -> list[list[int]]:
        """For each child: task, channel, stdin, stdout, stderr, and who serves it."""
        null = self._hold(os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC))
        self._channel, channel = self._pipe()
        self._stdout, out = self._pipe()
        self._stderr, err = self._stdout, out
        if children[-1].mode in ("program", "command"):
            self._stderr, err = self._pipe()
        wires, served = [], []
        for child in children:
            task = self._hold(_sealed(json.dumps(child.task).encode()))
            stdin = self._hold(_feed(child.stdin)) if child.stdin else null
            if child.serves:
                mine, other = socket.socketpair()
                served.append(self._hold(other.detach()))
                wires.append([task, self._hold(mine.detach()), stdin, out, err])
            else:
                wires.append([task, channel, stdin, out, err, *served])
        return wires

    def _hold(self, number: int) -> int:
        self._open.add(number)
        return number

    def _pipe(self) -> tuple[int, int]:
        ours, theirs = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(ours, False)
        os.fchmod(theirs, 0o666)  # /dev/stdout opens it anew, as another user
        self.sinks[ours] = bytearray()
        return self._hold(ours), self._hold(theirs)

    def let_go(self) -> None:
        """Close what the box has got."""
        for number in self._open - self.sinks.keys():
            os.close(number)
        self._open &= self.sinks.keys()

    def __enter__(self) -> Order:
        return self

    def __exit__(self, *_: object) -> None:
        for number in self._open:
            os.close(number)
        self._open.clear()

    def read(self, number: int) -> bool:
        """Take what is there; False where nothing is, or no more will come."""
        sink = self.sinks[number]
        try:
            piece = os.read(number, PIECE)
        except BlockingIOError:
            return False
        sink += piece
        if number == self._channel and piece:
            self._count()
        return bool(piece)

    def _count(self) -> None:
        """A message that is whole starts the time of the next test."""
        sink = self.sinks[self._channel]
        while len(sink) - self._at >= 4 and self._frames <= self._most:
            end = self._at + 4 + int.from_bytes(sink[self._at : self._at + 4], "big")
            if end > len(sink):
                break
            self._at = end
            self._frames += 1
            self._since = time.monotonic()

    @property
    def over(self) -> bool:
        """Whether it has said more than it may."""
        room = self.limits.output
        printed = sum(len(sink) for sink in self.sinks.values()) - len(self.sinks[self._channel])
        said = len(self.sinks[self._channel])
        return printed > room or said > room + FRAMES or self._frames > self._most

    def due(self) -> float:
        """When the time of the test or of the submission is up."""
        if self.why:
            return self.killed + GRACE
        return min(self._since + self.limits.test, self.start + self.limits.submission)

    def late(self) -> str:
        """Which time was up."""
        whole = time.monotonic() >= self.start + self.limits.submission
        return "time" if whole else "test time"

    def outcome(self, exits: list[int | None]) -> Outcome:
        """What came of it; messages that cannot be read are left out."""
        messages, at = [], 0
        sink = self.sinks[self._channel]
        for _ in range(self._frames):
            end = at + 4 + int.from_bytes(sink[at : at + 4], "big")
            try:
                message = json.loads(sink[at + 4 : end])
            except (ValueError, RecursionError):
                break
            messages.append(message if isinstance(message, dict) else {})
            at = end
        return Outcome(
            self.why, messages, bytes(self.sinks[self._stdout]),
            b"" if self._stderr == self._stdout else bytes(self.sinks[self._stderr]),
            exits, time.monotonic() - self.start,
        )  # fmt: skip


def _sealed(data: bytes) -> int:
    """A file in memory that holds `data` and takes no more."""
    number = os.memfd_create("task", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(number, view) :]
        os.lseek(number, 0, os.SEEK_SET)
        fcntl.fcntl(number, fcntl.F_ADD_SEALS, SEALS)
        os.fchmod(number, 0o444)
    except BaseException:
        os.close(number)
        raise
    return number


def _feed(data: bytes) -> int:
    """A descriptor to read `data` from: a pipe, or a file where a pipe does not hold it."""
    if len(data) > PIPE:
        return _sealed(data)
    ours, theirs = os.pipe2(os.O_CLOEXEC)
    os.fchmod(ours, 0o444)
    os.write(theirs, data)
    os.close(theirs)
    return ours
