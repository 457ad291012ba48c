"""Maximum demand, what it may still become, and which basic charge is the cheapest."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.energy.basic_charge import LEAST_DECLARED, basic_lines, cheaper_basic_charge
from analytics.energy.demand import daily_peaks, maximum_demand
from analytics.energy.intervals import ESTIMATED, MEASURED, MISSING, STEP_US, Intervals
from analytics.energy.peak_forecast import LEAST_DAYS, forecast_peak
from facility.tariff_model import Basic, BasicCharge
from tests.analytics.energy.tariffs import with_peak, without


def steps(text: str) -> Intervals:
    """Return steps of energy: `10 20e _` is 10 measured, 20 estimated, one missing."""
    parts = text.split()
    used = np.array([math.nan if p == "_" else float(p.rstrip("e")) for p in parts])
    grade = [MISSING if p == "_" else ESTIMATED if p.endswith("e") else MEASURED for p in parts]
    return Intervals(0, used, np.array(grade, dtype=np.int8))


@pytest.mark.parametrize(
    ("text", "kw", "step", "estimated", "missing"),
    [
        ("10 25 20", 100.0, 1, False, 0.0),
        ("25 10 25", 100.0, 0, False, 0.0),  # of equal ones the first
        ("10 _ 20 _", 80.0, 2, False, 0.5),
        ("10 30e 20", 120.0, 1, True, 0.0),
    ],
)
def test_maximum_demand_is_the_largest_mean_of_15_minutes(
    text: str, kw: float, step: int, estimated: bool, missing: float
) -> None:
    peak = maximum_demand(steps(text))
    assert peak is not None
    assert (peak.kw, peak.at_us, peak.estimated, peak.missing) == (kw, step * STEP_US, estimated, missing)


def test_nothing_known_has_no_maximum() -> None:
    assert maximum_demand(steps("_ _")) is None


def test_a_day_of_which_too_little_is_known_has_no_peak() -> None:
    held = without(with_peak(3100.0, 50.0), date(2026, 3, 20), date(2026, 3, 21))
    edges = held.start_us + 96 * STEP_US * np.arange(32, dtype=np.int64)
    peaks = daily_peaks(held, edges)
    assert (peaks[9], np.isnan(peaks[19])) == (50.0, True)
    assert np.count_nonzero(np.isnan(peaks)) == 1


# -- forecast of the running month


def days(n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return peaks and workdays of n days: 800 kW on workdays, 600 on others, with some noise."""
    workday = np.arange(n) % 7 < 5
    noise = np.random.default_rng(seed).normal(0, 15, n)
    return np.where(workday, 800.0, 600.0) + noise, workday


def test_the_forecast_knows_workdays_from_others() -> None:
    peaks, workday = days(60)
    with_workdays = forecast_peak(peaks, workday, np.array([True] * 5), 0.0)
    without_them = forecast_peak(peaks, workday, np.array([False] * 2), 0.0)
    assert with_workdays is not None
    assert without_them is not None
    assert with_workdays.kw == pytest.approx(820, abs=15)
    assert without_them.kw == pytest.approx(608, abs=15)


def test_what_was_reached_already_is_the_least() -> None:
    peaks, workday = days(60)
    found = forecast_peak(peaks, workday, np.array([True] * 3), 950.0)
    assert found is not None
    assert (found.low_kw, found.kw, found.high_kw) == (950.0, 950.0, 950.0)


def test_a_hot_week_to_come_raises_the_forecast() -> None:
    temperature = 15 + 15 * np.sin(np.arange(60) / 9)
    peaks, workday = days(60)
    peaks += 12 * np.maximum(temperature - 20, 0)
    left = np.array([True] * 5)
    found = {
        c: forecast_peak(
            peaks, workday, left, 0.0, temperature_c=temperature, temperature_left_c=np.full(5, float(c))
        )
        for c in (18, 34)
    }  # fmt: skip
    cool, hot = found[18], found[34]
    assert cool is not None
    assert hot is not None
    assert hot.by_temperature
    assert hot.kw - cool.kw == pytest.approx(12 * 14, abs=25)


def test_a_load_that_rises_with_the_season_is_expected_to_go_on() -> None:
    peaks = 500.0 + 5.0 * np.arange(60)
    every_day = np.ones(60, dtype=np.bool_)
    found = forecast_peak(peaks, every_day, every_day[:10], float(peaks[-1]))
    assert found is not None
    # In each stretch of ten days before, the last day lay 60 kW above the level of the five days before it.
    assert found.kw == pytest.approx(500.0 + 5.0 * 69, abs=1.0)


def test_temperatures_with_holes_are_left_out() -> None:
    peaks, workday = days(60)
    temperature = np.full(60, np.nan)
    left = np.array([True] * 5)
    found = forecast_peak(
        peaks, workday, left, 0.0, temperature_c=temperature, temperature_left_c=np.full(5, 30.0)
    )  # fmt: skip
    assert found is not None
    assert not found.by_temperature


