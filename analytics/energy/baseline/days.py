"""Kinds of days: workdays and rest days, as told or as the data show them; blocks of days for validation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analytics.energy.baseline.rows import Bools, Floats, Ints

Calendar = Callable[[NDArray[np.datetime64]], Bools]
"""For (d,) datetime64[D], which of them are rest days: weekends and holidays, made-up workdays not."""

YEAR_SPAN_DAYS: Final = 300
"""Data that span less say nothing about the course of the year."""

_YEAR_DAYS: Final = 365.2425
_HARMONICS: Final = 3
_FRIDAY, _SATURDAY, _SUNDAY = 4, 5, 6
_WEEKENDS: Final[tuple[tuple[int, ...], ...]] = ((_SATURDAY, _SUNDAY), (_SUNDAY,), (_FRIDAY, _SATURDAY), (_FRIDAY,))
_BLOCK_DAYS: Final = 21
_HALF_LIFE_DAYS: Final = 28.0
_MOST_BLOCKS: Final = 8


@dataclass(frozen=True, slots=True)
class DayKinds:
    """
    Which days are rest days.

    Attributes
    ----------
    weekend : rest days of the week, 0 is Monday
    odd_days : days off among those that were fitted to, found in the data [days since 1970-01-01]
    calendar : what was given by the caller; it alone decides where it stands
    """

    weekend: tuple[int, ...] = (_SATURDAY, _SUNDAY)
    odd_days: tuple[int, ...] = ()
    calendar: Calendar | None = None

    def rest(self, days: Ints) -> Bools:
        """
        Return which of the (d,) days are rest days.

        Raises
        ------
        ValueError
            If the calendar does not give one answer a day.
        """
        if self.calendar is not None:
            told = np.asarray(self.calendar(days.astype("datetime64[D]")), dtype=bool)
            if told.shape != days.shape:
                raise ValueError(
                    f"calendar gave {told.shape} answers for {days.shape} days; give one True or False a day"
                )
            return told
        return np.isin(weekday_of(days), self.weekend) | np.isin(days, self.odd_days)

    def weekday(self, days: Ints) -> Ints:
        """Return the day of the week each day is like, 0 is Monday: a holiday is like a Sunday."""
        plain = weekday_of(days)
        off = self.rest(days) & ~np.isin(plain, self.weekend)
        return np.where(off, self.rest_weekday, plain)

    @property
    def rest_weekday(self) -> int:
        """Day of the week that a holiday is like, 0 is Monday."""
        return self.weekend[-1]

    def as_json(self) -> dict[str, Any]:
        """Return what `from_json` reads back; a calendar that was given must be given again."""
        return {"weekend": list(self.weekend), "odd_days": list(self.odd_days), "calendar": self.calendar is not None}

    @classmethod
    def from_json(cls, data: dict[str, Any], calendar: Calendar | None) -> DayKinds:
        """
        Return the kinds that `as_json` wrote.

        Raises
        ------
        ValueError
            If they were made with a calendar, and none is given.
        """
        if data["calendar"] and calendar is None:
            raise ValueError("this baseline was fitted with a calendar of workdays; give it again as calendar=...")
        return cls(tuple(data["weekend"]), tuple(data["odd_days"]), calendar if data["calendar"] else None)


def weekday_of(days: Ints) -> Ints:
    """Return the day of the week of days since 1970-01-01, a Thursday; 0 is Monday."""
    return (days + 3) % 7


def weekend_of(days: Ints, daily: Floats) -> tuple[int, ...]:
    """
    Return the rest days of the week that best split a week's days in two, judged by the daily means.

    `daily`: (d,) float, NaN where missing [any unit of energy]. Saturday and Sunday, where the data do not say clearly.
    """
    known = np.isfinite(daily)
    if known.sum() < 14:
        return _WEEKENDS[0]
    week = (days[known] + 3) // 7
    _, place = np.unique(week, return_inverse=True)
    values = daily[known] - (np.bincount(place, daily[known]) / np.bincount(place))[place]
    weekday = weekday_of(days[known])
    total = float(np.sum(values**2))
    best, least = _WEEKENDS[0], np.inf
    for weekend in _WEEKENDS:
        off = np.isin(weekday, weekend)
        if not off.any() or off.all():
            continue
        error = total - off.sum() * float(values[off].mean()) ** 2 - (~off).sum() * float(values[~off].mean()) ** 2
        if error < 0.8 * least if weekend != _WEEKENDS[0] else error < least:
            best, least = weekend, error
    return best


def blocks_of_days(days: Ints) -> tuple[Ints, int]:
    """
    Return which block each (d,) day is in, and how many blocks there are.

    Blocks are stretches of three weeks, dealt out in turn; of short data, as long as give at least two.
    """
    span = int(days[-1] - days[0]) + 1
    stretch = min(_BLOCK_DAYS, max(1, span // 4))
    count = max(2, min(_MOST_BLOCKS, -(-span // stretch)))
    return ((days - days[0]) // stretch) % count, count


def nearness(days: Ints) -> Floats:
    """
    Return how much each (d,) day counts: all alike in data of a year, late days more in short data.

    What a season not yet seen will be like, the last weeks tell better than those before. Of mean 1.
    """
    if int(days[-1] - days[0]) + 1 >= YEAR_SPAN_DAYS:
        return np.ones(days.size)
    weight = 0.5 ** ((days[-1] - days) / _HALF_LIFE_DAYS)
    return np.asarray(weight / weight.mean())


def course_of_year(days: Ints) -> Floats:
    """Return (d, 6): sine and cosine of the year's course, and of its half and third."""
    turn = 2.0 * np.pi * days / _YEAR_DAYS
    return np.column_stack([wave(k * turn) for k in range(1, _HARMONICS + 1) for wave in (np.sin, np.cos)])


def winter(days: Ints) -> Floats:
    """Return (d, 1): 1 at the winter solstice of the north, -1 at that of the south."""
    return np.asarray(np.cos(2.0 * np.pi * (days + 10) / _YEAR_DAYS))[:, None]
