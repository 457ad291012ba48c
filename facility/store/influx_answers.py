"""What an InfluxDB answers, as arrays: the readings and the steps of one point, out of one series or of several."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facility.readings import Aggregates, FloatArray, IntArray, Series
from facility.store.influx_link import Block
from facility.store.last_write import Readings, last_write_stands
from facility.store.steps import aggregates_of, sum_by_step


def columns_of(block: Block) -> tuple[IntArray, list[FloatArray]]:
    """Return a block's times and its other columns as arrays; what is absent is NaN."""
    time_us, *columns = zip(*block.rows, strict=True)
    return np.array(time_us, dtype=np.int64), [np.array(column, dtype=np.float64) for column in columns]


def joined(parts: Sequence[tuple[int, Series]]) -> Series:
    """Join the parts of one point, each in the order of time; of two series the one with the higher rank stands."""
    ordered = [part for _, part in sorted(parts, key=lambda part: part[0])]
    if len(ordered) == 1:
        return ordered[0]
    time_us = np.concatenate([part.time_us for part in ordered])
    rows = last_write_stands(
        Readings(
            np.zeros(time_us.shape[0], dtype=np.int32),
            time_us,
            np.concatenate([part.value for part in ordered]),
            np.concatenate([part.quality for part in ordered]),
        )
    )
    return Series(rows.time_us, rows.value, rows.quality)


def no_series() -> Series:
    """Return no readings."""
    return Series(np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint8))


def no_steps() -> Aggregates:
    """Return no steps."""
    none = np.empty(0)
    return Aggregates(np.empty(0, np.int64), none, none, none, none, np.empty(0, np.int64))


def step_starts(time_us: IntArray, step_us: int, origin_us: int) -> IntArray:
    """Return when the step of each time begins. [µs]"""
    return time_us - (time_us - origin_us) % step_us


def steps_of(rows: Series, step_us: int, origin_us: int) -> Aggregates:
    """Sum up one point's readings by steps."""
    one_point = Readings(np.zeros(len(rows), np.int32), rows.time_us, rows.value, rows.quality)
    return aggregates_of(sum_by_step(one_point, step_us, origin_us), slice(None))


def choose(steps: Aggregates, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Aggregates:
    """Return the steps that a mask or an index array chooses."""
    return Aggregates(
        steps.time_us[chosen],
        steps.mean[chosen],
        steps.min[chosen],
        steps.max[chosen],
        steps.last[chosen],
        steps.count[chosen],
    )


def in_order(parts: Sequence[Aggregates]) -> Aggregates:
    """Join parts of one point's steps and sort them by time."""
    if len(parts) == 1:
        return parts[0]
    together = Aggregates(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("time_us", "mean", "min", "max", "last", "count")
        )
    )
    return choose(together, np.argsort(together.time_us, kind="stable"))


def join_parts(parts: Sequence[Aggregates]) -> tuple[Aggregates, IntArray]:
    """Return one point's steps, and those that more than one of its series has readings in."""
    if not parts:
        return no_steps(), np.empty(0, np.int64)
    steps = in_order(parts)
    twice = steps.time_us[1:][steps.time_us[1:] == steps.time_us[:-1]]
    return steps, np.unique(twice)
