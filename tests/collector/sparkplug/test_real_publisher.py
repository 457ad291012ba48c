"""A real edge node at a real broker, understood across every kind of loss."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest

from api.live import LiveBoard
from collector.link import LinkSettings
from collector.quarantine import Quarantine
from collector.service import Collector
from collector.sparkplug.births import Births
from collector.status import CollectorSettings
from facility.database import Database
from facility.readings import HISTORICAL, StaleNotice
from facility.site import Site

pytestmark = pytest.mark.system

VOLTAGE, CURRENT, POWER, BREAKER = "Electrical/Voltage A", "Electrical/Current A", "Electrical/Power", "Breaker"
DEVICE = "dev-7"
ROOT = Path(__file__).parents[3]
QUICK = CollectorSettings(stop_s=5.0, link=LinkSettings(first_wait_s=0.1, longest_wait_s=0.5))


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def notices() -> list[StaleNotice]:
    """What was told of stale points."""
    return []


@pytest.fixture
def collecting(
    site: Site, store: Any, quarantine: Quarantine, database: Database, tmp_path: Path, mosquitto: Any,
    notices: list[StaleNotice], eventually: Any,
) -> Iterator[Callable[..., Collector]]:  # fmt: skip
    """Start collectors that keep births in the database; they are stopped at the end."""
    made: list[Collector] = []

    def start(**more: Any) -> Collector:
        told = {"births": Births(database), "data_dir": tmp_path, "on_stale": notices.append} | more
        collector = Collector(site, store, mosquitto.address, quarantine=quarantine, settings=QUICK, **told)
        made.append(collector)
        collector.start()
        eventually(lambda: collector.status().connected)
        return collector

    yield start
    for one in made:
        one.stop()


def values(store: Any, point: str) -> list[float]:
    return [float(v) for v in store.series([f"f1/{point}"], 0, 2**62)[f"f1/{point}"].value]


def last(store: Any, point: str) -> float | None:
    found = store.latest([f"f1/{point}"])
    return found[f"f1/{point}"].value if found else None


def test_births_are_understood_and_data_by_alias(collecting, edge_node, store, eventually):
    collecting()
    edge = edge_node()
    eventually(lambda: last(store, "breaker_closed") == 1.0)
    assert last(store, "voltage_a") == pytest.approx(230.5)
    assert last(store, "current_a") == pytest.approx(-1.2)
    assert last(store, "active_power") == pytest.approx(1.5)
    edge.send({VOLTAGE: 231.0, CURRENT: -20})
    edge.send({BREAKER: "open"}, by="name")
    eventually(lambda: last(store, "breaker_closed") == 0.0)
    assert last(store, "voltage_a") == pytest.approx(231.0)
    assert last(store, "current_a") == pytest.approx(-2.0)


def test_what_happens_before_we_subscribe_is_asked_for(collecting, edge_node, store, eventually):
    edge = edge_node()  # its births are lost: Sparkplug retains nothing
    edge.send({VOLTAGE: 231.0})
    collecting()
    eventually(lambda: last(store, "voltage_a") == 231.0)
    assert edge.rebirths == 1


def test_data_before_a_lost_birth_are_kept_until_the_rebirth(collecting, edge_node, store, eventually):
    edge = edge_node()
    edge.do("deaf", deaf=True)  # the first request, at our connection, goes unanswered
    collecting()
    eventually(lambda: edge.rebirths == 1)
    at = now_ms()
    edge.send({VOLTAGE: 225.0}, at_ms=at)
    edge.do("deaf", deaf=False)
    eventually(lambda: 225.0 in values(store, "voltage_a"))
    eventually(lambda: edge.rebirths == 2)


class Child:
    """A collector in a process of its own, made to be killed."""

    def __init__(self, folder: Path, site: Site, broker: Any) -> None:
        folder.mkdir()
        task = {"folder": str(folder), "site": site.files[0], "broker": broker.url, "writes": 0}
        command = [sys.executable, str(ROOT / "tests/collector/crash_child.py"), json.dumps(task)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)

    def stored(self, readings: int) -> None:
        """Wait until it has stored so many readings."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if json.loads(line)["stored"] >= readings:
                return
        raise AssertionError("the collector has ended")

    def kill(self) -> None:
        """Kill -9."""
        self._process.kill()
        self._process.wait(20)


