"""What is measured, each in a process of its own: the bare paho loop, and a collector with its store."""

from __future__ import annotations

import resource
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from collector.broker import BrokerAddress
from collector.quarantine import Quarantine
from collector.service import Collector
from facility.database import Database
from facility.site_file import load_site
from facility.store.opening import open_store

PATIENCE_S: Final = 300.0
_KEEP_S: Final = 3600


def client(client_id: str, port: int) -> mqtt.Client:
    """Connect with a session that outlasts the connection."""
    made = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv5)
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = _KEEP_S
    made.connect("127.0.0.1", port, clean_start=False, properties=properties)
    return made


def open_session(port: int, client_id: str, topic_filter: str) -> None:
    """Make a receiver's session and its subscription, so that the broker keeps what is published from now on."""
    opened = client(client_id, port)
    opened.on_connect = lambda c, *_: c.subscribe(topic_filter, options=SubscribeOptions(qos=1))
    opened.on_subscribe = lambda c, *_: c.disconnect()
    opened.loop_forever()


def close_session(port: int, client_id: str) -> None:
    """Let the broker forget a session, so that it keeps nothing more for it."""
    ended = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv5)
    ended.on_connect = lambda c, *_: c.disconnect()
    ended.connect("127.0.0.1", port, clean_start=True)
    ended.loop_forever()


def bare(port: int, messages: int) -> Mapping[str, Any]:
    """Receive QoS 1 as paho does it by itself: acknowledge each message, do nothing else."""
    seen = 0
    began, ended = (0.0, 0.0), (0.0, 0.0)

    def on_message(c: mqtt.Client, _data: Any, _message: mqtt.MQTTMessage) -> None:
        nonlocal seen, began, ended
        if seen == 0:
            began = time.perf_counter(), time.process_time()
        seen += 1
        if seen == messages:
            ended = time.perf_counter(), time.process_time()
            c.disconnect()

    receiver = client("bench-bare", port)
    receiver.on_message = on_message
    receiver.loop_forever()
    return {"per_s": messages / (ended[0] - began[0]), "cpu_us": (ended[1] - began[1]) / messages * 1e6}


def collect(
    port: int, messages: int, folder: str, name: str, topic_filter: str, site: str, store: str
) -> Mapping[str, Any]:
    """
    Collect until `messages` have come or, with a share of them, nothing comes any more; `began` and `ended` are
    machine-wide seconds, so that processes side by side can be added up.
    """
    here = Path(folder) / name
    here.mkdir()
    database = Database(f"sqlite:///{here}/wardwatt.db")
    database.upgrade()
    began = (0.0, 0.0)

    def clock() -> int:
        nonlocal began
        if not began[0]:
            began = time.monotonic(), time.process_time()
        return time.time_ns() // 1000

    with open_store(store) as opened:
        collector = Collector(
            load_site(Path(site)), opened, BrokerAddress("127.0.0.1", port), quarantine=Quarantine(database),
            client_id=name, data_dir=here, subscriptions=[topic_filter], clock=clock,
        )  # fmt: skip
        collector.start()
        until = time.monotonic() + PATIENCE_S
        ended, batches = (time.monotonic(), time.process_time()), 0
        while time.monotonic() < until:
            status = collector.status()
            if status.batches > batches:
                ended, batches = (time.monotonic(), time.process_time()), status.batches
            # What is sent again after a connection that was lost comes on top: it is to be acknowledged too.
            quiet_s = 0.3 if status.received >= messages else 2.0
            if status.received and not status.waiting and time.monotonic() - ended[0] > quiet_s:
                break
            time.sleep(0.005)
        collector.stop()
        status = collector.status()
    return {
        "received": status.received,
        "began": began[0],
        "ended": ended[0],
        "cpu_us": (ended[1] - began[1]) / max(1, status.received) * 1e6,
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "left_at_broker": _left(port, name),
        "messages_per_commit": status.received / max(1, status.batches),
    }


def _left(port: int, name: str) -> int:
    """Return how many messages the broker still holds for the collector, not knowing them as acknowledged."""
    left = 0

    def on_message(_client: mqtt.Client, _data: Any, _message: mqtt.MQTTMessage) -> None:
        nonlocal left
        left += 1

    again = client(name, port)
    again.on_message = on_message
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        again.loop(0.05)
    again.disconnect()
    return left
