"""The bill of a contract of a site, from its registers: who bills what, in which unit, and what comes with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from analytics.energy.bill_lines import Bill
from analytics.energy.contract_bill import contract_bill, contract_figures
from analytics.energy.intervals import MEASURED, STEP_US, Intervals
from facility.calendar import at_us
from facility.metering import booked_registers
from facility.site import Site
from facility.site_file import load_site
from tests.analytics.energy.tariffs import SHANGHAI, amounts, codes

MARCH, APRIL = date(2026, 3, 1), date(2026, 4, 1)
TEXT = """\
site: {id: riverside, name: {zh: 滨江医院, en: Riverside Hospital}}
rooms:
  - {id: power-1, kind: power_room, name: {zh: 一号配电房, en: Power room 1}}
equipment:
  - {id: grid-a, class: hv_incomer, room: power-1}
  - {id: grid-b, class: hv_incomer, room: power-1}
  - {id: tx1, class: dry_type_transformer, room: power-1, rating: {power: 1600 kVA}, fed_by: [grid-a]}
  - {id: w1, class: water_meter, room: power-1}
tariffs:
  - {id: main, carrier: electricity, from: 2026-01-01, unit: kWh, price: 0.5, demand_price: 40, capacity_price: 25, power_factor_target: 0.9, source: bill}
  - {id: second, carrier: electricity, meters: [grid-b], from: 2026-01-01, unit: MWh, price: 600, source: bill}
  - {carrier: water, from: 2026-01-01, unit: kWh, price: 5, source: a mistake}
  - {carrier: steam, from: 2026-01-01, unit: t, price: 250, source: what it would cost}
"""  # noqa: E501


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "site.yaml").write_text(TEXT, encoding="utf-8")
    return load_site(tmp_path / "site.yaml")


def read(keys: Sequence[str], start_us: int, end_us: int) -> Mapping[str, Intervals]:
    """Return 100 units in each step of imports, 40 of reactive import, none of export."""
    n = (end_us - start_us) // STEP_US
    per_step = {k: 40.0 if "reactive" in k else 100.0 for k in keys}
    per_step |= {k: 0.0 for k in keys if "export" in k}
    return {k: Intervals(start_us, np.full(n, v), np.full(n, MEASURED, dtype=np.int8)) for k, v in per_step.items()}


def made(site: Site, contract: str, end: date = APRIL) -> Bill:
    result = contract_bill(site, site.contracts[contract], booked_registers(site), MARCH, end, read)
    assert result is not None
    return result


def test_each_contract_bills_its_meters_and_none_those_of_another(site: Site) -> None:
    kwh = 31 * 96 * 100.0
    assert (made(site, "main").used, made(site, "second").used) == (kwh, kwh)
    assert amounts(made(site, "second"))["energy"] == round(kwh * 0.6, 2)


def test_the_transformers_behind_the_meters_and_their_reactive_energy_count(site: Site) -> None:
    result = made(site, "main")
    assert result.power_factor == 0.93
    assert result.peak_kw == 400.0
    assert codes(result) == []  # the capacity is that of tx1


CANTEEN = """\
  - {id: em-canteen, class: electricity_meter, room: power-1, fed_by: [tx1]}
  - {id: em-fridge, class: electricity_meter, room: power-1, fed_by: [em-canteen]}
"""
DEDUCTED = """\
  - {id: canteen, carrier: electricity, meters: [em-canteen], from: 2026-01-01, unit: kWh, price: 0.7, source: bill}
