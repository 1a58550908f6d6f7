"""Answers that would take for ever: one at a time, all at once and in threads, by the real pool.

    python benchmarks/pathological.py [--json]

Each must come back within two seconds as `undecided/timeout`, and no worker may grow beyond
512 MB. `benchmarks/verifiers.py` runs this too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from verifiers.pool import VerdictPool
from verifiers.records import Problem, Verdict

SECONDS = 2.0
MEGABYTES = 512
THREADS = 4


def nested(before: str, middle: str, after: str, times: int) -> str:
    """`middle` within `times` pairs of brackets."""
    return before * times + middle + after * times


def square(kind: str, entry: str, size: int) -> str:
    """A matrix of equal entries."""
    rows = r"\\".join(["&".join([entry] * size)] * size)
    return rf"\begin{{{kind}}}{rows}\end{{{kind}}}"


ANSWERS = {
    "tower of powers": "9^{9^{9^{9}}}",
    "taller tower": "2^{2^{2^{2^{2^{2}}}}}",
    "power": "2^{10000000}",
    "exponentials": "e^{e^{e^{e^{10}}}}",
    "factorial of a million": "1000000!",
    "factorial of ten millions": "10000000! + 1",
    "factorials of factorials": "((10!)!)!",
    "binomial": r"\binom{1000000}{500000}",
    "polynomial": "(1+x)^{1000000}",
    "sum of 100 kB": "+".join(["1"] * 50_000),
    "product of 100 kB": r"\cdot ".join(["2"] * 15_000),
    "parentheses": nested("(", "1", ")", 3000),
    "braces": nested("{", "1", "}", 3000),
    "nested fractions": nested(r"\frac{1}{1+", "1", "}", 300),
    "nested roots": nested(r"\sqrt{", "2", "}", 200),
    "bars": nested(r"\left|", "1", r"\right|", 500),
    "signs": "-" * 500 + "1",
    "digits": "9" * 30_000,
    "exponent of ten": "1e3456789",
    "list of 5,000": ",".join(map(str, range(5000))),
    "set of 2,000": r"\{" + ",".join(map(str, range(2000))) + r"\}",
    "matrix of 60 x 60": square("pmatrix", "1", 60),
    "determinant of 20 x 20": square("vmatrix", "x", 20),
    "integral": r"\int_0^1 \frac{\sin x}{x}\,dx",
    "hard integral": r"\int_0^{\infty} \frac{x^{7}e^{-x^2}}{\sqrt{1+\sin^2(x^3)}}\,dx",
    "unbounded sum": r"\sum_{n=1}^{\infty}\frac{1}{n^3}",
    "long sum": r"\sum_{n=1}^{1000000000}\sin(n^2)",
    "unbounded product": r"\prod_{n=1}^{\infty}(1+\frac{1}{n^2})",
    "choices of sign": r"\pm 1 \pm 2 \pm 3 \pm 4 \pm 5",
    "limit": r"\lim_{n\to\infty}\left(1+\frac{1}{n}\right)^{n^2 \sin n}",
}  # fmt: skip


def problem(answer: str = "1") -> Problem:
    """A problem with the ground truth `answer`."""
    return Problem(prompt="How much is it?", answer=answer)


async def judged(pool: VerdictPool, answer: str) -> tuple[Verdict, float]:
    """The verdict on one boxed answer, and how long it took."""
    start = time.monotonic()
    verdict = await pool.verify(problem(), rf"\boxed{{{answer}}}")
    return verdict, time.monotonic() - start


async def one_by_one(names: list[str]) -> dict[str, tuple[Verdict, float]]:
    """Each answer by itself, on one worker that is warm."""
    async with VerdictPool(workers=1) as pool:
        with watched(pool):
            await pool.verify(problem(), r"\boxed{\sqrt{2}}")
            return {name: await judged(pool, ANSWERS[name]) for name in names}


async def at_once(names: list[str]) -> dict[str, tuple[Verdict, float]]:
    """All answers at once; the clock of each is its working time."""
    async with VerdictPool(workers=2) as pool:
        with watched(pool):
            found = await asyncio.gather(*(judged(pool, ANSWERS[name]) for name in names))
    return {
        name: (verdict, verdict.seconds) for name, (verdict, _) in zip(names, found, strict=True)
    }


def in_threads(names: list[str]) -> dict[str, tuple[Verdict, float]]:
    """The answers dealt out to threads, each with an event loop and a pool of its own."""
    shares = [names[place::THREADS] for place in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as threads:
        found = threads.map(lambda share: asyncio.run(one_by_one(share)), shares)
        return {name: result for part in found for name, result in part.items()}


PEAK = [0.0]


@contextmanager
def watched(pool: VerdictPool) -> Iterator[None]:
    """Keep the largest resident size of the pool's workers, in MB, in PEAK."""
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.02):
            for pid in list(pool.started):
                with suppress(OSError, StopIteration):
                    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
                    high = next(line for line in lines if line.startswith("VmHWM"))
                    PEAK[0] = max(PEAK[0], int(high.split()[1]) / 1000)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def run() -> tuple[dict[str, Any], dict[str, bool]]:
    """Figures and bars of all three ways."""
    names = list(ANSWERS)
    ways = {
        "one by one": asyncio.run(one_by_one(names)),
        "at once": asyncio.run(at_once(names)),
        "in threads": in_threads(names),
    }
    figures: dict[str, Any] = {"inputs": len(names), "worker_peak_mb": round(PEAK[0])}
    bars = {f"worker at most {MEGABYTES} MB": PEAK[0] <= MEGABYTES}
    for way, results in ways.items():
        slowest = max(results, key=lambda name: results[name][1])
        wrong = {
            name: f"{verdict.status}/{verdict.reason}"
            for name, (verdict, _) in results.items()
            if (verdict.status, verdict.reason) != ("undecided", "timeout")
        }
        figures[way] = {
            "slowest": slowest, "seconds": round(results[slowest][1], 3), "other": wrong
        }  # fmt: skip
        bars[f"pathological {way}: undecided/timeout"] = not wrong
        bars[f"pathological {way}: at most {SECONDS:g} s"] = results[slowest][1] <= SECONDS
    return figures, bars


def main() -> None:
    """Run, print, and exit 1 where a bar does not hold."""
    parser = argparse.ArgumentParser(description="Answers that would take for ever.")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    figures, bars = run()
    for key, value in {**figures, **bars}.items():
        print(f"{key}: {value}")
    holds = all(bars.values())
    if args.json:
        print(
            json.dumps(
                {"benchmark": "pathological", "figures": figures, "bars": bars, "holds": holds}
            )
        )
    sys.exit(not holds)


if __name__ == "__main__":
    main()
