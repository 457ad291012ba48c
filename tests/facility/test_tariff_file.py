"""The section `tariffs` becomes contracts, or a list of every mistake with its place and its mend."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from facility.contracts import billed_registers, capacity_kva, reactive_registers
from facility.errors import ConfigurationError
from facility.metering import booked_registers
from facility.site import Site
from facility.site_file import load_site

HEAD = """\
site: {id: riverside, name: {zh: 滨江医院, en: Riverside Hospital}}
rooms:
  - {id: power-1, kind: power_room, name: {zh: 一号配电房, en: Power room 1}}
equipment:
  - {id: grid-a, class: hv_incomer, room: power-1}
  - {id: grid-b, class: hv_incomer, room: power-1}
  - {id: tx1, class: dry_type_transformer, room: power-1, rating: {power: 1600 kVA}, fed_by: [grid-a]}
  - {id: tx2, class: dry_type_transformer, room: power-1, rating: {power: 1000 kVA}, fed_by: [grid-b]}
  - {id: w1, class: water_meter, room: power-1}
"""
Load = Callable[[str], Site]
Told = Callable[[str], list[str]]


@pytest.fixture
def site_of(tmp_path: Path) -> Load:
    def load(tariffs: str) -> Site:
        (tmp_path / "site.yaml").write_text(f"{HEAD}tariffs:\n{tariffs}", encoding="utf-8")
        return load_site(tmp_path / "site.yaml")

    return load


@pytest.fixture
def told(site_of: Load) -> Told:
    """Return the problems of some tariffs: place and message, without file and line."""

    def problems(tariffs: str) -> list[str]:
        with pytest.raises(ConfigurationError) as error:
            site_of(tariffs)
        return [f"{p.place}: {p.message}" for p in error.value.problems]

    return problems


ENTRY = "  - {{id: {id}, carrier: electricity, from: 2026-01-01, unit: kWh, price: 0.7, source: contract 12{more}}}\n"


def entry(id_: str = "main", more: str = "") -> str:
    return ENTRY.format(id=id_, more=f", {more}" if more else "")


WHOLE = """\
  - id: main
    name: {zh: 一号合同, en: Contract 1}
    carrier: electricity
    meters: [grid-a]
    from: 2026-01-01
    unit: kWh
    time_of_use: shanghai-two-part
    components:
      - {code: purchase, prices: {2026-01: 0.4123, 2026-02: 0.3987}, floats: true}
      - {code: transmission, price: 0.15}
      - {code: funds, price: 0.03}
    power_factor_target: 0.90
    basic_charge: contract_demand
    demand_price: 40
    capacity_price: 25
    capacity: 6300 kVA
    contract_demand: {2026-01: 4000 kW, 2026-02: 4.2 MW}
    source: contract 2026-7
