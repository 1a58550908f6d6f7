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
from collections import deque
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any

from verifiers import base
from verifiers.explain import why
from verifiers.records import Completion, Problem, Verdict, content_id

SECRET = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL")
LINE_LIMIT = 1 << 26


class _Task:
    __slots__ = ("future", "line", "tries", "verifier")

    def __init__(self, problem: Problem, text: str, future: asyncio.Future[Verdict]):
        self.line = json.dumps({"problem": problem.model_dump(), "text": text}).encode() + b"\n"
        self.verifier = problem.verifier
        self.future = future
        self.tries = 0


class VerdictPool:
    """Workers that judge texts.

    Args:
        workers: processes; the CPUs this process may use where None.
        options: the recipe's `verifiers` section, options by verifier name.
        limit: seconds of CPU time that one verdict may take (four times as much wall time).
        memory: bytes of private memory a worker may allocate.

    `started` are the ids of all worker processes so far: more than `workers` where some were lost.

    Raises ValueError where `workers` is below 1.
    """

    def __init__(
        self,
        workers: int | None = None,
        options: Mapping[str, Mapping[str, Any]] | None = None,
        limit: float = 1.5,
        memory: int = 512 << 20,
    ):
        if workers is not None and workers < 1:
            raise ValueError(f"workers must be at least 1, not {workers}")
        self.workers = workers or len(os.sched_getaffinity(0))
        self.options = {name: dict(value) for name, value in (options or {}).items()}
        self.limit = limit
        self.memory = memory
        self.started: list[int] = []
        self._queue: deque[_Task] = deque()
        self._wake = asyncio.Condition()
        self._loops: list[asyncio.Task[None]] = []
        self._pace = 0.001
        self._ids: dict[str, str] = {}
        self._cut: dict[str, bool] = {}

    def judge_id(self, name: str) -> str:
        """What names a judge in the store: verifier, version and options."""
        if name not in self._ids:
            version = self.require([name])[name]
            options = self.options.get(name, {})
            self._ids[name] = content_id({"name": name, "version": version, "options": options})
        return self._ids[name]

    def require(self, names: Iterable[str]) -> dict[str, str]:
        """Versions of the verifiers `names`; raises VerifierError where one cannot be had."""
        return {
            name: str(getattr(base.load(name, self.options.get(name), self.options), "version", ""))
            for name in sorted(set(names))
        }

    async def __aenter__(self) -> VerdictPool:
        return self

    async def __aexit__(self, *_: object) -> None:
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        self._loops.clear()

    async def verify(self, problem: Problem, text: str) -> Verdict:
        """The verdict of the problem's verifier on `text`."""
        task = _Task(problem, text, asyncio.get_running_loop().create_future())
        while len(self._loops) < self.workers:
            self._loops.append(asyncio.create_task(self._serve()))
        await self._put([task])
        return await task.future

    async def judge(self, problem: Problem, completion: Completion) -> Verdict:
        """`verify`, where a completion that failed is undecided without a look, and so is one that
        was cut off, unless its verifier judges those too."""
        cut = completion.finish_reason == "length"
        if completion.finish_reason == "stop" or (cut and self._reads_cut(problem.verifier)):
            return await self.verify(problem, completion.text)
        return _fault(problem.verifier, "truncated" if cut else "infra")

    def _reads_cut(self, name: str) -> bool:
        if name not in self._cut:
            verifier = base.load(name, self.options.get(name), self.options)
            self._cut[name] = bool(getattr(verifier, "judges_truncated", False))
        return self._cut[name]

    async def _put(self, tasks: Iterable[_Task], front: bool = False) -> None:
        async with self._wake:
            if front:
                self._queue.extendleft(reversed(list(tasks)))
            else:
                self._queue.extend(tasks)
            self._wake.notify()

    async def _take(self) -> list[_Task]:
        """The next tasks for one worker: as many as take about 50 ms together."""
        async with self._wake:
            await self._wake.wait_for(lambda: self._queue)
            share = -(-len(self._queue) // self.workers)
            count = max(1, min(32, share, int(0.05 / self._pace)))
            tasks = [self._queue.popleft() for _ in range(min(count, len(self._queue)))]
            if self._queue:
                self._wake.notify()
            return tasks

    async def _serve(self) -> None:
        process: asyncio.subprocess.Process | None = None
        try:
            while True:
                tasks = [task for task in await self._take() if not task.future.done()]
                if process is None or process.returncode is not None:
                    process = await self._start()
                process = await self._work(process, tasks)
        finally:
            if process is not None:
                await _kill(process)

    async def _start(self) -> asyncio.subprocess.Process:
        env = {k: v for k, v in os.environ.items() if not any(s in k.upper() for s in SECRET)}
        root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        env["PYTHONPATH"] = os.pathsep.join(p for p in (root, env.get("PYTHONPATH")) if p)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "verifiers.worker",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            env=env | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}, limit=LINE_LIMIT,
        )  # fmt: skip
        self.started.append(process.pid)
        assert process.stdin is not None
        config = {"options": self.options, "memory": self.memory}
        process.stdin.write(json.dumps(config).encode() + b"\n")
        return process

    async def _work(
        self, process: asyncio.subprocess.Process, tasks: list[_Task]
    ) -> asyncio.subprocess.Process | None:
        """Have one worker judge `tasks`; the worker, or None where it is gone."""
        assert process.stdin is not None
        process.stdin.write(b"".join(task.line for task in tasks))
        waiting = deque(tasks)
        while waiting:
            line = await self._answer(process)
            task = waiting.popleft()
            if line:
                verdict = _read(line)
                self._pace += 0.1 * (max(verdict.seconds, 1e-5) - self._pace)
                _settle(task, verdict)
                continue
            timeout = line is None
            await _kill(process)
            task.tries += 1
            if timeout:
                _settle(task, _fault(task.verifier, "timeout", "the verifier took too long"))
            elif task.tries > 1:
                _settle(task, _fault(task.verifier, "infra", "the verifier's worker died twice"))
            else:
                waiting.appendleft(task)
            await self._put(waiting, front=True)
            return None
        return process

    async def _answer(self, process: asyncio.subprocess.Process) -> bytes | None:
        """The worker's next line; empty where it died, None where it ran out of time."""
        assert process.stdout is not None
        reading = asyncio.ensure_future(process.stdout.readline())
        start, spent = time.monotonic(), cpu_seconds(process.pid)
        wait = self.limit
        while True:
            done, _ = await asyncio.wait([reading], timeout=wait)
            if done:
                try:
                    return reading.result()
                except (ValueError, ConnectionError):
                    return b""
            used = cpu_seconds(process.pid) - spent
            if used >= self.limit * 0.95 or time.monotonic() - start >= 4 * self.limit:
                reading.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await reading
                return None
            wait = max(0.05, self.limit - used)


