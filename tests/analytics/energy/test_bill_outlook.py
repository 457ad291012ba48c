"""The outlook on the maximum demand of the running month, from steps and the calendar."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from analytics.energy.intervals import MEASURED, STEP_US, Intervals
from analytics.energy.peak_outlook import peak_outlook
from facility.calendar import at_us, day_kind
from tests.analytics.energy.tariffs import SHANGHAI


def hospital(first: date, days: int) -> Intervals:
    """Return days with a peak of 1,000 kW at 10:00 on workdays, of 600 on others, of 400 otherwise."""
    used = np.full((days, 96), 100.0)
    for i in range(days):
        used[i, 40] = 250.0 if day_kind(first + timedelta(days=i), SHANGHAI).workday else 150.0
    return Intervals(at_us(first, 0, SHANGHAI), used.ravel(), np.full(96 * days, MEASURED, dtype=np.int8))


def test_holidays_that_are_left_raise_no_peak_and_workdays_do() -> None:
    # On the evening of 30 September a week of holidays begins; on 7 October the last of them ends.
    use = hospital(date(2026, 7, 15), 90)
    within = peak_outlook(use, at_us(date(2026, 10, 3), 12 * 60, SHANGHAI), SHANGHAI)
    assert within is not None
    assert (within.so_far_kw, within.kw) == (600.0, pytest.approx(1000.0, abs=1.0))


def test_the_part_of_today_that_has_passed_counts() -> None:
    use = hospital(date(2026, 7, 1), 62)
    use.used[61 * 96 + 20] = 300.0
    now_us = use.end_us - 96 * STEP_US + 21 * STEP_US
    found = peak_outlook(use, now_us, SHANGHAI)
    assert found is not None
    assert (found.so_far_kw, found.low_kw) == (1200.0, 1200.0)


def test_a_day_that_is_held_in_part_only_is_left_out() -> None:
    use = hospital(date(2026, 8, 1), 40)
    cut = use.window(use.start_us + 50 * STEP_US, use.end_us)
    found = peak_outlook(cut, use.end_us, SHANGHAI)
    assert found is not None
    assert found.days == 39


def test_a_new_site_has_no_outlook() -> None:
    use = hospital(date(2026, 9, 1), 5)
    assert peak_outlook(use, use.end_us, SHANGHAI) is None
    assert peak_outlook(use, use.start_us + STEP_US, SHANGHAI) is None


def test_temperatures_of_the_days_to_come_are_used_if_all_are_known() -> None:
    use = hospital(date(2026, 7, 1), 62)
    days = [date(2026, 7, 1) + timedelta(days=i) for i in range(100)]
    now_us = at_us(date(2026, 8, 20), 0, SHANGHAI)
    known = peak_outlook(use, now_us, SHANGHAI, {d: 25.0 + i % 9 for i, d in enumerate(days)})
    partly = peak_outlook(use, now_us, SHANGHAI, {d: 25.0 + i % 9 for i, d in enumerate(days[:60])})
    assert known is not None
    assert partly is not None
    assert (known.by_temperature, partly.by_temperature) == (True, False)
