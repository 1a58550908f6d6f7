"""The processes that train together, one for each device, as torchrun or accelerate start them.

A process that is alone is the main one of one: nothing here then costs anything. Where there are
several, all of them must call each function here, in the same order.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from students.errors import ModelError

T = TypeVar("T")
PATIENCE = timedelta(hours=6)
"""How long a process waits for another: verdicts and a long evaluation stand in between."""


def join() -> None:
    """Meet the other processes that the launcher started; again costs nothing."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not dist.is_initialized():
        from accelerate import PartialState

        PartialState(cpu=not torch.cuda.is_available(), timeout=PATIENCE)


def leave() -> None:
    """Part from the other processes, to be called before a process ends that did its work.

    One that ends without it is killed by its own gloo threads, now and then: they let go of
    tensors when Python is no longer there (https://github.com/pytorch/pytorch/pull/179291).
    """
    if dist.is_initialized():
        dist.destroy_process_group()


def count() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def own() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def main() -> bool:
    """True in the one process that writes and reports."""
    return own() == 0


def team(size: int) -> dist.ProcessGroup | None:
    """The process's group where `size` neighbours each share something; None where it is alone."""
    if size == 1:
        return None
    if count() % size:
        raise ModelError(f"{count()} processes cannot be divided into teams of {size}")
    return dist.new_subgroups(size, timeout=PATIENCE)[0]


def gather(value: T) -> list[T]:
    """The values of all processes, in their order; anything that can be pickled."""
    if count() == 1:
        return [value]
    values: list[Any] = [None] * count()
    dist.all_gather_object(values, value)
    return values


def from_main(make: Callable[[], T]) -> T:
    """What `make` returns in the main process, the only one that calls it; its error is all's."""
    if count() == 1:
        return make()
    sent: list[Any] = [None, None]
    if main():
        try:
            sent[0] = make()
        except Exception as error:  # the others wait: they must hear of any
            sent[1] = error
    dist.broadcast_object_list(sent)
    if sent[1] is not None:
        raise sent[1]
    return sent[0]


def summed(values: torch.Tensor) -> torch.Tensor:
    """The sum of a tensor over all processes, the same bits in each."""
    if count() > 1:
        dist.all_reduce(values)
    return values
