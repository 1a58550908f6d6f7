"""The packed batch: many documents in one row of tokens, without padding."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from students.batches.attention import Context
from students.batches.kernels import context


@dataclass(frozen=True)
class Document:
    """One tokenised row: ids, the mask of the tokens that are learned, and further values a token.

    All are equally long. One that `follows` goes on from the first document of its unit, sees that
    as its beginning, and may have its own first token learned.
    """

    ids: Sequence[int]
    mask: Sequence[bool]
    extras: Mapping[str, Sequence[float]] = field(default_factory=dict)
    follows: bool = False


Unit = tuple[Document, ...]
"""Documents that stay in one micro-batch, such as the two of a preference pair."""


@dataclass
class Packed:
    """Documents laid end to end.

    Args:
        ids: token ids [T].
        mask: True where the token is learned [T]; never at the first token of a document that
            follows none.
        lengths: tokens of each document, summing to T.
        follows: for each document the one that it goes on from, or -1; empty where none does.
        extras: further values a token, each [T], such as old log-probs or advantages.
        units: how many documents in a row belong together and are never split; one each where
            empty.
        metrics: figures of the batch itself, for the step's line of metrics.
    """

    ids: Tensor
    mask: Tensor
    lengths: list[int]
    extras: dict[str, Tensor] = field(default_factory=dict)
    follows: list[int] = field(default_factory=list)
    units: list[int] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def targets(self) -> int:
        """How many tokens are learned."""
        return int(self.mask.sum())

    def to(self, device: torch.device) -> Packed:
        """The same batch on `device`."""
        extras = {name: value.to(device) for name, value in self.extras.items()}
        return replace(self, ids=self.ids.to(device), mask=self.mask.to(device), extras=extras)

    @property
    def answers(self) -> list[int]:
        """The documents that no other follows: all but shared prompts."""
        followed = set(self.follows)
        return [d for d in range(len(self.lengths)) if d not in followed]

    def positions(self) -> Tensor:
        """Position of each token in its document, and in what that follows [T]."""
        size, ahead = torch.tensor(self.lengths), self._ahead()
        shift = size.cumsum(0) - size - ahead
        places = torch.arange(len(self.ids)) - torch.repeat_interleave(shift, size)
        return places.to(self.ids.device)

    def sources(self) -> tuple[Tensor, Tensor]:
        """Where the learned tokens are, and the tokens that each is predicted at, both [N]."""
        where = self.mask.nonzero().squeeze(1)
        if not self.follows:
            return where, where - 1
        size = torch.tensor(self.lengths)
        ends = size.cumsum(0) - 1
        before = torch.arange(-1, len(self.ids) - 1)
        later = torch.tensor(self.follows) >= 0
        before[(ends - size + 1)[later]] = ends[torch.tensor(self.follows)[later]]
        return where, before.to(where.device)[where]

    def context(self, dtype: torch.dtype) -> Context:
        """The attention of these documents, for queries of `dtype`."""
        return context(self.lengths, self.follows, self.ids.device, dtype)

    def padded(self, multiple: int) -> Packed:
        """The batch with tokens at its end that nobody sees, up to a multiple of some number."""
        more = -len(self.ids) % multiple
        if not more:
            return self
        return replace(
            self, ids=F.pad(self.ids, (0, more)), mask=F.pad(self.mask, (0, more)),
            lengths=[*self.lengths, more], follows=[*self.follows, -1] if self.follows else [],
            units=[*self.units, 1] if self.units else [], extras={},
        )  # fmt: skip

    def sizes(self) -> list[int]:
        """Tokens of each unit."""
        ends = [0, *itertools.accumulate(self.lengths)]
        return [ends[unit.stop] - ends[unit.start] for unit in self._members()]

    def split(self, max_tokens: int) -> list[Packed]:
        """Micro-batches of whole units, at most `max_tokens` each where units allow."""
        parts: list[list[int]] = []
        tokens = 0
        for unit, size in enumerate(self.sizes()):
            if not parts or tokens + size > max_tokens:
                parts.append([])
                tokens = 0
            parts[-1].append(unit)
            tokens += size
        return [self.take(part) for part in parts] if len(parts) > 1 else [self]

    def take(self, units: Sequence[int]) -> Packed:
        """The batch of the units with these numbers, in this order."""
        members = self._members()
        documents = [document for unit in units for document in members[unit]]
        ends = list(itertools.accumulate(self.lengths))
        where = torch.cat([torch.arange(ends[d] - self.lengths[d], ends[d]) for d in documents])
        place = {document: n for n, document in enumerate(documents)} | {-1: -1}
        return replace(
            self, ids=self.ids[where], mask=self.mask[where],
            lengths=[self.lengths[d] for d in documents],
            extras={name: value[where] for name, value in self.extras.items()},
            follows=[place[self.follows[d]] for d in documents] if self.follows else [],
            units=[self.units[u] for u in units] if self.units else [], metrics={},
        )  # fmt: skip

    def _members(self) -> list[range]:
        """The documents of each unit."""
        ends = [0, *itertools.accumulate(self.units or [1] * len(self.lengths))]
        return [range(first, last) for first, last in itertools.pairwise(ends)]

    def _ahead(self) -> Tensor:
        """Tokens of what each document follows."""
        follows = self.follows or [-1] * len(self.lengths)
        return torch.tensor([self.lengths[f] if f >= 0 else 0 for f in follows])


def pack(units: Iterable[Unit]) -> Packed:
    """The documents of `units` end to end, in the given order."""
    units = list(units)
    documents = [document for unit in units for document in unit]
    names = documents[-1].extras if documents else ()
    follows: list[int] = []
    for unit in units:
        first = len(follows)
        follows += [first if document.follows else -1 for document in unit]
    return Packed(
        ids=torch.tensor([i for d in documents for i in d.ids], dtype=torch.long),
        mask=torch.tensor([m for d in documents for m in d.mask], dtype=torch.bool),
        lengths=[len(d.ids) for d in documents],
        extras={
            name: torch.tensor(
                [v for d in documents for v in d.extras.get(name, [0.0] * len(d.ids))],
                dtype=torch.float,
            )
            for name in names
        },
        follows=follows if max(follows, default=-1) >= 0 else [],
        units=[len(unit) for unit in units] if any(len(unit) > 1 for unit in units) else [],
    )


def share(unit: Unit) -> Unit:
    """`unit` with what its documents begin with alike, as far as none of it is learned, taken out.

    It becomes a document of its own that the others follow. Nothing changes where there is none.
    """
    if len(unit) < 2:
        return unit
    alike = zip(*(zip(d.ids, d.mask, strict=True) for d in unit), strict=False)
    same = itertools.takewhile(lambda at: not at[0][1] and len(set(at)) == 1, alike)
    count = sum(1 for _ in same)
    if not count:
        return unit
    first = unit[0]
    rest = [
        Document(
            d.ids[count:], d.mask[count:], {k: v[count:] for k, v in d.extras.items()}, follows=True
        )
        for d in unit
    ]  # fmt: skip
    return (Document(first.ids[:count], first.mask[:count]), *rest)


def together(documents: Sequence[Document], owners: Sequence[int], most: int) -> list[Unit]:
    """Units of the documents of one owner each, which share what they begin with.

    They stand sorted by length; a unit has at most `most` tokens where documents allow.
    """
    open_units: dict[int, list[Document]] = {}
    units = []
    for at in sorted(range(len(documents)), key=lambda at: len(documents[at].ids)):
        document, owner = documents[at], owners[at]
        unit = open_units.get(owner)
        if unit is None or sum(len(d.ids) for d in unit) + len(document.ids) > most:
            unit = open_units[owner] = []
            units.append(unit)
        unit.append(document)
    return [share(tuple(unit)) for unit in units]
