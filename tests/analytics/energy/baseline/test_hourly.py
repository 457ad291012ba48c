"""Hourly baselines learn the week, the weather and the building's inertia."""

import numpy as np
import pytest

from analytics.energy.baseline import fit
from tests.analytics.energy.baseline.made import is_workday, ward, weather

TIMES, T = weather(365)
LATER, T_LATER = weather(730, seed=2)
LATER, T_LATER = LATER[365 * 24 :], T_LATER[365 * 24 :]
NOISE = np.random.default_rng(7).normal(0.0, 3.0, TIMES.size)


def _error(expected, truth):
    return float(np.sqrt(np.mean((expected - truth) ** 2)) / truth.mean())


def test_the_next_year_is_foretold():
    model = fit(TIMES, ward(TIMES, T) + NOISE, T)
    assert (model.frequency, model.kind) == ("hourly", "TOWT")
    expected, truth = model.predict(LATER, T_LATER), ward(LATER, T_LATER)
    assert _error(expected, truth) < 0.02
    assert expected.sum() == pytest.approx(truth.sum(), rel=0.003)


def test_a_load_that_answers_three_hours_late_is_followed():
    late = np.concatenate([T[:3], T[:-3]])
    model = fit(TIMES, 20.0 + 3.0 * np.maximum(late - 18.0, 0.0) + NOISE, T)
    late = np.concatenate([T_LATER[:3], T_LATER[:-3]])
    assert _error(model.predict(LATER, T_LATER), 20.0 + 3.0 * np.maximum(late - 18.0, 0.0)) < 0.06


def test_without_a_temperature_the_week_is_what_is_known():
    model = fit(TIMES, ward(TIMES, np.full(TIMES.size, 16.0)) + NOISE)
    assert model.kind == "TOW"
    week = np.datetime64("2024-06-03T00", "h") + np.arange(168)
    assert model.predict(week) == pytest.approx(ward(week, np.full(168, 16.0)), abs=4.0)


@pytest.mark.parametrize("nothing", [None, np.empty((365 * 24, 0)), np.full((365 * 24, 1), np.nan)])
def test_no_temperature_may_be_said_in_three_ways(nothing):
    energy = ward(TIMES, T) + NOISE
    assert np.array_equal(fit(TIMES, energy, nothing).predict(TIMES[:500]), fit(TIMES, energy).predict(TIMES[:500]))


def test_a_course_of_the_year_that_weather_does_not_explain_is_learnt():
    def term(times):
        month = times.astype("datetime64[M]").astype(int) % 12
        return np.isin(month, (6, 7))

    energy = ward(TIMES, T) - 10.0 * term(TIMES)
    model = fit(TIMES, energy + NOISE, T)
    assert "year" in model.terms
    assert model.predict(LATER, T_LATER).sum() == pytest.approx(
        (ward(LATER, T_LATER) - 10.0 * term(LATER)).sum(), rel=0.01
    )


def test_clocks_that_are_set_back_give_one_hour_twice():
    energy = ward(TIMES, T) + NOISE
    times = np.concatenate([TIMES[:7000], TIMES[6999:]])
    model = fit(times, np.concatenate([energy[:7000], energy[6999:]]), np.concatenate([T[:7000], T[6999:]]))
    assert model.predict(times[6998:7002], np.zeros(4)).shape == (4,)


def test_the_response_to_temperature_is_of_workdays():
    response = fit(TIMES, ward(TIMES, T) + NOISE, T).temperature_response(np.array([0.0, 17.0]))
    assert response[1] == pytest.approx(40.0 + 35.0 * 10 / 24, rel=0.06)
    assert response[0] - response[1] == pytest.approx(1.2 * 14.0, rel=0.15)


def test_what_it_says_of_blocks_left_out_is_what_comes_true():
    rng = np.random.default_rng(11)
    energy = ward(TIMES, T) * rng.gamma(4.0, 0.25, TIMES.size)
    model = fit(TIMES, energy, T)
    later = ward(LATER, T_LATER) * rng.gamma(4.0, 0.25, LATER.size)
    assert model.cv_rmse_blocked == pytest.approx(_error(model.predict(LATER, T_LATER), later), rel=0.1)


def test_twelve_weeks_are_enough_for_a_model_that_says_it_is_not_enough():
    part = slice(0, 84 * 24)
    model = fit(TIMES[part], ward(TIMES, T)[part] + NOISE[part], T[part])
    assert not model.sufficiency.sufficient
    assert _error(model.predict(TIMES[part], T[part]), ward(TIMES, T)[part]) < 0.05
    assert is_workday(TIMES).any()
