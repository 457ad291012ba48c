"""How full the beds are."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from simulators.occupancy import USUAL, bed_occupancy
from simulators.rhythm import is_workday, make_span, spring_festival

SHANGHAI = ZoneInfo("Asia/Shanghai")


def beds_at(*moments: str) -> list[float]:
    at = [int(datetime.fromisoformat(m).replace(tzinfo=SHANGHAI).timestamp()) * 1_000_000 for m in moments]
    return [float(v) for v in bed_occupancy(make_span(np.array(at, dtype=np.int64), at[0] - 60_000_000, SHANGHAI))]


@pytest.mark.parametrize(
    ("year", "day"),
    [
        (2012, date(2012, 1, 23)),  # before the table, by the moon's cycle
        (2026, date(2026, 2, 17)),
        (2033, date(2033, 1, 31)),
        (2035, date(2035, 2, 8)),
    ],
)
def test_the_spring_festival_is_where_the_moon_puts_it(year: int, day: date) -> None:
    assert abs((spring_festival(year) - day).days) <= 1


def test_the_festival_is_no_workday_even_where_no_arrangement_is_known() -> None:
    assert not is_workday(date(2034, 2, 20))
    assert is_workday(date(2034, 3, 1))


def test_beds_empty_for_the_festival_and_fill_again() -> None:
    before, festival, after = beds_at("2026-01-21 12:00", "2026-02-18 12:00", "2026-03-11 12:00")
    assert festival < 0.78 * before
    assert after > before


def test_beds_are_fullest_in_the_middle_of_the_week() -> None:
    thursday, sunday = beds_at("2026-05-21 12:00", "2026-05-24 12:00")
    assert thursday > 1.05 * sunday


def test_the_year_has_its_usual_mean_and_no_day_beyond_all_beds() -> None:
    start = int(datetime(2026, 1, 1, tzinfo=SHANGHAI).timestamp()) * 1_000_000
    at = start + np.arange(365 * 24, dtype=np.int64) * 3_600_000_000
    beds = bed_occupancy(make_span(at, start, SHANGHAI))
    assert beds.mean() == pytest.approx(USUAL, abs=0.015)
    assert beds.min() > 0.5
    assert beds.max() <= 1.0


def test_new_years_eve_joins_new_year_without_a_leap() -> None:
    eve, day = beds_at("2026-12-31 23:59", "2027-01-01 00:01")
    assert eve == pytest.approx(day, abs=0.002)
