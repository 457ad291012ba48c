"""Days as people live them: the site's day boundaries in microseconds, workdays and holidays, nights.

Days begin at midnight in the site's zone, so a day may last 23 or 25 hours where clocks are changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

import chinese_calendar

from facility.formats import moment, offset_text
from facility.names import Names

_CHINESE_ZONES: Final = frozenset(
    {"Asia/Shanghai", "Asia/Chongqing", "Asia/Harbin", "Asia/Urumqi", "Asia/Kashgar", "PRC"}
)
_MINUTES_A_DAY: Final = 24 * 60

Basis = Literal["official", "weekday_rule"]


@dataclass(frozen=True, slots=True)
class DayKind:
    """
    What a day is, and how that is known.

    Attributes
    ----------
    workday : people work on it (a Saturday may be one, made up for a holiday)
    holiday : name of the public holiday in English as the calendar gives it, or None
    basis : `official`: by the State Council's published calendar; `weekday_rule`: the calendar has no such year (it
        is published each autumn for the next), or the site is not in China, so Monday to Friday stand as workdays
    """

    workday: bool
    holiday: str | None
    basis: Basis


def day_kind(day: date, zone: ZoneInfo) -> DayKind:
    """Return whether `day` is a workday at a site in `zone`, and on what that rests."""
    if zone.key in _CHINESE_ZONES:
        try:
            is_holiday, name = chinese_calendar.get_holiday_detail(day)
        except NotImplementedError:
            pass
        else:
            # A name on a workday says which holiday it makes up for; that is no holiday itself.
            return DayKind(not is_holiday, name if is_holiday else None, "official")
    return DayKind(day.weekday() < 5, None, "weekday_rule")


def to_us(when: datetime) -> int:
    """Return an aware time as microseconds since 1970 UTC, exactly."""
    return (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def not_one_time(shown: datetime, zone: ZoneInfo) -> Names | None:
    """Return why the site's clock does not show a time once, with what to write, whatever zone that says it is of."""
    first, second = (to_us(shown.replace(tzinfo=zone, fold=fold)) for fold in (0, 1))
    at = f"{shown:%Y-%m-%d %H:%M}"
    if first > second:
        return Names(
            zh=f"{at} 不存在：当天时钟拨快，跳过了这一时刻；请更正时间",
            en=f"{at} does not exist: the clocks are put forward over it that day; correct the time",
        )
    if first < second:
        one, other = (f"{at}{offset_text(us, zone)}" for us in (first, second))
        return Names(
            zh=f"{at} 当天出现两次：时钟拨慢；第一次请写“{one}”，第二次请写“{other}”",
            en=f"{at} comes twice that day, for the clocks are put back; write {one!r} for the first, {other!r} for "
            "the second",
        )
    return None


def at_us(day: date, minute: int, zone: ZoneInfo) -> int:
    """
    Return when the wall clock shows `minute` minutes after midnight on `day`; 1440 and more fall on later days.

    A time that the clocks skip in spring is taken as if they had not been changed yet; of a time that comes twice in
    autumn the first counts.
    """
    days, rest = divmod(minute, _MINUTES_A_DAY)
    wall = datetime.combine(day + timedelta(days=days), time(rest // 60, rest % 60), tzinfo=zone)
    return to_us(wall.astimezone(UTC))


def day_of(time_us: int, zone: ZoneInfo) -> date:
    """Return the site's day on which a time falls."""
    return moment(time_us, zone).date()


def day_bounds_us(day: date, zone: ZoneInfo) -> tuple[int, int]:
    """Return [start, end) of a site's day. [µs]"""
    return at_us(day, 0, zone), at_us(day, _MINUTES_A_DAY, zone)


def days_between(start_us: int, end_us: int, zone: ZoneInfo) -> list[date]:
    """Return the days that lie wholly in [start, end), oldest first."""
    first = day_of(start_us, zone)
    if at_us(first, 0, zone) < start_us:
        first += timedelta(days=1)
    days: list[date] = []
    while at_us(first, _MINUTES_A_DAY, zone) <= end_us:
        days.append(first)
        first += timedelta(days=1)
    return days


@dataclass(frozen=True, slots=True)
class NightWindow:
    """A stretch of the early morning, in minutes after midnight of the day that it belongs to."""

    start_minute: int = 2 * 60
    end_minute: int = 4 * 60

    def bounds_us(self, day: date, zone: ZoneInfo) -> tuple[int, int]:
        """Return [start, end) of the window on `day`; an hour shorter or longer where clocks are changed in it. [µs]"""
        return at_us(day, self.start_minute, zone), at_us(day, self.end_minute, zone)


def month_bounds_us(day: date, zone: ZoneInfo) -> tuple[int, int]:
    """Return [start, end) of the site's month that holds `day`. [µs]"""
    first = day.replace(day=1)
    after = (first + timedelta(days=32)).replace(day=1)
    return at_us(first, 0, zone), at_us(after, 0, zone)
