"""An optimizer step's batch, dealt to the processes that train together."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from students.batches.pack import Packed


@dataclass(frozen=True)
class Micro:
    """A micro-batch. One that is `blank` only keeps step with the others and counts for nothing."""

    packed: Packed
    blank: bool = False


def deal(batch: Packed, ranks: int, rank: int, max_tokens: int) -> list[Micro]:
    """The micro-batches of process `rank` of `ranks`, as many as every other process has.

    Units go, longest first, to the process with the fewest tokens so far, and stay in the order of
    the batch. Every forward and backward pass of a sharded model is a meeting of all processes, so
    whoever has fewer micro-batches than another, or none, goes through the shortest unit again as
    a blank. Each process works out the deal of all, so nothing is sent.
    """
    if ranks == 1:
        return [Micro(part) for part in batch.split(max_tokens)]
    sizes = batch.sizes()
    shares: list[list[int]] = [[] for _ in range(ranks)]
    loads = [(0, n) for n in range(ranks)]
    for unit in sorted(range(len(sizes)), key=sizes.__getitem__, reverse=True):
        tokens, least = heapq.heappop(loads)
        shares[least].append(unit)
        heapq.heappush(loads, (tokens + sizes[unit], least))
    parts = [batch.take(sorted(s)).split(max_tokens) if s else [] for s in shares]
    most = max(map(len, parts))
    blank = batch.take([min(range(len(sizes)), key=sizes.__getitem__)])
    own = [Micro(part) for part in parts[rank]]
    return own + [Micro(blank, blank=True)] * (most - len(own))
