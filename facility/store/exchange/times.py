"""Times in files: ISO 8601 with a zone, to the microsecond."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_QUARTER_US: Final = 900_000_000  # no zone has changed its offset in the middle of a quarter of an hour since 1970
# Of what an ISO time may be, the form in which the engine reads a whole column at once without guessing.
_PLAIN: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)")


def iso_times(time_us: NDArray[np.int64], zone: ZoneInfo | None = None) -> list[str]:
    """Return times (n,) [µs] as `2026-03-02T10:20:00.500000+08:00`; without a zone in UTC, as `...Z`."""
    if zone is None or time_us.shape[0] == 0:
        return [f"{text}Z" for text in np.datetime_as_string(time_us.view("M8[us]")).tolist()]
    quarters, which = np.unique(time_us // _QUARTER_US, return_inverse=True)
    offsets = [_offset_s(int(quarter) * _QUARTER_US, zone) for quarter in quarters.tolist()]
    offset_us = np.array([0 if s is None else s * 1_000_000 for s in offsets], np.int64)[which]
    suffixes = np.array(["Z" if s is None else _offset(s) for s in offsets], dtype=object)[which]
    local = np.datetime_as_string((time_us + offset_us).view("M8[us]")).tolist()
    return [text + suffix for text, suffix in zip(local, suffixes.tolist(), strict=True)]


def _offset_s(time_us: int, zone: ZoneInfo) -> int | None:
    try:
        offset = (_EPOCH + timedelta(microseconds=time_us)).astimezone(zone).utcoffset()
    except OverflowError:
        return None
    seconds = int(offset.total_seconds()) if offset is not None else 0
    # Local mean times of the 19th century have odd seconds, which ISO 8601 cannot say.
    return seconds if seconds % 60 == 0 else None


def _offset(seconds: int) -> str:
    sign, minutes = "-" if seconds < 0 else "+", abs(seconds) // 60
    return f"{sign}{minutes // 60:02d}:{minutes % 60:02d}"


def read_times(texts: Sequence[str]) -> NDArray[np.int64] | None:
    """Return plain ISO times with zones (n,) in microseconds, or None if any is not plain or is wrong. [µs]"""
    if not all(map(_PLAIN.fullmatch, texts)):
        return None
    try:
        column = pa.array(texts, pa.string()).cast(pa.timestamp("us", "UTC"))
    except pa.ArrowInvalid:
        return None
    found: NDArray[np.int64] = column.cast(pa.int64()).to_numpy()
    return found


def read_time(text: str, zone: ZoneInfo | None = None) -> int:
    """
    Return a time in microseconds: ISO 8601, or whole microseconds since 1970 UTC.

    Raises
    ------
    ValueError
        If it is neither, or has no zone and none was given.
    """
    stripped = text.strip()
    if re.fullmatch(r"-?\d{10,19}", stripped):
        return int(stripped)
    try:
        moment = datetime.fromisoformat(stripped)
    except ValueError:
        raise ValueError(f"time {text!r} is not understood; write it as 2026-03-02T10:20:00+08:00") from None
    if moment.tzinfo is None:
        if zone is None:
            raise ValueError(f"time {text!r} has no zone; write +08:00 after it, or say --zone Asia/Shanghai")
        moment = moment.replace(tzinfo=zone)
    return (moment - _EPOCH) // _MICROSECOND
