"""Oxygen, medical air and vacuum as plants: balances, sources in turn, steps of any length, how large faults are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from facility.site import Site
from facility.site_file import load_site
from simulators.faults import FaultEvent
from simulators.hospital import Hospital
from tests.simulators.conftest import DAY_US, HOUR_US, WEDNESDAY_US, minutes

Values = Mapping[str, NDArray[np.float64]]

SITE = """
site: {id: gases, name: {zh: 气体, en: Gases}, time_zone: Asia/Shanghai}
departments:
  - {id: icu, name: {zh: 重症, en: Intensive care}, floor_area: 1200 m², beds: 24}
  - {id: theatre, name: {zh: 手术部, en: Theatres}, floor_area: 2400 m²}
  - {id: ward, name: {zh: 病区, en: Wards}, floor_area: 16000 m², beds: 376}
equipment:
  - {id: psa1, class: psa_oxygen_generator, rating: {flow: 25 Nm³/h}}
  - {id: psa2, class: psa_oxygen_generator, rating: {flow: 25 Nm³/h}}
  - {id: lox1, class: liquid_oxygen_tank, rating: {capacity: 5000 kg}}
  - {id: mf1, class: oxygen_manifold, rating: {cylinders: 10}}
  - {id: main, class: oxygen_outlet_station, rating: {beds: 400 beds}, fed_by: [psa1, psa2, lox1, mf1]}
  - {id: building, class: oxygen_meter, fed_by: [main]}
  - {id: oz-icu, class: oxygen_pipeline_zone, rating: {beds: 24 beds}, fed_by: [building], serves: [icu]}
  - {id: oz-theatre, class: oxygen_pipeline_zone, rating: {beds: 12 beds}, fed_by: [building], serves: [theatre]}
  - {id: oz-ward, class: oxygen_pipeline_zone, rating: {beds: 80 beds}, fed_by: [main], serves: [ward]}
  - {id: air1, class: medical_air_plant, rating: {flow: 20 Nm³/h}}
  - {id: az-icu, class: medical_air_zone, rating: {flow: 300 L/min}, fed_by: [air1], serves: [icu, theatre]}
  - {id: vac1, class: medical_vacuum_plant, rating: {flow: 160 m³/h}}
  - {id: vz-icu, class: vacuum_zone, rating: {flow: 300 L/min}, fed_by: [vac1], serves: [icu]}
  - {id: vz-ward, class: vacuum_zone, rating: {flow: 1000 L/min}, fed_by: [vac1], serves: [ward, theatre]}
