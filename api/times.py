"""Times and steps as people and programs write them in an address."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from api.errors import bad_request, shown
from facility.units import parse_duration

EARLIEST_US: Final = 0
LATEST_US: Final = 4_102_444_800_000_000  # 2100-01-01; beyond it somebody has miscounted zeros
SHORTEST_STEP_US: Final = 1_000
LONGEST_STEP_US: Final = 3_653 * 86_400_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# `+` in an address means a space, so that 08:00 ahead of UTC arrives as ` 08:00`.
_LOST_PLUS: Final = re.compile(r"(T\S+) (\d\d:?\d\d)$")


def now_us() -> int:
    """Return the time of the machine's clock. [µs since 1970-01-01 UTC]"""
    return time.time_ns() // 1_000


def parse_time(text: str, name: str, zone: ZoneInfo) -> int:
    """
    Read a time: ISO 8601, in the site's time zone where it names none, or whole microseconds since 1970 UTC.

    Parameters
    ----------
    name : the parameter, for the error
    zone : the site's time zone

    Raises
    ------
    ApiError
        `bad-time`.
    """
    text = text.strip()
    told = f"'{name}' is {shown(text)}"
    try:
        if re.fullmatch(r"[+-]?\d{1,20}", text, re.ASCII) and not re.fullmatch(r"\d{4}|\d{8}", text):
            time_us = int(text)
        else:
            moment = datetime.fromisoformat(_LOST_PLUS.sub(r"\1+\2", text))
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=zone)
            time_us = (moment - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        raise bad_request(
            "bad-time",
            f"{told}, which is no time.",
            "Write ISO 8601 such as 2026-07-16T02:40:00+08:00 (in an address, + is written %2B), or whole microseconds "
            "since 1970 UTC.",
        ) from None
    if not EARLIEST_US <= time_us < LATEST_US:
        raise bad_request(
            "bad-time",
            f"{told}, which lies outside 1970 to 2100.",
            "Numbers are microseconds since 1970 UTC: 16 digits for times of today.",
        )
    return time_us


def parse_step(text: str) -> int:
    """
    Read the length of a step, `15 min`, `1h`, `30 s`, and return microseconds.

    Raises
    ------
    ApiError
        `bad-step`.
    """
    try:
        step_us = round(parse_duration(text) * 1e6)
    except (ValueError, OverflowError):
        step_us = 0
    if not SHORTEST_STEP_US <= step_us <= LONGEST_STEP_US:
        raise bad_request(
            "bad-step",
            f"'step' is {shown(text)}, which is no length of time from 1 ms to 10 years.",
            "Write a number with ms, s, min, h, d or weeks, such as 15min; or raw, or auto.",
        )
    return step_us
