"""Change-point models find the balance points and slopes that made the data."""

import numpy as np
import pytest

from analytics.energy.baseline.change_point import ChangePoints, bend, choose_kind, points_to_try, search

T = np.linspace(-10.0, 35.0, 365)
ONES = np.ones((T.size, 1))


def _energy(heating=None, cooling=None, up=3.0, down=5.0, base=50.0):
    energy = np.full(T.size, base)
    if heating is not None:
        energy = energy + up * np.maximum(heating - T, 0.0)
    if cooling is not None:
        energy = energy + down * np.maximum(T - cooling, 0.0)
    return energy


@pytest.mark.parametrize(
    ("kind", "heating", "cooling"),
    [("3P-H", 14.3, None), ("3P-C", None, 18.4), ("5P", 12.2, 20.7)],
)
def test_balance_points_are_found_to_a_tenth_of_a_kelvin(kind, heating, cooling):
    form = search(T, _energy(heating, cooling), ONES, points_to_try(T)).forms[kind]
    for found, truth in ((form.heating_c, heating), (form.cooling_c, cooling)):
        assert found == (None if truth is None else pytest.approx(truth, abs=0.1))


def test_slopes_and_base_load_are_those_that_made_the_data():
    form = search(T, _energy(12.2, 20.7), ONES, points_to_try(T)).forms["5P"]
    beta = np.linalg.lstsq(np.column_stack([ONES, form.columns(T)]), _energy(12.2, 20.7), rcond=None)[0]
    assert beta == pytest.approx([50.0, 3.0, 5.0], rel=0.01)


def test_a_kind_whose_slope_would_have_the_wrong_sign_is_not_offered():
    falling = 100.0 - 2.0 * np.maximum(T - 15.0, 0.0)
    assert "3P-C" not in search(T, falling, ONES, points_to_try(T)).forms


def test_agrees_with_a_loop_over_all_pairs():
    rng = np.random.default_rng(3)
    t = rng.uniform(-5, 30, 120)
    energy = 20 + 2 * np.maximum(10 - t, 0) + 3 * np.maximum(t - 19, 0) + rng.normal(0, 4, t.size)
    points = np.arange(0.0, 26.0, 2.0)
    least = np.inf
    for heating in points:
        for cooling in points[points > heating]:
            x = np.column_stack([np.ones(t.size), np.maximum(heating - t, 0), np.maximum(t - cooling, 0)])
            beta, *_ = np.linalg.lstsq(x, energy, rcond=None)
            if beta[1] > 0 and beta[2] > 0:
                least = min(least, float(np.sum((energy - x @ beta) ** 2)))
    found = search(t, energy, np.ones((t.size, 1)), points, fine=False)
    assert found.errors["5P"] == pytest.approx(least)


def test_a_rounded_bend_is_the_mean_of_sharp_ones_over_the_day():
    hours = np.random.default_rng(1).normal(0.0, 4.0, 200_000)
    for excess in (-6.0, 0.0, 3.0, 20.0):
        assert bend(np.array([excess]), 4.0)[0] == pytest.approx(np.maximum(excess + hours, 0.0).mean(), abs=0.03)


def test_a_temperature_that_hardly_changes_has_one_point_to_try():
    assert points_to_try(np.full(30, 21.0) + np.linspace(0, 0.5, 30)).size == 1


def test_columns_of_a_flat_model_are_none():
    assert ChangePoints("1P").columns(T).shape == (T.size, 0)


def test_a_kind_that_only_parts_of_the_days_allow_is_not_chosen():
    errors = [{"1P": 1.0, "3P-C": 0.1}, {"1P": 1.0, "3P-C": 0.1}]
    assert choose_kind(errors, ("1P", "2P", "3P-C"), 0.01) == "3P-C"
    assert choose_kind(errors, ("1P", "2P"), 0.01) == "1P"
