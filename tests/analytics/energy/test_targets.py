"""Plan against actual: the year by months, and whether a month stays within its plan."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analytics.energy.forecast import Forecast, forecast
from analytics.energy.intervals import Totals
from analytics.energy.targets import PastMonths, monthly_plan, progress
from facility.targets import Shape, Target

DAY_US = 86_400_000_000
NOW_US = 20_000 * DAY_US


def month(*amounts: float, days: int = 30, measured: float = 1.0) -> Totals:
    """Return a month of which the first days are known, NaN being a missing one."""
    amount = np.full(days, np.nan)
    amount[: len(amounts)] = amounts
    known = np.isfinite(amount)
    edges = NOW_US + DAY_US * np.arange(days + 1, dtype=np.int64)
    return Totals(edges, amount, known * measured, known * (1 - measured), (~known).astype(float))


def foreseen(total: float, spread: float, counted: float = 0.0) -> Forecast:
    reach = 1.2816 * spread
    return Forecast(
        total, total - reach, total + reach, 0.8, counted, np.zeros(0), 0, 30, spread, math.inf, False
    )  # fmt: skip


def after(days: float) -> int:
    return NOW_US + round(days * DAY_US)


# -- a month against its plan


@pytest.mark.parametrize(
    ("total", "spread", "verdict"),
    [
        (2900, 50, "on_track"),
        (2999, 50, "on_track"),
        (3020, 50, "cannot_tell"),  # 66 %: above the plan, but it may still come out below
        (3050, 50, "will_exceed"),  # 84 %
        (3100, 1000, "cannot_tell"),  # 54 %: the interval is too wide
    ],
)
def test_a_plan_will_be_exceeded_only_if_that_is_likely(total: float, spread: float, verdict: str) -> None:
    found = progress(3000, month(*[100] * 10), after(10), foreseen(total, spread))
    assert found.verdict == verdict
    assert found.over == pytest.approx(total - 3000)


def test_what_is_known_to_be_consumed_stands_beside_the_plan_of_the_time_that_has_passed() -> None:
    found = progress(3000, month(*[110] * 10), after(10), foreseen(3300, 20))
    assert (found.consumed, found.expected, found.left) == pytest.approx((1100, 1000, 1900))
    assert found.elapsed == pytest.approx(1 / 3)
    assert found.over_share == pytest.approx(0.1)


def test_a_plan_is_exceeded_since_the_day_on_which_it_was_passed() -> None:
    found = progress(1000, month(*[300] * 5), after(5), foreseen(9000, 20, 1500))
    assert (found.verdict, found.chance) == ("exceeded", 1.0)
    assert found.since_us == after(3)  # 900 after three days, 1,200 after the fourth


def test_missing_days_do_not_hide_that_a_plan_was_passed() -> None:
    amounts = [np.nan] * 8 + [600, 600]
    found = progress(1000, month(*amounts), after(10), None)
    assert found.verdict == "exceeded"
    assert found.over == pytest.approx(200)
    assert found.missing == pytest.approx(0.8)


@pytest.mark.parametrize(("known", "verdict"), [(4, "cannot_tell"), (5, "on_track")])
def test_with_half_of_the_time_missing_nobody_can_tell(known: int, verdict: str) -> None:
    amounts = [100.0] * known + [np.nan] * (10 - known)
    found = progress(5000, month(*amounts), after(10), foreseen(3000, 20))
    assert found.verdict == verdict
    assert ("too-little-known" in {r.code for r in found.reasons}) == (verdict == "cannot_tell")


def test_a_warning_says_since_when_consumption_runs_above_the_plans_course() -> None:
    amounts = [90] * 4 + [130] * 6  # course: 100 a day; cumulative passes it on the sixth day
    found = progress(3000, month(*amounts), after(10), foreseen(3500, 20))
    assert found.verdict == "will_exceed"
    assert found.since_us == after(5)


def test_shares_are_of_the_time_that_has_passed_not_of_the_month() -> None:
    found = progress(3000, month(*[100] * 10, measured=0.75), after(10), foreseen(2900, 20))
    assert (found.measured, found.estimated) == pytest.approx((0.75, 0.25))
    assert found.missing == pytest.approx(0)


def test_half_of_today_counts_as_half_a_day() -> None:
    daily = month(100, 50)
    daily.measured[1], daily.missing[1] = 0.5, 0.5  # the afternoon is to come
    found = progress(3000, daily, after(1.5), foreseen(2900, 20))
    assert found.expected == pytest.approx(150)
    assert found.missing == pytest.approx(0)


def test_before_the_period_begins_and_without_a_forecast_nobody_can_tell() -> None:
    before = progress(3000, month(), NOW_US - DAY_US, None)
    assert [r.code for r in before.reasons] == ["not-begun"]
    assert math.isnan(before.consumed)
    few = forecast(np.array([1.0, 2.0, *[np.nan] * 28]), np.zeros(30, dtype=np.int8), None, 0)
    found = progress(3000, month(1, 2), after(2), few)
    assert found.verdict == "cannot_tell"
    assert found.reasons[-1].words.en == "only 2 days are known; a forecast needs 5"


def test_a_month_that_has_ended_whole_is_its_own_forecast() -> None:
    found = progress(3000, month(*[99] * 30), after(30), None)
    assert (found.verdict, found.forecast, found.low, found.high) == ("on_track", 2970, 2970, 2970)
    assert progress(3000, month(*[101] * 30), after(35), None).verdict == "exceeded"


def test_a_course_may_weigh_workdays_more() -> None:
    course = np.ones(30)
    course[:10] = 2.0
    found = progress(4000, month(*[200] * 10), after(10), foreseen(4000, 1), course)
    assert found.expected == pytest.approx(2000)


@pytest.mark.parametrize("planned", [-1.0, math.nan])
def test_a_plan_below_zero_is_refused(planned: float) -> None:
    with pytest.raises(ValueError, match="give an amount not below zero"):
        progress(planned, month(1), after(1), None)


@pytest.mark.parametrize(("used", "verdict"), [(0.0, "on_track"), (3.0, "exceeded")])
def test_a_plan_of_nothing_is_kept_by_nothing_and_has_no_share(used: float, verdict: str) -> None:
    found = progress(0.0, month(*[used] * 30), after(30), None)
    assert found.verdict == verdict
    assert found.over == pytest.approx(30 * used)
    assert math.isnan(found.over_share)


# -- the year by months


def target(shape: Shape = "last_year", monthly: tuple[float, ...] | None = None, year: int = 2026) -> Target:
    return Target(year, "electricity", None, "use", "kWh", 3650.0, monthly, shape)


def past(used: list[float], heating: list[float], cooling: list[float]) -> PastMonths:
    days = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    return PastMonths(np.arange(1, 13), np.array(used), days, np.array(heating), np.array(cooling))


def test_months_that_are_given_stand() -> None:
    months = tuple(float(m) for m in range(12))
    assert monthly_plan(target(monthly=months)).amounts.tolist() == list(months)


def test_even_is_by_days() -> None:
    plan = monthly_plan(target("even"))
    assert (plan.amounts[0], plan.amounts[1]) == pytest.approx((310, 280))
    assert plan.reason is None


def test_a_year_is_spread_like_the_last_one_a_leap_day_included() -> None:
    used = [620.0, 280, *[300] * 10]
    before = past(used, [0] * 12, [0] * 12)
    plan = monthly_plan(target(), before)
    assert plan.basis == "last_year"
    assert plan.amounts.sum() == pytest.approx(3650)
    assert plan.amounts[0] / plan.amounts[1] == pytest.approx(620 / 280)
    leap = monthly_plan(target(year=2028), before)
    assert leap.amounts[0] / leap.amounts[1] == pytest.approx(620 / 290)


def test_without_a_whole_last_year_it_is_spread_evenly_and_says_so() -> None:
    plan = monthly_plan(target(), past([*[300.0] * 11, math.nan], [0] * 12, [0] * 12))
    assert plan.basis == "even"
    assert plan.reason is not None
    assert "last year's months are not all known" in plan.reason.words.en


def test_degree_days_spread_the_year_as_the_past_months_respond_to_them() -> None:
    heating = [500.0, 400, 250, 100, 0, 0, 0, 0, 0, 80, 250, 450]
    cooling = [0.0, 0, 0, 0, 10, 60, 150, 140, 50, 0, 0, 0]
    days = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    used = [10.0 * d + 2.0 * h + 5.0 * c for d, h, c in zip(days, heating, cooling, strict=True)]
    plan = monthly_plan(target("degree_days"), past(used, heating, cooling))
    assert plan.basis == "degree_days"
    assert plan.amounts / plan.amounts.sum() == pytest.approx(np.array(used) / sum(used))
    few = past([*used[:9], *[math.nan] * 3], heating, cooling)
    assert monthly_plan(target("degree_days"), few).basis == "even"
