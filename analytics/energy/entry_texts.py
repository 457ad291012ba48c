"""What people write into the accounts: a time by the site's clock, which must name one, and what a register shows."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from analytics.energy.entry_checks import EntryRefused
from facility.calendar import not_one_time, to_us
from facility.names import Names
from facility.wording import quoted_zh

_TIME: Final = re.compile(
    r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?"
    r"(?:[T\s]+(\d{1,2}):(\d{2})(?::(\d{2}))?\s*(?:(?:UTC|GMT)?\s*([+-])(\d{2}):?(\d{2})|(Z))?)?"
)
# A comma sets off thousands and nothing else: 10452,7 read as 104527 would be ten meters' worth.
_NUMBER: Final = re.compile(r"[+-]?(\d+|\d{1,3}(,\d{3})+)(\.\d*)?([eE][+-]?\d+)?|[+-]?\.\d+")


def read_time(text: str, zone: ZoneInfo) -> int | None:
    """
    Return a time as people write it: 2026-03-01 08:30, 2026/3/1 or 2026年3月1日; None if it is none. [µs UTC]

    One with its distance from UTC, 2026-10-25 02:30+01:00, is taken by that. EntryRefused as `at_wall`.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second, sign, hours, minutes, utc = match.groups(default="")
    try:
        clock = int(hour or 0), int(minute or 0), int(second or 0)
        shown = datetime(int(year), int(month), int(day), *clock, tzinfo=UTC)
        if sign or utc:
            return to_us(shown - int(f"{sign}1") * timedelta(hours=int(hours or 0), minutes=int(minutes or 0)))
        return at_wall(shown, zone)
    except (ValueError, OverflowError):
        return None


def asked_time(text: str, zone: ZoneInfo) -> int:
    """Return a time that a person was asked for. [µs UTC] EntryRefused if it is none, or as `at_wall`."""
    at_us = read_time(text, zone)
    if at_us is not None:
        return at_us
    if not text.strip():
        raise EntryRefused(
            Names(
                zh="缺少时间；请按本院当地时间填写，例如 2026-07-16 08:00",
                en="the time is missing; write the site's time, such as 2026-07-16 08:00",
            )
        )
    raise EntryRefused(
        Names(
            zh=f"{quoted_zh(text[:40])}不是时间；请按本院当地时间填写，例如 2026-07-16 08:00",
            en=f"{text[:40]!r} is no time; write the site's time, such as 2026-07-16 08:00",
        )
    )


def at_wall(shown: datetime, zone: ZoneInfo) -> int:
    """
    Return when the site's clock shows a time, whatever zone that says it is of. [µs UTC]

    Raises
    ------
    EntryRefused
        If the clock never shows it, for it is put forward over it, or shows it twice, for it is put back: a register
        that was guessed to be read an hour off would move the energy of that hour.
    """
    if (words := not_one_time(shown, zone)) is not None:
        raise EntryRefused(words)
    return to_us(shown.replace(tzinfo=zone))


def read_value(text: str) -> float | None:
    """Return a number as people write it, thousands set off by commas or not; None if it is none."""
    plain = text.strip().replace("，", ",").replace(" ", "")
    value = float(plain.replace(",", "")) if _NUMBER.fullmatch(plain) else math.nan
    return value if math.isfinite(value) else None


def asked_value(text: str, what: Names) -> float:
    """Return a number that a person was asked for. EntryRefused if it is none."""
    value = read_value(text)
    if value is not None:
        return value
    if not text.strip():
        raise EntryRefused(
            Names(
                zh=f"缺少{what.zh}；请填写表上的示数，例如 10452.7",
                en=f"{what.en} is missing; write what the register shows, such as 10452.7",
            )
        )
    raise EntryRefused(
        Names(
            zh=f"{what.zh}{quoted_zh(text[:40])}不是数字；请填写表上的示数，例如 10452.7",
            en=f"{what.en} {text[:40]!r} is no number; write what the register shows, such as 10452.7",
        )
    )
