"""One of the processes that train a stage together, as `pipelines.launch` has them started.

    torchrun ... -m pipelines.trainer ORDER

The main one tells on stdout, one JSON object a line, what the process above is to write and show;
everything else goes to stderr.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from generators.errors import GeneratorError
from generators.teachers.servers import Servers
from pipelines.errors import PipelineError, UsageError
from pipelines.launch import ANSWERS
from pipelines.progress import Progress
from pipelines.recipe import Recipe, stage_id
from pipelines.run import budget_of
from pipelines.run_folder import RunFolder
from pipelines.stages import Job, train
from students.errors import ModelError, StudentError
from students.memory import few_kernels, one_heap
from verifiers.base import VerifierError

FAILURES = (PipelineError, StudentError, GeneratorError, VerifierError, OSError)
HEARD = 10.0
"""Seconds that the main process has to tell what failed in it too: the first to end ends all."""
MISTAKES = (UsageError, ModelError, VerifierError)


def main(order: Path) -> int:
    """Train what `order` says; the exit status."""
    main_one = os.environ["RANK"] == "0"
    tell = _teller() if main_one else lambda **event: None
    os.dup2(2, 1)
    one_heap()
    few_kernels()
    asked = json.loads(order.read_text())
    recipe = Recipe.model_validate(asked["recipe"])
    (stage,) = (s for s in recipe.stages if stage_id(s) == asked["stage"])
    with (order.parent / "lock").open("w") as lock:
        if main_one:  # those of a killed run may be in their last moments
            fcntl.flock(lock, fcntl.LOCK_EX)
        folder = RunFolder.lent(
            Path(asked["run"]), recipe, Path(asked["store"]), budget_of(recipe, asked["budget"])
        )
        servers = Servers(folder.path)
        try:
            job = Job(recipe, folder, Told(tell), servers)
            report = _reporter(tell, order.parent / ANSWERS) if main_one else lambda metrics: None
            found = train.learn(job, stage, asked["before"], report)
        except FAILURES as error:
            print(error, file=sys.stderr)
            if not main_one:
                time.sleep(HEARD)
            tell(failed=str(error), mistake=isinstance(error, MISTAKES))
            return 1
        finally:
            servers.stop()
    from students import ranks

    ranks.leave()
    tell(done=found)
    return 0


class Told(Progress):
    """Progress that the process above shows."""

    def __init__(self, tell: Callable[..., None]):
        super().__init__()
        self.tell = tell

    def update(self, text: str) -> None:
        """What the stage is at."""
        self.tell(update=text)

    def note(self, text: str) -> None:
        """A line of its own."""
        self.tell(note=text)


def _reporter(tell: Callable[..., None], answers: Path) -> Callable[[dict[str, Any]], None]:
    """Tells a step's metrics, and returns when the process above has written them down."""
    end = os.open(answers, os.O_RDONLY)

    def report(metrics: dict[str, Any]) -> None:
        tell(metrics=metrics)
        if not os.read(end, 1):
            raise PipelineError("the run that this training is a part of has ended")

    return report


def _teller() -> Callable[..., None]:
    """Writes events to what is stdout now; warnings become notes."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")

    def tell(**event: Any) -> None:
        out.write(json.dumps(event) + "\n")
        out.flush()

    def show(message: Any, *_: Any, **__: Any) -> None:
        tell(note=f"warning: {message}")

    warnings.showwarning = show
    return tell


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