@pytest.mark.parametrize(("known", "told"), [(LEAST_DAYS - 1, False), (LEAST_DAYS, True)])
def test_a_forecast_needs_two_weeks_of_known_days(known: int, told: bool) -> None:
    peaks, workday = days(40)
    peaks[: 40 - known] = np.nan
    assert (forecast_peak(peaks, workday, np.array([True]), 0.0) is not None) is told


def test_at_the_months_end_it_is_what_was_reached() -> None:
    peaks, workday = days(40)
    found = forecast_peak(peaks, workday, np.zeros(0, dtype=np.bool_), 812.0)
    assert found is not None
    assert (found.low_kw, found.kw, found.high_kw) == (812.0, 812.0, 812.0)
    assert forecast_peak(peaks, workday, np.zeros(0, dtype=np.bool_), math.nan) is None


def test_the_interval_holds_its_share_of_months() -> None:
    inside = 0
    for seed in range(200):
        peaks, workday = days(90, seed)
        found = forecast_peak(peaks[:75], workday[:75], workday[75:], float(peaks[60:75].max()))
        assert found is not None
        inside += found.low_kw <= peaks[60:].max() <= found.high_kw
    assert 0.72 <= inside / 200 <= 0.92


def test_series_of_two_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="differ"):
        forecast_peak(np.ones(20), np.ones(19, dtype=np.bool_), np.ones(1, dtype=np.bool_), 0.0)


# -- which way of the basic charge

peaks_ = st.lists(st.floats(50.0, 1500.0).map(lambda x: round(x, 1)), min_size=1, max_size=12)


@given(peaks_, st.sampled_from([800.0, 1600.0, 2500.0]))
def test_no_single_declaration_would_have_been_cheaper(peaks: list[float], capacity: float) -> None:
    choice = cheaper_basic_charge(peaks, capacity, capacity_price=25.0, demand_price=40.0)
    assert choice is not None
    assert choice.declared_kw is not None
    assert choice.declared_kw >= LEAST_DECLARED * capacity
    basic = Basic("contract_demand", demand_price=40.0)
    for declared in np.linspace(LEAST_DECLARED * capacity, 1600.0, 200):
        cost = sum(
            x.amount_cents
            for p in peaks
            for x in basic_lines(basic, capacity_kva=capacity, peak_kw=p, declared_kw=float(declared), discount=False)
        )
        assert cost >= choice.cost_cents["contract_demand"] - 2 * len(peaks)


@pytest.mark.parametrize(("peak", "cheaper"), [(624.9, "demand"), (625.1, "capacity")])
def test_below_five_eighths_of_the_capacity_demand_is_cheaper(peak: float, cheaper: BasicCharge) -> None:
    choice = cheaper_basic_charge([peak] * 12, 1000.0, capacity_price=25.0, demand_price=40.0)
    assert choice is not None
    assert choice.break_even_kw == 625.0
    ways: tuple[BasicCharge, ...] = ("capacity", "demand")
    assert min(ways, key=lambda way: choice.cost_cents[way]) == cheaper


def test_of_a_peak_that_is_the_same_each_month_a_little_less_is_declared() -> None:
    choice = cheaper_basic_charge([525.0] * 12, 1000.0, capacity_price=25.0, demand_price=40.0, now="capacity")
    assert choice is not None
    assert (choice.cheapest, choice.declared_kw) == ("contract_demand", 500.0)
    assert choice.saving_cents == 12 * (25_000 - 20_000) * 100


@pytest.mark.parametrize("now", ["capacity", "demand"])
def test_of_ways_that_cost_the_same_the_one_that_holds_is_kept(now: BasicCharge) -> None:
    # 40 % of the capacity is the least that can be declared.
    choice = cheaper_basic_charge([400.0], 1000.0, capacity_price=16.0, demand_price=40.0, now=now)
    assert choice is not None
    assert choice.cost_cents == {"capacity": 1_600_000, "demand": 1_600_000, "contract_demand": 1_600_000}
    assert (choice.cheapest, choice.saving_cents) == (now, 0)


@pytest.mark.parametrize(
    ("capacity_price", "demand_price", "ways"),
    [(25.0, None, {"capacity"}), (None, 40.0, {"demand", "contract_demand"}), (None, None, set())],
)
def test_a_way_without_a_price_is_left_out(
    capacity_price: float | None, demand_price: float | None, ways: set[str]
) -> None:
    choice = cheaper_basic_charge([500.0], 1000.0, capacity_price=capacity_price, demand_price=demand_price)
    assert (set() if choice is None else set(choice.cost_cents)) == ways


def test_months_that_are_not_known_are_left_out() -> None:
    choice = cheaper_basic_charge([math.nan, 500.0], 1000.0, capacity_price=25.0, demand_price=40.0)
    assert choice is not None
    assert choice.months == 1
    assert cheaper_basic_charge([math.nan], 1000.0, capacity_price=25.0, demand_price=40.0) is None


def test_as_many_energies_as_peaks_are_needed() -> None:
    with pytest.raises(ValueError, match="1 energies for 2 months"):
        cheaper_basic_charge([1.0, 2.0], 1000.0, capacity_price=25.0, demand_price=40.0, energy_kwh=[1.0])
