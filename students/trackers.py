"""Metrics to TensorBoard, Weights & Biases or trackio, through accelerate's trackers.

with Trackers(["tensorboard"], "my-run", "sft", folder, {"learning_rate": 1e-3}) as track:
    engine.train(..., report=track)
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any

from students.errors import TrackerError


def check(names: Sequence[str]) -> None:
    """Raise TrackerError where a tracker's package is not installed."""
    for name in names:
        if find_spec(name) is None:
            raise TrackerError(f"the tracker {name!r} is not installed: pip install {name}")


class Trackers:
    """Reports the metrics of a training to the trackers `names`; none is also fine.

    Args:
        names: `tensorboard`, `wandb`, `trackio`.
        run: the project in which they show it.
        name: what it is called there; the same name goes on with what is there already.
        folder: where those that write files write them.
        settings: what it was started with, to be shown.
    """

    def __init__(
        self, names: Sequence[str], run: str, name: str, folder: Path, settings: dict[str, Any]
    ):
        check(names)
        self.names, self.run, self.name = names, run, name
        self.folder = folder
        self.settings = {
            k: v if isinstance(v, int | float) else str(v) for k, v in settings.items()
        }
        self.running: list[Any] | None = None

    def __call__(self, metrics: dict[str, Any]) -> None:
        """The metrics of one step; those of a step that is done again replace the old ones."""
        if self.running is None:
            self.running = [self._start(name, metrics["step"]) for name in self.names]
        for tracker in self.running:
            tracker.log(metrics, step=metrics["step"])

    def _start(self, name: str, step: int) -> Any:
        import torch
        from accelerate import PartialState
        from accelerate.tracking import LOGGER_TYPE_TO_CLASS

        PartialState(cpu=not torch.cuda.is_available())  # their log needs it
        again: dict[str, Any] = {"name": self.name, "config": self.settings, "resume": "allow"}
        options = {
            "tensorboard": {"logging_dir": str(self.folder), "purge_step": step},
            "wandb": again | {"id": f"{self.run}-{self.name}", "dir": str(self.folder)},
            "trackio": again,
        }[name]
        self.folder.mkdir(parents=True, exist_ok=True)
        project = self.name if name == "tensorboard" else self.run
        tracker = LOGGER_TYPE_TO_CLASS[name](project, **options)
        tracker.start()
        if name == "tensorboard":
            table = "".join(f"\n    {key}: {value}" for key, value in self.settings.items())
            tracker.log({"settings": table}, step=step)
        return tracker

    def __enter__(self) -> Trackers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for tracker in self.running or []:
            tracker.finish()
