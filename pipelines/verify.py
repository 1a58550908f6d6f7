"""Judging the completions of a file."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from pydantic import ValidationError

from generators.rows import as_answer, as_prompt, parse
from pipelines.errors import UsageError
from pipelines.progress import Progress
from verifiers.base import VerifierError, in_words
from verifiers.pool import VerdictPool
from verifiers.records import Problem, Verdict

IN_FLIGHT = 4096
COLUMNS = ("answer", "completion")
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
        temporary.rename(output)
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
    present: Counter[str] = Counter()
    progress = Progress()
    progress.start("verify")
    async with VerdictPool(workers) as pool:
        try:
            pool.require([verifier])
        except VerifierError as error:
            raise UsageError(str(error)) from error
        waiting: deque[tuple[Any, str, asyncio.Future[Verdict]]] = deque()

        async def settle() -> None:
            name, text, future = waiting.popleft()
            verdict = await future
            counts[verdict.status] += 1
            if stream:
                stream.write(_line(name, verdict))
            if explain:
                explain(name, verdict, text)
            progress.update(f"{sum(counts.values()):,} rows")

        for row in _rows(source):
            present.update(column for column in COLUMNS if row.get(column) is not None)
            judging = asyncio.ensure_future(_judge(pool, row, verifier))
            text = str(row.get("completion", "")) if explain else ""
            waiting.append((row.get("id"), text, judging))
            if len(waiting) >= IN_FLIGHT:
                await settle()
        while waiting:
            await settle()
    absent = [column for column in COLUMNS if not present[column]]
    if absent:
        raise UsageError(f"{source}: no row has {' or '.join(map(repr, absent))}")
    return dict(counts)


def _line(name: Any, verdict: Verdict) -> str:
    """A line of the output; an id that JSON cannot hold, such as NaN, is null."""
    fields = verdict.model_dump()
    try:
        return json.dumps({"id": name, **fields}, allow_nan=False) + "\n"
    except ValueError:
        return json.dumps({"id": None, **fields}) + "\n"


def _rows(source: Path) -> Iterator[dict[str, Any]]:
    with source.open(encoding="utf-8-sig", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                row = parse(line, number)
                yield row if "id" in row else {"id": number, **row}


async def _judge(pool: VerdictPool, row: dict[str, Any], verifier: str) -> Verdict:
    name = row.get("verifier") or verifier
    bad = row.get("bad_row")
    absent = [column for column in COLUMNS if row.get(column) is None]
    if not bad and absent:
        bad = f"no {' and no '.join(absent)}"
    if not bad and not isinstance(row["completion"], str):
        bad = "completion is not a text"
    if not bad:
        try:
            pool.judge_id(str(name))
            prompt, answer = as_prompt(row.get("prompt") or ""), as_answer(row["answer"])
            problem = Problem(prompt=prompt, answer=answer, verifier=str(name))
        except ValidationError as error:
            bad = in_words(error)
        except (VerifierError, ValueError) as error:
            bad = str(error).splitlines()[0]
    if bad:
        return Verdict(status="undecided", reason="bad_row", detail=str(bad), verifier=str(name))
    return await pool.verify(problem, row["completion"])
