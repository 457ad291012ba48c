"""Booked consumption in the telemetry store: one derived point a register, one reading a step of 15 minutes.

The point of `em-icu/energy_import` is `em-icu/energy_import_used`; a reading stands at its step's start. An estimated
step carries the quality bit ESTIMATED. A missing step has no reading; one that was known before and is not any more is
overwritten by a reading that no one may use (OUT_OF_RANGE), for the store takes back no single reading.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from analytics.energy.intervals import ESTIMATED, MEASURED, MISSING, STEP_US, Intervals
from facility import readings
from facility.metering import BookedRegister
from facility.readings import Aggregates, PointAddress, PointTable, ReadingBatch, Series
from facility.site import Site
from facility.store import TelemetryStore

SUFFIX: Final = "_used"
_MOST_WRITTEN: Final = 500_000  # readings at a time: fewer make more runs to merge, more hold up other writers
_MOST_READ: Final = 4_000_000


def used_key(key: str) -> str:
    """Return the derived point that carries what a register counted."""
    return key + SUFFIX


def address_of(site: Site, register: BookedRegister) -> PointAddress:
    """Return where the derived point of a register belongs: beside the register."""
    item = register.equipment
    room = site.rooms.get(item.room or "")
    return PointAddress(
        equipment=item.id,
        point=used_key(register.key.split("/", 1)[1]),
        equipment_class=item.cls.id,
        unit=register.unit,
        site=site.id,
        building=(room.building or "") if room else "",
        room=item.room or "",
        kind="derived",
    )


def read_used(store: TelemetryStore, keys: Sequence[str], start_us: int, end_us: int) -> dict[str, Intervals]:
    """
    Return what registers counted in the steps that begin in [start, end).

    Where the readings have expired, the store's steps of 15 min take their place; which of those were estimated is no
    longer known then, and they stand as measured.
    """
    start_us = -(-start_us // STEP_US) * STEP_US
    found: dict[str, Intervals] = {}
    kept_us = next((level.kept_from_us for level in store.levels() if level.level is None), None)
    steps = max(1, -(-(end_us - start_us) // STEP_US))
    for part in _parts(keys, max(1, _MOST_READ // steps)):
        names = [used_key(key) for key in part]
        old: Mapping[str, Aggregates] = {}
        if kept_us is not None and start_us < kept_us:
            old = store.aggregate(names, start_us, min(kept_us, end_us), STEP_US)
        series = store.series(names, start_us, end_us)
        for key, name in zip(part, names, strict=True):
            intervals = Intervals.missing(start_us, end_us)
            if name in old:
                place = (old[name].time_us - start_us) // STEP_US
                intervals.used[place], intervals.grade[place] = old[name].mean, MEASURED
            _fill(intervals, series[name])
            found[key] = intervals
    return found


def _fill(intervals: Intervals, series: Series) -> None:
    on_step = (series.time_us - intervals.start_us) % STEP_US == 0
    usable = on_step & ((series.quality & readings.OUT_OF_RANGE) == 0)
    place = (series.time_us[usable] - intervals.start_us) // STEP_US
    intervals.used[place] = series.value[usable]
    intervals.grade[place] = np.where(series.quality[usable] & readings.ESTIMATED, ESTIMATED, MEASURED)


def write_used(
    store: TelemetryStore,
    addresses: Mapping[str, PointAddress],
    new: Mapping[str, Intervals],
    old: Mapping[str, Intervals],
) -> int:
    """
    Write what registers counted, only the steps that differ from `old`; return how many steps were written.

    `old` holds, by register, the same steps as they stand in the store; a register that is not in it has none there.
    """
    table = PointTable(tuple(addresses[key] for key in new))
    points, times, values, qualities = [], [], [], []
    waiting = written = 0
    for number, (key, intervals) in enumerate(new.items()):
        known = intervals.grade != MISSING
        before = old.get(key)
        if before is None:
            write = known
        else:
            same_grade = before.grade == intervals.grade
            write = ~(same_grade & (~known | (before.used == intervals.used)))
        place = np.flatnonzero(write)
        if place.size:
            points.append(np.full(place.size, number, dtype=np.int32))
            times.append(intervals.start_us + STEP_US * place.astype(np.int64))
            values.append(np.where(known[place], intervals.used[place], 0.0))
            estimated = np.where(intervals.grade[place] == ESTIMATED, readings.ESTIMATED, readings.GOOD)
            qualities.append(np.where(known[place], estimated, readings.OUT_OF_RANGE).astype(np.uint8))
            waiting += place.size
        if waiting >= _MOST_WRITTEN or (waiting and number == len(new) - 1):
            store.write(
                ReadingBatch(
                    table, np.concatenate(points), np.concatenate(times), np.concatenate(values),
                    np.concatenate(qualities),
                )
            )  # fmt: skip
            written, waiting = written + waiting, 0
            points, times, values, qualities = [], [], [], []
    return written


def _parts(keys: Sequence[str], most: int) -> list[Sequence[str]]:
    return [keys[i : i + most] for i in range(0, len(keys), most)]
