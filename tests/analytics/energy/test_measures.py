"""A measure proven from its meter's course; where something is wanting, the answer says what."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from analytics.energy.measures import prove
from facility.measures import Measure, Period
from facility.names import Names
from tests.analytics.energy.synthetic_meter import BASELINE, REPORTING, meter

TIMERS = Measure(
    id="timers",
    name=Names(zh="定时控制", en="Timers"),
    meter="em1",
    carrier="electricity",
    baseline=Period(date(2016, 1, 1), date(2016, 12, 30)),
    reporting=Period(date(2017, 1, 1)),
    drivers=("ws1/outdoor_temperature",),
    cost=7000.0,
)


def course(**options):
    year = meter(1, **options)
    return np.concatenate([BASELINE, REPORTING]), year.used, year.temperature[:, None]


def test_a_measure_is_proven_with_its_payback():
    proof = prove(TIMERS, *course(), price=0.8)
    assert proof.acceptable
    assert proof.saving.relative_saving == pytest.approx(0.1, abs=0.03)
    assert proof.saving_a_year == pytest.approx(proof.saving.saving, rel=0.01)
    assert proof.payback_years == pytest.approx(7000.0 / (0.8 * proof.saving_a_year))
    assert proof.baseline.n == pytest.approx(BASELINE.size, abs=5)


def test_days_outside_both_periods_do_not_count():
    until_march = replace(TIMERS, reporting=Period(date(2017, 1, 1), date(2017, 3, 31)))
    proof = prove(until_march, *course())
    assert [month.month for month in proof.saving.months] == ["2017-01", "2017-02", "2017-03"]
    assert proof.payback_years is None


def test_without_a_saving_nothing_is_paid_back():
    assert prove(TIMERS, *course(saving=-0.1), price=0.8).payback_years is None


@pytest.mark.parametrize(
    ("measure", "code", "told"),
    [
        (replace(TIMERS, baseline=Period(date(2014, 1, 1), date(2014, 12, 31))), "no-baseline-data", "2014-01-01"),
        (replace(TIMERS, reporting=Period(date(2019, 1, 1))), "no-reporting-data", "2019-01-01"),
    ],
)
def test_a_period_without_data_is_told(measure, code, told):
    proof = prove(measure, *course())
    assert proof.saving is None
    assert not proof.acceptable
    assert proof.reasons[0].code == code
    assert told in str(proof.reasons[0])
    assert told in proof.reasons[0].words.zh


def test_a_short_baseline_is_computed_and_refused():
    short = replace(TIMERS, baseline=Period(date(2016, 12, 1), date(2016, 12, 20)))
    proof = prove(short, *course())
    assert proof.saving is not None
    assert "too-few-days" in {reason.code for reason in proof.reasons if reason.blocking}
