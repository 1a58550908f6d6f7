"""The one place that runs verifiers: a pool of worker processes with limits on the host side.

Used by chains, rewards, evaluation and the command line alike. A verifier that takes too long is
killed (`undecided/timeout`); a worker that dies is replaced and its row tried once more, then
`undecided/infra`. No fault of a verifier is ever blamed on the submission.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import Any

from verifiers import base
from verifiers.asking import Desk
from verifiers.records import Completion, Isolation, Problem, Verdict, content_id
from verifiers.sampler import Sampler
from verifiers.tasks import Task, fault

SECRET = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL")
LINE_LIMIT = 1 << 26
HIDDEN: set[str] = set()
"""Further variables of the environment that hold a secret: no worker sees them."""
START = 60.0
"""Seconds of wall time in which a worker must be up; no verdict's time is spent on it."""


class VerdictPool:
    """Workers that judge texts.

    Args:
        workers: processes; the CPUs this process may use where None.
        options: the recipe's `verifiers` section, options by verifier name.
        limit: seconds of CPU time that one verdict may take (four times as much wall time). A
            boxed verifier bounds its own work and says in its `limit` how long that takes at most.
        memory: bytes of private memory a worker may allocate.
        samplers: who is asked by verifiers that ask a model, by the verifier's name. They are
            asked from this process, because workers have no HTTP client.

    `started` are the ids of all worker processes so far: more than `workers` where some were lost.

    Raises ValueError where `workers` is below 1.
    """

    def __init__(
        self,
        workers: int | None = None,
        options: Mapping[str, Mapping[str, Any]] | None = None,
        limit: float = 1.5,
        memory: int = 512 << 20,
        samplers: Mapping[str, Sampler] | None = None,
    ):
        if workers is not None and workers < 1:
            raise ValueError(f"workers must be at least 1, not {workers}")
        self.workers = workers or len(os.sched_getaffinity(0))
        self.options = {name: dict(value) for name, value in (options or {}).items()}
        self.limit = limit
        self.memory = memory
        self.started: list[int] = []
        self._queue: deque[Task] = deque()
        self._wake = asyncio.Event()
        self._loops: list[asyncio.Task[None]] = []
        self._pace = 0.001
        self.samplers = dict(samplers or {})
        self._ids: dict[str, str] = {}
        self._loaded: dict[str, base.Verifier | None] = {}
        self._desks: dict[str, Desk] = {}

    def judge_id(self, name: str) -> str:
        """What names a judge in the store: verifier, version, options, and the model it asks."""
        if name not in self._ids:
            version = self.require([name])[name]
            options = dict(self.options.get(name, {}))
            what = {"name": name, "version": version, "options": options}
            if name in self.samplers:
                options.pop("teacher", None)
                what["asks"] = self.samplers[name].identity
            self._ids[name] = content_id(what)
        return self._ids[name]

    def require(self, names: Iterable[str]) -> dict[str, str]:
        """Versions of the verifiers `names`; raises VerifierError where one cannot be had."""
        versions = base.versions(names, self.options)
        for name in versions:
            if self._has(name, "request") and name not in self.samplers:
                raise base.NeedsSampler(name)
        return versions

    def together(self, name: str) -> bool:
        """True where verifier `name` judges all answers to a problem together."""
        return self._has(name, "verify_group")

    async def ready(self) -> None:
        """Have a worker up, so that its start holds up no verdict."""
        if not self._loops:
            self._loops.append(asyncio.create_task(self._serve(await self._start())))

    async def __aenter__(self) -> VerdictPool:
        return self

    async def __aexit__(self, *_: object) -> None:
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        self._loops.clear()

    async def verify(self, problem: Problem, text: str) -> Verdict:
        """The verdict of the problem's verifier on `text`."""
        if self._has(problem.verifier, "request"):
            return await self._ask(problem, text)
        return (await self._work_on(Task(problem, [text], False)))[0]

    async def verify_group(self, problem: Problem, texts: Sequence[str]) -> list[Verdict]:
        """The verdicts on all answers to one problem, in order: together where the problem's
        verifier has `verify_group`, within the limits of one verdict, else one by one."""
        if self.together(problem.verifier) and texts:
            return await self._work_on(Task(problem, texts, True))
        return await asyncio.gather(*(self.verify(problem, text) for text in texts))

    async def judge(self, problem: Problem, completion: Completion) -> Verdict:
        """`verify`, where a completion that failed is undecided without a look, and so is one that
        was cut off, unless its verifier judges those too."""
        unread = self._unread(problem, completion)
        return unread or await self.verify(problem, completion.text)

    async def judge_group(
        self, problem: Problem, completions: Sequence[Completion]
    ) -> list[Verdict]:
        """`verify_group`, where completions that `judge` does not look at are left out."""
        verdicts = [self._unread(problem, completion) for completion in completions]
        read = [c.text for c, unread in zip(completions, verdicts, strict=True) if not unread]
        judged = iter(await self.verify_group(problem, read))
        return [unread or next(judged) for unread in verdicts]

    def _unread(self, problem: Problem, completion: Completion) -> Verdict | None:
        """The verdict on a completion that is not worth a look; None where it is."""
        cut = completion.finish_reason == "length"
        if completion.finish_reason == "stop" or (
            cut and self._has(problem.verifier, "judges_truncated")
        ):
            return None
        level: Isolation = self._trait(problem.verifier, "isolation") or "none"
        return fault(problem.verifier, "truncated" if cut else "infra", isolation=level)

    def _has(self, name: str, attribute: str) -> bool:
        """Whether verifier `name` can be had and `attribute` is true of it."""
        return bool(self._trait(name, attribute))

    def _trait(self, name: str, attribute: str) -> Any:
        """What verifier `name` says of itself in `attribute`, None where it cannot be had."""
        if name not in self._loaded:
            try:
                self._loaded[name] = base.load(name, self.options.get(name), self.options)
            except base.VerifierError:
                self._loaded[name] = None
        return getattr(self._loaded[name], attribute, None)

    async def _ask(self, problem: Problem, text: str) -> Verdict:
        name = problem.verifier
        if name not in self.samplers:
            return fault(name, "infra", str(base.NeedsSampler(name)))
        if name not in self._desks:
            self._desks[name] = Desk(name, self._loaded[name], self.samplers[name])
        return await self._desks[name].verify(problem, text)

    async def _work_on(self, task: Task) -> list[Verdict]:
        while len(self._loops) < self.workers:
            self._loops.append(asyncio.create_task(self._serve()))
        self._put([task])
        return await task.future

    def _put(self, tasks: Iterable[Task], front: bool = False) -> None:
        if front:
            self._queue.extendleft(reversed(list(tasks)))
        else:
            self._queue.extend(tasks)
        self._wake.set()

    async def _take(self) -> list[Task]:
        """The next tasks for one worker: as many as take about 50 ms together."""
        while not self._queue:
            self._wake.clear()
            await self._wake.wait()
        share = -(-len(self._queue) // self.workers)
        count = max(1, min(32, share, int(0.05 / self._pace)))
        return [self._queue.popleft() for _ in range(min(count, len(self._queue)))]

    async def _serve(self, process: Process | None = None) -> None:
        try:
            while True:
                tasks = [task for task in await self._take() if not task.future.done()]
                if process is None or process.returncode is not None:
                    process = await self._start()
                process = await self._work(process, tasks)
        finally:
            if process is not None:
                await _kill(process)

    async def _start(self) -> Process:
        # looking for plug-ins of pydantic is a tenth of a worker's start
        env = {"PYDANTIC_DISABLE_PLUGINS": "__all__"}
        env |= {k: v for k, v in os.environ.items() if not secret(k)}
        root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        env["PYTHONPATH"] = os.pathsep.join(p for p in (root, env.get("PYTHONPATH")) if p)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "verifiers.worker",
            stdin=PIPE, stdout=PIPE,
            env=env | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        self.started.append(process.pid)
        assert process.stdin is not None
        config = {"options": self.options, "memory": self.memory}
        process.stdin.write(json.dumps(config).encode() + b"\n")
        assert process.stdout is not None
        try:
            await asyncio.wait_for(process.stdout.readline(), START)
        except TimeoutError:
            await _kill(process)
        return process

    async def _work(self, process: Process, tasks: list[Task]) -> Process | None:
        """Have one worker judge `tasks`; the worker, or None where it is gone."""
        assert process.stdin is not None
        process.stdin.write(b"".join(task.line for task in tasks))
        waiting, spent = deque(tasks), cpu_seconds(process.pid)
        rest = bytearray()
        while waiting:
            wall = self._trait(waiting[0].verifier, "limit")
            lines = await self._answers(process, rest, spent, wall)
            for line in (lines or ())[: len(waiting)]:
                seconds = waiting.popleft().answer(line)
                spent += seconds
                self._pace += 0.1 * (max(seconds, 1e-5) - self._pace)
            if lines:
                continue
            await _kill(process)
            task = waiting.popleft()
            task.tries += 1
            level: Isolation = self._trait(task.verifier, "isolation") or "none"
            if lines is None:
                task.fail("timeout", "the verifier took too long", level)
            elif task.tries > 1:
                task.fail("infra", "the verifier's worker died twice", level)
            else:
                waiting.appendleft(task)
            self._put(waiting, front=True)
            return None
        return process

    async def _answers(
        self, process: Process, rest: bytearray, spent: float, wall: float | None
    ) -> list[bytes] | None:
        """The worker's next lines, as many as are there; none where it died, None where it ran out
        of time: of CPU time beyond `spent`, or of `wall` seconds where the work is done in a box.

        `rest` is the beginning of a line that is still being written.
        """
        assert process.stdout is not None
        start = time.monotonic()
        wait = self.limit if wall is None else wall
        while len(rest) < LINE_LIMIT:
            try:
                async with asyncio.timeout(wait):
                    part = await process.stdout.read(1 << 18)
            except TimeoutError:
                used = 0.0 if wall is not None else cpu_seconds(process.pid) - spent
                late = time.monotonic() - start >= (4 * self.limit if wall is None else wall)
                if late or used >= self.limit * 0.95:
                    return None
                wait = max(0.05, self.limit - used)
                continue
            except ConnectionError:
                return []
            rest += part
            if b"\n" in part:
                *lines, rest[:] = rest.split(b"\n")
                return [bytes(line) for line in lines]
            if not part:
                return []
        return []


def secret(name: str) -> bool:
    """True where a variable of the environment holds a secret."""
    return name in HIDDEN or any(word in name.upper() for word in SECRET)


class Backlog:
    """Judgements under way, at most `most` of them; one that fails fails whoever adds the next."""

    def __init__(self, most: int = 2048):
        self.most = most
        self._running: set[asyncio.Task[None]] = set()
        self._failed: list[BaseException] = []
        self._ended = asyncio.Event()

    async def add(self, work: Coroutine[Any, Any, None]) -> None:
        """Start `work`, and wait while there is too much of it."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._end)
        while len(self._running) >= self.most:
            self._ended.clear()
            await self._ended.wait()
        self._check()

    async def drain(self) -> None:
        """Wait for all of it."""
        if self._running:
            await asyncio.wait(self._running)
            await asyncio.sleep(0)
        self._check()

    def _end(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._ended.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed.append(error)

    def _check(self) -> None:
        if self._failed:
            raise self._failed[0]


async def _kill(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    if process.stdin is not None:
        process.stdin.close()
    await process.wait()


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used, by the clock that clock_getcpuclockid(3) names; the wall
    clock where there is none."""
    try:
        return time.clock_gettime(~pid << 3 | 2)
    except OSError:
        return time.monotonic()
