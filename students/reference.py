"""The policy as it was when a stage began: what DPO and the KL term measure distance from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.func import functional_call

from students.batches.pack import Document, Packed, Unit, pack
from students.batches.scorer import Scorer
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


def with_reference(units: Sequence[Unit], model: Any, name: str, cache: Path) -> list[Unit]:
    """`units` whose documents carry `ref_logp` under `model`, computed once and kept in `cache`.

    `name` names the model by content; the cache file is named by it and the tokens, so it serves
    any later run on the same pairs.
    """
    digest = hashlib.sha256(name.encode())
    for unit in units:
        for document in unit:
            digest.update(np.asarray([len(document.ids), *document.ids], np.int64).tobytes())
    file = cache / f"{digest.hexdigest()[:24]}.npy"
    if file.exists():
        values = np.load(file)
    else:
        values = Reference(model)(pack(units)).extras["ref_logp"].numpy()
        cache.mkdir(parents=True, exist_ok=True)
        beside = file.with_suffix(".tmp")
        with beside.open("wb") as stream:
            np.save(stream, values)
        place(beside, file)
    result: list[Unit] = []
    start = 0
    for unit in units:
        documents = []
        for document in unit:
            end = start + len(document.ids)
            extras = {**document.extras, "ref_logp": values[start:end].tolist()}
            documents.append(Document(document.ids, document.mask, extras))
            start = end
        result.append(tuple(documents))
    return result
