"""What the energy pages say of figures: plans, forecasts, out of season, shares that add up, bills, trees, reasons."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from analytics.energy.intervals import Total, Totals
from analytics.energy.statements import Statement
from api.pages.energy import energy_page
from api.pages.energy_accounts import CarrierAccount, DepartmentAccount, Departments, PeriodAccounts, Savings
from api.pages.energy_balance import balance_page
from api.pages.energy_bill import bill_page
from api.pages.energy_carbon import carbon_page
from api.pages.energy_departments import departments_page
from api.pages.energy_figures import amount_text, difference_text, exact_money, share_text
from api.pages.energy_indicators import indicators_page
from api.pages.energy_period import period_of
from api.pages.sources import Sources
from api.pages.words import words_of
from facility.names import Names

EN, ZH = words_of("en"), words_of("zh")
JULY = period_of("month", date(2026, 7, 16))
DAY_US = 86_400_000_000
NAN = float("nan")


def electricity(**changed: Any) -> CarrierAccount:
    """July's electricity up to the 15th: 68 MWh a day, 64 expected, 70 to come."""
    amount = np.where(np.arange(31) < 15, 68_000.0, NAN)
    fields: dict[str, Any] = {
        "carrier": "electricity",
        "unit": "kWh",
        "total": Total(1_020_000.0, 0.987, 0.013, 0.0),
        "parts": Totals(
            np.arange(32, dtype=np.int64) * DAY_US, amount, np.isfinite(amount).astype(float), np.zeros(31),
            np.isnan(amount).astype(float),
        ),
        "expected": np.full(31, 64_000.0),
        "forecast": np.where(np.arange(31) < 15, NAN, 70_000.0),
        "plan": 2_000_000.0,
        "plan_to_date": 1_000_000.0,
        "at_end": 2_100_000.0,
        "half_width": 38_000.0,
        "will_exceed": True,
        "priced": True,
        "cost_cents": 76_605_000,
    }  # fmt: skip
    return CarrierAccount(**{**fields, **changed})


def accounts(*carriers: CarrierAccount, **changed: Any) -> PeriodAccounts:
    return PeriodAccounts(JULY, True, 15, "07-15 24:00", carriers or (electricity(),), **changed)


def test_a_carrier_is_held_against_plan_and_expectation(sources: Sources) -> None:
    (row,) = energy_page(sources, EN, accounts(), "electricity", sources.now_us()).carriers
    assert (row.amount, row.on_plan, row.on_expected) == ("≈1,020,000", "+2.0%", "+6.2%")
    assert (row.at_end, row.half_width, row.end_on_plan, row.will_exceed) == ("2,100,000", "±38,000", "+5.0%", True)
    assert row.cost == "766,050"


def test_without_a_plan_or_a_forecast_nothing_is_made_up(sources: Sources) -> None:
    why = Names(zh="只有 3 天的数据", en="only 3 days are known")
    bare = electricity(
        plan=None, plan_to_date=None, at_end=None, half_width=None, will_exceed=False, no_forecast=why, cost_cents=100
    )
    page = energy_page(sources, EN, accounts(bare), "electricity", sources.now_us())
    assert (page.carriers[0].on_plan, page.carriers[0].at_end, page.carriers[0].end_on_plan) == ("—", "?", "—")
    assert any("No plan is written down" in note for note in page.carrier_notes)
    assert "? only 3 days are known" in page.carrier_notes
    assert [(f.text, f.note) for f in page.figures if f.name == "Forecast to month end"] == [("—", why.en)]


def test_a_period_that_is_not_forecast_has_neither_figure_nor_column_for_it(sources: Sources) -> None:
    over = electricity(at_end=None, half_width=None)
    page = energy_page(sources, EN, accounts(over), "electricity", sources.now_us())
    assert not page.forecasts
    assert not any("Forecast" in f.name for f in page.figures)
    assert page.carriers[0].at_end == "—"


