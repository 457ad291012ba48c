"""One file of the spool: records one after the other, each with its checksum, and the keys that they speak of.

A file that has been used before holds old records behind the new ones: the checksums are seeded with the file's
number, so that an old record is never taken for a new one.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal

import numpy as np
import orjson
from numpy.typing import NDArray

from facility.readings import PointAddress
from facility.store.last_write import Readings

HEAD_BYTES: Final = 64
_HEAD: Final = struct.Struct("<8sQQQI")  # magic, number, end and readings of the segment before, checksum
_HEAD_MAGIC: Final = b"WWSPOOL1"
_RECORD: Final = struct.Struct("<4sIIIqII")  # magic, kind, length, readings, time, checksums of payload and header
_RECORD_MAGIC: Final = b"WWRC"
_ALIGNED: Final = 8
_32_BITS: Final = 0xFFFFFFFF

KEYS: Final = 1
READINGS: Final = 2
_FIELDS: Final = tuple(f.name for f in fields(PointAddress))


@dataclass(frozen=True, slots=True)
class SegmentHead:
    """What a segment's first bytes say: its number, and how the segment before it ended."""

    number: int
    previous_end: int
    previous_readings: int

    def packed(self) -> bytes:
        """Return the head's bytes, as long as `HEAD_BYTES`."""
        body = _HEAD.pack(_HEAD_MAGIC, self.number, self.previous_end, self.previous_readings, 0)[:-4]
        return (body + zlib.crc32(body).to_bytes(4, "little")).ljust(HEAD_BYTES, b"\0")

    @classmethod
    def parse(cls, data: bytes) -> SegmentHead | None:
        """Return what the bytes say, or None if they are no sound head."""
        if len(data) < _HEAD.size:
            return None
        magic, number, end, readings, crc = _HEAD.unpack_from(data)
        if magic != _HEAD_MAGIC or crc != zlib.crc32(data[: _HEAD.size - 4]):
            return None
        return cls(number, end, readings)


@dataclass(frozen=True, slots=True)
class Record:
    """A sound record: where it begins and ends in the file, and what it holds."""

    start: int
    end: int
    kind: int
    readings: int
    at_us: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Damage:
    """A stretch of a segment that cannot be read; `readings` as far as a header still tells, else 0."""

    start: int
    end: int
    readings: int


def record(kind: Literal[1, 2], payload: bytes, readings: int, at_us: int, number: int) -> bytes:
    """Return a record for the segment of this number, padded."""
    body = _RECORD.pack(_RECORD_MAGIC, kind, len(payload), readings, at_us, zlib.crc32(payload, number & _32_BITS), 0)[
        :-4
    ]
    head = body + zlib.crc32(body, number & _32_BITS).to_bytes(4, "little")
    return head + payload + b"\0" * (-(len(head) + len(payload)) % _ALIGNED)


def keys_payload(first: int, addresses: Sequence[PointAddress]) -> bytes:
    """Return the payload that gives the numbers from `first` on to these points."""
    return zlib.compress(orjson.dumps({"first": first, "points": [asdict(a) for a in addresses]}), 1)


def keys_of(payload: bytes) -> tuple[int, list[PointAddress]]:
    """Return what `keys_payload` was given; names that a later version has added are left out."""
    data: dict[str, Any] = orjson.loads(zlib.decompress(payload))
    points = [PointAddress(**{name: p[name] for name in _FIELDS if name in p}) for p in data["points"]]
    return int(data["first"]), points


def readings_payload(rows: Readings) -> bytes:
    """Return readings as bytes: by columns, times as differences, bytes of equal weight together, then packed."""
    steps = np.diff(rows.time_us, prepend=np.int64(0))
    columns = (rows.point.astype("<i4"), steps.astype("<i8"), rows.value.astype("<f8"), rows.quality)
    return zlib.compress(b"".join(map(_shuffled, columns)), 1)


def readings_of(payload: bytes, count: int) -> Readings:
    """Return the `count` readings of a payload; ValueError if it does not hold so many."""
    data = zlib.decompress(payload)
    if len(data) != 21 * count:
        raise ValueError(f"{len(data)} bytes are not {count} readings")
    point = _unshuffled(data, 0, count, "<i4").astype(np.int32)
    time_us = np.cumsum(_unshuffled(data, 4 * count, count, "<i8").astype(np.int64))
    value = _unshuffled(data, 12 * count, count, "<f8").astype(np.float64)
    return Readings(point, time_us, value, np.frombuffer(data, np.uint8, count, 20 * count))