"""
SIX = WEDNESDAY_US + 6 * HOUR_US


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return read(SITE, tmp_path_factory.mktemp("gases"))


def read(text: str, folder: Path) -> Site:
    (folder / "site.yaml").write_text(text, encoding="utf-8")
    return load_site(folder / "site.yaml")


@pytest.fixture(scope="module")
def day(site: Site) -> Values:
    return Hospital(site, seed=1).run(minutes(WEDNESDAY_US, 1440))


def with_fault(site: Site, fault: str, machine: str, hours: float = 6.0, severity: float = 1.0) -> Values:
    """A hospital that has a fault from six in the morning on."""
    event = FaultEvent(fault, machine, severity, SIX, 0.0)
    return Hospital(site, 1, [event]).run(minutes(SIX, round(hours * 60)))


def used(values: Values, key: str) -> float:
    return float(values[key][-1] - values[key][0])


class TestBalance:
    def test_what_the_sources_give_is_what_leaves_the_station(self, day: Values) -> None:
        mass = day["lox1/mass"]  # whose gauge is not exact: half an hour's mean at either end
        liquid = 0.6998 * float(mass[:30].mean() - mass[-30:].mean()) * 1440.0 / 1410.0
        made = used(day, "psa1/oxygen_total") + used(day, "psa2/oxygen_total")
        assert made + liquid == pytest.approx(used(day, "main/oxygen_total"), rel=2e-3)

    def test_what_leaves_the_station_is_what_zones_take_and_a_little_on_the_riser(self, day: Values) -> None:
        zones = sum(used(day, f"{z}/oxygen_total") for z in ("oz-icu", "oz-theatre", "oz-ward"))
        assert used(day, "main/oxygen_total") == pytest.approx(1.015 * zones, rel=1e-3)
        behind = used(day, "oz-icu/oxygen_total") + used(day, "oz-theatre/oxygen_total")
        assert used(day, "building/oxygen_total") == pytest.approx(behind, rel=1e-4)

    def test_the_pressure_falls_from_the_station_to_the_zones(self, day: Values) -> None:
        for zone in ("oz-icu", "oz-theatre", "oz-ward"):
            assert day[f"{zone}/pressure"].mean() < day["main/outlet_pressure"].mean()

    def test_registers_of_energy_count_what_the_machines_take(self, day: Values) -> None:
        for machine in ("psa1", "psa2", "air1", "vac1"):
            taken = float(day[f"{machine}/active_power"].mean()) * 24.0
            assert used(day, f"{machine}/energy_import") == pytest.approx(taken, rel=0.08), machine

    def test_a_plant_of_the_size_of_400_beds_uses_what_such_hospitals_use(self, day: Values) -> None:
        # 1 to 3 m³ a bed and day for the whole hospital.
        assert 1.0 < used(day, "main/oxygen_total") / 400.0 < 3.0
        power = used(day, "psa1/energy_import") + used(day, "psa2/energy_import")
        assert 0.9 < power / (used(day, "psa1/oxygen_total") + used(day, "psa2/oxygen_total")) < 1.4


class TestSteps:
    def test_registers_advance_alike_at_a_minute_and_at_a_quarter_of_an_hour(self, site: Site) -> None:
        fine = Hospital(site, seed=1).run(minutes(WEDNESDAY_US, 2 * 1440 + 1))
        coarse = Hospital(site, seed=1).run(WEDNESDAY_US + np.arange(193, dtype=np.int64) * 900_000_000)
        for address in site.points.addresses:
            if address.kind == "total_increasing":
                moved = used(fine, address.key)
                assert used(coarse, address.key) == pytest.approx(moved, rel=0.02, abs=2.0), address.key

    def test_second_by_second_the_receivers_move_between_their_switch_points(self, site: Site) -> None:
        values = Hospital(site, seed=1).run(WEDNESDAY_US + np.arange(1800, dtype=np.int64) * 1_000_000)
        vacuum = values["vac1/receiver_pressure"]
        assert vacuum.min() == pytest.approx(-71.0, abs=1.5)
        assert vacuum.max() == pytest.approx(-60.0, abs=1.5)
        assert np.abs(np.diff(vacuum)).max() < 2.0
        running = sum(values[f"vac1/pump_running_{n}"] for n in (1, 2, 3))
        # The vacuum deepens while one pump more runs than on the mean.
        deepens = np.diff(vacuum[::20]) < 0.0
        assert running[::20][:-1][deepens].mean() > running[::20][:-1][~deepens].mean() + 0.5

    def test_the_same_in_pieces(self, site: Site) -> None:
        whole = Hospital(site, seed=1).run(minutes(SIX, 240))
        hospital = Hospital(site, seed=1)
        parts = [hospital.run(minutes(SIX + k * HOUR_US, 60)) for k in range(4)]
        for key in ("vac1/starts", "lox1/pressure", "mf1/bank_pressure_left", "psa1/energy_import"):
            assert np.concatenate([p[key] for p in parts]) == pytest.approx(whole[key], abs=0.02), key


class TestSources:
    def test_the_reserve_carries_the_hospital_from_bank_to_bank_while_cylinders_are_changed(self, site: Site) -> None:
        values = with_fault(site, "MG-F05", "main", 8.0)
        assert (values["main/active_source"][2:] == 3.0).all()
        assert set(values["mf1/active_side"]) == {1.0, 2.0}
        assert values["main/outlet_pressure"].min() > 400.0
        assert values["mf1/bank_pressure_left"].min() == pytest.approx(0.8, abs=0.1)

    def test_with_both_banks_empty_the_pressure_fails_until_cylinders_are_changed(self, tmp_path: Path) -> None:
        small = read(SITE.replace("cylinders: 10", "cylinders: 2"), tmp_path)
        values = with_fault(small, "MG-F05", "main", 3.0)
        empty = values["main/active_source"] == 0.0
        assert empty.sum() > 15
        assert values["main/outlet_pressure"][empty].max() < 20.0
        assert values["oz-icu/flow"][empty].max() < 30.0
        # An hour after the first bank was empty it is full again.
        assert values["main/outlet_pressure"][int(np.flatnonzero(empty)[0]) + 60] > 400.0

    def test_cylinders_give_purer_oxygen_than_a_sieve(self, site: Site, day: Values) -> None:
        assert day["main/oxygen_purity"].max() < 96.5
        assert with_fault(site, "MG-F05", "main", 2.0)["main/oxygen_purity"][5:].min() > 99.0


class TestSizes:
    """How large the effects are, where a standard or a maker says from when on they matter."""

    def test_a_creeping_regulator_passes_the_area_alarm(self, site: Site) -> None:
        # ISO 7396-1: 20 % above 400 kPa.
        assert with_fault(site, "MG-F03", "main", 1.0)["oz-icu/pressure"][5:].min() > 480.0

    def test_a_worn_seat_climbs_most_at_night(self, site: Site, day: Values) -> None:
        event = FaultEvent("MG-F04", "main", 1.0, WEDNESDAY_US, 0.0)
        values = Hospital(site, 1, [event]).run(minutes(WEDNESDAY_US, 1440))
        rise = values["main/outlet_pressure"] - day["main/outlet_pressure"]
        assert rise[120:240].mean() > rise[600:720].mean() + 10.0

    def test_a_spent_desiccant_and_exhaust_in_the_intake_pass_the_limits_of_medical_air(self, site: Site) -> None:
        # GB 50751-2012: dew point 0 °C, carbon monoxide 5 ppm, carbon dioxide 500 ppm.
        assert with_fault(site, "MG-F11", "air1", 1.0)["air1/dew_point"].min() > 0.0
        exhaust = with_fault(site, "MG-F12", "air1", 1.0, severity=0.5)
        assert exhaust["air1/co"].min() > 5.0
        assert exhaust["air1/co2"].min() > 500.0

    def test_an_enriched_niche_passes_23_and_a_half_percent_within_half_an_hour_not_at_once(self, site: Site) -> None:
        oxygen = with_fault(site, "MG-F19", "oz-icu", 1.0)["oz-icu/room_oxygen"]
        assert oxygen[1] < 22.0
        assert oxygen[30] > 23.5

    def test_a_lost_jacket_brings_the_tank_to_its_relief_valve_within_a_day_and_a_half(self, site: Site) -> None:
        pressure = with_fault(site, "MG-F17", "lox1", 36.0)["lox1/pressure"]
        assert pressure[60] < 1.2
        assert pressure[-1] == pytest.approx(1.62, abs=0.04)

    def test_a_flooded_trap_passes_the_area_alarm_of_vacuum_and_leaves_other_zones_alone(self, site: Site) -> None:
        # GB 50751-2012: 37 kPa.
        values = with_fault(site, "MG-F15", "vz-icu", 4.0)
        assert values["vz-icu/pressure"].min() > -37.0
        assert values["vz-ward/pressure"].max() < -45.0

    def test_a_shut_receiver_makes_a_plant_short_cycle(self, site: Site, day: Values) -> None:
        # More than 10 to 15 starts an hour wear a motor.
        assert used(day, "air1/starts") / 24.0 < 10.0
        assert used(with_fault(site, "MG-F13", "air1"), "air1/starts") / 6.0 > 15.0

    def test_air_in_the_main_falls_below_the_pharmacopoeias_floor(self, site: Site) -> None:
        assert with_fault(site, "MG-F20", "main", 1.0)["main/oxygen_purity"][1:].max() < 90.0

    def test_a_false_level_goes_apart_from_what_was_drawn(self, site: Site, day: Values) -> None:
        event = FaultEvent("MG-F18", "lox1", 1.0, WEDNESDAY_US, DAY_US / 2e6)
        values = Hospital(site, 1, [event]).run(minutes(WEDNESDAY_US, 1440))
        assert values["lox1/level"][-1] > day["lox1/level"][-1] + 10.0
        assert values["main/oxygen_total"][-1] == day["main/oxygen_total"][-1]
