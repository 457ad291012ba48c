"""The power factor of the month against the contract, and what it costs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analytics.waste.power_factor import PowerFactorParameters, hourly_energy, low_power_factor

P90 = PowerFactorParameters(target=0.90)
DAYS = 10


def hours(value: float, days: int = DAYS) -> np.ndarray:
    return np.full(24 * days, value)


def reactive_for(factor: float) -> float:
    """Reactive energy beside 100 kWh at this power factor."""
    return 100.0 * math.tan(math.acos(factor))


@pytest.mark.parametrize(
    ("factor", "target", "percent"),
    [
        (0.90, 0.90, 0.0),
        (0.89, 0.90, 0.5),
        (0.85, 0.90, 2.5),
        (0.85, 0.85, 0.0),
        (0.84, 0.85, 0.5),
        (0.95, 0.90, -0.75),
    ],
)
def test_the_verdict_follows_the_contracts_table(factor: float, target: float, percent: float) -> None:
    p = PowerFactorParameters(target)
    v = low_power_factor(hours(100.0), hours(reactive_for(factor)), hours(0.8), 0.0, p)
    assert v.factor == pytest.approx(factor)
    assert v.adjustment_percent == percent
    assert v.verdict == ("fault" if percent > 0 else "healthy")


def test_the_penalty_is_that_of_a_month_of_thirty_days_like_the_window() -> None:
    v = low_power_factor(hours(100.0), hours(reactive_for(0.85)), hours(0.8), 0.0, P90)
    # 2400 kWh a day at 0.80 for 30 days, times 2.5 %
    assert v.penalty_month == pytest.approx(2400 * 0.8 * 30 * 0.025)


def test_the_basic_charge_is_adjusted_too_but_only_once_a_month() -> None:
    v = low_power_factor(hours(100.0), hours(reactive_for(0.85)), hours(0.8), 40_000.0, P90)
    assert v.penalty_month == pytest.approx((2400 * 0.8 * 30 + 40_000) * 0.025)


def test_prices_by_the_time_of_day_count_by_the_hour() -> None:
    price = np.tile([0.3] * 12 + [1.3] * 12, DAYS)
    v = low_power_factor(hours(100.0), hours(reactive_for(0.85)), price, 0.0, P90)
    assert v.penalty_month == pytest.approx(2400 * 0.8 * 30 * 0.025)


def test_the_waste_is_the_reactive_energy_beyond_what_the_target_allows() -> None:
    v = low_power_factor(hours(100.0), hours(reactive_for(0.80)), hours(0.8), 0.0, P90)
    assert v.excess_kvarh_day == pytest.approx(24 * (75.0 - 48.432), rel=1e-4)


def test_a_good_factor_costs_and_wastes_nothing() -> None:
    v = low_power_factor(hours(100.0), hours(10.0), hours(0.8), 0.0, P90)
    assert (v.verdict, v.penalty_month, v.excess_kvarh_day) == ("healthy", 0.0, 0.0)


def test_reactive_energy_counts_by_its_amount() -> None:
    v = low_power_factor(hours(100.0), hours(-reactive_for(0.80)), hours(0.8), 0.0, P90)
    assert v.factor == pytest.approx(0.80)


@pytest.mark.parametrize(
    ("known_hours", "total_hours", "verdict"),
    [
        (72, 72, "fault"),
        (71, 71, "cannot_tell"),
        (168, 240, "fault"),
        (167, 240, "cannot_tell"),
        (0, 240, "cannot_tell"),
    ],
)
def test_it_cannot_tell_from_too_little(known_hours: int, total_hours: int, verdict: str) -> None:
    active = np.full(total_hours, 100.0)
    active[known_hours:] = np.nan
    reactive = np.full(total_hours, reactive_for(0.80))
    assert low_power_factor(active, reactive, np.full(total_hours, 0.8), 0.0, P90).verdict == verdict


def test_hours_in_which_one_energy_is_missing_count_for_neither() -> None:
    active, reactive = hours(100.0), hours(reactive_for(0.85))
    active[::5], reactive[1::5] = np.nan, np.nan
    v = low_power_factor(active, reactive, hours(0.8), 0.0, PowerFactorParameters(0.90, min_coverage=0.5))
    assert v.factor == pytest.approx(0.85)
    assert v.coverage == pytest.approx(0.6, abs=0.01)


def test_a_meter_that_was_fitted_in_mid_month_is_judged_from_then_on() -> None:
    active = hours(100.0, 20)
    active[: 24 * 16] = np.nan
    v = low_power_factor(active, hours(reactive_for(0.85), 20), hours(0.8, 20), 0.0, P90)
    assert (v.verdict, v.days, v.coverage) == ("fault", 4.0, 1.0)
    assert v.penalty_month == pytest.approx(2400 * 0.8 * 30 * 0.025)


def test_no_energy_at_all_is_not_a_bad_factor() -> None:
    assert low_power_factor(hours(0.0), hours(0.0), hours(0.8), 0.0, P90).verdict == "cannot_tell"


@pytest.mark.parametrize("shape", [(3,), (240, 1)])
def test_arrays_that_do_not_fit_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="one value an hour"):
        low_power_factor(hours(1.0), np.ones(shape), hours(0.8), 0.0, P90)


class TestARegister:
    def test_counts_what_lies_between_two_readings(self) -> None:
        assert hourly_energy(np.array([10.0, 12.0, 15.0])).tolist() == pytest.approx([np.nan, 2, 3], nan_ok=True)

    def test_that_falls_leaves_that_hour_unknown(self) -> None:
        used = hourly_energy(np.array([10.0, 12.0, 1.0, 3.0]))
        assert used.tolist() == pytest.approx([np.nan, 2, np.nan, 2], nan_ok=True)

    @pytest.mark.parametrize(("digits", "used"), [(4, 7.0), (None, math.nan), (6, math.nan)])
    def test_that_rolls_over_goes_on_if_its_digits_are_known(self, digits: int | None, used: float) -> None:
        assert hourly_energy(np.array([9995.0, 2.0]), digits)[1] == pytest.approx(used, nan_ok=True)

    def test_that_is_reset_in_mid_range_has_not_rolled_over(self) -> None:
        assert math.isnan(hourly_energy(np.array([5000.0, 2.0]), 4)[1])

    def test_with_missing_hours_keeps_them_missing(self) -> None:
        used = hourly_energy(np.array([1.0, np.nan, 5.0, 6.0]))
        assert used.tolist() == pytest.approx([np.nan, np.nan, np.nan, 1], nan_ok=True)