def test_a_carrier_out_of_season_is_off_and_not_zero(sources: Sources) -> None:
    heat = electricity(carrier="heat", unit="GJ", total=Total(0.0, 1.0, 0.0, 0.0), off=True)
    page = energy_page(sources, EN, accounts(electricity(), heat), "heat", sources.now_us())
    assert page.carriers[1].off == "off"
    assert "not the same as zero" in page.carriers[1].off_words
    assert page.chart.title.startswith("Electricity")


def test_the_chart_shows_what_is_above_the_expectation(sources: Sources) -> None:
    chart = energy_page(sources, EN, accounts(), "electricity", sources.now_us()).chart
    assert (chart.unit, chart.running_sentence) == ("MWh", "Running total above expected: +60.0\xa0MWh")
    assert chart.desk is not None
    assert (len(chart.desk.measured), len(chart.desk.forecast), len(chart.desk.over)) == (15, 16, 15)


def test_a_carrier_without_a_bill_is_left_out_of_the_cost_and_named(sources: Sources) -> None:
    page = energy_page(
        sources, EN, accounts(cost_cents=76_605_000, without_cost=("water",)), "electricity", sources.now_us()
    )
    assert (page.figures[0].text, page.figures[0].note) == ("¥766,050", "without Water")


def test_money_in_headlines_counts_in_ten_thousands_in_chinese(sources: Sources) -> None:
    page = energy_page(sources, ZH, accounts(cost_cents=76_605_000), "electricity", sources.now_us())
    assert page.figures[0].text == "76.61\xa0万元"


def test_savings_that_nobody_could_prove_are_no_zero(sources: Sources) -> None:
    page = energy_page(sources, EN, accounts(savings=Savings(2, None, None)), "electricity", sources.now_us())
    assert (page.figures[-1].text, page.figures[-1].note) == ("—", "0 of 2 measures")


def departments(*rows: DepartmentAccount, unallocated: int = 0) -> Departments:
    own = sum(r.cents for r in rows)
    return Departments(
        rows, "expected", total_cents=own + unallocated, allocated_cents=own, unallocated_cents=unallocated
    )


def test_departments_are_ranked_by_their_own_expectation_and_those_without_one_come_last(sources: Sources) -> None:
    rows = (
        DepartmentAccount("ward", Names(zh="病房", en="Ward"), 900_000),
        DepartmentAccount("icu", Names(zh="ICU", en="ICU"), 200_000, 0.97, 100_000, 1.0),
        DepartmentAccount("lab", Names(zh="检验", en="Laboratory"), 300_000, 1.21, 121_000, 0.98),
    )
    card = energy_page(
        sources, EN, accounts(departments=departments(*rows, unallocated=1)), "electricity", sources.now_us()
    ).departments
    assert [(r.name, r.index, r.money, r.measured) for r in card.rows] == [
        ("Laboratory", "1.21", "+210", "98%"),
        ("ICU", "0.97", "−31", "100%"),
        ("Ward", "—", "—", "—"),
    ]
    assert card.rows[0].bar is not None
    assert card.rows[0].bar.over
    assert "adds up to the bill" in card.note


def test_parts_that_do_not_add_up_are_told(sources: Sources) -> None:
    off_by_one = replace(departments(DepartmentAccount("icu", Names(zh="ICU", en="ICU"), 100)), total_cents=101)
    page = energy_page(sources, EN, accounts(departments=off_by_one), "electricity", sources.now_us())
    assert "does NOT add up" in page.departments.note


# --- statements -------------------------------------------------------------------------------------------------------


def statement(kind: str, figures: dict[str, Any], **changed: Any) -> Statement:
    fields = {
        "kind": kind, "subject": "electricity", "month": JULY.first, "version": 1, "provisional": False,
        "made_us": 1_784_140_800_000_000, "cause": "", "figures": figures, "problems": (),
    }  # fmt: skip
    return Statement(**{**fields, **changed})


