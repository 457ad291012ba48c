"""Daily mean temperatures and degree-days."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import yaml

from analytics.energy.weather import daily_means, degree_days

HOUR_US, DAY_US = 3_600_000_000, 86_400_000_000
EDGES = DAY_US * np.arange(20_000, 20_004, dtype=np.int64)
CASES = yaml.safe_load((Path(__file__).parents[2] / "cases" / "degree_days.yaml").read_text(encoding="utf-8"))


def hours(n: int, start_us: int = int(EDGES[0])) -> np.ndarray:
    return start_us + HOUR_US * np.arange(n, dtype=np.int64)


def test_a_days_mean_is_the_mean_of_its_hours_however_many_samples_each_has() -> None:
    time_us = np.concatenate([hours(24), np.full(100, hours(1)[0])])
    means = daily_means(time_us, np.concatenate([np.arange(24.0), np.zeros(100)]), EDGES)
    assert means[0] == pytest.approx(11.5)
    assert np.isnan(means[1:]).all()


@pytest.mark.parametrize(("known", "told"), [(17, False), (18, True)])
def test_a_day_needs_three_quarters_of_its_hours(known: int, told: bool) -> None:
    assert np.isfinite(daily_means(hours(known), np.full(known, 5.0), EDGES)[0]) == told


def test_days_begin_where_the_zone_says_even_half_an_hour_off() -> None:
    edges = EDGES + HOUR_US // 2
    means = daily_means(hours(72, int(edges[0])), np.repeat([1.0, 2.0, 3.0], 24), edges)
    assert means.tolist() == [1.0, 2.0, 3.0]


def test_what_is_missing_is_left_out_and_nothing_is_nothing() -> None:
    values = np.full(24, 4.0)
    values[:6] = math.nan
    assert daily_means(hours(24), values, EDGES)[0] == 4.0
    assert np.isnan(daily_means(np.zeros(0, dtype=np.int64), np.zeros(0), EDGES)).all()


def test_as_many_times_as_temperatures() -> None:
    with pytest.raises(ValueError, match="give one for each"):
        daily_means(hours(3), np.zeros(2), EDGES)


@pytest.mark.parametrize("case", CASES["days"], ids=lambda c: str(c["mean"]))
def test_degree_days_of_one_day(case: dict[str, float]) -> None:
    found = degree_days(np.array([case["mean"]], dtype=float))
    assert (found.heating, found.cooling) == pytest.approx((case["hdd18"], case["cdd26"]))


def test_days_that_are_not_known_are_not_mild_days() -> None:
    found = degree_days(np.array([10.0, math.nan, 30.0]))
    assert (found.heating, found.cooling, found.days, found.days_known, found.complete) == (8.0, 4.0, 3, 2, False)
    assert math.isnan(degree_days(np.array([math.nan])).heating)
