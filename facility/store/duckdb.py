"""The embedded keeper: a DuckDB file with a small unsorted hot part and a large sorted cold part (ADR 2)."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from weakref import WeakKeyDictionary

import duckdb
import numpy as np
from numpy.typing import NDArray

from facility.errors import StoreUnavailable
from facility.readings import Aggregates, Latest, PointTable, ReadingBatch, Series
from facility.store import duckdb_schema
from facility.store.contract import StoreSize
from facility.store.duckdb_file import Columns, Connection, DuckDBFile, DuckDBSettings, fetch, one, why_not_done
from facility.store.duckdb_points import NEVER, PointBook, Sorted
from facility.store.last_write import Readings, last_write_stands
from facility.store.steps import aggregates_of, join_steps, sum_by_step

_SLICE_READINGS: Final = 1_000_000  # so many readings of a long aggregate are held at once


class DuckDBStore:
    """
    Keep readings in one DuckDB file, which belongs to this process while it is open.

    `write` appends to the hot part. `compact`, which runs by itself when the hot part is full, moves it, sorted by
    point and time, to the cold part. Queries read both and let the last write stand.

    Raises
    ------
    ConfigurationError
        If the file is damaged, holds something else, or cannot be made.
    StoreUnavailable
        If another process holds the file.
    """

    def __init__(self, path: Path, *, read_only: bool = False, settings: DuckDBSettings | None = None) -> None:
        self.path = Path(path).absolute()
        self.read_only = read_only
        self.settings = settings or DuckDBSettings()
        self._writing = threading.RLock()  # one writer, compaction or deletion at a time
        self._booking = threading.Lock()  # held only while the book's arrays are read or changed
        self._file: DuckDBFile | None = None
        self._closed = False
        if not read_only:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        self._open()

    # Writing

    def write(self, batch: ReadingBatch) -> None:
        """Store a batch; ValueError if a value is not finite or a point is not of the batch's table."""
        if self.read_only:
            raise PermissionError(f"{self.path} is open for reading only; open it without read_only to write")
        if len(batch) == 0:
            return
        _check(batch)
        with self._writing:
            with self._cursor() as cursor:
                ids = self._ids.get(batch.table)
                if ids is None:
                    cursor.execute("BEGIN")
                    ids = self._introduce(cursor, batch.table)
                    rows = Readings(ids[batch.point], batch.time_us, batch.value, batch.quality)
                    self._append_hot(cursor, rows)
                    cursor.execute("COMMIT")
                else:
                    rows = Readings(ids[batch.point], batch.time_us, batch.value, batch.quality)
                    self._append_hot(cursor, rows)
            with self._booking:
                new = [a.key for a in batch.table.addresses if a.key not in self._book.ids]
                self._book.add(new)
                self._book.newest.take_in(rows)
            self._ids[batch.table] = ids
            self._hot_readings += len(rows)
            if self._hot_readings >= self.settings.hot_readings:
                self.compact()

    def _append_hot(self, cursor: Connection, rows: Readings) -> None:
        seq = np.arange(self._next_seq, self._next_seq + len(rows), dtype=np.int64)
        self._next_seq += len(rows)
        columns: Columns = {
            "seq": seq,
            "point": rows.point,
            "time_us": rows.time_us,
            "value": rows.value,
            "quality": rows.quality,
        }
        with _registered(cursor, columns):
            cursor.execute("INSERT INTO hot SELECT seq, point, time_us, value, quality FROM incoming")

    def _introduce(self, cursor: Connection, table: PointTable) -> NDArray[np.int32]:
        """Write the addresses that are new or have changed and return the id of each point of the table."""
        known = {
            str(row[1]): tuple(row[2:])
            for row in cursor.execute(
                "SELECT id, key, equipment, point, equipment_class, unit, site, building, room, kind FROM points"
            ).fetchall()
        }
        ids = np.empty(len(table), dtype=np.int32)
        put: list[tuple[object, ...]] = []
        following = len(self._book.keys)
        for i, address in enumerate(table.addresses):
            columns = astuple(address)
            number = self._book.ids.get(address.key)
            if number is None:
                number, following = following, following + 1
                put.append((number, address.key, *columns))
            elif address.equipment_class and known.get(address.key) != columns:
                # A bare key, as imports know it, does not wipe out what the site file said.
                put.append((number, address.key, *columns))
            ids[i] = number
        if put:
            numbers = np.array([row[0] for row in put], dtype=np.int32)
            with _registered(cursor, {"id": numbers}):
                cursor.execute("DELETE FROM points USING incoming WHERE points.id = incoming.id")
            names = ("key", "equipment", "point", "equipment_class", "unit", "site", "building", "room", "kind")
            texts = {name: np.array([row[i + 1] for row in put], dtype=object) for i, name in enumerate(names)}
            with _registered(cursor, {"id": numbers, **texts}):
                cursor.execute(f"INSERT INTO points SELECT id, {', '.join(names)} FROM incoming")  # noqa: S608
        return ids

    # Reading

    def latest(self, keys: Sequence[str] | None = None) -> Mapping[str, Latest]:
        """Return the newest reading of each named point (of all points, if None) that has one."""
        self._opened()
        with self._booking:
            return self._book.latest(keys)

    def series(self, keys: Sequence[str], start_us: int, end_us: int) -> Mapping[str, Series]:
        """Return raw readings with start <= time < end; every key is in the result."""
        ids = self._known(keys)
        rows = self._rows(list(ids.values()), start_us, end_us)
        stretches = _stretches(rows.point, ids)
        return {
            key: Series(rows.time_us[stretch], rows.value[stretch], rows.quality[stretch])
            for key, stretch in ((key, stretches[key]) for key in keys)
        }

    def aggregate(
        self, keys: Sequence[str], start_us: int, end_us: int, step_us: int, origin_us: int = 0
    ) -> Mapping[str, Aggregates]:
        """Return mean, min, max, last and count by steps; ValueError if `step_us` is not above zero."""
        if step_us <= 0:
            raise ValueError(f"step_us is {step_us}; give a step above zero, such as 60_000_000 for one minute")
        ids = self._known(keys)
        parts = [
            sum_by_step(self._rows(list(ids.values()), start, end), step_us, origin_us)
            for start, end in self._slices(list(ids.values()), start_us, end_us)
        ]
        sums = join_steps(parts)
        stretches = _stretches(sums.point, ids)
        return {key: aggregates_of(sums, stretches[key]) for key in keys}

    def _known(self, keys: Sequence[str]) -> dict[str, int]:
        self._opened()
        ids = self._book.ids
        return {key: ids[key] for key in keys if key in ids}

    def _rows(self, ids: list[int], start_us: int, end_us: int) -> Readings:
        """Return the readings of these points, sorted by (point, time), one for each key."""
        if not ids or start_us >= end_us:
            return _readings(
                {
                    "point": np.empty(0, np.int32),
                    "time_us": np.empty(0, np.int64),
                    "value": np.empty(0),
                    "quality": np.empty(0, np.uint8),
                }
            )
        chosen = f"point IN ({', '.join(map(str, sorted(ids)))})"
        with self._cursor() as cursor:
            columns = fetch(
                cursor,
                "SELECT point, time_ms * 1000 + sub_us AS time_us, value, quality, 0::BIGINT AS seq "  # noqa: S608
                f"FROM cold WHERE {chosen} AND time_ms BETWEEN {start_us // 1000} AND {(end_us - 1) // 1000} "
                "UNION ALL SELECT point, time_us, value, quality, seq "
                f"FROM hot WHERE {chosen} AND time_us >= {start_us} AND time_us < {end_us}",
            )
        rows = _readings(columns)
        if start_us % 1000 or end_us % 1000:
            inside = (rows.time_us >= start_us) & (rows.time_us < end_us)
            rows, columns["seq"] = rows.take(inside), columns["seq"][inside]
        return last_write_stands(_in_writing_order(rows, columns["seq"]))

    def _slices(self, ids: list[int], start_us: int, end_us: int) -> list[tuple[int, int]]:
        """Cut a long query so that each part holds about a million readings, going by how dense the points are."""
        if not ids or start_us >= end_us:
            return [(start_us, end_us)]
        with self._booking:
            cold, chosen = self._book.cold, np.array(ids, dtype=np.intp)
            readings, first = cold.readings[chosen], cold.first_us[chosen]
            last = cold.newest.time_us[chosen]
        known = readings > 0
        if not bool(known.any()):
            return [(start_us, end_us)]
        readings, first, last = readings[known], first[known], last[known]
        lived = np.maximum(last.astype(np.float64) - first, 1.0)
        within = np.minimum(last, end_us).astype(np.float64) - np.maximum(first, start_us)
        expected = float((readings * np.clip(within / lived, 0.0, 1.0)).sum())
        if expected <= _SLICE_READINGS:
            return [(start_us, end_us)]
        # Before the first and after the last sorted reading little is to be found: those ends are not cut further.
        inner_start, inner_end = max(start_us, int(first.min())), min(end_us, int(last.max()) + 1)
        parts = int(expected // _SLICE_READINGS) + 1
        cuts = [inner_start + (inner_end - inner_start) * i // parts for i in range(1, parts)]
        edges = [start_us, *cuts, end_us]
        return list(pairwise(edges))

    # Keeping house

    def compact(self) -> None:
        """Move the hot part to the cold part, sorted; the last write of each key stands."""
        if self.read_only:
            raise PermissionError(f"{self.path} is open for reading only; open it without read_only to compact it")
        with self._writing, self._cursor() as cursor:
            rows = self._hot_rows(cursor)
            if len(rows):
                cold = self._book.cold.copy()
                cursor.execute("BEGIN")
                replaced = self._remove_from_cold(cursor, cold.late(rows))
                self._append_cold(cursor, rows)
                cold.add(rows, replaced)
                cursor.execute("DELETE FROM hot")
                _put_cold_points(cursor, cold)
                cursor.execute("COMMIT")
                self._hot_readings = 0
                with self._booking:
                    self._book.cold = cold
            cursor.execute("CHECKPOINT")

    def _hot_rows(self, cursor: Connection) -> Readings:
        columns = fetch(cursor, "SELECT point, time_us, value, quality, seq FROM hot")
        return last_write_stands(_in_writing_order(_readings(columns), columns["seq"]))

    def _remove_from_cold(self, cursor: Connection, late: Readings) -> NDArray[np.int32]:
        """Delete the keys that are about to be written again and return the point of each that was there."""
        if len(late) == 0:
            return np.empty(0, dtype=np.int32)
        with _registered(cursor, _cold_columns(late)):
            return fetch(
                cursor,
                "DELETE FROM cold USING incoming WHERE cold.point = incoming.point "
                "AND cold.time_ms = incoming.time_ms AND cold.sub_us = incoming.sub_us RETURNING cold.point",
            )["point"]

    def _append_cold(self, cursor: Connection, rows: Readings) -> None:
        run = self._next_run
        self._next_run += 1
        with _registered(cursor, _cold_columns(rows)):
            cursor.execute("INSERT INTO cold SELECT ?, point, time_ms, sub_us, value, quality FROM incoming", [run])
        cursor.execute("INSERT INTO runs VALUES (?, ?)", [run, len(rows)])

    def delete_before(self, time_us: int) -> int:
        """Delete all readings older than `time_us` and return how many there were."""
        with self._writing:
            self.compact()
            with self._cursor() as cursor:
                # All that is below the millisecond of the limit, and of that millisecond what is below its microsecond.
                older = f"(time_ms < {time_us // 1000} OR (time_ms = {time_us // 1000} AND sub_us < {time_us % 1000}))"
                cold = self._book.cold.copy()
                gone = fetch(
                    cursor,
                    f"SELECT point, count(*) AS n FROM cold WHERE {older} GROUP BY point",  # noqa: S608
                )
                deleted = int(gone["n"].sum())
                if deleted == 0:
                    return 0
                cold.readings[gone["point"]] -= gone["n"]
                cold.newest.forget_before(time_us)
                cold.first_us[gone["point"]] = np.iinfo(np.int64).max
                left = fetch(
                    cursor,
                    "SELECT point, min(time_ms * 1000 + sub_us) AS first_us FROM cold "  # noqa: S608
                    f"WHERE NOT {older} GROUP BY point",
                )
                cold.first_us[left["point"]] = left["first_us"]
                cursor.execute("BEGIN")
                cursor.execute(f"DELETE FROM cold WHERE {older}")  # noqa: S608
                _put_cold_points(cursor, cold)
                cursor.execute("COMMIT")
                with self._booking:
                    self._book.cold = cold
                    self._book.newest.forget_before(time_us)
                cursor.execute("CHECKPOINT")
        return deleted

    def points(self) -> Sequence[str]:
        """Return the keys of all points that hold at least one reading, sorted."""
        self._opened()
        with self._booking:
            return self._book.held()

    def size(self) -> StoreSize:
        """Return how much the keeper holds."""
        with self._writing, self._cursor() as cursor:
            cold, hot = self._book.cold, self._hot_rows(cursor)
            late = cold.late(hot)
            twice = 0
            if len(late):
                with _registered(cursor, _cold_columns(late)):
                    twice = one(cursor, "SELECT count(*) FROM cold JOIN incoming USING (point, time_ms, sub_us)")
            readings = int(cold.readings.sum()) + len(hot) - twice
            holding = self._book.newest.time_us != NEVER
            if readings == 0:
                return StoreSize(0, 0, self._opened().bytes_at_rest(), None, None)
            first = min([int(cold.first_us.min())] + ([int(hot.time_us.min())] if len(hot) else []))
            last = int(self._book.newest.time_us.max())
            return StoreSize(readings, int(holding.sum()), self._opened().bytes_at_rest(), first, last)

    def close(self) -> None:
        """Let go of the file; a second call does nothing."""
        with self._writing:
            self._closed = True
            if self._file is not None:
                self._file.close()
                self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # The file

    def _open(self) -> None:
        file = DuckDBFile(self.path, self.settings, read_only=self.read_only)
        try:
            with file.cursor() as cursor:
                duckdb_schema.prepare(cursor, self.path, read_only=self.read_only)
                self._load(cursor)
        except BaseException:
            file.close()
            raise
        self._file = file

    def _load(self, cursor: Connection) -> None:
        book = PointBook()
        named = fetch(cursor, "SELECT key FROM points ORDER BY id")
        book.add([str(key) for key in named["key"].tolist()])
        held = fetch(cursor, "SELECT point, readings, first_us, last_us AS time_us, value, quality FROM cold_points")
        book.cold.readings[held["point"]] = held["readings"]
        book.cold.first_us[held["point"]] = held["first_us"]
        book.cold.newest.put(_readings(held))
        book.newest.put(_readings(held))
        hot = fetch(cursor, "SELECT point, time_us, value, quality, seq FROM hot")
        book.newest.take_in(_in_writing_order(_readings(hot), hot["seq"]))
        next_run = one(cursor, "SELECT coalesce(max(run), 0) + 1 FROM runs")
        with self._booking:
            self._book = book
            self._ids: WeakKeyDictionary[PointTable, NDArray[np.int32]] = WeakKeyDictionary()
            self._next_run = next_run
            self._next_seq = int(hot["seq"].max()) + 1 if hot["seq"].shape[0] else 1
            self._hot_readings = int(hot["seq"].shape[0])

    def _opened(self) -> DuckDBFile:
        file = self._file
        if file is not None:
            return file
        with self._writing:
            if self._closed:
                raise StoreUnavailable(f"{self.path}: the store has been closed; open it again")
            if self._file is None:
                self._open()
            assert self._file is not None
            return self._file

    @contextmanager
    def _cursor(self) -> Iterator[Connection]:
        file = self._opened()
        try:
            with file.cursor() as cursor:
                yield cursor
        except duckdb.ProgrammingError:
            raise
        except duckdb.Error as error:
            if isinstance(error, (duckdb.FatalException, duckdb.InternalException)) or "invalidated" in str(error):
                # The engine refuses all further work after such an error; the next call opens the file afresh.
                with self._writing:
                    if self._file is file:
                        self._file = None
                        file.close()
            raise why_not_done(self.path, error) from error


def _check(batch: ReadingBatch) -> None:
    if int(batch.point.min()) < 0 or int(batch.point.max()) >= len(batch.table):
        wrong = int(batch.point[(batch.point < 0) | (batch.point >= len(batch.table))][0])
        raise ValueError(f"point index {wrong} is outside the batch's table of {len(batch.table)} points")
    finite = np.isfinite(batch.value)
    if not bool(finite.all()):
        wrong = int(np.argmin(finite))
        raise ValueError(
            f"{batch.table.key(int(batch.point[wrong]))} at {int(batch.time_us[wrong])} µs: value {batch.value[wrong]} "
            "is not a reading; leave missing values out of the batch"
        )


def _readings(columns: Columns) -> Readings:
    return Readings(columns["point"], columns["time_us"], columns["value"], columns["quality"])


def _in_writing_order(rows: Readings, seq: NDArray[np.int64]) -> Readings:
    return rows if bool(np.all(seq[1:] >= seq[:-1])) else rows.take(np.argsort(seq, kind="stable"))


def _cold_columns(rows: Readings) -> Columns:
    return {
        "point": rows.point,
        "time_ms": rows.time_us // 1000,
        "sub_us": (rows.time_us % 1000).astype(np.uint16),
        "value": rows.value,
        "quality": rows.quality,
    }


def _put_cold_points(cursor: Connection, cold: Sorted) -> None:
    held = np.flatnonzero(cold.readings > 0).astype(np.int32)
    cursor.execute("DELETE FROM cold_points")
    columns: Columns = {
        "point": held,
        "readings": cold.readings[held],
        "first_us": cold.first_us[held],
        "last_us": cold.newest.time_us[held],
        "value": cold.newest.value[held],
        "quality": cold.newest.quality[held],
    }
    with _registered(cursor, columns):
        cursor.execute(
            "INSERT INTO cold_points SELECT point, readings, first_us, last_us, value, quality FROM incoming"
        )


def _stretches(sorted_points: NDArray[np.int32], ids: Mapping[str, int]) -> Mapping[str, slice]:
    """Return where each key's stretch lies in an array sorted by point; an unknown key's stretch is empty."""
    numbers = np.array(list(ids.values()), dtype=np.int32)
    begins = np.searchsorted(sorted_points, numbers, side="left").tolist()
    ends = np.searchsorted(sorted_points, numbers, side="right").tolist()
    found = {key: slice(b, e) for key, b, e in zip(ids, begins, ends, strict=True)}
    return defaultdict(lambda: slice(0, 0), found)


@contextmanager
def _registered(cursor: Connection, columns: Columns) -> Iterator[None]:
    """Let SQL read the arrays as the table `incoming`."""
    cursor.register("incoming", columns)
    try:
        yield
    finally:
        cursor.unregister("incoming")
