"""
A hospital's day and week: which days are worked, and how busy each kind of department is at each time of day.

Hours are typical of a Chinese general hospital; none of them is normative.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import chinese_calendar
import numpy as np
from numpy.typing import NDArray

HOUR_US: Final = 3_600_000_000
_DAY_US: Final = 24 * HOUR_US
# Holidays with a fixed date, for years whose official arrangement the calendar package does not know yet.
_FIXED_HOLIDAYS: Final = frozenset({(1, 1), (5, 1), (10, 1), (10, 2), (10, 3)})
# The first day of the lunar year, 2015 to 2033, as (month, day): the moon comes back to a date after 19 years.
_SPRING_FESTIVALS: Final = (
    (2, 19), (2, 8), (1, 28), (2, 16), (2, 5), (1, 25), (2, 12), (2, 1), (1, 22), (2, 10),
    (1, 29), (2, 17), (2, 6), (1, 26), (2, 13), (2, 3), (1, 23), (2, 11), (1, 31),
)  # fmt: skip


@lru_cache(maxsize=64)
def spring_festival(year: int) -> date:
    """Return the Spring Festival's first day; by the Metonic cycle, so right to a day outside 2015 to 2033."""
    return date(year, *_SPRING_FESTIVALS[(year - 2015) % 19])


@lru_cache(maxsize=8192)
def is_workday(day: date) -> bool:
    """
    Return True if offices and outpatient clinics work on `day`, make-up workdays on weekends included.

    Source: the State Council's yearly holiday arrangements, as the package chinesecalendar holds them; for years that
    it does not know, Monday to Friday without the holidays of fixed date and without the Spring Festival's eve and
    first three days.
    """
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        festival = timedelta(days=-1) <= day - spring_festival(day.year) < timedelta(days=3)
        return day.weekday() < 5 and not festival and (day.month, day.day) not in _FIXED_HOLIDAYS


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """
    The times at which the hospital is asked for its state, each with what the calendar says of it.

    Attributes
    ----------
    time_us : (n,) int64, rising [µs UTC]
    dt_s : (n,) float, time since the previous state [s]
    hour : (n,) float, site time of day [h], 0 to 24
    day : (n,) int, day of the year [d], 0 at 1 January
    weekday : (n,) int, 0 on Monday
    workday : (n,) bool
    month : (n,) int, months since year 0
    week : (n,) int, weeks since 1970; a new one begins on Monday at 09:00, when duty and standby change over
    """

    time_us: NDArray[np.int64]
    dt_s: NDArray[np.float64]
    hour: NDArray[np.float64]
    day: NDArray[np.float64]
    weekday: NDArray[np.int64]
    workday: NDArray[np.bool_]
    month: NDArray[np.int64]
    week: NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.time_us.shape[0])


@lru_cache(maxsize=65536)
def _local_quarter(zone: ZoneInfo, utc_quarter: int) -> tuple[int, float, int, bool, int]:
    """Return (UTC offset [µs], day of year, weekday, worked, month) of site time at a quarter of a UTC hour."""
    moment = datetime.fromtimestamp(utc_quarter * 900, UTC).astimezone(zone)
    offset = moment.utcoffset()
    assert offset is not None
    day = moment.date()
    return (
        round(offset.total_seconds() * 1e6),
        float(day.timetuple().tm_yday - 1),
        day.weekday(),
        is_workday(day),
        day.year * 12 + day.month,
    )


def make_span(time_us: NDArray[np.int64], previous_us: int, zone: ZoneInfo) -> Span:
    """Attach the calendar of a time zone to rising times; the first step begins at `previous_us`."""
    # Offsets of half and three quarter hours exist, so the calendar is asked at quarters of an hour.
    quarter = time_us // (HOUR_US // 4)
    quarters, position = np.unique(quarter, return_inverse=True)
    rows = [_local_quarter(zone, int(q)) for q in quarters]
    offset = np.array([r[0] for r in rows], dtype=np.int64)[position]
    return Span(
        time_us=time_us,
        dt_s=np.diff(time_us, prepend=previous_us) / 1e6,
        hour=((time_us + offset) % _DAY_US) / HOUR_US,
        day=np.array([r[1] for r in rows])[position],
        weekday=np.array([r[2] for r in rows], dtype=np.int64)[position],
        workday=np.array([r[3] for r in rows], dtype=np.bool_)[position],
        month=np.array([r[4] for r in rows], dtype=np.int64)[position],
        # 1970-01-01 was a Thursday: three days on make the count turn over on Mondays.
        week=(time_us + offset - 9 * HOUR_US + 3 * _DAY_US) // (7 * _DAY_US),
    )


