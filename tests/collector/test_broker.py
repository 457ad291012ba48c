"""The embedded broker: no one in without the password, and no one answered before the collector has stored."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest

from collector.broker import BrokerAddress, EmbeddedBroker
from collector.link import LinkSettings
from collector.quarantine import Quarantine
from collector.service import Collector, expected_sessions
from collector.status import CollectorSettings
from facility.errors import ConfigurationError, StoreUnavailable
from facility.site import Site
from facility.store.opening import open_store

F1 = "demo/power-1/f1/telemetry"
ROOT = Path(__file__).parents[2]
QUICK = CollectorSettings(first_retry_s=0.05, longest_retry_s=0.2, stop_s=5.0,
                          link=LinkSettings(first_wait_s=0.1, longest_wait_s=0.5))  # fmt: skip


@pytest.fixture
def broker(site: Site, tmp_path: Path) -> Iterator[EmbeddedBroker]:
    """A running embedded broker that expects the site's collector."""
    broker = EmbeddedBroker(port=0, data_dir=tmp_path, sessions=expected_sessions(site))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def collecting(site: Site, quarantine: Quarantine, tmp_path: Path) -> Iterator[Callable[..., Collector]]:
    """Start collectors; they are stopped at the end."""
    made: list[Collector] = []

    def start(store: Any, broker: EmbeddedBroker) -> Collector:
        made.append(Collector(site, store, broker.address, quarantine=quarantine, data_dir=tmp_path, settings=QUICK))
        made[-1].start()
        return made[-1]

    yield start
    for collector in made:
        collector.stop()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("mqtt://10.0.0.5", BrokerAddress("10.0.0.5", 1883)),
        ("broker.local:1884", BrokerAddress("broker.local", 1884)),
        ("mqtt://u:p%40ss@h:1", BrokerAddress("h", 1, user="u", password="p@ss")),
        ("mqtts://h?ca=/etc/ca.pem", BrokerAddress("h", 8883, tls=True, ca_file="/etc/ca.pem")),
        ("mqtt://[::1]:1883", BrokerAddress("::1", 1883)),
    ],
)
def test_an_address_is_read_from_a_url(text, address):
    assert BrokerAddress.parse(text) == address


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("http://h", "'http' is no way to a broker"),
        ("mqtt://", "host is missing"),
        ("mqtt://h:99999", "not a number from 1 to 65535"),
        ("mqtt://h/topic", "topics stand in the site file"),
        ("mqtts://h?key=1", "option 'key' is not known"),
    ],
)
def test_what_is_wrong_with_an_address_is_told(text, words):
    with pytest.raises(ValueError, match=words):
        BrokerAddress.parse(text)


def test_the_password_is_shown_nowhere_but_in_the_url():
    address = BrokerAddress("h", 1, user="u", password="p@ss")
    assert "p@ss" not in f"{address} {address!r}"
    assert address.url == "mqtt://u:p%40ss@h:1"
    assert BrokerAddress.parse(address.url) == address


def test_the_collector_falls_back_to_mqtt_3_1_1(broker, collecting, store, publisher, eventually):
    collector = collecting(store, broker)
    eventually(lambda: collector.status().connected)
    assert collector.status().protocol == "MQTT 3.1.1"
    publisher(broker.address).send(F1, {"ts": now_ms(), "voltage_a": 230})
    eventually(lambda: collector.status().stored == 1)


def test_what_is_published_before_the_collector_first_connects_waits_for_it(
    broker, collecting, store, publisher, eventually
):
    gateway = publisher(broker.address)
    start = now_ms()
    for i in range(300):
        gateway.send(F1, {"ts": start + i, "voltage_a": i})
    collector = collecting(store, broker)
    eventually(lambda: collector.status().stored == 300)
    assert store.series(["f1/voltage_a"], 0, 2**62)["f1/voltage_a"].value.tolist() == [float(i) for i in range(300)]