class Backlog:
    """Judgements under way, at most `most` of them; one that fails fails whoever adds the next."""

    def __init__(self, most: int = 2048):
        self.most = most
        self._running: set[asyncio.Task[None]] = set()
        self._failed: list[BaseException] = []

    async def add(self, work: Coroutine[Any, Any, None]) -> None:
        """Start `work`, and wait while there is too much of it."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._end)
        if len(self._running) >= self.most:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
        self._check()

    async def drain(self) -> None:
        """Wait for all of it."""
        if self._running:
            await asyncio.wait(self._running)
            await asyncio.sleep(0)
        self._check()

    def _end(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed.append(error)

    def _check(self) -> None:
        if self._failed:
            raise self._failed[0]


def _fault(verifier: str, reason: str, detail: str = "") -> Verdict:
    """The verdict where nothing was judged."""
    verdict = Verdict(status="undecided", reason=reason, detail=detail, verifier=verifier)
    verdict.why = why(verdict)
    return verdict


def _read(line: bytes) -> Verdict:
    """The verdict that a worker wrote; it was checked there."""
    fields = json.loads(line)
    return Verdict.model_construct(**fields | {"span": fields["span"] and tuple(fields["span"])})


def _settle(task: _Task, verdict: Verdict) -> None:
    if not task.future.done():
        task.future.set_result(verdict)


async def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    if process.stdin is not None:
        process.stdin.close()
    await process.wait()


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used; the wall clock where /proc is not to be had."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except OSError:
        return time.monotonic()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
