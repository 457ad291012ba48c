"""Readings in the order of point and time, one for each key: of two with the same key the one written later stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """A keeper's rows: `point` (n,) int32 id, `time_us` (n,) int64 [µs], `value` (n,) float64, `quality` (n,) uint8."""

    point: NDArray[np.int32]
    time_us: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]

    @classmethod
    def concat(cls, earlier: Self, later: Self) -> Self:
        """Join rows written earlier and rows written later."""
        if len(later) == 0:
            return earlier
        return cls(
            np.concatenate((earlier.point, later.point)),
            np.concatenate((earlier.time_us, later.time_us)),
            np.concatenate((earlier.value, later.value)),
            np.concatenate((earlier.quality, later.quality)),
        )

    def __len__(self) -> int:
        return int(self.point.shape[0])

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Self:
        """Return the readings that a mask, an index array or a slice chooses."""
        return type(self)(self.point[chosen], self.time_us[chosen], self.value[chosen], self.quality[chosen])


def last_write_stands(rows: Readings) -> Readings:
    """
    Sort by (point, time) and keep, of each key, the row that comes last in `rows`.

    `rows` stands in the order of writing. Rows that are sorted and unique already, which is what a keeper's sorted
    part hands out for one point, come back as they are.
    """
    if len(rows) < 2:
        return rows
    same_point = rows.point[1:] == rows.point[:-1]
    if bool(np.all((rows.point[1:] > rows.point[:-1]) | (same_point & (rows.time_us[1:] > rows.time_us[:-1])))):
        return rows
    ordered = rows.take(writing_order(rows.point, rows.time_us))
    last = np.empty(len(ordered), dtype=np.bool_)
    last[-1] = True
    np.not_equal(ordered.time_us[1:], ordered.time_us[:-1], out=last[:-1])
    last[:-1] |= ordered.point[1:] != ordered.point[:-1]
    return ordered if bool(last.all()) else ordered.take(last)


def writing_order(point: NDArray[np.int32], time_us: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return the stable order by (point, time): rows of one key stay in the order in which they were written."""
    lowest, highest = int(time_us.min()), int(time_us.max())
    span = highest - lowest + 1
    if span * (int(point.max()) + 1) < 2**63:
        # One 64-bit key sorts several times faster than two, and a merge sort runs through sorted stretches.
        packed = point.astype(np.int64) * span + (time_us - lowest)
        return np.argsort(packed, kind="stable")
    return np.lexsort((time_us, point))


def first_of_each(sorted_keys: NDArray[np.generic]) -> NDArray[np.intp]:
    """Return where each stretch of equal keys begins; `sorted_keys` (n,) sorted, the result (groups,)."""
    if sorted_keys.shape[0] == 0:
        return np.empty(0, dtype=np.intp)
    return np.concatenate(([0], np.flatnonzero(sorted_keys[1:] != sorted_keys[:-1]) + 1)).astype(np.intp)
