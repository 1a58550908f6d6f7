"""What the child of a submission does: load the code, call it, send back plain values.

Everything here shares a process with the submission, which may read and forge all of it. So it
holds nothing worth having: no expected values, and a channel on which a forged answer is worth as
much as a returned one.
"""

from __future__ import annotations

import atexit
import builtins
import gc
import itertools
import json
import os
import sys
import time
import types
from collections.abc import Callable
from typing import Any, NoReturn

from . import plain

PATIENCE = 0.005
SAID = 300
DRAINED = 10_000
"""Values that a test gets of an iterator that a submission returns."""
Mode = Callable[[dict[str, Any], list[int]], int]
MESSAGE_LIMIT = 4 << 20


class Channel:
    """Messages out, each a length and JSON; small ones wait a few milliseconds for each other."""

    def __init__(self, number: int):
        self.number = number
        self.waiting: list[bytes] = []
        self.last = time.monotonic()
        self.owner = os.getpid()

    def send(self, message: Any, now: bool = False) -> None:
        """Send `message`; at once where `now`."""
        data = plain.dumps(message)
        self.waiting.append(len(data).to_bytes(4, "big") + data)
        if now or time.monotonic() - self.last > PATIENCE:
            self.flush()

    def flush(self) -> None:
        """Send what waits; a process that the submission forked has nothing to say."""
        if os.getpid() != self.owner:
            os._exit(0)
        data = b"".join(self.waiting)
        self.waiting.clear()
        while data:
            data = data[os.write(self.number, data) :]
        self.last = time.monotonic()


def receive(number: int) -> Any:
    """The next message that comes in, None where no more will."""
    head = _exactly(number, 4)
    if head is None:
        return None
    data = _exactly(number, min(int.from_bytes(head, "big"), MESSAGE_LIMIT))
    return None if data is None else json.loads(data)


