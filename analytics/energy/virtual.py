"""What virtual meters counted, from what their inputs did.

A step is as good as the worst of its inputs: missing where any is missing, estimated where any is estimated, or where
it rests on constants alone. It may be below zero, as the difference of two meters can be; nothing is cut off, so that
sums stay true.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from analytics.energy.intervals import ESTIMATED, MEASURED, MISSING, STEP_US, Floats, Intervals, Times
from facility.calendar import at_us
from facility.virtual_meters import VirtualMeter

_HOURS_A_STEP: Final = STEP_US / 3_600_000_000


def inputs_of(meters: Iterable[VirtualMeter]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the registers, and the points, that virtual meters are computed from, each once."""
    all_meters = list(meters)
    registers = dict.fromkeys(key for m in all_meters for key in m.keys("register"))
    points = dict.fromkeys(key for m in all_meters for key in m.keys("point"))
    return tuple(registers), tuple(points)


def computed(
    meters: Mapping[str, VirtualMeter],
    used: Mapping[str, Intervals],
    means: Mapping[str, Floats],
    start_us: int,
    end_us: int,
    zone: ZoneInfo,
) -> dict[str, Intervals]:
    """
    Return what virtual meters counted in each step of [start, end), by id.

    Parameters
    ----------
    meters : each after those that it uses, as the site has them
    used : what registers counted, by key; one that is not there is missing
    means : (n,) mean of each point in each step, NaN where missing, as from `means_by_step`; likewise
    zone : whose midnight a meter's `since` is

    Raises
    ------
    ValueError
        If start or end is no whole step, or a point's means are not as many as the steps.
    """
    if start_us % STEP_US or end_us % STEP_US:
        raise ValueError(f"start {start_us} and end {end_us} must be whole steps of {STEP_US} µs")
    n = max(0, (end_us - start_us) // STEP_US)
    found: dict[str, Intervals] = {}
    for name, meter in meters.items():
        values: dict[str, Floats] = {}
        supposed = all(i.kind == "hours" for i in meter.inputs.values())
        grade: NDArray[np.int8] = np.full(n, ESTIMATED if supposed else MEASURED, dtype=np.int8)
        for spelled, wanted in meter.inputs.items():
            if wanted.kind == "hours":
                values[spelled] = np.full(n, _HOURS_A_STEP)
                continue
            if wanted.kind == "point":
                mean = means.get(wanted.key, np.full(n, np.nan))
                if mean.shape != (n,):
                    raise ValueError(f"{wanted.key} has means of shape {mean.shape}; there are {n} steps")
                values[spelled] = mean
                continue
            counted = (found if wanted.kind == "virtual" else used).get(wanted.key, Intervals.missing(start_us, end_us))
            counted = counted.window(start_us, end_us)
            values[spelled] = counted.used
            grade = np.maximum(grade, counted.grade)
        with np.errstate(over="ignore", invalid="ignore"):
            result = meter.formula.evaluate(values)
        # A maximum of two meters of which one is missing is not the other.
        unknown = ~np.isfinite(result) | np.any([~np.isfinite(v) for v in values.values()], axis=0)
        if meter.since is not None:
            unknown |= start_us + STEP_US * np.arange(n, dtype=np.int64) < at_us(meter.since, 0, zone)
        grade = np.where(unknown, MISSING, np.minimum(grade, ESTIMATED)).astype(np.int8)
        found[name] = Intervals(start_us, np.where(unknown, np.nan, result), grade)
    return found


def means_by_step(time_us: Times, mean: Floats, start_us: int, end_us: int) -> Floats:
    """
    Return a point's means in each step of [start, end), NaN where there is none.

    `time_us` (m,) is when each of its 15-minute aggregates begins, as the store gives them. [µs UTC]
    """
    n = max(0, (end_us - start_us) // STEP_US)
    place = (time_us - start_us) // STEP_US
    inside = (place >= 0) & (place < n)
    found = np.full(n, np.nan)
    found[place[inside]] = mean[inside]
    return found
