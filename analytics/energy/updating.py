"""Bringing the books up to date: finds which days have other readings than they were booked from, and books those.

The result depends on the readings alone: each stretch is booked with the habits of the month in which it begins, learnt
from days that the calendar names, and an outage across a month's end with those of the month before it. So a month that
came in any order, and late, equals the month that came in order.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analytics.energy import entries
from analytics.energy.booking import Segment, day_signatures, hand_signatures, learning_days, segments
from analytics.energy.derived import address_of, read_used, write_used
from analytics.energy.habits import Habits
from analytics.energy.intervals import ESTIMATED, STEP_US, Intervals, Times, totals
from analytics.energy.ledger import Cause, DayFigures, Ledger, RegisterState
from analytics.energy.register_events import RegisterEvent
from analytics.energy.registers import Booked, book, learn
from analytics.energy.restating import CLOSING_US, restated
from facility import readings
from facility.calendar import day_bounds_us, day_of
from facility.database import Database
from facility.formats import moment
from facility.metering import BookedRegister, booked_registers
from facility.readings import Series
from facility.site import MeterExchange, Site
from facility.store import Level, TelemetryStore

log = logging.getLogger(__name__)

_MOST_READ: Final = 4_000_000  # readings in memory at a time
_KEYS_AT_A_TIME: Final = 200
_RECENT: Final = timedelta(days=2)
_MOST_EVENTS: Final = 500  # of a register, the newest

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Updated:
    """
    What was booked.

    Attributes
    ----------
    months : first days of the months of which a figure changed, and why the first of those figures did
    days : the first and the last day of the books; None while they hold none
    steps : steps of 15 min that were written
    restatements : how many closed figures were changed
    until_us : up to when the books go [µs UTC]
    """

    months: Mapping[date, Cause]
    days: tuple[date, date] | None
    steps: int
    restatements: int
    until_us: int


@dataclass(slots=True)
class _Found:
    """What a run has found and done so far."""

    now_us: int
    until_us: int
    registers: Mapping[str, BookedRegister]
    hand: Mapping[str, Series]
    causes: dict[str, Cause] = field(default_factory=dict)
    months: dict[date, Cause] = field(default_factory=dict)
    events: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    steps: int = 0
    restatements: int = 0


class Updater:
    """
    Books what is new, and anew what has changed; one run at a time.

    Parameters
    ----------
    site, store : the hospital and its readings
    database : keeps the ledger, and what people entered
    clock : the time now [µs UTC]
    """

    def __init__(self, site: Site, store: TelemetryStore, database: Database, clock: Callable[[], int]) -> None:
        self._site, self._store, self._database, self._clock = site, store, database, clock
        self._ledger = Ledger(database)
        self._zone = site.time_zone
        self._figures: DayFigures | None = None  # the whole ledger as it stands; None: not read yet
        self._edges = np.zeros(0, dtype=np.int64)
        self._states: dict[str, RegisterState] = {}
        self._counts: dict[date, Mapping[str, int]] = {}
        self._by_hand: dict[str, tuple[bytes, bytes]] = {}
        self._before = 0  # readings older than the first day
        self._learnt: dict[tuple[str, date], tuple[int, Habits | None]] = {}  # fingerprint of what it was learnt from

    def run(self, progress: Progress, *, thorough: bool = False, registers: Sequence[str] | None = None) -> Updated:
        """
        Book everything that is not up to date.

        Parameters
        ----------
        progress : is told the stage and the share of it that is done
        thorough : look at the readings of every day, not only where their number has changed; the first run is
        registers : only these; None: all of the site

        Raises
        ------
        StoreUnavailable
            If store or database cannot be reached; what was booked stays, the next run goes on.
        """
        now_us = self._clock()
        found = self._look_up(now_us)
        if self._figures is None:
            self._states = self._ledger.registers()
        thorough = thorough or self._figures is None or self._older_came(found)
        if not found.registers or not self._open_days(found, thorough):
            return Updated({}, None, 0, 0, found.until_us)
        figures = self._days()
        counts, signatures = self._survey(found, thorough, progress)
        kept = self._first_kept()
        work = self._what_to_book(found, counts, signatures, kept, set(registers) if registers is not None else None)
        self._book_all(found, work, counts, signatures, progress)
        self._note_registers(found, figures.keys if registers is None else registers)
        span = (figures.first_day, figures.days[-1])
        return Updated(dict(sorted(found.months.items())), span, found.steps, found.restatements, found.until_us)

    # -- what there is

    def _look_up(self, now_us: int) -> _Found:
        with self._database.reading() as session:
            hand, exchanged = entries.hand_readings(session), entries.exchanges(session)
        merged = registers_with(self._site, exchanged)
        series = {
            key: Series(
                np.array([r.at_us for r in own], dtype=np.int64),
                np.array([r.value for r in own], dtype=np.float64),
                np.zeros(len(own), dtype=np.uint8),
            )
            for key, own in hand.items()
            if key in merged
        }
        return _Found(now_us, now_us - now_us % STEP_US, merged, series)

    def _older_came(self, found: _Found) -> bool:
        """Return whether readings have come from before the first day of the books."""
        edge_us = int(self._edges[0])
        if any(len(s) and int(s.time_us[0]) < edge_us for s in found.hand.values()):
            return True
        before = sum(self._store.count(list(found.registers), -(2**62), edge_us).values())
        older, self._before = before > self._before, before
        return older

    def _open_days(self, found: _Found, thorough: bool) -> bool:
        """Make room for the days from the first reading to today; return False while there is none."""
        first = [self._figures.first_day] if self._figures is not None else []
        if thorough:
            first += [day_of(int(s.time_us[0]), self._zone) for s in found.hand.values() if len(s)]
            size = self._store.size()
            first += [day_of(size.first_us, self._zone)] if size.first_us is not None else []
            booked = self._ledger.span()
            first += [booked[0]] if booked is not None else []
        last = day_of(found.until_us - 1, self._zone)
        if not first or min(first) > last:
            return False
        keys = tuple(found.registers)
        old = self._figures
        if old is None or old.keys != keys or min(first) < old.first_day:
            self._figures = self._ledger.days(keys, min(first), last)
        elif last > old.days[-1]:
            self._figures = _widened(old, (last - old.days[-1]).days)
        self._edges = np.array(
            [day_bounds_us(d, self._zone)[0] for d in self._days().days] + [day_bounds_us(last, self._zone)[1]],
            dtype=np.int64,
        )
        return True

    def _days(self) -> DayFigures:
        if self._figures is None:
            raise RuntimeError("the ledger has not been read")
        return self._figures

    def _first_kept(self) -> int:
        """Return the place of the first day whose readings have not expired; what is before stays as it was booked."""
        kept_us = next((level.kept_from_us for level in self._store.levels() if level.level is None), None)
        return 0 if kept_us is None else int(np.searchsorted(self._edges[:-1], kept_us))

    def _survey(self, found: _Found, thorough: bool, progress: Progress) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return count and signature of the readings of each register and day, as they are now."""
        figures = self._days()
        counts, signatures = figures.readings.copy(), figures.signature.copy()
        keys = figures.keys
        for months, first, last in self._to_survey(found, thorough):
            start_us, end_us = int(self._edges[first]), int(self._edges[last])
            edges = self._edges[first : last + 1]
            for i in range(0, len(keys), _KEYS_AT_A_TIME):
                progress("survey", i / len(keys))
                part = keys[i : i + _KEYS_AT_A_TIME]
                rolled = self._store.rollup(part, Level.DAY, start_us, end_us)
                for k, key in enumerate(part, i):
                    n, mark = day_signatures(rolled[key], edges)
                    if key in found.hand:
                        more, other = hand_signatures(found.hand[key].time_us, found.hand[key].value, edges)
                        n, mark = n + more, mark ^ other
                    counts[k, first:last], signatures[k, first:last] = n, mark
            self._counts |= months
        return counts, signatures

    def _to_survey(self, found: _Found, thorough: bool) -> Iterator[tuple[Mapping[date, Mapping[str, int]], int, int]]:
        """Yield stretches of days to look at, and the months' counts that are true once they have been."""
        days = self._days().days
        by_hand = {key: (s.time_us.tobytes(), s.value.tobytes()) for key, s in found.hand.items()}
        other_hand, self._by_hand = by_hand != self._by_hand, by_hand
        for month, first, last in months_of(days):
            counted = self._store.count(self._days().keys, int(self._edges[first]), int(self._edges[last]))
            if thorough or other_hand or self._counts.get(month) != counted:
                yield {month: counted}, first, last
            elif days[last - 1] >= days[-1] - _RECENT:
                yield {}, first, last

    def _what_to_book(
        self,
        found: _Found,
        counts: NDArray[np.int64],
        signatures: NDArray[np.int64],
        kept: int,
        only: set[str] | None,
    ) -> dict[Segment, list[int]]:
        """Return the registers, by their place, that have the same days to be booked."""
        figures = self._days()
        has, had = counts > 0, figures.readings > 0
        changed = (counts != figures.readings) | (signatures != figures.signature)
        # Readings that have expired have not been withdrawn.
        changed[:, :kept] = False
        has[:, :kept] |= had[:, :kept]
        begun = np.logical_or.accumulate(has, axis=1)
        stale = begun & ~figures.held
        over = counts.shape[1] - 1 if found.until_us < self._edges[-1] else counts.shape[1]
        self._mark_learnt(has, had, changed, stale, over)
        for k, key in enumerate(figures.keys):
            state = self._states.get(key)
            if state is not None:
                stale[k, self._place_of(state.booked_us) :] |= begun[k, self._place_of(state.booked_us) :]
            definition = definition_of(found.registers[key])
            if state is not None and state.definition != definition:
                stale[k] |= figures.held[k]
                found.causes[key] = _cause_of_definition(state.definition, definition)
            elif changed[k].any():
                found.causes[key] = self._cause_of_readings(key, changed[k])
            elif stale[k].any():
                found.causes[key] = "profile"
        stale[:, :kept] = False
        work: dict[Segment, list[int]] = {}
        for k, key in enumerate(figures.keys):
            if only is None or key in only:
                for segment in segments(has[k], changed[k], stale[k]):
                    first = max(segment.first, kept)
                    work.setdefault(replace(segment, first=first), []).append(k)
        return dict(sorted(work.items(), key=lambda item: item[0].first))

    def _mark_learnt(
        self,
        has: NDArray[np.bool_],
        had: NDArray[np.bool_],
        changed: NDArray[np.bool_],
        stale: NDArray[np.bool_],
        over: int,
    ) -> None:
        """Mark the months whose habits are learnt from other readings than they were."""
        figures = self._days()
        booked = [self._states[key].booked_us if key in self._states else 0 for key in figures.keys]
        over_then = np.array([self._place_of(b) for b in booked], dtype=np.int64)
        passed = np.concatenate([np.zeros((changed.shape[0], 1), dtype=np.int64), np.cumsum(changed, axis=1)], axis=1)
        rows = np.arange(changed.shape[0])
        for _, first, last in months_of(figures.days):
            low, high = learning_days(has, first, over)
            other = passed[rows, high] > passed[rows, low]
            for then in np.unique(over_then).tolist():
                old_low, old_high = learning_days(had, first, min(then, over))
                other |= (over_then == then) & ((old_low != low) | (old_high != high))
            stale[other, first:last] |= figures.held[other, first:last]

    def _place_of(self, time_us: int) -> int:
        """Return the place of the day that holds a time; 0 for what is before all days."""
        return int(np.clip(np.searchsorted(self._edges, time_us, side="right") - 1, 0, self._edges.shape[0] - 1))

    def _cause_of_readings(self, key: str, changed: NDArray[np.bool_]) -> Cause:
        state = self._states.get(key)
        places = np.flatnonzero(changed)
        from_us, to_us = int(self._edges[places[0]]), int(self._edges[places[-1] + 1])
        with self._database.reading() as session:
            own = entries.hand_readings(session, [key], withdrawn=True).get(key, [])
        since = state.booked_us if state is not None else 0
        by_hand = any(
            from_us <= r.at_us < to_us and max(r.entered_us, r.withdrawn_us or 0) >= since - STEP_US for r in own
        )
        return "hand reading" if by_hand else "late data"

    # -- booking

    def _book_all(
        self,
        found: _Found,
        work: Mapping[Segment, list[int]],
        counts: NDArray[np.int64],
        signatures: NDArray[np.int64],
        progress: Progress,
    ) -> None:
        total = sum(len(rows) * (segment.last + 1 - segment.first) for segment, rows in work.items())
        done = 0
        for segment, rows in work.items():
            weights = counts[rows, segment.lead : segment.tail + 1].sum(axis=1)
            for part in _portions(rows, weights, 96 * (segment.last + 1 - segment.first)):
                progress("book", done / max(1, total))
                self._book(found, segment, part, counts, signatures)
                done += len(part) * (segment.last + 1 - segment.first)
        progress("book", 1.0)

    def _book(
        self,
        found: _Found,
        segment: Segment,
        rows: Sequence[int],
        counts: NDArray[np.int64],
        signatures: NDArray[np.int64],
    ) -> None:
        figures = self._days()
        keys = [figures.keys[k] for k in rows]
        days = slice(segment.first, segment.last + 1)
        start_us, end_us = int(self._edges[segment.first]), min(int(self._edges[segment.last + 1]), found.until_us)
        if end_us <= start_us:
            return
        booked = self._booked(found, segment, rows, counts, signatures, start_us, end_us)
        old = [bool(held.any()) for held in figures.held[rows, days]]
        there = read_used(self._store, [key for key, o in zip(keys, old, strict=True) if o], start_us, end_us)
        new = {key: b.intervals for key, b in booked.items()}
        addresses = {key: address_of(self._site, found.registers[key]) for key in keys}
        found.steps += write_used(self._store, addresses, new, there)
        edges = np.minimum(self._edges[segment.first : segment.last + 2], end_us)
        fresh = _figures_of(keys, figures.days[segment.first], new, edges)
        fresh.readings[:], fresh.signature[:] = counts[rows, days], signatures[rows, days]
        self._enter(found, segment, rows, fresh)
        for key, b in booked.items():
            self._note_events(found, key, b.events, start_us, end_us)

    def _enter(self, found: _Found, segment: Segment, rows: Sequence[int], fresh: DayFigures) -> None:
        """Write figures to the ledger, with the restatements that they make, and remember them."""
        days = slice(segment.first, segment.last + 1)
        before = _cut(self._days(), rows, days)
        closed = day_of(found.now_us - CLOSING_US, self._zone)
        units = {key: found.registers[key].unit for key in fresh.keys}
        causes: Mapping[str, Cause] = found.causes
        told = restated(before, fresh, closed, lambda key: causes.get(key, "late data"), units, found.now_us)
        other = ~before.held | _differs(before, fresh)
        if other.any():
            with self._database.session() as session:
                Ledger.write_days(session, fresh, other, before.held, found.now_us)
                Ledger.add_restatements(session, told)
        found.restatements += len(told)
        for r in told:
            found.months.setdefault(r.first_day.replace(day=1), r.cause)
            found.months.setdefault(r.last_day.replace(day=1), r.cause)
        # Statements are made of days that are over.
        over = (day_of(found.until_us, self._zone) - fresh.first_day).days
        for j in np.flatnonzero(other[:, : max(over, 0)].any(axis=0)).tolist():
            found.months.setdefault((fresh.first_day + timedelta(days=j)).replace(day=1), "late data")
        whole = self._days()
        for name in _ARRAYS:
            getattr(whole, name)[np.ix_(rows, range(days.start, days.stop))] = getattr(fresh, name)

    def _booked(
        self,
        found: _Found,
        segment: Segment,
        rows: Sequence[int],
        counts: NDArray[np.int64],
        signatures: NDArray[np.int64],
        start_us: int,
        end_us: int,
    ) -> dict[str, Booked]:
        figures = self._days()
        keys = [figures.keys[k] for k in rows]
        if not counts[rows, segment.lead : segment.tail + 1].any():
            return {key: Booked(Intervals.missing(start_us, end_us), ()) for key in keys}
        months = [m for m in months_of(figures.days) if m[1] <= segment.last and m[2] > segment.lead]
        taught = self._to_learn(found, rows, [(month, first) for month, first, _ in months], counts, signatures)
        spans = [taught[key, month] for key in keys for month, _, _ in months if taught[key, month] is not None]
        low = min([segment.lead, *(span.start for span in spans if span is not None)])
        high = max([segment.tail + 1, *(span.stop for span in spans if span is not None)])
        series = self._series(found, keys, int(self._edges[low]), int(self._edges[high]))
        booked: dict[str, Booked] = {}
        for key in keys:
            register = found.registers[key].register
            stretches = []
            for month, first, last in months:
                span = taught[key, month]
                if span is not None:
                    own = _between(series[key], int(self._edges[span.start]), int(self._edges[span.stop]))
                    mark, _ = self._learnt[key, month]
                    habits = learn(own.time_us, own.value, own.quality, register, self._zone) if len(own) else None
                    self._learnt[key, month] = (mark, habits)
                stretches.append((int(self._edges[first]), int(self._edges[last]), self._learnt[key, month][1]))
            near = _between(series[key], int(self._edges[segment.lead]), int(self._edges[segment.tail + 1]))
            booked[key] = booked_by_months(near, register, stretches, start_us, end_us, self._zone)
        return booked

    def _to_learn(
        self,
        found: _Found,
        rows: Sequence[int],
        months: Sequence[tuple[date, int]],
        counts: NDArray[np.int64],
        signatures: NDArray[np.int64],
    ) -> dict[tuple[str, date], slice | None]:
        """Return from which days a register's habits in a month must be learnt; None where they are known."""
        keys = self._days().keys
        over = counts.shape[1] - 1 if found.until_us < self._edges[-1] else counts.shape[1]
        wanted: dict[tuple[str, date], slice | None] = {}
        for month, first in months:
            low, high = learning_days(counts[rows] > 0, first, over)
            for k, a, b in zip(rows, low.tolist(), high.tolist(), strict=True):
                mark = hash((signatures[k, a:b].tobytes(), definition_of(found.registers[keys[k]])))
                held = self._learnt.get((keys[k], month))
                known = held is not None and held[0] == mark
                if not known:
                    self._learnt[keys[k], month] = (mark, None)
                wanted[keys[k], month] = None if known or a == b else slice(a, b)
        return wanted

    def _series(self, found: _Found, keys: Sequence[str], start_us: int, end_us: int) -> dict[str, Series]:
        series = dict(self._store.series(keys, start_us, end_us))
        for key in keys:
            if key in found.hand:
                series[key] = with_hand(series[key], _between(found.hand[key], start_us, end_us))
        return series

    # -- registers

    def _note_events(
        self, found: _Found, key: str, events: Sequence[RegisterEvent], start_us: int, end_us: int
    ) -> None:
        state = self._states.get(key)
        known = found.events.get(key) or (list(state.events) if state is not None else [])
        # An event that reaches into the stretch was found anew, or is none any more.
        kept = [e for e in known if e["to_us"] < start_us or e["from_us"] >= end_us]
        fresh = [_event(e) for e in events]
        found.events[key] = sorted([*kept, *fresh], key=lambda e: (e["from_us"], e["to_us"]))[-_MOST_EVENTS:]

    def _note_registers(self, found: _Found, keys: Sequence[str]) -> None:
        states = []
        for key in keys:
            register, before = found.registers[key], self._states.get(key)
            events = found.events.get(key)
            states.append(
                RegisterState(
                    key, register.unit, definition_of(register), found.until_us,
                    tuple(events) if events is not None else before.events if before is not None else (),
                )
            )  # fmt: skip
        with self._database.session() as session:
            Ledger.write_registers(session, states)
        self._states |= {state.register: state for state in states}


