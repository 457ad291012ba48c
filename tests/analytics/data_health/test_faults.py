"""Faults of data in the simulated hospital: each found with its own finding, and none on a healthy one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.data_health.examination import DAY_US, HOUR_US, examine
from analytics.data_health.findings import exam_findings
from analytics.data_health.plan import HealthPlan, make_plan
from analytics.findings import Finding
from facility.readings import OUT_OF_RANGE, ReadingBatch
from facility.site import Site
from facility.site_file import load_site
from facility.store import TelemetryStore
from facility.store.opening import open_store
from simulators.hospital import Hospital

END = 1_790_000_000_000_000
DEMO = Path(__file__).parents[3] / "examples" / "small" / "site.yaml"
# A few machines of different kinds: a whole hospital would say the same more slowly.
MACHINES = ("tx1", "fd-plant", "b1", "psa1", "oz-icu", "w-main", "bp1", "cp1", "ws1")
NOTHING = np.empty((0, 2), dtype=np.int64)

Change = Callable[[NDArray[np.int64], NDArray[np.float64]], tuple[NDArray[np.bool_], NDArray[np.float64]]]


@pytest.fixture(scope="module")
def demo() -> Site:
    return load_site(DEMO)


@pytest.fixture(scope="module")
def plan(demo: Site) -> HealthPlan:
    return make_plan(demo)


@pytest.fixture(scope="module")
def past(demo: Site) -> tuple[NDArray[np.int64], Mapping[str, NDArray[np.float64]]]:
    """Three healthy days of these machines, a reading a minute."""
    times = np.arange(END - 3 * DAY_US, END, 60_000_000, dtype=np.int64)
    values = Hospital(demo, 7).run(times)
    return times, {key: v for key, v in values.items() if key.split("/")[0] in MACHINES}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TelemetryStore]:
    with open_store(str(tmp_path / "t.duckdb")) as opened:
        yield opened


def write(store: TelemetryStore, site: Site, past: tuple, machine: str, changes: Mapping[str, Change]) -> None:
    times, values = past
    for key, healthy in values.items():
        if not key.startswith(f"{machine}/"):
            continue
        spec, kept, value = site.point(key), np.ones(times.shape, dtype=bool), healthy
        if key.split("/")[1] in changes:
            kept, value = changes[key.split("/")[1]](times, healthy.copy())
        low, high = spec.physical if spec is not None and spec.physical else (-np.inf, np.inf)
        quality = np.where((value < low) | (value > high), OUT_OF_RANGE, 0)
        n = int(kept.sum())
        point = [site.points.index[key]] * n
        store.write(ReadingBatch.of(site.points, point, times[kept], value[kept], quality[kept]))


def faults(plan: HealthPlan, store: TelemetryStore, machine: str) -> dict[str, Finding]:
    m = [item.id for item in plan.machines].index(machine)
    answers = exam_findings(plan, m, examine(plan, store, m, NOTHING, END), END)
    return {f.code: f for f in answers if f.verdict == "fault"}


def stuck_for(hours: float) -> Change:
    def change(times, value):
        since = int(np.searchsorted(times, END - hours * HOUR_US))
        value[since:] = value[since]
        return np.ones(times.shape, dtype=bool), value

    return change


def spikes(amount: float, each: int) -> Change:
    def change(times, value):
        value[::each] += amount
        return np.ones(times.shape, dtype=bool), value

    return change


def holes(each_us: int, length_us: int) -> Change:
    return lambda times, value: (times % each_us >= length_us, value)


def creeping(hours: float) -> Change:
    def change(times, value):
        since = int(np.searchsorted(times, END - hours * HOUR_US))
        value[since:] = value[since] + np.arange(times.size - since) * 1e-4
        return np.ones(times.shape, dtype=bool), value

    return change


@pytest.mark.parametrize("machine", MACHINES)
def test_a_healthy_machine_has_no_fault_of_data(machine: str, demo, plan, past, store) -> None:
    write(store, demo, past, machine, {})
    assert faults(plan, store, machine) == {}


def test_a_stuck_voltage_is_found_after_two_hours(demo, plan, past, store) -> None:
    write(store, demo, past, "fd-plant", {"voltage_b": stuck_for(2)})
    found = faults(plan, store, "fd-plant")
    assert set(found) == {"data.stuck"}
    assert found["data.stuck"].points == ("voltage_b",)
    assert found["data.stuck"].reach == "ticket"


def test_what_moves_seldom_is_given_more_time(demo, plan, past, store) -> None:
    write(store, demo, past, "ws1", {"outdoor_temperature": stuck_for(4)})
    assert faults(plan, store, "ws1") == {}
    write(store, demo, past, "ws1", {"outdoor_temperature": stuck_for(8)})
    assert set(faults(plan, store, "ws1")) == {"data.stuck"}


def test_a_stuck_oxygen_pressure_interrupts_somebody(demo, plan, past, store) -> None:
    write(store, demo, past, "oz-icu", {"pressure": stuck_for(8)})
    found = faults(plan, store, "oz-icu")["data.stuck"]
    assert (found.reach, found.priority) == ("alert", "P2")
    assert "氧气压力" in found.summary.zh


def test_a_value_that_stands_for_half_an_hour_is_not_yet_stuck(demo, plan, past, store) -> None:
    write(store, demo, past, "fd-plant", {"voltage_b": stuck_for(0.5)})
    assert faults(plan, store, "fd-plant") == {}


def test_a_machine_that_stands_still_may_rest(demo, plan, past, store) -> None:
    def off(times, value):
        return np.ones(times.shape, dtype=bool), np.where(times > END - 10 * HOUR_US, 0.0, value)

    names = [n for n, s in demo.equipment["bp1"].points.items() if s.kind == "gauge"]
    write(store, demo, past, "bp1", {"running": off, **{n: stuck_for(10) for n in names}})
    assert "data.stuck" not in faults(plan, store, "bp1")


def test_jumps_that_no_air_can_make_are_found(demo, plan, past, store) -> None:
    write(store, demo, past, "ws1", {"outdoor_temperature": spikes(25.0, 200)})
    found = faults(plan, store, "ws1")
    assert set(found) == {"data.jumps"}
    assert found["data.jumps"].reach == "line"


def test_impossible_values_are_found(demo, plan, past, store) -> None:
    write(store, demo, past, "w-main", {"pressure": spikes(655.35, 20)})
    assert set(faults(plan, store, "w-main")) == {"data.out_of_range"}


def test_gaps_that_come_back_are_found(demo, plan, past, store) -> None:
    points = [n for n, s in demo.equipment["fd-plant"].points.items() if s.kind != "derived"]
    write(store, demo, past, "fd-plant", {n: holes(2 * HOUR_US, HOUR_US // 3) for n in points})
    found = faults(plan, store, "fd-plant")
    assert set(found) == {"data.gaps"}
    assert found["data.gaps"].evidence["share"] == pytest.approx(1 / 6, abs=0.03)


def test_a_sensor_that_lost_its_noise_is_found_though_it_creeps(demo, plan, past, store) -> None:
    write(store, demo, past, "fd-plant", {"active_power": creeping(8)})
    assert set(faults(plan, store, "fd-plant")) == {"data.noise_lost"}


def test_with_less_than_a_day_nobody_can_tell_what_is_stuck(demo, plan, past, store) -> None:
    times, values = past
    young = times >= END - 9 * HOUR_US
    short = (times[young], {key: value[young] for key, value in values.items()})
    write(store, demo, short, "fd-plant", {"voltage_b": stuck_for(7)})
    m = [item.id for item in plan.machines].index("fd-plant")
    found = examine(plan, store, m, NOTHING, END)
    assert found[demo.points.index["fd-plant/voltage_b"]].stuck_after_us is None
    assert faults(plan, store, "fd-plant") == {}
