"""Memory that a process keeps for what it will need again."""

import ctypes
import sys

# M_TRIM_THRESHOLD, M_TOP_PAD and M_MMAP_THRESHOLD of malloc.h in bytes, the last at the most that it can be.
_MALLOC_OPTIONS = {-1: 2**31 - 1, -2: 2**26, -3: 2**25}


def keep_freed_memory() -> None:
    """Let this process keep large blocks that it frees, instead of handing them back and asking for them anew.

    By default glibc returns them to the system, and each training step, or batch of images, then waits for the system
    to clear the same pages again. Elsewhere than with glibc nothing is changed. See mallopt(3).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        for option, value in _MALLOC_OPTIONS.items():
            mallopt(option, value)
