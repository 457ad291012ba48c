"""Sparkplug over the broker that Wardwatt brings along."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from collector.broker import EmbeddedBroker
from collector.service import Collector, expected_sessions
from collector.sparkplug.births import Births
from collector.sparkplug.payload import read_payload
from facility.sparkplug_payload import Payload

ROOT = "spBv1.0/Hospital"
pytestmark = pytest.mark.system


def message(seq: int | None = None, **fields: Any) -> bytes:
    made = Payload(timestamp=time.time_ns() // 1_000_000)
    if seq is not None:
        made.seq = seq
    if fields:
        made.metrics.add(**fields)
    return bytes(made.SerializeToString())


def test_births_data_commands_and_state_pass_through_it(
    site, store, quarantine, database, tmp_path, publisher, eventually
):
    broker = EmbeddedBroker("127.0.0.1", 0, tmp_path, sessions=expected_sessions(site))
    broker.start()
    collector = Collector(
        site, store, broker.address, quarantine=quarantine, births=Births(database), data_dir=tmp_path
    )
    gateway = publisher(broker.address, "edge-1")
    heard: list[tuple[str, bytes]] = []
    gateway.client.on_message = lambda _c, _d, m: heard.append((m.topic, bytes(m.payload)))
    gateway.client.subscribe([(f"{ROOT}/NCMD/edge-1", 1), ("spBv1.0/STATE/wardwatt-demo", 1)])
    collector.start()
    try:
        eventually(lambda: collector.status().connected)
        name = {"name": "Electrical/Voltage A", "alias": 3}
        gateway.send(f"{ROOT}/DDATA/edge-1/dev-7", message(9, alias=3, float_value=229.0), qos=0)
        asked = eventually(lambda: [raw for topic, raw in heard if topic == f"{ROOT}/NCMD/edge-1"])
        assert read_payload(asked[0], 1000).metrics[0].boolean_value
        gateway.send(f"{ROOT}/NBIRTH/edge-1", message(0), qos=0)
        gateway.send(f"{ROOT}/DBIRTH/edge-1/dev-7", message(1, **name, datatype=9, float_value=230.0), qos=0)
        gateway.send(f"{ROOT}/DDATA/edge-1/dev-7", message(2, alias=3, float_value=231.0), qos=0)
        eventually(lambda: collector.status().stored == 3)
        said = eventually(lambda: [json.loads(raw) for topic, raw in heard if topic.startswith("spBv1.0/STATE/")])
        assert said[0]["online"] is True
    finally:
        collector.stop()
        broker.stop()