class Door:
    """The real store behind a door that can be shut."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.open = threading.Event()

    def write(self, batch: Any) -> None:
        if not self.open.is_set():
            raise StoreUnavailable("the disk is full")
        self.inner.write(batch)


def test_a_publisher_is_answered_only_when_its_message_is_stored_however_long_that_takes(
    broker, collecting, store, publisher, eventually
):
    door = Door(store)
    collector = collecting(door, broker)
    eventually(lambda: collector.status().connected)
    gateway = publisher(broker.address)
    for i in range(50):
        gateway.send(F1, {"ts": now_ms() + i, "voltage_a": i})
    eventually(lambda: collector.status().received == 50)
    assert not gateway.last.is_published()
    time.sleep(6)  # amqtt by itself gives a message up after five seconds
    assert not gateway.last.is_published()
    # The collector's line breaks, and another takes the session over.
    collector.stop()
    second = collecting(door, broker)
    eventually(lambda: second.status().received == 50)
    door.open.set()
    gateway.flush()
    assert store.size().readings == 50
    eventually(lambda: second.status().stored == 50)


def test_a_session_that_a_stranger_left_behind_holds_up_nobody(broker, collecting, store, publisher, eventually):
    subscribed = threading.Event()
    stranger = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="stranger", clean_session=False)
    stranger.username_pw_set(broker.address.user, broker.address.password)
    stranger.on_connect = lambda c, *_: c.subscribe("demo/#", qos=1)
    stranger.on_subscribe = lambda *_: subscribed.set()
    stranger.connect(broker.address.host, broker.address.port)
    stranger.loop_start()
    assert subscribed.wait(20)
    stranger.disconnect()
    stranger.loop_stop()
    collecting(store, broker)
    gateway = publisher(broker.address)
    for i in range(1500):
        gateway.send(F1, {"ts": now_ms() - i, "voltage_a": i % 300})
    gateway.flush()
    # What fits was kept for it, should it come back.
    seen: list[int] = []
    stranger.on_message = lambda _c, _d, message: seen.append(message.mid)
    stranger.connect(broker.address.host, broker.address.port)
    stranger.loop_start()
    eventually(lambda: len(seen) == 1000)
    stranger.disconnect()
    stranger.loop_stop()


def test_a_flood_without_a_promise_ends_in_the_store_or_is_dropped(broker, collecting, store, publisher, eventually):
    collector = collecting(store, broker)
    eventually(lambda: collector.status().connected)
    gateway = publisher(broker.address)
    for i in range(500):
        gateway.send(F1, {"ts": now_ms() - i, "voltage_a": i % 300}, qos=0)
    gateway.send(F1, {"ts": now_ms(), "voltage_b": 1})
    gateway.flush()
    eventually(lambda: collector.status().received == 501)


def test_a_message_of_ten_megabytes_passes_and_is_quarantined(
    broker, collecting, store, publisher, eventually, quarantine
):
    collector = collecting(store, broker)
    gateway = publisher(broker.address)
    gateway.send(F1, b"x" * 10_000_000)
    gateway.send(F1, {"ts": now_ms(), "voltage_a": 230})
    gateway.flush()
    assert collector.status().stored == 1
    assert quarantine.by_reason() == {"payload-too-large": 1}


@pytest.mark.parametrize(("user", "password"), [(None, None), ("wardwatt", "wrong"), ("wardwatt", ""), ("", "x")])
def test_nobody_gets_in_without_the_password_nor_takes_the_collectors_session(
    broker, collecting, store, eventually, publisher, user, password
):
    collector = collecting(store, broker)
    eventually(lambda: collector.status().connected)
    answers: list[str] = []
    intruder = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="wardwatt-demo", reconnect_on_failure=False)
    if user is not None:
        intruder.username_pw_set(user, password)
    intruder.on_connect = lambda _c, _d, _f, reason, _p: answers.append(str(reason))
    intruder.connect(broker.address.host, broker.address.port)
    intruder.loop_forever()
    assert answers in (["Not authorized"], ["Bad user name or password"])
    assert collector.status().connections == 1
    publisher(broker.address).send(F1, {"ts": now_ms(), "voltage_a": 230})
    eventually(lambda: collector.status().stored == 1)


def test_rubbish_on_the_port_disturbs_nobody(broker, collecting, store, publisher, eventually):
    collector = collecting(store, broker)
    for rubbish in (b"", b"\x00", b"GET / HTTP/1.1\r\n\r\n", b"\x10\xff\xff\xff\xff\xff", os.urandom(4000)):
        with socket.create_connection((broker.address.host, broker.address.port), timeout=5) as line:
            line.sendall(rubbish)
    publisher(broker.address).send(F1, {"ts": now_ms(), "voltage_a": 230})
    eventually(lambda: collector.status().stored == 1)


def test_the_password_is_made_once_and_kept_for_the_owner_alone(tmp_path):
    first, second = EmbeddedBroker(port=0, data_dir=tmp_path), EmbeddedBroker(port=0, data_dir=tmp_path)
    first.start()
    second.start()
    assert first.address.password == second.address.password
    assert len(first.address.password or "") >= 20
    assert (tmp_path / "broker-password").stat().st_mode & 0o777 == 0o600
    first.stop()
    second.stop()
    third = EmbeddedBroker(port=0)
    third.start()
    assert third.address.password != first_password(tmp_path)
    third.stop()


def first_password(folder: Path) -> str:
    return (folder / "broker-password").read_text().strip()


def test_a_taken_port_is_told_with_the_mend():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigurationError, match="choose another port, or name the broker that runs there"):
            EmbeddedBroker(port=taken.getsockname()[1]).start()


def test_it_can_be_stopped_and_started_again(broker, collecting, store, publisher, eventually):
    collector = collecting(store, broker)
    eventually(lambda: collector.status().connected)
    broker.stop()
    broker.stop()
    eventually(lambda: not collector.status().connected)
    broker.start()
    eventually(lambda: collector.status().connected)
    publisher(broker.address).send(F1, {"ts": now_ms(), "voltage_a": 230})
    eventually(lambda: collector.status().stored == 1)


def test_killing_the_process_of_broker_and_collector_loses_no_reading_and_doubles_none(
    site, tmp_path, publisher, eventually, quarantine
):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    seed = EmbeddedBroker(port=0, data_dir=tmp_path)  # makes the password
    seed.start()
    address = BrokerAddress("127.0.0.1", port, user=seed.USER, password=seed.address.password)
    seed.stop()
    task = json.dumps(
        {"folder": str(tmp_path), "site": site.files[0], "broker": address.url, "writes": 0, "embedded": port}
    )

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, str(Path(__file__).parent / "crash_child.py"), task],
            stdout=subprocess.PIPE, cwd=ROOT, env={"PYTHONPATH": str(ROOT), "PATH": ""},
        )  # fmt: skip

    def until(process: subprocess.Popen[bytes], condition: Callable[[dict[str, Any]], bool]) -> None:
        assert process.stdout is not None
        assert any(condition(json.loads(line)) for line in process.stdout)

    child = start()
    until(child, lambda s: s["connected"])
    gateway = publisher(address)
    first_ms, count = now_ms() - 60_000, 1500
    for i in range(count):
        gateway.send(F1, {"ts": first_ms + i, "voltage_a": i % 300})
    for goal in (200, 400):
        until(child, lambda s, goal=goal: s["stored"] >= goal)
        child.kill()
        child.communicate()
        child = start()
    gateway.flush()
    child.kill()
    child.communicate()
    with open_store(tmp_path / "telemetry.duckdb") as store:
        series = store.series(["f1/voltage_a"], 0, 2**62)["f1/voltage_a"]
    assert series.time_us.tolist() == [(first_ms + i) * 1000 for i in range(count)]
    assert series.value.tolist() == [float(i % 300) for i in range(count)]