def shift(hour: NDArray[np.float64], start_h: float, end_h: float, ramp_h: float = 0.75) -> NDArray[np.float64]:
    """Return 0 outside and 1 inside a part of the day, with ramps of `ramp_h` centred on start and end. [-]"""
    rise = np.clip((hour - start_h) / ramp_h + 0.5, 0.0, 1.0)
    fall = np.clip((end_h - hour) / ramp_h + 0.5, 0.0, 1.0)
    both: NDArray[np.float64] = rise * fall
    return both


@dataclass(frozen=True, slots=True)
class Schedule:
    """How busy a kind of department is: parts of the day with their weight, on workdays, Saturdays and days off."""

    workday: Sequence[tuple[float, float, float]]  # (start h, end h, weight 0..1)
    saturday: float = 1.0  # share of a workday's activity
    day_off: float = 1.0

    def activity(self, span: Span) -> NDArray[np.float64]:
        """Return how busy the department is, 0 at rest to 1 at its busiest. [-]"""
        busy = np.zeros(len(span))
        for start_h, end_h, weight in self.workday:
            busy = np.maximum(busy, weight * shift(span.hour, start_h, end_h))
        share = np.where(span.workday, 1.0, np.where(span.weekday == 5, self.saturday, self.day_off))
        return busy * share


SCHEDULES: Final[Mapping[str, Schedule]] = {
    # Round the clock, calmer at night; visits and meals make the two humps.
    "inpatient": Schedule(((6.0, 11.5, 1.0), (11.5, 17.5, 0.85), (17.5, 22.0, 0.95)), 0.95, 0.92),
    "critical": Schedule(((7.0, 22.0, 1.0),), 1.0, 1.0),
    "theatre": Schedule(((7.8, 17.5, 1.0), (17.5, 21.0, 0.35)), 0.45, 0.15),
    "outpatient": Schedule(((7.6, 12.0, 1.0), (12.0, 13.8, 0.55), (13.8, 17.4, 0.9)), 0.6, 0.12),
    "emergency": Schedule(((8.0, 23.5, 1.0),), 1.0, 1.0),
    "imaging": Schedule(((7.8, 17.6, 1.0), (17.6, 22.0, 0.3)), 0.6, 0.25),
    "laboratory": Schedule(((7.0, 17.5, 1.0), (17.5, 22.0, 0.35)), 0.7, 0.35),
    "dialysis": Schedule(((6.5, 21.5, 1.0),), 1.0, 0.1),
    "sterile": Schedule(((7.5, 19.0, 1.0),), 0.6, 0.35),
    "laundry": Schedule(((6.5, 11.5, 1.0), (12.5, 16.0, 0.9)), 0.9, 0.4),
    "kitchen": Schedule(((4.8, 7.5, 0.7), (9.5, 12.5, 1.0), (15.5, 18.5, 0.9)), 1.0, 0.95),
    "meals": Schedule(((6.3, 8.2, 0.6), (11.2, 13.2, 1.0), (17.0, 18.8, 0.7)), 0.6, 0.45),
    "parking": Schedule(((6.8, 9.0, 0.9), (9.0, 18.5, 1.0), (18.5, 22.0, 0.4)), 0.7, 0.5),
    "office": Schedule(((7.8, 12.0, 1.0), (12.0, 13.8, 0.7), (13.8, 17.6, 1.0)), 0.2, 0.06),
    "always": Schedule(((-2.0, 26.0, 1.0),), 1.0, 1.0),
}
