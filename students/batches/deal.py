"""An optimizer step's batch, dealt to the processes that train together."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from students.batches.pack import Packed

TRIES = 3


@dataclass(frozen=True)
class Micro:
    """A micro-batch. One that is `blank` only keeps step with the others and counts for nothing."""

    packed: Packed
    blank: bool = False


def deal(batch: Packed, ranks: int, rank: int, max_tokens: int) -> list[Micro]:
    """The micro-batches of process `rank` of `ranks`, as many as every other process has.

    Every forward and backward pass of a sharded model is a meeting of all processes, so whoever has
    fewer micro-batches than another, or none, goes through the shortest unit again as a blank. Each
    process works out the deal of all, so nothing is sent.
    """
    if ranks == 1:
        return [Micro(part) for part in _parts(batch, max_tokens)]
    sizes = batch.sizes()
    shares = evenly(sizes, ranks)
    parts = [_parts(batch.take(share), max_tokens) if share else [] for share in shares]
    most = max(map(len, parts))
    blank = batch.take([min(range(len(sizes)), key=sizes.__getitem__)])
    own = [Micro(part) for part in parts[rank]]
    return own + [Micro(blank, blank=True)] * (most - len(own))


def evenly(sizes: Sequence[int], count: int) -> list[list[int]]:
    """Units of some `sizes` in `count` lots: longest first to whoever has least, then in order."""
    lots: list[list[int]] = [[] for _ in range(count)]
    loads = [(0, n) for n in range(count)]
    for unit in sorted(range(len(sizes)), key=sizes.__getitem__, reverse=True):
        tokens, least = heapq.heappop(loads)
        lots[least].append(unit)
        heapq.heappush(loads, (tokens + sizes[unit], least))
    return [sorted(lot) for lot in lots]


def _parts(batch: Packed, max_tokens: int) -> list[Packed]:
    """Micro-batches of at most `max_tokens`: in order, or in lots where those are fewer."""
    parts, sizes = batch.split(max_tokens), batch.sizes()
    fewest = -(-sum(sizes) // max_tokens)
    for count in range(fewest, min(len(parts), fewest + TRIES)):
        lots = evenly(sizes, count)
        if all(sum(sizes[unit] for unit in lot) <= max_tokens for lot in lots):
            return [batch.take(lot) for lot in lots]
    return parts