_ARRAYS: Final = ("amount", "measured", "estimated", "missing", "readings", "signature", "held")


def registers_with(site: Site, exchanged: Mapping[str, Sequence[entries.EnteredExchange]]) -> dict[str, BookedRegister]:
    """Return the registers of a site, their exchanges those of the site file and those that people entered."""
    found = booked_registers(site)
    for key, own in exchanged.items():
        if key in found:
            register = found[key].register
            more = [MeterExchange(moment(e.at_us, site.time_zone), e.end_value, e.start_value) for e in own]
            exchanges = tuple(sorted((*register.exchanges, *more), key=lambda e: e.at))
            found[key] = replace(found[key], register=replace(register, exchanges=exchanges))
    return found


def definition_of(register: BookedRegister) -> str:
    """Return a fingerprint of how a register's readings become units, in two parts: exchanges, and all else."""
    own = register.register
    exchanges = [(e.at.isoformat(), e.end, e.start) for e in own.exchanges]
    rest = (own.unit, own.digits, own.per_pulse, [d.isoformat() for d in own.ratio.since], own.ratio.values)
    return "/".join(hashlib.sha256(repr(part).encode()).hexdigest()[:16] for part in (exchanges, rest))


def _cause_of_definition(old: str, new: str) -> Cause:
    return "exchange" if old.split("/")[-1] == new.split("/")[-1] else "correction"


