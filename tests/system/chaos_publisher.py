"""The gateways of the chaos test, in a process of their own: a steady stream of numbered messages with QoS 1.

    python chaos_publisher.py PORT MESSAGES A_SECOND START_MS

Nineteen of twenty messages carry their own time; the twentieth is a bare value without one. What the broker has not
answered when it goes away is sent again when it is back, as MQTT asks of a publisher.
"""

import contextlib
import json
import select
import socket
import struct
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from harness import Mosquitto

MIDS = 60_000
WINDOW = 4_000  # messages that the broker has not answered
MACHINES = 19
VALUES = ("voltage_a", "current_a", "active_power")


def message(number, start_ms):
    """Return topic and payload of message `number`."""
    turn, machine = divmod(number, MACHINES + 1)
    if machine == MACHINES:
        return "field/meter/U1", f"{bare_value(turn)}"
    return f"chaos/power-1/f{machine}/telemetry", json.dumps({"ts": time_ms(turn, start_ms), **values(number)})


def time_ms(turn, start_ms):
    return start_ms + turn * 10


def values(number):
    """Return what message `number` says: values that differ from one message to the next."""
    return {name: round(220 + (number * (7 + i)) % 1000 / 100, 2) for i, name in enumerate(VALUES)}


def bare_value(turn):
    """Return the value of the bare message of a turn: each one only once."""
    return round(200 + turn / 1000, 3)


class Gateways:
    """A connection that keeps what the broker has not answered and sends it again when the broker is back."""

    def __init__(self, port):
        self._port = port
        self._sock = None
        self._unanswered = {}  # packet id -> packet, oldest first
        self._rest = b""
        self.again = []  # packet ids that were sent again

    @property
    def waiting(self):
        return len(self._unanswered)

    def publish(self, mid, topic, payload):
        name = topic.encode()
        body = struct.pack("!H", len(name)) + name + struct.pack("!H", mid) + payload.encode()
        packet = bytes((0x32, len(body) & 127 | 128, len(body) >> 7)) + body if len(body) > 127 else (
            bytes((0x32, len(body))) + body
        )  # fmt: skip
        self._unanswered[mid] = packet
        self._send(packet)

    def _send(self, packet):
        try:
            if self._sock is None:
                self._connect()  # sends what is unanswered, this packet too
            else:
                self._sock.sendall(packet)
        except OSError:
            self._lost()

    def read(self, seconds):
        """Take the broker's answers for so long, at least once."""
        if self._sock is None:
            with contextlib.suppress(OSError):
                self._connect()
        if self._sock is None:
            time.sleep(0.1)
            return
        try:
            if not select.select([self._sock], [], [], seconds)[0]:
                return
            data = self._sock.recv(65_536)
            if not data:
                raise OSError
        except OSError:
            self._lost()
            return
        data = self._rest + data
        whole = len(data) // 4 * 4
        for _, _, mid in struct.iter_unpack("!BBH", data[:whole]):  # PUBACK: 0x40, 2, packet id
            self._unanswered.pop(mid, None)
        self._rest = data[whole:]

    def close(self):
        self._sock.sendall(b"\xe0\x00")
        self._sock.close()

    def _connect(self):
        sock = socket.create_connection(("127.0.0.1", self._port), timeout=10)
        name, user, password = b"gateways", Mosquitto.USER.encode(), Mosquitto.PASSWORD.encode()
        fields = b"".join(struct.pack("!H", len(field)) + field for field in (name, user, password))
        body = b"\x00\x04MQTT\x04\xc2\x00\x00" + fields
        sock.sendall(bytes((0x10, len(body))) + body)
        if sock.recv(4)[:1] != b"\x20":
            raise OSError("no greeting")
        self._sock, self._rest = sock, b""
        for mid, packet in self._unanswered.items():
            self.again.append(mid)
            sock.sendall(bytes((packet[0] | 0x08,)) + packet[1:])

    def _lost(self):
        if self._sock is not None:
            self._sock.close()
        self._sock = None


def main(port, messages, a_second, start_ms):
    gateways = Gateways(port)
    began = time.monotonic()
    for number in range(messages):
        gateways.publish(number % MIDS + 1, *message(number, start_ms))
        while (ahead := number / a_second - (time.monotonic() - began)) > 0.005:
            gateways.read(ahead)
        while gateways.waiting >= WINDOW:
            gateways.read(1.0)
    took = time.monotonic() - began
    until = time.monotonic() + 120
    while gateways.waiting:
        gateways.read(1.0)
        if time.monotonic() > until:
            raise SystemExit(f"the broker does not answer {gateways.waiting} messages")
    gateways.close()
    # The packet ids are a multiple of the machines, so they tell which messages were bare.
    bare = sum((mid - 1) % (MACHINES + 1) == MACHINES for mid in gateways.again)
    print(json.dumps({"messages": messages, "a_second": round(messages / took), "bare_sent_again": bare}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
