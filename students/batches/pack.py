"""The packed batch: many documents in one row of tokens, without padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from students.batches.attention import Segments


@dataclass
class Packed:
    """Documents laid end to end.

    Args:
        ids: token ids [T].
        mask: True where the token is learned [T]; never at the first token of a document.
        lengths: tokens of each document, summing to T.
        extras: further values a token, each [T], such as old log-probs or advantages.
    """

    ids: Tensor
    mask: Tensor
    lengths: list[int]
    extras: dict[str, Tensor] = field(default_factory=dict)

    @property
    def targets(self) -> int:
        """How many tokens are learned."""
        return int(self.mask.sum())

    def to(self, device: torch.device) -> Packed:
        """The same batch on `device`."""
        return Packed(
            self.ids.to(device),
            self.mask.to(device),
            self.lengths,
            {name: value.to(device) for name, value in self.extras.items()},
        )

    def positions(self) -> Tensor:
        """Position of each token in its document [T]."""
        return torch.cat([torch.arange(n) for n in self.lengths])

    def segments(self) -> Segments:
        """The attention context of these documents."""
        return Segments(self.lengths, self.ids.device)

    def split(self, max_tokens: int) -> list[Packed]:
        """Micro-batches of whole documents, at most `max_tokens` each where documents allow."""
        parts: list[tuple[int, int, list[int]]] = []
        start = end = 0
        lengths: list[int] = []
        for n in self.lengths:
            if lengths and end - start + n > max_tokens:
                parts.append((start, end, lengths))
                start, lengths = end, []
            lengths.append(n)
            end += n
        parts.append((start, end, lengths))
        return [
            Packed(
                self.ids[a:b],
                self.mask[a:b],
                lengths,
                {name: value[a:b] for name, value in self.extras.items()},
            )
            for a, b, lengths in parts
        ]


@dataclass(frozen=True)
class Document:
    """One tokenised row: ids and the mask of the tokens that are learned, equally long."""

    ids: Sequence[int]
    mask: Sequence[bool]


def pack(documents: Sequence[Document]) -> Packed:
    """`documents` end to end, in the given order."""
    ids = torch.tensor([i for d in documents for i in d.ids], dtype=torch.long)
    mask = torch.tensor([m for d in documents for m in d.mask], dtype=torch.bool)
    return Packed(ids, mask, [len(d.ids) for d in documents])
