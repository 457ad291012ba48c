"""One InfluxDB database, made ready when it is first needed: the connection and the book of its points."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from facility.errors import StoreUnavailable
from facility.store.influx_address import InfluxAddress
from facility.store.influx_book import Book, Entry
from facility.store.influx_ledger import Ledger
from facility.store.influx_link import Block, DatabaseMissing, InfluxLink, LinkSettings, Patience
from facility.store.influx_questions import LIMIT_US, ns
from facility.store.influx_text import ROLLUPS, identifier
from facility.store.levels import Level, Steps

T = TypeVar("T")

_REQUEST_STATEMENTS: Final = 200


class InfluxDatabase:
    """
    The connection to a database and the book of its points; safe to use from several threads.

    Attributes
    ----------
    book : Book
        Another one after `forget`: do not keep it.
    age : int
        How often the database has been forgotten; what was learnt of it at another age is not to be believed.
    """

    def __init__(self, address: InfluxAddress, settings: LinkSettings, *, zone: str | None, read_only: bool) -> None:
        self.address = address
        self.link = InfluxLink(address, settings)
        self.book = Book(self.link, read_only=read_only)
        self.lock = threading.RLock()  # held while a table gets its places, and while the database is forgotten
        self.ledger = Ledger(self.link)
        self.age = 0
        self._zone = zone
        self._read_only = read_only
        self._closed = False
        self._is_ready = False

    def opened(self) -> None:
        """Raise `StoreUnavailable` if this has been closed."""
        if self._closed:
            raise StoreUnavailable(f"InfluxDB at {self.address.url}: the store has been closed; open it again")

    def ready(self) -> None:
        """Make the database, if it is missing and a 1.x server, and read the book; done once."""
        self.opened()
        if self._is_ready:
            return
        try:
            self.book.look(now=True)
        except DatabaseMissing:
            if self._read_only or self.link.version().major > 1:
                raise
            create = f"CREATE DATABASE {identifier(self.address.database)}"
            self.link.query([create], lambda _: None, database=False, patience="prompt")
            self.book.look(now=True)
        self._keep_zone()
        self._is_ready = True

    def steps(self) -> Steps:
        """Return where steps begin: in the zone that this was opened with, else in the one that the database knows."""
        self.ready()
        return Steps(self._zone or self.ledger.seen().zone or "UTC")

    def _keep_zone(self) -> None:
        """Let the database remember the zone, and forget the days of another one: they are rolled up anew."""
        if self._zone is None or self._read_only:
            return
        state = self.ledger.state()
        if state.zone == self._zone:
            return
        self.ledger.note(zone=self._zone, rolled_us=-LIMIT_US)
        if state.rolled_us > -LIMIT_US and (state.zone or "UTC") != self._zone:
            self.query(
                [f"DELETE FROM {identifier(ROLLUPS[Level.DAY])} WHERE time >= {ns(state.whole_us)}"],  # noqa: S608
                lambda _, __: None,
                patience="long",
            )

    def forget(self) -> None:
        """Believe nothing of what was learnt: somebody has dropped the database."""
        with self.lock:
            self._is_ready = False
            self.book = Book(self.link, read_only=self._read_only)
            self.age += 1

    def entries(self, keys: Sequence[str] | None) -> list[Entry]:
        """Return what the book, as it is now, has of these points, or of all."""
        self.ready()
        self.book.look(now=keys is None or not self.book.knows(keys))
        return self.book.entries(keys)

    def query(
        self,
        statements: Sequence[str],
        convert: Callable[[int, Block], T],
        *,
        chunked: bool = False,
        patience: Patience = "usual",
    ) -> list[T]:
        """Ask statements, in several requests if they are many; return what `convert` makes of each block of rows."""
        found: list[T] = []
        for start in range(0, len(statements), _REQUEST_STATEMENTS):

            def numbered(block: Block, start: int = start) -> T:
                return convert(start + block.statement, block)

            some = list(statements[start : start + _REQUEST_STATEMENTS])
            found += self.link.query(some, numbered, chunked=chunked, patience=patience)
        return found

    def close(self) -> None:
        """Let go of the connections; a second call does nothing."""
        self._closed = True
        self.link.close()