def _exactly(number: int, size: int) -> bytes | None:
    parts = []
    while size:
        part = os.read(number, size)
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def run(mode: Mode, payload: bytes, channels: list[int]) -> NoReturn:
    """Do what an order says in this process, and end it."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = _stream(number, "w" if number else "r")
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    status = 1
    try:
        status = mode(json.loads(payload), channels)
    except SystemExit as error:
        status = _status(error)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        end(status)


def _stream(number: int, mode: str) -> Any:
    errors = "backslashreplace" if number == 2 else "strict"
    return open(number, mode, encoding="utf-8", errors=errors, closefd=False)


def end(status: int) -> NoReturn:
    """Flush and leave, without the time that taking an interpreter apart takes."""
    flush()
    os._exit(status & 0xFF)


def flush() -> bool:
    """Flush the standard streams and those that took their place; False where that fails."""
    done = True
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except BaseException:
            done = done and stream not in (sys.stdout, sys.stderr)
    return done


def _status(error: SystemExit) -> int:
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code
    print(error.code, file=sys.stderr)
    return 1


def load(source: str, name: str) -> types.ModuleType:
    """The module that `source` is; raises what it raises."""
    module = types.ModuleType(name)
    module.__file__ = f"{name}.py"
    sys.modules[name] = module
    sys.argv = [f"{name}.py"]
    exec(compile(source, f"{name}.py", "exec", dont_inherit=True), module.__dict__)
    return module


def resolve(module: types.ModuleType, entry: str) -> Any:
    """What `entry` names: a function, a dotted path, or a method of the class Solution.

    A class on the path is instantiated. Raises AttributeError where there is none.
    """
    here: Any = module
    if "." not in entry and not hasattr(module, entry) and hasattr(module, "Solution"):
        entry = f"Solution.{entry}"
    for part in entry.split("."):
        if isinstance(here, type) and not isinstance(here.__dict__.get(part), staticmethod):
            here = here()
        here = getattr(here, part)
    return here


def there(module: types.ModuleType, entry: str) -> bool:
    """Whether the module has what `entry` begins with."""
    return hasattr(module, entry.split(".")[0]) or hasattr(module, "Solution")


def error(fault: BaseException) -> dict[str, Any]:
    """An exception as a message: the names of its classes and what it says."""
    names = [base.__name__[:100] for base in type(fault).__mro__]
    try:
        said = str(fault)[:SAID]
    except BaseException:
        said = ""
    return {"error": names[:20], "said": said}


def submission(task: dict[str, Any], channel: Channel) -> types.ModuleType | None:
    """The module of a task with its entry point in it; None, after saying why, without."""
    try:
        module = load(task["source"], "submission")
    except BaseException as fault:
        channel.send({"load": error(fault)}, now=True)
        return None
    if not there(module, task["entry"]):
        channel.send({"missing": task["entry"]}, now=True)
        return None
    return module


def function(task: dict[str, Any], channels: list[int]) -> int:
    """Call the entry point with the arguments of each test; one message a test."""
    channel = Channel(channels[0])
    module = submission(task, channel)
    if module is None:
        return 1
    channel.send({"loaded": True})
    for test in task["tests"]:
        try:
            value = resolve(module, task["entry"])(*test["args"], **test["kwargs"])
            answer = {"value": packed(value)}
        except BaseException as fault:
            answer = error(fault)
        channel.send(answer)
    channel.flush()
    return 0


def serve(task: dict[str, Any], channels: list[int]) -> int:
    """Load the source, then answer the calls of the process beside this one until it ends."""
    channel = Channel(channels[0])
    module = submission(task, channel)
    if module is None:
        return 1
    names = [name for name, value in list(vars(module).items()) if callable(value)]
    channel.send({"loaded": names}, now=True)
    while (call := receive(channels[0])) is not None:
        args, kwargs = plain.unpack(call["args"]), plain.unpack(call["kwargs"])
        try:
            value = resolve(module, call["call"])(*args, **kwargs)
            drained = hasattr(type(value), "__next__")
            value = list(itertools.islice(value, DRAINED)) if drained else value
            answer = {"value": packed(value), "args": packed(args), "iterator": drained}
        except BaseException as fault:
            answer = error(fault)
        channel.send(answer, now=True)
    return 0


def packed(value: Any) -> Any:
    """The wire form, also where the submission has set a low limit to recursion."""
    if sys.getrecursionlimit() < 1000:
        sys.setrecursionlimit(1000)
    return plain.pack(value)


def program(task: dict[str, Any], channels: list[int]) -> int:
    """Run the source as `__main__`, with all that an interpreter does at its end."""
    os.close(channels[0])
    status = 0
    try:
        module = types.ModuleType("__main__")
        module.__file__ = "main.py"
        sys.modules["__main__"] = module
        sys.argv = ["main.py"]
        exec(compile(task["source"], "main.py", "exec", dont_inherit=True), module.__dict__)
    except SystemExit as fault:
        status = _status(fault)
    except BaseException as fault:
        sys.excepthook(type(fault), fault, fault.__traceback__)
        status = 1
    if threading := sys.modules.get("threading"):
        threading._shutdown()
    atexit._run_exitfuncs()
    if not flush():
        status = status or 120
    module.__dict__.clear()
    gc.collect()
    return status


def check_syntax(task: dict[str, Any], channels: list[int]) -> int:
    """Whether the source compiles."""
    channel = Channel(channels[0])
    try:
        compile(task["source"], "main.py", "exec", dont_inherit=True)
        channel.send({"compiles": True}, now=True)
    except BaseException as fault:
        channel.send(error(fault), now=True)
    return 0


def command(task: dict[str, Any], channels: list[int]) -> int:
    """Write the files of the task, then become its program."""
    os.close(channels[0])
    for name, text in task["files"].items():
        with open(name, "w", encoding="utf-8", errors="surrogatepass") as file:
            file.write(text)
    for number in (0, 1, 2):
        os.set_inheritable(number, True)
    os.execvp(task["argv"][0], task["argv"])


def forget_ourselves() -> None:
    """What a submission may expect of an interpreter, and none of our modules by name."""
    from _sitebuiltins import Quitter

    builtins.exit, builtins.quit = Quitter("exit", "Ctrl-D"), Quitter("quit", "Ctrl-D")
    plain.numpy = sys.modules.get("numpy")
    package = __package__ or ""
    for name in [name for name in sys.modules if name.split(".")[0] == package.split(".")[0]]:
        del sys.modules[name]
    sys.path[:] = [path for path in sys.path if path != ""]