"""


def test_a_contract_is_read_whole(site_of: Load) -> None:
    contract = site_of(WHOLE).contracts["main"]
    tariff = contract.tariffs[0]
    assert (contract.name.en, contract.meters) == ("Contract 1", ("grid-a",))
    assert (tariff.plan, tariff.power_factor_target) == ("shanghai-two-part", 0.90)
    assert [c.code for c in tariff.components] == ["purchase", "transmission", "funds"]
    assert [c.adjusted for c in tariff.components] == [True, True, False]
    assert tariff.components[0].in_month(2026, 2) == 0.3987
    assert tariff.components[0].in_month(2026, 3) is None
    assert tariff.basic is not None
    assert (tariff.basic.by, tariff.basic.capacity_kva) == ("contract_demand", 6300.0)
    assert tariff.basic.declared_kw(2026, 2) == 4200.0
    assert tariff.basic.declared_kw(2026, 3) is None


def test_the_short_form_is_a_contract_too(site_of: Load) -> None:
    site = site_of("  - {carrier: water, from: 2026-01-01, price: 6.5, unit: m³, source: bill}\n")
    contract = site.contracts["water"]
    assert (contract.carrier, contract.meters, contract.name.zh) == ("water", (), "水")
    assert site.tariffs["water"].on(date(2026, 3, 1)).price == 6.5
    assert contract.on(date(2025, 12, 31)) is None


def test_entries_of_one_id_follow_each_other(site_of: Load) -> None:
    later = entry(more="meters: [grid-a]").replace("2026-01-01", "2026-05-01").replace("0.7", "0.8")
    contract = site_of(later + entry()).contracts["main"]
    assert contract.meters == ("grid-a",)
    prices = [t.price for d in (date(2026, 4, 30), date(2026, 5, 1)) if (t := contract.on(d))]
    assert prices == [0.7, 0.8]
    found = contract.segments(date(2026, 4, 1), date(2026, 6, 1))
    assert [(a, b) for a, b, _ in found] == [
        (date(2026, 4, 1), date(2026, 5, 1)), (date(2026, 5, 1), date(2026, 6, 1)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("more", "by"),
    [
        ("demand_price: 40", "demand"),
        ("capacity_price: 25", "capacity"),
        ("demand_price: 40, capacity_price: 25", "demand"),
        ("demand_price: 40, contract_demand: 900 kW", "contract_demand"),
        ("demand_price: 40, capacity_price: 25, basic_charge: capacity", "capacity"),
    ],
)
def test_the_basic_charge_follows_from_its_prices_unless_it_is_said(site_of: Load, more: str, by: str) -> None:
    basic = site_of(entry(more=more)).contracts["main"].tariffs[0].basic
    assert basic is not None
    assert basic.by == by


MAIN = "tariffs[1] 'main'"


@pytest.mark.parametrize(
    ("tariffs", "problem"),
    [
        (entry().replace("price: 0.7, ", ""), f"{MAIN}: the tariff has no price; give price, components or tiers"),
        (entry(more="components: [{code: funds, price: 0.03}]"),
         f"{MAIN}: price and components both say what a unit costs; keep one"),
        (entry(more="time_of_use: shanghai").replace("price: 0.7, ", "").replace(", time", ", price: 1, time"),
         f"{MAIN}: 'shanghai' is no plan of the library; did you mean 'shanxi'?; `wardwatt tariffs` lists them"),
        (entry(more="time_of_use: zhejiang"),
         f"{MAIN}: the ratios of 'zhejiang' are not in the library; give your own from 浙发改价格〔2024〕21号, such as "
         "ratios: [{peak: 1.6, valley: 0.4}]"),
        (entry(more="time_of_use: hubei, bands: [{name: peak, from: 08:00, to: 11:00}]"),
         f"{MAIN}: time_of_use and bands both say when which band holds; keep one"),
        (entry(more="bands: [{name: peak, from: 08:00, to: 11:00}]"),
         f"{MAIN}: there is a peak band in month 1, but no ratio for it; add it to ratios"),
        (entry(more="bands: [{name: peak, price: 1, from: 08:00, to: 11:00}], ratios: [{peak: 2}]"),
         f"{MAIN}: the bands have prices, and so cannot have ratios or components; take the prices out"),
        (entry(more="bands: [{name: peak, price: 1, from: 08:00, to: 25:00}]"),
         f"{MAIN}.bands[1] '08:00'.to: '25:00' is not a time of day; write it as '07:30'"),
        (entry(more="bands: [{name: peak, price: 1, from: 08:00, to: 11:10}]"),
         f"{MAIN}.bands[1] '08:00'.to: 11:10 lies within a quarter of an hour, and energy is booked by quarters; "
         "write a whole one, such as 08:15"),
        (entry(more="bands: [{name: peak, price: 1, from: 08:00, to: 11:00, days: [sundays]}]"),
         f"{MAIN}.bands[1] '08:00'.days: 'sundays' are no days known here; write workdays, rest_days, weekdays, "
         "holidays, hot, or a holiday such as labour_day"),
        (entry(more="resold: true"),
         f"{MAIN}: what is resold needs an id of its own and the meters of whoever buys it; add them"),
        (entry(more="basic_charge: demand"), f"{MAIN}: basic_charge: demand needs demand_price; add it"),
        (entry(more="basic_charge: contract_demand, demand_price: 40"),
         f"{MAIN}: basic_charge: contract_demand needs contract_demand; add it, such as '4000 kW'"),
        (entry(more="capacity: -5 kVA"),
         f"{MAIN}.capacity: '-5 kVA' is not above zero; write it such as '6300 kVA'"),
        (entry(more="power_factor_target: 0.95"),
         f"{MAIN}.power_factor_target: 0.95 is no power-factor target; the contract says 0.90, 0.85 or 0.80"),
        (entry(more="meters: [grid-c]"), f"{MAIN}.meters[1]: no equipment is called 'grid-c'; did you mean 'grid-b'?"),
        (entry(more="meters: [w1]"), f"{MAIN}.meters[1]: 'w1' counts no electricity; name a meter that does"),
        (entry(more="meters: [grid-a/energy_export]"),
         f"{MAIN}.meters[1]: 'energy_export' of 'grid-a' counts no electricity; did you mean 'energy_import'?"),
        (entry() + entry("other"),
         "tariffs[2] 'other'.meters: all points of supply are billed by contract 'main' already; give each contract "
         "its meters"),
        (entry(more="meters: [grid-a]") + entry("other", "meters: [grid-a]"),
         "tariffs[2] 'other'.meters: meter 'grid-a' is billed by contract 'main' already; give each contract "
         "its meters"),
        (entry() + entry().replace("2026-01-01", "2026-05-01").replace("electricity", "heat"),
         "tariffs[2] 'main'.carrier: contract 'main' is for electricity already; give this one another id"),
        (entry() + entry(), "tariffs[2] 'main': two values begin on 2026-01-01; give each a day of its own"),
    ],
)  # fmt: skip
def test_one_mistake_is_one_message(told: Told, tariffs: str, problem: str) -> None:
    assert told(tariffs) == [problem]


COMPONENTS = entry(more="components: [{}]").replace("price: 0.7, ", "")


@pytest.mark.parametrize(
    ("components", "problem"),
    [
        ("{code: purchase}", "purchase needs either price or prices (by month, such as {2026-03: 0.4123})"),
        ("{code: purchase, price: 1, prices: {2026-01: 1}}",
         "purchase needs either price or prices (by month, such as {2026-03: 0.4123})"),
        ("{code: purchase, prices: {2026-13: 1}}", "'2026-13' is no month of a year; write it as 2026-03"),
        ("{code: funds, price: 1}, {code: funds, price: 2}",
         "two components have one code; put them together, or call one of them other"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_component_is_told(told: Told, components: str, problem: str) -> None:
    found = told(COMPONENTS.replace("{}", components))
    assert len(found) == 1
    assert found[0].endswith(problem)


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ("{up_to: 100, price: 3}", "the last tier ends at 100; leave its up_to out, so that it holds for the rest"),
        ("{price: 3}, {price: 4}", "a tier before the last has no end; give it up_to: ..."),
        ("{up_to: 200, price: 3}, {up_to: 100, price: 4}, {price: 5}",
         "the ends of the tiers do not rise; write the smallest first"),
    ],
)  # fmt: skip
def test_tiers_rise_and_the_last_is_open(told: Told, steps: str, problem: str) -> None:
    tiers = f"tiers: {{period: year, steps: [{steps}]}}"
    tariff = f"  - {{carrier: gas, from: 2026-01-01, unit: Nm³, {tiers}, source: bill}}\n"
    assert [p.partition(": ")[2] for p in told(tariff)] == [problem]


PARTS = "components: [{code: purchase, price: 0.4}, {code: line_loss, price: 0.01%s}, {code: funds, price: 0.03}]"


@pytest.mark.parametrize(
    ("plan", "said", "floating"),
    [
        ("hubei", "", ["purchase", "line_loss"]),  # as the document says
        ("yunnan", "", ["purchase"]),
        ("hubei", ", floats: false", ["purchase"]),  # the site knows better
        ("yunnan", ", floats: true", ["purchase", "line_loss"]),
    ],
)
def test_what_floats_is_what_the_document_says_unless_the_site_does(
    site_of: Load, plan: str, said: str, floating: list[str]
) -> None:
    text = entry(more=f"time_of_use: {plan}, {PARTS % said}").replace("price: 0.7, ", "")
    tariff = site_of(text).contracts["main"].tariffs[0]
    assert [c.code for c in tariff.components if c.floats] == floating


def test_a_plan_that_does_not_say_what_floats_needs_the_site_to(told: Told) -> None:
    text = entry(more=f"time_of_use: shanghai-two-part, {PARTS % ''}").replace("price: 0.7, ", "")
    assert told(text) == [
        f"{MAIN}: no component floats, so the bands change nothing; mark those that do with floats: true"
    ]


# -- what a contract bills


def test_a_contract_without_meters_bills_the_points_of_supply_that_no_other_names(site_of: Load) -> None:
    site = site_of(entry() + entry("second", "meters: [grid-b]"))
    registers = booked_registers(site)
    billed = {c.id: [r.key for r in billed_registers(site, registers, c)] for c in site.contracts.values()}
    assert billed == {"main": ["grid-a/energy_import"], "second": ["grid-b/energy_import"]}


def test_what_stands_behind_the_meters_is_found(site_of: Load) -> None:
    site = site_of(entry())
    registers = booked_registers(site)
    billed = billed_registers(site, registers, site.contracts["main"])
    assert capacity_kva(site, billed) == 2600.0
    assert [r.key for r in reactive_registers(registers, billed)] == [
        "grid-a/reactive_energy_import", "grid-a/reactive_energy_export",
        "grid-b/reactive_energy_import", "grid-b/reactive_energy_export",
    ]  # fmt: skip
    assert capacity_kva(site, []) is None