BILL = {
    "contract": "electricity",
    "name": {"zh": "电", "en": "Electricity"},
    "carrier": "electricity",
    "through": "2026-08-01",
    "used": 1000.0,
    "unit": "kWh",
    "measured": 0.9,
    "estimated": 0.1,
    "missing": 0.0,
    "peak_kw": 512.4,
    "peak_at_us": None,
    "power_factor": 0.93,
    "total_cents": 71_460,
    "at_least": False,
    "problems": [],
    "basic_charge": {
        "cents": {"capacity": 216_000_000, "demand": 194_059_040},
        "cheapest": "demand",
        "now": "capacity",
        "declared_kw": None,
        "break_even_kw": 4500.0,
        "saving_cents": 21_940_960,
        "months": 12,
    },
    "lines": [
        {
            "code": "energy.peak",
            "name": {"zh": "电度电费（高峰）", "en": "Energy, peak"},
            "quantity": 1000.0,
            "unit": "kWh",
            "price": 0.72,
            "share": 1.0,
            "amount_cents": 72_000,
            "missing": 0.0,
            "detail": None,
        },
        {
            "code": "power_factor",
            "name": {"zh": "力调电费", "en": "Power factor"},
            "quantity": 720.0,
            "unit": "%",
            "price": -0.0075,
            "share": 1.0,
            "amount_cents": -540,
            "missing": 0.0,
            "detail": {"zh": "力率 0.93", "en": "factor 0.93"},
        },
    ],
}


def test_a_bill_stands_line_by_line_to_the_cent(sources: Sources) -> None:
    own = statement("bill", BILL, version=2, cause="late data")
    page = bill_page(sources.site, EN, JULY.first, [own], {"electricity": [own]}, sources.now_us())
    (card,) = page.bills
    assert card.total == "714.60"
    assert [(line.quantity, line.unit, line.price, line.amount) for line in card.lines] == [
        ("1,000", "kWh", "0.72", "720.00"),
        ("720.00", "¥", "−0.75%", "−5.40"),
    ]
    assert "version 2" in card.version
    assert "late data" in card.version
    assert ("Maximum demand", "512.4 kW") in [(f.name, f.text) for f in card.facts]


def test_the_ways_of_the_basic_charge_tell_over_how_many_months_and_in_money(sources: Sources) -> None:
    own = statement("bill", BILL)
    (card,) = bill_page(sources.site, EN, JULY.first, [own], {}, sources.now_us()).bills
    assert card.choice is not None
    assert card.choice.title == "What the basic charge would have come to in the last 12 months together"
    assert [(f.name, f.text) for f in card.choice.ways] == [
        ("by capacity, in force", "¥2,160,000.00"),
        ("by maximum demand", "¥1,940,590.40"),
    ]
    assert "Cheapest is by maximum demand: ¥219,409.60 less than the way in force." in card.choice.verdict
    assert "below 4,500 kW" in card.choice.verdict


def test_a_bill_that_compares_no_ways_shows_none(sources: Sources) -> None:
    own = statement("bill", {k: v for k, v in BILL.items() if k != "basic_charge"})
    (card,) = bill_page(sources.site, EN, JULY.first, [own], {}, sources.now_us()).bills
    assert card.choice is None


def test_a_bill_of_nothing_is_no_zero(sources: Sources) -> None:
    problem = {"code": "no-use", "text": {"zh": "无用量", "en": "nothing is known of the use"}}
    own = statement("bill", {**BILL, "lines": [], "total_cents": 0, "at_least": True, "problems": [problem]})
    (card,) = bill_page(sources.site, EN, JULY.first, [own], {}, sources.now_us()).bills
    assert card.total == "—"
    assert [n.what for n in card.notes] == ["nothing is known of the use"]


def meter(node: str, amount: float) -> dict[str, Any]:
    return {"node": node, "amount": amount, "measured": 1.0, "estimated": 0.0, "missing": 0.0}


