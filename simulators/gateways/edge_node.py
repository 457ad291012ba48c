"""
An edge node of Sparkplug B: births that name every metric, data by alias and only what has changed, deaths.

After an outage it is born anew, and what it kept is sent as historical, with its own times. Source: Eclipse Sparkplug
specification 3.0. Births and data travel with QoS 0, as it asks; the death is the connection's will.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import paho.mqtt.client as mqtt
from google.protobuf.message import DecodeError

from facility.equipment_classes import PointSpec
from facility.site import Equipment, PointMapping, Site, Telemetry
from facility.site_gateways import gateway_of
from facility.sparkplug_names import read_topic, state_topic, topic_of
from facility.sparkplug_payload import BD_SEQ, REBIRTH, SEQ_ROUND, TYPES, Payload
from simulators.gateways.gateway import MEMORY, US, Gateway
from simulators.gateways.reporting import polled_every
from simulators.gateways.trouble import WELL, Trouble
from simulators.link import Broker
from simulators.payloads import Value, sent_values

BOOLEAN, INT32, INT64, DOUBLE, STRING = (TYPES.index(n) for n in ("Boolean", "Int32", "Int64", "Double", "String"))
_NODE: Final = ""  # the node itself, where a device's name stands
_REBIRTH_ALIAS: Final = 1
_AT_ONCE: Final = 500  # messages a second, when there is much to tell


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine whose metrics are a device's, or the node's own."""

    item: Equipment
    device: str
    points: tuple[tuple[str, PointMapping], ...]  # (key of the point, how it is sent)
    every_s: int
    phase_s: int
    by_exception: bool


@dataclass(frozen=True, slots=True)
class NodePlan:
    """An edge node, the gateway that it is, and its machines."""

    gateway: str
    group: str
    node: str
    machines: tuple[Machine, ...]


@dataclass(frozen=True, slots=True)
class _Metric:
    """A metric as its births tell it; `unit` is empty where what is sent is not in the point's unit."""

    alias: int
    type: int
    unit: str


@dataclass(slots=True)
class _Device:
    """A device's metrics by name, the values that hold, and whether it lives in this session."""

    metrics: dict[str, _Metric] = field(default_factory=dict)
    values: dict[str, Value] = field(default_factory=dict)
    born: bool = False
    silent: bool = True


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a device had to tell at a time by the gateway's clock; `historical`: while nobody listened."""

    device: str
    time_us: int
    values: Mapping[str, Value]
    historical: bool


def edge_nodes(site: Site) -> tuple[NodePlan, ...]:
    """Return the edge nodes of a site, each with the machines that report by it."""
    machines: dict[tuple[str, str], list[Machine]] = {}
    gateways: dict[tuple[str, str], str] = {}
    for item in site.equipment.values():
        own = item.telemetry
        if own is None or own.format != "sparkplug":
            continue
        place = read_topic(own.topic)
        assert place is not None, "the site file's reader makes nothing else"
        machines.setdefault((place.group, place.node), []).append(_machine(item, own, place.device))
        gateways.setdefault((place.group, place.node), gateway_of(site, item).id)
    return tuple(NodePlan(gateways[key], *key, tuple(found)) for key, found in machines.items())


def _machine(item: Equipment, own: Telemetry, device: str) -> Machine:
    measured = [name for name, spec in item.points.items() if spec.kind != "derived"]
    points = tuple((f"{item.id}/{name}", own.points[name]) for name in measured if name in own.points)
    every_s = polled_every(item)
    return Machine(item, device, points, every_s, sum(item.id.encode()) % every_s, own.alive_s is not None)


def _type(how: PointMapping, spec: PointSpec) -> int:
    if how.bit is not None:
        return INT64
    if how.states:
        return STRING
    if spec.kind == "state" and how.scale == 1.0 and how.offset == 0.0:
        return BOOLEAN if set(spec.states or ()) <= {0, 1} else INT32
    return DOUBLE