def booked_by_months(
    series: Series, register: Any, months: Sequence[tuple[int, int, Any]], start_us: int, end_us: int, zone: Any
) -> Booked:
    """
    Book [start, end) month by month, each with its own habits.

    Parameters
    ----------
    months : begin, end [µs UTC] and habits of each month that the readings touch, oldest first

    Notes
    -----
    A stretch that is estimated across a month's end is spread by the habits of the month in which it began, else its
    parts would not sum up to what was counted over it.
    """
    intervals = Intervals.missing(start_us, end_us)
    events: dict[tuple[Any, ...], RegisterEvent] = {}

    def booked(low_us: int, high_us: int, habits: Any) -> Booked:
        return book(series.time_us, series.value, series.quality, register, low_us, high_us, zone, habits)

    def take(part: Intervals) -> None:
        low = (part.start_us - start_us) // STEP_US
        intervals.used[low : low + len(part)] = part.used
        intervals.grade[low : low + len(part)] = part.grade

    for begin_us, stop_us, habits in months:
        low_us, high_us = max(begin_us, start_us), min(stop_us, end_us)
        if low_us < high_us:
            part = booked(low_us, high_us, habits)
            take(part.intervals)
            events |= {(e.kind, e.from_us, e.to_us): e for e in part.events}
    # The oldest month last: its outage may reach over several month's ends.
    for begin_us, stop_us, habits in reversed(months[:-1]):
        at = (max(stop_us, start_us) - start_us) // STEP_US
        if stop_us >= end_us or intervals.grade[at] != ESTIMATED:
            continue
        across = booked(max(begin_us, stop_us - STEP_US), end_us, habits).intervals
        grades = across.window(stop_us, end_us).grade
        certain = np.flatnonzero(grades != ESTIMATED)
        until_us = stop_us + STEP_US * (int(certain[0]) if certain.size else grades.shape[0])
        if across.grade[0] == ESTIMATED and until_us > start_us:
            take(across.window(max(stop_us, start_us), until_us))
    return Booked(intervals, tuple(sorted(events.values(), key=lambda e: (e.from_us, e.to_us))))


