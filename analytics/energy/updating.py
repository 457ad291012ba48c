"""Bringing the books up to date: finds which days have other readings than they were booked from, and books those.

The result depends on the readings alone: each stretch is booked with the habits of the month in which it begins, learnt
from days that the calendar names, and an outage across a month's end with those of the month before it. So a month that
came in any order, and late, equals the month that came in order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from typing import Any, Final

import numpy as np

from analytics.energy import entries
from analytics.energy.behind import Behind
from analytics.energy.booking import Bools, Segment, learning_days, segments
from analytics.energy.bookkeeper import Bookkeeper
from analytics.energy.day_figures import DayFigures, figures_of, months_of, widened
from analytics.energy.derived import address_of, read_used, write_used
from analytics.energy.intervals import STEP_US, Intervals
from analytics.energy.ledger import Cause, Ledger, RegisterState
from analytics.energy.posting import Posted, post
from analytics.energy.register_booking import RegisterBooking, portions
from analytics.energy.register_definitions import cause_of_definition, definition_of, registers_with
from analytics.energy.register_events import RegisterEvent
from analytics.energy.registers import Booked
from analytics.energy.survey import Progress, Survey, Surveyor
from analytics.energy.virtual_booking import RegistersRun, VirtualBooking
from facility.calendar import day_bounds_us, day_of
from facility.database import Database
from facility.metering import BookedRegister
from facility.readings import Series
from facility.site import Site
from facility.store import TelemetryStore

_MOST_READ: Final = 2_000_000  # readings of a part; one is in memory while the one before it is stored
_EARLIEST: Final = date(2000, 1, 1)  # of what is older no reading is entered or collected
_STATED_MONTHS: Final = 12  # on either side of a month with readings; some meters are read once a year
_MOST_EVENTS: Final = 500  # of a register, the newest


@dataclass(frozen=True, slots=True)
class Updated:
    """
    What was booked.

    Attributes
    ----------
    months : first days of the months of which a figure changed, and why the first of those figures did
    days : the first and the last day of the books; None while they hold none
    stated : first days of the months that have statements: those in which a register was read, and those around
    steps : steps of 15 min that were written
    restatements : how many closed figures were changed
    until_us : up to when the books go [µs UTC]
    """

    months: Mapping[date, Cause]
    days: tuple[date, date] | None
    stated: Sequence[date]
    steps: int
    restatements: int
    until_us: int


@dataclass(slots=True)
class _Run:
    """What a run has found and done so far."""

    now_us: int
    until_us: int
    registers: Mapping[str, BookedRegister]
    hand: Mapping[str, Series]
    entered: Mapping[str, Sequence[entries.HandReading]]
    causes: dict[str, Cause] = field(default_factory=dict)
    changed: dict[str, Bools] = field(default_factory=dict)
    months: dict[date, Cause] = field(default_factory=dict)
    steps: int = 0
    restatements: int = 0

    def take(self, posted: Posted) -> None:
        """Count what was posted."""
        self.months = {**posted.months, **self.months}
        self.restatements += posted.restatements


class Updater:
    """
    Books what is new, and anew what has changed; one run at a time.

    Parameters
    ----------
    site, store : the hospital and its readings
    database : keeps the ledger, and what people entered
    keeper : lets write
    clock : the time now [µs UTC]
    """

    def __init__(
        self, site: Site, store: TelemetryStore, database: Database, keeper: Bookkeeper, clock: Callable[[], int]
    ) -> None:
        self._site, self._store, self._database, self._clock = site, store, database, clock
        self._keeper = keeper
        self._ledger, self._zone = Ledger(database), site.time_zone
        self._surveyor, self._booking = Surveyor(store), RegisterBooking(store, site.time_zone)
        self._virtual = VirtualBooking(site, store, database, keeper)
        self._figures: DayFigures | None = None  # the whole ledger as it stands; None: not read yet
        self._edges = np.zeros(0, dtype=np.int64)
        self._states: dict[str, RegisterState] = {}

    def run(self, progress: Progress, *, thorough: bool = False) -> Updated:
        """
        Book everything that is not up to date.

        Parameters
        ----------
        progress : is told the stage and the share of it that is done
        thorough : look at the readings of every day, not only where their number has changed; the first run is

        Raises
        ------
        StoreUnavailable
            If store or database cannot be reached; what was booked stays, the next run goes on.
        """
        run = self._look_up()
        if self._figures is None:
            self._states = self._ledger.registers()
        thorough = (
            thorough or self._figures is None or self._surveyor.older_came(run.registers, run.hand, int(self._edges[0]))
        )
        figures = self._open_days(run, thorough)
        if figures is None:
            return Updated({}, None, (), 0, 0, run.until_us)
        survey = self._surveyor.look(figures, self._edges, run.registers, run.hand, run.until_us, thorough, progress)
        self._book_all(run, survey, self._what_to_book(run, survey), progress)
        self._note_registers(run)
        self._surveyor.settle()
        self._book_virtual(run, thorough, progress)
        months = dict(sorted(run.months.items()))
        days = (figures.first_day, figures.days[-1])
        return Updated(months, days, _stated(figures), run.steps, run.restatements, run.until_us)

    # -- what there is

    def _look_up(self) -> _Run:
        now_us = self._clock()
        with self._database.reading() as session:
            entered = entries.hand_readings(session, withdrawn=True)
            exchanged = entries.exchanges(session)
        registers = registers_with(self._site, exchanged)
        hand = {key: [r for r in own if r.withdrawn_us is None] for key, own in entered.items()}
        series = {
            key: Series(
                np.array([r.at_us for r in own], dtype=np.int64),
                np.array([r.value for r in own], dtype=np.float64),
                np.zeros(len(own), dtype=np.uint8),
            )
            for key, own in hand.items()
            if own and key in registers
        }
        return _Run(now_us, now_us - now_us % STEP_US, registers, series, entered)

    def _open_days(self, run: _Run, thorough: bool) -> DayFigures | None:
        """Make room for the days from the first reading to today, and return it; None while there is no day."""
        old = self._figures
        first = [old.first_day] if old is not None else []
        if thorough:
            first += [day_of(int(s.time_us[0]), self._zone) for s in run.hand.values() if len(s)]
            size = self._store.size()
            first += [day_of(size.first_us, self._zone)] if size.first_us is not None else []
            booked = self._ledger.span()
            first += [booked[0]] if booked is not None else []
        last = day_of(run.until_us - 1, self._zone)
        # A clock that was never set must not make decades of books.
        begin = max(min(first, default=last), _EARLIEST)
        if not run.registers or not first or begin > last:
            return None
        keys = tuple(run.registers)
        if old is None or old.keys != keys or begin < old.first_day:
            self._figures = self._ledger.days(keys, begin, last)
        elif last > old.days[-1]:
            self._figures = widened(old, (last - old.days[-1]).days)
        figures = self._held()
        bounds = [day_bounds_us(day, self._zone) for day in figures.days]
        self._edges = np.array([*(b[0] for b in bounds), bounds[-1][1]], dtype=np.int64)
        return figures

    def _held(self) -> DayFigures:
        if self._figures is None:
            raise RuntimeError("the ledger has not been read")
        return self._figures

    def _first_kept(self) -> int:
        """Return the place of the first day whose readings have not expired; what is before stays as it was booked."""
        kept_us = next((level.kept_from_us for level in self._store.levels() if level.level is None), None)
        return 0 if kept_us is None else int(np.searchsorted(self._edges[:-1], kept_us))

    # -- what must be booked

    def _what_to_book(self, run: _Run, survey: Survey) -> dict[Segment, list[int]]:
        """Return the registers, by their place, that have the same days to be booked."""
        figures, kept = survey.figures, self._first_kept()
        has, had = survey.counts > 0, figures.readings > 0
        changed = (survey.counts != figures.readings) | (survey.signatures != figures.signature)
        # Readings that have expired have not been withdrawn.
        changed[:, :kept] = False
        has[:, :kept] |= had[:, :kept]
        begun = np.logical_or.accumulate(has, axis=1)
        stale = begun & ~figures.held
        self._mark_learnt(survey, has, had, changed, stale)
        for k, key in enumerate(figures.keys):
            state = self._states.get(key)
            if state is not None:
                # The day on which it was booked last was not over.
                since = survey.place_of(state.booked_us)
                stale[k, since:] |= begun[k, since:]
            definition = definition_of(run.registers[key])
            if state is not None and state.definition not in ("", definition):
                stale[k] |= figures.held[k]
                run.causes[key] = cause_of_definition(state.definition, definition)
            elif changed[k].any():
                run.causes[key] = self._cause_of_readings(run, key, changed[k])
            elif stale[k].any():
                run.causes[key] = "profile"
        stale[:, :kept] = False
        work: dict[Segment, list[int]] = {}
        for k in range(len(figures.keys)):
            for segment in segments(has[k], changed[k], stale[k]):
                work.setdefault(replace(segment, first=max(segment.first, kept)), []).append(k)
        return dict(sorted(work.items(), key=lambda item: item[0].first))

    def _mark_learnt(self, survey: Survey, has: Bools, had: Bools, changed: Bools, stale: Bools) -> None:
        """Mark the months whose habits are learnt from other readings than they were."""
        figures = survey.figures
        over_then = np.array(
            [survey.place_of(self._states[key].booked_us) if key in self._states else 0 for key in figures.keys],
            dtype=np.int64,
        )
        passed = np.concatenate([np.zeros((changed.shape[0], 1), dtype=np.int64), np.cumsum(changed, axis=1)], axis=1)
        rows = np.arange(changed.shape[0])
        for _, first, last in months_of(figures.days):
            low, high = learning_days(has, first, survey.over)
            other = passed[rows, high] > passed[rows, low]
            for then in np.unique(over_then).tolist():
                old_low, old_high = learning_days(had, first, min(then, survey.over))
                other |= (over_then == then) & ((old_low != low) | (old_high != high))
            stale[other, first:last] |= figures.held[other, first:last]

    def _cause_of_readings(self, run: _Run, key: str, changed: Bools) -> Cause:
        """Return why the readings of some days are others: did a person enter or withdraw one, or did data come."""
        state, places = self._states.get(key), np.flatnonzero(changed)
        from_us, to_us = int(self._edges[places[0]]), int(self._edges[places[-1] + 1])
        since_us = state.booked_us if state is not None else 0
        own = run.entered.get(key, ())
        by_hand = any(from_us <= r.at_us < to_us and max(r.entered_us, r.withdrawn_us or 0) >= since_us for r in own)
        return "hand reading" if by_hand else "late data"

    # -- booking

    def _book_all(self, run: _Run, survey: Survey, work: Mapping[Segment, list[int]], progress: Progress) -> None:
        total = sum(len(rows) * (segment.last + 1 - segment.first) for segment, rows in work.items())
        done = 0
        # Storing takes as long as working out, and waits for the disk: so each part is stored while the next is read.
        with Behind("accounts") as behind:
            for segment, rows in work.items():
                days = segment.last + 1 - segment.first
                readings = survey.counts[rows, segment.lead : segment.tail + 1].sum(axis=1)
                for part in portions(rows, readings, 96 * days, _MOST_READ):
                    progress("book", done / max(1, total))
                    start_us = int(self._edges[segment.first])
                    end_us = min(int(self._edges[segment.last + 1]), run.until_us)
                    if start_us < end_us:
                        booked = self._booking.book(survey, segment, part, start_us, end_us)
                        # Also of days that the ledger does not hold: a booking may have broken off in between.
                        there = read_used(self._store, list(booked), start_us, end_us)
                        behind.do(partial(self._keep, run, survey, segment, part, booked, there))
                    done += len(part) * days
        progress("book", 1.0)

    def _book_virtual(self, run: _Run, thorough: bool, progress: Progress) -> None:
        left = RegistersRun(
            self._held().first_day, self._edges, run.changed, run.causes, thorough, run.now_us, run.until_us
        )
        posted, steps, states = self._virtual.run(left, self._states, progress)
        run.steps += steps
        for one in posted:
            run.take(one)
        self._states |= {state.register: state for state in states}

    def _keep(
        self,
        run: _Run,
        survey: Survey,
        segment: Segment,
        rows: Sequence[int],
        booked: Mapping[str, Booked],
        there: Mapping[str, Intervals],
    ) -> None:
        """Store what the registers in some rows counted where `there` stands something else, and then post it."""
        figures, days = survey.figures, slice(segment.first, segment.last + 1)
        edges = np.minimum(self._edges[segment.first : segment.last + 2], run.until_us)
        start_us, end_us = int(edges[0]), int(edges[-1])
        new = {key: b.intervals for key, b in booked.items()}
        addresses = {key: address_of(self._site, run.registers[key]) for key in booked}
        run.steps += write_used(self._store, addresses, new, there)
        fresh = figures_of(list(booked), figures.days[segment.first], new, edges)
        fresh.readings[:], fresh.signature[:] = survey.counts[rows, days], survey.signatures[rows, days]
        states = [self._with_events(run, key, b.events, start_us, end_us) for key, b in booked.items()]
        self._post(run, fresh, rows, days, [s for s in states if s is not None])

    def _post(
        self, run: _Run, fresh: DayFigures, rows: Sequence[int], days: slice, states: Sequence[RegisterState]
    ) -> None:
        causes: Mapping[str, Cause] = run.causes
        posted = post(
            self._keeper, self._held(), fresh, rows, days,
            units={key: run.registers[key].unit for key in fresh.keys},
            cause_of=lambda key: causes.get(key, "late data"), states=states, known=self._states, now_us=run.now_us,
            until_us=run.until_us, zone=self._zone,
        )  # fmt: skip
        self._states |= {state.register: state for state in states}
        for i, key in enumerate(fresh.keys):
            run.changed.setdefault(key, np.zeros(self._edges.shape[0] - 1, dtype=bool))[days] |= posted.other[i]
        run.take(posted)

    # -- registers

    def _with_events(
        self, run: _Run, key: str, events: Sequence[RegisterEvent], start_us: int, end_us: int
    ) -> RegisterState | None:
        """Return a register with what happened to it in [start, end) as it was found now; None if that is known."""
        state = self._states.get(key) or RegisterState(key, run.registers[key].unit, "", 0)
        # An event that reaches into the stretch was found anew, or is none any more.
        kept = [e for e in state.events if e["to_us"] < start_us or e["from_us"] >= end_us]
        told = sorted([*kept, *(_told(e) for e in events)], key=lambda e: (e["from_us"], e["to_us"]))[-_MOST_EVENTS:]
        return None if told == list(state.events) else replace(state, events=tuple(told))

    def _note_registers(self, run: _Run) -> None:
        """Note up to when all registers are booked, and as what."""
        fresh = []
        for key, register in run.registers.items():
            state = self._states.get(key) or RegisterState(key, register.unit, "", 0)
            fresh.append(replace(state, unit=register.unit, definition=definition_of(register), booked_us=run.until_us))
        with self._keeper.session() as session:
            Ledger.write_registers(session, fresh, self._states)
        self._states |= {state.register: state for state in fresh}


def _stated(figures: DayFigures) -> list[date]:
    months = months_of(figures.days)
    read = np.array([figures.readings[:, first:last].any() for _, first, last in months], dtype=np.float64)
    near = np.convolve(read, np.ones(2 * _STATED_MONTHS + 1))[_STATED_MONTHS : _STATED_MONTHS + read.size]
    begun = np.maximum.accumulate(read)
    return [month for (month, _, _), stated in zip(months, near * begun, strict=True) if stated > 0.5]


def _told(event: RegisterEvent) -> dict[str, Any]:
    words = event.told
    counted = event.counted if math.isfinite(event.counted) else None
    return {
        "kind": event.kind, "from_us": event.from_us, "to_us": event.to_us, "before": event.before,
        "after": event.after, "counted": counted, "zh": words.zh, "en": words.en,
    }  # fmt: skip
