"""
A gateway: asks its machines, stamps what they say by its own clock, and hands it to the broker, patiently.

While the broker cannot be reached it keeps what it has, so much as its memory holds; then the oldest goes, and is
counted. When the broker is back what was kept is sent first, with its own times.
"""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import paho.mqtt.client as mqtt

from simulators import noise
from simulators.gateways.clock import GatewayClock
from simulators.gateways.reporting import Reporter, Sample
from simulators.gateways.trouble import WELL, Trouble
from simulators.link import KEEPALIVE_S, Broker, make_client

log = logging.getLogger(__name__)

US: Final = 1_000_000
_MS: Final = 1_000
MEMORY: Final = 20_000  # samples that a gateway keeps while the broker is away
_UNDER_WAY: Final = 500  # messages handed over and not yet acknowledged
_LONGEST_POLL_S: Final = 0.4  # a machine answers so long after the second in which its turn comes
_BATCH_S: Final = 15  # samples of so long go into one message, where the form has a list of them
_HEARTBEATS: Final = 3.0  # a machine that sends only changes sends everything so often within its time to live


@dataclass(slots=True)
class GatewayStatus:
    """
    How a gateway does.

    Attributes
    ----------
    connected : whether it has a connection to the broker
    kept : samples in its memory that are to be sent
    sent, acknowledged : messages handed over, and taken by the broker
    dropped : samples that its memory had no room for
    """

    connected: bool = False
    kept: int = 0
    sent: int = 0
    acknowledged: int = 0
    dropped: int = 0


class Gateway(ABC):
    """
    What all gateways have in common: a connection, a clock, and troubles.

    Parameters
    ----------
    id : as the site file names it
    name : of this connection, as a gateway may have several
    seed : its clock and the order of its disorder belong to it
    """

    def __init__(self, id: str, name: str, broker: Broker, client_id: str, seed: int) -> None:
        self.id, self.name = id, name
        self.status = GatewayStatus()
        self._broker, self._client_id, self._seed = broker, client_id, seed
        self._clock = GatewayClock.of(id, seed)
        self._cut = False
        self._late: tuple[str, bytes, int] | None = None  # a message that the next one overtakes
        self._telling = threading.Lock()
        self._client = self._make_client()

    def start(self) -> None:
        """Begin to connect; a broker that is away is waited for."""
        self._client.loop_start()

    def stop(self) -> None:
        """Disconnect in order."""
        if self._late is not None:
            self._put_out(*self._late)
            self._late = None
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def is_writing(self) -> bool:
        """Return True while something is still on its way out."""
        return self.status.connected and self._client.want_write()

    def tick(self, second: int, values: Mapping[str, float], trouble: Trouble = WELL) -> None:
        """
        Live through one second.

        Parameters
        ----------
        second : since 1970, by the true time [s]
        values : what each sensor shows, by `equipment/point`
        """
        if trouble.cut != self._cut:
            self._cut = trouble.cut
            self._lose_uplink() if trouble.cut else self._regain_uplink()
        if not trouble.hangs:
            self._poll(second, values, trouble)
        if self.status.connected:
            self._send(trouble)

    @abstractmethod
    def _poll(self, second: int, values: Mapping[str, float], trouble: Trouble) -> None:
        """Ask the machines whose turn it is, and keep what they say."""

    @abstractmethod
    def _send(self, trouble: Trouble) -> None:
        """Hand over what is kept, as much as the connection takes."""

    def _stamp(self, second: int, machine: str, trouble: Trouble, finest_us: int = _MS) -> int:
        """Return when a machine answered, by the gateway's clock, which tells whole `finest_us`. [µs]"""
        delay_us = round(noise.fixed(self._seed, f"poll|{machine}", 0.0, _LONGEST_POLL_S) * US)
        return self._clock.reads(second * US + delay_us, trouble.lost_us) // finest_us * finest_us

    def _has_room(self) -> bool:
        return self.status.sent - self.status.acknowledged < _UNDER_WAY

    def _publish(self, topic: str, payload: bytes, qos: int, trouble: Trouble) -> None:
        late, self._late = self._late, None
        unruly = self._is_unruly(trouble.disordered)
        if unruly == "later" and late is None:
            self._late = (topic, payload, qos)
            return
        self._put_out(topic, payload, qos)
        if unruly == "twice":
            self._put_out(topic, payload, qos)
        if late is not None:
            self._put_out(*late)

    def _is_unruly(self, share: float) -> str:
        """Return what a bad link does to the next message: `twice`, `later`, or nothing."""
        if share <= 0.0:
            return ""
        key = noise.stream(self._seed, f"disorder|{self.name}")
        drawn = float(noise.uniform(key, np.array([self.status.sent], dtype=np.int64))[0])
        return ("twice" if drawn < share / 2 else "later") if drawn < share else ""

    def _put_out(self, topic: str, payload: bytes, qos: int) -> None:
        with self._telling:
            self.status.sent += 1
        self._client.publish(topic, payload, qos=qos)

    # The connection -----------------------------------------------------------------------------------------------

    def _make_client(self) -> mqtt.Client:
        client = make_client(self._broker, self._client_id, 0)
        client.on_connect, client.on_disconnect = self._connected, self._gone
        client.on_publish = self._acknowledged
        return client

    def _connected(self, _client: mqtt.Client, _data: object, _flags: object, reason: Any, _more: object) -> None:
        self.status.connected = not reason.is_failure
        if reason.is_failure:
            log.warning("broker refused a gateway", extra={"gateway": self.id, "why": str(reason)})

    def _gone(self, _client: mqtt.Client, _data: object, _flags: object, _reason: Any, _more: object) -> None:
        self.status.connected = False

    def _acknowledged(self, _client: mqtt.Client, _data: object, _mid: int, _reason: Any, _more: object) -> None:
        with self._telling:
            self.status.acknowledged += 1

    def _lose_uplink(self) -> None:
        """Vanish from the broker's sight without a word, as a cut cable does; the broker speaks the will."""
        self._client.loop_stop()
        with suppress(OSError):
            if (connection := self._client.socket()) is not None:
                connection.close()
        self.status.connected = False

    def _regain_uplink(self) -> None:
        self._connect()
        self.start()

    def _connect(self) -> None:
        self._client.connect_async(self._broker.host, self._broker.port, keepalive=KEEPALIVE_S)


