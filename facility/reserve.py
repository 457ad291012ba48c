"""A little room on the disk, held back for alerts and tickets: a disk that is full must not silence an alarm."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

RESERVE_BYTES: Final = 16 * 1024 * 1024
_LOOK_S: Final = 1.0


class Reserve:
    """
    A file that takes room while there is plenty, and gives it back when there is next to none.

    The relational database lies on the same disk as readings and logs. Once they have filled it, this file goes, and
    what it took is enough for months of alerts; readings are kept from taking it, since `why_not` says that they must
    wait. When there is room again, so is the file.

    Parameters
    ----------
    path : the file
    size : how much is held back [bytes]
    """

    def __init__(self, path: Path, size: int = RESERVE_BYTES) -> None:
        self.path = path
        self.size = size
        self.released = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="disk-reserve", daemon=True)
        self.look()

    def start(self) -> None:
        """Look every second from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; the file stays, if there is room for it. A second call does nothing."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def why_not(self) -> str:
        """Return why readings must not be written to this disk now, or "" if they may."""
        if self.released:
            return f"{self.path.parent}: the disk is full; make room. What is left is kept for alerts and tickets"
        return ""

    def look(self) -> None:
        """Give the room back, or take it again, by how much is free."""
        try:
            disk = os.statvfs(self.path.parent)
            free = disk.f_bavail * disk.f_frsize
            held = self.path.exists() and self.path.stat().st_size >= self.size
            if held and free < self.size // 4:
                self.path.unlink()
                self.released = True
                log.error("the disk is full: what was held back is now free for alerts and tickets")
            elif held:
                self.released = False
            elif free >= 2 * self.size:
                self._take()
                if self.released:
                    log.info("there is room on the disk again")
                self.released = False
            else:
                self.released = True
        except OSError as error:
            log.warning("room on the disk cannot be held back", extra={"why": str(error)})

    def _take(self) -> None:
        draft = self.path.with_name(self.path.name + ".new")
        try:
            with draft.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self.size)
            draft.replace(self.path)
        except OSError:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise

    def _run(self) -> None:
        while not self._ended.wait(_LOOK_S):
            self.look()
