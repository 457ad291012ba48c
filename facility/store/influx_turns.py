"""Callers that want the same answer of a server: they ask one after the other, but not one by one in vain."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from facility.errors import StoreUnavailable


class Turns:
    """Lets one caller at a time ask; if that is in vain, those who stood in line meanwhile are told the same."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._failure: tuple[float, StoreUnavailable] | None = None  # when somebody asked in vain, and what was said

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait in line; StoreUnavailable if somebody before has asked in vain since this caller came."""
        came_s = time.monotonic()
        with self._lock:
            if self._failure is not None and self._failure[0] > came_s:
                raise type(self._failure[1])(str(self._failure[1])) from self._failure[1]
            try:
                yield
            except StoreUnavailable as error:
                self._failure = time.monotonic(), error
                raise
