"""The policy as it was when a stage began: what DPO and the KL term measure distance from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from torch.func import functional_call

from students.batches.pack import Document, Packed, Unit, pack
from students.batches.scorer import Scorer
from students.batches.units import lengths_of
from verifiers.files import place

TOKENS = 16384


class Reference:
    """Log-probs under `model` as it is now: a copy of what is trained, over what stays frozen."""

    def __init__(self, model: Any):
        self.scorer = Scorer(model)
        self.start = {
            name: parameter.detach().clone()
            for name, parameter in self.scorer.named_parameters()
            if parameter.requires_grad
        }

    @torch.no_grad()
    def __call__(self, batch: Packed) -> Packed:
        """`batch` with the extra `ref_logp` [T], zero where nothing is learned."""
        device = next(self.scorer.parameters()).device
        training = self.scorer.training
        self.scorer.eval()
        parts = [
            functional_call(self.scorer, self.start, (micro.to(device),))
            for micro in batch.split(TOKENS)
        ]
        self.scorer.train(training)
        values = torch.zeros(len(batch.ids))
        values[batch.mask] = torch.cat(parts).float().cpu()
        return replace(batch, extras=batch.extras | {"ref_logp": values})


class Referenced(Sequence[Unit]):
    """Units whose documents carry `ref_logp`: `values` [T] of all their tokens, in order."""

    def __init__(self, units: Sequence[Unit], values: np.ndarray):
        self._units, self._values = units, values
        self.lengths = lengths_of(units)
        self._ends = np.cumsum(self.lengths)

    def __len__(self) -> int:
        return len(self._units)

    @overload
    def __getitem__(self, place: int) -> Unit: ...
    @overload
    def __getitem__(self, place: slice) -> list[Unit]: ...
    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
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
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        beside = file.with_suffix(".tmp")
        reference = Reference(model)
        with beside.open("wb") as stream:
            for part in _parts(units):
                values = reference(pack(part)).extras["ref_logp"].numpy()
                stream.write(values.astype(np.float32).tobytes())
        place(beside, file)
    return Referenced(units, np.memmap(file, np.float32, "r"))


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
