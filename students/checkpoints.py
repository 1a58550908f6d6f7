"""Checkpoints from which training goes on exactly: weights, optimizer, source, random state."""

from __future__ import annotations

import random
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

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
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Put back what `random_state` took."""
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    kind, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"])
    if "cuda" in state:
        torch.cuda.set_rng_state_all(state["cuda"])


def write(folder: Path, step: int, state: dict[str, Any], keep: int) -> None:
    """Write the checkpoint of `step`, whole or not at all, and remove all but the last `keep`."""
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / f"step-{step:08d}.pt"
    beside = final.with_suffix(".tmp")
    torch.save(state, beside)
    place(beside, final)
    for old in found(folder)[:-keep]:
        old.unlink()


def found(folder: Path) -> list[Path]:
    """Checkpoints in `folder`, oldest first."""
    return sorted(path for path in folder.glob("step-*.pt") if PATTERN.search(path.name))


def latest(folder: Path) -> dict[str, Any] | None:
    """The newest checkpoint that can be read, or None; a corrupt one is passed over, loudly."""
    for path in reversed(found(folder)):
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # a torn pickle raises anything
            warnings.warn(f"checkpoint {path} cannot be read ({error}); going back", stacklevel=2)
            path.unlink()
    return None
