"""The levels at which readings are rolled up, where their steps begin in a time zone, and how long each is kept."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import lru_cache
from typing import Final, Self
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

SECOND_US: Final = 1_000_000
MINUTE_US: Final = 60 * SECOND_US
HOUR_US: Final = 60 * MINUTE_US
DAY_US: Final = 24 * HOUR_US
YEAR_US: Final = 365 * DAY_US

# Local days are looked up between these years; beyond them, where no honest reading lies, a day is 24 hours.
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 2099
_EPOCH_ORDINAL: Final = datetime(1970, 1, 1, tzinfo=UTC).toordinal()


class Level(Enum):
    """A fixed step of time at which readings are summed up, from the finest to the coarsest."""

    MINUTE = "1min"
    QUARTER = "15min"
    HOUR = "1h"
    DAY = "1d"

    @property
    def step_us(self) -> int:
        """Return how long a step is; days on which clocks are changed are longer or shorter. [µs]"""
        return _STEP_US[self]


_STEP_US: Final = {
    Level.MINUTE: MINUTE_US,
    Level.QUARTER: 15 * MINUTE_US,
    Level.HOUR: HOUR_US,
    Level.DAY: DAY_US,
}


@dataclass(frozen=True, slots=True)
class Retention:
    """
    How old readings and roll-ups may become before they are deleted. [µs]; None: they are kept for ever.

    A coarser level is kept at least as long as a finer one, so that a long look back is never empty where a short
    step still has figures; ValueError otherwise, or if an age is less than a day.
    """

    raw_us: int | None = 400 * DAY_US
    minute_us: int | None = 2 * YEAR_US
    quarter_us: int | None = 5 * YEAR_US
    hour_us: int | None = None
    day_us: int | None = None

    def __post_init__(self) -> None:
        finer, finer_us = "", 0
        for name, age_us in ((f.name, getattr(self, f.name)) for f in fields(self)):
            if age_us is not None and age_us < DAY_US:
                raise ValueError(f"{name} is {age_us}; keep it for at least a day ({DAY_US})")
            if age_us is not None and (finer_us is None or age_us < finer_us):
                raise ValueError(f"{name} is less than {finer}; keep a coarser level at least as long as a finer one")
            finer, finer_us = name, age_us

    @classmethod
    def for_ever(cls) -> Self:
        """Return the retention that deletes nothing."""
        return cls(None, None, None, None, None)

    def of(self, level: Level) -> int | None:
        """Return how old a level's steps may become. [µs]"""
        ages = {
            Level.MINUTE: self.minute_us,
            Level.QUARTER: self.quarter_us,
            Level.HOUR: self.hour_us,
            Level.DAY: self.day_us,
        }
        return ages[level]


_LUMPS: Final = 20  # deleting here and there is dear: of a long age, a twentieth goes at a time


@dataclass(frozen=True)
class Steps:
    """
    Where the steps of each level begin: days at midnight of `zone`, all others at whole multiples since 1970 UTC.

    A step has a number that rises by one from step to step: of a day it is the local date, counted from 1970-01-01.
    Where a zone's clocks skip midnight, the day begins at the moment of the change.
    """

    zone: str = "UTC"

    def __post_init__(self) -> None:
        ZoneInfo(self.zone)  # ZoneInfoNotFoundError here rather than at the first question

    def number(self, level: Level, time_us: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number (n,) of the step that holds each time (n,) [µs]."""
        if level is not Level.DAY or self.zone == "UTC":
            return np.floor_divide(time_us, level.step_us)
        if time_us.shape[0] == 0:
            return np.empty(0, dtype=np.int64)
        first, midnight = self._midnights(int(time_us.min()), int(time_us.max()))
        inside = np.searchsorted(midnight, time_us, side="right") - 1 + first
        last = first + midnight.shape[0] - 1
        before = first + np.floor_divide(time_us - midnight[0], DAY_US)
        after = last + np.floor_divide(time_us - midnight[-1], DAY_US)
        return np.where(time_us < midnight[0], before, np.where(time_us >= midnight[-1], after, inside))

    def start(self, level: Level, number: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return when the steps with these numbers (n,) begin, (n,). [µs]"""
        number = number.astype(np.int64)
        if level is not Level.DAY or self.zone == "UTC":
            return number * level.step_us
        if number.shape[0] == 0:
            return number
        first, midnight = self._midnights(int(number.min()) * DAY_US, int(number.max()) * DAY_US)
        last = first + midnight.shape[0] - 1
        inside = midnight[np.clip(number - first, 0, last - first)]
        before = midnight[0] - (first - number) * DAY_US
        after = midnight[-1] + (number - last) * DAY_US
        return np.where(number < first, before, np.where(number > last, after, inside))

    def floor(self, level: Level, time_us: int) -> int:
        """Return when the step that holds this time begins. [µs]"""
        return int(self.start(level, self.number(level, np.array([time_us], dtype=np.int64)))[0])

    def ceil(self, level: Level, time_us: int) -> int:
        """Return when the first step that does not begin before this time begins. [µs]"""
        start_us = self.floor(level, time_us)
        return start_us if start_us == time_us else self.end(level, time_us)

    def end(self, level: Level, time_us: int) -> int:
        """Return when the step that holds this time ends. [µs]"""
        number = self.number(level, np.array([time_us], dtype=np.int64))
        return int(self.start(level, number + 1)[0])

    def cut(self, age_us: int | None, now_us: int) -> int | None:
        """
        Return the local midnight before which all is older than `age_us`, None if nothing is ever too old. [µs]

        It moves on by whole days, of an age of more than 40 days by a twentieth of the age.
        """
        if age_us is None:
            return None
        lump = max(1, age_us // DAY_US // _LUMPS)
        days = self.number(Level.DAY, np.array([now_us - age_us], dtype=np.int64))
        return int(self.start(Level.DAY, days // lump * lump)[0])

    def _midnights(self, first_us: int, last_us: int) -> tuple[int, NDArray[np.int64]]:
        """Return the midnights of all days near these times, and the number of the first of those days."""
        # Some days of margin: a time near New Year belongs to another year in another zone, and years differ.
        first, last = (
            min(max(1970 + (time_us + margin) // (DAY_US * 36525 // 100), _FIRST_YEAR), _LAST_YEAR)
            for time_us, margin in ((first_us, -3 * DAY_US), (last_us, 3 * DAY_US))
        )
        return _first_day(first), _midnights_of_years(self.zone, first, last)


def _first_day(year: int) -> int:
    return datetime(year, 1, 1, tzinfo=UTC).toordinal() - _EPOCH_ORDINAL


@lru_cache(maxsize=100)
def _midnights_of_years(zone: str, first: int, last: int) -> NDArray[np.int64]:
    return np.concatenate([_midnights_of(zone, year) for year in range(first, last + 1)])


@lru_cache(maxsize=1000)
def _midnights_of(zone: str, year: int) -> NDArray[np.int64]:
    """Return when each local day of a year begins, (365 or 366,). [µs]"""
    clock, epoch = ZoneInfo(zone), datetime(1970, 1, 1, tzinfo=UTC)
    days = range(_first_day(year), _first_day(year + 1))
    dates = (datetime.fromordinal(day + _EPOCH_ORDINAL).replace(tzinfo=clock) for day in days)
    midnight = np.array([(date.astimezone(UTC) - epoch) // timedelta(microseconds=1) for date in dates], dtype=np.int64)
    midnight.flags.writeable = False
    return midnight
