"""One run of our engine, for students_sft.py: in a process of its own, prints JSON."""

from __future__ import annotations

import json
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.process import forget_peak, memory
from students.memory import few_kernels, one_heap

one_heap()  # as every run does, before torch is there
few_kernels()

import torch  # noqa: E402

from students import engine, models  # noqa: E402
from students.batches.pack import Document, Packed, pack  # noqa: E402
from students.config import SFT, Lora, Training  # noqa: E402
from students.objectives import Objective  # noqa: E402
from students.objectives.sft import Sft  # noqa: E402


class Given:
    """A source of batches that are given, one an optimizer step."""

    def __init__(self, batches: list[Packed]):
        self.batches = batches

    def __iter__(self) -> Iterator[Packed]:
        return iter(self.batches)

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        raise NotImplementedError


def documents(rows: list[dict[str, list[int]]]) -> Iterator[tuple[Document]]:
    for row in rows:
        learned = [label != -100 for label in row["labels"]]
        yield (Document(row["ids"], [False, *learned[1:]]),)


def batches(path: str) -> list[Packed]:
    """The optimizer steps that the peer took, document by document."""
    seen = json.loads(Path(path).read_text())
    steps: dict[int, list[dict[str, list[int]]]] = {}
    for micro in seen:
        steps.setdefault(micro["step"], []).extend(micro["documents"])
    ordered = (sorted(rows, key=lambda row: len(row["ids"])) for rows in steps.values())
    return [pack(documents(rows)) for rows in ordered]


def measured(
    model: Any, tokenizer: Any, objective: Objective, given: list[Packed], config: Training
) -> dict[str, Any]:
    """When each step ended, its loss, and the peak of memory over what was there before, in MB."""
    ends: list[float] = []
    losses: list[float] = []
    peaks: list[float] = []

    def report(line: dict[str, Any]) -> None:
        ends.append(time.perf_counter())
        losses.append(line["loss"])
        peaks.append(memory("VmHWM"))

    base = forget_peak()
    with tempfile.TemporaryDirectory() as folder:
        engine.train(
            model, tokenizer, objective, Given(given), config, Path(folder) / "out", len(given),
            report,
        )  # fmt: skip
    return {"ends": ends, "losses": losses, "peak_mb": peaks[-1] - base}


def main(task: dict[str, Any]) -> dict[str, Any]:
    model, tokenizer = models.load(task["model"], "float32")
    sum(float(p.detach().sum()) for p in model.parameters())  # reads what is only mapped
    given = batches(task["batches"])
    if task.get("lora"):
        model = models.adapt(model, Lora(rank=task["lora"]), seed=0)
    config = SFT(
        learning_rate=1e-4, schedule="constant", warmup=0, checkpoint_every=10_000,
        **task.get("options", {}),
    )  # fmt: skip
    return measured(model, tokenizer, Sft(), given, config)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(2)
    print(json.dumps(main(json.loads(sys.argv[1]))))
