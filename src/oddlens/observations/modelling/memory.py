"""Memory of fits: large arrays that come and go."""

import contextlib
import ctypes

TRIM_THRESHOLD, MMAP_MAX = -1, -4
"""Numbers of options of `mallopt` (malloc.h of the GNU C library)."""


def keep_freed_memory() -> None:
    """Let this process keep freed memory for its next arrays, if the C library has such an option.

    Otherwise each array of some megabytes is new memory, which the system clears first: a fifth of the time of a fit.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        library = ctypes.CDLL(None)
        library.mallopt(MMAP_MAX, 0)
        library.mallopt(TRIM_THRESHOLD, 2**31 - 1)
