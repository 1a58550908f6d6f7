"""Reward models: a policy's decoder with a scalar head on the last token of a text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerBase

from students import models
from students.batches.encode import as_chat, encode_chats
from students.batches.pack import Unit, pack, share
from students.batches.scorer import Rewarder
from students.errors import DataError
from students.intervals import rate

TOKENS = 16384
Row = dict[str, Any]
Rows = Sequence[Row]


def load(folder: Path, dtype: str = "auto") -> tuple[Any, PreTrainedTokenizerBase]:
    """Reward model and tokenizer of a folder; raises ModelError."""
    return models.load(folder, dtype, AutoModelForSequenceClassification)


def pairs(rows: Rows, tokenizer: Any, max_length: int) -> list[Unit]:
    """(chosen, rejected) documents of preference rows; raises DataError."""
    sides = ("chosen", "rejected")
    both = [(row, side) for row in rows for side in sides]
    chats = [as_chat({"prompt": row["prompt"], "completion": row[side]}) for row, side in both]
    cut = [bool(row.get(f"{side}_cut")) for row, side in both]
    documents = encode_chats(tokenizer, chats, max_length, cut)
    return list(zip(documents[0::2], documents[1::2], strict=True))


@torch.no_grad()
def rewards(model: Any, units: Sequence[Unit]) -> list[float]:
    """The rewards of all documents of `units`, in order; what they begin with is read once."""
    rewarder = Rewarder(model).eval()
    found = [
        rewarder(micro.to(model.device)).float().cpu()
        for micro in pack(map(share, units)).split(TOKENS)
    ]
    return torch.cat(found).tolist()


def kept_apart(rows: Rows, share: float, seed: int) -> tuple[list[Row], list[Row]]:
    """(rows to train on, rows to measure on): a share of the problems, all of their rows.

    Raises DataError where nothing would be left to train on.
    """
    names = sorted({row["problem_id"] for row in rows})
    count = round(share * len(names))
    if count == len(names):
        raise DataError(f"pairs of {len(names)} problems are too few for a reward model")
    order = torch.randperm(len(names), generator=torch.Generator().manual_seed(seed)).tolist()
    held = {names[i] for i in order[:count]}
    split: tuple[list[Row], list[Row]] = ([], [])
    for row in rows:
        split[row["problem_id"] in held].append(row)
    return split


def accuracy(folder: Path, rows: Rows, max_length: int) -> dict[str, Any]:
    """How often the reward model in `folder` ranks the chosen completion of `rows` first.

    With a 95 % interval over problems; a tie is half a hit. Empty without rows.
    """
    if not rows:
        return {}
    model, tokenizer = load(folder)
    model.to(models.device())
    found = rewards(model, pairs(rows, tokenizer, max_length))
    hits: dict[str, list[float]] = {}
    for row, good, bad in zip(rows, found[0::2], found[1::2], strict=True):
        hits.setdefault(row["problem_id"], []).append(float(good > bad) + 0.5 * (good == bad))
    interval = rate([sum(h) / len(h) for h in hits.values()], max(1, len(rows) // len(hits)))
    figures = {"accuracy": interval.value, "low": interval.low, "high": interval.high}
    return {"n": len(rows)} | {name: round(value, 6) for name, value in figures.items()}
