"""Pump groups, booster sets and drives in the small hospital: sharing, standby, staging, and what their faults do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import numpy as np
import pytest
from numpy.typing import NDArray

from facility.site import Site
from simulators.faults import FaultEvent
from simulators.hospital import Hospital
from tests.simulators.conftest import HOUR_US, MINUTE_US, WEDNESDAY_US, minutes
from tests.simulators.trial import small_site

Values = Mapping[str, NDArray[np.float64]]

# From six in the morning; that week cp1 and cp3 run and cp2 rests.
START_US = WEDNESDAY_US + 6 * HOUR_US
COUNT = 8 * 60
CIRCULATION = ("cp1", "cp2", "cp3")


def run(*ills: tuple[str, str], start_us: int = START_US, count: int = COUNT, onset_s: float = 0.0) -> Values:
    """Return what the sensors show with some faults in full from the start."""
    events = [FaultEvent(fault, machine, 1.0, start_us + 1, onset_s) for fault, machine in ills]
    return Hospital(small_site(), 1, events).run(minutes(start_us, count))


def used(values: Values, key: str) -> float:
    return float(values[key][-1] - values[key][0])


def together(values: Values, point: str, pumps: tuple[str, ...] = CIRCULATION) -> NDArray[np.float64]:
    return np.sum([values[f"{p}/{point}"] for p in pumps], axis=0)


@pytest.fixture(scope="module")
def site() -> Site:
    return small_site()


@pytest.fixture(scope="module")
def healthy() -> Values:
    return run()


class TestGroup:
    def test_pumps_in_parallel_share_the_flow_and_the_standby_rests(self, healthy: Values) -> None:
        assert healthy["cp1/flow"].mean() == pytest.approx(healthy["cp3/flow"].mean(), rel=0.01)
        assert healthy["cp2/flow"].max() == 0.0

    def test_duty_and_standby_change_over_every_week(self) -> None:
        running = [
            tuple(run(start_us=START_US + week * 7 * 24 * HOUR_US, count=1)[f"{p}/running"][0] for p in CIRCULATION)
            for week in range(3)
        ]
        assert len(set(running)) == 3

    def test_what_the_boosters_pump_is_what_runs_through_the_citys_meter(self, healthy: Values) -> None:
        pumped = used(healthy, "bp1/flow_total") + used(healthy, "bp2/flow_total")
        assert pumped == pytest.approx(used(healthy, "w-main/volume_total"), rel=1e-3)

    def test_a_pump_turns_less_than_nine_tenths_of_its_power_to_pressure_and_flow(self, healthy: Values) -> None:
        lifted = (healthy["cp1/outlet_pressure"] - healthy["cp1/inlet_pressure"]) * healthy["cp1/flow"] / 3.6
        efficiency = lifted / healthy["cp1/active_power"]
        assert efficiency.min() > 0.5
        assert efficiency.max() < 0.85

    def test_a_drive_takes_what_its_pump_takes_and_gives_a_little_less(self, healthy: Values) -> None:
        assert used(healthy, "vfd-hp1/energy_import") == pytest.approx(used(healthy, "hp1/energy_import"), abs=0.02)
        on = healthy["hp1/running"] > 0.0
        lost = 1.0 - healthy["vfd-hp1/active_power"][on] / healthy["hp1/active_power"][on]
        assert 0.02 < lost.mean() < 0.10

    def test_heating_pumps_stand_in_july(self) -> None:
        july = int(datetime(2026, 7, 15, 6, tzinfo=small_site().time_zone).timestamp()) * 1_000_000
        values = run(start_us=july, count=60)
        assert values["hp1/running"].max() == 0.0
        assert values["hp1/active_power"].max() < 0.2

    @pytest.mark.parametrize("day", ["2026-01-14", "2026-07-15"])
    def test_registers_count_alike_in_steps_of_a_minute_and_of_a_quarter(self, site: Site, day: str) -> None:
        start_us = int(datetime.fromisoformat(day).replace(tzinfo=site.time_zone).timestamp()) * 1_000_000
        fine = Hospital(site, 1).run(minutes(start_us, 2881))
        coarse = Hospital(site, 1).run(start_us + np.arange(193, dtype=np.int64) * 15 * MINUTE_US)
        for item in site.equipment.values():
            if item.cls.id in ("pump", "booster_set", "vfd", "water_meter", "water_quality_station"):
                for name, spec in item.points.items():
                    key = f"{item.id}/{name}"
                    # Starts follow the swings of small flows at night, of which quarters see fewer than minutes.
                    slack = 4.0 if name == "starts" else 0.05
                    if spec.kind == "total_increasing" and name != "reverse_total":
                        assert used(coarse, key) == pytest.approx(used(fine, key), rel=0.02, abs=slack), key


class TestFaults:
    def test_a_suction_valve_turned_shut_brings_the_inlet_to_the_vapour_pressure_and_the_pump_to_shake(
        self, healthy: Values
    ) -> None:
        values = run(("PU-F01", "cp1"))
        assert values["cp1/inlet_pressure"].min() < 0.02
        assert values["cp1/vibration_velocity"].max() > 5.1
        assert used(values, "cp1/flow_total") < used(healthy, "cp1/flow_total")

    def test_when_a_pump_runs_dry_the_standby_makes_up_for_it(self, healthy: Values) -> None:
        values = run(("PU-F02", "cp1"))
        assert values["cp1/running"].min() == 1.0
        assert values["cp2/running"][1:].min() == 1.0
        assert together(values, "flow") == pytest.approx(together(healthy, "flow"), abs=5.0)
        # Domain sheet, PU-L14: power under half of normal, inlet under 0.02 MPa.
        assert values["cp1/active_power"][1:].max() < 0.5 * healthy["cp1/active_power"].min()
        assert values["cp1/inlet_pressure"][1:].max() < 0.02

    def test_what_runs_back_through_a_check_valve_others_give_more(self, healthy: Values) -> None:
        values = run(("PU-F05", "cp2"))
        assert values["cp2/flow"][1:].max() < -5.0
        assert together(values, "flow") == pytest.approx(together(healthy, "flow"), abs=5.0)
        assert used(values, "cp2/flow_total") == 0.0

    def test_a_bearing_is_heard_before_it_is_felt(self, healthy: Values) -> None:
        values = run(("PU-F06", "cp1"), onset_s=8 * 3600.0)
        third = COUNT // 3
        envelope = values["cp1/vibration_envelope"][third] / healthy["cp1/vibration_envelope"][third]
        temperature = values["cp1/bearing_temperature_de"][third] - healthy["cp1/bearing_temperature_de"][third]
        assert envelope > 2.0
        assert temperature < 3.0

    def test_a_lost_phase_is_seen_in_the_currents_and_heats_the_winding(self, healthy: Values) -> None:
        values = run(("PU-F09", "hp1"))
        running = values["hp1/running"][1:] > 0.0
        assert values["hp1/current_unbalance"][1:][running].min() > 10.0
        assert (values["hp1/motor_temperature"] - healthy["hp1/motor_temperature"])[-1] > 10.0

    def test_a_drive_stuck_at_50_hz_shows_50_hz_and_manual(self) -> None:
        values = run(("PU-F13", "cp1"))
        assert np.abs(values["cp1/frequency"][1:] - 50.0).max() < 0.2
        assert (values["cp1/auto"][1:] == 0.0).all()

    def test_three_pumps_for_the_flow_of_two_take_more_and_each_gives_less(self, healthy: Values) -> None:
        values = run(("PU-F15", "cp1"))
        assert together(values, "flow") == pytest.approx(together(healthy, "flow"), abs=5.0)
        assert together(values, "active_power")[1:].mean() > 1.02 * together(healthy, "active_power")[1:].mean()

    def test_two_faults_of_one_group_waste_no_more_together_than_their_meters_show(self, healthy: Values) -> None:
        events = [FaultEvent(f, m, 1.0, START_US + 1, 0.0) for f, m in (("PU-F12", "cp1"), ("PU-F04", "cp3"))]
        values = Hospital(small_site(), 1, events).run(minutes(START_US, COUNT))
        more = sum(used(values, f"{p}/energy_import") - used(healthy, f"{p}/energy_import") for p in CIRCULATION)
        assert events[0].waste + events[1].waste == pytest.approx(more, rel=0.01)


class TestBooster:
    def test_it_keeps_its_set_point_and_lowers_it_at_night(self) -> None:
        values = run(start_us=WEDNESDAY_US, count=1440)
        assert values["bs1/pressure_setpoint"][3 * 60] == pytest.approx(values["bs1/pressure_setpoint"][720] - 0.04)
        off = np.abs(values["bs1/outlet_pressure"] - values["bs1/pressure_setpoint"])[7 * 60 : 21 * 60]
        assert off.mean() < 0.01

    def test_at_night_the_vessel_serves_and_the_pumps_start_within_what_makers_allow(self) -> None:
        values = run(start_us=WEDNESDAY_US, count=5 * 60)
        starts = used(values, "bs1/starts") / 5.0
        # Domain sheet, PU-L16: sleep and wake no more than 15 times an hour.
        assert 1.0 < starts <= 15.0
        assert 0.0 < values["bs1/pump_running_1"].mean() + values["bs1/pump_running_2"].mean() < 0.6

    def test_a_vessel_without_charge_starts_far_more_often(self) -> None:
        sound, lost = (
            used(run(*ills, start_us=WEDNESDAY_US, count=5 * 60), "bs1/starts") for ills in ((), (("PU-F18", "bs1"),))
        )
        assert lost > 3.0 * sound

    def test_second_by_second_it_takes_what_it_takes_by_the_minute(self, site: Site) -> None:
        start_us = WEDNESDAY_US + 2 * HOUR_US
        seconds = start_us + np.arange(1801, dtype=np.int64) * 1_000_000
        fine, coarse = Hospital(site, 1).run(seconds), Hospital(site, 1).run(minutes(start_us, 31))
        assert used(fine, "bs1/energy_import") == pytest.approx(used(coarse, "bs1/energy_import"), rel=0.02, abs=0.01)
        on = fine["bs1/active_power"] > 0.1
        assert 0.0 < on.mean() < 1.0

    def test_hunting_swings_by_hertz_and_costs_no_water(self, healthy: Values) -> None:
        values = run(("PU-F17", "bs1"))
        swing = values["bs1/frequency"] - healthy["bs1/frequency"]
        assert swing.max() > 3.0
        assert swing.min() < -3.0
        assert used(values, "bs1/volume_total") == used(healthy, "bs1/volume_total")
