"""Whatever rows are given: poor ones get a poor model, bad ones an error that names the row and the mend."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.energy.baseline import fit, from_json
from tests.analytics.energy.baseline.made import five_parameters, is_workday, ward, weather

HOURS, T_HOURS = weather(60)
DAYS, T_DAYS = weather(365, hourly=False)
NOISE = np.random.default_rng(2).normal(0.0, 3.0, 60 * 24)
HOURLY = ward(HOURS, T_HOURS) + NOISE
DAILY = five_parameters(T_DAYS) + 4 * NOISE[:365]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t, e, d: (t[:-1], e, d), r"energy has shape \(365,\) for 364 timestamps"),
        (lambda t, e, d: (t, e, d[:-1]), r"drivers have shape \(364, 1\) for 365 timestamps"),
        (lambda t, e, d: (t, np.where(np.arange(365) == 7, np.inf, e), d), r"energy\[7\] is infinite"),
        (lambda t, e, d: (t, e, np.where(np.arange(365) == 9, -np.inf, d)), r"drivers\[9\] is infinite"),
        (lambda t, e, d: (t, e * 1e60, d), r"energy\[0\] is beyond 1e\+60"),
        (lambda t, e, d: (t, np.full(365, np.nan), d), "none of 365 values is known"),
        (lambda t, e, d: (np.where(np.arange(365) == 3, np.datetime64("NaT"), t), e, d), r"timestamps\[3\] is NaT"),
        (lambda t, e, d: (np.arange(365), e, d), "give datetime64"),
        (lambda t, e, d: (t[0] + np.arange(365) * np.timedelta64(30, "D"), e, d), "30 days apart"),
        (lambda t, e, d: (t, ["x"] * 365, d), "energy cannot be read as numbers"),
        (lambda t, e, d: ([], [], None), "none of 0 values is known"),
    ],
)
def test_bad_input_is_refused_with_its_place_and_mend(change, said):
    with pytest.raises(ValueError, match=said):
        fit(*change(DAYS, DAILY, T_DAYS))


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 8, 13, 20, 30])
@pytest.mark.parametrize("hourly", [True, False])
def test_however_few_rows_there_is_a_model_and_its_data_do_not_suffice(rows, hourly):
    times, energy, temperature = (HOURS, HOURLY, T_HOURS) if hourly else (DAYS, DAILY, T_DAYS)
    model = fit(times[:rows], energy[:rows], temperature[:rows])
    assert np.isfinite(model.predict(times[:rows], temperature[:rows])).all()
    assert not model.sufficiency.sufficient


def test_twenty_days_say_why_they_are_no_year():
    model = fit(DAYS[:20], DAILY[:20], T_DAYS[:20])
    assert "too-few-days" in {reason.code for reason in model.sufficiency.reasons}


@pytest.mark.parametrize("value", [0.0, 5.0, -3.0])
def test_a_meter_that_never_moves_is_foretold_to_stand(value):
    model = fit(DAYS, np.full(365, value), T_DAYS)
    assert model.predict(DAYS, T_DAYS) == pytest.approx(np.full(365, value), abs=1e-6)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0.0, 0.97), weather_share=st.floats(0.0, 1.0))
def test_missing_values_never_raise(seed, share, weather_share):
    rng = np.random.default_rng(seed)
    for times, energy, temperature in ((DAYS, DAILY, T_DAYS), (HOURS, HOURLY, T_HOURS)):
        holed = np.where(rng.random(times.size) < share, np.nan, energy)
        holed[0] = energy[0]
        drivers = np.where(rng.random(times.size) < weather_share, np.nan, temperature)
        model = fit(times, holed, drivers)
        assert np.isfinite(model.predict(times, drivers)).all()


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_order_of_rows_changes_nothing(seed):
    for times, energy, temperature in ((DAYS, DAILY, T_DAYS), (HOURS, HOURLY, T_HOURS)):
        order = np.random.default_rng(seed).permutation(times.size)
        model = fit(times[order], energy[order], temperature[order])
        straight = fit(times, energy, temperature)
        assert model.predict(times[order], temperature[order]) == pytest.approx(
            straight.predict(times, temperature)[order]
        )


@settings(max_examples=5, deadline=None)
@given(scale=st.floats(1e-4, 1e6))
def test_another_unit_of_energy_changes_the_unit_alone(scale):
    for times, energy, temperature in ((DAYS, DAILY, T_DAYS), (HOURS, HOURLY, T_HOURS)):
        plain = fit(times, energy, temperature).predict(times, temperature)
        scaled = fit(times, energy * scale, temperature).predict(times, temperature)
        assert scaled / scale == pytest.approx(plain, rel=1e-5)


@pytest.mark.parametrize("unit", ["ns", "us", "ms", "s", "m", "h"])
def test_the_unit_of_the_timestamps_changes_nothing(unit):
    straight = fit(HOURS, HOURLY, T_HOURS).predict(HOURS, T_HOURS)
    times = HOURS.astype(f"datetime64[{unit}]")
    assert np.array_equal(fit(times, HOURLY, T_HOURS).predict(times, T_HOURS), straight)


def test_an_hour_without_weather_is_what_the_calendar_says_and_is_known_to_be():
    model = fit(HOURS, HOURLY, T_HOURS)
    holed = T_HOURS.copy()
    holed[300:303] = np.nan
    holed[500:600] = np.nan
    expected, known = model.predict(HOURS, holed), model.weather_known(HOURS, holed)
    assert np.isfinite(expected).all()
    assert known[300:303].all()
    assert not known[500:600].any()
    assert np.array_equal(expected[1000:], model.predict(HOURS, T_HOURS)[1000:])


def test_a_prediction_never_looks_at_energy():
    model = fit(HOURS, HOURLY, T_HOURS)
    assert np.array_equal(model.predict(HOURS, T_HOURS), model.predict(HOURS, T_HOURS))
    assert "energy" not in model.predict.__annotations__


def test_what_was_never_negative_is_not_foretold_negative():
    energy = np.maximum(20.0 - T_DAYS, 0.0)
    assert fit(DAYS, energy, T_DAYS).predict(DAYS, T_DAYS + 15.0).min() >= 0.0


def test_other_columns_than_those_fitted_are_refused():
    model = fit(DAYS, DAILY, T_DAYS)
    with pytest.raises(ValueError, match="drivers have 2 columns, the baseline was fitted with 1"):
        model.predict(DAYS, np.column_stack([T_DAYS, T_DAYS]))


def test_a_sensor_that_reads_what_no_weather_is_counts_as_missing():
    broken = T_DAYS.copy()
    broken[50] = 850.0
    assert fit(DAYS, DAILY, broken).temperature_range[1] < 40.0


def test_a_baseline_is_the_same_after_it_was_kept():
    for times, energy, temperature in ((DAYS, DAILY, T_DAYS), (HOURS, HOURLY, T_HOURS)):
        model = fit(times, energy, temperature)
        kept = from_json(model.to_json())
        assert np.array_equal(kept.predict(times, temperature), model.predict(times, temperature))
        assert np.array_equal(kept.residuals, model.residuals)
        assert (kept.kind, kept.period, kept.balance_points) == (model.kind, model.period, model.balance_points)
        assert kept.sufficiency == model.sufficiency


def test_a_baseline_with_a_calendar_asks_for_it_when_it_comes_back():
    def rest(days):
        return ~is_workday(days)

    text = fit(DAYS, DAILY, T_DAYS, calendar=rest).to_json()
    with pytest.raises(ValueError, match="fitted with a calendar"):
        from_json(text)
    assert np.isfinite(from_json(text, calendar=rest).predict(DAYS, T_DAYS)).all()


def test_a_calendar_that_answers_for_other_days_is_refused():
    with pytest.raises(ValueError, match=r"calendar gave \(3,\) answers for \(365,\) days"):
        fit(DAYS, DAILY, T_DAYS, calendar=lambda days: np.zeros(3, dtype=bool))


def test_a_temperature_of_few_values_does_no_harm():
    few = np.where(np.arange(HOURS.size) % 500 == 0, 21.0, 20.0)
    sun = np.maximum(np.sin(np.arange(HOURS.size) / 24 * 2 * np.pi), 0.0)
    model = fit(HOURS, HOURLY, np.column_stack([few, sun]))
    assert np.isfinite(model.predict(HOURS, np.column_stack([few, sun]))).all()


@pytest.mark.parametrize(("times", "energy", "temperature"), [(DAYS, DAILY, T_DAYS), (HOURS, HOURLY, T_HOURS)])
def test_where_no_temperature_is_known_later_rows_are_what_the_calendar_says(times, energy, temperature):
    model, nothing = fit(times, energy, temperature), np.full(times.size, np.nan)
    assert model.predict(times, nothing).mean() == pytest.approx(energy.mean(), rel=0.1)
    assert not model.weather_known(times, nothing).any()


def test_what_is_masked_is_missing():
    broken = np.ma.array(np.where(np.arange(365) < 20, 9e9, DAILY), mask=np.arange(365) < 20)
    holed = np.where(np.arange(365) < 20, np.nan, DAILY)
    assert np.array_equal(
        fit(DAYS, broken, T_DAYS).predict(DAYS, T_DAYS), fit(DAYS, holed, T_DAYS).predict(DAYS, T_DAYS)
    )


def test_what_is_too_small_to_reckon_with_is_zero():
    assert (fit(DAYS, DAILY * 1e-200, T_DAYS).predict(DAYS, T_DAYS) == 0.0).all()


def test_two_hours_are_hours():
    assert fit(HOURS[:2], HOURLY[:2], T_HOURS[:2]).predict(HOURS[2:50], T_HOURS[2:50]).shape == (48,)


def test_hours_asked_of_a_baseline_of_days_are_refused_and_days_of_one_of_hours():
    with pytest.raises(ValueError, match="the baseline is of days"):
        fit(DAYS, DAILY, T_DAYS).predict(HOURS, T_HOURS)
    with pytest.raises(ValueError, match="the baseline is of hours"):
        fit(HOURS, HOURLY, T_HOURS).predict(DAYS, T_DAYS)
