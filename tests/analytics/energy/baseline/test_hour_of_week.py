"""The second opinion on hourly energy: where it is asked, and that its short cut solves what it says."""

import numpy as np
import pytest

from analytics.energy.baseline import fit, from_json
from analytics.energy.baseline.days import DayKinds
from analytics.energy.baseline.hour_of_week import fit_hour_of_week, hour_of_week
from analytics.energy.baseline.rows import lay_out, read_rows
from tests.analytics.energy.baseline.made import ward, weather

TIMES, T = weather(365)
ENERGY = ward(TIMES, T) + np.random.default_rng(3).normal(0.0, 3.0, TIMES.size)


def share(days):
    first = 24 * days
    return fit(TIMES[:first], ENERGY[:first], T[:first]).core.plain_share


def test_of_less_than_a_year_two_opinions_are_averaged():
    assert share(90) == 0.5
    assert 0.25 <= share(310) <= 0.5


def test_of_a_whole_year_one_is_enough():
    assert share(365) == 0.0


def test_without_a_temperature_there_is_no_second_opinion():
    assert fit(TIMES[:1440], ENERGY[:1440]).core.plain is None


def test_a_baseline_of_two_opinions_is_the_same_after_it_was_kept():
    model = fit(TIMES[:1440], ENERGY[:1440], T[:1440])
    kept = from_json(model.to_json())
    assert kept.predict(TIMES, T) == pytest.approx(model.predict(TIMES, T))


def test_the_sum_of_its_own_period_holds():
    assert fit(TIMES[:1440], ENERGY[:1440], T[:1440]).nmbe == pytest.approx(0.0, abs=0.02)


def test_a_building_that_works_by_day_is_in_use_by_day():
    grid = lay_out(read_rows(TIMES[:1440], ENERGY[:1440], T[:1440]), "hourly")
    in_use = fitted(grid).model.in_use.reshape(7, 24)
    assert in_use[:5, 9:17].all()
    assert not in_use[5:].any()


def fitted(grid, weight=None):
    weight = np.ones(grid.cells) if weight is None else weight
    return fit_hour_of_week(grid, DayKinds(), (), weight, np.arange(grid.cells) // 168 % 3, 3)


def test_agrees_with_a_regression_on_168_columns_that_anyone_can_read():
    rows = slice(0, 24 * 60)
    grid = lay_out(read_rows(TIMES[rows], ENERGY[rows], T[rows]), "hourly")
    weight = np.linspace(0.5, 1.5, grid.cells)
    answer = fitted(grid, weight)
    hour = hour_of_week(grid, DayKinds())
    weekend = hour // 24 >= 5
    groups = np.eye(48)[hour % 24 + 24 * weekend]
    hours = np.eye(168)[hour]
    pieces = answer.model._pieces(grid, hour)
    design = np.column_stack([groups, pieces, hours])
    errors = []
    for shrinkage in (0.1, 3.0, 30.0, 1e6):
        penalty = np.diag([0.0] * (48 + pieces.shape[1]) + [shrinkage] * 168)
        weighted = design * weight[:, None]
        beta = np.linalg.lstsq(design.T @ weighted + penalty, weighted.T @ grid.energy, rcond=None)[0]
        errors.append(np.max(np.abs(design @ beta - answer.expected)))
    assert min(errors) < 0.01


def test_cells_that_do_not_count_change_nothing():
    rows = slice(0, 24 * 60)
    grid = lay_out(read_rows(TIMES[rows], ENERGY[rows], T[rows]), "hourly")
    weight = np.ones(grid.cells)
    weight[100:200] = 0.0
    spoilt = ENERGY[rows].copy()
    spoilt[100:200] = np.nan
    other = lay_out(read_rows(TIMES[rows], spoilt, T[rows]), "hourly")
    assert fitted(other, weight).expected == pytest.approx(fitted(grid, weight).expected)
