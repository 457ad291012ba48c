"""Wiring: the parts of a service made in order, started, watched, and stopped in the opposite order."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from analytics.data_health import DataHealth, Listening
from analytics.desk import Desk
from analytics.energy.books import Books
from analytics.live import LiveFeed, LiveRules
from analytics.schedule import Jobs
from api.live import LiveBoard
from api.local_service import announced
from api.options import Options, broker_address, write_broker_url
from api.refused import Refused
from api.replaying import orders_of
from api.security.users import Credentials, ensure_first_user
from api.storage import newest, open_storage, remembered
from collector.broker import EmbeddedBroker
from collector.gateways import GatewayTimes
from collector.mapping import TopicMap
from collector.quarantine import Quarantine
from collector.replay import Replays
from collector.service import Collector, expected_sessions, session_name
from collector.sparkplug.births import Births, living_points, offline_points
from collector.watch import Watch
from facility.database import Database
from facility.errors import ConfigurationError, Problem, StoreUnavailable
from facility.liveness import NOBODY, Liveness
from facility.readings import ReadingBatch, StaleNotice
from facility.reserve import Reserve
from facility.site import Site
from facility.store import TelemetryStore
from facility.store.opening import open_store
from facility.store.spooled import SpooledStore, SpoolStatus

if TYPE_CHECKING:
    from api.context import Context

log = logging.getLogger(__name__)

EMBEDDED_PORT: Final = 1883
_LOOK_S: Final = 2.0
_SPOKEN_US: Final = 300 * 1_000_000


@dataclass(frozen=True, slots=True)
class Roles:
    """
    What a process does: collect readings, judge them (live rules and jobs), serve pages.

    One that judges and does not collect watches everything that comes and stores none of it. `share` and `member` name
    the group of collectors that share the messages, and this one in it; None: it gets all of them.
    """

    collect: bool = True
    judge: bool = True
    serve: bool = True
    share: str | None = None
    member: str | None = None


def now_us() -> int:
    """Return the time of the machine's clock. [µs since 1970-01-01 UTC]"""
    return time.time_ns() // 1_000


