"""How every plan of a site stands in a month, and what is told of those that will be passed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from analytics.energy.intervals import Totals
from analytics.energy.standings import DailyUse, Rates, Standing, standings
from analytics.energy.target_findings import plan_findings
from analytics.findings import Finding
from facility.calendar import day_bounds_us
from facility.equipment_classes import Carrier
from facility.site_file import load_site
from facility.targets import Target

SITE = load_site(Path(__file__).parents[3] / "examples" / "hospital")
ZONE = SITE.time_zone
FIRST = date(2025, 1, 1)
TODAY = date(2026, 7, 15)
NOW_US = day_bounds_us(TODAY, ZONE)[0]
A_DAY = 30_000.0


def counted(a_day: float = A_DAY, first: date = FIRST, last: date = TODAY - timedelta(days=1)) -> Totals:
    """Return days that use about the same, Sundays less."""
    days = [first + timedelta(days=i) for i in range((last - first).days + 1)]
    edges = [day_bounds_us(day, ZONE)[0] for day in [*days, last + timedelta(days=1)]]
    amount = np.array([a_day * (0.9 if day.weekday() == 6 else 1.0) * (1 + 0.01 * (day.day % 3)) for day in days])
    n = len(days)
    return Totals(np.array(edges, dtype=np.int64), amount, np.ones(n), np.zeros(n), np.zeros(n))


USE = DailyUse(FIRST, {"electricity": counted()})
LAST_YEAR = float(np.nansum(USE.totals["electricity"].amount[:365]))


def plan(share: float = 1.0, **changes: object) -> Target:
    whole = Target(2026, "electricity", None, "use", "kWh", share * LAST_YEAR, None, "last_year")
    return replace(whole, **changes)  # type: ignore[arg-type]


def one(target: Target, use: DailyUse = USE, rates: Rates | None = None) -> Standing:
    (found,) = standings([target], use, rates or Rates(), date(2026, 7, 1), NOW_US, ZONE)
    return found


def told(target: Target, use: DailyUse = USE, rates: Rates | None = None) -> dict[str, Finding]:
    return {str(f.evidence["period"]): f for f in plan_findings(SITE, [one(target, use, rates)], NOW_US)}


@pytest.mark.parametrize(("share", "verdict"), [(1.05, "on_track"), (0.95, "will_exceed")])
def test_a_plan_below_what_is_used_will_be_exceeded_in_month_and_year(share: float, verdict: str) -> None:
    found = one(plan(share))
    assert found.month is not None
    assert found.year is not None
    assert (found.month.verdict, found.year.verdict) == (verdict, verdict)
    assert found.month.over_share == pytest.approx(1 / share - 1, abs=0.02)


def test_the_days_of_the_month_are_those_that_were_counted_and_those_that_are_expected() -> None:
    found = one(plan())
    assert found.days.shape == (31,)
    assert found.days[:14].tolist() == USE.totals["electricity"].amount[-14:].tolist()
    assert np.isfinite(found.days).all()
    assert found.month is not None
    assert found.days.sum() == pytest.approx(found.month.forecast)


def test_a_month_in_which_nothing_is_planned_is_told_without_a_share() -> None:
    months = tuple(0.0 if m == 6 else LAST_YEAR / 11 for m in range(12))
    found = one(plan(monthly=months))
    assert found.month is not None
    assert (found.month.planned, found.month.verdict) == (0.0, "exceeded")
    assert Standing.from_json(found.to_json(), found.month_start).month is not None
    finding = told(plan(monthly=months))["month"]
    assert finding.title.en == "Electricity in use, though none is planned for July"
    assert "计划为零" in finding.title.zh
    assert "nan" not in finding.summary.en


def test_another_years_plan_is_none_of_this_month() -> None:
    assert standings([plan(year=2025)], USE, Rates(), date(2026, 7, 1), NOW_US, ZONE) == []


def test_a_department_bears_the_share_that_was_allocated_to_it() -> None:
    shares = {(date(2026, 5, 1), "electricity"): {"icu": 0.02}, (date(2026, 7, 1), "electricity"): {"icu": 0.03}}
    rates = Rates(shares=shares)  # type: ignore[arg-type]
    whole, own = one(plan()), one(plan(0.02, department="icu"), rates=rates)
    assert whole.month is not None
    assert own.month is not None
    assert own.month.consumed == pytest.approx(0.03 * whole.month.consumed)
    assert own.year is not None
    # May and June at 2 %, as are the months before any allocation; July at 3 %.
    assert own.year.consumed == pytest.approx(0.02 * whole.year.consumed + 0.01 * whole.month.consumed)  # type: ignore[union-attr]


def test_money_of_all_carriers_is_each_at_its_price() -> None:
    gas: Carrier = "gas"
    use = DailyUse(FIRST, {"electricity": counted(), gas: counted(1000.0)})
    rates = Rates({("electricity", "cost"): 0.75, (gas, "cost"): 3.6})
    target = plan(annual=1e7, carrier=None, measure="cost", unit="CNY")
    found = one(target, use, rates)
    assert found.month is not None
    july = use.totals["electricity"].amount[-14:].sum()
    assert found.month.consumed == pytest.approx(july * (0.75 + 3.6 / 30))


def test_each_month_has_its_own_price_and_a_month_without_one_that_of_now() -> None:
    june = (date(2026, 6, 1), "electricity", "cost")
    target = plan(annual=1e7, measure="cost", unit="CNY")
    dear = one(target, rates=Rates({("electricity", "cost"): 0.75}, by_month={june: 1.75}))  # type: ignore[dict-item]
    flat = one(target, rates=Rates({("electricity", "cost"): 0.75}))
    days = USE.totals["electricity"].amount[-44:-14].sum()
    assert dear.year is not None
    assert flat.year is not None
    assert dear.year.consumed - flat.year.consumed == pytest.approx(days)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"carrier": "steam", "unit": "t"}, "not-metered"),
        ({"measure": "cost", "unit": "CNY"}, "no-price"),
        ({"measure": "carbon", "unit": "kgCO₂"}, "no-factor"),
        ({"department": "icu"}, "not-allocated"),
    ],
)
def test_a_plan_that_cannot_be_judged_says_what_it_lacks(changes: dict[str, object], code: str) -> None:
    found = one(plan(**changes))
    assert found.problem is not None
    assert found.problem.code == code
    assert (found.month, found.year) == (None, None)


def test_a_month_that_is_over_stands_as_it_stood_at_its_end() -> None:
    may = date(2026, 5, 1)
    then = DailyUse(FIRST, {"electricity": counted(last=date(2026, 5, 31))})
    at_its_end, later = (
        standings([plan()], then, Rates(), may, now_us, ZONE)[0].to_json()
        for now_us in (day_bounds_us(date(2026, 6, 1), ZONE)[0], NOW_US)
    )
    assert at_its_end == later
    assert later["month"]["elapsed"] == 1.0
    assert later["month"]["low"] == later["month"]["high"] == later["month"]["consumed"]
    assert later["year_so_far"]["missing"] == 0.0


def test_gaps_are_filled_by_what_is_expected_and_told() -> None:
    holed = counted()
    holed.amount[-6:-3], holed.measured[-6:-3], holed.missing[-6:-3] = np.nan, 0.0, 1.0
    found, whole = one(plan(), DailyUse(FIRST, {"electricity": holed})), one(plan())
    assert found.month is not None
    assert whole.month is not None
    assert found.month.missing == pytest.approx(3 / 14)
    assert found.month.forecast == pytest.approx(whole.month.forecast, rel=0.01)


def test_a_year_without_most_of_a_year_behind_it_has_no_forecast_but_its_month_has() -> None:
    young = DailyUse(date(2026, 6, 20), {"electricity": counted(first=date(2026, 6, 20))})
    found = one(plan(), young)
    assert found.month is not None
    assert found.year is not None
    assert np.isfinite(found.month.forecast)
    assert found.year.verdict == "cannot_tell"


def test_a_standing_is_plain_json() -> None:
    rates = Rates()
    for target in (plan(), plan(carrier="steam", unit="t")):
        plain = json.loads(json.dumps(one(target, rates=rates).to_json(), allow_nan=False))
        assert plain["key"] == target.key
        assert len(plain["days"]) == 31


def test_a_standing_that_was_kept_tells_the_same_findings() -> None:
    for found in (one(plan(0.95)), one(plan(), DailyUse(FIRST, {"electricity": counted(np.nan)}))):
        again = Standing.from_json(json.loads(json.dumps(found.to_json())), date(2026, 7, 1))
        assert again.to_json() == found.to_json()
        assert plan_findings(SITE, [again], NOW_US) == plan_findings(SITE, [found], NOW_US)


# -- findings


def test_a_month_that_will_pass_its_plan_is_told_in_both_languages_with_what_is_left() -> None:
    found = told(plan(0.95))["month"]
    assert (found.verdict, found.priority, found.equipment, found.reach) == ("fault", "P4", "hv1", "line")
    assert found.title.en.startswith("Electricity to pass plan of July by 5.")
    assert found.title.zh.startswith("电将超 7 月计划 5.")
    assert " is left." in found.summary.en
    assert "还可用" in found.summary.zh
    assert len(found.advice) == 3
    assert found.evidence["chance"] >= 0.8


def test_a_plan_that_is_kept_is_healthy_and_one_without_data_cannot_be_told() -> None:
    assert told(plan(1.05))["month"].verdict == "healthy"
    empty = DailyUse(FIRST, {"electricity": counted(np.nan)})
    found = told(plan(1.05), empty)["month"]
    assert found.verdict == "cannot_tell"
    assert "nobody can tell whether it keeps to the plan of July" in found.summary.en


def test_money_above_plan_is_no_waste_that_could_be_counted_twice() -> None:
    target = plan(annual=0.9 * 0.75 * LAST_YEAR, measure="cost", unit="CNY")
    found = told(target, rates=Rates({("electricity", "cost"): 0.75}))["month"]
    assert (found.verdict, found.cost_per_day, found.waste) == ("fault", None, None)
    assert found.evidence["over"] > 0
    assert "万元" in found.summary.zh
    assert "¥" in found.summary.en
