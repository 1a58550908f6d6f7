"""The process of a script's test: runs `check` with a candidate that lives in another process.

The submission never sees the test, and can neither patch nor answer it but by the plain values
that its functions return. Whatever raises or ends this process early is no pass.
"""

from __future__ import annotations

import builtins
import os
import time
import types
from collections.abc import Iterator
from typing import Any, NoReturn

from . import plain, remote

TICK = 0.5
OPAQUE = plain.Opaque.__name__


class BadTest(BaseException):
    """The test asks for what no submission can do."""


def check(task: dict[str, Any], channels: list[int]) -> int:
    """Run the test of `task`: one message says what came of it."""
    report, peer = remote.Channel(channels[0]), remote.Channel(channels[1])
    loaded = remote.receive(peer.number)
    if not isinstance(loaded, dict) or not isinstance(loaded.get("loaded"), list):
        report.send({"unloaded": loaded}, now=True)
        return 0
    line = _Line(report, peer)
    try:
        run = _prepare(task, line, {str(name) for name in loaded["loaded"]})
        run(line.candidate(task["entry"]))
    except BaseException as fault:
        unfair = isinstance(fault, BadTest) or not line.calls
        theirs = getattr(fault, "submitted", False) is True
        kind = "bad" if unfair else "raised"
        report.send({kind: remote.error(fault), "theirs": theirs}, now=True)
        return 0
    said = "the test never calls the candidate"
    report.send({"passed": True} if line.calls else {"bad": {"error": [said]}}, now=True)
    return 0


def _prepare(task: dict[str, Any], line: _Line, offered: set[str]) -> Any:
    """The test's `check`, in a module that has what the prompt defines.

    Names that neither test nor prompt define are the submission's functions of that name.
    """
    module = types.ModuleType("test")
    names = vars(module)
    try:
        exec(compile(task["prompt"], "prompt.py", "exec", dont_inherit=True), names)
    except Exception:
        names.clear()
        names.update(vars(types.ModuleType("test")))
    code = compile(task["test"], "test.py", "exec", dont_inherit=True)
    for name in offered & set(_names(code)):
        if name not in names and not hasattr(builtins, name):
            names[name] = line.candidate(name)
    names[task["entry"].split(".")[0]] = line.candidate(task["entry"])
    names.pop("check", None)
    exec(code, names)
    return names["check"]


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield from _names(inner)


class _Line:
    """The line to the submission's process, and how often it was used."""

    def __init__(self, report: remote.Channel, peer: remote.Channel):
        self.report, self.peer = report, peer
        self.calls = 0
        self.last = time.monotonic()

    def candidate(self, name: str) -> Any:
        """A function that calls the submission's function `name`."""

        def candidate(*args: Any, **kwargs: Any) -> Any:
            return self.call(name, args, kwargs)

        candidate.__name__ = candidate.__qualname__ = name.split(".")[-1]
        return candidate

    def call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What the submission's function returns, or raises, for these arguments."""
        self.calls += 1
        try:
            sent = {"call": name, "args": plain.pack(list(args)), "kwargs": plain.pack(kwargs)}
        except plain.TooLarge:
            raise BadTest("the test's arguments are too large") from None
        names = [*plain.opaque(sent["args"]), *plain.opaque(sent["kwargs"])]
        if OPAQUE in names:
            raise TypeError("the submission returned what is no plain value")
        if names:
            raise BadTest(f"the test passes what is no plain value: {names[0]}")
        try:
            self.peer.send(sent, now=True)
            answer = remote.receive(self.peer.number)
            if time.monotonic() - self.last > TICK:
                self.report.send({"tick": True}, now=True)
                self.last = time.monotonic()
            if "error" in answer:
                raise _raised(answer)
            value, after = plain.unpack(answer["value"]), plain.unpack(answer["args"])
            value = iter(value) if answer["iterator"] is True else value
        except (
            OSError,
            TypeError,
            LookupError,
            ValueError,
            RecursionError,
            plain.Malformed,
        ) as fault:
            if getattr(fault, "submitted", False):
                raise
            self.gone()
        for mine, theirs in zip(args, after, strict=False):
            _follow(mine, theirs)
        return value

    def gone(self) -> NoReturn:
        """The submission's process ended, or talks nonsense: that is the end of the test."""
        self.report.send({"gone": True}, now=True)
        os._exit(0)


def _raised(answer: dict[str, Any]) -> Exception:
    """The exception that the submission raised: one of its name and nearest built-in base."""
    names = [str(name) for name in answer["error"]]
    known = (getattr(builtins, name, None) for name in names)
    base = next((k for k in known if isinstance(k, type) and issubclass(k, Exception)), Exception)
    if issubclass(base, StopIteration | StopAsyncIteration):  # which a loop would take for its end
        base, names = RuntimeError, ["RuntimeError"]
    kind = base if names[0] == base.__name__ else type(names[0], (base,), {})
    try:
        fault = kind(str(answer.get("said", "")))
    except TypeError:
        fault = Exception(str(answer.get("said", "")))
    fault.submitted = True
    return fault


def _follow(mine: Any, theirs: Any) -> None:
    """Change an argument in place as the submission changed its copy."""
    if isinstance(mine, list) and isinstance(theirs, list):
        for n in range(min(len(mine), len(theirs))):
            if type(mine[n]) is type(theirs[n]) and isinstance(mine[n], list | dict | set):
                _follow(mine[n], theirs[n])
            else:
                mine[n] = theirs[n]
        mine[len(theirs) :] = theirs[len(mine) :]
    elif isinstance(mine, dict | set) and type(mine) is type(theirs):
        mine.clear()
        mine.update(theirs)
