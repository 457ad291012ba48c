"""Whether data carry a yearly baseline: each reason on both sides of its edge."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from analytics.energy.sufficiency import Sufficiency, judge

YEAR = np.arange("2025-01-01", "2026-01-01", dtype="datetime64[D]")


def load(n: int) -> np.ndarray:
    return 100.0 + np.arange(n) % 17 + 0.1 * (np.arange(n) % 7)


def weather(n: int) -> np.ndarray:
    return 12.0 - 14.0 * np.cos(2.0 * np.pi * np.arange(n) / 365.0)


def codes(verdict: Sufficiency, blocking: bool = True) -> set[str]:
    return {reason.code for reason in verdict.reasons if reason.blocking == blocking}


def test_a_whole_year_with_its_weather_is_enough():
    verdict = judge(YEAR, load(365), weather(365)[:, None])
    assert verdict.sufficient
    assert verdict.reasons == ()
    assert verdict.days == 365
    assert verdict.months == tuple(range(1, 13))


def test_twenty_days_for_a_yearly_baseline_get_a_clear_answer():
    verdict = judge(YEAR[:20], load(20), weather(20)[:, None])
    assert not verdict.sufficient
    assert codes(verdict) == {"too-few-days", "months-missing", "narrow-temperature"}
    short = verdict.reasons[0]
    assert str(short) == "Energy is known on 20 days; a yearly baseline needs 328 (nine tenths of a year)."
    assert "20 天" in short.words.zh
    assert (short.value, short.limit) == (20.0, 328.0)


@pytest.mark.parametrize(("missing", "enough"), [(37, True), (38, False)])
def test_nine_tenths_of_a_year_are_needed(missing, enough):
    used = load(365)
    used[:: 365 // missing][:missing] = np.nan
    used[np.flatnonzero(np.isfinite(used))[: int(np.isfinite(used).sum()) - (365 - missing)]] = np.nan
    assert np.isfinite(used).sum() == 365 - missing
    assert ("too-few-days" not in codes(judge(YEAR, used, weather(365)))) == enough


def test_a_month_that_was_not_seen_is_named():
    used = load(365)
    used[181:200] = np.nan  # from 1 July on
    verdict = judge(YEAR, used, weather(365))
    assert codes(verdict) == {"months-missing"}
    assert "7" in verdict.reasons[0].words.en


@pytest.mark.parametrize(("days", "told"), [(30, False), (31, True)])
def test_a_month_long_hole_is_told_with_its_beginning(days, told):
    used = load(365)
    used[40 : 40 + days] = np.nan
    found = [r for r in judge(YEAR, used, weather(365)).reasons if r.code == "long-gap"]
    assert bool(found) == told
    assert all("2025-02-10" in reason.words.en for reason in found)


def test_holes_in_the_temperature_are_told():
    seen = weather(365)
    seen[:60] = np.nan
    assert codes(judge(YEAR, load(365), seen[:, None])) == {"temperature-holes"}


@pytest.mark.parametrize("drivers", [None, np.empty((365, 0)), np.full((365, 1), np.nan)])
def test_without_a_temperature_the_data_are_judged_without(drivers):
    verdict = judge(YEAR, load(365), drivers)
    assert verdict.sufficient
    assert codes(verdict, blocking=False) == {"no-temperature"}


def test_a_dead_meter_is_no_baseline():
    assert codes(judge(YEAR, np.zeros(365), weather(365))) == {"all-zero"}
    assert codes(judge(YEAR, np.full(365, np.nan), weather(365))) == {"no-data"}


def test_a_boiler_that_rests_in_summer_is_one():
    used = np.where((np.arange(365) > 110) & (np.arange(365) < 290), 0.0, load(365))
    assert judge(YEAR, used, weather(365)).sufficient


def test_a_stuck_meter_is_told():
    used = load(365)
    used[100:130] = 104.0
    assert codes(judge(YEAR, used, weather(365))) == {"flat-values"}


def test_negative_and_extreme_values_are_told_but_do_not_block():
    used = load(365)
    used[5], used[9] = -3.0, 9999.0
    verdict = judge(YEAR, used, weather(365))
    assert verdict.sufficient
    assert codes(verdict, blocking=False) == {"negative-values", "extreme-values"}


def test_a_meter_that_counts_more_out_than_in_is_no_baseline():
    assert codes(judge(YEAR, -load(365), weather(365))) == {"negative-values"}


def test_hours_are_counted_by_days():
    hours = np.arange("2025-01-01", "2026-01-01", dtype="datetime64[h]")
    used = load(hours.size)
    used[hours < np.datetime64("2025-01-02T08")] = np.nan
    assert judge(hours, used, np.repeat(weather(365), 24)).days == 363  # eight hours of the second day are missing


def test_the_order_of_rows_tells_nothing():
    order = np.random.default_rng(1).permutation(365)
    assert judge(YEAR[order], load(365)[order], weather(365)[order]) == judge(YEAR, load(365), weather(365))


def test_a_verdict_survives_being_kept():
    verdict = judge(YEAR[:20], load(20), None)
    assert Sufficiency.from_json(verdict.as_json()) == verdict


def test_lengths_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"timestamps \(365,\) and energy \(3,\)"):
        judge(YEAR, load(3))
    with pytest.raises(ValueError, match="a row a time"):
        judge(YEAR, load(365), np.zeros((3, 1)))


@given(arrays(float, 40, elements=st.floats(-1e9, 1e9) | st.just(np.nan)))
def test_poor_data_never_raise(used):
    assert not judge(YEAR[:40], used, used[:, None]).sufficient
