"""Two collectors share one broker's messages and one store: each reading is stored once, also when one is killed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from collector.filters import shared_filters
from collector.watch import Watch
from facility.errors import ConfigurationError
from facility.readings import ReadingBatch
from facility.store.opening import open_store
from tests.facility.store.influxd import SHARED

F1 = "demo/power-1/f1/telemetry"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def influx_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    SHARED.folder = tmp_path_factory.mktemp("influxd")
    yield SHARED.server().url("sharing")
    SHARED.stop()


class Member:
    """A collector in a process of its own, with a data folder of its own."""

    def __init__(self, folder: Path, task: dict[str, Any]) -> None:
        folder.mkdir(exist_ok=True)
        told = json.dumps({**task, "folder": str(folder)})
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).parent / "crash_child.py"), told],
            stdout=subprocess.PIPE, cwd=ROOT, env={"PYTHONPATH": str(ROOT), "PATH": ""},
        )  # fmt: skip

    def until(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            state: dict[str, Any] = json.loads(line)
            if condition(state):
                return state
        raise AssertionError(f"the collector ended with {self.process.wait()}")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def member(tmp_path: Path) -> Iterator[Callable[..., Member]]:
    started: list[Member] = []

    def start(name: str, task: dict[str, Any]) -> Member:
        started.append(Member(tmp_path / name, {**task, "writes": 0, "client_id": f"wardwatt-demo-{name}"}))
        return started[-1]

    yield start
    for one in started:
        one.kill()


def test_two_collectors_store_each_reading_once_and_one_that_is_killed_loses_none(
    site, mosquitto, publisher, eventually, influx_url, member
):
    task = {"site": site.files[0], "broker": mosquitto.address.url, "store": influx_url, "share": "plant"}
    first, second = member("a", task), member("b", task)
    for one in (first, second):
        one.until(lambda s: s["connected"])
    gateway = publisher(mosquitto.address)
    start, count = time.time_ns() // 1_000_000 - 60_000, 8000
    for i in range(count // 2):
        gateway.send(F1, {"ts": start + i, "voltage_a": i % 300})
    # Both have their share.
    first.until(lambda s: s["stored"] > 100)
    second.until(lambda s: s["stored"] > 100)
    first.kill()
    for i in range(count // 2, count):
        gateway.send(F1, {"ts": start + i, "voltage_a": i % 300})
    gateway.flush()
    # What the killed one had not acknowledged waits for it.
    member("a", task)
    with open_store(influx_url, read_only=True) as store:
        eventually(lambda: len(store.series(["f1/voltage_a"], 0, 2**62)["f1/voltage_a"]) >= count)
        found = store.series(["f1/voltage_a"], 0, 2**62)["f1/voltage_a"]
    assert (found.time_us // 1000 - start).tolist() == list(range(count))
    assert found.value.tolist() == [float(i % 300) for i in range(count)]


def test_a_watch_hears_everything_while_others_share_the_messages(
    site, mosquitto, publisher, eventually, influx_url, member
):
    heard: list[ReadingBatch] = []
    task = {"site": site.files[0], "broker": mosquitto.address.url, "store": influx_url, "share": "plant"}
    for name in ("c", "d"):
        member(name, task).until(lambda s: s["connected"])
    watch = Watch(site, mosquitto.address, "judge", ("demo/#",), lambda batch, _: heard.append(batch))
    watch.start()
    eventually(lambda: watch.covers(time.time_ns() // 1000))
    gateway = publisher(mosquitto.address)
    gateway.send("demo/power-1/f2/voltage_a", "230", retain=True)
    for i in range(100):
        gateway.send(F1, {"ts": time.time_ns() // 1_000_000 + i, "voltage_b": i})
    eventually(lambda: sum(len(batch) for batch in heard) >= 101)
    watch.stop()
    assert watch.state == "stopped"
    again: list[ReadingBatch] = []
    watch = Watch(site, mosquitto.address, "judge", ("demo/#",), lambda batch, _: again.append(batch))
    watch.start()
    eventually(lambda: watch.covers(time.time_ns() // 1000))
    gateway.send(F1, {"ts": time.time_ns() // 1_000_000, "voltage_b": 7})
    eventually(lambda: again)
    watch.stop()
    # Neither what was published while it was away, nor what the broker keeps as last known.
    assert [batch.value.tolist() for batch in again] == [[7.0]]


@pytest.mark.parametrize("name", ["", "a/b", "a+", "#", "a\nb"])
def test_a_group_has_a_name_that_mqtt_knows(name):
    with pytest.raises(ConfigurationError, match="no name for a group"):
        shared_filters(["demo/#"], name)
    assert shared_filters(["demo/#", "x/+"], "plant") == ("$share/plant/demo/#", "$share/plant/x/+")
