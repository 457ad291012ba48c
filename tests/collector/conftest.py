"""A small site, real stores, and a real mosquitto on a free loopback port."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest

from collector.benchmark import find_mosquitto
from collector.broker import BrokerAddress
from collector.quarantine import Quarantine
from facility.database import Database
from facility.errors import ConfigurationError
from facility.site import Site
from facility.site_file import load_site
from facility.store import TelemetryStore
from facility.store.opening import open_store

SITE = """
site: {id: demo, name: {zh: 示范医院, en: Demo Hospital}, time_zone: Asia/Shanghai}
buildings: [{id: main, name: {zh: 主楼, en: Main building}}]
rooms:
  - {id: power-1, kind: power_room, building: main, name: {zh: 配电房, en: Power room}}
equipment:
  - {id: f1, class: lv_feeder, room: power-1, rating: {current: 400 A}, name: {zh: 馈线一, en: Feeder 1}}
  - {id: f2, class: lv_feeder, room: power-1, rating: {current: 400 A}, name: {zh: 馈线二, en: Feeder 2}}
  - id: dtu
    class: lv_feeder
    room: power-1
    rating: {current: 400 A}
    name: {zh: 采集器, en: Data unit}
    telemetry:
      gateway: gw-1
      topic: field/dtu-7/up
      format: json
      time: {key: data.when, unit: iso}
      points:
        voltage_a: data.phase.ua
        active_power: {key: data.p, unit: W}
        current_a: {key: data.ia, scale: 0.01, offset: 1}
        breaker_closed: {key: data.cb, states: {合: 1, 分: 0}}
  - id: plain
    class: lv_feeder
    room: power-1
    rating: {current: 400 A}
    name: {zh: 单值表, en: Plain meter}
    telemetry: {gateway: gw-2, topic: "field/meter/{point}", format: plain, points: {voltage_a: U1}}
  - id: secs
    class: lv_feeder
    room: power-1
    rating: {current: 400 A}
    name: {zh: 毫秒表, en: Millisecond meter}
    telemetry: {topic: field/ms, format: json, time: {key: clock, unit: ms}, points: {voltage_a: t}}
"""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site with a feeder on the default topics, and three that report in ways of their own."""
    path = tmp_path_factory.mktemp("site") / "site.yaml"
    path.write_text(SITE, encoding="utf-8")
    return load_site(path)


@pytest.fixture
def database(migrated_sqlite: Database) -> Database:
    """A migrated SQLite database."""
    return migrated_sqlite


@pytest.fixture
def quarantine(database: Database) -> Quarantine:
    """An empty quarantine."""
    return Quarantine(database)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TelemetryStore]:
    """An empty DuckDB store."""
    with open_store(tmp_path / "telemetry.duckdb") as store:
        yield store


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Wait until a condition holds, and return what it gave; fail if it does not within a generous time."""

    def wait(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
        until = time.monotonic() + seconds
        while True:
            result = condition()
            if result:
                return result
            if time.monotonic() > until:
                raise AssertionError(f"did not become true within {seconds:g} s")
            time.sleep(0.02)

    return wait


class Mosquitto:
    """A mosquitto of our own, which can be stopped, killed and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.extra = ""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> BrokerAddress:
        return BrokerAddress("127.0.0.1", self.port)

    def start(self) -> None:
        config = self.folder / "mosquitto.conf"
        config.write_text(
            f"listener {self.port} 127.0.0.1\n{self.extra or 'allow_anonymous true'}\nmax_queued_messages 0\n"
            f"persistence true\npersistence_location {self.folder}/\nuser root\n"
        )
        self._process = subprocess.Popen(
            [find_mosquitto(), "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                assert self._process.poll() is None, "mosquitto ended at once"
                assert time.monotonic() < until, "mosquitto does not listen"
                time.sleep(0.02)

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(20)
            self._process = None


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A running mosquitto with persistence."""
    try:
        find_mosquitto()
    except ConfigurationError:
        pytest.fail("mosquitto is not installed; run: sudo apt-get install mosquitto")
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    broker = Mosquitto(folder)
    broker.start()
    yield broker
    broker.stop()


class Publisher:
    """A gateway: publishes with QoS 1 and can wait until the broker has everything."""

    def __init__(self, address: BrokerAddress, client_id: str = "gateway") -> None:
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False)
        if address.user is not None:
            self.client.username_pw_set(address.user, address.password)
        self.client.max_inflight_messages = 500
        self.client.reconnect_delay_set(1, 1)
        self.client.connect(address.host, address.port)
        self.client.loop_start()
        self.last: mqtt.MQTTMessageInfo | None = None

    def send(self, topic: str, payload: Any, qos: int = 1, retain: bool = False) -> None:
        data = payload if isinstance(payload, bytes | str) else json.dumps(payload)
        self.last = self.client.publish(topic, data, qos=qos, retain=retain)

    def flush(self) -> None:
        if self.last is not None:
            self.last.wait_for_publish(60)
            assert self.last.is_published()

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def publisher() -> Iterator[Callable[..., Publisher]]:
    """Make publishers; they are closed at the end."""
    made: list[Publisher] = []

    def make(address: BrokerAddress, client_id: str = "gateway") -> Publisher:
        made.append(Publisher(address, client_id))
        return made[-1]

    yield make
    for one in made:
        one.close()
