"""Is a reading believable: times against the clock, values against what is physically possible."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from facility.errors import PayloadRejected
from facility.readings import CLOCK_SUSPECT, ESTIMATED, GOOD, HISTORICAL, OUT_OF_RANGE
from facility.site import TimeUnit

EARLIEST_US: Final = 946_684_800_000_000  # 2000-01-01: a clock that was never set says 1970
FUTURE_US: Final = 10 * 60 * 1_000_000  # a gateway's clock may run ahead this far
LATE_US: Final = 10 * 60 * 1_000_000  # older than this is history, on which no live rule may fire
AHEAD_US: Final = 10 * 1_000_000  # further ahead than this is a wrong clock, not the network's jitter
# What always comes late by the same is no history but a clock that is slow, or set to another time zone: it is judged.
STEADY_US: Final = 60 * 1_000_000  # by the same: within so much
STEADY_FOR_US: Final = 60 * 1_000_000  # always: for so long
SLOW_CLOCK_US: Final = 26 * 3600 * 1_000_000  # a time zone at most; what is older is a recording

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_US_PER: Final = {"s": 1_000_000, "ms": 1_000, "us": 1}
# By magnitude, today is 1.8e9 s, 1.8e12 ms, 1.8e15 µs, 1.8e18 ns: these bounds lie centuries away from each.
_MS_FROM, _US_FROM, _NS_FROM = 10**11, 10**14, 10**17
_MOST: Final = int(9e18)  # about what a 64-bit number holds [µs]
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_MAX_TEXT = 64


def number_of(text: str) -> float | None:
    """Return the number that a text is (`23.5`, `-1e3`), or None if it is none: no `nan`, no `1_000`, no `0x10`."""
    text = text.strip()
    return float(text) if len(text) <= _MAX_TEXT and _NUMBER.fullmatch(text) else None


def time_us(raw: Any, unit: TimeUnit, zone: tzinfo) -> int:
    """
    Read a payload's time.

    Parameters
    ----------
    raw : a number, a number as text, or ISO 8601 text
    unit : of a number; `auto` tells seconds, milliseconds, microseconds and nanoseconds apart by their size
    zone : of ISO text that names none: the site's

    Returns
    -------
    int
        Microseconds since 1970-01-01 UTC, not checked for being believable.

    Raises
    ------
    PayloadRejected
        `time-unreadable`.
    """
    if raw.__class__ is int and unit == "auto" and _MS_FROM <= raw < _US_FROM:
        return int(raw) * 1_000  # what most gateways send
    if isinstance(raw, str):
        number = number_of(raw)
        if number is None or unit == "iso":
            return _iso_us(raw, zone)
        raw = int(raw) if raw.strip().lstrip("+-").isdigit() else number
    if isinstance(raw, bool) or not isinstance(raw, int | float) or raw != raw:
        raise _unreadable(raw)
    if unit == "auto" or unit == "iso":
        size = abs(raw)
        if size >= _NS_FROM:
            return int(raw) // 1_000 if size < 1e22 else _far(raw)
        unit = "s" if size < _MS_FROM else "ms" if size < _US_FROM else "us"
    if abs(raw) > 1e18:
        return _far(raw)
    return round(raw * _US_PER[unit])


def times_us(raw: Sequence[int], unit: TimeUnit) -> NDArray[np.int64]:
    """
    Read many whole numbers as times, (n,), in one go; `time_us` says how.

    Raises
    ------
    OverflowError
        If one of them is beyond all calendars.
    """
    value = np.array(raw, dtype=np.int64)
    if unit in ("auto", "iso"):
        size = np.abs(value)
        return np.select(
            [size >= _NS_FROM, size >= _US_FROM, size >= _MS_FROM], [value // 1_000, value, value * 1_000],
            np.minimum(value, _MS_FROM) * 1_000_000,
        )  # fmt: skip
    if len(value) and max(int(value.max()), -int(value.min())) > _MOST // _US_PER[unit]:
        raise OverflowError
    return value * _US_PER[unit]


def _far(raw: float) -> int:
    raise PayloadRejected(
        "time-implausible",
        f"time {raw:.6g} lies outside all calendars; correct time.key or time.unit in the site file",
        case="no-time", value=f"{raw:.6g}",
    )  # fmt: skip


def _iso_us(text: str, zone: tzinfo) -> int:
    try:
        # Some gateways write 2025/01/05 10:00:00.
        moment = datetime.fromisoformat(text.strip().replace("/", "-") if len(text) <= _MAX_TEXT else "")
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        return (moment - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        raise _unreadable(text) from None


def _unreadable(raw: Any) -> PayloadRejected:
    shown = repr(raw) if len(repr(raw)) <= 80 else repr(raw)[:77] + "..."
    return PayloadRejected(
        "time-unreadable",
        f"time {shown} is neither a number nor ISO 8601 such as 2026-03-02T10:20:00+08:00; "
        "correct the gateway, or name the right key as time.key in the site file",
        case="no-time", value=shown,
    )  # fmt: skip


def implausible(at_us: int, arrival_us: int) -> PayloadRejected:
    """Return why a time before 2000 or more than ten minutes ahead is not believed."""
    try:
        shown = (_EPOCH + timedelta(microseconds=at_us)).isoformat(timespec="seconds")
    except OverflowError:
        shown = f"{at_us} µs since 1970"
    if at_us < EARLIEST_US:
        why = "lies before 2000; set the gateway's clock (NTP), or correct time.unit in the site file"
        return PayloadRejected("time-implausible", f"time {shown} {why}", case="early", time=shown)
    ahead = (at_us - arrival_us) / 60e6
    why = f"lies {ahead:,.0f} min ahead; set the gateway's clock and time zone, or correct time.unit"
    return PayloadRejected("time-implausible", f"time {shown} {why}", case="ahead", time=shown, minutes=round(ahead))


class Clocked(Protocol):
    """Whatever remembers how late its messages come, and since when by about the same. [µs]"""

    late_by_us: int
    late_since_us: int


def judged_time(source: Clocked, at_us: int, arrival_us: int) -> tuple[int, int]:
    """
    Return a message's own time with what is known against it: it is history, or the clock is not believed.

    Raises
    ------
    PayloadRejected
        `time-implausible`.
    """
    if not EARLIEST_US <= at_us <= arrival_us + FUTURE_US:
        raise implausible(at_us, arrival_us)
    late_by_us = arrival_us - at_us
    if late_by_us > LATE_US:
        return at_us, CLOCK_SUSPECT if always_late(source, late_by_us, arrival_us) else HISTORICAL
    return at_us, CLOCK_SUSPECT if late_by_us < -AHEAD_US else GOOD


def judged_times(
    source: Clocked, at_us: NDArray[np.int64], newest: Callable[[], NDArray[np.bool_]], arrival_us: int
) -> NDArray[np.uint8]:
    """
    Return what is known against the times of one payload's samples.

    Parameters
    ----------
    source : remembers how late its payloads come
    at_us : (n,) times of the samples, all plausible [µs]
    newest : tells which samples, (n,), are the newest of a point in this payload; asked where it matters
    arrival_us : when the payload came [µs]

    Returns
    -------
    (n,) uint8
        HISTORICAL for what is more than ten minutes old. If the payload's newest time tells that the clock is not
        believed, CLOCK_SUSPECT for all, and HISTORICAL for all but the newest of each point: only those are of now.
    """
    late_by_us = arrival_us - int(at_us.max())
    slow = late_by_us > LATE_US and always_late(source, late_by_us, arrival_us)
    if slow or late_by_us < -AHEAD_US:
        return np.where(newest(), np.uint8(CLOCK_SUSPECT), np.uint8(CLOCK_SUSPECT | HISTORICAL))
    return np.where(arrival_us - at_us > LATE_US, np.uint8(HISTORICAL), np.uint8(GOOD))


def always_late(source: Clocked, late_by_us: int, arrival_us: int) -> bool:
    """Return whether messages have come late by about the same for long enough to blame the clock."""
    if late_by_us > SLOW_CLOCK_US:
        return False
    if abs(late_by_us - source.late_by_us) > STEADY_US:
        source.late_by_us, source.late_since_us = late_by_us, arrival_us
        return False
    return arrival_us - source.late_since_us >= STEADY_FOR_US


# Words of OPC and of common gateways, in small letters.
_GOOD_WORDS: Final = frozenset({"good", "ok", "valid", "normal", "true", "良好", "正常", "有效"})
_UNCERTAIN_WORDS: Final = frozenset({"uncertain", "doubtful", "substituted", "不确定"})
_OPC_GOOD, _OPC_UNCERTAIN, _OPC_MOST = 192, 64, 255


def quality_of(raw: Any, good: frozenset[str]) -> int:
    """
    Read what a gateway says of a value.

    Parameters
    ----------
    raw : a word, or a number as OPC has it (192 to 255 good, 64 to 127 uncertain)
    good : words and numbers that say good in place of the usual ones, in small letters; all others are bad

    Returns
    -------
    int
        GOOD, or ESTIMATED where the gateway is uncertain.

    Raises
    ------
    PayloadRejected
        `bad-quality`: the gateway itself does not believe the value, so it is no reading.
    """
    number = number_of(raw) if isinstance(raw, str) else raw
    code: int | None = None
    if isinstance(number, int | float) and not isinstance(number, bool) and number == number // 1:
        code = int(number)
    word = str(code) if code is not None else str(raw).strip().lower()[:_MAX_TEXT]
    if good:
        if word in good:
            return GOOD
    elif word in _GOOD_WORDS or (code is not None and _OPC_GOOD <= code <= _OPC_MOST):
        return GOOD
    elif word in _UNCERTAIN_WORDS or (code is not None and _OPC_UNCERTAIN <= code < 2 * _OPC_UNCERTAIN):
        return ESTIMATED
    raise PayloadRejected(
        "bad-quality",
        f"the gateway says {word!r} of it, so it is no reading; look at the sensor, or write quality: {{good: [...]}} "
        "if that means good here",
        case="bad-quality", value=word,
    )  # fmt: skip


def range_quality(value: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return OUT_OF_RANGE for each value (n,) outside [low, high] (n,) each, 0 for the others."""
    return np.where((value < low) | (value > high), np.uint8(OUT_OF_RANGE), np.uint8(0))
