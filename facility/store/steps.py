"""Readings summed up by steps of time, in parts that can be joined: a long query need not hold all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

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

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> StepSums:
        """Return the groups that a mask or an index array chooses."""
        return StepSums(*(getattr(self, f.name)[chosen] for f in fields(self)))


def sum_by_step(rows: Readings, step_us: int, origin_us: int) -> StepSums:
    """Sum up readings, sorted by (point, time) and one for each key, by steps; impossible values do not count."""
    possible = (rows.quality & OUT_OF_RANGE) == 0
    if not bool(possible.all()):
        rows = rows.take(possible)
    start_us = rows.time_us - (rows.time_us - origin_us) % step_us
    first = first_of_each_group(rows.point, start_us)
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
    joined = StepSums(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(StepSums)))
    order = np.lexsort((joined.start_us, joined.point))  # stable: a cut step's later part stays behind the earlier one
    return _grouped(joined.take(order))


def by_step(sums: StepSums, step_us: int, origin_us: int) -> StepSums:
    """Sum up groups, sorted by (point, start), once more: by the longer steps that hold their starts."""
    return _grouped(replace(sums, start_us=sums.start_us - (sums.start_us - origin_us) % step_us))


def _grouped(sums: StepSums) -> StepSums:
    """Make one of the neighbours that are of the same (point, start)."""
    first = first_of_each_group(sums.point, sums.start_us)
    if first.shape[0] == sums.point.shape[0]:
        return sums
    end = np.append(first[1:], sums.point.shape[0]).astype(np.intp)
    return StepSums(
        sums.point[first],
        sums.start_us[first],
        np.add.reduceat(sums.total, first),
        np.minimum.reduceat(sums.min, first),
        np.maximum.reduceat(sums.max, first),
        sums.last[end - 1],
        np.add.reduceat(sums.count, first),
    )


def aggregates_of(sums: StepSums, stretch: slice) -> Aggregates:
    """Return one point's stretch of the groups as the contract wants it."""
    count, lowest, highest = sums.count[stretch], sums.min[stretch], sums.max[stretch]
    # Rounding must not push a mean outside what was measured: a page would show a mean above the maximum.
    mean = np.clip(sums.total[stretch] / count, lowest, highest)
    return Aggregates(sums.start_us[stretch], mean, lowest, highest, sums.last[stretch], count)


def first_of_each_group(point: NDArray[np.int32], start_us: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return where each stretch of equal (point, start) begins; both (n,), sorted, the result (groups,)."""
    if point.shape[0] == 0:
        return np.empty(0, dtype=np.intp)
    changes = (point[1:] != point[:-1]) | (start_us[1:] != start_us[:-1])
    return np.concatenate(([0], np.flatnonzero(changes) + 1)).astype(np.intp)
