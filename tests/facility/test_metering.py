"""Which registers of a site are booked, and through which of them a carrier comes in."""

from __future__ import annotations

from pathlib import Path

from facility.metering import BOUGHT, CARRIER_NAMES, booked_registers, of_carrier, points_of_supply
from facility.site_file import load_site
from facility.tariff_file import CARRIERS

SITE = load_site(Path(__file__).parents[2] / "examples" / "hospital")
REGISTERS = booked_registers(SITE)


def test_every_counter_with_a_carrier_is_booked_in_its_own_unit() -> None:
    assert REGISTERS["hv1/energy_import"].carrier == "electricity"
    assert REGISTERS["w-main1/volume_total"].register.digits == 7
    assert REGISTERS["b1/steam_total"].flow == "out"
    assert "pump-chw1/run_hours" not in REGISTERS


def test_a_carrier_comes_in_where_none_of_its_registers_stands_above() -> None:
    supply = {c: [r.key for r in points_of_supply(SITE, REGISTERS, c)] for c in ("electricity", "gas", "water")}
    assert supply["electricity"] == ["hv1/energy_import", "hv2/energy_import"]
    assert supply["gas"] == ["g-main/volume_total"]
    assert supply["water"][:2] == ["w-main1/volume_total", "w-main2/volume_total"]


def test_all_that_is_bought_can_have_a_tariff_and_a_name() -> None:
    assert set(BOUGHT) == set(CARRIERS)
    assert set(BOUGHT) <= CARRIER_NAMES.keys()
    assert all(r.carrier in CARRIER_NAMES for r in of_carrier(REGISTERS.values(), "electricity"))
