"""The sorted runs of the cold part: which are to be merged, how that is done in small parts, and by whom."""

# ruff: noqa: S608 (values are parameters; what is formatted into SQL is our own constants and whole numbers)

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from facility.errors import StoreUnavailable
from facility.store.duckdb_file import Columns, Connection, DuckDBFile, fetch, one, run
from facility.store.last_write import Readings, first_of_each

# For each row group of which a row is deleted the engine keeps 256 KiB in memory until the next checkpoint. So merges
# and deletions go by parts, which also lets the hot part be moved in between.
_PART_READINGS: Final = 500_000  # where whole stretches go: about 31 row groups
_PART_ROW_GROUPS: Final = 128  # where single readings go, here and there
_FEW_ROW_GROUPS: Final = 64  # need no checkpoint of their own

# Time at rest is three columns. Most gateways stamp whole seconds or milliseconds: the finer columns then hold nothing
# but zeros, which take no room, and seconds pack into a byte.
TIME_US: Final = "time_s * 1000000 + ms::BIGINT * 1000 + us"

log = logging.getLogger(__name__)


def cold_columns(rows: Readings) -> Columns:
    """Return the columns of the cold part for these readings."""
    seconds, micros = np.divmod(rows.time_us, 1_000_000)
    ms, us = np.divmod(micros.astype(np.int32), 1000)
    return {
        "point": rows.point,
        "time_s": seconds,
        "ms": ms.astype(np.int16),
        "us": us.astype(np.int16),
        "value": rows.value,
        "quality": rows.quality,
    }


def run_order(point: NDArray[np.int32]) -> NDArray[np.intp]:
    """
    Return the order of a run for rows sorted by (point, time): time rises for even points and falls for odd ones.

    The engine packs differences. With this order time never jumps back by the length of a run where one point ends
    and the next begins; that saves about a byte a reading.
    """
    order = np.arange(point.shape[0], dtype=np.intp)
    first = first_of_each(point)
    length = np.diff(np.append(first, point.shape[0]))
    mirrored = np.repeat(2 * first + length - 1, length) - order
    return np.where(point % 2 == 0, order, mirrored)


