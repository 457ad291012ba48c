"""A table of fixed size in a file that several starts of the collector share, mapped into memory."""

from __future__ import annotations

import mmap
import os
from pathlib import Path


def map_table(path: Path | None, size: int) -> mmap.mmap:
    """
    Map a table of `size` bytes, zeros where nothing was written yet.

    What is written survives the death of the process, not a power cut: nothing waits for the disk.

    Parameters
    ----------
    path : the file, made with its folders where it is missing; None keeps the table in memory

    Raises
    ------
    OSError
        If the file cannot be made.
    """
    if path is None:
        return mmap.mmap(-1, size)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.ftruncate(handle, size)
        return mmap.mmap(handle, size)
    finally:
        os.close(handle)