def with_hand(series: Series, hand: Series) -> Series:
    """Return a register's readings with those by hand among them; where both tell of one moment, the meter's stands."""
    if not len(hand):
        return series
    own = ~np.isin(hand.time_us, series.time_us[(series.quality & readings.OUT_OF_RANGE) == 0])
    time_us = np.concatenate([series.time_us, hand.time_us[own]])
    order = np.argsort(time_us, kind="stable")
    return Series(
        time_us[order],
        np.concatenate([series.value, hand.value[own]])[order],
        np.concatenate([series.quality, hand.quality[own]])[order],
    )


def months_of(days: Sequence[date]) -> list[tuple[date, int, int]]:
    """Return the months among consecutive days: first day of the month, place of its first day here, and its end."""
    found: list[tuple[date, int, int]] = []
    for i, day in enumerate(days):
        month = day.replace(day=1)
        if found and found[-1][0] == month:
            found[-1] = (month, found[-1][1], i + 1)
        else:
            found.append((month, i, i + 1))
    return found


def _between(series: Series, start_us: int, end_us: int) -> Series:
    low, high = np.searchsorted(series.time_us, [start_us, end_us]).tolist()
    return Series(series.time_us[low:high], series.value[low:high], series.quality[low:high])


def _figures_of(keys: Sequence[str], first_day: date, booked: Mapping[str, Intervals], edges: Times) -> DayFigures:
    figures = DayFigures.empty(keys, first_day, edges.shape[0] - 1)
    for i, key in enumerate(keys):
        sums = totals(booked[key], edges)
        figures.amount[i], figures.measured[i], figures.estimated[i] = sums.amount, sums.measured, sums.estimated
        figures.missing[i] = sums.missing
    figures.held[:] = True
    return figures


