"""The hospital as a whole: complete, balanced, repeatable, healthy, and continuous from history into live."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from numpy.typing import NDArray

from facility.errors import StoreUnavailable
from facility.readings import SIMULATED, ReadingBatch
from facility.site import Equipment, Site
from facility.site_file import load_site
from facility.store.opening import open_store
from simulators.faults import FaultEvent
from simulators.hospital import Hospital
from tests.simulators.conftest import HOUR_US, MINUTE_US, WEDNESDAY_US, minutes

Values = Mapping[str, NDArray[np.float64]]


@pytest.fixture(scope="module")
def week(site: Site) -> Values:
    """A healthy week at one minute, from a Wednesday on."""
    return Hospital(site, seed=1).run(minutes(WEDNESDAY_US, 7 * 1440))


def used(values: Values, key: str) -> float:
    return float(values[key][-1] - values[key][0])


def test_every_measured_point_shows_a_number_that_is_physically_possible(site: Site, week: Values) -> None:
    for address in site.points.addresses:
        spec = site.point(address.key)
        assert spec is not None
        if spec.kind == "derived":
            continue
        shown = week[address.key]
        assert np.isfinite(shown).all(), address.key
        if spec.physical is not None:
            assert shown.min() >= spec.physical[0], address.key
            assert shown.max() <= spec.physical[1], address.key
        if spec.states is not None:
            assert set(np.unique(shown)) <= {float(code) for code in spec.states}, address.key


def test_noise_alone_shows_no_flow_current_or_opening_below_zero(site: Site, week: Values) -> None:
    for key, shown in week.items():
        spec = site.point(key)
        assert spec is not None
        if spec.unit in ("m³/h", "Nm³/h", "L/min", "t/h", "A", "%"):
            assert shown.min() >= 0.0, key


def test_nothing_is_shown_that_the_site_does_not_know(site: Site, week: Values) -> None:
    assert set(week) <= set(site.points.index)


def test_registers_never_run_backwards(site: Site, week: Values) -> None:
    for address in site.points.addresses:
        if address.kind == "total_increasing":
            assert (np.diff(week[address.key]) >= 0.0).all(), address.key


class TestBalance:
    def test_a_transformer_delivers_what_its_feeders_take(self, site: Site, week: Values) -> None:
        for transformer in ("tx1", "tx2"):
            feeders = [e.id for e in site.equipment.values() if transformer in e.fed_by and e.cls.id == "lv_feeder"]
            assert len(feeders) >= 2
            taken = sum(used(week, f"{f}/energy_import") for f in feeders)
            assert used(week, f"{transformer}/energy_import") == pytest.approx(taken, rel=1e-5)

    def test_the_incomer_takes_what_the_transformers_deliver_and_lose(self, site: Site, week: Values) -> None:
        delivered = lost = 0.0
        for transformer in ("tx1", "tx2"):
            delivered += used(week, f"{transformer}/energy_import")
            load = week[f"{transformer}/apparent_power"] / 1600.0
            # GB/T 13462 with the nameplate of the site file: 1.96 kW and 11.73 kW.
            lost += float(np.sum(1.96 + 11.73 * load[1:] ** 2)) / 60.0
        assert used(week, "hv1/energy_import") == pytest.approx(delivered + lost, rel=1e-4)

    def test_the_citys_water_is_what_the_buildings_use(self, week: Values) -> None:
        buildings = sum(used(week, f"{w}/volume_total") for w in ("w-inpatient", "w-outpatient", "w-services"))
        assert used(week, "w-main/volume_total") == pytest.approx(buildings, rel=1e-4)
        pumped = sum(used(week, f"{p}/flow_total") for p in ("bp1", "bp2"))
        assert pumped == pytest.approx(buildings, rel=1e-4)

    def test_the_main_gas_meter_counts_boilers_and_kitchen(self, week: Values) -> None:
        boilers = used(week, "b1/gas_total") + used(week, "b2/gas_total")
        assert used(week, "g-boilers/volume_total") == pytest.approx(boilers, rel=1e-4)
        assert used(week, "g-main/volume_total") > 1.02 * boilers

    def test_oxygen_made_is_oxygen_delivered_and_zones_miss_the_unmetered_part(self, site: Site, week: Values) -> None:
        # A little comes from the liquid tank: what boils off in it anyway goes to the line first.
        boiled = 0.70 * (week["lox1/mass"][0] - week["lox1/mass"][-1])
        made = used(week, "psa1/oxygen_total") + used(week, "psa2/oxygen_total") + boiled
        zones = [e.id for e in site.equipment.values() if e.cls.id == "oxygen_pipeline_zone"]
        assert used(week, "ox-main/oxygen_total") == pytest.approx(made, rel=2e-3)
        assert boiled < 0.03 * made
        metered = sum(used(week, f"{z}/oxygen_total") for z in zones)
        assert 0.97 < metered / made < 0.995

    def test_a_tonne_of_steam_takes_the_gas_that_such_boilers_take(self, week: Values) -> None:
        gas = used(week, "b1/gas_total") + used(week, "b2/gas_total")
        steam = used(week, "b1/steam_total") + used(week, "b2/steam_total")
        assert 66.0 < gas / steam < 80.0

    def test_the_hospital_uses_as_much_as_chinese_hospitals_do(self, site: Site, week: Values) -> None:
        # Surveys: 100 to 250 kWh electricity a square metre and year; 300 to 800 L of water a bed and day.
        area, beds = site.sizes.latest.floor_area_m2, site.sizes.latest.beds
        assert area is not None
        assert beds is not None
        assert 100.0 < used(week, "hv1/energy_import") / area * 52.0 < 250.0
        assert 300.0 < used(week, "w-main/volume_total") / 7.0 / beds * 1000.0 < 804.0


class TestRhythm:
    def test_clinics_are_quiet_at_night_and_on_sunday(self, week: Values) -> None:
        power = week["em-outpatient/active_power"]
        wednesday, sunday = power[:1440], power[4 * 1440 : 5 * 1440]
        assert power[2 * 60 : 4 * 60].mean() < 0.3 * wednesday[9 * 60 : 11 * 60].mean()
        assert sunday.mean() < 0.5 * wednesday.mean()

    def test_intensive_care_never_sleeps(self, week: Values) -> None:
        power = week["em-icu/active_power"]
        assert power.min() > 0.5 * power.max()

    def test_wards_use_little_water_at_night(self, week: Values) -> None:
        flow = week["w-inpatient/flow"]
        assert flow[2 * 60 : 4 * 60].mean() < 0.2 * flow[7 * 60 : 20 * 60].mean()

    def test_spring_festival_is_quieter_than_a_common_week(self, site: Site, week: Values) -> None:
        start = int(datetime(2026, 2, 17, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp()) * 1_000_000
        holiday = Hospital(site, seed=1).run(minutes(start, 1440))
        assert used(holiday, "em-outpatient/energy_import") * 7 < 0.6 * used(week, "em-outpatient/energy_import")

    def test_heating_follows_the_cold_and_cooling_the_heat(self, site: Site) -> None:
        july = int(datetime(2026, 7, 15, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp()) * 1_000_000
        summer = Hospital(site, seed=1).run(minutes(july, 1440))
        winter = Hospital(site, seed=1).run(minutes(WEDNESDAY_US, 1440))
        steam = [used(v, "b1/steam_total") + used(v, "b2/steam_total") for v in (summer, winter)]
        assert steam[1] > 1.25 * steam[0]
        assert used(summer, "fd-plant/energy_import") > 1.15 * used(winter, "fd-plant/energy_import")


def fired(item: Equipment, values: Values, step_s: float) -> list[str]:
    """Return the limits of a machine that would fire, by a plain reading of their hold times."""
    env = {p: values[f"{item.id}/{p}"] for p in item.points if f"{item.id}/{p}" in values}
    with np.errstate(all="ignore"):
        for name, formula in item.cls.formulas.items():
            if name in item.points and all(p in env for p in formula.points):
                env[name] = formula.evaluate(env)
        broken = []
        for limit in item.limits:
            holds = limit.condition.holds(env) == 1
            # Length of the run of true that each sample ends.
            count = np.cumsum(holds)
            longest = int((count - np.maximum.accumulate(np.where(holds, 0, count))).max())
            if longest > limit.spec.hold / step_s:
                broken.append(f"{item.id}: {limit.condition.text}")
    return broken


@pytest.mark.parametrize("start", ["2026-01-12", "2026-04-13", "2026-07-20", "2026-11-21"])
def test_a_healthy_hospital_breaks_no_limit_of_any_class(site: Site, start: str) -> None:
    start_us = int(datetime.fromisoformat(start).replace(tzinfo=site.time_zone).timestamp()) * 1_000_000
    values = Hospital(site, seed=3).run(minutes(start_us, 3 * 1440))
    # Frost and heat are no fault of the station that tells of them.
    machines = [item for item in site.equipment.values() if item.cls.id != "weather_station"]
    assert [line for item in machines for line in fired(item, values, 60.0)] == []


class TestSeed:
    def test_the_same_seed_gives_the_same_hospital_to_the_bit(self, site: Site) -> None:
        first, second = (Hospital(site, seed=7).run(minutes(WEDNESDAY_US, 200)) for _ in range(2))
        assert all((first[key] == second[key]).all() for key in first)

    def test_in_another_process_too(self, site: Site) -> None:
        values = Hospital(site, seed=7).run(minutes(WEDNESDAY_US, 50))
        digest = hashlib.sha256(b"".join(values[k].tobytes() for k in sorted(values))).hexdigest()
        code = (
            "import hashlib, numpy as np\n"
            "from facility.site_file import load_site\n"
            "from simulators.hospital import Hospital\n"
            f"t = {WEDNESDAY_US} + np.arange(50, dtype=np.int64) * {MINUTE_US}\n"
            "v = Hospital(load_site('examples/small/site.yaml'), seed=7).run(t)\n"
            "print(hashlib.sha256(b''.join(v[k].tobytes() for k in sorted(v))).hexdigest())"
        )
        root = Path(__file__).parents[2]
        told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
        assert told.stdout.strip() == digest

    def test_another_seed_gives_another_hospital(self, site: Site) -> None:
        first, second = (Hospital(site, seed=s).run(minutes(WEDNESDAY_US, 60)) for s in (1, 2))
        assert (first["hv1/active_power"] != second["hv1/active_power"]).all()


class TestTime:
    def test_stepping_second_by_second_agrees_with_running_by_the_minute(self, site: Site) -> None:
        by_minute = Hospital(site, seed=1).run(minutes(WEDNESDAY_US, 11))
        hospital = Hospital(site, seed=1)
        for second in range(0, 601, 5):
            shown = hospital.step(WEDNESDAY_US + second * 1_000_000)
        for key in ("tx1/winding_temperature_a", "w-main/flow", "psa1/oxygen_purity", "hv1/active_power"):
            assert shown[key] == pytest.approx(by_minute[key][10], rel=5e-3), key
        assert shown["hv1/energy_import"] == pytest.approx(by_minute["hv1/energy_import"][10], abs=2.0)

    def test_a_long_gap_is_walked_through(self, site: Site) -> None:
        hospital = Hospital(site, seed=1)
        before = hospital.step(WEDNESDAY_US)
        after = hospital.step(WEDNESDAY_US + 6 * HOUR_US)
        through = Hospital(site, seed=1).run(minutes(WEDNESDAY_US, 361))
        gone = after["hv1/energy_import"] - before["hv1/energy_import"]
        assert gone == pytest.approx(used(through, "hv1/energy_import"), rel=1e-4)

    def test_a_break_of_months_is_walked_through_coarsely_and_registers_count_on(self, site: Site) -> None:
        hospital = Hospital(site, seed=1)
        before = hospital.step(WEDNESDAY_US)
        after = hospital.step(WEDNESDAY_US + 28 * 24 * HOUR_US)
        week = used(Hospital(site, seed=1).run(minutes(WEDNESDAY_US, 7 * 1440)), "hv1/energy_import")
        assert after["hv1/energy_import"] - before["hv1/energy_import"] == pytest.approx(4 * week, rel=0.15)

    def test_asking_again_for_the_same_time_moves_nothing(self, site: Site) -> None:
        hospital = Hospital(site, seed=1)
        hospital.step(WEDNESDAY_US)
        assert hospital.step(WEDNESDAY_US + 1) is not None
        once, again = hospital.step(WEDNESDAY_US + MINUTE_US), hospital.step(WEDNESDAY_US + MINUTE_US)
        assert once == again

    def test_time_does_not_run_backwards(self, site: Site) -> None:
        hospital = Hospital(site, seed=1)
        hospital.step(WEDNESDAY_US + HOUR_US)
        with pytest.raises(ValueError, match="must rise"):
            hospital.run(minutes(WEDNESDAY_US, 3))

    def test_a_snapshot_is_all_that_is_needed_to_go_on(self, site: Site) -> None:
        first = Hospital(site, seed=1)
        first.run(minutes(WEDNESDAY_US, 300))
        second = Hospital(site, seed=1)
        second.restore(first.snapshot())
        later = minutes(WEDNESDAY_US + 300 * MINUTE_US, 60)
        a, b = first.run(later), second.run(later)
        assert all((a[key] == b[key]).all() for key in a)


class TestHistory:
    def test_history_is_written_on_whole_steps_at_each_points_own_interval(self, site: Site, tmp_path: Path) -> None:
        hospital = Hospital(site, seed=1)
        told: list[float] = []
        with open_store(tmp_path / "t.duckdb") as store:
            end = WEDNESDAY_US + 6 * HOUR_US
            written = hospital.write_history(store, WEDNESDAY_US, end, 60.0, lambda share, _: told.append(share))
            assert store.size().readings == written
            kept = store.series(["tx1/active_power", "tx1/energy_import", "tx1/fan_running"], WEDNESDAY_US, end)
        assert np.diff(kept["tx1/active_power"].time_us).tolist() == [MINUTE_US] * 359
        assert np.diff(kept["tx1/energy_import"].time_us).tolist() == [15 * MINUTE_US] * 23
        assert np.diff(kept["tx1/fan_running"].time_us).tolist() == [5 * MINUTE_US] * 71
        assert (kept["tx1/active_power"].quality == SIMULATED).all()
        assert told[-1] == 1.0

    def test_a_coarser_step_writes_fewer_readings_of_the_same_hospital(self, site: Site, tmp_path: Path) -> None:
        end = WEDNESDAY_US + 2 * HOUR_US
        with open_store(tmp_path / "fine.duckdb") as store:
            Hospital(site, seed=1).write_history(store, WEDNESDAY_US, end)
            fine = store.series(["tx1/winding_temperature_a"], WEDNESDAY_US, end)["tx1/winding_temperature_a"]
        with open_store(tmp_path / "coarse.duckdb") as store:
            Hospital(site, seed=1).write_history(store, WEDNESDAY_US, end, 600.0)
            coarse = store.series(["tx1/winding_temperature_a"], WEDNESDAY_US, end)["tx1/winding_temperature_a"]
        assert np.diff(coarse.time_us).tolist() == [10 * MINUTE_US] * 11
        assert coarse.value.tolist() == fine.value[::10].tolist()

    def test_live_goes_on_where_history_ends(self, site: Site, tmp_path: Path) -> None:
        hospital = Hospital(site, seed=1)
        end = WEDNESDAY_US + 3 * HOUR_US
        with open_store(tmp_path / "t.duckdb") as store:
            hospital.write_history(store, WEDNESDAY_US, end)
            last = store.latest()
        live = hospital.step(end)
        for address in site.points.addresses:
            if address.kind == "total_increasing":
                # Registers were stored at most 15 minutes ago; nothing here counts 500 units in that time.
                assert 0.0 <= live[address.key] - last[address.key].value < 500.0, address.key
        assert live["tx1/winding_temperature_a"] == pytest.approx(last["tx1/winding_temperature_a"].value, abs=1.5)

    def test_a_restart_goes_on_from_the_stored_registers(self, site: Site, tmp_path: Path) -> None:
        end = WEDNESDAY_US + 3 * HOUR_US
        with open_store(tmp_path / "t.duckdb") as store:
            first = Hospital(site, seed=1)
            first.write_history(store, WEDNESDAY_US, end)
            # The service was away for two hours; meters count on.
            second = Hospital(site, seed=1)
            second.resume(store, end + 2 * HOUR_US)
            shown = second.step(end + 2 * HOUR_US)
        uninterrupted = first.step(end + 2 * HOUR_US)
        for key in ("hv1/energy_import", "w-main/volume_total", "ox-main/oxygen_total", "b1/gas_total"):
            assert shown[key] == pytest.approx(uninterrupted[key], rel=2e-4), key
        assert shown["tx1/winding_temperature_a"] == pytest.approx(uninterrupted["tx1/winding_temperature_a"], abs=0.5)
        assert shown["lox1/mass"] == pytest.approx(uninterrupted["lox1/mass"], abs=10.0)

    def test_resuming_from_an_empty_store_starts_anew(self, site: Site, tmp_path: Path) -> None:
        with open_store(tmp_path / "t.duckdb") as store:
            hospital = Hospital(site, seed=1)
            hospital.resume(store, WEDNESDAY_US)
        fresh = Hospital(site, seed=1).step(WEDNESDAY_US)
        assert hospital.step(WEDNESDAY_US)["hv1/energy_import"] == pytest.approx(fresh["hv1/energy_import"], abs=1.0)

    def test_a_store_that_has_no_room_is_told(self, site: Site) -> None:
        class Full:
            def write(self, batch: ReadingBatch) -> None:
                raise StoreUnavailable("the disk is full")

        with pytest.raises(StoreUnavailable, match="the disk is full"):
            Hospital(site, seed=1).write_history(Full(), WEDNESDAY_US, WEDNESDAY_US + HOUR_US)

    @pytest.mark.parametrize(
        ("end", "step_s"), [(WEDNESDAY_US, 60.0), (WEDNESDAY_US + HOUR_US, 0.5), (WEDNESDAY_US + HOUR_US, 90.0)]
    )
    def test_an_empty_stretch_or_a_wild_step_is_refused(
        self, site: Site, tmp_path: Path, end: int, step_s: float
    ) -> None:
        with open_store(tmp_path / "t.duckdb") as store, pytest.raises(ValueError, match="nothing to write"):
            Hospital(site, seed=1).write_history(store, WEDNESDAY_US, end, step_s)


SMALL_SITE = """
site: {id: small, name: {zh: 小院, en: Small}, time_zone: Asia/Shanghai}
rooms: [{id: r1, kind: pump_room, name: {zh: 房, en: Room}}]
departments: [{id: ward-1, name: {zh: 病区, en: Ward}, floor_area: 2000 m²}]
equipment:
  - id: w1
    class: water_meter
    room: r1
    rating: {flow: 10 m³/h}
    serves: [ward-1]
    register: {digits: 4, unit: m³}
    exchanges: [{at: 2026-01-14 06:00, end: 9000, start: 12}]
