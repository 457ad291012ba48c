"""A day, a week, a month or a year of the accounts: which one an address names, what stands beside it, its parts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Final, Literal
from zoneinfo import ZoneInfo

import numpy as np

from analytics.energy.intervals import Times
from api.pages.words import Words
from facility.calendar import at_us, day_of
from facility.formats import weekday

Span = Literal["day", "week", "month", "year"]
SPANS: Final[tuple[Span, ...]] = ("day", "week", "month", "year")

_DAY: Final = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?", re.ASCII)
_FIRST_YEAR: Final = 2000
_LAST_YEAR: Final = 2100
_HOUR_US: Final = 3_600_000_000


@dataclass(frozen=True)
class Period:
    """
    A stretch of whole days at the site.

    Attributes
    ----------
    first, end : its first day, and the day after its last
    """

    span: Span
    first: date
    end: date

    @property
    def days(self) -> int:
        """Return how many days it has."""
        return (self.end - self.first).days

    @cached_property
    def last(self) -> date:
        """Return its last day."""
        return self.end - timedelta(days=1)

    @property
    def at(self) -> str:
        """Return its name in an address: `2026-07-16`, `2026-07`, `2026`."""
        text = self.first.isoformat()
        return {"month": text[:7], "year": text[:4]}.get(self.span, text)

    def holds(self, day: date) -> bool:
        """Return True if a day lies in it."""
        return self.first <= day < self.end

    def bounds_us(self, zone: ZoneInfo) -> tuple[int, int]:
        """Return [start, end). [µs UTC]"""
        return at_us(self.first, 0, zone), at_us(self.end, 0, zone)

    def edges_us(self, zone: ZoneInfo) -> Times:
        """Return the ends of its parts: hours of a day, days of a week or month, months of a year. [µs UTC]"""
        if self.span == "day":
            start, end = self.bounds_us(zone)
            return np.arange(start, end + 1, _HOUR_US, dtype=np.int64)
        return np.array([at_us(day, 0, zone) for day in (*self.parts, self.end)], dtype=np.int64)

    @property
    def parts(self) -> tuple[date, ...]:
        """Return the first day of each part: the days of a week or month, the months of a year; a day is one part."""
        if self.span == "year":
            return tuple(date(self.first.year, month, 1) for month in range(1, 13))
        return tuple(self.first + timedelta(days=i) for i in range(self.days))

    def before(self) -> Period:
        """Return the one before it."""
        return period_of(self.span, self.first - timedelta(days=1))

    def after(self) -> Period:
        """Return the one after it."""
        return period_of(self.span, self.end)

    def as_span(self, span: Span, today: date) -> Period:
        """Return the day, week, month or year about this one: the one with today in it, if today lies in both."""
        return period_of(span, today if self.holds(today) else self.first)


def period_of(span: Span, day: date) -> Period:
    """Return the day, the week from Monday, the month or the year in which a day lies."""
    match span:
        case "day":
            return Period(span, day, day + timedelta(days=1))
        case "week":
            monday = day - timedelta(days=day.weekday())
            return Period(span, monday, monday + timedelta(days=7))
        case "month":
            first = day.replace(day=1)
            return Period(span, first, (first + timedelta(days=32)).replace(day=1))
        case "year":
            return Period(span, date(day.year, 1, 1), date(day.year + 1, 1, 1))


def read_day(text: str) -> date | None:
    """Return the day that an address names: `2026-07-16`, or the first of `2026-07` or `2026`; None: none."""
    found = _DAY.fullmatch(text.strip())
    if found is None or not _FIRST_YEAR <= int(found[1]) <= _LAST_YEAR:
        return None
    try:
        return date(int(found[1]), int(found[2] or 1), int(found[3] or 1))
    except ValueError:
        return None


def asked_period(span: str, at: str, now_us: int, zone: ZoneInfo) -> Period:
    """Return the period that a page's address asks for; this month where it names none that can be meant."""
    chosen: Span = next((s for s in SPANS if s == span), "month")
    return period_of(chosen, read_day(at) or day_of(now_us, zone))


def month_words(day: date, words: Words) -> str:
    """Return `2026 年 7 月`, `July 2026`."""
    return words("%(month)s %(year)s", month=_month_name(day.month, words), year=day.year)


def _month_name(month: int, words: Words) -> str:
    return (
        words("January"), words("February"), words("March"), words("April"), words.in_context("month", "May"),
        words("June"), words("July"), words("August"), words("September"), words("October"), words("November"),
        words("December"),
    )[month - 1]  # fmt: skip


def period_words(period: Period, words: Words) -> str:
    """Return what a period is called: `Thu 2026-07-16`, `2026-07-13 to 07-19`, `July 2026`, `2026`."""
    match period.span:
        case "day":
            return words(
                "%(weekday)s %(day)s", weekday=weekday(period.first, words.language), day=period.first.isoformat()
            )
        case "week":
            return words("%(first)s to %(last)s", first=period.first.isoformat(), last=period.last.strftime("%m-%d"))
        case "month":
            return month_words(period.first, words)
        case "year":
            return words("year %(year)s", year=period.first.year)


def span_words(span: Span, words: Words) -> str:
    """Return what a span is called on its switch."""
    return {
        "day": words.in_context("span", "Day"),
        "week": words.in_context("span", "Week"),
        "month": words.in_context("span", "Month"),
        "year": words.in_context("span", "Year"),
    }[span]
