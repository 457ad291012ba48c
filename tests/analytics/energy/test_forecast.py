"""What a month will come to: levels of days, the weather's part, and how sure that is."""

from __future__ import annotations

import math
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from analytics.energy.day_response import FESTIVAL, REST, SATURDAY, WORKDAY, day_kinds, fit_response
from analytics.energy.forecast import Forecast, ForecastParameters, forecast
from analytics.energy.temperature_outlook import TemperatureOutlook

NAN = math.nan
SHANGHAI = ZoneInfo("Asia/Shanghai")


def weeks(n: int) -> np.ndarray:
    """Return the kinds of n days from a Monday on."""
    return np.array([WORKDAY] * 5 + [SATURDAY, REST], dtype=np.int8)[np.arange(n) % 7]


def year(n: int, seed: int = 1) -> np.ndarray:
    """Return n days of a temperate climate from 1 January on, with weather that lasts for days. [°C]"""
    rng = np.random.default_rng(seed)
    weather = np.zeros(n)
    for i in range(1, n):
        weather[i] = 0.7 * weather[i - 1] + rng.normal(0.0, 2.0)
    return 16.0 - 12.0 * np.cos(2 * np.pi * (np.arange(n) - 20) / 365.25) + weather


# -- kinds of days


@pytest.mark.parametrize(
    ("day", "kind"),
    [
        (date(2026, 2, 13), WORKDAY),
        (date(2026, 2, 14), WORKDAY),  # a Saturday that is worked before the Spring Festival
        (date(2026, 2, 15), FESTIVAL),  # a Sunday with which it begins
        (date(2026, 2, 17), FESTIVAL),
        (date(2026, 3, 7), SATURDAY),
        (date(2026, 3, 8), REST),
        (date(2026, 4, 4), REST),  # Qingming: three days in all
        (date(2025, 10, 1), FESTIVAL),
        (date(2025, 10, 8), FESTIVAL),
        (date(2025, 10, 9), WORKDAY),
    ],
)
def test_days_have_their_kind_by_the_official_calendar(day: date, kind: int) -> None:
    assert day_kinds([day], SHANGHAI).tolist() == [kind]


def test_a_festival_that_was_never_seen_is_a_day_of_rest_and_widens_the_interval() -> None:
    rng = np.random.default_rng(1)
    kinds = weeks(60)
    used = np.array([100.0, 80.0, 60.0])[kinds] * rng.normal(1.0, 0.02, 60)
    used[50:] = NAN
    plain = forecast(used, kinds, None, 50)
    kinds = kinds.copy()
    kinds[52:59] = FESTIVAL
    long = forecast(used, kinds, None, 50)
    assert long.expected[2:9] == pytest.approx(np.full(7, long.expected[4]))
    assert long.expected[4] == pytest.approx(60.0, rel=0.05)
    assert long.high - long.low > 1.2 * (plain.high - plain.low)


def test_a_festival_that_was_seen_is_expected_as_it_was() -> None:
    kinds = weeks(420)
    kinds[40:48] = kinds[400:408] = FESTIVAL
    used = np.array([100.0, 80.0, 60.0, 40.0])[kinds]
    truth = used[395:].sum()
    used[395:] = NAN
    assert forecast(used, kinds, None, 395).total == pytest.approx(truth)


# -- the level


def test_a_month_is_what_was_counted_and_the_level_of_each_kind_of_day() -> None:
    kinds = weeks(56)
    used = np.array([100.0, 80.0, 60.0])[kinds]
    truth = used[28:].sum()
    used[35:] = NAN
    found = forecast(used, kinds, None, 28)
    assert found.total == pytest.approx(truth)
    assert found.counted == pytest.approx(640.0)
    assert (found.days_counted, found.days_expected) == (7, 21)
    assert found.low < truth < found.high


def test_the_level_follows_the_latest_days() -> None:
    used = np.concatenate([np.full(42, 100.0), np.full(14, 120.0), np.full(14, NAN)])
    found = forecast(used, weeks(70), None, 56)
    assert found.total == pytest.approx(14 * 120.0, rel=0.06)


