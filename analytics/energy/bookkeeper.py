"""Who writes the books: one process at a time, the one that began last; of the others nothing is written."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.orm import Session

from facility.database import Database, read_setting, take_turn, write_setting
from facility.errors import StoreUnavailable

TURN: Final = "energy.books"  # that transactions take which write the books, or rest on what they are

_SETTING: Final = "energy.bookkeeper"


class Bookkeeper:
    """
    Lets a process write the books as long as no other has begun to.

    Parameters
    ----------
    database : keeps the books
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._mark = uuid.uuid4().hex

    def begin(self) -> bool:
        """Begin to write; return whether the books are as this process left them: no other has begun since."""
        with self._database.session() as session:
            take_turn(session, TURN)
            unchanged = bool(read_setting(session, _SETTING) == self._mark)
            if not unchanged:
                write_setting(session, _SETTING, self._mark)
        return unchanged

    @contextmanager
    def session(self) -> Iterator[Session]:
        """
        Open a session to write the books.

        Raises
        ------
        StoreUnavailable
            If another process has begun to write them since, or the database cannot be reached: nothing is written.
        """
        with self._database.session() as session:
            take_turn(session, TURN)
            if read_setting(session, _SETTING) != self._mark:
                raise StoreUnavailable(
                    f"another process has begun to bring the books in {self._database.name} up to date; let one "
                    "service keep them, and start the others with a database of their own"
                )
            yield session
