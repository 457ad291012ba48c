"""What a month's energy emitted, and what it is in standard coal."""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from analytics.energy.bought_energy import Amount, bought_amounts
from analytics.energy.carbon import carbon
from analytics.energy.intervals import Total
from analytics.energy.standard_coal import standard_coal
from facility.factor_library import CarbonSettings, Factor, load_factors
from tests.analytics.energy.supply import hospital, meter

CASES: Any = yaml.safe_load((Path(__file__).parents[2] / "cases" / "carbon_and_coal.yaml").read_text("utf-8"))
LIBRARY = load_factors()
MONTH = CASES["mixed_month"]
MARCH = date(2026, 3, 1), date(2026, 3, 31)
IN_2023 = date(MONTH["year"], 1, 1)
AMOUNTS = {k: Amount(a["amount"], a["unit"]) for k, a in MONTH["amounts"].items()}


def carbon_factor(energy: str) -> float:
    factor = LIBRARY.energies[energy].carbon
    assert factor is not None
    return factor.value


@pytest.mark.parametrize("row", CASES["guideline"]["rows"], ids=lambda r: r["energy"])
def test_a_fuels_factor_follows_from_its_heating_value_and_carbon(row: dict[str, Any]) -> None:
    worked = row["heat"] / 1000 * row["carbon"] * row["oxidation"] * 44 / 12
    assert carbon_factor(row["energy"]) == pytest.approx(worked, abs=0.0006)
    assert carbon_factor(row["energy"]) == row["factor"]


@pytest.mark.parametrize("row", CASES["ipcc"]["rows"], ids=lambda r: r["energy"])
def test_a_fuels_factor_agrees_with_the_ipccs_default(row: dict[str, Any]) -> None:
    default = row["heat"] / 1000 * row["per_gj"]
    assert carbon_factor(row["energy"]) == pytest.approx(default, rel=CASES["ipcc"]["tolerance"])
    assert carbon_factor(row["energy"]) < default


@pytest.mark.parametrize("row", CASES["coal_equivalent"]["rows"], ids=lambda r: r["energy"])
def test_standard_coal_follows_from_the_heating_value(row: dict[str, Any]) -> None:
    electric = row["energy"] == "electricity"
    factor = LIBRARY.electricity_coal if electric else LIBRARY.energies[row["energy"]].coal
    assert factor.value == row["factor"]
    assert factor.value == pytest.approx(row["heat"] / 29307.6, rel=CASES["coal_equivalent"]["tolerance"])


@pytest.mark.parametrize("row", CASES["announced"]["rows"], ids=lambda r: f"{r['grid']}-{r['year']}")
def test_electricity_takes_the_announced_factor(row: dict[str, Any]) -> None:
    found = carbon(date(row["year"], 7, 1), {"electricity": Amount(1000, "kWh")}, CarbonSettings(row["grid"]))
    assert found.kg == pytest.approx(1000 * row["factor"])
    assert found.notes == ()


def test_a_month_of_mixed_fuels_in_carbon() -> None:
    found = carbon(IN_2023, AMOUNTS)
    assert {r.energy: r.kg for r in found.rows} == pytest.approx(MONTH["carbon_kg"])
    assert found.scope(1) == pytest.approx(MONTH["scope1_kg"])
    assert found.scope(2) == pytest.approx(MONTH["scope2_kg"])
    assert found.kg == pytest.approx(MONTH["scope1_kg"] + MONTH["scope2_kg"])
    assert math.fsum(r.kg for r in found.rows) == pytest.approx(found.kg, abs=1e-9)


def test_a_month_of_mixed_fuels_in_standard_coal() -> None:
    found = standard_coal(IN_2023, AMOUNTS)
    for row in found.rows:
        assert [row.calorific, row.equivalent] == pytest.approx(MONTH["coal_kgce"][row.energy], abs=0.001)
    assert found.calorific == pytest.approx(MONTH["calorific_kgce"], abs=0.001)
    assert found.equivalent == pytest.approx(MONTH["equivalent_kgce"], abs=0.001)


def test_water_is_told_but_counts_neither_as_energy_nor_as_carbon() -> None:
    coal = standard_coal(IN_2023, {"water": Amount(100, "m³")})
    assert [(r.counted, r.calorific) for r in coal.rows] == [(False, pytest.approx(25.71))]
    assert coal.calorific == 0
    assert carbon(IN_2023, {"water": Amount(100, "m³")}).rows == ()


