"""What stands on the bill of a month, and what it says where something is not known."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.energy.bill import bill
from analytics.energy.bill_lines import Bill, cents
from analytics.energy.bill_problems import CODES, problem
from analytics.energy.demand import Peak
from analytics.energy.intervals import ESTIMATED, MISSING, STEP_US, Intervals, Total
from facility.calendar import month_bounds_us
from facility.names import Names
from facility.tariff_model import (
    ALL_MONTHS,
    COMPONENT_NAMES,
    BandRatios,
    Basic,
    Component,
    Contract,
    Tariff,
    TariffBand,
    Tiers,
    TierStep,
)
from tests.analytics.energy.tariffs import MARCH, SHANGHAI, amounts, codes, contract, even, with_peak, without

PEAK = TariffBand("peak", None, 8 * 60, 20 * 60, ALL_MONTHS)
VALLEY = TariffBand("valley", None, 22 * 60, 6 * 60, ALL_MONTHS)
RATIOS = (BandRatios(ALL_MONTHS, {"flat": 1.0, "peak": 1.8, "valley": 0.4}),)
PURCHASE = Component("purchase", COMPONENT_NAMES["purchase"], 0.40, floats=True)
TRANSMISSION = Component("transmission", COMPONENT_NAMES["transmission"], 0.15)
FUNDS = Component("funds", COMPONENT_NAMES["funds"], 0.03, adjusted=False)
TWO_PART = Tariff(
    "electricity", 0.58, "kWh", (PEAK, VALLEY), power_factor_target=0.9, ratios=RATIOS,
    components=(PURCHASE, TRANSMISSION, FUNDS), basic=Basic("demand", capacity_price=25.0, demand_price=40.0),
)  # fmt: skip
PLAIN = Tariff("water", 5.0, "m³")


def made(tariff: Tariff, use: Intervals, **more: object) -> Bill:
    return bill(contract(tariff), MARCH, use, zone=SHANGHAI, **more)  # type: ignore[arg-type]


# -- energy


def test_a_component_that_floats_has_a_line_for_each_band_and_one_that_does_not_has_one() -> None:
    found = amounts(made(TWO_PART, even(74_400.0), reactive=even(0.0)))
    # 12 of 24 h are peak, 8 valley, 4 flat.
    assert found["energy.purchase.peak"] == 37_200 * 0.72
    assert found["energy.purchase.flat"] == 12_400 * 0.40
    assert found["energy.purchase.valley"] == 24_800 * 0.16
    assert found["energy.transmission"] == 74_400 * 0.15
    assert found["energy.funds"] == 74_400 * 0.03


def test_bands_with_prices_of_their_own_are_lines_too() -> None:
    old = Tariff("electricity", 0.7, "kWh", (replace(PEAK, price=1.2), replace(VALLEY, price=0.3)))
    assert amounts(made(old, even(2400.0))) == {"energy.peak": 1440.0, "energy.flat": 280.0, "energy.valley": 240.0}


def test_a_line_is_rounded_by_itself_and_the_total_is_the_sum() -> None:
    third = Component("purchase", COMPONENT_NAMES["purchase"], 0.333)
    other = Component("other", COMPONENT_NAMES["other"], 0.333)
    result = made(Tariff("electricity", 0.666, "kWh", components=(third, other)), even(10.015))
    assert [x.amount_cents for x in result.lines] == [333, 333]  # 3.334995 each
    assert result.total_cents == 666


@pytest.mark.parametrize(
    ("quantity", "price", "expected"),
    [(1.0, 0.285, 29), (1.0, 0.2849, 28), (100.0, 1.005, 10_050), (1.0, -0.285, -29), (3.0, 0.335, 101)],
)
def test_half_a_cent_is_rounded_away_from_zero_however_a_float_holds_it(
    quantity: float, price: float, expected: int
) -> None:
    assert cents(quantity, price) == expected


def test_part_of_the_amount_is_charged_where_the_component_says_so() -> None:
    sewage = Component("sewage", COMPONENT_NAMES["sewage"], 2.0, share=0.9)
    water = Component("commodity", COMPONENT_NAMES["commodity"], 3.0)
    found = amounts(made(Tariff("water", 4.8, "m³", components=(water, sewage)), even(100.0)))
    assert found == {"energy.commodity": 300.0, "energy.sewage": 180.0}


def test_the_unit_of_the_meters_becomes_that_of_the_tariff() -> None:
    heat = Tariff("heat", 85.0, "GJ")
    assert made(heat, even(1000.0), unit="kWh").total_cents == round(3.6 * 85 * 100)
    result = made(heat, even(1000.0), unit="m³")
    assert (result.lines, codes(result), result.at_least) == ((), ["unit"], True)
    assert "write unit: m³" in result.problems[0].text.en


def test_demand_load_rate_and_power_factor_do_not_mind_the_unit_of_the_meters() -> None:
    kwh = made(TWO_PART, with_peak(260_000.0, 812.5), reactive=even(100.0), capacity_kva=1000.0)
    mwh = made(
        TWO_PART, with_peak(260_000.0, 812.5).scaled(0.001), unit="MWh", reactive=even(100.0), capacity_kva=1000.0
    )
    assert [(x.code, x.amount_cents) for x in mwh.lines] == [(x.code, x.amount_cents) for x in kwh.lines]
    assert mwh.peak_kw == kwh.peak_kw == 812.5


# -- a month that is not fully known


def test_missing_energy_is_not_charged_and_the_bill_says_that_it_is_a_least() -> None:
    result = made(PLAIN, without(even(310.0), date(2026, 3, 5), date(2026, 3, 9)))
    assert result.total_cents == 270 * 500
    assert (result.at_least, codes(result)) == (True, ["energy-missing"])
    assert result.missing == pytest.approx(4 / 31)
    assert result.lines[0].missing == pytest.approx(4 / 31)
    assert result.problems[0].text.en.startswith("12.9% of the time has no data")


def test_a_month_of_which_nothing_is_known_has_no_energy_but_its_basic_charge_by_capacity() -> None:
    start, end = month_bounds_us(MARCH, SHANGHAI)
    tariff = replace(TWO_PART, basic=Basic("capacity", capacity_price=25.0))
    result = made(tariff, Intervals.missing(start, end), capacity_kva=1000.0)
    assert amounts(result) == {"basic.capacity": 25_000.0}
    assert codes(result) == ["no-energy", "no-reactive"]
    assert np.isnan(result.used)
    assert json.loads(json.dumps(result.to_json()))["used"] is None


def test_a_month_that_was_estimated_whole_is_charged_whole_and_its_demand_is_uncertain() -> None:
    use = even(74_400.0)
    use.grade[:] = ESTIMATED
    result = made(TWO_PART, use, reactive=even(0.0), capacity_kva=2000.0)
    assert (result.measured, result.estimated, result.used) == (0.0, 1.0, pytest.approx(74_400.0))
    assert (codes(result), result.at_least) == (["peak-uncertain"], True)


def test_a_running_month_is_provisional_and_misses_nothing_that_has_not_come() -> None:
    result = made(PLAIN, even(310.0), through=date(2026, 3, 11))
    assert result.provisional
    assert result.total_cents == 100 * 500
    assert (result.missing, codes(result)) == (0.0, [])


def test_no_bill_is_made_before_a_day_has_passed() -> None:
    with pytest.raises(ValueError, match="no day of it has passed"):
        made(PLAIN, even(310.0), through=MARCH)


# -- tariffs with dates


def test_a_tariff_that_changes_in_the_month_is_split_by_day() -> None:
    dear = replace(PLAIN, price=6.0)
    result = bill(
        contract(PLAIN, dear, since=(date(2020, 1, 1), date(2026, 3, 11))), MARCH, even(310.0), zone=SHANGHAI
    )  # fmt: skip
    assert [(x.quantity, x.price) for x in result.lines] == [(100.0, 5.0), (210.0, 6.0)]
    assert [x.detail.en for x in result.lines if x.detail] == ["2026-03-01 to 2026-03-10", "2026-03-11 to 2026-03-31"]


def test_a_basic_charge_that_changes_in_the_month_is_shared_by_its_days() -> None:
    first = Tariff("electricity", 0.5, "kWh", basic=Basic("capacity", capacity_price=31.0))
    second = replace(first, basic=Basic("capacity", capacity_price=62.0))
    since = (date(2020, 1, 1), date(2026, 3, 11))
    result = bill(contract(first, second, since=since), MARCH, even(0.0), zone=SHANGHAI, capacity_kva=100.0)
    basic = [x for x in result.lines if x.code == "basic.capacity"]
    assert [x.share for x in basic] == [Fraction(10, 31), Fraction(21, 31)]
    assert [x.amount_cents for x in basic] == [100_000, 420_000]


def test_days_before_the_first_tariff_are_told_and_not_charged() -> None:
    result = bill(contract(PLAIN, since=(date(2026, 3, 11),)), MARCH, even(310.0), zone=SHANGHAI)
    assert result.total_cents == 210 * 500
    assert (codes(result), result.at_least) == (["no-tariff"], True)
    assert result.problems[0].text.en == (
        "tariffs 'water': no tariff holds from 2026-03-01 to 2026-03-10 (the first begins on 2026-03-11), and these "
        "days are not charged; add an entry with from: 2026-03-01 to the site file"
    )


def test_demand_and_power_factor_are_those_of_the_days_under_contract() -> None:
    use = with_peak(74_400.0, 812.5, day=5)
    reactive = even(74_400.0)
    reactive.used[10 * 96 :] = 0.0
    result = bill(contract(TWO_PART, since=(date(2026, 3, 11),)), MARCH, use, zone=SHANGHAI, reactive=reactive)
    assert result.peak_kw == pytest.approx((74_400.0 - 812.5 / 4) / (31 * 96 - 1) * 4)
    assert result.power_factor == 1.0


def test_a_month_without_any_tariff_is_a_bill_without_lines_that_says_why() -> None:
    result = bill(contract(PLAIN, since=(date(2027, 1, 1),)), MARCH, even(310.0), zone=SHANGHAI)
    assert (result.lines, codes(result), result.at_least) == ((), ["no-tariff"], True)


def test_a_month_without_a_price_leaves_that_component_out_and_names_it() -> None:
    by_month = replace(PURCHASE, price=None, prices={(2026, 2): 0.41})
    result = made(replace(TWO_PART, components=(by_month, TRANSMISSION)), even(1000.0), reactive=even(0.0))
    assert "energy.transmission" in amounts(result)
    assert not any(code.startswith("energy.purchase") for code in amounts(result))
    assert codes(result) == ["no-price", "load-rate-unknown"]
    assert "add 2026-03 to its prices" in result.problems[0].text.en


# -- basic charge


def test_the_basic_charge_by_demand_takes_the_largest_quarter_of_an_hour() -> None:
    result = made(TWO_PART, with_peak(74_400.0, 812.5), reactive=even(0.0), capacity_kva=2000.0)
    assert amounts(result)["basic.demand"] == 812.5 * 40
    assert result.peak_kw == 812.5


def test_the_demand_that_the_supplier_read_comes_before_that_of_the_register() -> None:
    peak = Peak(830.0, month_bounds_us(MARCH, SHANGHAI)[0])
    assert made(TWO_PART, with_peak(74_400.0, 812.5), reactive=even(0.0), peak=peak).peak_kw == 830.0


@pytest.mark.parametrize(("kwh", "price"), [(259_999.0, 40.0), (260_000.0, 36.0)])
def test_from_260_kwh_a_kva_the_demand_price_is_nine_tenths(kwh: float, price: float) -> None:
    result = made(TWO_PART, even(kwh), reactive=even(0.0), capacity_kva=1000.0)
    assert next(x.price for x in result.lines if x.code == "basic.demand") == price


def test_missing_energy_that_may_earn_the_load_rate_is_told() -> None:
    held = without(even(270_000.0), date(2026, 3, 5), date(2026, 3, 9))
    assert "load-rate-uncertain" in codes(made(TWO_PART, held, reactive=even(0.0), capacity_kva=1000.0))
    assert "load-rate-uncertain" not in codes(made(TWO_PART, held, reactive=even(0.0), capacity_kva=2000.0))


@pytest.mark.parametrize(("declared", "told"), [(399.9, True), (400.0, False)])
def test_less_than_40_percent_of_the_capacity_cannot_be_declared(declared: float, told: bool) -> None:
    basic = Basic("contract_demand", demand_price=40.0, contract_kw={(0, 0): declared})
    result = made(replace(TWO_PART, basic=basic), even(1000.0), reactive=even(0.0), capacity_kva=1000.0)
    assert ("declared-too-low" in codes(result)) is told


def test_a_demand_declared_by_month_counts_in_its_month() -> None:
    basic = Basic("contract_demand", demand_price=40.0, contract_kw={(2026, 3): 500.0, (2026, 4): 600.0})
    result = made(replace(TWO_PART, basic=basic), even(1000.0), reactive=even(0.0), capacity_kva=1000.0)
    assert amounts(result)["basic.contract_demand"] == 20_000.0


def test_what_a_basic_charge_lacks_is_told() -> None:
    by_capacity = replace(TWO_PART, basic=Basic("capacity", capacity_price=25.0))
    assert "no-capacity" in codes(made(by_capacity, even(1.0), reactive=even(0.0)))
    undeclared = replace(TWO_PART, basic=Basic("contract_demand", demand_price=40.0, contract_kw={(2026, 2): 500.0}))
    assert "no-declaration" in codes(made(undeclared, even(1.0), reactive=even(0.0)))
    start, end = month_bounds_us(MARCH, SHANGHAI)
    assert "no-demand" in codes(made(TWO_PART, Intervals.missing(start, end)))


def test_a_peak_next_to_missing_data_is_uncertain() -> None:
    held = without(with_peak(74_400.0, 812.5), date(2026, 3, 20), date(2026, 3, 21))
    result = made(TWO_PART, held, reactive=even(0.0), capacity_kva=2000.0)
    assert "peak-uncertain" in codes(result)
    assert result.at_least


# -- power factor


@pytest.mark.parametrize(
    ("reactive_kvarh", "factor", "rate"), [(484.3, 0.90, 0.0), (328.7, 0.95, -0.0075), (750.0, 0.80, 0.05)]
)
def test_the_adjustment_is_on_basic_charge_and_energy_without_funds(
    reactive_kvarh: float, factor: float, rate: float
) -> None:
    result = made(TWO_PART, even(1000.0), reactive=even(reactive_kvarh), capacity_kva=100.0)
    found = amounts(result)
    base = sum(v for k, v in found.items() if k not in ("energy.funds", "power_factor"))
    line = next(x for x in result.lines if x.code == "power_factor")
    assert (result.power_factor, line.price, line.unit) == (factor, rate, "%")
    assert line.quantity == pytest.approx(base, abs=1e-6)
    assert line.amount_cents == cents(line.quantity, rate)


def test_steps_without_reactive_energy_stay_out_of_the_power_factor() -> None:
    reactive = without(even(484.3), date(2026, 3, 5), date(2026, 3, 12))
    result = made(TWO_PART, even(1000.0), reactive=reactive, capacity_kva=100.0)
    assert result.power_factor == 0.90
    assert "factor-uncertain" in codes(result)


def test_without_a_register_of_reactive_energy_there_is_no_adjustment_and_that_is_told() -> None:
    result = made(TWO_PART, even(1000.0), capacity_kva=100.0)
    assert result.power_factor is None
    assert "power_factor" not in amounts(result)
    assert codes(result) == ["no-reactive"]
    assert not result.at_least  # the adjustment may be a reward


def test_a_month_in_which_nothing_flowed_has_no_power_factor_and_that_is_told() -> None:
    result = made(TWO_PART, even(0.0), reactive=even(0.0), capacity_kva=1000.0)
    assert (result.power_factor, codes(result), result.at_least) == (None, ["no-factor"], False)


def test_a_demand_that_may_be_hidden_in_an_estimate_is_told() -> None:
    result = made(TWO_PART, with_estimate(90.0, 4), reactive=even(0.0), capacity_kva=2000.0)
    assert "of 0.1% of the time only the sum was counted" in result.problems[0].text.en
    assert not result.at_least
    # A single step of which the sum is known is known.
    assert codes(made(TWO_PART, with_estimate(90.0, 1), reactive=even(0.0), capacity_kva=2000.0)) == []
    # Nor can an hour of 24 kW hide more than was reached in a quarter of it.
    assert codes(made(TWO_PART, with_estimate(24.0, 4), reactive=even(0.0), capacity_kva=2000.0)) == []


def with_estimate(kw: float, steps: int) -> Intervals:
    """Return a month with a peak of 100 kW, and some steps of so much whose course was estimated."""
    use = with_peak(7_440.0, 100.0)
    use.used[100 : 100 + steps] = kw / 4
    use.grade[100 : 100 + steps] = ESTIMATED
    return use


# -- tiers, standing charge, minimum, tax

YEARLY = Tariff("gas", 3.0, "Nm³", tiers=Tiers("year", (TierStep(1000.0, 3.0), TierStep(None, 4.0))))
MONTHLY = replace(YEARLY, tiers=Tiers("month", (TierStep(100.0, 3.0), TierStep(None, 4.0))))


def test_yearly_tiers_go_on_where_the_months_before_left_off() -> None:
    result = made(YEARLY, even(200.0), used_before=Total(900.0, 1.0, 0.0, 0.0))
    assert [(x.code, x.quantity) for x in result.lines] == [("tier.1", 100.0), ("tier.2", 100.0)]


@pytest.mark.parametrize(
    "before", [None, Total(float("nan"), 0, 0, 1.0), Total(1100.0, 0.9, 0.0, 0.1)], ids=["none", "unknown", "in part"]
)
def test_yearly_tiers_say_that_the_months_before_are_not_fully_known(before: Total | None) -> None:
    result = made(YEARLY, even(200.0), used_before=before)
    assert (codes(result), result.at_least) == (["tier-unknown"], True)


def test_tiers_of_another_unit_go_on_where_the_old_ones_left_off() -> None:
    cubic = replace(YEARLY, unit="m³", tiers=Tiers("year", (TierStep(1000.0, 3.0), TierStep(None, 4.0))))
    litres = replace(YEARLY, unit="L", tiers=Tiers("year", (TierStep(1e6, 0.003), TierStep(None, 0.004))))
    result = bill(
        contract(cubic, litres, since=(date(2020, 1, 1), date(2026, 3, 11))), MARCH, even(310.0), zone=SHANGHAI,
        unit="m³", used_before=Total(850.0, 1.0, 0.0, 0.0),
    )  # fmt: skip
    assert [(x.code, x.quantity) for x in result.lines] == [
        ("tier.1", 100.0), ("tier.1", 50_000.0), ("tier.2", 160_000.0),
    ]  # fmt: skip


def test_days_before_the_first_tariff_count_towards_the_tiers() -> None:
    result = bill(
        contract(YEARLY, since=(date(2026, 3, 11),)), MARCH, even(310.0), zone=SHANGHAI,
        used_before=Total(850.0, 1.0, 0.0, 0.0),
    )  # fmt: skip
    assert [(x.code, x.quantity) for x in result.lines] == [("tier.1", 50.0), ("tier.2", 160.0)]


def test_monthly_tiers_begin_anew() -> None:
    result = made(MONTHLY, even(150.0))
    assert [x.amount_cents for x in result.lines] == [30_000, 20_000]
    assert codes(result) == []


def test_tiers_go_on_across_a_change_of_tariff() -> None:
    dear = replace(YEARLY, tiers=Tiers("year", (TierStep(1000.0, 5.0), TierStep(None, 6.0))))
    since = (date(2020, 1, 1), date(2026, 3, 11))
    result = bill(
        contract(YEARLY, dear, since=since), MARCH, even(310.0), zone=SHANGHAI,
        used_before=Total(850.0, 1.0, 0.0, 0.0),
    )  # fmt: skip
    assert [(x.quantity, x.price) for x in result.lines] == [(100.0, 3.0), (50.0, 5.0), (160.0, 6.0)]


@pytest.mark.parametrize(("used", "difference"), [(50.0, 15_000), (80.0, None), (90.0, None)])
def test_a_month_costs_at_least_the_minimum_charge(used: float, difference: int | None) -> None:
    result = made(replace(PLAIN, minimum_charge=400.0), even(used))
    found = [x.amount_cents for x in result.lines if x.code == "minimum"]
    assert found == ([] if difference is None else [difference])
    assert result.total_cents == max(40_000, round(used * 500))


def test_the_minimum_charge_waits_for_the_end_of_the_month() -> None:
    result = made(replace(PLAIN, minimum_charge=400.0), even(31.0), through=date(2026, 3, 11))
    assert result.total_cents == 5_000


def test_tax_comes_on_top_of_everything() -> None:
    result = made(replace(PLAIN, standing_charge=20.0, tax=0.09), even(100.0))
    assert amounts(result) == {"standing": 20.0, "energy.commodity": 500.0, "tax": 46.80}


def test_standing_charge_minimum_and_tax_that_change_in_the_month_go_by_their_days() -> None:
    old = replace(PLAIN, standing_charge=31.0, minimum_charge=3100.0, tax=0.13)
    new = replace(PLAIN, standing_charge=62.0, minimum_charge=6200.0, tax=0.09)
    since = (date(2020, 1, 1), date(2026, 3, 11))
    result = bill(contract(old, new, since=since), MARCH, even(310.0), zone=SHANGHAI)
    assert [(x.code, x.amount_cents) for x in result.lines] == [
        ("standing", 1000), ("standing", 4200), ("energy.commodity", 50_000), ("energy.commodity", 105_000),
        ("minimum", 520_000 - 160_200), ("tax", 6630), ("tax", 42_210),
    ]  # fmt: skip


# -- days that a band holds on


def test_bands_on_holidays_of_a_year_without_a_calendar_are_told() -> None:
    deep = TariffBand("deep", 0.1, 600, 840, ALL_MONTHS, frozenset({"national_day"}))
    tariff = Tariff("electricity", 0.7, "kWh", (deep,))
    october = date(2049, 10, 1)
    result = bill(contract(tariff), october, even(100.0, october), zone=SHANGHAI)
    assert codes(result) == ["holidays-unknown"]


def test_hot_days_that_are_not_known_are_told_and_none_is_counted() -> None:
    hot = TariffBand("sharp", 1.5, 600, 840, ALL_MONTHS, frozenset({"hot"}))
    tariff = Tariff("electricity", 0.7, "kWh", (hot,))
    assert codes(made(tariff, even(100.0))) == ["hot-days-unknown"]
    known = made(tariff, even(3100.0), hot_days={date(2026, 3, d): d == 3 for d in range(1, 32)})
    assert (codes(known), amounts(known)["energy.sharp"]) == ([], 25.0)  # 4 h of one day, 100 kWh a day
    in_part = made(tariff, even(3100.0), hot_days={date(2026, 3, 3): True})
    assert (codes(in_part), amounts(in_part)["energy.sharp"]) == (["hot-days-unknown"], 25.0)
    assert "whether 30 days were hot" in in_part.problems[0].text.en


# -- the bill as a whole


def test_a_bill_is_told_in_both_languages_and_as_json() -> None:
    result = made(TWO_PART, with_peak(74_400.0, 812.5), reactive=even(484.3 * 74.4), capacity_kva=2000.0)
    chinese, english = result.to_text("zh"), result.to_text("en")
    assert "基本电费（按实际最大需量）" in chinese
    assert "上网购电费（高峰）" in chinese
    assert "Energy purchase, peak" in english
    assert english.splitlines()[-1].startswith("Total")
    told = json.loads(json.dumps(result.to_json()))
    assert told["total_cents"] == sum(x["amount_cents"] for x in told["lines"])
    assert told["month"] == "2026-03"


def test_every_problem_has_its_words_in_both_languages() -> None:
    facts = {
        "place": "tariffs 'a'", "month": "2026-03", "share": 0.1, "start": "a", "last": "b", "first": "c",
        "component": "x", "counted": "m³", "unit": "t", "year": 2026, "kw": 1.0, "capacity": 2.0, "days": 3,
        "registers": "m/r",
    }  # fmt: skip
    for code in CODES:
        text = problem(code, **facts).text
        assert text.zh != text.en
        assert "{" not in text.zh + text.en


def test_clocks_that_are_changed_neither_lose_nor_double_an_hour() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    tariff = Tariff("electricity", 0.3, "kWh", (TariffBand("valley", 0.2, 22 * 60, 6 * 60, ALL_MONTHS),))
    start, end = month_bounds_us(MARCH, berlin)
    steps = (end - start) // STEP_US
    use = Intervals(start, np.ones(steps), np.zeros(steps, dtype=np.int8))
    result = bill(Contract("e", "electricity", Names(zh="电", en="E"), (), (date(2020, 1, 1),), (tariff,)),
                  MARCH, use, zone=berlin)  # fmt: skip
    told = {x.code: x.quantity for x in result.lines}
    assert sum(told.values()) == steps == 31 * 96 - 4
    assert told["energy.valley"] == 31 * 32 - 4  # the hour that is skipped lies in the night


steps_ = st.lists(st.one_of(st.none(), st.floats(0, 500).map(lambda x: round(x, 2))), min_size=96, max_size=96)


@given(steps_, st.floats(0.01, 2.0), st.floats(0.01, 2.0))
def test_lines_add_up_and_no_known_kilowatt_hour_is_lost(
    day: list[float | None], purchase: float, transmission: float
) -> None:
    used = np.array([np.nan if x is None else x for x in day * 31])
    grade = np.where(np.isnan(used), MISSING, 0).astype(np.int8)
    tariff = replace(
        TWO_PART, power_factor_target=None, basic=None,
        components=(replace(PURCHASE, price=purchase), replace(TRANSMISSION, price=transmission)),
    )  # fmt: skip
    result = made(tariff, Intervals(month_bounds_us(MARCH, SHANGHAI)[0], used, grade))
    for part in ("energy.purchase", "energy.transmission"):
        charged = sum(x.quantity for x in result.lines if x.code.startswith(part))
        assert charged == pytest.approx(np.nansum(used), abs=0.002)
    assert result.total_cents == sum(x.amount_cents for x in result.lines)
