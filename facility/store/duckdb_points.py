"""What a DuckDB keeper knows of each point without asking the file: id, newest reading, what is sorted already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facility.readings import Latest
from facility.store.last_write import Readings, first_of_each, last_write_stands

NEVER: Final = int(np.iinfo(np.int64).min)  # newest time of a point without readings
NOT_YET: Final = int(np.iinfo(np.int64).max)  # first time of a point without readings


class Newest:
    """The newest reading of each point by its id; `time_us` is NEVER where there is none."""

    def __init__(self) -> None:
        self.time_us: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self.value: NDArray[np.float64] = np.empty(0)
        self.quality: NDArray[np.uint8] = np.empty(0, dtype=np.uint8)

    def grow(self, points: int) -> None:
        """Make room for so many points."""
        more = points - self.time_us.shape[0]
        if more > 0:
            self.time_us = np.append(self.time_us, np.full(more, NEVER))
            self.value = np.append(self.value, np.full(more, np.nan))
            self.quality = np.append(self.quality, np.zeros(more, dtype=np.uint8))

    def take_in(self, rows: Readings) -> None:
        """Learn from readings in the order of writing; of two at the same time the later one stands."""
        newer = rows.time_us >= self.time_us[rows.point]
        if not bool(newer.all()):
            rows = rows.take(newer)
        if len(rows) == 0:
            return
        rows = last_write_stands(rows)
        self.put(rows.take(np.append(first_of_each(rows.point)[1:], len(rows)).astype(np.intp) - 1))

    def put(self, rows: Readings) -> None:
        """Replace what is known of these points, one row each."""
        self.time_us[rows.point] = rows.time_us
        self.value[rows.point] = rows.value
        self.quality[rows.point] = rows.quality

    def follow(self, before_us: NDArray[np.int64], after_us: NDArray[np.int64]) -> None:
        """Forget the readings that a deletion took away, going by the newest times (n,) before and after it."""
        gone = (after_us == NEVER) & (before_us != NEVER)
        known = self.time_us[: gone.shape[0]]
        known[gone & (known == before_us)] = NEVER

    def of(self, ids: NDArray[np.intp]) -> list[Latest]:
        """Return the newest readings of points that have one."""
        return [
            Latest(t, v, q)
            for t, v, q in zip(
                self.time_us[ids].tolist(), self.value[ids].tolist(), self.quality[ids].tolist(), strict=True
            )
        ]


class Sorted:
    """What the cold part holds of each point: how many readings, its first time, and its newest reading."""

    def __init__(self) -> None:
        self.readings: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self.first_us: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self.newest = Newest()

    def grow(self, points: int) -> None:
        """Make room for so many points."""
        more = points - self.readings.shape[0]
        if more > 0:
            self.readings = np.append(self.readings, np.zeros(more, dtype=np.int64))
            self.first_us = np.append(self.first_us, np.full(more, NOT_YET))
            self.newest.grow(points)

    def copy(self) -> Sorted:
        """Return a copy to change while a transaction may still fail."""
        other = Sorted()
        other.readings, other.first_us = self.readings.copy(), self.first_us.copy()
        other.newest.time_us = self.newest.time_us.copy()
        other.newest.value = self.newest.value.copy()
        other.newest.quality = self.newest.quality.copy()
        return other

    def add(self, rows: Readings) -> None:
        """Count in sorted, unique readings, none of which is there yet."""
        self.readings += np.bincount(rows.point, minlength=self.readings.shape[0])
        first = first_of_each(rows.point)
        ids = rows.point[first]
        self.first_us[ids] = np.minimum(self.first_us[ids], rows.time_us[first])
        self.newest.take_in(rows)

    def recount(
        self,
        stretch: slice,
        point: NDArray[np.int32],
        readings: NDArray[np.int64],
        first_us: NDArray[np.int64],
    ) -> None:
        """Take what is left, after a deletion of the oldest, of the points in a stretch of ids."""
        self.readings[stretch], self.first_us[stretch] = 0, NOT_YET
        self.readings[point], self.first_us[point] = readings, first_us
        self.newest.time_us[stretch][self.readings[stretch] == 0] = NEVER

    def spacing_us(self) -> NDArray[np.float64]:
        """Return the mean time (points,) between the readings of each point, at least a microsecond. [µs]"""
        lived = np.where(self.readings > 0, self.newest.time_us.astype(np.float64) - self.first_us, 0.0)
        return np.maximum(lived / np.maximum(self.readings, 1), 1.0)

    def expected(self, ids: NDArray[np.int32], start_us: int, end_us: int) -> NDArray[np.float64]:
        """Return how many readings each of these points, which have some, probably has in [start, end), (n,)."""
        first, last = self.first_us[ids].astype(np.float64), self.newest.time_us[ids].astype(np.float64)
        within = np.minimum(last, end_us) - np.maximum(first, start_us)
        return self.readings[ids].astype(np.float64) * np.clip(within / np.maximum(last - first, 1.0), 0.0, 1.0)

    def late(self, rows: Readings) -> NDArray[np.bool_]:
        """Tell (n,) of which readings the cold part may hold the key already."""
        return rows.time_us <= self.newest.time_us[rows.point]


class PointBook:
    """Keys, ids (0, 1, 2 ... in the order of first writing) and newest readings of all points of a file."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.ids: dict[str, int] = {}
        self.newest = Newest()
        self.cold = Sorted()
        self.is_state: NDArray[np.bool_] = np.empty(0, dtype=np.bool_)  # does a value hold until the next reading?

    def add(self, keys: Sequence[str]) -> None:
        """Append new points."""
        for key in keys:
            self.ids[key] = len(self.keys)
            self.keys.append(key)
        self.newest.grow(len(self.keys))
        self.cold.grow(len(self.keys))
        self.is_state = np.append(self.is_state, np.zeros(len(keys), dtype=np.bool_))

    def learn_kinds(self, states: Mapping[int, bool]) -> None:
        """Note of points whether they are states."""
        self.is_state = self.is_state.copy()  # a question under way goes by the old one
        self.is_state[list(states)] = list(states.values())

    def latest(self, keys: Sequence[str] | None) -> Mapping[str, Latest]:
        """Return the newest readings of the named points, or of all."""
        if keys is None:
            ids = np.flatnonzero(self.newest.time_us != NEVER)
            return dict(zip([self.keys[i] for i in ids.tolist()], self.newest.of(ids), strict=True))
        known = [(key, self.ids[key]) for key in keys if key in self.ids]
        present = [(key, i) for key, i in known if self.newest.time_us[i] != NEVER]
        ids = np.array([i for _, i in present], dtype=np.intp)
        return dict(zip([key for key, _ in present], self.newest.of(ids), strict=True))

    def held(self) -> list[str]:
        """Return the keys of the points with a reading, sorted."""
        return sorted(self.keys[i] for i in np.flatnonzero(self.newest.time_us != NEVER).tolist())
