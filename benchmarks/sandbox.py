"""Executions a second in the box, against a clean interpreter, bubblewrap and an unisolated fork.

    python benchmarks/sandbox.py [--json]

All arms run the same snippet (a Counter function and five asserts) in turn on one core; a figure
is the median of three rounds. The naive arm is `python -I -S -c`: no site-packages slows it down.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from verifiers import base  # noqa: E402
from verifiers.box import ladder  # noqa: E402
from verifiers.box.box import Box, isolation  # noqa: E402
from verifiers.box.order import Child, Limits  # noqa: E402
from verifiers.pool import VerdictPool  # noqa: E402
from verifiers.records import Problem  # noqa: E402

FUNCTION = """
from collections import Counter


def top(words, n):
    counts = Counter(words)
    return [word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:n]]
"""
CASES = [
    (["a", "b", "a"], 1, ["a"]), (["b", "a"], 2, ["a", "b"]), ([], 3, []),
    (["x"] * 5 + ["y"] * 6, 1, ["y"]), (list("abracadabra"), 2, ["a", "b"]),
]  # fmt: skip
ASSERTS = "".join(f"assert top({w!r}, {n}) == {e!r}\n" for w, n, e in CASES)
NUMPY = "import numpy as np\n\n\ndef top(words, n):\n    return int(np.sum(np.arange(n)))\n"
TESTS = [{"args": [w, n], "expected": e} for w, n, e in CASES]
SUMS = [{"args": [[], n], "expected": n * (n - 1) // 2} for n in range(1, 6)]
BARS: dict[str, tuple[str, float]] = {
    "box_against_naive": (">=", 2.5),
    "box_against_bubblewrap_each": (">=", 4.0),
    "box_against_unisolated_fork": (">=", 0.75),
    "two_workers_against_one": (">=", 1.7),
    "numpy_against_naive": (">=", 8.0),
    "fresh_box_ms": ("<=", 150.0),
    "killed_worker_rows_not_judged": ("<=", 0),
    "dead_twice_undecided_infra": (">=", 1),
}
ROUNDS, SECONDS = 3, 3.0


def rate(work: Callable[[], None], seconds: float) -> float:
    """Calls of `work` a second."""
    work()
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        work()
        count += 1
    return count / (time.perf_counter() - start)


def naive(source: str, packages: bool = False) -> Callable[[], None]:
    path = {"PYTHONPATH": os.pathsep.join(ladder.packages())} if packages else {}
    flags = ["-s", "-S"] if packages else ["-I", "-S"]

    def work() -> None:
        argv = [ladder.interpreter(), *flags, "-c", source]
        subprocess.run(argv, check=True, env=path | {"OPENBLAS_NUM_THREADS": "1"})

    return work


def bubblewrap() -> Callable[[], None] | None:
    """The snippet in a bubblewrap of its own, with the same walls; None where there is none."""
    if shutil.which("bwrap") is None or os.environ.get(ladder.ONLY):
        return None
    prefix = os.path.realpath(sys.base_prefix)
    folders = ("/lib", "/lib64", "/bin")
    links = [word for path in folders for word in ("--symlink", f"usr{path}", path)]
    own = [] if prefix.startswith("/usr") else ["--ro-bind", prefix, prefix]
    argv = [
        "bwrap", "--unshare-all", "--die-with-parent", "--clearenv", "--cap-drop", "ALL",
        "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--ro-bind", "/usr", "/usr",
        *links, *own,
        ladder.interpreter(), "-I", "-S", "-c", FUNCTION + ASSERTS,
    ]  # fmt: skip
    return lambda: subprocess.run(argv, check=True) and None


def fork() -> None:
    """The snippet in a fork of this process, with no isolation at all."""
    context = multiprocessing.get_context("fork")
    process = context.Process(target=_run)
    process.start()
    process.join()


def _run() -> None:
    exec(compile(FUNCTION + ASSERTS, "snippet", "exec"), {})


def judged(source: str, tests: list[dict[str, Any]]) -> Callable[[], None]:
    """The snippet through the verifier `code`."""
    verifier = base.load("code")
    answer = {"kind": "function", "entry_point": "top", "tests": tests}
    problem = Problem(prompt="", answer=answer, verifier="code")

    def work() -> None:
        verdict = base.judge("code", verifier, problem, source)
        assert verdict.correct, verdict

    return work


def fresh() -> float:
    """Milliseconds from nothing to the first answer of a box."""
    start = time.perf_counter()
    box = Box()
    task = {"source": FUNCTION, "entry": "top", "tests": [{"args": [["a"], 1], "kwargs": {}}]}
    assert box.run([Child("function", task)], Limits()).messages[-1] == {"value": ["a"]}
    taken = (time.perf_counter() - start) * 1000
    box.close()
    return taken


async def killed() -> tuple[int, int]:
    """Rows lost to a killed worker, and whether a row whose worker died twice is undecided."""
    answer = {"kind": "function", "entry_point": "top", "tests": TESTS}
    problem = Problem(prompt="", answer=answer, verifier="code")
    slow = FUNCTION + "import time\ntime.sleep(4)\n"
    async with VerdictPool(workers=1) as pool:
        rows = [asyncio.create_task(pool.verify(problem, FUNCTION)) for _ in range(600)]
        while not pool.started:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)
        os.kill(pool.started[-1], signal.SIGKILL)
        lost = sum(not verdict.correct for verdict in await asyncio.gather(*rows))
        row = asyncio.create_task(pool.verify(problem, slow))
        for _ in range(2):
            await asyncio.sleep(1.0)
            with_pid = pool.started[-1]
            os.kill(with_pid, signal.SIGKILL)
            while pool.started[-1] == with_pid and not row.done():
                await asyncio.sleep(0.01)
        verdict = await row
    return lost, int((verdict.status, verdict.reason) == ("undecided", "infra"))


def measure(seconds: float) -> dict[str, float]:
    """All figures."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:1])
    arms: dict[str, Callable[[], None]] = {
        "box": judged(FUNCTION, TESTS), "naive": naive(FUNCTION + ASSERTS), "fork": fork,
        "numpy": judged(NUMPY, SUMS),
        "numpy_naive": naive(NUMPY + "".join(f"assert top([], {n}) == {n * (n - 1) // 2}\n"
                                             for n in range(1, 6)), packages=True),
    }  # fmt: skip
    peer = bubblewrap()
    if peer is not None:
        arms["bubblewrap_each"] = peer
    rounds = [{name: rate(work, seconds) for name, work in arms.items()} for _ in range(ROUNDS)]
    figures = {f"{name}_per_s": statistics.median(r[name] for r in rounds) for name in arms}

    def ratio(one: str, other: str) -> float:
        return statistics.median(r[one] / r[other] for r in rounds)

    figures["box_against_naive"] = ratio("box", "naive")
    figures["box_against_unisolated_fork"] = ratio("box", "fork")
    figures["numpy_against_naive"] = ratio("numpy", "numpy_naive")
    if peer is not None:
        figures["box_against_bubblewrap_each"] = ratio("box", "bubblewrap_each")
    figures["fresh_box_ms"] = statistics.median(fresh() for _ in range(9))
    os.sched_setaffinity(0, cores)
    if len(cores) > 1:
        two = [_two(seconds) for _ in range(ROUNDS)]
        figures["two_workers_against_one"] = statistics.median(two)
    lost, infra = asyncio.run(killed())
    figures["killed_worker_rows_not_judged"] = lost
    figures["dead_twice_undecided_infra"] = infra
    return figures


