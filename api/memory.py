"""Give memory back to the system: a service runs for months beside others on one machine."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

# Names and numbers of glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_LARGE: Final = 128 * 1024  # bytes; arrays of a batch are larger, and go back to the system when they are done with


def give_memory_back() -> bool:
    """
    Let the C library keep no large piece of freed memory, and few heaps; return whether it can be told so.

    By itself it keeps what large arrays have left behind in a heap for each thread, and raises its threshold with each
    of them: after a backlog the process holds a third more than it uses. Called before threads are started.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # not glibc
        return False
    options = ((_ARENA_MAX, 2), (_MMAP_THRESHOLD, _LARGE), (_TRIM_THRESHOLD, _LARGE))
    return all(mallopt(option, value) == 1 for option, value in options)
