"""
Edge nodes of Sparkplug B: their bytes read by a decoder that knows nothing of ours, and by our own collector.

The decoder here knows the wire format of protobuf and the field numbers of the specification (3.0, chapter 6), no more.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api.options import Options
from api.runtime import Service
from collector.sparkplug.payload import rebirth_command
from facility.readings import HISTORICAL
from facility.site import Site
from facility.site_file import load_site
from simulators.gateways import reporters
from simulators.gateways.edge_node import EdgeNode, edge_nodes
from simulators.gateways.gateway import MessageGateway
from simulators.gateways.trouble import WELL, Trouble
from tests.simulators.conftest import Address, Mosquitto, Subscriber, eventually

US = 1_768_320_000_000_000
GROUP = "spBv1.0/Hospital"
SITE = """
site: {id: spark, name: {zh: 院, en: Spark}, time_zone: Asia/Shanghai}
rooms: [{id: r1, kind: pump_room, name: {zh: 房, en: Room}}]
telemetry: [{topic: "{site}/{equipment}", format: json, time: {key: ts, unit: ms}}]
equipment:
  - id: w1
    class: water_meter
    room: r1
    telemetry: {gateway: gw-1, format: sparkplug, group: Hospital, node: edge-1, device: dev-1}
  - id: p1
    class: pump
    room: r1
    rating: {power: 5.5 kW, current: 11 A, flow: 32 m³/h, head: 30 m, speed: 2900 r/min}
    telemetry:
      gateway: gw-1
      format: sparkplug
      group: Hospital
      node: edge-1
      device: dev-2
      points:
        outlet_pressure: {key: P/out, unit: bar}
        running: {key: State, states: {RUN: 1, STOP: 0}}
        auto: {key: Flags, bit: 2}
        fault: {key: Flags, bit: 0}
  - {id: w2, class: water_meter, room: r1}
"""


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Site:
    path = tmp_path_factory.mktemp("spark") / "site.yaml"
    path.write_text(SITE, encoding="utf-8")
    return load_site(path)


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield field number and raw value of each field of a protobuf message."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        number, kind = divmod(varint(), 8)
        size = {1: 8, 5: 4}.get(kind)
        if kind == 0:
            yield number, varint()
        else:
            size = varint() if size is None else size
            yield number, data[at : at + size]
            at += size


VALUES: dict[int, Callable[[Any], Any]] = {
    10: int, 11: int, 13: lambda raw: struct.unpack("<d", raw)[0], 14: bool, 15: bytes.decode,
}  # fmt: skip


def decoded(payload: bytes) -> dict[str, Any]:
    """Return the message as a dictionary; metrics by name, or by alias where they have no name."""
    message: dict[str, Any] = {"metrics": {}}
    for number, raw in fields(payload):
        if number in (1, 3):
            message[{1: "timestamp", 3: "seq"}[number]] = raw
        elif number == 2:
            assert isinstance(raw, bytes)
            metric: dict[str, Any] = {}
            for inner, value in fields(raw):
                if inner in VALUES:
                    metric["value"] = VALUES[inner](value)
                elif inner in (1, 2, 3, 4, 5, 7):
                    name = {1: "name", 2: "alias", 3: "timestamp", 4: "datatype", 5: "historical", 7: "null"}[inner]
                    metric[name] = value.decode() if isinstance(value, bytes) else value
            message["metrics"][metric.get("name", metric.get("alias"))] = metric
    return message


class Node:
    """The site's edge node, which lives second by second, as fast as the test wants."""

    def __init__(self, site: Site, address: Address, host: str | None = None) -> None:
        (plan,) = edge_nodes(site)
        self.node = EdgeNode(plan, address, "test-node", 1, host)
        self.status = self.node.status
        self.second = US // 1_000_000
        self.values = {
            "w1/flow": 1.5, "w1/volume_total": 100.0, "p1/outlet_pressure": 0.4, "p1/running": 1.0, "p1/auto": 1.0,
            "p1/fault": 0.0,
        }  # fmt: skip

    def live(self, seconds: int, trouble: Trouble = WELL) -> None:
        for _ in range(seconds):
            self.second += 1
            self.node.tick(self.second, self.values, trouble)

    def live_until(self, condition: Callable[[], Any]) -> None:
        eventually(lambda: (self.live(1), condition())[1])

    def __enter__(self) -> Node:
        self.node.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.node.stop()