def _two(seconds: float) -> float:
    """Two worker processes against one, through the pool."""

    async def run(count: int, rows: int) -> float:
        answer = {"kind": "function", "entry_point": "top", "tests": TESTS}
        problem = Problem(prompt="", answer=answer, verifier="code")
        async with VerdictPool(workers=count) as pool:
            await asyncio.gather(*(pool.verify(problem, FUNCTION) for _ in range(count * 8)))
            start = time.perf_counter()
            done = await asyncio.gather(*(pool.verify(problem, FUNCTION) for _ in range(rows)))
            assert all(verdict.correct for verdict in done)
            return rows / (time.perf_counter() - start)

    rows = int(seconds * 100)
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:1])
    one = asyncio.run(run(1, rows))
    os.sched_setaffinity(0, cores)
    return asyncio.run(run(2, rows)) / one


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each arm in each round")
    options = parser.parse_args()
    print(f"isolation: {isolation()}")
    figures = {name: round(value, 3) for name, value in measure(options.seconds).items()}
    bars = {name: f"{how} {bar:g}" for name, (how, bar) in BARS.items() if name in figures}
    holds = all(
        figures[name] >= bar if how == ">=" else figures[name] <= bar
        for name, (how, bar) in BARS.items()
        if name in figures
    )
    for name, value in figures.items():
        print(f"{name:32} {value:10.3f}  {bars.get(name, '')}")
    if options.json:
        print(
            json.dumps({"benchmark": "sandbox", "figures": figures, "bars": bars, "holds": holds})
        )
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()
