"""Memory that a step on a CPU frees, and the next step needs again."""

import ctypes
import sys

# of glibc's malloc.h
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
#: bytes; a larger block is mapped, and unmapped when it is freed: the largest value that glibc takes
MAPPED_FROM = 32 << 20
#: bytes free at the end of the heap that are not returned to the system
KEPT = 1 << 30


def keep_freed_memory() -> bool:
    """Have the C library keep freed memory, and return whether it does: glibc can.

    By default it returns the activations of a step to the system during the backward pass, and every page of them
    faults in again in the next step: up to 15 % of a step. It holds for the whole process.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, MAPPED_FROM)) and bool(mallopt(M_TRIM_THRESHOLD, KEPT))
