"""Raw readings out of a DuckDB file: the sorted part and the recent part together, the last write standing."""

# ruff: noqa: S608 (values are parameters; what is formatted into SQL is our own constants and whole numbers)

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facility.store.duckdb_file import Columns, Connection, fetch, of_points
from facility.store.duckdb_points import NOT_YET, Sorted
from facility.store.duckdb_rolled import RollBook
from facility.store.duckdb_runs import TIME_US, cold_columns
from facility.store.last_write import Readings, last_write_stands

SLICE_READINGS: Final = 1_000_000  # so many readings of a long question are held at once


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """
    A snapshot of the file: a transaction, and what was known when it began.

    `hot_first_us`: no reading of the hot part is older. `cold`: what is sorted already. `is_state` (points,) bool:
    whose values hold until the next reading. `book`: which roll-ups are stored.
    """

    cursor: Connection
    hot_first_us: int
    cold: Sorted
    is_state: NDArray[np.bool_]
    book: RollBook

    def read(self, ids: NDArray[np.int32], start_us: int, end_us: int) -> Readings:
        """Return the readings of these points with start <= time < end, sorted by (point, time), one for each key."""
        if ids.shape[0] == 0 or start_us >= end_us:
            return no_readings()
        rows = read_cold(self.cursor, ids, start_us, end_us)
        if end_us <= self.hot_first_us:
            return last_write_stands(rows)
        return last_write_stands(Readings.concat(rows, read_hot(self.cursor, ids, start_us, end_us)))

    def sorted_only(self) -> Look:
        """Return the same look with its eyes closed to the hot part."""
        return replace(self, hot_first_us=NOT_YET)

    def slices(self, ids: NDArray[np.int32], start_us: int, end_us: int) -> list[tuple[int, int]]:
        """Cut a long question so that each part holds about a million readings, going by how dense the points are."""
        if ids.shape[0] == 0 or start_us >= end_us:
            return [(start_us, end_us)]
        chosen = ids[ids < self.cold.readings.shape[0]]
        chosen = chosen[self.cold.readings[chosen] > 0]
        if chosen.shape[0] == 0:
            return [(start_us, end_us)]
        expected = self.cold.expected(chosen, start_us, end_us).sum()
        if expected <= SLICE_READINGS:
            return [(start_us, end_us)]
        # Before the first and after the last sorted reading little is to be found: those ends are not cut further.
        inner_start = max(start_us, int(self.cold.first_us[chosen].min()))
        inner_end = min(end_us, int(self.cold.newest.time_us[chosen].max()) + 1)
        parts = int(expected // SLICE_READINGS) + 1
        cuts = [inner_start + (inner_end - inner_start) * i // parts for i in range(1, parts)]
        return list(pairwise([start_us, *cuts, end_us]))


def read_cold(cursor: Connection, ids: NDArray[np.int32], start_us: int, end_us: int) -> Readings:
    """Return sorted readings of these points with start <= time < end; they come run after run."""
    chosen, wanted = of_points(ids)
    rows = readings_of(
        fetch(
            cursor,
            f"SELECT point, {TIME_US} AS time_us, value, quality FROM cold WHERE {chosen} "
            f"AND time_s BETWEEN {start_us // 1_000_000} AND {(end_us - 1) // 1_000_000}",
            wanted,
        )
    )
    if start_us % 1_000_000 or end_us % 1_000_000:
        return rows.take((rows.time_us >= start_us) & (rows.time_us < end_us))
    return rows


def read_hot(cursor: Connection, ids: NDArray[np.int32], start_us: int, end_us: int) -> Readings:
    """Return recent readings of these points with start <= time < end, in the order of writing."""
    chosen, wanted = of_points(ids)
    recent = fetch(
        cursor,
        f"SELECT point, time_us, value, quality, seq FROM hot WHERE {chosen} "
        f"AND time_us >= {start_us} AND time_us < {end_us}",
        wanted,
    )
    return in_writing_order(readings_of(recent), recent["seq"])


def same_keys(cursor: Connection, rows: Readings) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.uint8]]:
    """Return which of these rows (n,) have a key that the sorted part has, and the value and quality it has there."""
    if len(rows) == 0:
        return np.empty(0, dtype=np.int64), np.empty(0), np.empty(0, dtype=np.uint8)
    columns = {name: column for name, column in cold_columns(rows).items() if name in ("point", "time_s", "ms", "us")}
    there = fetch(
        cursor,
        "SELECT nth, cold.value, cold.quality FROM cold JOIN incoming USING (point, time_s, ms, us)",
        incoming={**columns, "nth": np.arange(len(rows), dtype=np.int64)},
    )
    return there["nth"], there["value"], there["quality"]


def readings_of(columns: Columns) -> Readings:
    """Return fetched columns as readings."""
    return Readings(columns["point"], columns["time_us"], columns["value"], columns["quality"])


def no_readings() -> Readings:
    """Return readings that are none."""
    return Readings(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint8))


def in_writing_order(rows: Readings, seq: NDArray[np.int64]) -> Readings:
    """Sort rows by the number `seq` (n,) that writing gave them."""
    return rows if bool(np.all(seq[1:] >= seq[:-1])) else rows.take(np.argsort(seq, kind="stable"))