class MessageGateway(Gateway):
    """A gateway whose machines report by JSON or plain text, with QoS 1."""

    def __init__(self, id: str, machines: Sequence[Reporter], broker: Broker, client_id: str, seed: int) -> None:
        super().__init__(id, id, broker, client_id, seed)
        self._machines = machines
        self._kept: deque[tuple[Reporter, tuple[Sample, ...]]] = deque()
        self._open: dict[str, list[Sample]] = {}
        self._told: dict[str, dict[str, float]] = {}
        self._told_all_us: dict[str, int] = {}

    def _poll(self, second: int, values: Mapping[str, float], trouble: Trouble) -> None:
        for machine in self._machines:
            if second % machine.every_s != machine.phase_s:
                continue
            said = {key: values[key] for key, _ in machine.points if key in values}
            if machine.alive_s is not None:
                said = self._news(machine, said, second * US)
            if not said:
                continue
            finest_us = US if machine.layout.time_unit == "s" else _MS
            sample = (self._stamp(second, machine.equipment, trouble, finest_us), said)
            if not machine.batches:
                self._keep(machine, (sample,))
                continue
            collected = self._open.setdefault(machine.equipment, [])
            collected.append(sample)
            if sample[0] - collected[0][0] >= (_BATCH_S - machine.every_s) * US:
                self._keep(machine, tuple(self._open.pop(machine.equipment)))

    def _news(self, machine: Reporter, said: Mapping[str, float], now_us: int) -> dict[str, float]:
        """Return what has changed since it was told last; everything from time to time, so that it is known to live."""
        assert machine.alive_s is not None
        told = self._told.setdefault(machine.equipment, {})
        since_us = now_us - self._told_all_us.get(machine.equipment, 0)
        if since_us >= machine.alive_s * US / _HEARTBEATS:
            self._told_all_us[machine.equipment] = now_us
            news = dict(said)
        else:
            news = {key: value for key, value in said.items() if told.get(key) != value}
            if news:
                # The bits of one word travel together.
                news |= {key: said[key] for key, how in machine.points if how.bit is not None and key in said}
        told |= news
        return news

    def _keep(self, machine: Reporter, samples: tuple[Sample, ...]) -> None:
        self._kept.append((machine, samples))
        self.status.kept += len(samples)
        while self.status.kept > MEMORY:
            if self.status.dropped == 0:
                log.warning("gateway's memory is full, its oldest samples are dropped", extra={"gateway": self.id})
            _, oldest = self._kept.popleft()
            self.status.kept -= len(oldest)
            self.status.dropped += len(oldest)

    def _send(self, trouble: Trouble) -> None:
        for machine, samples in self._taken():
            for topic, payload in machine.bundle(samples):
                self._publish(topic, payload, 1, trouble)

    def _taken(self) -> Iterator[tuple[Reporter, tuple[Sample, ...]]]:
        while self._kept and self._has_room():
            machine, samples = self._kept.popleft()
            self.status.kept -= len(samples)
            yield machine, samples
