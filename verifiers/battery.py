"""The battery: what every verifier must survive before anything is trusted to it.

The verifier's own `examples` and texts made to break it go through real workers
(`verifiers.bench`). A hostile text is handled where a verdict comes back in time, is not `correct`,
and neither raises nor costs the worker. All of them are sent to the problem of the first example
that is correct.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from verifiers import base
from verifiers.bench import REASONS, Bench, Example, Probe
from verifiers.records import Problem

TRUST = ("pure", "boxed")
GOLD_TYPES = ("text", "json", "label")
NO_EXAMPLE = "`examples` must hold a (problem, text, status) that is correct"


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


async def run(name: str, section: Mapping[str, Mapping[str, Any]] | None = None) -> Report:
    """Put verifier `name` through the battery, set up as `section` says: a recipe's `verifiers`.

    Raises UnknownVerifier, and NeedsSampler where it asks a model; a verifier that cannot be
    loaded fails its only probe.
    """
    start = time.monotonic()
    section = section or {}
    try:
        verifier = base.load(name, section.get(name), section)
        if hasattr(verifier, "request"):
            raise base.NeedsSampler(name)
    except base.BrokenPlugin as error:
        return Report(name, "", [Probe("load", False, str(error))], (0.0, ""), 0, 0.0)
    try:
        examples = [_example(name, given) for given in getattr(verifier, "examples", ())]
        fault = "" if any("correct" in e.statuses for e in examples) else NO_EXAMPLE
    except (TypeError, ValueError) as error:
        examples, fault = [], f"an example is no (problem, text, status): {_line(error)}"
    bench = Bench(name, verifier, section)
    bench.probes.append(_declared(verifier))
    if fault:
        bench.probes.append(Probe("examples", False, fault))
    else:
        await bench.run(examples)
    version = str(getattr(verifier, "version", ""))
    spent = time.monotonic() - start
    return Report(name, version, bench.probes, bench.slowest, bench.peak, round(spent, 2))


def _example(name: str, given: Any) -> Example:
    """An example as a verifier states it; raises TypeError or ValueError where it is none."""
    fields, text, status = given
    group = isinstance(text, list | tuple) and isinstance(status, list | tuple)
    texts, statuses = (list(text), list(status)) if group else ([text], [status])
    for one, word in zip(texts, statuses, strict=True):
        if not isinstance(one, str) or word not in REASONS:
            raise TypeError(f"{one!r:.40} with status {word!r}")
    try:
        problem = Problem(**{"prompt": "", **fields, "verifier": name})
    except ValidationError as error:
        raise ValueError(base.in_words(error)) from error
    return Example(problem, texts, statuses, group)


def _declared(verifier: base.Verifier) -> Probe:
    """Whether what the verifier says of itself is in words that are known."""
    faults = [
        f"{field} must be {' or '.join(known)}, not {getattr(verifier, field)!r}"
        for field, known in (("trust", TRUST), ("gold_type", GOLD_TYPES))
        if hasattr(verifier, field) and getattr(verifier, field) not in known
    ]
    if not str(getattr(verifier, "version", "")):
        faults.insert(0, "it has no `version`, so no run can tell when verdicts may have changed")
    why = "; ".join(faults)
    return Probe("declaration", not faults, why or f"version {verifier.version}")


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
