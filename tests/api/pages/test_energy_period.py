"""Periods of the accounts: which one an address names, and its parts."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from api.pages.energy_period import Span, asked_period, period_of, period_words, read_day
from api.pages.words import words_of

SHANGHAI = ZoneInfo("Asia/Shanghai")
LONDON = ZoneInfo("Europe/London")
NOW_US = 1_784_140_800_000_000  # 2026-07-16 02:40 in Shanghai


@pytest.mark.parametrize(
    ("span", "first", "end"),
    [
        ("day", date(2026, 7, 16), date(2026, 7, 17)),
        ("week", date(2026, 7, 13), date(2026, 7, 20)),
        ("month", date(2026, 7, 1), date(2026, 8, 1)),
        ("year", date(2026, 1, 1), date(2027, 1, 1)),
    ],
)
def test_a_period_holds_the_whole_days_about_a_day(span: Span, first: date, end: date) -> None:
    period = period_of(span, date(2026, 7, 16))
    assert (period.first, period.end) == (first, end)


def test_the_one_before_and_the_one_after_touch_it() -> None:
    for span in ("day", "week", "month", "year"):
        period = period_of(span, date(2024, 2, 29))  # type: ignore[arg-type]
        assert period.before().end == period.first
        assert period.after().first == period.end


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-07-16", date(2026, 7, 16)),
        ("2026-07", date(2026, 7, 1)),
        ("2026", date(2026, 1, 1)),
        ("2026-7", date(2026, 7, 1)),
        ("2026-02-30", None),
        ("1999", None),
        ("9999-12", None),
        ("", None),
        ("２０２６", None),
        ("2026-07-16; drop", None),
    ],
)
def test_an_address_names_a_day_a_month_a_year_or_nothing(text: str, day: date | None) -> None:
    assert read_day(text) == day


def test_an_address_that_names_nothing_is_this_month_at_the_site() -> None:
    assert asked_period("", "", NOW_US, SHANGHAI) == period_of("month", date(2026, 7, 1))
    assert asked_period("fortnight", "x", NOW_US, SHANGHAI) == period_of("month", date(2026, 7, 1))


def test_a_day_that_clocks_change_has_23_or_25_hours() -> None:
    assert len(period_of("day", date(2026, 3, 29)).edges_us(LONDON)) == 24
    assert len(period_of("day", date(2026, 10, 25)).edges_us(LONDON)) == 26
    assert len(period_of("day", date(2026, 7, 16)).edges_us(SHANGHAI)) == 25


def test_the_parts_of_a_period_fill_it() -> None:
    for span, n in (("week", 7), ("month", 31), ("year", 12)):
        period = period_of(span, date(2026, 7, 16))  # type: ignore[arg-type]
        edges = period.edges_us(SHANGHAI)
        assert len(edges) == n + 1
        assert (int(edges[0]), int(edges[-1])) == period.bounds_us(SHANGHAI)
        assert np.all(np.diff(edges) > 0)


def test_a_period_is_called_by_its_name() -> None:
    month = period_of("month", date(2026, 7, 16))
    assert period_words(month, words_of("en")) == "July 2026"
    assert period_words(period_of("week", date(2026, 7, 16)), words_of("en")) == "2026-07-13 to 07-19"
    assert (month.at, period_of("year", month.first).at, period_of("day", month.first).at) == (
        "2026-07",
        "2026",
        "2026-07-01",
    )
