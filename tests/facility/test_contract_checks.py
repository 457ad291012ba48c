"""What of the contracts does not fit the meters is told when the site is checked, and stops nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from facility.contract_checks import contract_notes
from facility.equipment_classes import METER_REGISTERS, load_library
from facility.factor_library import load_factors
from facility.metering import BOUGHT
from facility.site import Site
from facility.site_file import load_site
from facility.units import conversion

HEAD = """\
site: {id: riverside, name: {zh: 滨江医院, en: Riverside Hospital}}
sizes: [{from: 2025-01-01, floor_area: 1000 m², beds: 10}]
equipment:
  - {id: grid-a, class: hv_incomer}
  - {id: grid-b, class: hv_incomer}
  - {id: em-1, class: electricity_meter, fed_by: [grid-a]}
  - {id: w1, class: water_meter}
  - {id: g1, class: gas_meter}
tariffs:
"""
Load = Callable[[str], Site]


@pytest.fixture
def site_of(tmp_path: Path) -> Load:
    def load(tariffs: str) -> Site:
        (tmp_path / "site.yaml").write_text(f"{HEAD}{tariffs}", encoding="utf-8")
        return load_site(tmp_path / "site.yaml")

    return load


def entry(carrier: str, unit: str, more: str = "", since: str = "2025-01-01") -> str:
    return f"  - {{carrier: {carrier}, from: {since}, unit: {unit}, price: 1, source: bill{more}}}\n"


@pytest.mark.parametrize(
    ("tariffs", "told"),
    [
        (entry("water", "kWh"),
         "tariffs[1] '2025-01-01'.unit: w1/volume_total counts m³, the price is for kWh, and the one does not become "
         "the other, so nothing would be charged; write unit: m³, with its price"),
        (entry("gas", "Nm³") + entry("gas", "m³", since="2026-01-01"),
         "tariffs[2] '2026-01-01'.unit: g1/volume_total counts Nm³, the price is for m³, and the one does not become "
         "the other, so nothing would be charged; write unit: Nm³, with its price"),
        (entry("electricity", "kWh", ", meters: [grid-a]"),
         "tariffs[1] '2025-01-01'.meters: electricity comes in through grid-b, and no contract bills it; add it to the "
         "meters, or give it a contract of its own (with price: 0 if it costs nothing)"),
        (entry("electricity", "kWh", ", meters: [grid-a, grid-b, em-1]"),
         "tariffs[1] '2025-01-01'.meters: em-1 hangs below grid-a, which counts its energy already, so it is not "
         "billed again; take one out"),
    ],
    ids=["unit", "unit of a later price", "supply that nobody bills", "billed twice"],
)  # fmt: skip
def test_a_contract_that_does_not_fit_its_meters_is_told_with_its_line(site_of: Load, tariffs: str, told: str) -> None:
    (problem,) = site_of(tariffs).left_out
    assert (f"{problem.place}: {problem.message}", problem.line) == (told, tariffs.count("\n") + 9)
    assert problem.zh


def test_other_meters_from_a_later_day_are_told_since_they_hold_for_all_days(site_of: Load) -> None:
    later = entry("electricity", "kWh", ", meters: [grid-a, grid-b]", since="2026-01-01")
    (problem,) = site_of(entry("electricity", "kWh", ", meters: [grid-a]") + later).left_out
    assert (problem.line, problem.place) == (11, "tariffs[2] '2026-01-01'.meters")
    assert "give a meter that came later its since" in problem.message
    assert site_of(entry("electricity", "kWh") + later).left_out == ()


def test_units_that_become_each_other_fit(site_of: Load) -> None:
    assert site_of(entry("electricity", "MWh") + entry("water", "L") + entry("steam", "kWh")).left_out == ()


def test_days_without_a_price_and_hours_before_their_plan_are_noted(site_of: Load) -> None:
    plan = ", time_of_use: anhui"
    notes = contract_notes(site_of(entry("electricity", "kWh", plan) + entry("water", "m³", since="2026-01-01")))
    assert notes == [
        "Contract electricity takes the hours of anhui from 2025-01-01, but they hold from 2025-07-01; give the days "
        "before their own bands.",
        "No price before 2026-01-01 for water, and the site is written down since 2025-01-01; if there are readings of "
        "that time, add entries with from: 2025-01-01.",
    ]


def test_what_meters_of_supply_count_meets_a_factor_for_carbon_and_coal() -> None:
    energies, classes = load_factors().energies, load_library().classes
    wanted = {"electricity": "kWh", "gas": energies["natural_gas"].unit, "steam": "t"}
    for name, point in METER_REGISTERS.items():
        spec = classes[name].points[point]
        if spec.carrier in BOUGHT:
            unit = wanted.get(spec.carrier) or energies[spec.carrier].unit
            assert conversion(spec.unit, unit)[1] == 0.0
