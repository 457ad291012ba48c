"""What comes in from the broker: PUBLISH packets are read in bulk by us, all others are left to paho-mqtt.

paho reads a packet in three or more calls to the system and some forty steps of Python, which takes longer than
decoding and storing the readings in it. Almost all that comes in is PUBLISH, whose layout is simple; so this stands
between the socket and paho, takes large pieces from the one, hands each PUBLISH on, and shows paho only the rest, in
the order in which it came.

Source of the layouts: MQTT Version 3.1.1 and MQTT Version 5.0, OASIS Standards, sections 2.1, 2.2 and 3.3.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any, Final

OnMessage = Callable[[str, bytes, int, bool, bool], None]

_PIECE: Final = 256 * 1024
_PUBLISH: Final = 0x30
_LONGEST_LENGTH: Final = 4  # bytes of a remaining length
NOT_UTF8: Final = "(topic that is not UTF-8)"


class Inbound:
    """
    A socket, as far as paho needs one, that keeps PUBLISH packets of QoS 0 and 1 to itself.

    Parameters
    ----------
    sock : the connected socket, plain or TLS
    properties : True with MQTT 5, whose packets carry properties; none of PUBLISH concerns us (topic aliases are used
        only if a client offers to take them, which paho does not)
    on_message : called with topic, payload, packet id (0: nothing to acknowledge), sent again, retained
    """

    def __init__(self, sock: Any, *, properties: bool, on_message: OnMessage) -> None:
        self._sock = sock
        self._properties = properties
        self._on_message = on_message
        self._held = b""  # what has come and was not handed on yet, from `_at` on
        self._at = 0
        self._pieces: list[bytes] = []  # of a packet longer than what is held, until all of it is there
        self._lacking = 0  # bytes of it still to come
        self._shown = 0  # paho may read up to here
        self._more = False  # the last call took no more than it was allowed
        self._ended = False

    def read(self, most: int) -> int:
        """
        Take what has come and hand on up to `most` messages; return how many.

        Fewer than `most`: nothing more has come, or the next packet is for paho (`for_paho`).
        """
        if self.for_paho:
            return 0
        given = 0 if self._lacking else self._hand_on(most)
        if given < most and not self.for_paho and self._fill():
            given += self._hand_on(most - given)
        self._more = given >= most
        return given

    @property
    def for_paho(self) -> bool:
        """Return whether paho's `loop_read` has something to do: a packet of its own, or the connection's end."""
        return self._shown > self._at or self._ended

    def pending(self) -> int:
        """Return above zero if there is something to read though the system's socket may have nothing."""
        behind = getattr(self._sock, "pending", None)
        return int(self._more or self.for_paho) + (behind() if behind is not None else 0)

    def recv(self, size: int) -> bytes:
        """Return bytes of the packet that is paho's; BlockingIOError if there is none, b"" at the connection's end."""
        if self._shown > self._at:
            begin, self._at = self._at, min(self._at + size, self._shown)
            return self._held[begin : self._at]
        if self._ended:
            return b""
        raise BlockingIOError

    def drop(self) -> bool:
        """Read what has come and let it go; False once the connection has ended. For the time after our DISCONNECT."""
        try:
            return bool(self._sock.recv(_PIECE))
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return True
        except OSError:
            return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)  # send, close, fileno and the like are the socket's own

    def _fill(self) -> bool:
        """Take a piece from the socket; True if there is more to hand on now."""
        try:
            piece = self._sock.recv(_PIECE)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except OSError:
            piece = b""
        if not piece:
            self._ended = True
            return False
        if self._lacking > len(piece):
            # Joined once all is there: to append each piece to what is held would copy a long packet many times.
            self._pieces.append(piece)
            self._lacking -= len(piece)
            return False
        self._held = b"".join((self._held[self._at :], *self._pieces, piece))
        self._at = self._shown = self._lacking = 0
        self._pieces.clear()
        return True

    def _hand_on(self, most: int) -> int:
        held, at, end = self._held, self._at, len(self._held)
        properties, on_message = self._properties, self._on_message
        given = 0
        while given < most and end - at >= 2:
            length, body = held[at + 1], at + 2
            if length > 127:
                length, body = _length(held, at + 1, end)
                if body == 0:
                    break  # the length itself is not all there
            stop = body + length
            first = held[at]
            if first & 0xF0 != _PUBLISH or first & 0x06 > 0x02 or length < 0:
                self._shown = min(stop, end) if length >= 0 else end
                if stop > end:
                    self._lacking, self._shown = stop - end, at
                break
            if stop > end:
                self._lacking = stop - end
                break
            topic_at = body + 2
            mid_at = topic_at + ((held[body] << 8) | held[body + 1]) if length >= 2 else stop + 1
            payload_at, mid = mid_at, 0
            if first & 0x06:
                payload_at += 2
                if payload_at <= stop:
                    mid = (held[mid_at] << 8) | held[mid_at + 1]
            if properties and payload_at < stop:
                size, after = held[payload_at], payload_at + 1
                if size > 127:
                    size, after = _length(held, payload_at, stop)
                payload_at = after + size if after and size >= 0 else stop + 1
            elif properties:
                payload_at = stop + 1
            if payload_at > stop or (first & 0x06 and not mid):
                self._shown = stop  # malformed: paho ends the connection as the standard asks
                break
            try:
                topic = str(held[topic_at:mid_at], "utf-8")
            except UnicodeDecodeError:
                topic = NOT_UTF8
            self._at = at = stop
            given += 1
            on_message(topic, held[payload_at:stop], mid, bool(first & 0x08), bool(first & 0x01))
        return given


def _length(held: bytes, at: int, end: int) -> tuple[int, int]:
    """Return a variable byte integer and where it ends; (0, 0) if it is not all there, (-1, end) if it is none."""
    value = 0
    for i in range(_LONGEST_LENGTH):
        if at + i >= end:
            return 0, 0
        byte = held[at + i]
        value |= (byte & 127) << (7 * i)
        if byte < 128:
            return value, at + i + 1
    return -1, end
