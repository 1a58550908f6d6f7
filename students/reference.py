"""The policy as it was when a stage began: what DPO and the KL term measure distance from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from students import ranks
from students.batches.pack import Document, Packed, Unit, pack
from students.batches.scorer import Scorer
from students.batches.units import UnitSequence, lengths_of
from verifiers.files import place

TOKENS = 16384


class Policy:
    """Log-probs under `model` as it is when they are asked for."""

    def __init__(self, model: Any):
        self.scorer = Scorer(model)
        self.start: dict[str, Tensor] = {}

    def scores(self, batch: Packed) -> Tensor:
        """Log-probs [T], zero where nothing is learned.

        All processes call it with the same batch, and each works out its share of it.
        """
        micros, n = batch.split(TOKENS), ranks.count()
        shared = ranks.gather([self.values(micro) for micro in micros[ranks.own() :: n]])
        parts = [shared[number % n][number // n] for number in range(len(micros))]
        return torch.from_numpy(np.concatenate(parts))

    @torch.no_grad()
    def values(self, batch: Packed) -> np.ndarray:
        """The log-probs of a batch [T], zero where nothing is learned, in this process alone."""
        device = next(self.scorer.parameters()).device
        training = self.scorer.training
        self.scorer.eval()
        found = functional_call(self.scorer, self.start, (batch.to(device),))
        self.scorer.train(training)
        values = torch.zeros(len(batch.ids))
        values[batch.mask] = found.float().cpu()
        return values.numpy()


class Reference(Policy):
    """Log-probs under `model` as it is now: a copy of what is trained, over what stays frozen."""

    def __init__(self, model: Any):
        super().__init__(model)
        self.start = {
            name: parameter.detach().clone()
            for name, parameter in self.scorer.named_parameters()
            if parameter.requires_grad
        }

    def __call__(self, batch: Packed) -> Packed:
        """`batch` with the extra `ref_logp` [T], zero where nothing is learned."""
        return replace(batch, extras=batch.extras | {"ref_logp": self.scores(batch)})


class Referenced(UnitSequence):
    """Units whose documents carry `ref_logp`: `values` [T] of all their tokens, in order."""

    def __init__(self, units: Sequence[Unit], values: np.ndarray):
        self._units, self._values = units, values
        self.lengths = lengths_of(units)
        self._ends = np.cumsum(self.lengths)

    def __len__(self) -> int:
        return len(self._units)

    def at(self, place: int) -> Unit:
        """The unit at `place`, 0 or more."""
        unit = self._units[place]
        start = int(self._ends[place] - self.lengths[place])
        documents = []
        for document in unit:
            end = start + len(document.ids)
            extras = {**document.extras, "ref_logp": self._values[start:end].tolist()}
            documents.append(Document(document.ids, document.mask, extras))
            start = end
        return tuple(documents)


def with_reference(units: Sequence[Unit], model: Any, name: str, cache: Path) -> Sequence[Unit]:
    """`units` whose documents carry `ref_logp` under `model`, computed once and kept in `cache`.

    `name` names the model by content; the cache file is named by it and the tokens, so it serves
    any later run on the same pairs. Neither tokens nor values are held in memory.
    """
    digest = hashlib.sha256(name.encode())
    for unit in units:
        for document in unit:
            digest.update(np.asarray([len(document.ids), *document.ids], np.int64).tobytes())
    file = cache / f"{digest.hexdigest()[:24]}.bin"
    if not ranks.from_main(file.exists):
        _write(_parts(units), Reference(model), file)
    return Referenced(units, np.memmap(file, np.float32, "r"))


def _write(parts: Iterator[list[Unit]], reference: Reference, file: Path) -> None:
    """The reference's log-probs of all parts, in order; each process works out its share."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_suffix(".tmp")
    with beside.open("wb") if ranks.main() else nullcontext() as stream:
        while turn := list(islice(parts, ranks.count())):
            own = turn[ranks.own()] if ranks.own() < len(turn) else None
            values = reference.values(pack(own)).astype(np.float32) if own else None
            for found in ranks.gather(values):
                if found is not None and stream is not None:
                    stream.write(found.tobytes())
    if ranks.main():
        place(beside, file)
    ranks.gather(None)  # the file is there for all


def _parts(units: Sequence[Unit]) -> Iterator[list[Unit]]:
    """Units in their order, about `TOKENS` tokens at a time."""
    part, size = list[Unit](), 0
    for unit, length in zip(units, lengths_of(units), strict=True):
        if part and size + length > TOKENS:
            yield part
            part, size = [], 0
        part.append(unit)
        size += length
    if part:
        yield part