@pytest.mark.parametrize(("year", "taken"), [(2020, 2021), (2023, 2023), (2026, 2023)])
def test_the_latest_published_year_stands_in_for_one_that_is_not(year: int, taken: int) -> None:
    found = carbon(date(year, 6, 1), {"electricity": Amount(1, "kWh")})
    assert found.rows[0].factor.year == taken
    assert [n.code for n in found.notes] == ([] if year == taken else ["factor-of-another-year"])


def test_a_site_may_take_its_own_factors() -> None:
    own = CarbonSettings(
        electricity_factor=Factor(0.2, "supplier's declaration 2025", 2025),
        electricity_coal=Factor(0.31, "DB37/T 2673-2019"),
        gas_coal=Factor(1.33, "GB/T 2589-2020, upper end"),
    )
    amounts = {"electricity": Amount(1000, "kWh"), "natural_gas": Amount(100, "Nm³")}
    assert carbon(date(2026, 1, 1), amounts, own).rows[0].kg == 200
    assert carbon(date(2026, 1, 1), amounts, own).notes == ()
    coal = standard_coal(date(2026, 1, 1), amounts, own)
    assert coal.equivalent == pytest.approx(310 + 133)
    assert coal.calorific == pytest.approx(122.9 + 133)


@pytest.mark.parametrize(
    ("amounts", "code"),
    [
        ({"electricity": Amount(math.nan, "kWh", 1.0)}, "amount-unknown"),
        ({"electricity": Amount(10, "m³")}, "unit-does-not-fit"),
        ({"peat": Amount(10, "kg")}, "energy-unknown"),
        ({"electricity": Amount(10, "kWh", 0.2)}, "amount-incomplete"),
    ],
)
def test_what_cannot_be_counted_is_told_and_the_rest_is(amounts: dict[str, Amount], code: str) -> None:
    gas = {"natural_gas": Amount(100, "Nm³")}
    for found in (carbon(IN_2023, amounts | gas), standard_coal(IN_2023, amounts | gas)):
        assert code in [n.code for n in found.notes]
        assert "natural_gas" in [r.energy for r in found.rows]


def test_other_units_of_the_same_kind_are_converted() -> None:
    assert carbon(IN_2023, {"electricity": Amount(1, "MWh")}).kg == pytest.approx(530.6)
    assert carbon(IN_2023, {"heat": Amount(1000, "kWh")}).kg == pytest.approx(3.6 * 110)
    assert carbon(IN_2023, {"diesel": Amount(1, "t")}).kg == pytest.approx(3096)


def test_only_what_was_bought_counts() -> None:
    machines = [
        meter("main"),
        meter("a", fed_by=["main"]),
        meter("g", "gas_meter"),
        meter("b1", "gas_steam_boiler", fed_by=["g"]),
        meter("sm", "steam_meter", fed_by=["b1"]),
    ]
    found = hospital(machines)
    totals = {key: Total(1000.0, 1.0, 0.0, 0.0) for key in found.registers}
    assert {k: a.amount for k, a in bought_amounts(found.site, found.registers, totals, *MARCH).items()} == {
        "electricity": 1000.0,
        "natural_gas": 1000.0,
    }


def test_a_supply_of_which_one_meter_is_unknown_is_at_least_what_the_other_counted() -> None:
    found = hospital([meter("m1"), meter("m2")])
    totals = {"m1/energy_import": Total(10.0, 1.0, 0.0, 0.0)}
    amount = bought_amounts(found.site, found.registers, totals, *MARCH)["electricity"]
    assert (amount.amount, amount.missing) == (10.0, 0.5)


def test_a_meter_of_supply_that_was_not_there_yet_misses_nothing() -> None:
    found = hospital([meter("m1"), meter("m2", since=date(2026, 4, 1))])
    totals = {"m1/energy_import": Total(10.0, 1.0, 0.0, 0.0), "m2/energy_import": Total(math.nan, 0.0, 0.0, 1.0)}
    amount = bought_amounts(found.site, found.registers, totals, *MARCH)["electricity"]
    assert (amount.amount, amount.missing) == (10.0, 0.0)


def test_it_can_be_kept_as_json() -> None:
    data = carbon(IN_2023, AMOUNTS).to_json()
    assert data["rows"][0]["factor"]["year"] == 2023
    assert data["scope1_kg"] == pytest.approx(MONTH["scope1_kg"])
    assert standard_coal(IN_2023, AMOUNTS).to_json()["rows"][-1]["counted"] is False