@pytest.fixture
def child(tmp_path: Path, site: Site, mosquitto: Any) -> Iterator[Child]:
    """A running collector in a process of its own; what it keeps lies in `tmp_path / "child"`."""
    child = Child(tmp_path / "child", site, mosquitto.address)
    yield child
    child.kill()


def test_after_a_kill_data_are_understood_by_the_births_on_record(
    child, collecting, edge_node, store, eventually, tmp_path, states
):
    eventually(lambda: states)
    edge = edge_node()
    child.stored(4)  # the birth's values
    edge.send({VOLTAGE: 229.0})
    child.stored(5)
    child.kill()
    eventually(lambda: states[-1]["online"] is False)  # the will
    edge.do("deaf", deaf=True)  # it answers no request: only the record can tell
    kept = Database(f"sqlite:///{tmp_path}/child/wardwatt.db")
    collecting(births=Births(kept), data_dir=tmp_path / "child")
    edge.send({VOLTAGE: 228.0})
    eventually(lambda: last(store, "voltage_a") == 228.0)
    assert values(store, "voltage_a") == [228.0]
    eventually(lambda: states[-1]["online"] is True)


def test_after_a_restart_with_the_record_lost_a_rebirth_tells(collecting, edge_node, store, eventually):
    first = collecting(births=None, data_dir=None)
    edge = edge_node()
    edge.send({VOLTAGE: 229.0})
    eventually(lambda: last(store, "voltage_a") == 229.0)
    first.stop()
    collecting(births=None, data_dir=None)
    edge.send({VOLTAGE: 228.0})
    eventually(lambda: last(store, "voltage_a") == 228.0)
    assert edge.rebirths >= 1


def test_messages_missed_while_we_were_away_are_noticed(collecting, edge_node, store, eventually):
    first = collecting()
    edge = edge_node()
    edge.send({VOLTAGE: 229.0})
    eventually(lambda: last(store, "voltage_a") == 229.0)
    first.stop()
    for _ in range(3):
        edge.send({VOLTAGE: 100.0})  # QoS 0: no broker keeps them for us
    collecting()
    eventually(lambda: last(store, "voltage_a") == 100.0)  # by the rebirth


def test_its_restart_begins_a_new_session(collecting, edge_node, store, eventually, notices):
    collecting()
    edge = edge_node(bd_seq=3)
    eventually(lambda: last(store, "voltage_a") == 230.5)
    edge.vanish()
    eventually(lambda: notices)
    again = edge_node(bd_seq=4)
    again.send({VOLTAGE: 227.0})
    eventually(lambda: last(store, "voltage_a") == 227.0)


def test_a_missing_message_leads_to_a_rebirth_and_nothing_else_is_lost(collecting, edge_node, store, eventually):
    collecting()
    edge = edge_node()
    eventually(lambda: last(store, "voltage_a") == 230.5)
    asked = edge.rebirths
    # Each at a millisecond of its own: of two readings of one point and time the last one stands.
    edge.send({VOLTAGE: 221.0}, at_ms=now_ms() - 20, skip=1)
    edge.send({VOLTAGE: 222.0}, at_ms=now_ms() - 10)
    eventually(lambda: edge.rebirths == asked + 1)
    eventually(lambda: {221.0, 222.0} <= set(values(store, "voltage_a")))
    edge.send({VOLTAGE: 223.0})
    eventually(lambda: last(store, "voltage_a") == 223.0)
    assert edge.rebirths == asked + 1


def test_messages_in_the_wrong_order_need_no_rebirth(collecting, edge_node, store, eventually):
    collecting()
    edge = edge_node()
    eventually(lambda: last(store, "voltage_a") == 230.5)
    asked = edge.rebirths
    edge.do("swapped", first={VOLTAGE: 221.0}, second={POWER: 9000.0})
    edge.send({VOLTAGE: 222.0})
    eventually(lambda: last(store, "voltage_a") == 222.0)
    assert last(store, "active_power") == pytest.approx(9.0)
    assert edge.rebirths == asked


