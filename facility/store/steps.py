"""Readings summed up by steps of time, in parts that can be joined: a long query need not hold all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facility.readings import OUT_OF_RANGE, Aggregates
from facility.store.last_write import Readings


@dataclass(frozen=True, slots=True, eq=False)
class StepSums:
    """What (point, step) groups hold, sorted by both: sums can be joined, means could not. All arrays (groups,)."""

    point: NDArray[np.int32]
    start_us: NDArray[np.int64]
    total: NDArray[np.float64]
    min: NDArray[np.float64]
    max: NDArray[np.float64]
    last: NDArray[np.float64]
    count: NDArray[np.int64]


def sum_by_step(rows: Readings, step_us: int, origin_us: int) -> StepSums:
    """Sum up readings, sorted by (point, time) and one for each key, by steps; impossible values do not count."""
    possible = (rows.quality & OUT_OF_RANGE) == 0
    if not bool(possible.all()):
        rows = rows.take(possible)
    start_us = rows.time_us - (rows.time_us - origin_us) % step_us
    first = _first_of_each_group(rows.point, start_us)
    end = np.append(first[1:], len(rows)).astype(np.intp)
    if first.shape[0] == 0:
        none = np.empty(0)
        return StepSums(rows.point, start_us, none, none, none, none, np.empty(0, dtype=np.int64))
    return StepSums(
        rows.point[first],
        start_us[first],
        np.add.reduceat(rows.value, first),
        np.minimum.reduceat(rows.value, first),
        np.maximum.reduceat(rows.value, first),
        rows.value[end - 1],
        (end - first).astype(np.int64),
    )


def join_steps(parts: Sequence[StepSums]) -> StepSums:
    """Join parts of the same query, given in the order of time: a step cut by two parts becomes one again."""
    if len(parts) == 1:
        return parts[0]
    point = np.concatenate([p.point for p in parts])
    start_us = np.concatenate([p.start_us for p in parts])
    order = np.lexsort((start_us, point))  # stable: the later part of a cut step stays behind the earlier one
    point, start_us = point[order], start_us[order]
    first = _first_of_each_group(point, start_us)
    if first.shape[0] == 0:
        return parts[0]
    end = np.append(first[1:], point.shape[0]).astype(np.intp)
    return StepSums(
        point[first],
        start_us[first],
        np.add.reduceat(np.concatenate([p.total for p in parts])[order], first),
        np.minimum.reduceat(np.concatenate([p.min for p in parts])[order], first),
        np.maximum.reduceat(np.concatenate([p.max for p in parts])[order], first),
        np.concatenate([p.last for p in parts])[order][end - 1],
        np.add.reduceat(np.concatenate([p.count for p in parts])[order], first),
    )


def aggregates_of(sums: StepSums, stretch: slice) -> Aggregates:
    """Return one point's stretch of the groups as the contract wants it."""
    count, lowest, highest = sums.count[stretch], sums.min[stretch], sums.max[stretch]
    # Rounding must not push a mean outside what was measured: a page would show a mean above the maximum.
    mean = np.clip(sums.total[stretch] / count, lowest, highest)
    return Aggregates(sums.start_us[stretch], mean, lowest, highest, sums.last[stretch], count)


def _first_of_each_group(point: NDArray[np.int32], start_us: NDArray[np.int64]) -> NDArray[np.intp]:
    if point.shape[0] == 0:
        return np.empty(0, dtype=np.intp)
    changes = (point[1:] != point[:-1]) | (start_us[1:] != start_us[:-1])
    return np.concatenate(([0], np.flatnonzero(changes) + 1)).astype(np.intp)
