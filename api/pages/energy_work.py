"""Figures that take longer than a page may: worked out in the background, kept, and made anew when they are old."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from facility.errors import StoreUnavailable
from facility.names import Names

log = logging.getLogger(__name__)

T = TypeVar("T")
_MOST_KEPT = 400


def _told(error: Exception) -> Names:
    """Return an error in both languages: what it says itself, or that the log has more."""
    words = getattr(error, "words", None)
    if isinstance(words, Names):
        return words
    if isinstance(error, StoreUnavailable):
        return Names(
            zh="数据库没有应答；稍后会自动重算", en=f"the database does not answer; it is tried again ({error})"
        )
    why = str(error) or type(error).__name__
    return Names(
        zh=f"无法计算，原因见服务日志（{why}）", en=f"it cannot be worked out; the service's log has more ({why})"
    )


@dataclass(frozen=True, slots=True)
class Worked(Generic[T]):
    """What is known: the result, or None while it has not been worked out; `failed` says why it could not be."""

    result: T | None
    failed: Names | None = None

    @property
    def waiting(self) -> bool:
        """Return True if the result is still being worked out."""
        return self.result is None and self.failed is None


@dataclass(slots=True)
class _Kept:
    made_s: float
    value: Any
    failed: Names | None


class Work:
    """
    One worker for all readers of pages; an old result stands until the new one is there.

    Parameters
    ----------
    inline : work at once instead of in the background, for tests
    """

    def __init__(self, inline: bool = False) -> None:
        self._inline = inline
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._waiting: OrderedDict[Hashable, Callable[[], Any]] = OrderedDict()
        self._worker: threading.Thread | None = None
        self._done = 0

    def get(self, key: Hashable, make: Callable[[], T], fresh_s: float) -> Worked[T]:
        """
        Return what `make` has made for a key, and let it be made if it is not there or older than `fresh_s` seconds.

        What is made must not be None.
        """
        now = time.monotonic()
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
            if kept is None or now - kept.made_s > fresh_s:
                if self._inline:
                    self._waiting[key] = make
                else:
                    self._waiting.setdefault(key, make)
                    self._wake()
        if self._inline:
            self._work_off()
            kept = self._kept[key]
        return Worked(cast("T | None", kept.value), kept.failed) if kept is not None else Worked(None)

    def standing(self) -> tuple[int, int] | None:
        """Return how many results have been made of how many that were asked for; None while nothing is under way."""
        with self._lock:
            if not self._waiting:
                return None
            return self._done, self._done + len(self._waiting)

    def _wake(self) -> None:
        if self._worker is None or not self._worker.is_alive():
            self._done = 0
            self._worker = threading.Thread(target=self._work_off, name="energy-work", daemon=True)
            self._worker.start()

    def _work_off(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._worker = None
                    return
                key, make = next(iter(self._waiting.items()))
            value, failed = None, None
            try:
                value = make()
            except Exception as error:  # whatever it is, the page must say so and go on
                failed = _told(error)
                log.warning("a figure of the energy pages could not be worked out", exc_info=True)
            with self._lock:
                old = self._kept.get(key)
                if failed is not None and old is not None and old.value is not None:
                    value = old.value  # better old than none
                self._kept[key] = _Kept(time.monotonic(), value, failed)
                self._waiting.pop(key, None)
                self._done += 1
                while len(self._kept) > _MOST_KEPT:
                    self._kept.popitem(last=False)
