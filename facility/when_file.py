"""Days, months and times of day as people write them in a site file."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator


def _time_of_day(text: str) -> int:
    match = re.fullmatch(r"(\d{1,2}):(\d{2})", str(text))
    if match is None or int(match[1]) > 24 or int(match[2]) > 59 or int(match[1]) * 60 + int(match[2]) > 1440:
        raise ValueError(f"{text!r} is not a time of day; write it as '07:30'")
    return int(match[1]) * 60 + int(match[2])


def _day(value: Any) -> date:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"{value!r} is not a date; write it as 2026-03-02") from None


def _months(value: Any) -> frozenset[int]:
    if isinstance(value, frozenset):
        return value
    months: set[int] = set()
    for part in value if isinstance(value, list) else [value]:
        match = re.fullmatch(r"(\d{1,2})(?:\s*[-–]\s*(\d{1,2}))?", str(part))
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not (1 <= first <= 12 and 1 <= last <= 12):
            raise ValueError(f"{part!r} is no month; write numbers 1 to 12 or ranges such as [7-9, 12]")
        # A range may run past the year's end: 12-2 is December to February.
        months |= set(range(first, last + 1)) if first <= last else {*range(first, 13), *range(1, last + 1)}
    return frozenset(months)


def _month_of_a_year(value: Any) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{4})-(\d{2})", str(value))
    if match is None or not 1 <= int(match[2]) <= 12:
        raise ValueError(f"{value!r} is no month of a year; write it as 2026-03")
    return int(match[1]), int(match[2])


Day = Annotated[date, BeforeValidator(_day)]
Months = Annotated[frozenset[int], BeforeValidator(_months)]
MonthOfAYear = Annotated[tuple[int, int], BeforeValidator(_month_of_a_year)]
TimeOfDay = Annotated[int, BeforeValidator(_time_of_day)]