class Service:
    """
    One process of Wardwatt: `open`, then `start`, then `run` until it is told to stop, then `stop`.

    Parameters
    ----------
    options : where its parts are
    roles : which parts run in this process
    clock : the time now [µs]

    Attributes
    ----------
    first_login : name and password of the first administrator, if this start made one; to be shown once
    broker_url : the embedded broker's address with its password; None where another broker was named
    """

    def __init__(self, options: Options, roles: Roles | None = None, clock: Callable[[], int] = now_us) -> None:
        self.options = options
        self.roles = roles or Roles()
        self.clock = clock
        self.first_login: Credentials | None = None
        self.broker_url: str | None = None
        self.collector: Collector | None = None
        self.health: DataHealth | None = None
        self.books: Books | None = None
        self.watch: Watch | None = None
        self.replays: Replays | None = None
        self.site_read_us: int | None = None
        self._living_by_record = NOBODY  # where other processes collect and judge
        self._closing = ExitStack()
        self.site: Site
        self.store: TelemetryStore
        self.database: Database
        self.desk: Desk

    def open(self) -> None:
        """
        Read the site, open store and database. Nothing runs yet.

        Raises
        ------
        ConfigurationError, StoreUnavailable
            If something must be mended first; what was opened is closed again.
        """
        try:
            self.site_read_us = now_us()
            self.site = self.options.load_site()
            for problem in self.site.left_out:
                log.warning("left out until the site file is mended", extra={"why": str(problem)})
            _make_folder(self.options)
            if self._writes:
                reserve = Reserve(self.options.data / "reserve")
                reserve.start()
                self._closing.callback(reserve.stop)
            self.database = Database(self.options.database_url)
            self._closing.callback(self.database.close)
            self.database.upgrade()
            self.quarantine = Quarantine(self.database)
            if self._writes:
                self.store = open_storage(self.options, self.site, self.quarantine, reserve, self.clock)
            else:
                self.store = open_store(self.options.store_url, zone=self.site.time_zone.key)
            self._closing.callback(self.store.close)
            if self.roles.serve:
                self.first_login = ensure_first_user(self.database)
            self.desk = Desk(self.database, self.site, self.clock)
        except BaseException:
            self._closing.close()
            raise

    @property
    def _writes(self) -> bool:
        return self.roles.collect or self.roles.judge

    def start(self) -> None:
        """Start broker, collector, live rules and jobs; the pages are served by `run`."""
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        self.liveness = Liveness(self.site, self.clock, self._living)
        self.board = LiveBoard(self.site.points, self.clock, self.liveness.held_us)
        self.board.seed(newest(self.store))
        # A collector that neither judges nor shows has nobody to tell.
        sinks: list[Callable[[ReadingBatch], None]] = []
        if self.roles.judge or self.roles.serve:
            sinks = [self.liveness, self.board]
        stale: list[Callable[[StaleNotice], None]] = [self.board.mark_stale]
        if self.roles.judge:
            self.health = DataHealth(
                self.site,
                self.store,
                self.desk,
                self.clock,
                heard=newest(self.store),
                listening=self._listening,
                gateways=self._gateway_times,
                vouched=self.liveness.heard_us,
                refused=Refused(self.site, self.quarantine),
            )
            feed = self._start_judging()
            sinks += [lambda batch: feed(batch.as_seen(self.clock())), self.health]
            stale += [feed.mark_stale, self.health.goodbye]
        if self.roles.collect:
            self._start_collecting(sinks, lambda notice: [take(notice) for take in stale])
        elif self.roles.judge:
            self._start_watching(sinks, stale)
        else:
            self._start_looking()

    def _start_judging(self) -> LiveFeed:
        rules = LiveRules(self.site)
        # State is right after a restart: what was firing stays firing, what held goes on holding.
        first = rules.resume(remembered(self.store), self.desk.open_tiers(), self.clock())
        feed = LiveFeed(
            rules, self.desk.take_events, (self.store.write, self.board), self.clock, first, self.board.mark_stale,
            self.liveness.held_us,
        )  # fmt: skip
        feed.start()
        self._closing.callback(feed.stop)
        self.books = Books(self.site, self.store, self.database, self.clock)
        jobs = Jobs(self.site, self.store, self.desk, self.database, self.clock, self.health, self.books)
        jobs.start()
        self._closing.callback(jobs.stop)
        return feed

    def _start_collecting(
        self, sinks: list[Callable[[ReadingBatch], None]], on_stale: Callable[[StaleNotice], object]
    ) -> None:
        client_id = session_name(self.site) + (f"-{self.roles.member}" if self.roles.member else "")
        if self.roles.share is not None:
            self._check_share()
        if self.options.broker is None:
            broker = EmbeddedBroker(
                "127.0.0.1",
                _port_for_broker(),
                self.options.data,
                sessions=expected_sessions(self.site, client_id),
            )
            broker.start()
            self._closing.callback(broker.stop)
            address = broker.address
            self.broker_url = address.url
            write_broker_url(self.options.data, address.url)
        else:
            address = broker_address(self.options.broker)
        self.collector = Collector(
            self.site,
            self.store,
            address,
            quarantine=self.quarantine,
            sinks=sinks,
            client_id=client_id,
            data_dir=self.options.data,
            share=self.roles.share,
            births=Births(self.database),
            on_stale=on_stale,
            clock=self.clock,
        )
        self.collector.start()
        self._closing.callback(self.collector.stop)
        orders = orders_of(self.database, self.quarantine)
        self.replays = Replays(self.quarantine, orders, self.site, self.store, self.clock, [self.board])
        self.replays.start()
        self._closing.callback(self.replays.stop)

    def _check_share(self) -> None:
        if self.options.broker is None:
            wrong = "the broker inside is this process's alone; name the broker that the members share with --broker"
            raise ConfigurationError([Problem("", 0, "--share", wrong)])

    def _start_watching(
        self, sinks: list[Callable[[ReadingBatch], None]], stale: list[Callable[[StaleNotice], None]]
    ) -> None:
        """Judge everything that comes; other processes store it."""
        if self.options.broker is None:
            wrong = "others collect from a broker of their own; name it with --broker"
            raise ConfigurationError([Problem("", 0, "--judge-only", wrong)])

        def tell(batch: ReadingBatch, notices: Iterable[StaleNotice]) -> None:
            for sink in sinks if len(batch) else ():
                sink(batch)
            for notice in notices:
                for take in stale:
                    take(notice)

        watch = Watch(
            self.site,
            broker_address(self.options.broker),
            f"{session_name(self.site)}-judge",
            TopicMap(self.site).filters(),
            tell,
            births=Births(self.database),
            clock=self.clock,
        )
        watch.start()
        self._closing.callback(watch.stop)
        self.watch = watch

    def spool_status(self) -> SpoolStatus | None:
        """Return how the spool and the store behind it stand; None where this process writes nothing."""
        return self.store.spool_status() if isinstance(self.store, SpooledStore) else None

    def _listening(self) -> Listening:
        """Return whether readings can reach us: silence is nobody's fault while they cannot."""
        if self.watch is not None:
            return Listening(self.watch.state == "connected", self.watch.detail)
        status = self.collector.status() if self.collector is not None else None
        if status is None or (status.connected and status.store_available):
            return Listening(True)
        if not status.connected:
            return Listening(False, status.detail)
        return Listening(False, status.last_error, "data.not_stored")

    def _living(self) -> NDArray[np.int32]:
        if self.collector is not None:
            return self.collector.living()
        if self.watch is not None:
            return self.watch.living()
        return self._living_by_record

    def _gateway_times(self) -> Mapping[str, GatewayTimes]:
        return self.collector.gateways() if self.collector is not None else {}

    def _start_looking(self) -> None:
        """Read the newest values from the store every few seconds: another process collects them."""
        ended = threading.Event()

        def look() -> None:
            while not ended.wait(_LOOK_S):
                try:
                    self.board.seed(self.store.latest())
                    self.board.replace_stale(self._offline())
                    self._look_who_lives()
                except StoreUnavailable as error:
                    log.warning("the newest values cannot be read", extra={"why": str(error)})

        thread = threading.Thread(target=look, name="newest-values", daemon=True)
        thread.start()
        self._closing.callback(thread.join)
        self._closing.callback(ended.set)

    def _look_who_lives(self) -> None:
        heard_us = self.board.snapshot().time_us
        self.liveness.seed(heard_us)
        # While nothing at all comes, nobody would tell us of a death either.
        spoken = self.clock() - int(heard_us.max(initial=0)) < _SPOKEN_US
        self._living_by_record = living_points(self.site, Births(self.database)) if spoken else NOBODY

    def _offline(self) -> Iterable[StaleNotice]:
        """Return what gateways have told of points that are offline, derived points included."""
        for notice in offline_points(self.site, Births(self.database)):
            points = notice.point.tolist()
            yield replace(notice, point=np.array([*points, *self.site.derived_from(points)], dtype=np.int32))

    def context(self) -> Context:
        """Return what the web application works with."""
        # FastAPI takes a second and 40 MB, which a process without pages does without.
        from api.context import Context, WebSettings, no_health

        return Context(
            site=self.site,
            store=self.store,
            database=self.database,
            desk=self.desk,
            quarantine=self.quarantine,
            live=self.board,
            collector=lambda: self.collector.status() if self.collector else None,
            clock=self.clock,
            spool=self.spool_status,
            settings=WebSettings(hosts=self.options.hosts, https=self.options.https),
            replays=self.replays,
            site_read_us=self.site_read_us,
            health=self.health.state if self.health is not None else no_health,
            own_books=self.books,
        )

    def run(self) -> None:
        """Serve the pages until the process is told to stop (Ctrl-C or SIGTERM)."""
        from api.app import create_app
        from api.serving import Server

        # The server ends in order first and then raises Ctrl-C again, for programs that do not know of it.
        options = self.options
        with (
            suppress(KeyboardInterrupt),
            announced(options.data, options.host, options.port, options.store_file) as key,
        ):
            Server(create_app(replace(self.context(), local_key=key)), options.host, options.port).run()

    def stop(self) -> None:
        """Stop what runs, newest first: the last readings are committed before the store closes."""
        self._closing.close()


def check_port(host: str, port: int) -> None:
    """Raise ConfigurationError if the pages cannot be served there, before anything else is begun."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            mend = "choose another with --port, or stop what uses it"
            raise ConfigurationError(
                [Problem("", 0, "--port", f"{host}:{port} cannot be used ({error.strerror or error}); {mend}")]
            ) from None


def _port_for_broker() -> int:
    """Return the usual port, or 0 (any free one) where something else has it already."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", EMBEDDED_PORT))
        except OSError:
            return 0
    return EMBEDDED_PORT


def _make_folder(options: Options) -> None:
    try:
        options.data.mkdir(parents=True, exist_ok=True)
        os.listdir(options.data)
    except OSError as error:
        raise ConfigurationError(
            [Problem("", 0, "--data", f"{options.data}: the folder cannot be used ({error.strerror}); name another")]
        ) from None
