"""The probes of the battery: one verifier on one worker, and what was seen of it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from verifiers import base
from verifiers.hostile import NONSENSE, canaries, candidates, golds, hostile, many, nonsense
from verifiers.pool import VerdictPool, cpu_seconds
from verifiers.records import Problem, Verdict

REASONS = {
    "correct": (),
    "wrong": ("different", "no_answer", "crash", "timeout", "memory", "output"),
    "undecided": ("truncated", "bad_gold", "infra", "timeout", "bad_row"),
}
REPEATS = 3
REPEATED = ("status", "score", "reason", "extracted")
ANYTHING: tuple[Any, ...] = (True, {}, [])
"""Ground truths that may accept any text where they are JSON, as they do in JSON Schema."""
KEPT = 0.5
"""Share of the texts that a worker may still hold after it has judged them."""


class Probe(NamedTuple):
    """What one probe found: its name, whether the verifier passed, and why."""

    name: str
    passed: bool
    why: str


class Example(NamedTuple):
    """A problem, texts and the statuses they must get; `group` where they are judged together."""

    problem: Problem
    texts: list[str]
    statuses: list[str]
    group: bool = False


class Bench:
    """One verifier on one worker: `probes`, the slowest verdict, the worker's peak memory.

    A verifier without `verify` gets each text in the company of the first example's correct ones.
    """

    def __init__(
        self, name: str, verifier: base.Verifier, section: Mapping[str, Mapping[str, Any]]
    ):
        self.name, self.verifier, self.section = name, verifier, section
        self.probes: list[Probe] = []
        self.slowest = (0.0, "")
        self.peak = 0
        self._company: list[str] = []
        self._seen: list[tuple[str, Problem, str, Verdict]] = []

    async def run(self, examples: list[Example]) -> None:
        """All probes, in order."""
        example = next(e for e in examples if "correct" in e.statuses)
        target = example.problem
        right = [t for t, s in zip(example.texts, example.statuses, strict=True) if s == "correct"]
        self._company = [] if hasattr(self.verifier, "verify") else right
        async with self._pool() as pool:
            for number, given in enumerate(examples, 1):
                await self._expect(pool, f"example {number}", given)
            for number, given in enumerate(examples, 1):
                await self._bare_gold(pool, number, given)
            for label, text in (*nonsense(), *candidates(target), *hostile()):
                await self._survive(pool, label, target, text)
            if target.answer is not None:
                for label, gold in golds():
                    await self._bad_gold(pool, label, target, gold, right[0])
            if pool.together(self.name):
                await self._group(pool, target, right)
            await self._canary(pool, target)
            await self._repeat(pool)
            await self._leak(pool, target)
        self._isolation()
        limit, memory = getattr(self.verifier, "limit", None) or pool.limit, pool.memory
        seconds, where = self.slowest
        self._note(
            "time and memory", seconds < limit and self.peak < memory,
            f"slowest verdict {seconds:.2f} s ({where}) of {limit} s, "
            f"peak memory {self.peak / 2**20:.0f} of {memory / 2**20:.0f} MiB",
        )  # fmt: skip

    def _pool(self) -> VerdictPool:
        return VerdictPool(workers=1, options=self.section)

    def _note(self, name: str, passed: bool, why: str) -> None:
        self.probes.append(Probe(name, passed, why))

    async def _verdict(self, pool: VerdictPool, problem: Problem, text: str) -> Verdict:
        if self._company:
            return (await pool.verify_group(problem, [*self._company, text]))[-1]
        return await pool.verify(problem, text)

    async def _judge(
        self, pool: VerdictPool, label: str, problem: Problem, text: str
    ) -> tuple[Verdict, str]:
        """A verdict, and what is wrong with the way it came about."""
        workers = pool.started[:]
        start = cpu_seconds(workers[-1]) if workers else 0.0
        verdict = await self._verdict(pool, problem, text)
        wrong = fault(verdict)
        alive = workers == pool.started and not wrong
        seconds = cpu_seconds(workers[-1]) - start if alive else verdict.seconds
        self.slowest = max(self.slowest, (seconds, label))
        self.peak = max(self.peak, _memory(pool.started[-1], "VmHWM"))
        return verdict, wrong

    async def _expect(self, pool: VerdictPool, label: str, example: Example) -> None:
        """The verdicts that an example states."""
        if example.group:
            verdicts = await pool.verify_group(example.problem, example.texts)
            wrong = "".join(sorted({fault(verdict) for verdict in verdicts} - {""})[:1])
        else:
            verdict, wrong = await self._judge(pool, label, example.problem, example.texts[0])
            verdicts = [verdict]
            self._seen.append((label, example.problem, example.texts[0], verdict))
        same = [verdict.status for verdict in verdicts] == example.statuses
        said = ", ".join(map(_said, verdicts))
        wrong = wrong if same or wrong else f"expected {', '.join(example.statuses)}, got {said}"
        self._note(label, not wrong, wrong or said)

    async def _bare_gold(self, pool: VerdictPool, number: int, example: Example) -> None:
        """A ground truth that is a text is a correct answer by itself."""
        gold = example.problem.answer
        text = getattr(self.verifier, "gold_type", "") == "text"
        if not text or "correct" not in example.statuses or gold in (None, ""):
            return
        label = f"bare gold of example {number}"
        verdict, wrong = await self._judge(pool, label, example.problem, str(gold))
        wrong = wrong if wrong or verdict.correct else f"expected correct, got {_said(verdict)}"
        self._note(label, not wrong, wrong or _said(verdict))

    async def _survive(self, pool: VerdictPool, label: str, target: Problem, text: str) -> None:
        """A text that no verifier may call correct, nor stumble over."""
        verdict, wrong = await self._judge(pool, label, target, text)
        self._seen.append((label, target, text, verdict))
        wrong = "it is called correct" if verdict.correct and not wrong else wrong
        self._note(label, not wrong, wrong or _said(verdict))

    async def _bad_gold(
        self, pool: VerdictPool, label: str, target: Problem, gold: Any, text: str
    ) -> None:
        """A ground truth that nobody can use is nobody's fault, whatever the text says."""
        problem = target.model_copy(update={"answer": gold})
        label = f"bad gold: {label}"
        verdict, wrong = await self._judge(pool, label, problem, text)
        odd = getattr(self.verifier, "gold_type", "") != "json" or gold not in ANYTHING
        if verdict.correct and odd:
            wrong = wrong or "a text is called correct"
        elif gold is None and verdict.reason != "bad_gold":
            wrong = wrong or f"it must be undecided/bad_gold (check_gold), not {_said(verdict)}"
        self._note(label, not wrong, wrong or _said(verdict))

    async def _group(self, pool: VerdictPool, target: Problem, right: list[str]) -> None:
        """Texts that are judged together: one verdict each, whatever their order and company."""
        texts = [*(right * 3)[:3], NONSENSE, "", "(" * 20_000]
        here = await pool.verify_group(target, texts)
        there = (await pool.verify_group(target, texts[::-1]))[::-1]
        wrong = sorted({fault(verdict) for verdict in (*here, *there)} - {""})
        if any(verdict.correct for verdict in here[3:]):
            wrong.append("nonsense in a group is called correct")
        if [v.status for v in here] != [v.status for v in there]:
            wrong.append("the verdicts depend on the order of the texts")
        said = ", ".join(verdict.status for verdict in here)
        self._note("group", not wrong, "; ".join(wrong[:3]) or said)

    async def _canary(self, pool: VerdictPool, target: Problem) -> None:
        """Texts that leave a file behind where anything evaluates them."""
        with tempfile.TemporaryDirectory(prefix="canary-") as folder:
            faults = []
            texts = list(canaries(Path(folder)))
            for label, text in texts:
                _, wrong = await self._judge(pool, f"canary ({label})", target, text)
                if wrong:
                    faults.append(f"{label}: {wrong}")
            if pool.together(self.name):
                await pool.verify_group(target, [text for _, text in texts])
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
                    verdict = await self._verdict(again, problem, text)
                    changed += [
                        f"{label}: {field} {before!r}, then {after!r}"
                        for field in REPEATED
                        if (before := getattr(first, field)) != (after := getattr(verdict, field))
                    ]
        why = "; ".join(changed[:3])
        told = f"{len(seen)} verdicts, {REPEATS} times in one worker and once in another"
        self._note("repeats", not why, why or told)

    async def _leak(self, pool: VerdictPool, target: Problem) -> None:
        """Many long texts, none of which may stay in the worker."""
        texts = list(many())
        warm = len(texts) // 4
        await self._all(pool, target, texts[:warm])
        worker, before = pool.started[-1], _memory(pool.started[-1], "VmRSS")
        await self._all(pool, target, texts[warm:])
        lost = pool.started[-1] != worker
        grown = max(0, _memory(worker, "VmRSS") - before)
        sent = sum(map(len, texts[warm:]))
        self._note(
            "leak", not lost and grown < KEPT * sent,
            "the worker was lost" if lost else
            f"{grown / 2**20:.1f} MiB more after {sent / 2**20:.0f} MiB of texts",
        )  # fmt: skip

    async def _all(self, pool: VerdictPool, target: Problem, texts: Sequence[str]) -> None:
        for text in texts:
            await self._verdict(pool, target, text)

    def _isolation(self) -> None:
        """Whether verdicts carry the isolation that the verifier's `trust` promises."""
        boxed = getattr(self.verifier, "trust", "pure") == "boxed"
        looked = [
            (label, verdict.isolation)
            for label, _, _, verdict in self._seen
            if verdict.reason not in ("infra", "bad_gold", "timeout")
        ]
        odd = [label for label, level in looked if (level == "none") == boxed]
        what = "say `boxed` but have no isolation" if boxed else "say `pure` but name an isolation"
        levels = ", ".join(sorted({level for _, level in looked}))
        self._note("isolation", not odd, f"{len(odd)} verdicts {what}" if odd else levels)


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


def _memory(pid: int, field: str) -> int:
    """Bytes of memory that a process holds (VmRSS) or held at most (VmHWM); 0 where not known."""
    with suppress(OSError), open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) << 10
    return 0