"""


def test_a_site_of_one_meter_can_be_simulated_and_its_meter_exchanged(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(SMALL_SITE, encoding="utf-8")
    small = load_site(tmp_path / "site.yaml")
    values = Hospital(small, seed=1).run(minutes(WEDNESDAY_US, 720))
    register = values["w1/volume_total"]
    assert register[359] == pytest.approx(9000.0, abs=200.0)
    assert register[360] == pytest.approx(12.0, abs=0.1)
    assert (np.diff(register[360:]) >= 0.0).all()
    assert register[-1] > 12.5


def test_a_register_rolls_over_after_its_last_digit(tmp_path: Path) -> None:
    text = SMALL_SITE.replace("    exchanges: [{at: 2026-01-14 06:00, end: 9000, start: 12}]\n", "")
    (tmp_path / "site.yaml").write_text(text, encoding="utf-8")
    hospital = Hospital(load_site(tmp_path / "site.yaml"), seed=1)
    hospital.step(WEDNESDAY_US)
    snapshot = hospital.snapshot()
    hospital.restore(
        type(snapshot)(snapshot.time_us, snapshot.memory, {**snapshot.registers, "w1/volume_total": 9999.9})
    )
    register = hospital.run(minutes(WEDNESDAY_US + MINUTE_US, 600))["w1/volume_total"]
    assert register.max() < 10_000.0
    assert register[-1] < 100.0


def test_highest_demand_of_the_month_begins_anew_with_the_month(site: Site) -> None:
    new_year = datetime(2026, 1, 1, tzinfo=site.time_zone)
    start = int((new_year - timedelta(hours=12)).timestamp()) * 1_000_000
    highest = Hospital(site, seed=1).run(minutes(start, 24 * 60))["hv1/max_demand"]
    assert (np.diff(highest[:719]) >= 0.0).all()
    assert highest[721] < highest[719]


def test_the_liquid_tank_takes_over_when_the_generators_blow_off_and_is_filled_when_low(site: Site) -> None:
    events = [FaultEvent("MG-F09", g, 1.0, WEDNESDAY_US, 0.0) for g in ("psa1", "psa2")]
    values = Hospital(site, 1, events).run(minutes(WEDNESDAY_US, 3 * 1440))
    assert (values["ox-main/active_source"][60:600] == 2.0).mean() > 0.9
    assert values["psa1/oxygen_purity"].min() < 90.0
    # Interlock and tank keep what patients get above the pharmacopoeias' floor.
    assert values["ox-main/oxygen_purity"].min() > 90.0
    mass = values["lox1/mass"]
    assert (mass[15:] - mass[:-15]).max() > 2000.0
    assert np.diff(mass).max() < 1000.0  # a lorry's pump gives no more in a minute
    assert mass.min() > 1600.0