def _widened(figures: DayFigures, days: int) -> DayFigures:
    more = DayFigures.empty(figures.keys, figures.first_day, days)
    joined: Any = {name: np.concatenate([getattr(figures, name), getattr(more, name)], axis=1) for name in _ARRAYS}
    return replace(figures, **joined)


def _cut(figures: DayFigures, rows: Sequence[int], days: slice) -> DayFigures:
    parts = {name: getattr(figures, name)[rows, days].copy() for name in _ARRAYS}
    keys = tuple(figures.keys[k] for k in rows)
    return DayFigures(keys, figures.first_day + timedelta(days=days.start), **parts)


def _differs(old: DayFigures, new: DayFigures) -> NDArray[np.bool_]:
    same: NDArray[np.bool_] = (old.amount == new.amount) | (np.isnan(old.amount) & np.isnan(new.amount))
    for name in ("measured", "estimated", "missing", "readings", "signature"):
        same &= getattr(old, name) == getattr(new, name)
    return ~same


def _portions(rows: Sequence[int], weights: NDArray[np.int64], least: int) -> Iterator[list[int]]:
    """Yield registers whose readings fit into memory together."""
    part: list[int] = []
    held = 0
    for row, weight in zip(rows, np.maximum(weights, least).tolist(), strict=True):
        if part and held + weight > _MOST_READ:
            yield part
            part, held = [], 0
        part.append(row)
        held += weight
    if part:
        yield part


def _event(event: RegisterEvent) -> dict[str, Any]:
    told = event.told
    counted = event.counted if np.isfinite(event.counted) else None
    return {
        "kind": event.kind, "from_us": event.from_us, "to_us": event.to_us, "before": event.before,
        "after": event.after, "counted": counted, "zh": told.zh, "en": told.en,
    }  # fmt: skip
