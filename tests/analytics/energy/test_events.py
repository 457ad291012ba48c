"""Load changes that weather and calendar do not explain: found with their month, and none found where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.energy.day_noise import memory_of, noise_of_days
from analytics.energy.events import Course, find_events
from tests.analytics.energy.synthetic_meter import BASELINE, REPORTING, Meter, meter, noise


def course(year: Meter) -> Course:
    """Return what is found when the true load stands for the baseline's expectation."""
    before, after = year.load[: BASELINE.size], year.load[BASELINE.size :]
    _, used, drivers = year.after
    return find_events(REPORTING, used, after, drivers[:, 0], year.used[: BASELINE.size] - before)


@pytest.mark.parametrize("seed", range(12))
def test_a_healthy_year_with_a_constant_saving_has_no_event(seed):
    assert course(meter(seed)).events == ()


@pytest.mark.parametrize("saving", [0.0, 0.1, 0.3])
def test_a_saving_from_the_first_day_on_is_the_measure_not_an_event(saving):
    assert course(meter(3, saving=saving)).events == ()


def test_a_load_added_in_june_is_told_with_its_month_and_size():
    events = course(meter(1, added=("2017-06-10", None, 20.0))).events
    assert [event.month for event in events] == ["2017-06"]
    assert abs(events[0].start - np.datetime64("2017-06-10")) <= np.timedelta64(4, "D")
    assert events[0].start_between[0] <= np.datetime64("2017-06-10") <= events[0].start_between[1]
    assert events[0].end is None
    assert events[0].size == pytest.approx(20.0, abs=3.0 * events[0].size_error)
    assert events[0].confidence > 0.99
    assert events[0].energy == pytest.approx(20.0 * 205, rel=0.2)


def test_a_load_that_went_has_a_size_below_zero():
    events = course(meter(2, added=("2017-04-20", None, -15.0))).events
    assert len(events) == 1
    assert events[0].size == pytest.approx(-15.0, abs=4.0)


def test_a_load_of_six_weeks_has_an_end():
    events = course(meter(5, added=("2017-05-15", "2017-06-26", 25.0))).events
    assert len(events) == 1
    assert events[0].month == "2017-05"
    assert abs(events[0].end - np.datetime64("2017-06-26")) <= np.timedelta64(4, "D")


def test_two_loads_are_two_events():
    year = meter(7, added=("2017-03-10", None, 25.0))
    year.used[BASELINE.size + 273 :] -= 20.0  # from 1 October on
    months = [event.month for event in course(year).events]
    assert months == ["2017-03", "2017-10"]


def office(seed: int, saved_at_rest: float, saved_at_work: float) -> tuple[np.ndarray, ...]:
    """Return days, used, expected, weather and rest days of 17 weeks of offices, with the National Day week in them."""
    rng = np.random.default_rng(seed)
    days = np.arange("2026-07-26", "2026-11-22", dtype="datetime64[D]")
    rest = ~np.is_busday(days, holidays=np.arange("2026-10-01", "2026-10-08", dtype="datetime64[D]"))
    weather = 32.0 - 20.0 * np.arange(days.size) / days.size + 3.0 * rng.normal(size=days.size)
    expected = np.where(rest, 450.0, 1000.0) + np.maximum(0.0, weather - 20.0) * np.where(rest, 15.0, 40.0)
    saved = np.where(rest, saved_at_rest, saved_at_work)
    return days, expected * (1.0 - saved) * (1.0 + 0.04 * rng.normal(size=days.size)), expected, weather, rest


@pytest.mark.parametrize(("at_rest", "at_work"), [(0.6, 0.1), (0.3, 0.05), (0.0, 0.2)])
@pytest.mark.parametrize("seed", range(4))
def test_a_measure_that_saves_more_on_one_kind_of_day_is_no_event(seed, at_rest, at_work):
    days, used, expected, weather, rest = office(seed, at_rest, at_work)
    assert find_events(days, used, expected, weather, rest=rest).events == ()


def test_a_load_added_beside_such_a_measure_is_told():
    days, used, expected, weather, rest = office(1, 0.6, 0.1)
    used = used + 100.0 * (days >= np.datetime64("2026-09-15"))
    events = find_events(days, used, expected, weather, rest=rest).events
    assert [event.month for event in events] == ["2026-09"]
    assert events[0].size == pytest.approx(100.0, rel=0.3)


def test_a_bad_day_is_no_event():
    year = meter(4)
    year.used[BASELINE.size + 200] += 900.0
    assert course(year).events == ()


def test_days_that_are_missing_hide_nothing():
    year = meter(1, added=("2017-06-10", None, 20.0))
    year.used[BASELINE.size + 120 : BASELINE.size + 135] = np.nan
    found = course(year)
    assert [event.month for event in found.events] == ["2017-06"]
    assert np.isnan(found.remainder[120:135]).all()


def test_a_period_too_short_for_a_verdict_has_no_event():
    year = meter(1, added=("2017-01-20", None, 50.0))
    assert find_events(REPORTING[:30], year.after[1][:30], year.load[BASELINE.size :][:30]).events == ()


@pytest.mark.parametrize("values", [np.nan, 0.0])
def test_nothing_known_or_expected_has_no_event(values):
    assert find_events(REPORTING, np.full(365, 10.0), np.full(365, values)).events == ()


def test_days_must_be_consecutive_and_of_one_length():
    with pytest.raises(ValueError, match="consecutive"):
        find_events(REPORTING[[0, 2, 3]], np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match="one length"):
        find_events(REPORTING, np.ones(3), np.ones(365))


def test_days_with_a_memory_sum_to_more_scatter():
    rng = np.random.default_rng(0)
    assert memory_of(rng.normal(size=700)) < 1.6
    assert memory_of(noise(700, 0.7, rng)) > 3.0
    assert memory_of(np.full(700, np.nan)) == 1.0


def test_noise_that_goes_with_the_load_is_seen_as_such():
    rng = np.random.default_rng(0)
    level = np.where(np.arange(365) % 2, 0.2, 2.0)
    seen = noise_of_days(level * rng.normal(size=365), level)
    assert seen[level > 1].mean() > 1.3 * seen[level < 1].mean()


@settings(max_examples=8, deadline=None)
@given(st.floats(0.01, 1e4), st.integers(0, 10_000))
def test_the_unit_of_the_energy_changes_nothing_but_the_size(factor, seed):
    year = meter(seed, added=("2017-07-10", None, 30.0))
    one = course(year)
    other = course(Meter(year.temperature, year.load * factor, year.used * factor))
    assert [event.start for event in one.events] == [event.start for event in other.events]
    for a, b in zip(one.events, other.events, strict=True):
        assert b.size == pytest.approx(factor * a.size, rel=1e-6)