class EdgeNode(Gateway):
    """
    One edge node and its devices.

    Parameters
    ----------
    host : the primary host application: while it does not say that it is there, nothing is sent but kept; None: no such
    """

    def __init__(self, plan: NodePlan, broker: Broker, client_id: str, seed: int, host: str | None = None) -> None:
        self._plan, self._host_topic = plan, None if host is None else state_topic(host)
        self._devices: dict[str, _Device] = {_NODE: _Device()}
        aliases = count(_REBIRTH_ALIAS + 1)
        for machine in plan.machines:
            metrics = self._devices.setdefault(machine.device, _Device()).metrics
            for key, how in machine.points:
                spec = machine.item.points[key.partition("/")[2]]
                unit = spec.unit if how.scale == 1.0 and how.offset == 0.0 else ""
                metrics.setdefault(how.key, _Metric(next(aliases), _type(how, spec), unit))
        self._kept: deque[_Kept] = deque()
        self._seq = 0
        # A node remembers over its restarts which session was its last; ours goes by the clock.
        self._bd_seq = time.time_ns() // 1_000_000_000 % SEQ_ROUND
        self._host_is_there = host is None
        self._born = self._must_be_born = False
        self._now_us = 0
        super().__init__(plan.gateway, f"{plan.group}/{plan.node}", broker, client_id, seed)

    # What machines say -------------------------------------------------------------------------------------------

    def _poll(self, second: int, values: Mapping[str, float], trouble: Trouble) -> None:
        self._now_us = self._clock.reads(second * US, trouble.lost_us)
        heard: dict[str, bool] = {}
        for machine in self._plan.machines:
            device = self._devices[machine.device]
            there = [(how, values[key]) for key, how in machine.points if key in values]
            heard[machine.device] = heard.get(machine.device, False) or bool(there)
            if not there or (second % machine.every_s != machine.phase_s and device.born):
                continue
            said = sent_values(there, 6)
            news = {name: value for name, value in said.items() if device.values.get(name) != value}
            device.values |= said
            if (machine.by_exception and not news) or not device.born:
                continue  # a device that is not born yet tells everything with its birth
            stamp = self._stamp(second, machine.item.id, trouble)
            self._keep(_Kept(machine.device, stamp, news if machine.by_exception else said, not self._speaks))
        for name, is_heard in heard.items():
            self._devices[name].silent = not is_heard

    @property
    def _speaks(self) -> bool:
        return self.status.connected and self._born and self._host_is_there

    def _keep(self, kept: _Kept) -> None:
        self._kept.append(kept)
        if len(self._kept) > MEMORY:
            self._kept.popleft()
            self.status.dropped += 1
        self.status.kept = len(self._kept)

    # What the node tells -----------------------------------------------------------------------------------------

    def _send(self, trouble: Trouble) -> None:
        if not self._host_is_there:
            if self._born:
                self._begin_anew()
            return
        if not self._born or self._must_be_born:
            self._be_born()
        for name, device in self._devices.items():
            if name != _NODE and not device.silent and not device.born:
                self._give_birth(name)
        self._send_kept(trouble)
        for name, device in self._devices.items():
            if name != _NODE and device.silent and device.born:
                device.born = False
                self._say("DDEATH", self._payload(), name)

    def _be_born(self) -> None:
        self._born, self._must_be_born, self._seq = True, False, 0
        payload = self._payload()
        self._add_bd_seq(payload)
        _fill(payload.metrics.add(name=REBIRTH, alias=_REBIRTH_ALIAS, timestamp=payload.timestamp), BOOLEAN, False)
        self._add_metrics(payload, _NODE)
        self._say("NBIRTH", payload, _NODE)
        waiting = {kept.device for kept in self._kept}
        for name, device in self._devices.items():
            device.born = name == _NODE
            if name != _NODE and device.values and (name in waiting or not device.silent):
                self._give_birth(name)

    def _give_birth(self, name: str) -> None:
        self._devices[name].born = True
        payload = self._payload()
        self._add_metrics(payload, name)
        self._say("DBIRTH", payload, name)

    def _add_metrics(self, payload: Any, device_name: str) -> None:
        device = self._devices[device_name]
        for name, known in device.metrics.items():
            metric = payload.metrics.add(name=name, alias=known.alias, timestamp=payload.timestamp)
            _fill(metric, known.type, device.values.get(name))
            if known.unit:
                metric.properties.keys.append("engUnit")
                metric.properties.values.add(type=STRING, string_value=known.unit)

    def _send_kept(self, trouble: Trouble) -> None:
        for _ in range(min(len(self._kept), _AT_ONCE)):
            kept = self._kept.popleft()
            device = self._devices[kept.device]
            payload = self._payload()
            for name, value in kept.values.items():
                known = device.metrics[name]
                metric = payload.metrics.add(alias=known.alias, timestamp=kept.time_us // 1000)
                if kept.historical:
                    metric.is_historical = True
                _fill(metric, known.type, value)
            self._say("DDATA" if kept.device else "NDATA", payload, kept.device, trouble)
        self.status.kept = len(self._kept)

    def _payload(self) -> Any:
        return Payload(timestamp=self._now_us // 1000)

    def _add_bd_seq(self, payload: Any) -> None:
        _fill(payload.metrics.add(name=BD_SEQ, timestamp=payload.timestamp), INT64, self._bd_seq)

    def _say(self, kind: str, payload: Any, device: str, trouble: Trouble = WELL) -> None:
        payload.seq = self._seq
        self._seq = (self._seq + 1) % SEQ_ROUND
        topic = topic_of(self._plan.group, kind, self._plan.node, device or None)
        self._publish(topic, payload.SerializeToString(), 0, trouble)

    # The connection -----------------------------------------------------------------------------------------------

    def _make_client(self) -> mqtt.Client:
        client = super()._make_client()
        client.on_pre_connect = self._about_to_connect
        client.on_message = self._heard
        return client

    def _about_to_connect(self, client: mqtt.Client, _data: object) -> None:
        # Each connection has a will of its own, which the birth that follows names by its number.
        self._bd_seq = (self._bd_seq + 1) % SEQ_ROUND
        client.will_set(*self._death(), qos=1)

    def _death(self) -> tuple[str, bytes]:
        payload = self._payload()
        self._add_bd_seq(payload)
        return topic_of(self._plan.group, "NDEATH", self._plan.node), payload.SerializeToString()

    def _connected(self, client: mqtt.Client, data: object, flags: object, reason: Any, more: object) -> None:
        self._born = False
        self._host_is_there = self._host_topic is None
        client.subscribe(topic_of(self._plan.group, "NCMD", self._plan.node), qos=1)
        if self._host_topic is not None:
            client.subscribe(self._host_topic, qos=1)
        super()._connected(client, data, flags, reason, more)

    def _gone(self, client: mqtt.Client, data: object, flags: object, reason: Any, more: object) -> None:
        super()._gone(client, data, flags, reason, more)
        self._born = False

    def _heard(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        if message.topic == self._host_topic:
            self._host_is_there = _says_online(message.payload)
        elif _asks_for_rebirth(message.payload):
            self._must_be_born = True

    def _begin_anew(self) -> None:
        """The host has gone: the session ends, and the next begins when the host is back."""
        self.stop()
        self.status.connected = self._born = False
        self._connect()
        self.start()

    def _lose_uplink(self) -> None:
        super()._lose_uplink()
        self._born = False

    def stop(self) -> None:
        """Tell the node's death, and disconnect."""
        if self._born:
            self._put_out(*self._death(), 0)
        super().stop()


def _fill(metric: Any, kind: int, value: Value | bool | None) -> None:
    """Give a metric its type and value; None says that there is none."""
    metric.datatype = kind
    if value is None:
        metric.is_null = True
    elif kind == STRING:
        metric.string_value = str(value)
    elif isinstance(value, str):
        metric.is_null = True  # a word where the type wants a number
    elif kind == BOOLEAN:
        metric.boolean_value = bool(value)
    elif kind == DOUBLE:
        metric.double_value = float(value)
    elif kind == INT32:
        metric.int_value = int(value) & 0xFFFF_FFFF
    else:
        metric.long_value = int(value) & 0xFFFF_FFFF_FFFF_FFFF


def _says_online(payload: bytes | bytearray) -> bool:
    try:
        said = json.loads(payload)
    except ValueError:
        return False
    return isinstance(said, dict) and said.get("online") is True


def _asks_for_rebirth(payload: bytes | bytearray) -> bool:
    try:
        command = Payload.FromString(bytes(payload))
        return any(metric.name == REBIRTH and metric.boolean_value for metric in command.metrics)
    except (DecodeError, UnicodeDecodeError):
        return False
