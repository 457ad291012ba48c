"""The load of a benchmark: machines of one site, their messages, how they are published, and what must come of them."""

from __future__ import annotations

import selectors
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import orjson

from facility.store import TelemetryStore

VALUES: Final = ("voltage_a", "voltage_b", "voltage_c", "current_a", "current_b", "current_c")
_MACHINES: Final = 50
_STEP_US: Final = 1_000_000
_WINDOW: Final = 8_000  # messages that the broker has not answered yet
_AT_ONCE: Final = 500
_PATIENCE_S: Final = 300.0


def write_site(folder: Path) -> Path:
    """Write the site file of the load's machines, feeders of one power room."""
    lines = [
        "site: {id: bench, name: {zh: 测试, en: Bench}}",
        "rooms:",
        "  - {id: power-1, kind: power_room, name: {zh: 配电房, en: Power room}}",
        "equipment:",
    ]
    for i in range(_MACHINES):
        name = f"{{zh: 馈线{i}, en: Feeder {i}}}"
        lines.append(f"  - {{id: f{i}, class: lv_feeder, room: power-1, rating: {{current: 400 A}}, name: {name}}}")
    path = folder / "site.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def topic(tree: str, number: int) -> str:
    """Return the topic of message `number`."""
    return f"{tree}/power-1/f{number % _MACHINES}/telemetry"


def payload(number: int, first_us: int) -> bytes:
    """Return the payload of message `number`: its time and six values."""
    wave = [round(230 + (number * 7 + 3 * i) % 100 / 10, 2) for i in range(len(VALUES))]
    return orjson.dumps(
        {"ts": (first_us + number * _STEP_US // _MACHINES) // 1000, **dict(zip(VALUES, wave, strict=True))}
    )


def first_us(turn: int) -> int:
    """Return the time of a round's first message: a day of its own in the past year, so that it is believable."""
    day = 86_400_000_000
    return (time.time_ns() // 1000 // day - 300 + turn) * day


def fill(port: int, messages: int, turn: int, tree: str) -> None:
    """Publish the whole load with QoS 1 and return when the broker has answered all of it."""
    send(port, messages, _packets(messages, first_us(turn), tree))


def send(port: int, messages: int, packets: Iterator[bytes]) -> None:
    """
    Send so many PUBLISH packets of QoS 1, written out in MQTT 3.1.1, and return when all are answered.

    A client library would take longer over the publishing than the receivers, which are what is measured, take over
    the rest.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_S) as sock:
        sock.sendall(b"\x10\x11\x00\x04MQTT\x04\x02\x00\x00\x00\x05bench")
        if sock.recv(4) != b"\x20\x02\x00\x00":
            raise RuntimeError("the broker does not let the benchmark publish")
        answered, sent, unsent, rest = 0, 0, b"", 0
        sock.setblocking(False)
        with selectors.DefaultSelector() as selector:
            selector.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE)
            while answered < messages:
                room = sent - answered < _WINDOW and sent < messages
                wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if unsent or room else 0)
                selector.modify(sock, wanted)
                for _, ready in selector.select(_PATIENCE_S):
                    if ready & selectors.EVENT_WRITE:
                        if not unsent:
                            unsent = b"".join(islice(packets, _AT_ONCE))
                            sent = min(messages, sent + _AT_ONCE)
                        unsent = unsent[sock.send(unsent) :]
                    if ready & selectors.EVENT_READ:
                        data = sock.recv(65_536)
                        if not data:
                            raise RuntimeError(f"the broker ended the connection after {answered} messages")
                        count, rest = divmod(rest + len(data), 4)  # a PUBACK has four bytes
                        answered += count
        sock.setblocking(True)
        sock.sendall(b"\xe0\x00")


def _packets(messages: int, first: int, tree: str) -> Iterator[bytes]:
    for number in range(messages):
        name = topic(tree, number).encode()
        body = struct.pack("!H", len(name)) + name + struct.pack("!H", number % 65_535 + 1) + payload(number, first)
        # The payloads have some hundred bytes: the length takes two.
        yield bytes((0x32, len(body) & 127 | 128, len(body) >> 7)) + body


def compare(stores: Sequence[TelemetryStore], messages: int, turn: int) -> tuple[int, int]:
    """Return how many readings are missing or wrong in all stores together, and how many are there twice."""
    lost = duplicated = 0
    begin = first_us(turn)
    for machine in range(_MACHINES):
        sent = [orjson.loads(payload(n, begin)) for n in range(machine, messages, _MACHINES)]
        times = np.array([p["ts"] * 1000 for p in sent], dtype=np.int64)
        keys = [f"f{machine}/{value}" for value in VALUES]
        found = [store.series(keys, begin, begin + 86_400_000_000) for store in stores]
        for key, name in zip(keys, VALUES, strict=True):
            at = np.concatenate([series[key].time_us for series in found])
            value = np.concatenate([series[key].value for series in found])
            there = dict(zip(at.tolist(), value.tolist(), strict=True))
            right = dict(zip(times.tolist(), (p[name] for p in sent), strict=True))
            lost += sum(1 for time_us, v in right.items() if there.get(time_us) != v)
            duplicated += at.shape[0] - len(there) + sum(1 for time_us in there if time_us not in right)
    return lost, duplicated
