"""Checkpoints from which training goes on exactly: weights, optimizer, source, random state.

A checkpoint is one file that the main process writes, with whole weights however they are split
over processes, so training may go on in another number of them. The result is the same bit for
bit only in as many.
"""

from __future__ import annotations

import random
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from students import ranks
from students.strategies import Whole
from verifiers.files import place

PATTERN = re.compile(r"step-(\d+)\.pt$")


def random_state() -> dict[str, Any]:
    """State of every random generator that training may draw from."""
    version, internal, gauss = random.getstate()
    state: dict[str, Any] = {"python": [version, list(internal), gauss]}
    kind, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    state["numpy"] = [
        kind, torch.tensor(np.asarray(keys, np.int64)), position, has_gauss, cached,
    ]  # fmt: skip
    state["torch"] = torch.get_rng_state()
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Put back what `random_state` took."""
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    kind, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])


def capture(held: Whole) -> dict[str, Any]:
    """Weights, optimizer and random state of all processes; whole in the main one."""
    return {
        "weights": held.weights(),
        "moments": held.moments(),
        "random": ranks.gather(random_state()),
    }


def restore(state: dict[str, Any], held: Whole) -> None:
    """Put back what `capture` took; a process that there was none of keeps its random state."""
    held.set_weights(state["weights"])
    held.set_moments(state["moments"])
    if ranks.own() < len(state["random"]):
        set_random_state(state["random"][ranks.own()])


def write(folder: Path, step: int, state: dict[str, Any], keep: int) -> None:
    """Write the checkpoint of `step`, whole or not at all, and remove all but the last `keep`."""
    folder.mkdir(parents=True, exist_ok=True)
    final = _file(folder, step)
    beside = final.with_suffix(".tmp")
    torch.save(state, beside)
    place(beside, final)
    for old in found(folder)[:-keep]:
        old.unlink()


def found(folder: Path) -> list[Path]:
    """Checkpoints in `folder`, oldest first."""
    return sorted(path for path in folder.glob("step-*.pt") if PATTERN.search(path.name))


def latest(folder: Path) -> dict[str, Any] | None:
    """The newest checkpoint that can be read, or None; a corrupt one is passed over, loudly.

    The main process looks first, so that all go on from the same one.
    """
    if ranks.count() == 1:
        return _latest(folder)
    state = _latest(folder) if ranks.main() else None
    step = ranks.from_main(lambda: state["step"] if state else None)
    if step is not None and not ranks.main():
        state = torch.load(_file(folder, step), map_location="cpu", weights_only=True)
    return state


def _latest(folder: Path) -> dict[str, Any] | None:
    for path in reversed(found(folder)):
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # a torn pickle raises anything
            warnings.warn(f"checkpoint {path} cannot be read ({error}); going back", stacklevel=2)
            path.unlink()
    return None


def _file(folder: Path, step: int) -> Path:
    return folder / f"step-{step:08d}.pt"
