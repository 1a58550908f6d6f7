"""Memory that was freed, given back to the system."""

from __future__ import annotations

import ctypes
import gc
import sys

M_ARENA_MAX = -8


def one_heap() -> None:
    """Let all threads allocate from one heap; to be called before there are others.

    glibc gives each thread heaps of its own, and what one of them holds free the others cannot
    use: a model of 135 million weights took half as much again in training. Elsewhere this does
    nothing.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(M_ARENA_MAX, 1)


def release() -> None:
    """Let go of what nobody holds any more, and of what CUDA and the C library keep of it."""
    gc.collect()
    if (torch := sys.modules.get("torch")) is not None:
        torch.cuda.empty_cache()
    trim()


def trim() -> None:
    """Give back what the C library keeps of freed tensors.

    glibc holds on to it, so that work with tensors of ever other sizes, as packed batches are,
    leaves more and more holes between them: a model of 135 million weights took twice its memory
    after a hundred steps. Elsewhere this does nothing.
    """
    if sys.platform == "linux":
        malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if malloc_trim is not None:
            malloc_trim(0)