"""


def test_what_a_contract_below_another_bills_is_taken_off_that(tmp_path: Path) -> None:
    text = TEXT.replace("tariffs:\n", CANTEEN + "tariffs:\n") + DEDUCTED
    (tmp_path / "site.yaml").write_text(text, encoding="utf-8")
    below = load_site(tmp_path / "site.yaml")
    kwh = 31 * 96 * 100.0

    def half(keys: Sequence[str], start_us: int, end_us: int) -> Mapping[str, Intervals]:
        return {k: i.scaled(0.4 if "canteen" in k else 1.0) for k, i in read(keys, start_us, end_us).items()}

    bills = {
        name: contract_bill(below, below.contracts[name], booked_registers(below), MARCH, APRIL, half)
        for name in ("main", "canteen")
    }
    assert {name: made.used for name, made in bills.items() if made} == {"main": 0.6 * kwh, "canteen": 0.4 * kwh}
    # Demand and power factor are those of the whole supply.
    assert bills["main"] is not None
    assert (bills["main"].peak_kw, bills["main"].power_factor) == (400.0, 0.93)


def test_nothing_went_through_a_meter_that_was_not_there_yet(tmp_path: Path) -> None:
    text = TEXT.replace("meters: [grid-b]", "meters: [grid-a, grid-b]").replace(
        "{id: grid-b, class: hv_incomer,", "{id: grid-b, class: hv_incomer, since: 2026-03-11,"
    )
    (tmp_path / "site.yaml").write_text(text, encoding="utf-8")
    later = load_site(tmp_path / "site.yaml")

    def since_then(keys: Sequence[str], start_us: int, end_us: int) -> Mapping[str, Intervals]:
        found = read(keys, start_us, end_us)
        begin = at_us(date(2026, 3, 11), 0, SHANGHAI)
        return {k: i.window(begin, end_us).window(start_us, end_us) if "grid-b" in k else i for k, i in found.items()}

    result = contract_bill(later, later.contracts["second"], booked_registers(later), MARCH, APRIL, since_then)
    assert result is not None
    assert (result.missing, result.used) == (0.0, (31 + 21) * 96 * 100.0)


def test_a_register_of_reactive_energy_that_tells_nothing_is_named(site: Site) -> None:
    def without_export(keys: Sequence[str], start_us: int, end_us: int) -> Mapping[str, Intervals]:
        found = read(keys, start_us, end_us)
        return {
            k: Intervals.missing(start_us, end_us) if "reactive_energy_export" in k else i for k, i in found.items()
        }

    result = contract_bill(site, site.contracts["main"], booked_registers(site), MARCH, APRIL, without_export)
    assert result is not None
    (told,) = result.problems
    assert told.text.en == (
        "tariffs 'main': nothing is known of grid-a/reactive_energy_export, so there is no power-factor adjustment; "
        "connect it, or write absent: true at the point if the meter has no such register"
    )


def test_a_unit_that_the_meters_do_not_count_is_told_on_the_bill(site: Site) -> None:
    result = made(site, "water")
    assert (result.lines, codes(result)) == ((), ["unit"])


def test_a_tariff_of_what_nobody_buys_has_no_bill(site: Site) -> None:
    assert contract_bill(site, site.contracts["steam"], booked_registers(site), MARCH, APRIL, read) is None


def test_the_ways_of_the_basic_charge_are_compared_over_the_months_that_are_known(site: Site) -> None:
    past = [{"peak_kw": 500.0, "used": 2e5}, {"peak_kw": None, "used": None}]
    figures = contract_figures(
        site, site.contracts["main"], booked_registers(site), made(site, "main"), past, read
    )  # fmt: skip
    choice = figures["basic_charge"]
    assert (choice["months"], choice["now"], choice["cheapest"]) == (2, "demand", "demand")
    assert choice["cents"]["capacity"] == 2 * 1600 * 25 * 100
    assert choice["cents"]["demand"] == 900 * 40 * 100
    assert "peak_forecast" not in figures


def test_a_contract_by_capacity_learns_what_demand_would_cost(tmp_path: Path) -> None:
    text = TEXT.replace("capacity_price: 25,", "capacity_price: 25, basic_charge: capacity,")
    (tmp_path / "site.yaml").write_text(text, encoding="utf-8")
    by_capacity = load_site(tmp_path / "site.yaml")
    own = made(by_capacity, "main")
    figures = contract_figures(by_capacity, by_capacity.contracts["main"], booked_registers(by_capacity), own, (), read)
    choice = figures["basic_charge"]
    assert (choice["now"], choice["cheapest"]) == ("capacity", "demand")
    assert choice["saving_cents"] > 0


def test_a_running_month_has_an_outlook_on_its_peak(site: Site) -> None:
    running = made(site, "main", date(2026, 3, 11))
    now_us = at_us(date(2026, 3, 11), 9 * 60, SHANGHAI)
    figures = contract_figures(
        site, site.contracts["main"], booked_registers(site), running, (), read, now_us
    )  # fmt: skip
    assert figures["provisional"]
    assert figures["peak_forecast"]["kw"] == pytest.approx(400.0)
    assert figures["peak_forecast"]["so_far_kw"] == 400.0


def test_a_contract_without_a_basic_charge_compares_nothing(site: Site) -> None:
    figures = contract_figures(
        site, site.contracts["second"], booked_registers(site), made(site, "second"), (), read
    )  # fmt: skip
    assert "basic_charge" not in figures
    assert figures["headline"] == {"value": made(site, "second").total_cents / 100, "unit": "CNY"}