def balance_row(parent: str, children: list[str], **changed: Any) -> dict[str, Any]:
    row = {
        "id": parent, "parents": [meter(parent, 100.0)], "children": [meter(c, 40.0) for c in children], "fed": 100.0,
        "used": 80.0, "loss": 20.0, "loss_share": 0.2, "expected_low": -1.0, "expected_high": 4.0, "finding": "loss",
        "days": 31, "days_known": 30, "unmetered": [], "absent": [], "words": {"zh": "损耗", "en": "More is lost"},
        "suspect": None,
    }  # fmt: skip
    return {**row, **changed}


def test_a_balance_is_a_tree_and_names_the_meter_to_doubt(sources: Sources) -> None:
    suspect = {"node": "b", "confidence": 0.9, "words": {"zh": "b 存疑", "en": "b counts half"}}
    figures = {
        "unit": "kWh", "decimals": 1, "problems": [],
        "rows": [
            balance_row("a", ["b", "c"], suspect=suspect), balance_row("d", ["e"]), balance_row("b", ["x"]),
            balance_row("c", ["y"], finding="cannot_tell", loss_share=None),
        ],
    }  # fmt: skip
    page = balance_page(sources.site, EN, "2026-07", "electricity", ("electricity",), figures, "")
    assert [(line.id, line.level) for line in page.lines] == [("a", 0), ("b", 1), ("c", 1), ("d", 0)]
    first = page.lines[0]
    assert (first.fed, first.used, first.loss, first.share) == ("100.0", "80.0", "+20.0", "+20.0%")
    assert (first.suspect, [c.doubted for c in first.children]) == ("b counts half", [True, False])
    assert (page.lines[2].share, page.lines[2].expected) == ("—", "—")


def test_a_tree_of_meters_with_a_circle_is_still_shown(sources: Sources) -> None:
    figures = {"unit": "kWh", "decimals": 0, "problems": [], "rows": [balance_row("a", ["b"]), balance_row("b", ["a"])]}
    page = balance_page(sources.site, EN, "2026-07", "electricity", ("electricity",), figures, "")
    assert {line.id for line in page.lines} == {"a", "b"}


def allocation(rows: list[tuple[str | None, int]], total: int) -> dict[str, Any]:
    return {
        "carrier": "electricity", "unit": "kWh", "decimals": 1, "amount": 100.0, "bought": 100.0, "total_cents": total,
        "problems": [],
        "rows": [
            {"department": d, "cost_centre": None, "direct": 1.0, "shared": 0.0, "rest": 0.0, "amount": 1.0,
             "cents": cents, "charges": {}, "measured": 1.0, "estimated": 0.0, "missing": 0.0, "parts": []}
            for d, cents in rows
        ],
    }  # fmt: skip


@pytest.mark.parametrize(("total", "said"), [(300, "add up to the bills, 3.00 ¥"), (301, "the bills to 3.01")])
def test_the_parts_of_departments_are_held_against_the_bills(sources: Sources, total: int, said: str) -> None:
    page = departments_page(
        sources.site, EN, "2026-07", {"electricity": allocation([("icu", 100), ("ward", 150), (None, 50)], total)}
    )
    assert [line.name for line in page.lines] == ["Surgical ward", "Intensive care", "borne by no department"]
    assert said in page.closing


def test_carbon_names_each_factor_with_year_and_source() -> None:
    factor = {"value": 0.5306, "year": 2023, "source": "MEE", "checked": False, "note": None}
    row = {
        "energy": "electricity", "name": {"zh": "电", "en": "Electricity"}, "amount": 1000.0, "unit": "kWh",
        "factor": factor, "factor_unit": "kWh", "kg": 530.6, "scope": 2, "missing": 0.1,
    }  # fmt: skip
    figures = {
        "carbon": {"rows": [row], "kg": 530.6, "scope1_kg": 0.0, "scope2_kg": 530.6, "notes": []},
        "coal": {"rows": [], "calorific_kgce": 0.0, "equivalent_kgce": 0.0, "notes": []},
    }
    page = carbon_page(EN, figures)
    assert (page.rows[0].tonnes, page.rows[0].year, page.rows[0].source) == ("≥0.53", "2023", "MEE · not checked")
    assert carbon_page(EN, None).rows == ()


