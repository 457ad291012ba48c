"""From the readings of a register to what was used in each 15 minutes.

What was counted between two readings belongs to the time between them, and so to the steps that lie there: evenly
where the readings are close, spread as the meter's own days run and marked ESTIMATED where there was an outage. Nothing
that a register counted is dropped, and nothing is made up: time before the first reading and after the last is MISSING.
The sum of all steps is the register's advance.

A step of which only a part is known (the first reading came in its midst) holds what is known and is ESTIMATED.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from analytics.energy.advances import Advances, advances
from analytics.energy.exchanges import SEARCH_US, parted
from analytics.energy.habits import Habits, learn_pace
from analytics.energy.intervals import ESTIMATED, MEASURED, MISSING, STEP_US, Floats, Intervals, Times
from analytics.energy.register_events import RegisterEvent
from analytics.energy.spreading import spread, typical_profile
from facility.calendar import at_us, day_of, to_us
from facility.readings import OUT_OF_RANGE, Series
from facility.site import MeterExchange, Register

# Readings that may have a say in a step: a standstill is recognised by its end, a wrong reading by those after it.
_MOST_COUNTS: Final = 1e15  # beyond, a float no longer tells one count from the next, and no register has the digits
SAY_US: Final = 7 * 24 * 3_600_000_000


@dataclass(frozen=True, slots=True)
class Booked:
    """
    What a register counted.

    Attributes
    ----------
    intervals : in the register's unit, pulse value and ratio applied
    events : what happened to the register in that time, oldest first
    """

    intervals: Intervals
    events: tuple[RegisterEvent, ...]


def book(
    time_us: Times,
    value: Floats,
    quality: NDArray[np.uint8],
    register: Register,
    start_us: int,
    end_us: int,
    zone: ZoneInfo,
    habits: Habits | None = None,
) -> Booked:
    """
    Return what a register counted in each 15 minutes of [start, end).

    The result depends on the set of readings alone, not on the order in which they came. A part of the time booked
    with the readings of `needs` and with the same habits equals that part of the whole.

    Parameters
    ----------
    time_us, value, quality : (n,)
        Readings [µs UTC], [counts], bits of `facility.readings`; those out of range do not count.
    start_us, end_us : whole steps [µs UTC]
    zone : whose days the ratio and the profile follow
    habits : as from `learn`; None: learnt from these readings

    Raises
    ------
    ValueError
        If the arrays differ in length, or start or end is no whole step.
    """
    if start_us % STEP_US or end_us % STEP_US:
        raise ValueError(f"start {start_us} and end {end_us} must be whole steps of {STEP_US} µs")
    t, v = believed(time_us, value, quality)
    if not t.shape[0] or end_us <= start_us:
        return Booked(Intervals.missing(start_us, end_us), ())
    own = habits or learn_pace(t, v, exchanged_us=_exchanged(register))
    course = _Course.of(t, v, _until(register, max(end_us, int(t[-1]))), own, zone)
    profile = own.profile
    if habits is None and course.has_outages:
        profile = typical_profile(course.intervals(start_us, end_us), zone)
    spread_out = course.spread(profile, zone, start_us, end_us)
    return Booked(spread_out.intervals(start_us, end_us), course.events_within(start_us, end_us))


def book_many(
    series: Mapping[str, Series],
    registers: Mapping[str, Register],
    start_us: int,
    end_us: int,
    zone: ZoneInfo,
    habits: Mapping[str, Habits] | None = None,
) -> dict[str, Booked]:
    """Book many registers, by key, as `book` does; one without readings is missing for all the time."""
    known = habits or {}
    booked: dict[str, Booked] = {}
    for key, register in registers.items():
        s = series.get(key)
        if s is None:
            booked[key] = Booked(Intervals.missing(start_us, end_us), ())
        else:
            booked[key] = book(s.time_us, s.value, s.quality, register, start_us, end_us, zone, known.get(key))
    return booked


def learn(
    time_us: Times,
    value: Floats,
    quality: NDArray[np.uint8],
    register: Register,
    zone: ZoneInfo,
    rated_an_hour: float | None = None,
) -> Habits:
    """
    Learn a register's habits from its readings: pace, and how its days usually run.

    `rated_an_hour` is what the machine can use at most by its plate, in the register's counts an hour; it keeps the
    first hours of a heavy load from being doubted.
    """
    t, v = believed(time_us, value, quality)
    habits = learn_pace(t, v, rated_an_hour, _exchanged(register))
    if not t.shape[0]:
        return habits
    start_us, end_us = int(t[0] - t[0] % STEP_US), int(t[-1] - t[-1] % STEP_US) + STEP_US
    course = _Course.of(t, v, _until(register, end_us), habits, zone)
    return habits.running(typical_profile(course.intervals(start_us, end_us), zone))


def believed(time_us: Times, value: Floats, quality: NDArray[np.uint8]) -> tuple[Times, Floats]:
    """
    Return the readings that count: finite, not below zero, not out of range; sorted, one a time (the larger of two).

    ValueError if the arrays differ in length.
    """
    if not time_us.shape == value.shape == quality.shape:
        raise ValueError(f"time_us {time_us.shape}, value {value.shape} and quality {quality.shape} must be (n,)")
    good = (value >= 0.0) & (value < _MOST_COUNTS) & ((quality & OUT_OF_RANGE) == 0)
    t, v = (time_us, value) if good.all() else (time_us[good], value[good])
    if t.shape[0] > 1 and bool(np.any(np.diff(t) <= 0)):
        order = np.lexsort((v, t))
        t, v = t[order], v[order]
        last = np.append(np.diff(t) > 0, True)
        t, v = t[last], v[last]
    return t, v


def needs(start_us: int, end_us: int) -> tuple[int, int]:
    """
    Return from when to when readings are needed to book [start, end). [µs]

    Beside them the last reading before and the first after, wherever they lie.
    """
    return start_us - SAY_US, end_us + SAY_US


def affected(late_us: Times, existing_us: Times) -> tuple[int, int]:
    """
    Return the whole steps [from, to) that late readings may change, given the times of all readings of the register.

    They reach to the believed readings on either side, and those may be a gap away. [µs UTC]

    Raises
    ------
    ValueError
        If there are no late readings.
    """
    if not late_us.shape[0]:
        raise ValueError("no late readings; nothing is affected")
    first_us, last_us = needs(int(late_us.min()), int(late_us.max()))
    known = np.sort(np.concatenate([existing_us, late_us]))
    before = int(np.searchsorted(known, first_us, side="right")) - 1
    after = int(np.searchsorted(known, last_us))
    from_us = int(known[max(before, 0)])
    to_us_ = int(known[min(after, known.shape[0] - 1)])
    return from_us - from_us % STEP_US, -(-(to_us_ + 1) // STEP_US) * STEP_US


@dataclass(frozen=True, slots=True, eq=False)
class _Factors:
    """Units a count: `value[i]` until `until_us[i]`, the last one for ever."""

    until_us: Times
    value: Floats

    @classmethod
    def of(cls, register: Register, zone: ZoneInfo, moved: Mapping[int, int]) -> _Factors:
        per_count = register.per_pulse or 1.0
        ratio = register.ratio
        until = [_change(register, day, zone, moved) for day in ratio.since[1:]]
        return cls(np.array(until, dtype=np.int64), per_count * np.array(ratio.values, dtype=np.float64))

    def between(self, edges_us: Times) -> tuple[Times, Floats]:
        """Return edges with the changes of the factor among them added, and the factor of each stretch."""
        inside = self.until_us[(self.until_us > edges_us[0]) & (self.until_us < edges_us[-1])]
        every = np.union1d(edges_us, inside) if inside.shape[0] else edges_us
        return every, self.value[np.searchsorted(self.until_us, every[:-1], side="right")]


def _change(register: Register, day: date, zone: ZoneInfo, moved: Mapping[int, int]) -> int:
    """Return when a ratio begins: with the meter that was exchanged on its day, else at midnight. [µs]"""
    entered = min((e for e in map(_entered, register.exchanges) if day_of(e, zone) == day), default=None)
    return at_us(day, 0, zone) if entered is None else moved.get(entered, entered)


def _until(register: Register, until_us: int) -> Register:
    """Return a register without the exchanges that lie well beyond some time: nothing is known of the future. [µs]"""
    if not register.exchanges or _entered(register.exchanges[-1]) <= until_us + SEARCH_US:
        return register
    return replace(register, exchanges=tuple(e for e in register.exchanges if _entered(e) <= until_us + SEARCH_US))


def _exchanged(register: Register) -> tuple[int, ...]:
    return tuple(_entered(e) for e in register.exchanges)


def _entered(exchange: MeterExchange) -> int:
    return to_us(exchange.at)


@dataclass(frozen=True, slots=True, eq=False)
class _Course:
    """How a register's true count runs up over time: (k,) knots, and how good each stretch between two is."""

    time_us: Times
    count: Floats
    grade: NDArray[np.int8]
    events: tuple[RegisterEvent, ...]
    factors: _Factors

    @classmethod
    def of(cls, time_us: Times, value: Floats, register: Register, habits: Habits, zone: ZoneInfo) -> _Course:
        whole = parted(time_us, value, register, habits)
        parts = [advances(run, habits) for run in whole.runs]
        joined = parts[0] if len(parts) == 1 else _joined(parts)
        count = np.concatenate([[0.0], np.cumsum(joined.counted)])
        events = sorted((*whole.events, *joined.events), key=lambda e: (e.from_us, e.to_us, e.kind))
        factors = _Factors.of(register, zone, whole.moved)
        return cls(joined.time_us, count, joined.grade, tuple(events), factors)

    @property
    def has_outages(self) -> bool:
        """Return True if a stretch is to be spread."""
        return bool(np.any(self.grade == ESTIMATED))

    def events_within(self, start_us: int, end_us: int) -> tuple[RegisterEvent, ...]:
        """Return the events of which a part lies in [start, end)."""
        return tuple(e for e in self.events if e.from_us < end_us and e.to_us >= start_us)

    def spread(self, profile: Floats | None, zone: ZoneInfo, start_us: int, end_us: int) -> _Course:
        """Return the course with a knot at each step edge of the outages in [start, end)."""
        late, early = self.time_us[1:] > start_us, self.time_us[:-1] < end_us
        outages = np.flatnonzero((self.grade == ESTIMATED) & late & early)
        if profile is None or not outages.shape[0]:
            return self
        times, counts, places = [], [], []
        for i in outages:
            edges, share = spread(int(self.time_us[i]), int(self.time_us[i + 1]), profile, zone)
            times.append(edges)
            counts.append(self.count[i] + share * (self.count[i + 1] - self.count[i]))
            places.append(np.full(edges.shape[0], i + 1, dtype=np.int64))
        place = np.concatenate(places)
        time_us = np.insert(self.time_us, place, np.concatenate(times))
        count = np.insert(self.count, place, np.concatenate(counts))
        grade = np.insert(self.grade, place - 1, np.full(place.shape[0], ESTIMATED, dtype=np.int8))
        return replace(self, time_us=time_us, count=count, grade=grade)

    def intervals(self, start_us: int, end_us: int) -> Intervals:
        """Return what was counted in each step of [start, end), in units."""
        n = (end_us - start_us) // STEP_US
        edges = start_us + STEP_US * np.arange(n + 1, dtype=np.int64)
        every, factor = self.factors.between(edges)
        used = np.maximum(np.diff(np.interp(every, self.time_us, self.count)), 0.0) * factor
        if every.shape[0] > edges.shape[0]:
            used = np.add.reduceat(used, np.searchsorted(every, edges[:-1]))
        known, estimated = self._known(edges), self._time_of(ESTIMATED, edges)
        measured = (known >= STEP_US) & (estimated == 0)
        grade = np.where(known <= 0, MISSING, np.where(measured, MEASURED, ESTIMATED)).astype(np.int8)
        return Intervals(start_us, np.where(known <= 0, np.nan, used), grade)

    def _known(self, edges: Times) -> Times:
        held = np.clip(edges, self.time_us[0], self.time_us[-1])
        known: Times = np.diff(held) - self._time_of(MISSING, edges)
        return known

    def _time_of(self, grade: int, edges: Times) -> Times:
        """Return how much of each step lies in stretches of a grade. [µs]"""
        stretches = self.grade == grade
        if not stretches.any():
            return np.zeros(edges.shape[0] - 1, dtype=np.int64)
        passed = np.concatenate([[0], np.cumsum(np.where(stretches, np.diff(self.time_us), 0))])
        each: Times = np.diff(np.rint(np.interp(edges, self.time_us, passed)).astype(np.int64))
        return each


def _joined(parts: list[Advances]) -> Advances:
    """Join the advances of one meter after the other: each ends where the next begins."""
    return Advances(
        np.concatenate([parts[0].time_us, *(p.time_us[1:] for p in parts[1:])]),
        np.concatenate([p.counted for p in parts]),
        np.concatenate([p.grade for p in parts]),
        tuple(e for p in parts for e in p.events),
    )
