"""What a measure saved, how sure that is, and what speaks against it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from analytics.energy.baseline import fit
from analytics.energy.savings import Saving, estimate
from tests.analytics.energy.synthetic_meter import BASELINE, REPORTING, Meter, meter


def saving_of(year: Meter) -> Saving:
    return estimate(fit(*year.before), *year.after)


def codes(result: Saving, blocking: bool = True) -> set[str]:
    return {reason.code for reason in result.reasons if reason.blocking == blocking}


@dataclass
class Foreign:
    """Another's model: it predicts, and says nothing of itself."""

    value: float = 100.0

    def predict(self, timestamps, drivers):
        return np.full(len(timestamps), self.value)


def test_a_saving_of_a_tenth_is_stated_and_holds_the_truth():
    year = meter(1)
    result = saving_of(year)
    assert result.relative_saving == pytest.approx(0.1, abs=0.02)
    assert result.interval[0] < year.true_saving < result.interval[1]
    assert result.saving == pytest.approx(result.expected - result.used)
    assert result.uncertainty == pytest.approx(result.relative_uncertainty * result.expected)
    assert result.non_routine_events == ()
    assert result.acceptable
    assert codes(result) == set()


@pytest.mark.parametrize(("scatter", "memory"), [(0.06, 0.0), (0.06, 0.6), (0.2, 0.3)])
def test_nine_of_ten_intervals_hold_the_truth(scatter, memory):
    held = 0
    for seed in range(12):
        year = meter(seed, scatter=scatter, memory=memory)
        result = saving_of(year)
        held += result.interval[0] <= year.true_saving <= result.interval[1]
    assert held >= 9  # of 12: fewer would come once in 40 times from intervals that hold 90 %


def test_noise_makes_a_saving_less_sure():
    assert saving_of(meter(1, scatter=0.3)).uncertainty > 1.5 * saving_of(meter(1, scatter=0.03)).uncertainty


def test_a_new_load_is_told_and_does_not_hide_the_saving():
    year = meter(1, added=("2017-06-10", None, 20.0))
    result = saving_of(year)
    assert [event.month for event in result.non_routine_events] == ["2017-06"]
    assert result.relative_saving < 0.03
    assert result.adjusted_relative_saving == pytest.approx(0.1, abs=0.03)
    assert abs(result.adjusted_saving - year.true_saving) < result.adjusted_uncertainty
    assert not result.acceptable
    assert "non-routine-event" in codes(result)
    told = next(str(reason) for reason in result.reasons if reason.code == "non-routine-event")
    assert told.startswith("From 2017-06-")
    assert "find out why" in told


def test_no_saving_cannot_be_told_from_none():
    result = saving_of(meter(2, saving=0.0))
    assert abs(result.relative_saving) < result.relative_uncertainty
    assert "too-uncertain" in codes(result)


def test_twenty_days_of_baseline_are_refused_with_reasons_and_still_computed():
    year = meter(1)
    times, used, drivers = year.before
    result = estimate(fit(times[:20], used[:20], drivers[:20]), *year.after)
    assert {"too-few-days", "months-missing"} <= codes(result)
    assert not result.acceptable
    assert np.isfinite(result.saving)
    assert np.isfinite(result.uncertainty)


def test_weather_that_the_baseline_never_saw_is_told():
    year = meter(1)
    times, used, drivers = year.after
    result = estimate(fit(*year.before), times, used, drivers + 12.0)
    assert "extrapolation" in codes(result) | codes(result, blocking=False)


@pytest.mark.parametrize(
    ("days", "code", "blocking"),
    [(27, "too-short", True), (28, "part-of-a-year", False), (327, "part-of-a-year", False), (328, None, False)],
)
def test_a_month_at_least_must_have_been_seen_and_a_year_should(days, code, blocking):
    year = meter(1)
    times, used, drivers = year.after
    result = estimate(fit(*year.before), times[:days], used[:days], drivers[:days])
    found = {
        reason.code: reason.blocking for reason in result.reasons if reason.code in ("too-short", "part-of-a-year")
    }
    assert found == ({code: blocking} if code else {})


def test_an_hourly_baseline_sees_how_a_day_swings_and_is_surer_of_it():
    def course(hours):
        t = np.arange("2016-01-01", "2018-01-01", dtype="datetime64[h]")
        celsius = 13.0 - 12.0 * np.cos(2 * np.pi * np.arange(t.size) / 8766.0) + 5.0 * np.sin(np.arange(t.size) / 3.8)
        used = 10.0 + np.maximum(0.0, celsius - 18.0) + np.random.default_rng(0).normal(size=t.size)
        if not hours:
            t, used, celsius = t[::24], used.reshape(-1, 24).sum(axis=1), celsius.reshape(-1, 24).mean(axis=1)
        before = t < np.datetime64("2017-01-01")
        model = fit(t[before], used[before], celsius[before, None])
        return estimate(model, t[~before], used[~before], celsius[~before, None])

    assert course(hours=True).relative_uncertainty < course(hours=False).relative_uncertainty


