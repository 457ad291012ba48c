"""Which meters a contract bills where meters hang below each other, and where energy is sold on."""

from __future__ import annotations

from pathlib import Path

import pytest

from facility.contracts import billed_registers, deducted_registers
from facility.metering import booked_registers
from facility.site import Site
from facility.site_file import load_site

SITE = """\
site: {id: riverside, name: {zh: 滨江医院, en: Riverside Hospital}}
equipment:
  - {id: grid, class: hv_incomer}
  - {id: em-homes, class: electricity_meter, fed_by: [grid]}
  - {id: em-lamps, class: electricity_meter, fed_by: [em-homes]}
  - {id: em-shop, class: electricity_meter, fed_by: [grid]}
tariffs:
  - {id: shop, carrier: electricity, meters: [em-shop], resold: true, from: 2026-01-01, unit: kWh, price: 0.9, source: x12}
  - {id: main, carrier: electricity, from: 2026-01-01, unit: kWh, price: 0.7, source: contract}
  - {id: homes, carrier: electricity, meters: [em-homes], from: 2026-01-01, unit: kWh, price: 0.5, source: contract}
  - {id: lamps, carrier: electricity, meters: [em-lamps], from: 2026-01-01, unit: kWh, price: 0.4, source: contract}
"""  # noqa: E501


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "site.yaml").write_text(SITE, encoding="utf-8")
    return load_site(tmp_path / "site.yaml")


@pytest.mark.parametrize(
    ("contract", "billed", "deducted"),
    [
        ("main", ["grid"], ["em-homes"]),  # of the lamps below the homes, those count the energy already
        ("homes", ["em-homes"], ["em-lamps"]),
        ("lamps", ["em-lamps"], []),
        ("shop", ["em-shop"], []),
    ],
)
def test_each_kilowatt_hour_stands_on_one_bill_of_the_supplier(
    site: Site, contract: str, billed: list[str], deducted: list[str]
) -> None:
    registers, own = booked_registers(site), site.contracts[contract]
    assert [r.equipment.id for r in billed_registers(site, registers, own)] == billed
    assert [r.equipment.id for r in deducted_registers(site, registers, own)] == deducted


def test_what_a_unit_costs_elsewhere_is_what_the_hospital_pays_and_not_what_it_asks(site: Site) -> None:
    assert site.left_out == ()
    assert [t.price for t in site.tariffs["electricity"].values] == [0.7]
