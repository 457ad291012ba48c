"""Water in the small hospital: balances of meters and tanks, leaks by pressure, quality, and what faults do."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.fault_catalogue import catalogue
from simulators.faults import FaultEvent
from simulators.hospital import Hospital
from tests.simulators.conftest import HOUR_US, WEDNESDAY_US, minutes
from tests.simulators.test_pump_room import Values, run, used
from tests.simulators.trial import ROOT, small_site

DAY = {"start_us": WEDNESDAY_US, "count": 1440}


@pytest.fixture(scope="module")
def healthy() -> Values:
    return run(**DAY)


class TestBalance:
    def test_a_building_gets_what_its_high_zone_and_its_low_zone_use_and_what_the_tank_stores(
        self, healthy: Values
    ) -> None:
        tank_m3 = (healthy["tank1/level"][-1] - healthy["tank1/level"][0]) / 100.0 * 16.0
        stored = np.sum(healthy["tank1/inlet_flow"] - healthy["tank1/outlet_flow"]) / 60.0
        assert stored == pytest.approx(tank_m3, abs=0.3)
        assert used(healthy, "w-high/volume_total") == pytest.approx(used(healthy, "bs1/volume_total"), rel=1e-3)
        assert used(healthy, "w-inpatient/volume_total") > used(healthy, "w-high/volume_total")

    def test_a_branch_without_meter_opens_a_gap_between_a_meter_and_those_below_it(self, healthy: Values) -> None:
        values = run(("WS-F14", "w-main"), **DAY)

        def gap(shown: Values) -> float:
            below = sum(used(shown, f"{w}/volume_total") for w in ("w-inpatient", "w-outpatient", "w-services"))
            return used(shown, "w-main/volume_total") / below - 1.0

        assert abs(gap(healthy)) < 0.001
        assert gap(values) > 0.04

    def test_a_stuck_meter_shows_nothing_while_the_pumps_give_as_much(self, healthy: Values) -> None:
        values = run(("WS-F15", "w-outpatient"), **DAY)
        assert values["w-outpatient/flow"][1:].max() == 0.0
        assert used(values, "bp1/flow_total") == used(healthy, "bp1/flow_total")

    def test_what_flows_back_turns_the_reverse_register_and_no_other(self, healthy: Values) -> None:
        values = run(("WS-F10", "w-high"), **DAY)
        night = slice(60, 300)
        assert values["w-high/flow"][night].max() < 0.0
        assert (np.diff(values["w-high/volume_total"][night]) == 0.0).all()
        assert used(values, "w-high/reverse_total") > 1.0
        assert used(healthy, "w-high/reverse_total") == 0.0


class TestLeaks:
    def test_a_running_tap_shows_at_night_as_much_as_by_day(self, healthy: Values) -> None:
        event = FaultEvent("WS-F03", "w-outpatient", 0.5, WEDNESDAY_US, 0.0)
        values = Hospital(small_site(), 1, [event]).run(minutes(WEDNESDAY_US, 1440))
        more = values["w-outpatient/flow"] - healthy["w-outpatient/flow"]
        # Domain sheet: a running tap is 0.36 to 0.54 m³/h.
        assert more.min() > 0.36
        assert more.max() < 0.54

    def test_a_joint_in_plastic_leaks_less_at_night_pressure_and_more_where_that_is_turned_up(
        self, healthy: Values
    ) -> None:
        values, high = run(("WS-F02", "w-high"), **DAY), run(("WS-F02", "w-high"), ("WS-F12", "bs1"), **DAY)
        leak = values["w-high/flow"] - healthy["w-high/flow"]
        night, noon = slice(60, 240), slice(660, 840)
        # FAVAD: 0.38 to 0.42 MPa with the exponent 1.5; 1.2 m³/h by day.
        assert leak[night].mean() / leak[noon].mean() == pytest.approx((0.38 / 0.42) ** 1.5, abs=0.03)
        assert leak[noon].mean() == pytest.approx(1.2, abs=0.05)
        assert (high["w-high/flow"] - healthy["w-high/flow"])[night].mean() > 1.2 * leak[night].mean()

    def test_what_runs_from_taps_runs_to_the_sewage_plant_and_what_weeps_does_not(self, healthy: Values) -> None:
        tap, joint = run(("WS-F03", "w-inpatient"), **DAY), run(("WS-F02", "w-inpatient"), **DAY)
        drained = tap["stp1/inlet_flow"] - healthy["stp1/inlet_flow"]
        assert drained[1:].mean() == pytest.approx(0.9, rel=0.05)
        assert (joint["stp1/inlet_flow"] == healthy["stp1/inlet_flow"]).all()

    def test_toilet_valves_show_in_the_minimum_night_flow(self, healthy: Values) -> None:
        values = run(("WS-F04", "w-inpatient"), **DAY)
        night = slice(120, 240)
        assert (values["w-inpatient/flow"] - healthy["w-inpatient/flow"])[night].min() > 0.3


class TestTank:
    def test_a_valve_that_hangs_open_fills_the_tank_and_spills_what_is_too_much(self) -> None:
        values = run(("WS-F05", "tank1"), **DAY)
        assert values["tank1/level"][-1] == pytest.approx(100.0, abs=0.5)
        assert values["tank1/overflow"][-1] == 1.0
        spilt = values["tank1/inlet_flow"][600:] - values["tank1/outlet_flow"][600:]
        assert spilt.mean() > 3.0

    def test_a_tank_that_runs_empty_leaves_the_high_zone_dry_and_the_low_zone_well(self, healthy: Values) -> None:
        values = run(("WS-F06", "tank1"), **DAY)
        assert values["tank1/level"][-1] < 1.0
        assert values["tank1/low_level"][-1] == 1.0
        assert values["w-high/flow"][-60:].max() == 0.0
        assert values["bs1/outlet_pressure"][-1] < 0.1
        assert used(values, "w-outpatient/volume_total") == used(healthy, "w-outpatient/volume_total")

    def test_water_that_goes_round_the_tank_leaves_it_old(self, healthy: Values) -> None:
        values = run(("WS-F09", "tank1"), **DAY)

        def residence(shown: Values) -> float:
            return float(np.sum(shown["tank1/level"]) / 100.0 * 16.0 / np.sum(shown["tank1/outlet_flow"]))

        # GB 17051: renewed within 48 h.
        assert residence(healthy) < 24.0
        assert residence(values) > 48.0

    def test_a_restart_finds_the_level_that_was_stored(self) -> None:
        hospital = Hospital(small_site(), 1, [FaultEvent("WS-F06", "tank1", 1.0, WEDNESDAY_US, 0.0)])
        hospital.run(minutes(WEDNESDAY_US, 6 * 60))
        later = Hospital(small_site(), 1)
        later.restore(hospital.snapshot())
        shown = later.step(WEDNESDAY_US + 6 * HOUR_US)
        assert shown["tank1/level"] < 75.0


class TestQuality:
    def test_healthy_water_keeps_its_chlorine_winter_and_summer(self, healthy: Values) -> None:
        july = run(start_us=WEDNESDAY_US + 182 * 24 * HOUR_US, count=1440)
        # GB 5749: at least 0.05 mg/L at the tap; 0.3 leaves the works.
        assert healthy["wq1/free_chlorine"].min() > 0.2
        assert july["wq1/free_chlorine"].min() > 0.2
        assert july["wq1/free_chlorine"].mean() < healthy["wq1/free_chlorine"].mean()

    def test_slime_eats_chlorine_below_the_tap_limit(self) -> None:
        values = run(("WS-F07", "wq1"), **DAY)
        assert values["wq1/free_chlorine"][120:360].mean() < 0.10

    def test_a_fouled_electrode_sees_less_and_the_total_tells(self, healthy: Values) -> None:
        values = run(("WS-F11", "wq1"), **DAY)
        assert values["wq1/free_chlorine"][1:].mean() == pytest.approx(
            0.3 * healthy["wq1/free_chlorine"][1:].mean(), rel=0.02
        )
        assert (values["wq1/total_chlorine"] == healthy["wq1/total_chlorine"]).all()

    def test_stirred_sediment_passes_the_limit_and_hot_water_makes_the_cold_warm(self) -> None:
        values = run(("WS-F08", "wq1"), ("WS-F16", "wq1"), **DAY)
        assert values["wq1/turbidity"][1:].min() > 1.0
        assert values["wq1/water_temperature"][1:].min() > 25.0


@pytest.mark.parametrize(("page", "family"), [("pumps", "PU-"), ("water", "WS-")])
def test_the_page_lists_every_fault_of_the_family_as_it_is(page: str, family: str) -> None:
    rows = (ROOT / f"docs/simulators/{page}.md").read_text(encoding="utf-8").splitlines()
    for fault in catalogue().values():
        if fault.id.startswith(family):
            row = next(line for line in rows if line.startswith(f"| {fault.id} |"))
            assert fault.name.zh in row
            assert fault.name.en in row
            assert fault.effect in row
            assert row.endswith(f"| {fault.waste.unit if fault.waste else '–'} |")
            assert f"](img/fault-{fault.id}.png)" in "\n".join(rows)