@pytest.mark.parametrize(("missing", "told"), [(36, False), (37, True)])
def test_nine_tenths_of_the_reporting_period_must_be_known(missing, told):
    year = meter(1)
    times, used, drivers = year.after
    used = used.copy()
    used[5 : 5 + missing] = np.nan
    result = estimate(fit(*year.before), times, used, drivers)
    assert ("reporting-holes" in codes(result)) == told
    assert np.isfinite(result.saving)


@pytest.mark.parametrize(("hole", "blocking"), [(20, False), (60, True)])
def test_a_hole_in_the_temperature_is_told_and_the_rest_is_computed(hole, blocking):
    year = meter(1)
    times, used, drivers = year.after
    drivers = drivers.copy()
    drivers[100 : 100 + hole] = np.nan
    result = estimate(fit(*year.before), times, used, drivers)
    assert "weather-missing" in codes(result, blocking)
    assert result.known_share == pytest.approx(1.0 - hole / 365, abs=0.01)
    assert result.relative_saving == pytest.approx(0.1, abs=0.03)


def test_without_any_temperature_a_baseline_that_needs_one_states_no_saving():
    year = meter(1)
    times, used, drivers = year.after
    result = estimate(fit(*year.before), times, used, np.full(drivers.shape, np.nan))
    assert codes(result) == {"nothing-known", "weather-missing"}


def test_weather_is_nothing_to_a_baseline_that_knows_none():
    year = meter(1)
    model = fit(*year.before[:2])
    told, blind = estimate(model, *year.after), estimate(model, *year.after[:2])
    assert told.non_routine_events == ()
    assert (told.saving, told.uncertainty) == (blind.saving, blind.uncertainty)


def test_months_sum_to_the_saving():
    result = saving_of(meter(1))
    assert [month.month for month in result.months] == [f"2017-{m:02d}" for m in range(1, 13)]
    assert sum(month.saving for month in result.months) == pytest.approx(result.saving)
    assert all(month.known == 1.0 for month in result.months)


def test_a_model_of_others_gives_a_saving_whose_uncertainty_cannot_be_judged():
    result = estimate(Foreign(), REPORTING, np.full(365, 90.0), None)
    assert result.saving == pytest.approx(3650.0)
    assert np.isnan(result.uncertainty)
    assert codes(result) == {"uncertainty-unknown"}
    assert not result.acceptable


def test_where_nothing_is_known_there_is_no_saving():
    result = estimate(Foreign(), REPORTING, np.full(365, np.nan), None)
    assert np.isnan(result.saving)
    assert codes(result) == {"nothing-known"}
    assert not result.acceptable


def test_the_order_of_rows_and_doubles_change_nothing():
    year = meter(1)
    model = fit(*year.before)
    times, used, drivers = year.after
    order = np.r_[np.random.default_rng(0).permutation(365), [3, 4]]
    again = estimate(model, times[order], used[order], drivers[order])
    plain = estimate(model, *year.after)
    assert again.saving == pytest.approx(plain.saving)
    assert again.uncertainty == pytest.approx(plain.uncertainty)


def test_hours_are_judged_like_days():
    rng = np.random.default_rng(0)
    year = meter(1)
    hourly = [
        (np.repeat(times.astype("datetime64[h]"), 24) + np.tile(np.arange(24), times.size), used, drivers)
        for times, used, drivers in (year.before, year.after)
    ]
    (t0, e0, d0), (t1, e1, d1) = [
        (times, np.repeat(used / 24.0, 24) * (1.0 + 0.1 * rng.normal(size=times.size)), np.repeat(drivers, 24, axis=0))
        for times, used, drivers in hourly
    ]
    result = estimate(fit(t0, e0, d0), t1, e1, d1)
    assert result.relative_saving == pytest.approx(0.1, abs=0.02)
    assert result.interval[0] < year.true_saving < result.interval[1]
    assert result.non_routine_events == ()


@pytest.mark.parametrize(
    ("energy", "drivers", "message"),
    [
        (np.ones(3), None, "one energy a time"),
        (np.r_[np.inf, np.ones(364)], None, r"energy\[0\] is inf"),
        (np.ones(365), np.ones((3, 1)), "a row a time"),
    ],
)
def test_what_does_not_fit_together_is_refused(energy, drivers, message):
    with pytest.raises(ValueError, match=message):
        estimate(Foreign(), REPORTING, energy, drivers)


def test_a_model_must_answer_for_each_time():
    class Short:
        def predict(self, timestamps, drivers):
            return np.ones(2)

    with pytest.raises(ValueError, match="one for each"):
        estimate(Short(), BASELINE, np.ones(BASELINE.size), None)
