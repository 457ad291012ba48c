"""Doing pieces of work one step behind: while one is stored, the next is worked out."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self


class Behind:
    """
    A thread that does one piece of work at a time, in the order given; its user is at most one piece ahead.

    Whoever leaves the `with` block waits for the last piece. What a piece raises comes out of the call after it, or of
    leaving the block, and no piece after it is begun.
    """

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._last: Future[None] | None = None

    def do(self, piece: Callable[[], None]) -> None:
        """Begin a piece once the one before it is done."""
        self._wait()
        self._last = self._thread.submit(piece)

    def _wait(self) -> None:
        last, self._last = self._last, None
        if last is not None:
            last.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._thread:  # whatever happens, the piece under way is let finish
            if kind is None:
                self._wait()