def test_history_is_stored_as_such(collecting, edge_node, store, eventually):
    collecting()
    edge = edge_node()
    at = now_ms() - 60_000
    edge.send({VOLTAGE: 219.0}, at_ms=at, historical=True)
    eventually(lambda: 219.0 in values(store, "voltage_a"))
    series = store.series(["f1/voltage_a"], 0, 2**62)["f1/voltage_a"]
    assert (int(series.time_us[0]), int(series.quality[0])) == (at * 1000, HISTORICAL)


def test_a_devices_death_is_told_and_its_return_too(collecting, edge_node, store, eventually, notices, site):
    board = LiveBoard(site.points)
    collecting(sinks=[board], on_stale=lambda notice: (board.mark_stale(notice), notices.append(notice)))
    edge = edge_node()
    eventually(lambda: board.latest("f1/voltage_a"))
    began = now_ms() * 1000 - 1000
    edge.do("device_death")
    offline_us = eventually(lambda: board.latest("f1/voltage_a").offline_us)
    assert began <= offline_us <= now_ms() * 1000
    assert (notices[-1].gateway, notices[-1].device) == ("Hospital/edge-1", DEVICE)
    edge.do("device_back")
    eventually(lambda: board.latest("f1/voltage_a").offline_us is None)


def test_a_nodes_death_by_its_will_outlasts_our_restart(collecting, edge_node, store, eventually, notices):
    first = collecting()
    edge = edge_node()
    eventually(lambda: last(store, "voltage_a") == 230.5)
    edge.vanish()
    eventually(lambda: notices)
    told = notices[0]
    assert (told.gateway, told.device) == ("Hospital/edge-1", None)
    first.stop()
    notices.clear()
    collecting()
    assert [(n.at_us, n.point.tolist()) for n in notices] == [(told.at_us, told.point.tolist())]


def test_an_orderly_farewell_is_a_death_too(collecting, edge_node, store, eventually, notices):
    # This library takes leave with the number of its next session: silence shows that it meant the present one.
    collecting()
    edge = edge_node()
    eventually(lambda: last(store, "voltage_a") == 230.5)
    edge.do("disconnect")
    eventually(lambda: notices)


@pytest.fixture
def states(mosquitto: Any, publisher: Any) -> list[dict[str, Any]]:
    """What a gateway sees of our STATE."""
    seen: list[dict[str, Any]] = []
    gateway = publisher(mosquitto.address, "watcher")
    gateway.client.on_message = lambda _c, _d, message: seen.append(json.loads(message.payload))
    gateway.client.subscribe("spBv1.0/STATE/wardwatt-demo", 1)
    return seen


def test_gateways_see_that_we_are_there_and_that_we_go(collecting, states, eventually):
    collector = collecting()
    eventually(lambda: states)
    assert states[0]["online"] is True
    assert abs(states[0]["timestamp"] - now_ms()) < 60_000
    collector.stop()
    eventually(lambda: len(states) == 2)
    assert states[1] == {"online": False, "timestamp": states[0]["timestamp"]}


def test_our_death_is_told_by_our_will(collecting, states, eventually, mosquitto):
    collector = collecting()
    eventually(lambda: states)
    stolen = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="wardwatt-demo")
    stolen.connect(mosquitto.address.host, mosquitto.port)  # the broker throws the collector out: its will speaks
    stolen.loop_start()
    eventually(lambda: {"online": False, "timestamp": states[0]["timestamp"]} in states)
    stolen.disconnect()
    stolen.loop_stop()
    eventually(lambda: states[-1]["online"] and collector.status().connected)
    assert states[-1]["timestamp"] > states[0]["timestamp"]


def test_who_says_that_we_are_gone_is_corrected(collecting, states, eventually, publisher, mosquitto):
    collecting()
    eventually(lambda: states)
    liar = publisher(mosquitto.address, "liar")
    liar.send("spBv1.0/STATE/wardwatt-demo", {"online": False, "timestamp": 1}, retain=True)
    eventually(lambda: [s["online"] for s in states] == [True, False, True])