def due(runs: Mapping[int, int], fan_in: int, longest: int) -> Sequence[int]:
    """
    Return the runs to merge next, none if all is well.

    `runs` says how many readings each run holds. Runs are of one level if their sizes have the same power of
    `fan_in`; so many of one level become one of the next. Each reading is then moved once a level, and a store of any
    size has only a few runs a level. No run becomes longer than `longest`: a query finds its place in it as fast as
    in a longer one.
    """
    levels: dict[int, list[int]] = {}
    for number, readings in sorted(runs.items()):
        levels.setdefault(math.floor(math.log(max(readings, 1), fan_in) + 1e-9), []).append(number)
    for _, numbers in sorted(levels.items()):
        fitting = list(accumulate(runs[number] for number in numbers[:fan_in]))
        chosen = [number for number, total in zip(numbers, fitting, strict=False) if total <= longest]
        if len(numbers) >= fan_in and len(chosen) >= max(2, fan_in // 2):
            return chosen
    return ()


@dataclass(frozen=True, slots=True)
class RunTable:
    """A table of runs and the table that lists them: its columns behind `run`, and what rises with time in it."""

    name: str
    list_name: str
    columns: str
    time: str


COLD: Final = RunTable("cold", "runs", "point, time_s, ms, us, value, quality", f"({TIME_US})")


@dataclass(slots=True)
class Merge:
    """
    A merge under way: parts of the points, one after the other, leave their old runs for a new one.

    Which run a reading is in decides only how fast it is found. So each part is a transaction of its own, queries may
    come between, and a merge cut short by a crash leaves nothing to mend.
    """

    table: RunTable
    target: int
    sources: Sequence[int]
    readings: int = 0
    _parts: list[tuple[int, int]] = field(default_factory=list)  # first and last point id of each part to come

    @classmethod
    def plan(cls, cursor: Connection, table: RunTable, target: int, sources: Sequence[int]) -> Self:
        """Cut the points so that each part holds a bounded number of readings."""
        held = fetch(
            cursor,
            f"SELECT point, count(*) AS n FROM {table.name} WHERE run IN (SELECT unnest(?)) "
            "GROUP BY point ORDER BY point",
            [list(sources)],
        )
        parts = _point_ranges(held)
        return cls(table, target, sources, 0, parts)

    def go_on(self, cursor: Connection) -> bool:
        """Move the next part; True if it was the last."""
        table = self.table
        run(cursor, "BEGIN")
        if self._parts:
            first, last = self._parts[0]
            chosen = [list(self.sources), first, last]
            self.readings += one(
                cursor,
                f"INSERT INTO {table.name} SELECT ?, {table.columns} FROM {table.name} "
                "WHERE run IN (SELECT unnest(?)) AND point BETWEEN ? AND ? "
                f"ORDER BY point, CASE WHEN point % 2 = 0 THEN {table.time} ELSE -{table.time} END",
                [self.target, *chosen],
            )
            run(cursor, f"DELETE FROM {table.name} WHERE run IN (SELECT unnest(?)) AND point BETWEEN ? AND ?", chosen)
        finished = len(self._parts) <= 1
        if finished:
            run(cursor, f"DELETE FROM {table.list_name} WHERE run IN (SELECT unnest(?))", [list(self.sources)])
            run(cursor, f"INSERT INTO {table.list_name} VALUES (?, ?)", [self.target, self.readings])
        run(cursor, "COMMIT")
        del self._parts[:1]
        return finished


def deletion(held: Columns, readings: NDArray[np.int64], before: int) -> Iterator[tuple[int, int, int]]:
    """
    Cut the deletion of what is older than `before` into parts: first and last point id, and until when.

    `held` says of each point, sorted by id, how many rows `n` are to go and the time `first` of the first, in the unit
    of `before`; `readings` (points,) how many each id holds in all, for any of its row groups may hold one that is to
    go.
    """
    for first, last in _point_ranges({"point": held["point"], "n": readings[held["point"]]}):
        chosen = held["point"] == first
        cuts = int(held["n"][chosen][0]) // _PART_READINGS + 1 if first == last else 1
        begin = int(held["first"][chosen][0])
        for i in range(1, cuts + 1):
            yield first, last, begin + (before - begin) * i // cuts if i < cuts else before


def scattered(rows: Readings, spacing_us: NDArray[np.float64]) -> Iterator[tuple[Readings, bool]]:
    """
    Cut readings, sorted by (point, time), that are to be deleted from the cold part one by one.

    With each part comes whether a checkpoint is to follow it; after a small last part the next one is soon enough.

    `spacing_us` (points,) is the mean time between the readings of each id, from which follows how many row groups the
    deletion touches. [µs]
    """
    if len(rows) == 0:
        return
    stretch = (rows.time_us / (spacing_us[rows.point] * DuckDBFile.ROW_GROUP)).astype(np.int64)
    touched = np.cumsum(np.append(True, (np.diff(rows.point) != 0) | (np.diff(stretch) != 0))) - 1
    cuts = np.flatnonzero(np.diff(touched // _PART_ROW_GROUPS)) + 1
    for first, end in pairwise([0, *cuts.tolist(), len(rows)]):
        many = end < len(rows) or int(touched[-1] - touched[first]) >= _FEW_ROW_GROUPS
        yield rows.take(slice(first, end)), many


def _point_ranges(held: Columns) -> list[tuple[int, int]]:
    """Return first and last id of stretches of `point` (n,), sorted, whose counts `n` (n,) add up to about a part."""
    points, before = held["point"], np.cumsum(held["n"]) - held["n"]
    first = np.flatnonzero(np.diff(before // _PART_READINGS, prepend=-1))
    last = np.append(first[1:], len(points)) - 1
    return list(zip(points[first].tolist(), points[last].tolist(), strict=True)) if len(points) else []


class Housekeeper:
    """A thread that compacts when it is woken; a failure is logged and the next waking tries again."""

    def __init__(self, compact: Callable[[], None], name: str) -> None:
        self._compact = compact
        self._changed = threading.Condition()
        self._woken = self._stopping = False
        self._rounds = 0
        self._failure: StoreUnavailable | None = None
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Ask for a compaction; returns at once."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def progress(self) -> None:
        """Let those who wait look again."""
        with self._changed:
            self._changed.notify_all()

    def wait_until(self, room: Callable[[], bool]) -> None:
        """Wake the thread and wait until there is room; the thread's StoreUnavailable if it fails instead."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()
            # The round under way may have moved its readings already; the one after it begins with moving ours.
            enough, self._failure = self._rounds + 2, None
            self._changed.wait_for(
                lambda: room() or self._stopping or self._failure is not None or self._rounds >= enough
            )
            if self._failure is not None and not room():
                raise self._failure

    def stop(self) -> None:
        """Finish the part of a compaction that is under way and end the thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._woken or self._stopping)
                if self._stopping:
                    return
                self._woken = False
            failure: StoreUnavailable | None = None
            try:
                self._compact()
            except StoreUnavailable as error:
                failure = error
            except Exception as error:
                # Writers wait for this thread: it must tell them, and go on, whatever happens.
                log.exception("compaction failed unexpectedly")
                failure = StoreUnavailable(f"compaction failed: {error!r}; restart the service and report the log")
            with self._changed:
                self._rounds += 1
                self._failure = failure
                self._changed.notify_all()
                if self._stopping:
                    return
            if failure is not None:
                log.warning("compaction failed, readings stay in the hot part", extra={"reason": str(failure)})
