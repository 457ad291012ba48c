"""The books of a hospital's energy: what pages, reports and commands ask, and what people enter."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
from sqlalchemy.orm import Session

from analytics.desk import NoSuchRecord
from analytics.energy import entries, statements
from analytics.energy.activity import ActivityBook
from analytics.energy.bookkeeper import TURN, Bookkeeper
from analytics.energy.carbon import Carbon
from analytics.energy.closing import Closing
from analytics.energy.day_costs import DayCost, carbon_by_day, costs_on_record, supply_keys
from analytics.energy.day_figures import DayFigures
from analytics.energy.derived import read_used
from analytics.energy.entries import EnteredExchange, HandReading
from analytics.energy.entry_checks import Around, Point, check_exchange, check_reading
from analytics.energy.intervals import Floats, Intervals, Times, Totals, totals
from analytics.energy.ledger import Ledger, Restatement
from analytics.energy.month_drafts import MonthDrafts
from analytics.energy.reading_tables import read_table
from analytics.energy.register_definitions import registers_with
from analytics.energy.restating import CLOSING_US
from analytics.energy.statements import Report, Statement
from analytics.energy.updating import Updated, Updater
from facility import readings
from facility.calendar import day_bounds_us, day_of, month_bounds_us, to_us
from facility.database import Database, take_turn
from facility.metering import BookedRegister
from facility.names import Names
from facility.site import Site
from facility.store import TelemetryStore
from facility.wording import quoted_zh

_AROUND_US: Final = 45 * 86_400_000_000  # a hand reading is compared with what lies so near
_HOUR_US: Final = 3_600_000_000

# Within a transaction: writes to the audit trail what was done. The upper floor knows how.
Note = Callable[[Session], None]


@dataclass(frozen=True, slots=True)
class BooksProgress:
    """What is being booked now: the stage, the share of it that is done, and since when. [µs UTC]"""

    stage: str
    share: float
    since_us: int


class Books:
    """
    The energy accounts of a site; safe to call from several threads.

    Parameters
    ----------
    site, store : the hospital and its readings
    database : the relational side, migrated
    clock : the time now [µs UTC]
    """

    def __init__(self, site: Site, store: TelemetryStore, database: Database, clock: Callable[[], int]) -> None:
        self.site, self._store, self._database, self._clock = site, store, database, clock
        self._zone = site.time_zone
        self._ledger = Ledger(database)
        self._keeper = Bookkeeper(database)
        self._updater: Updater | None = None  # what it remembers holds only if nobody else has written
        self._drafts = MonthDrafts(site, store, self, ActivityBook(site, database, clock), clock)
        self._closing = Closing(site, database, self._keeper, self._drafts, clock)
        self._running = threading.Lock()
        self._progress: BooksProgress | None = None
        self._since_us = 0  # when the last run that came through began
        self._wanted = threading.Event()
        self._wanted.set()

    # -- bringing up to date

    def bring_up_to_date(
        self, progress: Callable[[str, float], None] | None = None, *, thorough: bool = False
    ) -> Updated:
        """
        Book what is new, and anew what has changed since, and make the statements that this changes.

        One run at a time; a second one waits for the first.

        Parameters
        ----------
        progress : is told the stage and the share of it that is done
        thorough : look at the readings of every day, not only where their number has changed

        Raises
        ------
        StoreUnavailable
            If store or database cannot be reached; what was booked stays, the next run goes on.
        """
        with self._running:
            since_us = self._clock()

            def told(stage: str, share: float) -> None:
                self._progress = BooksProgress(stage, share, since_us)
                if progress is not None:
                    progress(stage, share)

            self._wanted.clear()
            try:
                if not self._keeper.begin() or self._updater is None:
                    self._updater = Updater(self.site, self._store, self._database, self._keeper, self._clock)
                updated = self._updater.run(told, thorough=thorough)
                self._since_us = since_us
                if updated.days is None:
                    return updated
                restated = self._closing.run(updated.stated, told)
                return replace(updated, restatements=updated.restatements + restated)
            except BaseException:
                self._updater = None
                self._wanted.set()
                raise
            finally:
                self._progress = None

    def progress(self) -> BooksProgress | None:
        """Return what is being booked now; None while nothing is."""
        return self._progress

    def ask(self) -> None:
        """Want the books brought up to date soon: somebody entered something."""
        self._wanted.set()

    @property
    def wanted(self) -> bool:
        """Return True if somebody has asked, or entered something, since the books were brought up to date last."""
        if self._wanted.is_set():
            return True
        with self._database.reading() as session:
            return entries.newest_us(session) > self._since_us

    @property
    def booked_until_us(self) -> int | None:
        """Return up to when the books go; None before the first booking. [µs UTC]"""
        return max((us for us in self.booked().values() if us), default=None)

    def booked(self) -> dict[str, int]:
        """Return up to when each register has been booked; 0: not yet. [µs UTC]"""
        return {key: state.booked_us for key, state in self._ledger.registers().items()}

    # -- consumption

    def registers(self) -> dict[str, BookedRegister]:
        """Return the registers that are booked, with the exchanges that people entered, in the site file's order."""
        with self._database.reading() as session:
            return registers_with(self.site, entries.exchanges(session))

    def intervals(self, keys: Sequence[str], start_us: int, end_us: int) -> dict[str, Intervals]:
        """Return what registers and virtual meters counted in the steps of 15 min that begin in [start, end)."""
        return read_used(self._store, keys, start_us, end_us)

    def hourly(self, keys: Sequence[str], start_us: int, end_us: int) -> dict[str, Totals]:
        """Return the same by the whole hours of the site's clock in [start, end); at least by one."""
        zone = self._zone
        days = self._edges(day_of(start_us, zone), day_of(max(end_us, start_us), zone) + timedelta(days=1))
        # Counted from midnight: not every zone is whole hours off UTC.
        begins = np.concatenate([np.arange(a, b, _HOUR_US, dtype=np.int64) for a, b in itertools.pairwise(days)])
        begins = begins[begins >= start_us]
        edges = begins[: max(2, int(np.searchsorted(begins, end_us, side="right")))]
        used = self.intervals(keys, int(edges[0]), int(edges[-1]))
        return {key: totals(own, edges) for key, own in used.items()}

    def daily(self, keys: Sequence[str], first_day: date, last_day: date) -> dict[str, Totals]:
        """
        Return what registers and virtual meters counted by days of the site, both ends counted, from the ledger.

        The shares of today are of the time that has passed; a day that is not booked is missing.
        """
        figures = self._ledger.days(keys, first_day, last_day)
        edges = self._edges(first_day, last_day)
        return {
            key: Totals(edges, figures.amount[i], figures.measured[i], figures.estimated[i], figures.missing[i])
            for i, key in enumerate(figures.keys)
        }

    def monthly(self, keys: Sequence[str], first_month: date, last_month: date) -> dict[str, Totals]:
        """Return the same by months, named by any of their days; days to come do not count in the shares."""
        months = _months(first_month, last_month)
        first, after = months[0], _next_month(months[-1])
        figures = self._ledger.days(keys, first, after - timedelta(days=1))
        edges = self._edges(first, after - timedelta(days=1))
        passed = np.clip(self._clock() - edges[:-1], 0, np.diff(edges)).astype(np.float64)
        starts = np.array([(m - first).days for m in months])
        bounds = np.append(edges[starts], edges[-1])
        return {key: _summed(figures, i, passed, starts, bounds) for i, key in enumerate(figures.keys)}

    def events(self, key: str) -> tuple[Mapping[str, Any], ...]:
        """Return what happened to a register (roll-overs, exchanges, outages ...), oldest first, in both languages."""
        state = self._ledger.registers().get(key)
        return () if state is None else state.events

    def restatements(
        self, *, kind: str | None = None, subject: str | None = None, limit: int = 200, before_id: int | None = None
    ) -> list[Restatement]:
        """Return closed figures that were changed, newest first."""
        return self._ledger.restatements(kind=kind, subject=subject, limit=limit, before_id=before_id)

    def closed_before(self) -> date:
        """Return the day before which all days are closed: a change of their figures is a restatement."""
        return day_of(self._clock() - CLOSING_US, self._zone)

    def is_closed(self, month: date) -> bool:
        """Return whether a month, named by any of its days, is closed."""
        return month_bounds_us(month, self._zone)[1] + CLOSING_US <= self._clock()

    # -- cost and carbon by day

    def costs(self, first_day: date, last_day: date) -> list[DayCost]:
        """Return what the energy of days that are over cost by contract, both ends counted, as the bills have it."""
        with self._database.reading() as session:
            months = _months(first_day, last_day)
            bills = [s for month in months for s in statements.find_all(session, kind="bill", month=month)]
        return costs_on_record(bills, first_day, last_day)

    def costs_of(self, day: date) -> list[DayCost]:
        """Return the same of one day from its steps, with its hours; of today what it cost so far."""
        return self._drafts.costs_of(day)

    def carbon(self, first_day: date, last_day: date) -> list[tuple[date, Carbon]]:
        """Return what the energy of each day emitted, both ends counted."""
        registers = self.registers()
        days = self.daily(supply_keys(self.site, registers), first_day, last_day)
        return carbon_by_day(self.site, registers, days, first_day)

    # -- statements

    def statement(self, kind: str, subject: str, month: date, version: int | None = None) -> Statement | None:
        """Return a monthly document, its newest version unless another is asked for; None if there is none."""
        with self._database.reading() as session:
            return statements.find(session, kind, subject, month, version)

    def statements(
        self,
        *,
        kind: str | None = None,
        subject: str | None = None,
        month: date | None = None,
        newest_only: bool = True,
    ) -> list[Statement]:
        """Return monthly documents, by month, kind and subject; all their versions if asked."""
        with self._database.reading() as session:
            return statements.find_all(session, kind=kind, subject=subject, month=month, newest_only=newest_only)

    def publish(self, month: date, who: str, note: Note | None = None) -> Report:
        """Publish a month as it stands: its versions are kept as they are; ActionRefused if there is nothing new."""
        with self._database.session() as session:
            take_turn(session, TURN)
            report = statements.publish(session, month.replace(day=1), who, self._clock())
            if note is not None:
                note(session)
        return report

    def reports(self, month: date | None = None) -> list[Report]:
        """Return what was published, newest first."""
        with self._database.reading() as session:
            return statements.reports(session, None if month is None else month.replace(day=1))

    # -- what people enter

    def hand_readings(self, register: str | None = None, *, withdrawn: bool = False) -> list[HandReading]:
        """Return readings by hand, oldest first."""
        with self._database.reading() as session:
            found = entries.hand_readings(session, None if register is None else [register], withdrawn=withdrawn)
        return sorted((r for own in found.values() for r in own), key=lambda r: (r.at_us, r.id))

    def add_hand_reading(
        self,
        register: str,
        at_us: int,
        value: float,
        who: str,
        note: str = "",
        *,
        confirmed: bool = False,
        audit: Note | None = None,
    ) -> HandReading:
        """
        Take a reading that a person read off a register.

        The same reading again changes nothing. `confirmed`: the person says that an unlikely value is meant.

        Raises
        ------
        EntryRefused
            If it cannot be right, or is unlikely and not confirmed (`confirmable` then).
        NoSuchRecord
            If no such register is booked.
        """
        booked = self._register(register)
        around = self.around(register, at_us)
        check_reading(booked, at_us, value, around, self._clock(), self._zone, confirmed)
        with self._entering() as session:
            entered, fresh = entries.add_hand_reading(session, register, at_us, value, who, note, self._clock())
            if audit is not None and fresh:
                audit(session)
        return entered

    def import_hand_readings(
        self,
        name: str,
        content: bytes,
        who: str,
        *,
        confirmed: bool = False,
        audit: Callable[[Session, int], None] | None = None,
    ) -> int:
        """
        Take a table of readings by hand, CSV or a spreadsheet: all of it, or with a mistake in it nothing.

        Readings that are on record already are left as they are.

        Parameters
        ----------
        name, content : of the file; the name's ending says what it is
        audit : writes to the audit trail; gets how many readings are new

        Returns
        -------
        How many readings are new.

        Raises
        ------
        NotATable
            If the file is none.
        TableRefused
            With every mistake in it.
        """
        registers, now_us = self.registers(), self._clock()
        found = read_table(name, content, self.site, registers, self._around, now_us, confirmed)
        with self._entering() as session:
            fresh = entries.add_hand_readings(session, found, who, now_us)
            if audit is not None and fresh:
                audit(session, fresh)
        return fresh

    def withdraw_hand_reading(
        self, number: int, who: str, audit: Note | None = None, *, register: str | None = None
    ) -> HandReading:
        """Let a reading by hand (of this register) count no more; it stays on record. NoSuchRecord."""
        with self._entering() as session:
            withdrawn, counted = entries.withdraw_hand_reading(session, number, who, self._clock(), register)
            if audit is not None and counted:
                audit(session)
        return withdrawn

    def exchanges(self, register: str | None = None, *, withdrawn: bool = False) -> list[EnteredExchange]:
        """Return the exchanges that people entered, oldest first; those of the site file are not among them."""
        with self._database.reading() as session:
            found = entries.exchanges(session, None if register is None else [register], withdrawn=withdrawn)
        return sorted((e for own in found.values() for e in own), key=lambda e: (e.at_us, e.id))

    def add_exchange(
        self,
        register: str,
        at_us: int,
        end: float,
        start: float,
        who: str,
        note: str = "",
        *,
        confirmed: bool = False,
        audit: Note | None = None,
    ) -> EnteredExchange:
        """
        Take an exchange of a meter: the old register's end, the new one's start; EntryRefused, NoSuchRecord.

        The same exchange again changes nothing. One that is only unlikely is taken if a person has `confirmed` it.
        """
        around, now_us = self.around(register, at_us), self._clock()
        with self._entering() as session:
            entered = entries.exchanges(session, [register]).get(register, [])
            same = [e for e in entered if (e.at_us, e.end_value, e.start_value) == (at_us, end, start)]
            if same:
                return same[0]
            booked = registers_with(self.site, {register: entered})[register]
            around = replace(around, exchanges_us=_exchanges_us(booked))
            check_exchange(booked, at_us, end, start, around, now_us, self._zone, confirmed)
            fresh = entries.add_exchange(session, register, at_us, end, start, who, note, now_us)
            if audit is not None:
                audit(session)
        return fresh

    def withdraw_exchange(
        self, number: int, who: str, audit: Note | None = None, *, register: str | None = None
    ) -> EnteredExchange:
        """Let an exchange that was entered count no more; it stays on record. NoSuchRecord."""
        with self._entering() as session:
            withdrawn, counted = entries.withdraw_exchange(session, number, who, self._clock(), register)
            if audit is not None and counted:
                audit(session)
        return withdrawn

    def around(self, register: str, at_us: int) -> Around:
        """Return what is known of a register around a time: its readings before and after, and its exchanges."""
        known = self._around(register, at_us, at_us)
        points = [*known.before, *known.after]
        return replace(
            known, before=[p for p in points if p.at_us < at_us], after=[p for p in points if p.at_us > at_us]
        )

    def _around(self, register: str, from_us: int, to_us_: int) -> Around:
        """Return what is known of a register from some weeks before one time to some weeks after another."""
        booked = self._register(register)
        near = self._store.series([register], from_us - _AROUND_US, to_us_ + _AROUND_US)[register]
        good = (near.quality & readings.OUT_OF_RANGE) == 0
        points = {int(t): Point(int(t), float(v)) for t, v in zip(near.time_us[good], near.value[good], strict=True)}
        for own in self.hand_readings(register):
            points.setdefault(own.at_us, Point(own.at_us, own.value))
        ordered = [points[t] for t in sorted(points)]
        return Around(ordered, (), _exchanges_us(booked))

    # -- inside

    def _register(self, key: str) -> BookedRegister:
        found = self.registers().get(key)
        if found is None:
            raise NoSuchRecord(
                Names(
                    zh=f"{quoted_zh(key)}不是入账的计数器；请写 设备/测点，例如 em-1/energy_import",
                    en=f"{key!r} is no register that is booked; write equipment/point, such as em-1/energy_import",
                )
            )
        return found

    @contextmanager
    def _entering(self) -> Iterator[Session]:
        with self._database.session() as session:
            entries.take_turn(session)
            yield session
        self._wanted.set()

    def _edges(self, first_day: date, last_day: date) -> Times:
        days = [first_day + timedelta(days=i) for i in range(max(0, (last_day - first_day).days + 1))]
        starts = [day_bounds_us(day, self._zone)[0] for day in days]
        return np.array([*starts, day_bounds_us(last_day, self._zone)[1]], dtype=np.int64)


def _exchanges_us(register: BookedRegister) -> list[int]:
    return [to_us(e.at) for e in register.register.exchanges]


def _summed(figures: DayFigures, i: int, passed: Floats, starts: Times, bounds: Times) -> Totals:
    amount = figures.amount[i]
    known = np.isfinite(amount)
    sums = np.add.reduceat(np.where(known, amount, 0.0), starts)
    some = np.add.reduceat(known.astype(np.int64), starts) > 0
    whole = np.add.reduceat(passed, starts)
    shares = [
        np.divide(np.add.reduceat(share * passed, starts), whole, out=np.full(whole.shape, nothing), where=whole > 0.0)
        for share, nothing in ((figures.measured[i], 0.0), (figures.estimated[i], 0.0), (figures.missing[i], 1.0))
    ]
    return Totals(bounds, np.where(some, sums, np.nan), *shares)


def _months(first: date, last: date) -> list[date]:
    months = [first.replace(day=1)]
    while _next_month(months[-1]) <= last:
        months.append(_next_month(months[-1]))
    return months


def _next_month(month: date) -> date:
    return (month.replace(day=1) + timedelta(days=32)).replace(day=1)
