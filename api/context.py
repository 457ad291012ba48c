"""What the web application works with: made once by whoever starts the service, read by every request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from fastapi import Request

from analytics.data_health import HealthState
from analytics.desk import Desk
from analytics.energy.books import Books
from analytics.energy.measure_book import MeasureBook
from api.live import LiveBoard, Snapshot
from api.security.users import Person, list_users
from api.times import now_us
from collector.quarantine import Quarantine
from collector.replay import Replays
from collector.status import CollectorStatus
from facility.database import Database
from facility.site import Site
from facility.store import TelemetryStore
from facility.store.spooled import SpoolStatus


@dataclass(frozen=True, slots=True)
class WebSettings:
    """
    How the web application meets the network.

    Attributes
    ----------
    hosts : tuple[str, ...]
        Names by which browsers may call it, besides this machine's own name, localhost and any IP address. A page of
        another name that resolves to this machine is refused: that is how DNS rebinding is done. `*` takes any name.
    https : bool
        Browsers reach it by https (a reverse proxy in front): cookies are then sent by https only.
    max_body_bytes : int
        Longest request body. [bytes]
    max_streams : int
        Most event streams open at once.
    session_idle_s, session_s : float
        A login ends after so long without a request, and after so long in any case. [s]
    """

    hosts: tuple[str, ...] = ()
    https: bool = False
    max_body_bytes: int = 1_048_576
    max_streams: int = 256
    session_idle_s: float = 12 * 3600.0
    session_s: float = 7 * 86400.0


def _no_collector() -> None:
    return None


def no_spool() -> None:
    """Return nothing: this process writes no readings."""
    return


def no_health() -> None:
    """Return nothing: no watch over the data runs in this process."""
    return


@dataclass(frozen=True)
class Context:
    """
    The parts that requests use; `app.state.context`.

    Attributes
    ----------
    site, store : the hospital and its readings
    database : the relational side, migrated
    desk : findings, alerts and tickets
    quarantine : messages that could not be understood
    live : the newest value of each point
    collector : how the collector fares; None where none runs in this process
    spool : how the spool and the store behind it stand; None where this process writes no readings
    clock : the time now [µs UTC]; an argument, so that tests can turn it
    settings : how the application meets the network
    replays : who decodes the quarantine again on order; None where no collector runs in this process
    site_read_us : when the site's files were read [µs UTC]; None: not known
    health : how the data fare; None where no watch over them runs in this process
    local_key : what commands on this machine bring to the store's routes; empty: none may
    own_books : the energy accounts that this process brings up to date; None where another does, or none
    """

    site: Site
    store: TelemetryStore
    database: Database
    desk: Desk
    quarantine: Quarantine
    live: LiveBoard
    collector: Callable[[], CollectorStatus | None] = _no_collector
    spool: Callable[[], SpoolStatus | None] = no_spool
    clock: Callable[[], int] = now_us
    settings: WebSettings = field(default_factory=WebSettings)
    health: Callable[[], HealthState | None] = no_health
    replays: Replays | None = None
    site_read_us: int | None = None
    local_key: str = field(default="", repr=False)
    own_books: Books | None = None

    @cached_property
    def books(self) -> Books:
        """Return the energy accounts."""
        return self.own_books or Books(self.site, self.store, self.database, self.clock)

    @cached_property
    def measure_book(self) -> MeasureBook:
        """Return the efficiency measures: the site file's, and those that people entered."""
        return MeasureBook(self.site, self.database, self.clock)

    # What pages read, by the names that they know (`api.pages.sources.Sources`).

    def now_us(self) -> int:
        """Return the time now. [µs UTC]"""
        return self.clock()

    def snapshot(self) -> Snapshot:
        """Return the newest reading of every point."""
        return self.live.snapshot()

    def collector_state(self) -> CollectorStatus | None:
        """Return how the collector fares; None where none runs in this process."""
        return self.collector()

    def spool_state(self) -> SpoolStatus | None:
        """Return how the spool and the store behind it stand; None where this process writes no readings."""
        return self.spool()

    def people(self) -> Sequence[Person]:
        """Return everybody to whom work may be given."""
        return [person for person in list_users(self.database) if not person.disabled]


def context_of(request: Request) -> Context:
    """Return the context of the application that serves this request; a dependency of every handler."""
    context: Context = request.app.state.context
    return context
