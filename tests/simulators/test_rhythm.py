"""The hospital's day and week, and China's calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from simulators.rhythm import SCHEDULES, Span, is_workday, make_span, shift

SHANGHAI = ZoneInfo("Asia/Shanghai")


def span_of(*moments: str, zone: ZoneInfo = SHANGHAI) -> Span:
    at = [int(datetime.fromisoformat(m).replace(tzinfo=zone).timestamp()) * 1_000_000 for m in moments]
    return make_span(np.array(at, dtype=np.int64), at[0] - 60_000_000, zone)


@pytest.mark.parametrize(
    ("day", "worked"),
    [
        (date(2026, 1, 14), True),  # a Wednesday
        (date(2026, 1, 17), False),  # a Saturday
        (date(2026, 2, 17), False),  # spring festival, a Tuesday
        (date(2026, 2, 14), True),  # a Saturday that makes up for it
        (date(2026, 10, 1), False),  # national day
        (date(2031, 1, 1), False),  # a year that no arrangement covers yet: its fixed holidays
        (date(2031, 1, 2), True),
        (date(2031, 1, 4), False),  # and its weekends
    ],
)
def test_workdays_are_those_of_the_state_councils_arrangement(day: date, worked: bool) -> None:
    assert is_workday(day) is worked


def test_a_time_knows_its_place_in_the_sites_day_week_and_year() -> None:
    span = span_of("2026-01-14 09:30:00", "2026-01-18 00:00:00")
    assert span.hour.tolist() == [9.5, 0.0]
    assert span.weekday.tolist() == [2, 6]
    assert span.workday.tolist() == [True, False]
    assert span.day.tolist() == [13.0, 17.0]
    assert span.dt_s.tolist() == [60.0, 3 * 86400.0 + 14.5 * 3600.0]


def test_the_clock_of_a_zone_with_summer_time_jumps_with_it() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    at = [int(datetime(2026, 3, 29, h, 30, tzinfo=UTC).timestamp()) * 1_000_000 for h in (0, 1)]
    span = make_span(np.array(at, dtype=np.int64), at[0], berlin)
    assert span.hour.tolist() == [1.5, 3.5]


def test_half_hour_zones_are_right() -> None:
    at = int(datetime(2026, 1, 14, 0, 0, tzinfo=UTC).timestamp()) * 1_000_000
    assert make_span(np.array([at]), at, ZoneInfo("Asia/Kolkata")).hour.tolist() == [5.5]


def test_duty_changes_over_on_monday_morning_at_nine() -> None:
    before, after, sunday = span_of("2026-01-19 08:59", "2026-01-19 09:00", "2026-01-25 23:00").week
    assert after == before + 1
    assert sunday == after


def test_a_shift_is_off_before_on_within_and_off_after() -> None:
    hours = np.array([5.0, 8.0, 10.0, 12.0, 20.0])
    assert shift(hours, 8.0, 12.0).tolist() == [0.0, 0.5, 1.0, 0.5, 0.0]


def test_clinics_are_busy_on_a_workday_morning_and_not_at_night_or_on_sunday() -> None:
    busy = SCHEDULES["outpatient"].activity(span_of("2026-01-14 03:00", "2026-01-14 10:00", "2026-01-18 10:00"))
    assert busy[0] == 0.0
    assert busy[1] == pytest.approx(1.0)
    assert busy[2] < 0.2


@pytest.mark.parametrize("kind", sorted(SCHEDULES))
def test_no_schedule_leaves_the_band_from_rest_to_busiest(kind: str) -> None:
    at = np.arange(0, 14 * 24 * 3600, 600, dtype=np.int64) * 1_000_000 + 1_768_320_000_000_000
    busy = SCHEDULES[kind].activity(make_span(at, int(at[0]), SHANGHAI))
    assert busy.min() >= 0.0
    assert busy.max() <= 1.0
    assert busy.max() > 0.9