@pytest.mark.parametrize(("days", "forecasts"), [(4, False), (5, True)])
def test_with_fewer_than_five_days_there_is_no_forecast_but_a_reason(days: int, forecasts: bool) -> None:
    used = np.full(30, NAN)
    used[:days] = 100.0
    found = forecast(used, weeks(30), None, 0)
    assert (found.reason is None) is forecasts
    assert math.isfinite(found.total) is forecasts
    assert found.counted == days * 100.0
    if not forecasts:
        assert found.reason is not None
        assert found.reason.en == "only 4 days are known; a forecast needs 5"
        assert math.isnan(found.chance_above(1.0))


def test_a_month_that_is_counted_whole_is_no_guess() -> None:
    found = forecast(np.full(30, 5.0), weeks(30), None, 0)
    assert (found.low, found.total, found.high) == (150.0, 150.0, 150.0)
    assert (found.chance_above(149.0), found.chance_above(151.0)) == (1.0, 0.0)


def test_missing_days_within_the_month_are_expected_like_those_to_come() -> None:
    used = np.full(60, 100.0)
    used[35:40] = NAN
    used[50:] = NAN
    found = forecast(used, weeks(60), None, 30)
    assert found.total == pytest.approx(3000.0)
    assert found.days_expected == 15


def test_a_power_cut_is_no_new_level() -> None:
    used = np.full(60, 100.0) + np.arange(60) % 3
    used[44] = 0.0
    used[45:] = NAN
    found = forecast(used, weeks(60), None, 30)
    assert found.expected[15:].mean() == pytest.approx(101.0, abs=3.0)


def test_a_kind_of_day_that_was_never_seen_widens_the_interval() -> None:
    used = np.full(30, NAN)
    used[:5] = [100.0, 101.0, 99.0, 100.0, 100.0]
    seen = forecast(used, np.full(30, WORKDAY, dtype=np.int8), None, 0)
    unseen = forecast(used, weeks(30), None, 0)
    assert unseen.high - unseen.low > seen.high - seen.low


def test_little_past_is_worth_a_wide_interval() -> None:
    rng = np.random.default_rng(3)
    used = 100.0 + rng.normal(0.0, 2.0, 400)

    def width(days: int) -> float:
        own = np.concatenate([used[:days], np.full(25, NAN)])
        found = forecast(own, weeks(days + 25), None, days - 5)
        return (found.high - found.low) / found.total

    assert width(5) > width(30) > width(365)


# -- the weather


def test_a_hot_forecast_costs_what_the_cooling_of_the_past_shows() -> None:
    temperature = year(365 + 196)
    used = 1000.0 + 50.0 * np.maximum(0.0, temperature - 22.0)
    truth, first = used[-15:].sum(), used.size - 31
    used[-15:] = NAN
    known = forecast(used, weeks(used.size), temperature, first)
    assert known.weather
    assert known.expected[-15:].sum() == pytest.approx(truth, rel=0.005)


def test_unknown_weather_is_expected_as_the_mean_over_what_it_may_be() -> None:
    # In spring the mean temperature needs no cooling, but some of the days to come will.
    temperature = year(365 + 140)
    used = 1000.0 + 200.0 * np.maximum(0.0, temperature - 22.0)
    used[-25:] = NAN
    temperature[-25:] = NAN
    found = forecast(used, weeks(used.size), temperature, used.size - 30)
    assert found.expected[-25:].mean() > 1010.0
    assert found.high - found.low > 0.02 * found.total


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    inside, widths = [], []
    for seed in range(40):
        temperature = year(365 + 196, seed)
        rng = np.random.default_rng(seed + 1000)
        used = 1000.0 + 50.0 * np.maximum(0.0, temperature - 22.0) + rng.normal(0.0, 25.0, temperature.size)
        truth = used[-31:].sum()
        used[-21:], temperature[-21:] = NAN, NAN
        found = forecast(used, weeks(used.size), temperature, used.size - 31)
        inside.append(found.low <= truth <= found.high)
        widths.append((found.high - found.low) / truth)
    assert 0.65 <= np.mean(inside) <= 0.98
    assert np.mean(widths) < 0.25


