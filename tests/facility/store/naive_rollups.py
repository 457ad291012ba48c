"""Roll-ups as a loop anyone can read: the fast ones must agree with it."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from facility.readings import OUT_OF_RANGE
from facility.store.levels import HOUR_US, Level
from tests.facility.store.naive import NaiveStore

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# start [µs], mean, min, max, last, count, time_mean, known [µs]
Row = tuple[int, float, float, float, float, int, float, int]


def step_start(level: Level, time_us: int, zone: str) -> int:
    """Start of the step that holds a time. [µs]"""
    if level is not Level.DAY:
        return time_us // level.step_us * level.step_us
    local = (EPOCH + timedelta(microseconds=time_us)).astimezone(ZoneInfo(zone))
    return _us(datetime(local.year, local.month, local.day, tzinfo=ZoneInfo(zone)))


def step_end(level: Level, start_us: int, zone: str) -> int:
    """End of the step that begins there. [µs]"""
    if level is not Level.DAY:
        return start_us + level.step_us
    day = (EPOCH + timedelta(microseconds=start_us)).astimezone(ZoneInfo(zone)).date() + timedelta(days=1)
    return _us(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)))


def _us(local: datetime) -> int:
    return (local.astimezone(UTC) - EPOCH) // timedelta(microseconds=1)


def roll_up(naive: NaiveStore, key: str, level: Level, zone: str, *, is_state: bool) -> list[Row]:
    """All steps of one point, oldest first."""
    readings = sorted((t, v) for (k, t), (v, q) in naive.held.items() if k == key and not q & OUT_OF_RANGE)
    read: dict[int, list[float]] = defaultdict(list)
    held: dict[int, list[tuple[float, int]]] = defaultdict(list)
    for n, (time_us, value) in enumerate(readings):
        read[step_start(level, time_us, zone)].append(value)
        until_us = time_us + HOUR_US
        if n + 1 < len(readings):
            until_us = min(until_us, readings[n + 1][0])
        while is_state and time_us < until_us:
            start_us = step_start(level, time_us, zone)
            end_us = min(step_end(level, start_us, zone), until_us)
            held[start_us].append((value, end_us - time_us))
            time_us = end_us
    return [_row(start_us, read[start_us], held[start_us]) for start_us in sorted(read.keys() | held.keys())]


def _row(start_us: int, values: list[float], held: list[tuple[float, int]]) -> Row:
    known_us = sum(us for _, us in held)
    time_mean = math.fsum(value * us for value, us in held) / known_us if known_us else math.nan
    if not values:
        return (start_us, math.nan, math.nan, math.nan, math.nan, 0, time_mean, known_us)
    mean = math.fsum(values) / len(values)
    return (start_us, mean, min(values), max(values), values[-1], len(values), time_mean, known_us)
