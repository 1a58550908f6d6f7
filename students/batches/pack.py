"""The packed batch: many documents in one row of tokens, without padding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from students.batches.attention import Segments


@dataclass(frozen=True)
class Document:
    """One tokenised row: ids, the mask of the tokens that are learned, and further values a token.

    All are equally long.
    """

    ids: Sequence[int]
    mask: Sequence[bool]
    extras: Mapping[str, Sequence[float]] = field(default_factory=dict)


Unit = tuple[Document, ...]
"""Documents that stay in one micro-batch, such as the two of a preference pair."""


@dataclass
class Packed:
    """Documents laid end to end.

    Args:
        ids: token ids [T].
        mask: True where the token is learned [T]; never at the first token of a document.
        lengths: tokens of each document, summing to T.
        extras: further values a token, each [T], such as old log-probs or advantages.
        together: so many documents in a row belong together and are never split.
        metrics: figures of the batch itself, for the step's line of metrics.
    """

    ids: Tensor
    mask: Tensor
    lengths: list[int]
    extras: dict[str, Tensor] = field(default_factory=dict)
    together: int = 1
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def targets(self) -> int:
        """How many tokens are learned."""
        return int(self.mask.sum())

    def to(self, device: torch.device) -> Packed:
        """The same batch on `device`."""
        extras = {name: value.to(device) for name, value in self.extras.items()}
        return replace(self, ids=self.ids.to(device), mask=self.mask.to(device), extras=extras)

    def positions(self) -> Tensor:
        """Position of each token in its document [T]."""
        return torch.cat([torch.arange(n) for n in self.lengths]).to(self.ids.device)

    def segments(self) -> Segments:
        """The attention context of these documents."""
        return Segments(self.lengths, self.ids.device)

    def split(self, max_tokens: int) -> list[Packed]:
        """Micro-batches of whole units, at most `max_tokens` each where units allow."""
        parts: list[list[int]] = [[]]
        for first in range(0, len(self.lengths), self.together):
            unit = self.lengths[first : first + self.together]
            if parts[-1] and sum(parts[-1]) + sum(unit) > max_tokens:
                parts.append([])
            parts[-1] += unit
        result, start = [], 0
        for lengths in parts:
            end = start + sum(lengths)
            extras = {name: value[start:end] for name, value in self.extras.items()}
            result.append(
                replace(
                    self, ids=self.ids[start:end], mask=self.mask[start:end], lengths=lengths,
                    extras=extras, metrics={},
                )
            )  # fmt: skip
            start = end
        return result


def pack(units: Iterable[Unit]) -> Packed:
    """The documents of `units` end to end, in the given order; all units are of one size."""
    units = list(units)
    documents = [document for unit in units for document in unit]
    names = documents[0].extras if documents else ()
    return Packed(
        ids=torch.tensor([i for d in documents for i in d.ids], dtype=torch.long),
        mask=torch.tensor([m for d in documents for m in d.mask], dtype=torch.bool),
        lengths=[len(d.ids) for d in documents],
        extras={
            name: torch.tensor([v for d in documents for v in d.extras[name]], dtype=torch.float)
            for name in names
        },
        together=len(units[0]) if units else 1,
    )
