"""Sewage, lifts, the waste store and rooms that are watched: healthy, balanced, and the same at any step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from facility.site import Site
from facility.site_file import load_site
from simulators.faults import FaultBook, FaultEvent
from simulators.hospital import Hospital
from simulators.plants import departments, lifts, outdoors, rooms, sewage, waste_store
from simulators.rhythm import make_span
from simulators.scene import Scene
from tests.simulators.test_hospital import fired

ROOT = Path(__file__).parents[2]
SEWAGE: dict[str, Any] = yaml.safe_load((ROOT / "tests/cases/sewage.yaml").read_text("utf-8"))
ROOMS: dict[str, Any] = yaml.safe_load((ROOT / "tests/cases/rooms.yaml").read_text("utf-8"))
OURS = {"sewage_plant", "lift", "medical_waste_store", "room_environment"}
Values = Mapping[str, NDArray[np.float64]]


@cache
def site() -> Site:
    """Return the small site with our machines alone: nothing else needs to be worked out."""
    whole = load_site(ROOT / "examples" / "small")
    return replace(whole, equipment={e.id: e for e in whole.equipment.values() if e.cls.id in OURS})


@cache
def run(start: str, hours: float, step_s: int = 60, fault: str = "", pieces: int = 1) -> Values:
    """Run our plants alone; `fault` as `SW-F07@stp1`, there in full from the start."""
    first = int(datetime.fromisoformat(start).replace(tzinfo=site().time_zone).timestamp()) * 1_000_000
    times = first + np.arange(int(hours * 3600 / step_s), dtype=np.int64) * step_s * 1_000_000
    name, _, machine = fault.partition("@")
    book = FaultBook(site(), [FaultEvent(name, machine, 1.0, first + 1, 0.0)] if fault else [])
    memory: dict[str, float] = {}
    registers: dict[str, float] = {}
    parts = []
    previous = first - step_s * 1_000_000
    for part in np.array_split(times, pieces):
        scene = Scene(site(), 1, make_span(part, previous, site().time_zone), book, memory, registers, {})
        for module in (outdoors, departments, rooms, lifts, waste_store, sewage):
            module.run(scene)
        parts.append(scene.values)
        previous = int(part[-1])
    return {key: np.concatenate([p[key] for p in parts]) for key in parts[0]}


def used(values: Values, key: str) -> float:
    return float(values[key][-1] - values[key][0])


@pytest.mark.parametrize("start", ["2026-01-19", "2026-02-15", "2026-05-04", "2026-07-20", "2026-09-30"])
def test_a_healthy_machine_breaks_no_limit_in_any_season(start: str) -> None:
    values = run(start, 96.0, 120)
    assert [line for item in site().equipment.values() for line in fired(item, values, 120.0)] == []


def test_every_measured_point_is_shown() -> None:
    values = run("2026-01-19", 96.0, 120)
    measured = {
        f"{item.id}/{name}"
        for item in site().equipment.values()
        for name, point in item.points.items()
        if point.kind != "derived"
    }
    assert set(values) == measured


@pytest.mark.parametrize(
    "register", ["stp1/volume_total", "stp1/energy_import", "lift1/energy_import", "lift1/trips", "mw1/received_total"]
)
def test_registers_advance_alike_at_a_minute_and_at_a_quarter_of_an_hour(register: str) -> None:
    fine, coarse = (used(run("2026-01-14", 24.25, step), register) for step in (60, 900))
    # The coarse run's first step has passed before its first reading.
    assert coarse == pytest.approx(fine, rel=0.02)


def test_pieces_give_the_same_as_the_whole() -> None:
    whole, pieces = run("2026-01-14", 12.0), run("2026-01-14", 12.0, pieces=7)
    # Sums of a different order differ in their last bits; what sensors show is rounded far above that.
    assert all(np.allclose(whole[key], pieces[key], rtol=0.0, atol=0.011) for key in whole)


def test_a_hospital_stands_in_the_climate_that_it_is_given() -> None:
    whole = load_site(ROOT / "examples" / "small")
    station = replace(whole, equipment={"ws1": whole.equipment["ws1"]})
    start = int(datetime(2026, 1, 14, 12, tzinfo=whole.time_zone).timestamp()) * 1_000_000
    harbin, guangzhou = (
        Hospital(station, seed=1, climate=c).step(start)["ws1/outdoor_temperature"] for c in ("harbin", "guangzhou")
    )
    assert harbin < guangzhou - 20.0
    with pytest.raises(ValueError, match=r"climate 'shanghai' is not known here.*hangzhou"):
        Hospital(station, climate="shanghai")


class TestSewage:
    def test_takes_the_energy_that_such_plants_take(self) -> None:
        values = run("2026-05-04", 96.0, 120)
        low, high = SEWAGE["energy"]["kwh_m3"]
        assert low < used(values, "stp1/energy_import") / used(values, "stp1/volume_total") < high

    def test_lets_out_what_came_in_but_for_what_it_still_holds(self) -> None:
        values = run("2026-05-04", 96.0, 120)
        came = float(values["stp1/inlet_flow"][1:].sum()) / 30.0
        held = float(values["stp1/equalisation_level"][-1] - values["stp1/equalisation_level"][0]) / 100.0 * 8.0 * 25.0
        assert used(values, "stp1/volume_total") == pytest.approx(came - held, rel=0.01)

    def test_a_clogged_pump_lets_the_tank_rise_as_fast_as_water_comes(self) -> None:
        values = run("2026-05-04", 3.0, fault="SW-F07@stp1")
        came = float(values["stp1/inlet_flow"][1:].sum()) / 60.0
        risen = float(values["stp1/equalisation_level"][-1] - values["stp1/equalisation_level"][0]) / 100.0 * 8.0 * 25.0
        assert risen == pytest.approx(came, abs=2.5)

    @pytest.mark.parametrize(
        ("fault", "limit"),
        [
            ("SW-F01", "total_chlorine < 2 mg/L"),
            ("SW-F02", "total_chlorine > 10 mg/L"),
            ("SW-F04", "outlet_ph > 9 pH"),
            ("SW-F06", "blower_running == stopped"),
            ("SW-F07", "equalisation_level > 92 %"),
            ("SW-F09", "membrane_pressure > 30 kPa"),
            ("SW-F10", "dissolved_oxygen > 5 mg/L"),
            ("SW-F11", "analyser_fault == fault"),
            ("SW-F13", "hydrogen_sulphide > 7 ppm"),
        ],
    )
    def test_a_fault_in_full_breaks_the_limit_that_watches_for_it(self, fault: str, limit: str) -> None:
        broken = fired(site().equipment["stp1"], run("2026-05-11", 36.0, 120, f"{fault}@stp1"), 120.0)
        assert any(limit in line for line in broken), broken


class TestLift:
    def test_takes_as_much_a_day_as_such_lifts_do(self) -> None:
        values = run("2026-05-04", 96.0, 120)
        low, high = ROOMS["lift"]["kwh_day"]
        assert low < used(values, "lift1/energy_import") / 4.0 < high
        assert ROOMS["lift"]["standby_w"][0] / 1000.0 <= values["lift1/active_power"].min()

    def test_never_moves_with_its_door_open_and_rests_more_at_night(self) -> None:
        values = run("2026-01-14", 12.0, 5)
        moving, door = values["lift1/moving"], values["lift1/door"]
        assert (moving * door).max() == 0.0
        assert 0.0 < door.mean() < moving.mean()
        night, morning = moving[720:2160].mean(), moving[5760:7200].mean()
        assert night < 0.4 * morning

    def test_second_by_second_it_takes_what_it_takes_on_the_mean(self) -> None:
        live, coarse = run("2026-01-14 08:00", 4.0, 5), run("2026-01-14 08:00", 4.0, 60)
        assert live["lift1/active_power"].min() < 0.0 < live["lift1/active_power"].max()
        assert live["lift1/active_power"].mean() == pytest.approx(coarse["lift1/active_power"].mean(), rel=0.2)


class TestWasteStore:
    def test_takes_as_much_as_hospitals_make(self) -> None:
        low, high = ROOMS["waste"]["kg_bed_day"]
        beds = site().sizes.latest.beds
        assert beds is not None
        assert low < used(run("2026-05-04", 96.0, 120), "mw1/received_total") / 4.0 / beds < high

    def test_holds_what_came_until_the_lorry_has_been(self) -> None:
        values = run("2026-05-04", 24.0)
        weight, hour = values["mw1/weight"], np.arange(1440) / 60.0
        assert weight[(hour > 10.6) & (hour < 13.9)].max() < 2.0
        evening = float(weight[hour > 17.2][0])
        afternoon = float(np.interp(17.2, hour, values["mw1/received_total"])) - float(
            np.interp(13.0, hour, values["mw1/received_total"])
        )
        assert evening == pytest.approx(afternoon, abs=3.0)

    def test_stays_cold_in_summer(self) -> None:
        assert run("2026-07-20", 96.0, 120)["mw1/temperature"].max() < 12.0


class TestRooms:
    def test_water_in_the_trench_brings_the_air_near_saturation(self) -> None:
        healthy, wet = run("2026-05-04", 12.0), run("2026-05-04", 12.0, fault="EL-F25@env-power")
        assert healthy["env-power/humidity"].max() < 80.0
        assert wet["env-power/humidity"][-1] > 90.0
        assert wet["env-power/temperature"].tolist() == healthy["env-power/temperature"].tolist()
        assert wet["env-oxygen/humidity"].tolist() == healthy["env-oxygen/humidity"].tolist()
