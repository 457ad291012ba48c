"""Daily baselines recover what made the data, and add nothing that the data do not ask for."""

import numpy as np
import pytest

from analytics.energy.baseline import fit
from tests.analytics.energy.baseline.made import five_parameters, is_workday, weather

TIMES, T = weather(365, hourly=False)
LATER, T_LATER = weather(730, seed=2, hourly=False)
LATER, T_LATER = LATER[365:], T_LATER[365:]
NOISE = np.random.default_rng(7).normal(0.0, 12.0, 365)


def test_five_parameters_are_found_again():
    model = fit(TIMES, five_parameters(T) + NOISE, T)
    assert model.kind == "5P"
    assert model.balance_points.heating_c == pytest.approx(12.0, abs=1.0)
    assert model.balance_points.cooling_c == pytest.approx(20.0, abs=1.0)


@pytest.mark.parametrize(
    ("kind", "loads"),
    [("3P-H", {"cooling": 0.0}), ("3P-C", {"heating": 0.0}), ("1P", {"heating": 0.0, "cooling": 0.0})],
)
def test_a_branch_that_is_not_there_is_not_found(kind, loads):
    assert fit(TIMES, five_parameters(T, **loads) + NOISE, T).kind == kind


def test_the_next_year_is_foretold_to_a_hundredth():
    model = fit(TIMES, five_parameters(T) + NOISE, T)
    truth = five_parameters(T_LATER)
    expected = model.predict(LATER, T_LATER)
    assert np.sqrt(np.mean((expected - truth) ** 2)) < 0.01 * truth.mean()
    assert expected.sum() == pytest.approx(truth.sum(), rel=0.005)


def test_the_response_to_temperature_has_the_slopes_that_made_the_data():
    response = fit(TIMES, five_parameters(T) + NOISE, T).temperature_response(np.array([0.0, 5.0, 24.0, 28.0]))
    assert (response[0] - response[1]) / 5.0 == pytest.approx(9.0, rel=0.1)
    assert (response[3] - response[2]) / 4.0 == pytest.approx(15.0, rel=0.1)


def test_weekends_are_told_from_workdays():
    energy = five_parameters(T) - 120.0 * ~is_workday(TIMES) + NOISE
    model = fit(TIMES, energy, T)
    truth = five_parameters(T_LATER) - 120.0 * ~is_workday(LATER)
    assert np.sqrt(np.mean((model.predict(LATER, T_LATER) - truth) ** 2)) < 0.02 * truth.mean()


def test_a_calendar_that_is_given_decides_what_a_rest_day_is():
    begins = np.datetime64("2023-10-01")

    def golden_week(days):
        return ~is_workday(days) | ((days - begins).astype(int) % 365 < 7)

    off = golden_week(TIMES.astype("datetime64[D]"))
    model = fit(TIMES, 500.0 - 200.0 * off + NOISE, calendar=golden_week)
    week = np.datetime64("2024-09-30") + np.arange(7)
    assert model.predict(week) == pytest.approx(np.full(7, 300.0), abs=15.0)


def test_a_driver_that_matters_is_used_and_one_that_does_not_is_not():
    rng = np.random.default_rng(5)
    beds = rng.uniform(300, 500, 365)
    chance = rng.normal(0, 1, 365)
    energy = five_parameters(T) + 1.5 * (beds - 400.0) + NOISE
    with_beds = fit(TIMES, energy, np.column_stack([T, beds]))
    assert "others" in with_beds.terms
    assert with_beds.cv_rmse < 0.5 * fit(TIMES, energy, T).cv_rmse
    assert "others" not in fit(TIMES, five_parameters(T) + NOISE, np.column_stack([T, chance])).terms


def test_a_week_of_a_dead_meter_is_left_out_and_named():
    energy = five_parameters(T) + NOISE
    energy[100:107] = 0.0
    model = fit(TIMES, energy, T)
    assert set(TIMES[100:107].astype("datetime64[D]")) <= set(model.left_out_days)
    assert model.predict(TIMES, T)[100:107] == pytest.approx(five_parameters(T)[100:107], rel=0.05)


def test_skewed_days_of_a_sound_meter_are_not_left_out():
    energy = five_parameters(T) * np.random.default_rng(3).gamma(20.0, 1 / 20.0, 365)
    model = fit(TIMES, energy, T)
    assert model.left_out_days == ()
    assert model.nmbe == pytest.approx(0.0, abs=5e-5)


def test_a_workday_that_looks_like_a_sunday_is_taken_for_one():
    energy = 500.0 - 150.0 * ~is_workday(TIMES) + NOISE
    wednesday = 129
    assert is_workday(TIMES)[wednesday]
    energy[wednesday] = 350.0
    assert list(fit(TIMES, energy, T).days_off) == [TIMES[wednesday].astype("datetime64[D]")]


def test_the_model_tells_its_rest_days_also_of_a_year_to_come():
    energy = 500.0 - 150.0 * ~is_workday(TIMES) + NOISE
    week = np.arange("2031-03-03", "2031-03-10", dtype="datetime64[D]")
    assert fit(TIMES, energy, T).rest_days(week).tolist() == [False] * 5 + [True] * 2
    told = fit(TIMES, energy, T, calendar=lambda days: days == np.datetime64("2031-03-05"))
    assert told.rest_days(week).tolist() == [False, False, True, False, False, False, False]
