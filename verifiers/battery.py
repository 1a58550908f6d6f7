"""The battery: what every verifier must survive before anything is trusted to it.

The verifier's own `examples` and texts made to break it go through real workers. A hostile text is
handled where a verdict comes back in time, is not `correct`, and neither raises nor costs the
worker. All of them are sent to the problem of the first example that is correct.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from verifiers import base
from verifiers.hostile import canaries, candidates, hostile, nonsense
from verifiers.pool import VerdictPool, cpu_seconds
from verifiers.records import Problem, Verdict

REASONS = {
    "correct": (),
    "wrong": ("different", "no_answer", "crash", "timeout", "memory", "output"),
    "undecided": ("truncated", "bad_gold", "infra", "timeout", "bad_row"),
}
TRUST = ("pure", "boxed")
GOLD_TYPES = ("text", "json", "label")
REPEATS = 3
REPEATED = ("status", "score", "reason", "extracted")


class Probe(NamedTuple):
    """What one probe found: its name, whether the verifier passed, and why."""

    name: str
    passed: bool
    why: str


class Report(NamedTuple):
    """All probes, the slowest verdict (seconds of CPU time, probe) and the worker's peak memory.

    `peak` is in bytes, `seconds` is the wall time of the whole battery.
    """

    verifier: str
    version: str
    probes: list[Probe]
    slowest: tuple[float, str]
    peak: int
    seconds: float

    @property
    def passed(self) -> bool:
        """True where every probe passed."""
        return all(probe.passed for probe in self.probes)


def text(report: Report) -> str:
    """A line a probe, and one that sums up."""
    lines = [f"{'pass' if p.passed else 'FAIL'}  {p.name:32}  {p.why}" for p in report.probes]
    failed = sum(not probe.passed for probe in report.probes)
    result = (
        f"{failed} of {len(lines)} probes failed" if failed else f"all {len(lines)} probes passed"
    )
    name = f"{report.verifier} {report.version}".rstrip()
    return "\n".join([*lines, f"{name}: {result} in {report.seconds:.1f} s"])


def as_json(report: Report) -> dict[str, Any]:
    """A report for programs."""
    return {
        "verifier": report.verifier,
        "version": report.version,
        "passed": report.passed,
        "probes": [probe._asdict() for probe in report.probes],
        "slowest_seconds": round(report.slowest[0], 3),
        "slowest_probe": report.slowest[1],
        "peak_bytes": report.peak,
        "seconds": report.seconds,
    }


class Example(NamedTuple):
    """A problem, a text and the status it must get."""

    problem: Problem
    text: str
    status: str


async def run(name: str, options: Mapping[str, Any] | None = None) -> Report:
    """Put verifier `name` through the battery.

    Raises UnknownVerifier; a verifier that cannot be loaded fails its only probe.
    """
    start = time.monotonic()
    try:
        verifier = base.load(name, options)
    except base.BrokenPlugin as error:
        return Report(name, "", [Probe("load", False, str(error))], (0.0, ""), 0, 0.0)
    try:
        examples = [_example(name, given) for given in getattr(verifier, "examples", ())]
        fault = "" if any(e.status == "correct" for e in examples) else NO_EXAMPLE
    except (TypeError, ValueError) as error:
        examples, fault = [], f"an example is no (problem, text, status): {_line(error)}"
    bench = _Bench(name, options or {})
    bench.probes.append(_declared(verifier))
    if fault:
        bench.probes.append(Probe("examples", False, fault))
    else:
        await bench.run(examples, getattr(verifier, "gold_type", ""))
    version = str(getattr(verifier, "version", ""))
    spent = time.monotonic() - start
    return Report(name, version, bench.probes, bench.slowest, bench.peak, round(spent, 2))


NO_EXAMPLE = "`examples` must hold a (problem, text, status) that is correct"


def _example(name: str, given: Any) -> Example:
    """An example as a verifier states it; raises TypeError or ValueError where it is none."""
    fields, text, status = given
    if not isinstance(text, str) or status not in REASONS:
        raise TypeError(f"{text!r:.40} with status {status!r}")
    try:
        return Example(Problem(**{"prompt": "", **fields, "verifier": name}), text, status)
    except ValidationError as error:
        raise ValueError(base.in_words(error)) from error


def _declared(verifier: base.Verifier) -> Probe:
    """Whether what the verifier says of itself is in words that are known."""
    faults = [
        f"{field} must be {' or '.join(known)}, not {getattr(verifier, field)!r}"
        for field, known in (("trust", TRUST), ("gold_type", GOLD_TYPES))
        if hasattr(verifier, field) and getattr(verifier, field) not in known
    ]
    if not str(getattr(verifier, "version", "")):
        faults.insert(0, "it has no `version`, so no run can tell when verdicts may have changed")
    return Probe("declaration", not faults, "; ".join(faults) or f"version {verifier.version}")


class _Bench:
    """One verifier on one worker, and what was seen of it."""

    def __init__(self, name: str, options: Mapping[str, Any]):
        self.name = name
        self.options = {name: options}
        self.probes: list[Probe] = []
        self.slowest = (0.0, "")
        self.peak = 0
        self._seen: list[tuple[str, Problem, str, Verdict]] = []

    async def run(self, examples: list[Example], gold_type: str) -> None:
        """All probes, in order."""
        target = next(example.problem for example in examples if example.status == "correct")
        async with self._pool() as pool:
            for number, example in enumerate(examples, 1):
                await self._expect(pool, f"example {number}", example)
            for number, example in enumerate(examples, 1):
                gold = example.problem.answer
                if example.status != "correct" or gold_type != "text" or gold in (None, ""):
                    continue
                bare = Example(example.problem, str(gold), "correct")
                await self._expect(pool, f"bare gold of example {number}", bare)
            for label, text in (*nonsense(), *candidates(target), *hostile()):
                await self._survive(pool, label, target, text)
            await self._canary(pool, target)
            await self._repeat(pool)
        limit, memory = pool.limit, pool.memory
        seconds, where = self.slowest
        self._note(
            "time and memory", seconds < limit and self.peak < memory,
            f"slowest verdict {seconds:.2f} s ({where}) of {limit} s, "
            f"peak memory {self.peak / 2**20:.0f} of {memory / 2**20:.0f} MiB",
        )  # fmt: skip

    def _pool(self) -> VerdictPool:
        return VerdictPool(workers=1, options=self.options)

    def _note(self, name: str, passed: bool, why: str) -> None:
        self.probes.append(Probe(name, passed, why))

    async def _judge(
        self, pool: VerdictPool, label: str, problem: Problem, text: str
    ) -> tuple[Verdict, str]:
        """A verdict, and what is wrong with the way it came about."""
        workers = pool.started[:]
        start = cpu_seconds(workers[-1]) if workers else 0.0
        verdict = await pool.verify(problem, text)
        wrong = fault(verdict)
        alive = workers == pool.started and not wrong
        seconds = cpu_seconds(workers[-1]) - start if alive else verdict.seconds
        self.slowest = max(self.slowest, (seconds, label))
        self.peak = max(self.peak, _peak_memory(pool.started[-1]))
        return verdict, wrong

    async def _expect(self, pool: VerdictPool, label: str, example: Example) -> None:
        """The verdict that an example states."""
        verdict, wrong = await self._judge(pool, label, example.problem, example.text)
        self._seen.append((label, example.problem, example.text, verdict))
        same = verdict.status == example.status
        wrong = wrong if same or wrong else f"expected {example.status}, got {_said(verdict)}"
        self._note(label, not wrong, wrong or _said(verdict))

    async def _survive(self, pool: VerdictPool, label: str, target: Problem, text: str) -> None:
        """A text that no verifier may call correct, nor stumble over."""
        verdict, wrong = await self._judge(pool, label, target, text)
        self._seen.append((label, target, text, verdict))
        wrong = "it is called correct" if verdict.correct and not wrong else wrong
        self._note(label, not wrong, wrong or _said(verdict))

    async def _canary(self, pool: VerdictPool, target: Problem) -> None:
        """Texts that leave a file behind where anything evaluates them."""
        with tempfile.TemporaryDirectory(prefix="canary-") as folder:
            faults = []
            for label, text in canaries(Path(folder)):
                _, wrong = await self._judge(pool, f"canary ({label})", target, text)
                if wrong:
                    faults.append(f"{label}: {wrong}")
            sung = sorted(path.name for path in Path(folder).iterdir())
        said = [f"the text was run as code ({', '.join(sung)})"] if sung else []
        why = "; ".join([*said, *faults[:3]])
        self._note("canary", not why, why or "no text was run as code")

    async def _repeat(self, pool: VerdictPool) -> None:
        """The same verdicts again, from the same worker and, in reverse, from a fresh one."""
        changed = []
        seen = [entry for entry in self._seen if not fault(entry[3])]
        async with self._pool() as other:
            rounds = [(pool, seen)] * (REPEATS - 1) + [(other, seen[::-1])]
            for again, entries in rounds:
                for label, problem, text, first in entries:
                    verdict = await again.verify(problem, text)
                    changed += [
                        f"{label}: {field} {before!r}, then {after!r}"
                        for field in REPEATED
                        if (before := getattr(first, field)) != (after := getattr(verdict, field))
                    ]
        why = "; ".join(changed[:3])
        told = f"{len(seen)} verdicts, {REPEATS} times in one worker and once in another"
        self._note("repeats", not why, why or told)


def fault(verdict: Verdict) -> str:
    """What is wrong with a verdict whatever the text was; empty where nothing is."""
    if verdict.reason == "infra":
        return verdict.detail or "the verifier failed"
    if verdict.detail == "the verifier took too long":
        return "it took too long, and its worker had to be killed"
    if verdict.reason and verdict.reason not in REASONS[verdict.status]:
        known = ", ".join(REASONS[verdict.status]) or "none"
        return f"reason {verdict.reason!r} is no word for {verdict.status}; known: {known}"
    return ""


def _said(verdict: Verdict) -> str:
    reason = f"/{verdict.reason}" if verdict.reason else ""
    return f"{verdict.status}{reason} in {verdict.seconds:.3f} s"


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _peak_memory(pid: int) -> int:
    """Bytes of memory that a process had at most; 0 where it is gone."""
    with suppress(OSError), open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    return 0
