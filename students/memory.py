"""Memory that was freed, given back to the system, and caches that would grow for ever."""

from __future__ import annotations

import ctypes
import gc
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
TRIM, MMAP = 64 << 20, 12 << 20
KERNELS = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "128", "LRU_CACHE_CAPACITY": "128"}


def one_heap() -> None:
    """Let all threads allocate from one heap; to be called before there are others.

    glibc gives each thread heaps of its own, and what one of them holds free the others cannot
    use: a model of 135 million weights took half as much again in training. Blocks as large as a
    chunk of logits stay out of the heap, where they would tear holes that smaller ones fall into:
    a tenth of training's peak. Elsewhere this does nothing. Arrow, which is not imported yet,
    brings a heap of its own too, and 40 MB more with it.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(M_ARENA_MAX, 1)
            mallopt(M_MMAP_THRESHOLD, MMAP)
            mallopt(M_TRIM_THRESHOLD, TRIM)


def few_kernels() -> None:
    """Let torch keep few of the kernels it compiles on a CPU; to be called before it is imported.

    oneDNN compiles one for each shape of matrices and keeps a thousand. Packed batches are nearly
    all of another length, so that a model of 135 million weights gathered about a gigabyte of them.
    A step needs a few dozen. What the environment says already stands.
    """
    for name, count in KERNELS.items():
        os.environ.setdefault(name, count)


def release() -> None:
    """Let go of what nobody holds any more, and of what CUDA and the C library keep of it.

    glibc holds on to freed memory, so that phases of work with tensors of different sizes, such as
    rollouts and updates, would each keep their peak. Elsewhere that part does nothing.
    """
    gc.collect()
    if (torch := sys.modules.get("torch")) is not None:
        torch.cuda.empty_cache()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
