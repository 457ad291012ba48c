"""ASHRAE Guideline 14's statistics, against figures from outside and at their limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from analytics.energy.statistics import (
    effective_size,
    fit_statistics,
    fractional_uncertainty,
    lag_one,
    t_value,
)

CASES: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "cases" / "baseline_statistics.yaml").read_text())


def test_a_certified_line_has_its_certified_scatter_and_r2():
    case = CASES["certified_line"]
    x, y = np.array(case["x"]), np.array(case["y"])
    fit = fit_statistics(y, case["intercept"] + case["slope"] * x, case["parameters"])
    assert fit.rmse == pytest.approx(case["rmse"], rel=1e-9)
    assert fit.r2 == pytest.approx(case["r2"], rel=1e-12)
    assert fit.nmbe == pytest.approx(0.0, abs=1e-12)  # least squares with a constant leave no bias
    assert fit.n == 36


@pytest.mark.parametrize("factor", ["reddy-claridge", "sun-baltazar-daily", "sun-baltazar-monthly"])
def test_the_uncertainty_of_a_saving_is_that_of_another_implementation(factor):
    case = CASES["fractional_uncertainty"]
    fit = fit_statistics(case["observed"], case["predicted"], case["parameters"])
    assert fit.cv_rmse == pytest.approx(case["cv_rmse"], rel=1e-12)
    assert fit.effective_n == pytest.approx(case["effective_n"], abs=case["effective_n_within"])
    ours = fractional_uncertainty(
        case["saved_fraction"],
        cv_rmse=fit.cv_rmse,
        n=24,
        m=24,
        parameters=case["parameters"],
        autocorrelation=(24 - case["effective_n"]) / (24 + case["effective_n"]),
        factor=factor,
        months=case["months"],
    )
    theirs = case["fractional"][factor] / t_value(0.9, case["freedom"])
    assert ours / t_value(0.9, case["effective_n"] - 3) == pytest.approx(theirs, rel=1e-9)


def test_points_of_which_one_side_is_missing_do_not_count():
    fit = fit_statistics([10.0, np.nan, 12.0, 14.0], [11.0, 12.0, np.nan, 13.0], 0)
    assert fit.n == 2
    assert fit.rmse == pytest.approx(1.0)
    assert fit.nmbe == pytest.approx(0.0)


def test_a_model_that_is_too_low_has_a_bias_above_zero():
    assert fit_statistics([11.0, 11.0], [10.0, 10.0], 0).nmbe == pytest.approx(1 / 11)


@pytest.mark.parametrize(("parameters", "known"), [(2, True), (3, False), (4, False)])
def test_without_a_degree_of_freedom_the_scatter_is_not_known(parameters, known):
    assert np.isfinite(fit_statistics([1.0, 2.0, 4.0], [1.0, 2.5, 3.5], parameters).rmse) == known


def test_days_that_follow_one_another_tell_less_than_their_number():
    assert effective_size(365, 0.0) == 365
    assert effective_size(365, 0.5) == pytest.approx(365 / 3)
    assert effective_size(365, 1.0) >= 1.0


@given(st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), max_size=40))
def test_an_autocorrelation_is_a_correlation(values):
    assert -1.0 <= lag_one(values) <= 1.0


def test_more_autocorrelation_makes_a_saving_less_sure():
    given_ = {"cv_rmse": 0.2, "n": 365, "m": 365, "parameters": 3}
    sure, unsure = (fractional_uncertainty(0.1, autocorrelation=rho, **given_) for rho in (0.0, 0.6))
    assert unsure > 1.9 * sure
    assert fractional_uncertainty(0.1, autocorrelation=-0.5, **given_) == sure


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n": 3}, "more than parameters"),
        ({"m": 0}, "points of both periods"),
        ({"saved_fraction": 0.0}, "other than 0"),
    ],
)
def test_an_uncertainty_that_cannot_be_named_is_refused(change, message):
    given_ = {"saved_fraction": 0.1, "cv_rmse": 0.2, "n": 365, "m": 365, "parameters": 3} | change
    with pytest.raises(ValueError, match=message):
        fractional_uncertainty(given_.pop("saved_fraction"), **given_)


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"\(2,\), expected \(3,\)"):
        fit_statistics([1.0, 2.0], [1.0, 2.0, 3.0], 1)
