"""Booking a register month by month, each with the habits that it had then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from analytics.energy.habits import Habits
from analytics.energy.intervals import ESTIMATED, STEP_US, Intervals
from analytics.energy.register_events import RegisterEvent
from analytics.energy.registers import Booked, book, needs
from facility import readings
from facility.readings import Series
from facility.site import Register

_DAY_US: Final = 86_400_000_000

# Begin, end [µs UTC], and habits; None: they are learnt from the readings at hand.
Month = tuple[int, int, Habits | None]


def booked_by_months(
    series: Series, register: Register, months: Sequence[Month], start_us: int, end_us: int, zone: ZoneInfo
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

    def place(time_us: int) -> int:
        return (time_us - start_us) // STEP_US

    def booked(low_us: int, high_us: int, habits: Habits | None) -> Booked:
        own = series if habits is None else _with_a_say(series, low_us, high_us)
        return book(own.time_us, own.value, own.quality, register, low_us, high_us, zone, habits)

    def take(part: Intervals) -> None:
        low = place(part.start_us)
        intervals.used[low : low + len(part)] = part.used
        intervals.grade[low : low + len(part)] = part.grade

    for begin_us, stop_us, habits in months:
        low_us, high_us = max(begin_us, start_us), min(stop_us, end_us)
        if (
            low_us > start_us
            and intervals.grade[place(low_us) - 1] == ESTIMATED
            and not len(between(series, low_us, high_us + 1))
        ):
            # It lies within an outage, and is told below by the month in which that began.
            intervals.grade[place(low_us) : place(high_us)] = ESTIMATED
        elif low_us < high_us:
            part = booked(low_us, high_us, habits)
            take(part.intervals)
            events |= {(e.kind, e.from_us, e.to_us): e for e in part.events}
    # The oldest month last: its outage may reach over several month's ends.
    for begin_us, stop_us, habits in reversed(months[:-1]):
        if stop_us >= end_us or intervals.grade[place(max(stop_us, start_us))] != ESTIMATED:
            continue
        if begin_us > start_us and (intervals.grade[place(begin_us) - 1 : place(stop_us)] == ESTIMATED).all():
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


def _with_a_say(series: Series, start_us: int, end_us: int) -> Series:
    """Return the readings that are needed to book [start, end); not a whole year for each of its months."""
    low_us, high_us = needs(start_us, end_us)
    before, after = np.searchsorted(series.time_us, [low_us, high_us]).tolist()
    # The nearest readings beyond may be out of range: the day around them is taken, as the survey's days take it.
    if before > 0:
        low_us = int(series.time_us[before - 1]) - _DAY_US
    if after < len(series):
        high_us = int(series.time_us[after]) + _DAY_US
    return between(series, low_us, high_us)


def between(series: Series, start_us: int, end_us: int) -> Series:
    low, high = np.searchsorted(series.time_us, [start_us, end_us]).tolist()
    return Series(series.time_us[low:high], series.value[low:high], series.quality[low:high])