def test_the_response_finds_the_temperatures_from_which_heating_and_cooling_begin() -> None:
    temperature = year(365)
    used = 500.0 + 20.0 * np.maximum(0.0, 12.0 - temperature) + 30.0 * np.maximum(0.0, temperature - 23.0)
    found = fit_response(used, weeks(365), temperature, 60, 8.0)
    assert found.bases_c == (12.0, 23.0)
    assert found.slopes == pytest.approx((20.0, 30.0))
    assert found.levels.tolist() == pytest.approx([500.0] * 4)


def test_noise_has_no_response_to_the_weather() -> None:
    rng = np.random.default_rng(5)
    found = fit_response(500.0 + rng.normal(0.0, 20.0, 365), weeks(365), year(365), 60, 8.0)
    assert found.slopes is None


def test_the_weather_is_left_out_where_it_hardly_changed() -> None:
    temperature = np.full(100, 25.0) + np.arange(100) % 7
    assert fit_response(10.0 * temperature, weeks(100), temperature, 60, 8.0).slopes is None


def test_the_outlook_returns_from_todays_weather_to_the_years_course() -> None:
    temperature = year(500)
    temperature[393:400] += 10.0
    temperature[400:] = NAN
    outlook = TemperatureOutlook.of(temperature, 330)
    course = 16.0 - 12.0 * np.cos(2 * np.pi * (np.arange(400, 430) - 20) / 365.25)
    off = outlook.scenarios(30).mean(axis=0) - course
    assert off[0] > 4.0
    assert abs(off[-1]) < 2.0


def test_without_a_year_behind_it_the_outlook_spreads_further_the_further_it_looks() -> None:
    temperature = np.concatenate([year(100), np.full(30, NAN)])
    spread = TemperatureOutlook.of(temperature, 330).scenarios(30).std(axis=0)
    assert spread[-1] > spread[0]
    with pytest.raises(ValueError, match="no temperature is known"):
        TemperatureOutlook.of(np.full(10, NAN), 330)


# -- what is always so


def test_the_chance_of_passing_the_middle_is_even_and_of_passing_the_ends_a_tenth() -> None:
    used = np.concatenate([100.0 + 5.0 * np.sin(np.arange(60)), np.full(20, NAN)])
    found = forecast(used, weeks(80), None, 50)
    assert found.chance_above(found.total) == pytest.approx(0.5)
    assert found.chance_above(found.high) == pytest.approx(0.1)
    assert found.chance_above(found.counted - 1.0) == 1.0


@settings(deadline=None, max_examples=80)
@given(arrays(float, st.integers(8, 90), elements=st.floats(0, 1e6) | st.just(NAN)), st.floats(1e-3, 1e3))
def test_whatever_is_counted_the_forecast_is_ordered_and_scales_with_it(used: np.ndarray, factor: float) -> None:
    kinds, first = weeks(used.size), used.size // 2
    found, scaled = (forecast(u, kinds, None, first) for u in (used, used * factor))
    if found.reason is not None:
        assert np.isfinite(used).sum() < ForecastParameters().least_days
        return
    assert found.counted - 1e-6 <= found.low <= found.total + 1e-6 <= found.high + 2e-6
    assert (found.expected >= 0).all()
    assert scaled.total == pytest.approx(found.total * factor, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("first", [-1, 30])
def test_what_does_not_fit_is_refused(first: int) -> None:
    with pytest.raises(ValueError, match="give the index of one of 30 days"):
        forecast(np.ones(30), weeks(30), None, first)
    with pytest.raises(ValueError, match="one value a day"):
        forecast(np.ones(30), weeks(29), None, 0)


def test_a_forecast_never_says_less_than_is_counted() -> None:
    found = Forecast(100.0, 100.0, 140.0, 0.8, 100.0, np.ones(1), 1, 1, 20.0, 5.0, False)
    assert found.chance_above(99.0) == 1.0
