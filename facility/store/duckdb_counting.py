"""How much a DuckDB file holds: the sorted part and the recent part together, each key once."""

# ruff: noqa: S608 (values are parameters; what is formatted into SQL is our own constants and whole numbers)

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from facility.store.contract import StoreSize
from facility.store.duckdb_file import Connection, fetch, run
from facility.store.duckdb_points import NEVER, NOT_YET
from facility.store.duckdb_reading import readings_of, same_keys
from facility.store.duckdb_runs import TIME_US
from facility.store.last_write import Readings, last_write_stands


def count_readings(cursor: Connection, ids: Sequence[int], start_us: int, end_us: int) -> Mapping[int, int]:
    """Return how many distinct readings with start <= time < end each of these points has, if any. [µs]"""
    wanted: list[object] = [list(ids)]
    # The first condition lets the engine skip what is far off, the second is exact.
    within = (
        f"point IN (SELECT unnest(?)) AND time_s BETWEEN {start_us // 1_000_000} AND {(end_us - 1) // 1_000_000} "
        f"AND {TIME_US} >= {start_us} AND {TIME_US} < {end_us}"
    )
    run(cursor, "BEGIN")
    hot = fetch(
        cursor,
        "SELECT DISTINCT point, time_us FROM hot WHERE point IN (SELECT unnest(?)) "
        f"AND time_us >= {start_us} AND time_us < {end_us}",
        wanted,
    )
    held = run(cursor, f"SELECT point, count(*) FROM cold WHERE {within} GROUP BY point", wanted).fetchall()
    recent = Readings(hot["point"], hot["time_us"], np.empty(0), np.empty(0, dtype=np.uint8))
    fresh = np.delete(hot["point"], same_keys(cursor, recent)[0])
    run(cursor, "COMMIT")
    counts = {int(number): int(n) for number, n in held}
    for number, n in zip(*(column.tolist() for column in np.unique(fresh, return_counts=True)), strict=True):
        counts[number] = counts.get(number, 0) + n
    return counts


def size_of(cursor: Connection, at_rest: int) -> StoreSize:
    """Return how much the file, `at_rest` bytes long, holds; from one snapshot, so it waits for nobody."""
    run(cursor, "BEGIN")
    cold = fetch(cursor, "SELECT point, readings, first_us, last_us FROM cold_points")
    hot = last_write_stands(readings_of(fetch(cursor, "SELECT point, time_us, value, quality FROM hot")))
    newest = np.full(max(cold["point"].max(initial=-1), hot.point.max(initial=-1)) + 1, NEVER)
    newest[cold["point"]] = cold["last_us"]
    late = hot.take(hot.time_us <= newest[hot.point])
    twice = same_keys(cursor, late)[0].shape[0]
    run(cursor, "COMMIT")
    points = np.union1d(cold["point"], hot.point)
    if points.shape[0] == 0:
        return StoreSize(0, 0, at_rest, None, None)
    return StoreSize(
        int(cold["readings"].sum()) + len(hot) - twice,
        points.shape[0],
        at_rest,
        int(min(cold["first_us"].min(initial=NOT_YET), hot.time_us.min(initial=NOT_YET))),
        int(max(cold["last_us"].max(initial=NEVER), hot.time_us.max(initial=NEVER))),
    )
