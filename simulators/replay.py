"""
Replay: recorded data published over MQTT as if the machine were sending it.

One JSON message a row, QoS 1, on the machine's own topic and with its own keys. At most a window of messages is on its
way at a time, so the replay is never faster than what receives it; a broker that restarts in the middle gets again
what it had not acknowledged.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import paho.mqtt.client as mqtt

from facility.errors import ConfigurationError, Problem, WardwattError
from facility.site import Equipment, Site
from facility.wording import nearest
from simulators.gateways import Reporter, reporter_of
from simulators.link import Broker, make_client
from simulators.recorded import Recording, Row, open_recording

Timestamps = Literal["original", "shifted"]
Progress = Callable[["ReplayResult"], None]

_WINDOW: Final = 200  # messages handed over and not yet acknowledged
_ON_THE_WIRE: Final = 100
_TELL_EVERY_S: Final = 0.5


class BrokerAway(WardwattError):
    """The broker did not answer for longer than the replay was told to wait."""


@dataclass(slots=True)
class ReplayResult:
    """
    What became of a recording.

    Attributes
    ----------
    rows : rows read
    sent, acknowledged : messages handed over, and acknowledged by the broker
    readings : values in them
    skipped_rows : rows without a time or without a value
    unreadable : values that were no number
    example : the first thing that could not be read, empty if all could
    left_out : columns that the mapping does not name
    first_us, last_us : times of the first and the last message, as published
    """

    rows: int = 0
    sent: int = 0
    acknowledged: int = 0
    readings: int = 0
    skipped_rows: int = 0
    unreadable: int = 0
    example: str = ""
    left_out: tuple[str, ...] = ()
    first_us: int | None = None
    last_us: int | None = None


def replay(
    file: Path | str,
    equipment: str,
    site: Site,
    broker: Broker,
    mapping: Path | str | None = None,
    speed: float | None = None,
    timestamps: Timestamps = "original",
    progress: Progress | None = None,
    patience_s: float = 60.0,
    stop: threading.Event | None = None,
) -> ReplayResult:
    """
    Publish a recorded CSV file as if a machine were sending it.

    Parameters
    ----------
    file : CSV (or CSV in gzip) with a header; `;` or `,` between columns
    equipment : id of the machine
    broker : host, port, tls, user, password
    mapping : mapping file; None: columns are named after the machine's points
    speed : 1 is real time, 10 ten times as fast, None as fast as the broker takes it
    timestamps : `original` as recorded; `shifted` so that the first row is now, or, played faster, the last row is
    progress : told twice a second how far it is
    patience_s : how long a broker may be silent before the replay gives up [s]
    stop : set it to stop early

    Returns
    -------
    When every message has been acknowledged: counts.

    Raises
    ------
    ConfigurationError
        If machine, file or mapping do not fit together; every mistake is named.
    BrokerAway
        If the broker is silent for too long.
    """
    item = site.equipment.get(equipment)
    if item is None:
        what = f"no equipment is called {equipment!r}{nearest(equipment, site.equipment)}"
        raise ConfigurationError([Problem("", 0, "equipment", what)])
    if speed is not None and not speed > 0:
        raise ConfigurationError(
            [Problem("", 0, "speed", f"{speed:g} is not above 0; write 1 for real time, 10 for ×10")]
        )
    reporter = _json_reporter(site, item)
    recording = open_recording(Path(file), Path(mapping) if mapping else None, item, site.time_zone)
    sender = _Sender(broker, f"replay-{equipment}-{secrets.token_hex(4)}", patience_s, progress)
    sender.result.left_out = recording.left_out
    pace = _Pace(speed, timestamps, _length_us(recording) if timestamps == "shifted" and speed != 1 else 0)
    with sender:
        for row in recording.rows():
            if stop is not None and stop.is_set():
                break
            sender.result.rows += 1
            if isinstance(row, str) or not row.values:
                sender.skip(row)
                continue
            if row.unreadable:
                sender.unreadable(row)
            time_us = pace.wait(row.time_us, stop)
            for topic, payload in reporter.messages(
                {f"{item.id}/{p}": v for p, v in row.values.items()}, time_us, None
            ):
                sender.send(topic, payload, len(row.values), time_us)
        sender.finish()
    return sender.result


def _json_reporter(site: Site, item: Equipment) -> Reporter:
    reporter = reporter_of(site, item)
    if reporter is None or reporter.plain:
        what = f"{item.id!r} sends plain values without a time; give it telemetry with format: json to replay into it"
        raise ConfigurationError([Problem("", 0, "equipment", what)])
    return reporter


def _length_us(recording: Recording) -> int:
    """Return how long a recording is, by reading it through once."""
    times = [row.time_us for row in recording.rows() if not isinstance(row, str)]
    return max(times) - times[0] if times else 0


class _Pace:
    """
    When each row is due, and what time it carries.

    Shifted times never lie in the future: a recording that is played faster than it was made begins so long ago that
    its last row is of the moment at which it is sent.
    """

    def __init__(self, speed: float | None, timestamps: Timestamps, length_us: int) -> None:
        self._speed = speed
        self._ago_us = round(length_us * max(0.0, 1.0 - (1.0 / speed if speed else 0.0)))
        self._shifted = timestamps == "shifted"
        self._first_us: int | None = None
        self._started_ns = 0
        self._started = 0.0

    def wait(self, time_us: int, stop: threading.Event | None) -> int:
        """Wait until a row is due and return the time that it carries."""
        if self._first_us is None:
            self._first_us, self._started_ns, self._started = time_us, time.time_ns(), time.monotonic()
        since_us = time_us - self._first_us
        if self._speed is not None:
            late = self._started + since_us / 1e6 / self._speed - time.monotonic()
            if late > 0:
                (stop or threading.Event()).wait(late)
        return self._started_ns // 1000 - self._ago_us + since_us if self._shifted else time_us


class _Sender:
    """A client with a window: `send` waits while too much is on its way."""

    def __init__(self, broker: Broker, client_id: str, patience_s: float, progress: Progress | None) -> None:
        self.result = ReplayResult()
        self._where = f"{broker.host}:{broker.port}"
        self._patience_s = patience_s
        self._progress = progress
        self._told = 0.0
        self._change = threading.Condition()
        self._connected = False
        self._catching_up = True
        self._client = make_client(broker, client_id, queue=0, on_the_wire=_ON_THE_WIRE)
        self._client.on_publish = self._acknowledged
        self._client.on_connect = self._came
        self._client.on_disconnect = self._went

    def __enter__(self) -> _Sender:
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def send(self, topic: str, payload: bytes, readings: int, time_us: int) -> None:
        """Hand a message over, once there is room for it in the window."""
        self._wait_until_under_way(_WINDOW - 1)
        self._client.publish(topic, payload, qos=1)
        result = self.result
        result.sent += 1
        result.readings += readings
        result.first_us = time_us if result.first_us is None else result.first_us
        result.last_us = time_us
        self._tell()

    def finish(self) -> None:
        """Wait until everything is acknowledged."""
        self._wait_until_under_way(0)
        self._tell(last=True)

    def skip(self, row: Row | str) -> None:
        """Count a row that cannot be sent."""
        self.result.skipped_rows += 1
        self._example(row if isinstance(row, str) else f"line {row.line}: no value stands in it")
        if isinstance(row, Row) and row.unreadable:
            self.unreadable(row)

    def unreadable(self, row: Row) -> None:
        """Count values of a row that are no numbers."""
        self.result.unreadable += len(row.unreadable)
        self._example(f"line {row.line}: column {row.unreadable[0]!r} holds no number")

    def _example(self, text: str) -> None:
        self.result.example = self.result.example or text

    def _wait_until_under_way(self, most: int) -> None:
        """Wait until no more than `most` messages are on their way, and the broker has caught up after a break."""
        with self._change:
            seen, since = self.result.acknowledged, time.monotonic()
            while self._waits(most):
                self._change.wait(0.2)
                now = time.monotonic()
                if self.result.acknowledged != seen:
                    seen, since = self.result.acknowledged, now
                elif now - since > self._patience_s:
                    raise BrokerAway(
                        f"broker {self._where} acknowledged nothing for {self._patience_s:g} s "
                        f"({self.result.acknowledged} of {self.result.sent} messages are acknowledged); "
                        "start it, check host, port, user and password, and replay again: nothing is stored twice"
                    )
                self._tell()

    def _waits(self, most: int) -> bool:
        under_way = self.result.sent - self.result.acknowledged
        if self._connected and under_way == 0:
            self._catching_up = False
        if self._catching_up:
            # What the client sends again after a break must not be overtaken by new rows: a machine reports in order.
            return under_way > 0 or most > 0
        return under_way > most

    def _came(self, _client: mqtt.Client, _data: object, _flags: object, reason: Any, _properties: object) -> None:
        with self._change:
            self._connected = not reason.is_failure
            self._change.notify()

    def _went(self, _client: mqtt.Client, _data: object, _flags: object, _reason: Any, _properties: object) -> None:
        with self._change:
            self._connected, self._catching_up = False, True

    def _acknowledged(self, _client: mqtt.Client, _data: object, _mid: int, _reason: Any, _properties: object) -> None:
        with self._change:
            self.result.acknowledged += 1
            self._change.notify()

    def _tell(self, last: bool = False) -> None:
        now = time.monotonic()
        if self._progress is not None and (last or now - self._told >= _TELL_EVERY_S):
            self._told = now
            self._progress(self.result)
