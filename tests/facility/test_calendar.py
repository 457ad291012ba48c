"""Days, workdays, nights and months of a site."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from facility import calendar

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
HOUR = 3600 * 1_000_000


@pytest.mark.parametrize(
    ("day", "workday", "holiday"),
    [
        (date(2025, 10, 1), False, "National Day"),
        (date(2025, 9, 28), True, None),  # a Sunday worked for the holiday
        (date(2025, 10, 15), True, None),
        (date(2025, 10, 18), False, None),  # a plain Saturday
    ],
)
def test_chinese_workdays_follow_the_published_calendar(day: date, workday: bool, holiday: str | None) -> None:
    kind = calendar.day_kind(day, SHANGHAI)
    assert (kind.workday, kind.holiday, kind.basis) == (workday, holiday, "official")


@pytest.mark.parametrize(("day", "workday"), [(date(2099, 10, 1), True), (date(2099, 10, 3), False)])
def test_beyond_the_published_years_weekdays_stand_and_it_says_so(day: date, workday: bool) -> None:
    assert calendar.day_kind(day, SHANGHAI) == calendar.DayKind(workday, None, "weekday_rule")


def test_outside_china_weekdays_stand() -> None:
    assert calendar.day_kind(date(2025, 10, 1), BERLIN) == calendar.DayKind(True, None, "weekday_rule")


@pytest.mark.parametrize(
    ("day", "zone", "hours"),
    [
        (date(2025, 3, 30), SHANGHAI, 24),
        (date(2025, 3, 30), BERLIN, 23),
        (date(2025, 10, 26), BERLIN, 25),
        (date(2025, 10, 27), BERLIN, 24),
    ],
)
def test_a_day_lasts_from_midnight_to_midnight_of_the_site(day: date, zone: ZoneInfo, hours: int) -> None:
    start, end = calendar.day_bounds_us(day, zone)
    assert end - start == hours * HOUR
    assert calendar.day_of(start, zone) == day
    assert calendar.day_of(start - 1, zone) < day
    assert calendar.day_of(end - 1, zone) == day


def test_a_shanghai_day_begins_at_sixteen_hours_utc_of_the_day_before() -> None:
    assert calendar.day_bounds_us(date(1970, 1, 2), SHANGHAI)[0] == 16 * HOUR


@pytest.mark.parametrize(
    ("day", "zone", "hours"),
    [
        (date(2025, 7, 1), SHANGHAI, 2),
        (date(2025, 3, 30), BERLIN, 1),  # 02:00 is skipped
        (date(2025, 10, 26), BERLIN, 3),  # 02:00 comes twice
        (date(2025, 7, 1), BERLIN, 2),
    ],
)
def test_the_night_window_follows_the_wall_clock(day: date, zone: ZoneInfo, hours: int) -> None:
    start, end = calendar.NightWindow().bounds_us(day, zone)
    assert end - start == hours * HOUR
    assert calendar.moment(end, zone).strftime("%H:%M") == "04:00"


def test_only_whole_days_count() -> None:
    start, _ = calendar.day_bounds_us(date(2025, 10, 25), BERLIN)
    _, end = calendar.day_bounds_us(date(2025, 10, 27), BERLIN)
    assert calendar.days_between(start, end, BERLIN) == [date(2025, 10, d) for d in (25, 26, 27)]
    assert calendar.days_between(start + 1, end - 1, BERLIN) == [date(2025, 10, 26)]
    assert calendar.days_between(start, start, BERLIN) == []


@pytest.mark.parametrize(("day", "days"), [(date(2024, 2, 10), 29), (date(2025, 12, 31), 31)])
def test_a_month_lasts_from_its_first_day_to_the_next_months(day: date, days: int) -> None:
    start, end = calendar.month_bounds_us(day, SHANGHAI)
    assert end - start == days * 24 * HOUR
    assert calendar.day_of(start, SHANGHAI) == day.replace(day=1)


def test_microseconds_are_exact_for_times_far_away() -> None:
    start, _ = calendar.day_bounds_us(date(2199, 12, 31), SHANGHAI)
    assert start % (HOUR // 60) == 0
