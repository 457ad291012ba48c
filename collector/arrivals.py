"""When did a message without a time of its own first arrive? Remembered across a crash, by packet id.

A message that was stored but not yet acknowledged when the process died comes again. If it carries its own time, the
store knows the reading by point and time. If it carries none, its time is its arrival, and a second arrival would be
a second reading. So the first arrival is noted here before the reading is stored: the broker sends the message again
with the same packet id and marked as a duplicate, and it gets its first arrival back.
"""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import Final

import numpy as np

from collector.slot_file import map_table

_SLOT: Final = struct.Struct("<QQ16s")  # count of messages so far, arrival [µs], digest of topic and payload
_NOTE: Final = np.dtype([("count", "<u8"), ("arrival_us", "<u8"), ("digest", "V16")])  # the same, for all at once
_SLOTS = 65_536  # packet ids are 16 bits
# A packet id comes round after 65,535 messages at the earliest, so a note older than that is of another message.
_STALE = 60_000


class ArrivalLedger:
    """
    A table with one note a packet id, in a file that survives a kill -9 of the process (2 MiB).

    Parameters
    ----------
    path : Path or None
        None keeps the table in memory: it then bridges reconnections, not restarts.

    Raises
    ------
    OSError
        If the file cannot be made.
    """

    def __init__(self, path: Path | None) -> None:
        self._table = map_table(path, _SLOT.size * _SLOTS)
        self._count = int(np.frombuffer(self._table, _NOTE)["count"].max())

    def arrival(self, mid: int, topic: str, payload: bytes, now_us: int, redelivered: bool) -> int:
        """Return when this QoS 1 message first arrived: `now_us`, or what was noted if it is `redelivered`. [µs]"""
        self._count += 1
        digest = hashlib.blake2b(payload, digest_size=16, key=hashlib.blake2b(topic.encode(), digest_size=16).digest())
        if redelivered:
            count, arrival_us, noted = _SLOT.unpack_from(self._table, mid * _SLOT.size)
            if noted == digest.digest() and count > self._count - _STALE:
                return int(arrival_us)
        _SLOT.pack_into(self._table, mid * _SLOT.size, self._count, now_us, digest.digest())
        return now_us

    def close(self) -> None:
        """Let go of the file; a second call does nothing."""
        self._table.close()
