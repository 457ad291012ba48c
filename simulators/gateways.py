"""
Gateways: what stands between a plant room's sensors and the broker.

A gateway owns some machines and publishes each of them every few seconds with QoS 1, in the form that the site file
gives for it. While the broker is away it keeps what it has, and sends it when the broker is back.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import paho.mqtt.client as mqtt
from paho.mqtt.enums import MQTTErrorCode

from facility.site import Equipment, Layout, PointMapping, Site, Where
from simulators.fault_catalogue import UnknownFault
from simulators.hospital import Hospital
from simulators.link import Broker, make_client
from simulators.payloads import encode, sent_values

log = logging.getLogger(__name__)

_US: Final = 1_000_000
_FASTEST_S, _SLOWEST_S = 1, 10
_QUEUE: Final = 20_000  # messages that a gateway keeps while the broker is away


@dataclass(frozen=True, slots=True)
class Reporter:
    """How one machine reports: topic, form, clock, names of its values, and how often."""

    equipment: str
    gateway: str
    topic: str
    plain: bool
    layout: Layout
    where: Where | None
    points: tuple[tuple[str, PointMapping], ...]  # (key of the point, how it is sent)
    every_s: int
    phase_s: int

    def messages(
        self, values: Mapping[str, float], time_us: int, digits: int | None = 6
    ) -> Iterator[tuple[str, bytes]]:
        """
        Return the topics and payloads that carry the machine's values at a time.

        A value that was converted has digits that its instrument never had: it is sent with `digits` of them.
        """
        by_topic: dict[str, list[tuple[PointMapping, float]]] = {}
        for key, mapping in self.points:
            if key in values:
                by_topic.setdefault(mapping.topic or self.topic, []).append((mapping, values[key]))
        for topic, sent in by_topic.items():
            found = sent_values(sent, digits)
            if self.plain:
                for key, value in found.items():
                    yield topic.replace("{point}", key), json.dumps(value).encode()
            else:
                yield topic, encode(self.layout, self.where, found, time_us)


def reporters(site: Site) -> tuple[Reporter, ...]:
    """
    Return how each machine of a site reports.

    A machine without telemetry of its own uses the site's first JSON pattern and the gateway of its room.
    """
    return tuple(r for item in site.equipment.values() if (r := reporter_of(site, item)) is not None)


def reporter_of(site: Site, item: Equipment) -> Reporter | None:
    """Return how one machine reports, or None if it measures nothing."""
    measured = [(name, spec) for name, spec in item.points.items() if spec.kind != "derived"]
    if not measured:
        return None
    room = site.rooms.get(item.room or "")
    own = item.telemetry
    where = None
    # Of Sparkplug the simulator knows nothing: such a machine reports by the site's pattern, under its own names.
    if own is not None and own.format != "sparkplug":
        where = own.where
        topic, plain, gateway, layout = own.topic, own.format == "plain", own.gateway, own.layout
        points = tuple((f"{item.id}/{name}", own.points[name]) for name, _ in measured if name in own.points)
    else:
        pattern = next((p for p in site.patterns if p.format == "json"), site.patterns[0])
        topic, plain, gateway, layout = pattern.topic, pattern.format == "plain", None, pattern.layout
        for place, text in (
            ("site", site.id), ("room", item.room or ""), ("equipment", item.id),
            ("building", (room.building or "") if room else ""),
        ):  # fmt: skip
            topic = topic.replace("{" + place + "}", text)
        known = own.points if own is not None else {name: PointMapping(name, name) for name, _ in measured}
        points = tuple((f"{item.id}/{name}", known[name]) for name, _ in measured if name in known)
    fastest = min(spec.every for _, spec in measured)
    every = int(min(max(fastest, _FASTEST_S), _SLOWEST_S))
    # Gateways poll their machines one after the other, not all in the same second.
    phase = zlib.crc32(item.id.encode()) % every
    return Reporter(item.id, gateway or f"gw-{item.room or 'site'}", topic, plain, layout, where, points, every, phase)


def command_topic(site: Site) -> str:
    """Return the topic on which a running simulator takes commands."""
    return f"simulator/{site.id}/command"


def command(fault_id: str, equipment_id: str, on: bool, severity: float = 0.8) -> bytes:
    """Return the command that switches a fault of a running simulator on or off."""
    return json.dumps({"fault": fault_id, "equipment": equipment_id, "on": on, "severity": severity}).encode()


@dataclass(slots=True)
class GatewayStatus:
    """How a gateway does: whether it is connected, and messages handed over, acknowledged, and dropped."""

    connected: bool = False
    sent: int = 0
    acknowledged: int = 0
    dropped: int = 0


@dataclass(slots=True)
class _Gateway:
    name: str
    client: mqtt.Client
    machines: Sequence[Reporter]
    status: GatewayStatus = field(default_factory=GatewayStatus)

    def publish(self, topic: str, payload: bytes) -> None:
        self.status.sent += 1
        if self.client.publish(topic, payload, qos=1).rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
            # A full memory: the newest is lost, as with a real gateway. Counted, said once.
            if self.status.dropped == 0:
                log.warning("gateway's memory is full, messages are dropped", extra={"gateway": self.name})
            self.status.dropped += 1


class Publisher:
    """
    Runs a hospital at the speed of the clock and publishes it through its gateways, in threads of its own.

    It also listens on `simulator/<site>/command`, which lies outside the site's own topics, for faults to switch:
    `{"fault": "MG-F02", "equipment": "oz-icu", "on": true, "severity": 0.8}`.
    """

    def __init__(
        self, hospital: Hospital, broker: Broker, clock: Callable[[], int] = time.time_ns, client_prefix: str = "sim"
    ) -> None:
        self._hospital = hospital
        self._clock = clock
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        by_gateway: dict[str, list[Reporter]] = {}
        for reporter in reporters(hospital.site):
            by_gateway.setdefault(reporter.gateway, []).append(reporter)
        site = hospital.site.id
        self._gateways = [
            _Gateway(name, make_client(broker, f"{client_prefix}-{site}-{name}", _QUEUE), machines)
            for name, machines in by_gateway.items()
        ]
        for gateway in self._gateways:
            _watch(gateway)
        self.command_topic = command_topic(hospital.site)
        self._desk = make_client(broker, f"{client_prefix}-{site}-desk", 10)
        self._desk.on_connect = lambda client, *_: client.subscribe(self.command_topic, qos=1)
        self._desk.on_message = lambda _client, _data, message: self._command(message.payload)

    def start(self) -> None:
        """Begin to publish; a broker that is away is waited for."""
        if self._thread is not None:
            return
        for client in (*(g.client for g in self._gateways), self._desk):
            client.loop_start()
        self._thread = threading.Thread(target=self._run, name="simulator", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Stop publishing, let what is under way arrive, and disconnect; a second call does nothing."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._stop.set()
        thread.join(timeout_s)
        until = time.monotonic() + min(1.0, timeout_s)
        while time.monotonic() < until and any(g.status.connected and g.client.want_write() for g in self._gateways):
            time.sleep(0.02)
        for client in (*(g.client for g in self._gateways), self._desk):
            client.disconnect()
            client.loop_stop()

    def status(self) -> Mapping[str, GatewayStatus]:
        """Return how each gateway does, by name."""
        return {g.name: g.status for g in self._gateways}

    def _run(self) -> None:
        second = self._clock() // 1_000_000_000
        while not self._stop.is_set():
            now_ns = self._clock()
            if now_ns // 1_000_000_000 <= second:
                self._stop.wait(max(0.001, (second + 1) - now_ns / 1e9))
                continue
            second = now_ns // 1_000_000_000
            try:
                self._publish(second)
            except Exception:
                # One bad second must not silence the hospital; the next one is tried.
                log.exception("simulator step failed", extra={"second": second})

    def _publish(self, second: int) -> None:
        due = [(g, r) for g in self._gateways for r in g.machines if second % r.every_s == r.phase_s]
        if not due:
            return
        values = self._hospital.step(second * _US)
        for gateway, reporter in due:
            for topic, payload in reporter.messages(values, second * _US):
                gateway.publish(topic, payload)

    def _command(self, payload: bytes | bytearray) -> None:
        try:
            order = json.loads(payload)
            self._hospital.switch(
                str(order["fault"]),
                str(order["equipment"]),
                bool(order.get("on", True)),
                float(order.get("severity", 0.8)),
            )
        except (UnknownFault, ValueError, TypeError, KeyError) as error:
            # Anyone on the broker may write here; what is wrong is told and changes nothing.
            log.warning("command refused", extra={"topic": self.command_topic, "why": str(error) or repr(error)})


def _watch(gateway: _Gateway) -> None:
    def connected(_client: mqtt.Client, _data: object, _flags: object, reason: Any, _properties: object) -> None:
        gateway.status.connected = not reason.is_failure
        if reason.is_failure:
            log.warning("broker refused a gateway", extra={"gateway": gateway.name, "why": str(reason)})

    def gone(_client: mqtt.Client, _data: object, _flags: object, _reason: Any, _properties: object) -> None:
        gateway.status.connected = False

    def acknowledged(_client: mqtt.Client, _data: object, _mid: int, _reason: Any, _properties: object) -> None:
        gateway.status.acknowledged += 1

    gateway.client.on_connect, gateway.client.on_disconnect, gateway.client.on_publish = connected, gone, acknowledged
