"""Memory that was freed, given back to the system."""

from __future__ import annotations

import ctypes
import gc
import sys


def release() -> None:
    """Let go of what nobody holds any more, and of what the C library keeps of freed tensors.

    glibc holds on to it, apart for each thread, so that phases of work with tensors of different
    sizes, such as rollouts and updates, would each keep their peak. Elsewhere this does nothing.
    """
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
