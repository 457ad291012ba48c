"""A consistent copy of a DuckDB file while it is written to."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

_PART_BYTES: Final = 8 << 20


@runtime_checkable
class Snapshots(Protocol):
    """What gives a copy of a DuckDB file while it is written to: the keeper, or a running service that is asked."""

    def snapshot(self, target: Path, progress: Callable[[float], None] = ...) -> None:
        """Copy the file as it stands at one moment; see `DuckDBStore.snapshot`."""


@runtime_checkable
class SnapshotKeeper(Snapshots, Protocol):
    """A keeper whose readings lie in one file."""

    path: Path


def copy_synced(source: Path, target: Path, progress: Callable[[float], None] = lambda _: None) -> None:
    """
    Copy a file for its owner's eyes alone, and wait until it is on disk.

    File systems that can share blocks between files do so: then it costs neither time nor room.
    """
    with source.open("rb") as read, open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as write:
        total, done = max(1, os.fstat(read.fileno()).st_size), 0
        while done < total:
            copied = _copy_part(read.fileno(), write.fileno(), min(_PART_BYTES, total - done))
            if not copied:
                break
            done += copied
            progress(done / total)
        os.fsync(write.fileno())


def _copy_part(source: int, target: int, count: int) -> int:
    try:
        return os.copy_file_range(source, target, count)
    except (OSError, AttributeError):
        # Not every file system knows how, nor macOS at all.
        part = os.read(source, count)
        written = 0
        while written < len(part):
            written += os.write(target, part[written:])
        return len(part)
