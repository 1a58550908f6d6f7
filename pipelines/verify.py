"""Judging the completions of a file."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from generators.rows import parse
from pipelines.errors import UsageError
from pipelines.progress import Progress
from pipelines.row_groups import Groups, Reader, Row
from verifiers.base import VerifierError
from verifiers.files import place
from verifiers.pool import VerdictPool
from verifiers.records import Verdict

IN_FLIGHT = 4096
HELD = 64 << 20
"""Characters of completions that are held at most while they wait for their verdicts."""
Explain = Callable[[Any, Verdict, str], None]


def verify_file(
    source: Path,
    output: Path | None,
    verifier: str,
    workers: int | None,
    explain: Explain | None = None,
) -> dict[str, int]:
    """Write a verdict for each row of `source`, in order; how many there were of each status.

    `explain` is told the id, verdict and completion of each row. Raises UsageError where the file
    is missing, the output cannot be written, `workers` is below 1, the verifier is unknown, or a
    column is absent from every row; nothing is written then. One bad row is `undecided/bad_row`.
    Rows of one problem are a group where their verifier judges groups (`pipelines.row_groups`).
    """
    check_workers(workers)
    if not source.is_file():
        raise UsageError(f"no such file: {source}")
    with beside(output) as stream:
        return asyncio.run(_verify(source, stream, verifier, workers, explain))


def check_workers(workers: int | None) -> None:
    """Raise UsageError where there are too few."""
    if workers is not None and workers < 1:
        raise UsageError(f"--workers must be at least 1, not {workers}")


@contextmanager
def beside(output: Path | None) -> Iterator[TextIO | None]:
    """A file that becomes `output` once all is written; None where there is to be none.

    Raises UsageError where it cannot be written.
    """
    if output is None:
        yield None
        return
    if not output.parent.is_dir():
        raise UsageError(f"no such folder: {output.parent}")
    temporary = output.with_name(f".{output.name}.tmp")
    try:
        if output.exists() and not output.is_file():
            raise UsageError(f"{output} is not a file")
        stream = temporary.open("w", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror}") from error
    try:
        with stream:
            yield stream
        place(temporary, output)
    finally:
        temporary.unlink(missing_ok=True)


async def _verify(
    source: Path,
    stream: TextIO | None,
    verifier: str,
    workers: int | None,
    explain: Explain | None,
) -> dict[str, int]:
    counts: Counter[str] = Counter(correct=0, wrong=0, undecided=0)
    progress = Progress()
    progress.start("verify")
    async with VerdictPool(workers) as pool:
        try:
            pool.require([verifier])
        except VerifierError as error:
            raise UsageError(str(error)) from error
        reader = Reader(pool, verifier)
        groups = Groups(pool, lambda: map(reader.read, _rows(source)))
        waiting: deque[tuple[Row, asyncio.Future[Verdict]]] = deque()
        held = 0

        async def settle() -> None:
            nonlocal held
            row, judging = waiting.popleft()
            verdict = await judging
            held -= len(row.text)
            counts[verdict.status] += 1
            if stream:
                stream.write(_line(row.id, verdict))
            if explain:
                explain(row.id, verdict, row.text)
            progress.update(f"{sum(counts.values()):,} rows")

        for row in map(reader.read, _rows(source)):
            waiting.append((row, asyncio.ensure_future(_judge(pool, groups, row))))
            held += len(row.text)
            while waiting and (len(waiting) >= IN_FLIGHT or held > HELD):
                await settle()
        while waiting:
            await settle()
    if absent := reader.absent():
        raise UsageError(f"{source}: no row has {' or '.join(map(repr, absent))}")
    return dict(counts)


async def _judge(pool: VerdictPool, groups: Groups, row: Row) -> Verdict:
    if isinstance(row.problem, str):
        return Verdict(
            status="undecided", reason="bad_row", detail=row.problem, verifier=row.verifier
        )
    if row.group is not None:
        return await groups.verdict(row)
    return await pool.verify(row.problem, row.text)


def _line(name: Any, verdict: Verdict) -> str:
    """A line of the output; an id that JSON cannot hold, such as NaN, is null."""
    fields = verdict.model_dump()
    try:
        return json.dumps({"id": name, **fields}, allow_nan=False) + "\n"
    except ValueError:
        return json.dumps({"id": None, **fields}) + "\n"


def _rows(source: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with source.open(encoding="utf-8-sig", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                row = parse(line, number)
                yield number, row if "id" in row else {"id": number, **row}
