"""Reward models: what they score, and how often they rank pairs right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerBase

from students import models
from students.batches.pack import Unit, pack, share
from students.batches.scorer import Rewarder
from students.batches.units import Units
from students.errors import DataError
from students.intervals import rate

TOKENS = 16384


def load(folder: Path, dtype: str = "auto") -> tuple[Any, PreTrainedTokenizerBase]:
    """Reward model and tokenizer of a folder; raises ModelError."""
    return models.load(folder, dtype, AutoModelForSequenceClassification)


@torch.no_grad()
def rewards(model: Any, units: Sequence[Unit]) -> list[float]:
    """The rewards of all documents of `units`, in order; what they begin with is read once."""
    rewarder = Rewarder(model).eval()
    batch = pack(share(unit) for unit in units)
    found = [rewarder(part.to(model.device)).float().cpu() for part in batch.split(TOKENS)]
    return torch.cat(found).tolist()


def kept_apart(pairs: Units, share: float, seed: int) -> tuple[Units, Units | None]:
    """(pairs to train on, pairs to measure on): a share of the problems, all of their pairs.

    Raises DataError where nothing would be left to train on.
    """
    problems = np.unique(pairs.groups)
    count = round(share * len(problems))
    if not count:
        return pairs, None
    if count == len(problems):
        raise DataError(f"pairs of {count} problems are too few to keep {share:.0%} of them apart")
    chosen = np.random.default_rng([seed, len(problems)]).permutation(problems)[:count]
    held = np.isin(pairs.groups, chosen)
    return pairs.part(~held), pairs.part(held)


def accuracy(folder: Path, pairs: Units) -> dict[str, Any]:
    """How often the reward model in `folder` ranks the chosen completion of `pairs` first.

    With a 95 % interval over problems; a tie is half a hit.
    """
    model, _ = load(folder)
    found = np.array(rewards(model.to(models.device()), pairs[:])).reshape(-1, 2)
    hits = (1 + np.sign(found[:, 0] - found[:, 1])) / 2
    means = [float(hits[pairs.groups == problem].mean()) for problem in np.unique(pairs.groups)]
    interval = rate(means, max(1, len(pairs) // len(means)))
    figures = {"accuracy": interval.value, "low": interval.low, "high": interval.high}
    return {"n": len(pairs)} | {name: round(value, 6) for name, value in figures.items()}