def heard(subscriber: Subscriber, kind: str, device: str = "") -> list[dict[str, Any]]:
    tail = f"/{device}" if device else ""
    return [decoded(payload) for payload in subscriber.on(f"{GROUP}/{kind}/edge-1{tail}")]


def sequence(subscriber: Subscriber) -> list[int]:
    own = [m for m in subscriber.messages if m[0].startswith(GROUP) and "/NDEATH/" not in m[0] and "CMD" not in m[0]]
    return [decoded(payload)["seq"] for _, payload in own]


def test_a_node_is_born_with_every_metric_and_tells_what_changes(
    spark: Site, mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    with Node(spark, mosquitto.address) as node:
        node.live_until(lambda: heard(subscriber, "DBIRTH", "dev-2"))
        node.live(20)
        node.values |= {"w1/flow": 2.25, "p1/auto": 0.0, "p1/running": 0.0}
        node.live(20)
        eventually(lambda: heard(subscriber, "DDATA", "dev-1") and heard(subscriber, "DDATA", "dev-2"))
    (birth,) = heard(subscriber, "NBIRTH")
    assert birth["seq"] == 0
    assert birth["metrics"]["Node Control/Rebirth"]["value"] is False
    (device,) = heard(subscriber, "DBIRTH", "dev-2")
    metrics = device["metrics"]
    assert metrics["P/out"] | {"alias": 0, "timestamp": 0} == {
        "name": "P/out", "alias": 0, "timestamp": 0, "datatype": 10, "value": 4.0,
    }  # fmt: skip
    assert (metrics["State"]["datatype"], metrics["State"]["value"]) == (12, "RUN")
    assert (metrics["Flags"]["datatype"], metrics["Flags"]["value"]) == (4, 0b100)
    assert metrics["speed"]["null"] == 1  # it has no value yet
    aliases = [m["alias"] for b in (birth, device, *heard(subscriber, "DBIRTH", "dev-1")) for m in b["metrics"].values()
               if "alias" in m]  # fmt: skip
    assert len(set(aliases)) == len(aliases)
    (data,) = heard(subscriber, "DDATA", "dev-1")
    assert [m["value"] for m in data["metrics"].values()] == [2.25]
    (data,) = heard(subscriber, "DDATA", "dev-2")
    assert {a: m["value"] for a, m in data["metrics"].items()} == {
        metrics["State"]["alias"]: "STOP", metrics["Flags"]["alias"]: 0,
    }  # fmt: skip
    assert sequence(subscriber) == list(range(5))
    eventually(lambda: heard(subscriber, "NDEATH"))
    (death,) = heard(subscriber, "NDEATH")
    assert death["metrics"]["bdSeq"]["value"] == birth["metrics"]["bdSeq"]["value"]


def test_a_rebirth_that_is_asked_for_comes(spark: Site, mosquitto: Mosquitto, subscriber: Subscriber) -> None:
    with Node(spark, mosquitto.address) as node:
        node.live_until(lambda: heard(subscriber, "DBIRTH", "dev-2"))
        subscriber.publish(f"{GROUP}/NCMD/edge-1", rebirth_command(US))
        node.live_until(lambda: len(heard(subscriber, "DBIRTH", "dev-2")) == 2)
        births = heard(subscriber, "NBIRTH")
    assert [b["seq"] for b in births] == [0, 0]
    assert len({b["metrics"]["bdSeq"]["value"] for b in births}) == 1
    assert sequence(subscriber)[:6] == [0, 1, 2, 0, 1, 2]


def test_after_an_outage_the_node_is_born_anew_and_sends_what_it_kept_as_historical(
    spark: Site, mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    with Node(spark, mosquitto.address) as node:
        node.live_until(lambda: heard(subscriber, "DBIRTH", "dev-1"))
        cut_at = node.second
        for _ in range(60):
            node.values["w1/flow"] += 0.25
            node.live(1, Trouble(cut=True))
        assert node.status.kept > 0
        eventually(lambda: heard(subscriber, "NDEATH"))
        node.live_until(lambda: heard(subscriber, "DDATA", "dev-1"))
        eventually(lambda: node.status.kept == 0)
        node.values["w1/flow"] = 99.0
        node.live_until(lambda: any(99.0 in [m["value"] for m in d["metrics"].values()]
                                    for d in heard(subscriber, "DDATA", "dev-1")))  # fmt: skip
    first, second = heard(subscriber, "NBIRTH")
    numbers = [b["metrics"]["bdSeq"]["value"] for b in (first, second)]
    assert numbers[1] == (numbers[0] + 1) % 256
    assert heard(subscriber, "NDEATH")[0]["metrics"]["bdSeq"]["value"] == numbers[0]
    data = [m for d in heard(subscriber, "DDATA", "dev-1") for m in d["metrics"].values()]
    kept = [m for m in data if m.get("historical")]
    assert len(kept) >= 5
    assert all(cut_at * 1000 - 3000 < m["timestamp"] < (cut_at + 62) * 1000 for m in kept)
    assert [m["value"] for m in kept] == sorted(m["value"] for m in kept)
    assert not data[-1].get("historical")


def test_a_silent_device_dies_alone_and_is_born_again(
    spark: Site, mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    with Node(spark, mosquitto.address) as node:
        node.live_until(lambda: heard(subscriber, "DBIRTH", "dev-2"))
        gone = {key: node.values.pop(key) for key in list(node.values) if key.startswith("p1/")}
        node.live_until(lambda: heard(subscriber, "DDEATH", "dev-2"))
        assert not heard(subscriber, "DDEATH", "dev-1")
        node.values |= gone
        node.live_until(lambda: len(heard(subscriber, "DBIRTH", "dev-2")) == 2)
    assert sequence(subscriber) == list(range(len(sequence(subscriber))))


def test_a_node_waits_for_its_host_and_dies_when_it_goes(
    spark: Site, mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    state = "spBv1.0/STATE/wardwatt"
    with Node(spark, mosquitto.address, host="wardwatt") as node:
        node.live_until(lambda: node.status.connected)
        node.live(20)
        assert not heard(subscriber, "NBIRTH")
        subscriber.publish(state, b'{"online": true, "timestamp": 1}', retain=True)
        node.live_until(lambda: heard(subscriber, "NBIRTH"))
        subscriber.publish(state, b'{"online": false, "timestamp": 2}', retain=True)
        node.live_until(lambda: heard(subscriber, "NDEATH"))
        subscriber.publish(state, b'{"online": true, "timestamp": 3}', retain=True)
        node.live_until(lambda: len(heard(subscriber, "NBIRTH")) == 2)


def test_our_collector_stores_all_that_nodes_and_gateways_send_over_an_outage(
    spark: Site, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    url = f"mqtt://127.0.0.1:{mosquitto.port}"
    service = Service(Options(site=Path(spark.files[0]), data=tmp_path / "data", broker=url))
    service.open()
    service.start()
    plain = MessageGateway("room:r1", reporters(spark), mosquitto.address, "test-plain", 1)
    plain.start()
    begin = time.time_ns() // 1_000_000_000 - 300
    try:
        eventually(lambda: service.collector is not None and service.collector.status().connected)
        with Node(spark, mosquitto.address) as node:
            node.second = begin
            node.live_until(lambda: node.status.connected and plain.status.connected)
            node.live_until(lambda: "w1/flow" in service.store.latest())
            node.second = begin = max(node.second, begin + 20)
            for turn in range(200):
                trouble = Trouble(cut=True) if 60 <= turn < 120 else WELL
                node.values |= {"w1/flow": float(turn + 1), "w2/flow": float(turn + 1)}
                node.live(1, trouble)
                plain.tick(node.second, node.values, trouble)
                if turn == 120:
                    eventually(lambda: plain.status.connected and node.status.connected)
            node.live_until(lambda: node.status.kept == 0)
            eventually(lambda: stored(service, "w2/flow")[1].max(initial=0.0) > 185.0)
            eventually(lambda: stored(service, "w1/flow")[1].max(initial=0.0) > 185.0)
            for key in ("w1/flow", "w2/flow"):
                times, values, _ = stored(service, key)
                counted = (values > 1.5) & (values < 200.0)  # what it shows before and after the count does not matter
                # A machine is asked every ten seconds, and nothing of that is missing, also while the line was cut;
                # the births of a node tell once more what holds.
                assert np.diff(times[counted]).max() < 10_100_000, key
                assert set(np.diff(np.unique(values[counted])).tolist()) == {10.0}, key
                assert values[counted].min() <= 11.0 <= 185.0 <= values.max(), key
            times, values, quality = stored(service, "w1/flow")
            cut = (values > 61) & (values <= 120)
            assert np.count_nonzero(quality[cut] & HISTORICAL) >= 5
            assert not (quality[values > 130] & HISTORICAL).any()
    finally:
        plain.stop()
        service.stop()


def stored(service: Service, key: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    series = service.store.series([key], US, 4_000_000_000_000_000)[key]
    return series.time_us, series.value, series.quality