def _shuffled(column: NDArray[Any]) -> bytes:
    # Neighbours differ in their low bytes only: the high ones, put together, pack to nearly nothing.
    return np.ascontiguousarray(column).view(np.uint8).reshape(len(column), column.itemsize).T.tobytes()


def _unshuffled(data: bytes, start: int, count: int, kind: str) -> NDArray[Any]:
    size = np.dtype(kind).itemsize
    rows = np.frombuffer(data, np.uint8, count * size, start).reshape(size, count)
    return np.ascontiguousarray(rows.T).reshape(-1).view(kind)


class SegmentReader:
    """
    Goes through one segment's records in order and steps over what is damaged.

    Parameters
    ----------
    fd : the open file, which stays the caller's
    number : the segment's

    Attributes
    ----------
    offset : where the next record begins
    addresses : the points by their number in this segment; None where the record that named them is damaged
    """

    def __init__(self, fd: int, number: int) -> None:
        self._fd = fd
        self._number = number
        self.offset = HEAD_BYTES
        self.addresses: list[PointAddress | None] = []
        self._nameless = False

    @property
    def nameless(self) -> bool:
        """Return whether the name of some point is damaged."""
        return self._nameless

    def next(self, end: int) -> Record | Damage | None:
        """Return what comes next below `end`, keys included, or None if that is all."""
        if self.offset >= end:
            return None
        start = self.offset
        found = self._sound(start, end)
        if found is not None:
            try:
                if found.kind == KEYS:
                    self._learn(*keys_of(found.payload))
                self.offset = found.end
                return found
            except (ValueError, KeyError, TypeError, zlib.error):
                pass
        told = self._header(start, end)
        self.offset = self._following(start + _ALIGNED, end)
        return Damage(start, self.offset, told[1] if told is not None and told[0] == READINGS else 0)

    def skip_to(self, offset: int, end: int) -> None:
        """Go on to `offset`, learning the keys on the way."""
        while self.offset < min(offset, end):
            self.next(end)

    def time_at(self, offset: int, end: int) -> int | None:
        """Return when the record that begins there was written; None if its header is not sound. [µs]"""
        told = self._header(offset, end)
        return told[3] if told is not None else None

    def _header(self, start: int, end: int) -> tuple[int, int, int, int, int] | None:
        """Return kind, readings, length, time and the payload's checksum, if the header is sound."""
        head = os.pread(self._fd, _RECORD.size, start)
        if len(head) < _RECORD.size:
            return None
        magic, kind, length, readings, at_us, payload_crc, crc = _RECORD.unpack(head)
        if magic != _RECORD_MAGIC or crc != zlib.crc32(head[:-4], self._number & _32_BITS):
            return None
        return (kind, readings, length, at_us, payload_crc) if start + _RECORD.size + length <= end else None

    def _sound(self, start: int, end: int) -> Record | None:
        told = self._header(start, end)
        if told is None:
            return None
        kind, readings, length, at_us, crc = told
        payload = os.pread(self._fd, length, start + _RECORD.size)
        if len(payload) < length or crc != zlib.crc32(payload, self._number & _32_BITS):
            return None
        size = _RECORD.size + length
        return Record(start, start + size + -size % _ALIGNED, kind, readings, at_us, payload)

    def _following(self, start: int, end: int) -> int:
        """Return where the next sound record begins, or `end` if there is none."""
        rest = os.pread(self._fd, end - start, start) if end > start else b""
        at = rest.find(_RECORD_MAGIC)
        while at >= 0:
            if (start + at) % _ALIGNED == 0 and self._sound(start + at, end) is not None:
                return start + at
            at = rest.find(_RECORD_MAGIC, at + 1)
        return end

    def _learn(self, first: int, addresses: Iterable[PointAddress]) -> None:
        given = list(addresses)
        self._nameless = self._nameless or first > len(self.addresses)
        missing = first + len(given) - len(self.addresses)
        self.addresses += [None] * max(0, missing)
        self.addresses[first : first + len(given)] = given
