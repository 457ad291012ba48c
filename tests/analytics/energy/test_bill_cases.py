"""Bills of others, line by line: figures from outside the project, in tests/cases/."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import numpy as np
import pytest

from analytics.energy.basic_charge import basic_lines, cheaper_basic_charge, earns_load_rate
from analytics.energy.bill import bill
from analytics.energy.bill_lines import cents
from analytics.energy.demand import Peak
from analytics.energy.intervals import Intervals
from analytics.energy.tiers import tiered
from facility.calendar import at_us
from facility.tariff import bands_at, price_in, unit_prices
from facility.tariff_library import library_plan
from facility.tariff_model import COMPONENT_NAMES, Basic, Component, Tariff, Tiers, TierStep
from tests.analytics.energy.tariffs import SHANGHAI, amounts, case, codes, contract, even

OCTOBER = date(2025, 10, 1)
HUBEI = case("two_part_bill.yaml", "hubei_110_kv")
TABLE = case("two_part_bill.yaml", "hubei_price_table")
DEMAND = case("maximum_demand.yaml", "hubei_110_kv_2025")


def component(code: str, price: float, **more: Any) -> Component:
    return Component(code, COMPONENT_NAMES[code], price, **more)


def hubei(figures: dict[str, Any], transmission: float) -> Tariff:
    plan = library_plan("hubei")
    return Tariff(
        "electricity", 0.0, "kWh", plan.bands, power_factor_target=0.9, plan="hubei", ratios=plan.ratios,
        components=(
            component("purchase", figures["purchase"], floats=True),
            component("line_loss", figures["line_loss"], floats=True),
            component("transmission", transmission),
            component("system_operation", figures["system_operation"]),
            component("funds", figures["funds"], adjusted=False),
        ),
        basic=Basic("demand", demand_price=39.0),
    )  # fmt: skip


def spread(energy: dict[str, float], tariff: Tariff, month: date) -> Intervals:
    """Return a month with so much energy in each band."""
    use = even(1.0, month)
    entry = bands_at(tariff, use.begins_us, SHANGHAI)
    name = np.array([tariff.bands[i].name if i >= 0 else "flat" for i in entry])
    for band, kwh in energy.items():
        use.used[name == band] = kwh / np.count_nonzero(name == band)
    return use


def test_the_bill_of_a_two_part_customer_is_made_again_line_by_line() -> None:
    own = HUBEI["october"]
    tariff = hubei(own, own["transmission"])
    # The customer buys in the market at one price, so nothing floats with the bands of agency purchase.
    flat = Tariff(
        "electricity", 0.0, "kWh", power_factor_target=0.9, components=tuple(
            component(c.code, c.price or 0.0, adjusted=c.adjusted) for c in tariff.components
        ), basic=tariff.basic,
    )  # fmt: skip
    use = spread(own["energy"], tariff, OCTOBER)
    kwh = sum(own["energy"].values())
    reactive = use.scaled(math.tan(math.acos(own["power_factor"])))
    made = bill(
        contract(flat), OCTOBER, use, zone=SHANGHAI, reactive=reactive, peak=Peak(own["peak_kw"], use.start_us),
        capacity_kva=DEMAND["capacity_kva"],
    )  # fmt: skip
    lines = {x.code: x for x in made.lines}
    assert made.used == pytest.approx(kwh)
    assert made.power_factor == own["power_factor"]
    assert amounts(made)["basic.demand"] == own["basic_yuan"]
    assert lines["power_factor"].price == own["rate"]
    assert lines["power_factor"].quantity == pytest.approx(own["adjusted_yuan"], abs=own["tolerance_yuan"])
    assert amounts(made)["power_factor"] == pytest.approx(own["adjustment_yuan"], abs=0.02)
    assert amounts(made)["energy.funds"] == round(kwh * own["funds"], 2)
    assert codes(made) == []
    assert made.total_cents == sum(x.amount_cents for x in made.lines)


@pytest.mark.parametrize("row", HUBEI["months"], ids=lambda r: r[0])
def test_energy_basic_charge_and_adjustment_of_each_month_add_up_to_the_bill(row: list[Any]) -> None:
    _, _, energy, peak, basic, adjustment, total = row
    lines = basic_lines(
        Basic("demand", demand_price=HUBEI["demand_price"]), capacity_kva=DEMAND["capacity_kva"], peak_kw=peak,
        declared_kw=None, discount=False,
    )  # fmt: skip
    assert sum(x.amount_cents for x in lines) == round(basic * 100)
    # The printed parts of two months miss the printed total by a cent.
    assert round(energy * 100) + round(basic * 100) + round(adjustment * 100) == pytest.approx(
        round(total * 100), abs=1
    )


@pytest.mark.parametrize("row", TABLE["rows"], ids=lambda r: f"{r['kv']} kV")
def test_ratios_of_the_library_give_the_published_prices_of_each_band(row: dict[str, Any]) -> None:
    tariff = hubei(TABLE, row["transmission"])
    for name in ("sharp", "peak", "valley"):
        band = next(b for b in tariff.bands if b.name == name)
        assert price_in(tariff, band, 2026, 1) == pytest.approx(row[name], abs=1.5e-6)
    assert price_in(tariff, None, 2026, 1) == pytest.approx(row["flat"], abs=1e-9)


def test_hours_of_the_library_give_those_prices_at_their_times() -> None:
    row = TABLE["rows"][1]
    tariff = hubei(TABLE, row["transmission"])
    hours = np.array([at_us(date(2026, 1, 5), h * 60, SHANGHAI) for h in (3, 8, 12, 17, 18, 20)])
    expected = [row[n] for n in ("valley", "flat", "valley", "peak", "sharp", "peak")]
    assert unit_prices(tariff, hours, SHANGHAI).tolist() == pytest.approx(expected, abs=1.5e-6)


def test_a_commercial_bill_with_a_fuel_adjustment_below_zero() -> None:
    own = case("two_part_bill.yaml", "commercial_service")
    tariff = Tariff(
        "electricity", 0.0, "kWh", standing_charge=own["customer"],
        components=(component("energy", own["energy"]["price"]), component("other", own["adjustment"]["price"])),
    )  # fmt: skip
    made = bill(contract(tariff), date(2026, 6, 1), even(own["energy_kwh"], date(2026, 6, 1)), zone=SHANGHAI)
    assert amounts(made) == {
        "standing": own["customer"], "energy": own["energy"]["amount"], "energy.other": own["adjustment"]["amount"],
    }  # fmt: skip


# -- maximum demand


def test_a_year_of_maximum_demand_costs_what_was_billed_and_less_than_by_capacity() -> None:
    own = DEMAND
    choice = cheaper_basic_charge(
        own["peaks_kw"], own["capacity_kva"], capacity_price=own["capacity_price"], demand_price=own["demand_price"],
        energy_kwh=own["energy_kwh"], now="demand",
    )  # fmt: skip
    assert choice is not None
    assert choice.cost_cents["demand"] == round(own["demand_yuan"] * 100)
    assert choice.cost_cents["capacity"] == round(12 * own["capacity_kva"] * own["capacity_price"] * 100)
    assert (choice.cheapest, choice.saving_cents) == ("demand", 0)


@pytest.mark.parametrize("month", [9, 10])
def test_the_load_rate_is_that_of_the_bill_and_earns_no_discount(month: int) -> None:
    energy = DEMAND["energy_kwh"][month - 1]
    assert int(energy / DEMAND["capacity_kva"]) == DEMAND["kwh_a_kva"][month]
    assert not earns_load_rate(energy, DEMAND["capacity_kva"])


@pytest.mark.parametrize("row", case("maximum_demand.yaml", "above_contract")["rows"])
def test_what_exceeds_105_percent_of_the_declared_demand_costs_twice(row: dict[str, float]) -> None:
    basic = Basic("contract_demand", demand_price=row["price"])
    lines = basic_lines(
        basic, capacity_kva=None, peak_kw=row["peak"], declared_kw=row["declared"], discount=False
    )  # fmt: skip
    told = {x.code: x.amount_cents / 100 for x in lines}
    assert told["basic.contract_demand"] == row["declared_yuan"]
    assert told.get("basic.excess", 0.0) == row["excess_yuan"]


def test_capacity_and_demand_cost_the_same_at_the_ratio_of_their_prices() -> None:
    own = case("maximum_demand.yaml", "break_even")
    choice = cheaper_basic_charge(
        [600.0], own["capacity_kva"], capacity_price=own["capacity_price"], demand_price=own["demand_price"]
    )
    assert choice is not None
    assert choice.break_even_kw == pytest.approx(own["break_even_kw"], abs=0.01)


# -- tiers


def test_tiers_of_water_cost_what_the_city_says() -> None:
    own = case("tiered_prices.yaml", "beijing_water")
    steps = (*map(TierStep, own["ends"], own["water"][:2]), TierStep(None, own["water"][2]))
    tariff = Tariff(
        "water", own["water"][0], "m³", tiers=Tiers("year", steps),
        components=(component("resource_fee", own["resource_fee"]), component("sewage", own["sewage"])),
    )  # fmt: skip
    january = date(2026, 1, 1)
    made = bill(contract(tariff), january, even(300.0, january), zone=SHANGHAI)
    first, second, third = own["whole"]
    assert made.total_cents == 100 * (180 * first + 80 * second + 40 * third)


def test_blocks_of_a_sewer_charge_add_up() -> None:
    own = case("tiered_prices.yaml", "sewer")
    steps = (*map(TierStep, own["ends"], own["prices"][:2]), TierStep(None, own["prices"][2]))
    parts = tiered(Tiers("month", steps), 0.0, own["amount"])
    assert sum(cents(quantity, step.price) for step, quantity in parts) == round(own["total"] * 100)