def indicator(**changed: Any) -> dict[str, Any]:
    own = {
        "id": "water_per_bed_day",
        "name": {"zh": "单位床日用水", "en": "Water per bed-day"},
        "unit": "L/(bed·d)",
        "kind": "hospital",
        "subject": "site",
        "span": "month",
        "value": 673.3,
        "numerator": 16_699.0,
        "denominator": 24_800.0,
        "measured": 1.0,
        "estimated": 0.0,
        "missing": 0.0,
        "better": "lower",
        "benchmark": {"good": 300, "poor": 600, "source": "GB", "checked": True},
        "verdict": "poor",
        "reasons": [],
    }
    return {**own, **changed}


def test_an_indicator_that_nobody_can_tell_says_why(sources: Sources) -> None:
    reason = {"code": "no-visits", "words": {"zh": "无人次", "en": "no visits are reported"}}
    unknown = indicator(id="x", value=None, verdict="cannot_tell", benchmark=None, reasons=[reason])
    figures = {"indicators": [indicator(), unknown], "transformers": {}}
    (group,) = indicators_page(sources.site, EN, figures, None, str).groups
    assert [(r.month, r.verdict, r.poor, r.reason) for r in group.rows] == [
        ("673.3", "poor", True, ""),
        ("—", "cannot tell", False, "no visits are reported"),
    ]


def test_a_plan_that_will_be_passed_says_by_how_much_and_since_when(sources: Sources) -> None:
    progress = {
        "planned": 1000.0, "consumed": 600.0, "measured": 1.0, "estimated": 0.0, "missing": 0.0, "elapsed": 0.5,
        "expected": 500.0, "forecast": 1100.0, "low": 1050.0, "high": 1150.0, "confidence": 0.8, "chance": 0.95,
        "over": 100.0, "over_share": 0.1, "left": 400.0, "verdict": "will_exceed", "since_us": 5, "reasons": [],
    }  # fmt: skip
    row = {
        "key": "k", "year": 2026, "carrier": "electricity", "department": "icu", "measure": "use", "unit": "kWh",
        "annual": 12_000.0, "month": progress, "year_so_far": None, "days": [1.0] * 31, "problem": None,
    }  # fmt: skip
    (plan,) = indicators_page(sources.site, EN, None, {"rows": [row]}, lambda us: f"<{us}>").targets
    assert (plan.name, plan.verdict, plan.over) == (
        "Electricity · Intensive care",
        "will be passed",
        "by 100 kWh, +10.0%",
    )
    assert (plan.forecast, plan.since) == ("1,100 ±50", "since <5>")


# --- figures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("total", "text"),
    [
        (Total(1204.0, 1.0, 0.0, 0.0), "1,204"),
        (Total(1204.0, 0.9, 0.1, 0.0), "≈1,204"),
        (Total(1204.0, 0.8, 0.1, 0.1), "≥1,204"),
        (Total(NAN, 0.0, 0.0, 1.0), "—"),
        (Total(0.0, 1.0, 0.0, 0.0), "0"),
    ],
)
def test_an_amount_says_whether_it_is_whole(total: Total, text: str) -> None:
    assert amount_text(total, "kWh") == text


def test_shares_are_never_rounded_onto_nothing_or_all() -> None:
    assert [share_text(s, 0) for s in (0.0, 0.001, 0.999, 1.0)] == ["0%", "1%", "99%", "100%"]


def test_money_is_exact_to_the_cent_above_and_below_zero() -> None:
    assert [exact_money(c) for c in (0, 5, 146_323_159, -540)] == ["0.00", "0.05", "1,463,231.59", "−5.40"]


@pytest.mark.parametrize(("value", "reference"), [(None, 1.0), (1.0, None), (1.0, 0.0), (NAN, 1.0)])
def test_a_difference_to_nothing_is_a_dash(value: float | None, reference: float | None) -> None:
    assert difference_text(value, reference) == "—"
