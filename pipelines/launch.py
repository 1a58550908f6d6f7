"""Starting a training stage in several processes, one for each device.

They are children of this one: they end with it, also with `kill -9`. They train; this process
alone writes to the run folder what a run says of itself, from what the main one of them tells. That
one goes on when a step's line is written, so that no checkpoint is newer than the lines before it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from generators.teachers import keeper
from pipelines.errors import PipelineError, UsageError
from pipelines.recipe import stage_id
from pipelines.stages import Counts, Job
from students.config import StudentConfig, Training
from verifiers.files import place

GRACE = 0.0
"""Nothing of theirs is worth waiting for: a checkpoint is whole or not there."""
ANSWERS = "answers"
"""The pipe, beside the order, by which the main process hears that a step's line is written."""
SHOWN = 20
"""Lines of their output that are shown where they fail."""


def processes(student: StudentConfig | None) -> int:
    """How many processes train the student; UsageError where the machine has too few GPUs."""
    if student is None or student.devices == 1:
        return 1
    import torch

    gpus = torch.cuda.device_count()
    asked = max(1, gpus) if student.devices == "auto" else student.devices
    if asked % student.context_parallel:
        raise UsageError(
            f"student.devices is {asked} here, no multiple of "
            f"student.context_parallel={student.context_parallel}"
        )
    if gpus and asked > gpus:
        raise UsageError(f"student.devices is {asked}, and this machine has {gpus} GPUs")
    return asked


def learn(job: Job, stage: Training, before: str | None, report: Any, count: int) -> Counts:
    """`pipelines.stages.train.learn` in `count` processes; raises PipelineError where it fails."""
    partial = job.folder.path / "students" / f".{stage_id(stage)}.partial"
    partial.mkdir(exist_ok=True)
    order, output = partial / "order.json", partial / "processes.log"
    _write(order, job, stage, before)
    with (
        _answering(partial / ANSWERS) as answer,
        output.open("wb") as log,
        _started(order, count, log) as process,
    ):
        found = None
        for event in _events(process):
            if "metrics" in event:
                report(event["metrics"])
                os.write(answer, b".")
            elif "note" in event:
                job.progress.note(event["note"])
            elif "update" in event:
                job.progress.update(event["update"])
            elif "failed" in event:
                raise (UsageError if event["mistake"] else PipelineError)(event["failed"])
            else:
                found = event["done"]
        status = process.wait()
    if status or found is None:
        last = last_words(output.read_text(errors="replace"))
        raise PipelineError(f"training on {count} devices ended with status {status}:\n{last}")
    return found


def last_words(output: str) -> str:
    """The last lines of `output` up to where the launcher says which process failed, and how.

    What it says after that, of itself, is longer than what the process said of its end.
    """
    said = re.split(r"(?m)(?<=failed \(exitcode: )(-?\d+\).*)$", output)
    return "\n".join("".join(said[:2]).splitlines()[-SHOWN:])


def _write(order: Path, job: Job, stage: Training, before: str | None) -> None:
    """What the processes are to do, in a file that they read."""
    text = json.dumps(
        {
            "recipe": job.recipe.model_dump(mode="json", by_alias=True),
            "run": str(job.folder.path.resolve()),
            "store": str(job.folder.store_path.resolve()),
            "stage": stage_id(stage),
            "before": before,
            "budget": job.folder.budget.text or None,
        }
    )
    beside = order.with_suffix(".tmp")
    beside.write_text(text)
    place(beside, order)


@contextmanager
def _answering(path: Path) -> Iterator[int]:
    """The writing end of a new named pipe at `path`, which ends with this process."""
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    end = os.open(path, os.O_RDWR)  # write-only it would wait for the reader
    try:
        yield end
    finally:
        os.close(end)


@contextmanager
def _started(order: Path, count: int, log: Any) -> Iterator[subprocess.Popen[bytes]]:
    """The launcher of `count` processes, under a keeper that leaves nothing of them behind."""
    threads = max(1, len(os.sched_getaffinity(0)) // count)
    ours = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {"OMP_NUM_THREADS": str(threads), **os.environ} | {
        "PYTHONPATH": os.pathsep.join(filter(None, ours)),
        "PYTHONSAFEPATH": "1",  # a folder of our name where somebody stands is not ours
    }
    process = subprocess.Popen(
        [
            sys.executable, "-I", "-S", keeper.__file__, str(os.getpid()), str(GRACE),
            sys.executable, "-m", "torch.distributed.run", "--standalone",
            "--local-addr", "127.0.0.1", "--nproc-per-node", str(count),
            "-m", "pipelines.trainer", str(order),
        ],
        stdout=subprocess.PIPE, stderr=log, env=environment,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _events(process: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    """What the main process tells, one JSON object a line; the launcher's own words are not."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(b"{"):
            yield json.loads(line)
