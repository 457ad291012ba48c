"""How an outage is spread: by the site's clock, on workdays and days off, as the meter's own days run."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from analytics.energy.intervals import ESTIMATED, MEASURED, MISSING, STEP_US, Intervals
from analytics.energy.spreading import slots, spread, typical_profile
from facility.calendar import to_us

SHANGHAI, NEW_YORK = ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York")


def midnight(zone: ZoneInfo, year: int, month: int, day: int) -> int:
    return to_us(datetime(year, month, day, tzinfo=zone))


def test_a_steps_slot_is_its_quarter_of_the_day_and_the_kind_of_day() -> None:
    found = slots(midnight(SHANGHAI, 2026, 3, 6), 2 * 96, SHANGHAI)  # a Friday and a Saturday
    assert found[:96].tolist() == list(range(96))
    assert found[96:].tolist() == [96 + q for q in range(96)]


def test_a_saturday_that_is_worked_for_a_holiday_is_a_workday() -> None:
    # 2026-02-14 is worked for the Spring Festival, by the State Council's calendar.
    assert slots(midnight(SHANGHAI, 2026, 2, 14), 96, SHANGHAI)[0] == 0
    assert slots(midnight(SHANGHAI, 2026, 2, 17), 96, SHANGHAI)[0] == 96


def test_slots_go_by_the_clock_where_clocks_are_changed() -> None:
    spring = slots(midnight(NEW_YORK, 2026, 3, 8), 92, NEW_YORK) - 96
    assert spring[7:9].tolist() == [7, 12]
    assert spring[-1] == 95
    autumn = slots(midnight(NEW_YORK, 2026, 11, 1), 100, NEW_YORK) - 96
    assert autumn[4:12].tolist() == [4, 5, 6, 7, 4, 5, 6, 7]
    assert autumn[-1] == 95


def week(load: np.ndarray, grade: np.ndarray | None = None) -> Intervals:
    """Return steps from a Monday on."""
    grades = np.full(load.shape[0], MEASURED, dtype=np.int8) if grade is None else grade.astype(np.int8)
    return Intervals(midnight(SHANGHAI, 2026, 3, 2), load, grades)


def test_the_profile_is_the_mean_of_what_was_measured() -> None:
    load = np.concatenate([np.full(96, 4.0), np.full(96, 6.0), np.full(96, 900.0)])
    grade = np.repeat([MEASURED, MEASURED, ESTIMATED], 96)
    np.testing.assert_array_equal(typical_profile(week(load, grade), SHANGHAI)[0], 5.0)


def test_a_kind_of_day_that_was_never_seen_is_taken_from_the_other() -> None:
    load = np.arange(96.0)
    profile = typical_profile(week(load), SHANGHAI)
    np.testing.assert_array_equal(profile[1], profile[0])


def test_a_quarter_that_no_day_knows_is_taken_from_the_mean() -> None:
    load = np.full(96, 3.0)
    grade = np.full(96, MEASURED)
    load[10], grade[10] = np.nan, MISSING
    assert typical_profile(week(load, grade), SHANGHAI)[0, 10] == 3.0


@pytest.mark.parametrize("load", [np.zeros(96), np.full(96, np.nan)])
def test_a_profile_of_nothing_is_even(load: np.ndarray) -> None:
    grade = np.where(np.isnan(load), MISSING, MEASURED)
    np.testing.assert_array_equal(typical_profile(week(load, grade), SHANGHAI), 1.0)


def test_shares_run_up_with_the_profile_and_weigh_the_parts_of_steps_at_both_ends() -> None:
    start = midnight(SHANGHAI, 2026, 3, 2)
    profile = np.ones((2, 96))
    profile[0, 1] = 3.0
    # Half of the first step, the second, and half of the third weigh 0.5, 3 and 0.5.
    edges, share = spread(start + STEP_US // 2, start + 5 * STEP_US // 2, profile, SHANGHAI)
    assert edges.tolist() == [start + STEP_US, start + 2 * STEP_US]
    np.testing.assert_allclose(share, [0.125, 0.875])


def test_a_gap_within_one_step_has_no_edges() -> None:
    start = midnight(SHANGHAI, 2026, 3, 2)
    edges, share = spread(start + 1, start + STEP_US - 1, np.ones((2, 96)), SHANGHAI)
    assert len(edges) == len(share) == 0
