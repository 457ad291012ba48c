"""An oxygen point that is sent only on change: no false alarm while its device lives, one in time when it dies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from analytics.data_health import DataHealth
from analytics.desk import Desk
from analytics.live import LiveRules
from facility.database import Database
from facility.liveness import Liveness
from facility.readings import ReadingBatch, StaleNotice
from facility.site_file import load_site
from facility.store.opening import open_store

S = 1_000_000
NOW = 1_784_140_800 * S
SPARKPLUG = "format: sparkplug, group: G, node: n, device: d"
PLAIN = 'format: plain, topic: "z/{point}", alive: 2 min'


class Plant:
    """An oxygen zone and all that judges its readings; the test turns the time."""

    def __init__(self, folder: Path, database: Database, telemetry: str) -> None:
        file = folder / "site.yaml"
        file.write_text(
            "site: {id: demo, name: {zh: 示范, en: Demo}}\n"
            f"equipment: [{{id: zone, class: oxygen_pipeline_zone, telemetry: {{gateway: gw, {telemetry}}}}}]\n",
            encoding="utf-8",
        )
        self.site = load_site(file)
        self.database, self.now_us = database, NOW
        self.store = open_store(str(folder / "t.duckdb"))
        self.measured = [i for i, a in enumerate(self.site.points.addresses) if a.kind != "derived"]
        self.pressure = self.site.points.index["zone/pressure"]
        self.lives = False
        self.start()

    def start(self) -> None:
        self.desk = Desk(self.database, self.site, lambda: self.now_us)
        nobody = np.empty(0, dtype=np.int32)
        everybody = np.array(self.measured, dtype=np.int32)
        self.liveness = Liveness(self.site, lambda: self.now_us, lambda: everybody if self.lives else nobody)
        clock, heard = lambda: self.now_us, self.liveness.heard_us
        self.watch = DataHealth(self.site, self.store, self.desk, clock, vouched=heard)
        self.rules = LiveRules(self.site)
        self.events: list[str] = []

    def send(self, points: list[int], value: float) -> None:
        batch = ReadingBatch.of(self.site.points, points, [self.now_us] * len(points), [value] * len(points))
        self.store.write(batch)
        self.liveness(batch)
        self.watch(batch)
        self.events += [e.kind for e in self.rules.evaluate(batch, self.now_us) if e.kind != "worse"]

    def die(self) -> None:
        self.lives = False
        notice = StaleNotice(np.array(self.measured, dtype=np.int32), self.now_us, "G/n", "d")
        self.watch.goodbye(notice)
        self.events += [e.kind for e in self.rules.mark_stale(notice, self.now_us)]

    def wait(self, seconds: int) -> None:
        for _ in range(seconds // 5):
            self.now_us += 5 * S
            self.rules.hold(self.liveness.held_us(), self.now_us)
            self.events += [e.kind for e in self.rules.tick(self.now_us) if e.kind != "worse"]
            self.watch.look()

    def alarms(self) -> list[tuple[str, str]]:
        return [(a.priority, a.cause) for a in self.desk.open_alerts()]


@pytest.fixture
def plant(request: pytest.FixtureRequest, tmp_path: Path, database: Database) -> Iterator[Plant]:
    made = Plant(tmp_path, database, request.param)
    yield made
    made.store.close()


def kept(plant: Plant, fraction: float) -> float:
    """A pressure so far inside (0.5) or below (negative) the normal band."""
    low, high = plant.site.point("zone/pressure").normal
    return low + fraction * (high - low)


@pytest.mark.parametrize("plant", [SPARKPLUG], indirect=True)
def test_a_living_sparkplug_node_is_not_silent_and_a_dead_one_is_at_once(plant):
    plant.lives = True
    plant.send(plant.measured, kept(plant, 0.5))
    plant.wait(1800)
    assert plant.alarms() == []
    assert not plant.watch.state().silence.point.any()
    plant.die()
    plant.wait(5)
    assert [priority for priority, _ in plant.alarms()] == ["P1"]
    plant.lives = True
    plant.wait(30)
    assert plant.desk.findings(active=True)  # it lives again, but has told no value
    plant.send(plant.measured, kept(plant, 0.5))
    plant.wait(10)
    assert not plant.desk.findings(active=True)


@pytest.mark.parametrize("plant", [SPARKPLUG], indirect=True)
def test_a_node_of_which_nothing_is_known_after_a_restart_alarms_in_time(plant):
    plant.lives = True
    plant.send(plant.measured, kept(plant, 0.5))
    plant.wait(60)
    plant.lives = False
    plant.start()
    plant.wait(85)
    assert plant.alarms() == []
    plant.wait(15)
    assert [priority for priority, _ in plant.alarms()] == ["P1"]


@pytest.mark.parametrize("plant", [SPARKPLUG], indirect=True)
def test_a_point_without_value_stays_so_though_its_device_lives(plant):
    plant.lives = True
    plant.send(plant.measured, kept(plant, 0.5))
    plant.wait(10)
    notice = StaleNotice(np.array([plant.pressure], dtype=np.int32), plant.now_us, "G/n", "d")
    plant.watch.goodbye(notice)
    plant.wait(10)
    assert [priority for priority, _ in plant.alarms()] == ["P1"]


@pytest.mark.parametrize("plant", [PLAIN], indirect=True)
def test_a_plain_topic_on_change_holds_while_another_point_of_the_machine_is_heard(plant):
    plant.send(plant.measured, kept(plant, 0.5))
    other = next(p for p in plant.measured if p != plant.pressure)
    for _ in range(20):
        plant.wait(100)
        plant.send([other], 1.0)
    assert plant.alarms() == []
    plant.wait(120 + 25)
    assert plant.alarms() == []
    plant.wait(15)
    assert [priority for priority, _ in plant.alarms()] == ["P1"]


@pytest.mark.parametrize("plant", [SPARKPLUG], indirect=True)
def test_a_limit_fires_and_stays_on_a_value_that_is_sent_once(plant):
    plant.lives = True
    plant.send(plant.measured, kept(plant, 0.5))
    plant.wait(3600)
    plant.events.clear()
    plant.send([plant.pressure], kept(plant, -3))
    plant.wait(1800)
    assert set(plant.events) == {"firing"}
    plant.events.clear()
    plant.die()
    assert set(plant.events) == {"unknown"}


@pytest.mark.parametrize("plant", [SPARKPLUG], indirect=True)
def test_without_a_word_of_its_node_a_value_is_soon_not_believed(plant):
    plant.lives = True
    plant.send(plant.measured, kept(plant, -3))
    plant.wait(600)
    assert set(plant.events) == {"firing"}
    plant.events.clear()
    plant.lives = False  # the connection is cut: nobody tells of a death
    plant.wait(120)
    assert set(plant.events) == {"unknown"}


@pytest.mark.parametrize("plant", [SPARKPLUG], indirect=True)
def test_rest_and_pauses_of_what_is_sent_on_change_are_no_finding(plant):
    rest = kept(plant, 0.5)
    for hours in (0, 1, 30, 31, 32, 33, 34, 34.1, 47):
        at = NOW - 48 * 3600 * S + round(hours * 3600 * S)
        n = len(plant.measured)
        plant.store.write(ReadingBatch.of(plant.site.points, plant.measured, [at] * n, [rest] * n))
    plant.start()
    plant.watch.examine(10**9)
    assert {f.code for f in plant.desk.findings(active=True)} == set()
