"""Threads that ask a store again and again while a test writes to it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def asked_by(threads: int, ask: Callable[[], object | None]) -> Iterator[None]:
    """
    Let threads ask until the block ends; fail if an asking raised, or returned what it found to be wrong.

    `ask` asks once and returns None if all was well.
    """
    done, wrong = threading.Event(), list[object]()

    def go_on() -> None:
        try:
            while not done.is_set():
                found = ask()
                if found is not None:
                    wrong.append(found)
        except Exception as error:
            wrong.append(error)

    readers = [threading.Thread(target=go_on) for _ in range(threads)]
    for reader in readers:
        reader.start()
    try:
        yield
    finally:
        done.set()
        for reader in readers:
            reader.join()
    assert wrong == []
