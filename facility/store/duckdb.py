"""The embedded keeper: a DuckDB file with a small unsorted hot part and a large sorted cold part (ADR 2)."""

# ruff: noqa: S608 (values are parameters; what is formatted into SQL is our own constants and whole numbers)

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from weakref import WeakKeyDictionary

import duckdb
import numpy as np
from numpy.typing import NDArray

from facility.errors import StoreUnavailable
from facility.readings import Aggregates, Latest, PointAddress, PointTable, ReadingBatch, Rollups, Series
from facility.store import duckdb_schema
from facility.store.checks import check_batch
from facility.store.contract import Expired, LevelSize, StoreSize
from facility.store.duckdb_addresses import put_addresses, read_addresses
from facility.store.duckdb_asking import level_rows, sums_of_steps
from facility.store.duckdb_counting import count_readings, size_of
from facility.store.duckdb_file import (
    AUTO_CHECKPOINT,
    Columns,
    Connection,
    DuckDBFile,
    DuckDBSettings,
    fetch,
    one,
    run,
    why_not_done,
)
from facility.store.duckdb_points import NOT_YET, PointBook, Sorted
from facility.store.duckdb_reading import Look, in_writing_order, readings_of, same_keys
from facility.store.duckdb_rolled import EVER_US, first_step
from facility.store.duckdb_rollups import DuckDBRollups
from facility.store.duckdb_runs import (
    COLD,
    TIME_US,
    Housekeeper,
    Merge,
    cold_columns,
    deletion,
    due,
    run_order,
    scattered,
)
from facility.store.duckdb_snapshot import copy_synced
from facility.store.last_write import Readings, last_write_stands
from facility.store.levels import Level, Retention
from facility.store.rollups import HOLD_US, STATE, rollups_of
from facility.store.steps import aggregates_of

_PARTS_A_CHECKPOINT: Final = 4  # of a long deletion: what the engine keeps of them in memory is bounded
_PATIENCE_S: Final = (0.01, 0.05, 0.2, 0.5)
_FULL: Final = 2  # writers wait when the hot part holds so many times its bound

log = logging.getLogger(__name__)


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

    def __init__(
        self,
        path: Path,
        *,
        zone: str | None = None,
        read_only: bool = False,
        settings: DuckDBSettings | None = None,
    ) -> None:
        self.path = Path(path).absolute()
        self.read_only = read_only
        self.settings = settings or DuckDBSettings()
        # Taken in this order where several are needed.
        self._compacting = threading.RLock()  # one compaction, deletion or count at a time
        self._writing = threading.RLock()  # one writer at a time
        self._booking = threading.Lock()  # held only while the book's arrays are read or changed
        self._file: DuckDBFile | None = None
        self._closed = False
        self._book = PointBook()
        self._ids: WeakKeyDictionary[PointTable, NDArray[np.int32]] = WeakKeyDictionary()
        self._hot_readings = 0
        self._hot_first_us = NOT_YET  # no reading of the hot part is older
        self._next_seq = self._next_run = 1
        self._runs: dict[int, int] = {}  # how many readings each run of the cold part holds
        self._open_run = (0, 0)  # the run that was written last, 0 if none was, and its last point
        self._merge: Merge | None = None
        self._zone = zone
        self._rollups = DuckDBRollups(self.settings)
        if not read_only:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        self._housekeeper: Housekeeper | None = None
        self._open()
        if not read_only and self.settings.compact_in_background:
            self._housekeeper = Housekeeper(self.compact, f"compaction of {self.path.name}")

    # Writing

    def write(self, batch: ReadingBatch) -> None:
        """Store a batch; ValueError if a value is not finite or a point is not of the batch's table."""
        self._must_write()
        if len(batch) == 0:
            return
        check_batch(batch)
        self._await_room()
        with self._writing, self._cursor() as cursor:
            # Before the readings are there to be seen: who sees some of them is to look for all.
            self._hot_first_us = min(self._hot_first_us, int(batch.time_us.min()))
            ids = self._ids.get(batch.table)
            if ids is not None:
                rows = Readings(ids[batch.point], batch.time_us, batch.value, batch.quality)
                self._append_hot(cursor, rows)
            else:
                run(cursor, "BEGIN")
                ids, new, states = self._introduce(cursor, batch.table)
                rows = Readings(ids[batch.point], batch.time_us, batch.value, batch.quality)
                self._append_hot(cursor, rows)
                with self._booking:
                    # Before others see that it is to be summed up again, so that they do it in the new way.
                    self._book.learn_kinds({i: state for i, state in states.items() if i < len(self._book.keys)})
                run(cursor, "COMMIT")
                with self._booking:
                    self._book.add(new)
                    self._book.learn_kinds(states)
                self._ids[batch.table] = ids
            with self._booking:
                self._book.newest.take_in(rows)
            self._hot_readings += len(rows)
        if self._hot_readings >= self.settings.hot_readings:
            if self._housekeeper is None:
                self.compact()
            else:
                self._housekeeper.wake()

    def _await_room(self) -> None:
        # The hot part, and with it memory and the time to open, is bounded: writers wait when moving cannot keep up.
        full = _FULL * self.settings.hot_readings
        if self._housekeeper is not None and self._hot_readings >= full:
            self._housekeeper.wait_until(lambda: self._hot_readings < full)

    def _append_hot(self, cursor: Connection, rows: Readings) -> None:
        first = self._next_seq
        self._next_seq += len(rows)
        incoming: Columns = {
            "seq": np.arange(first, self._next_seq, dtype=np.int64),
            "point": rows.point,
            "time_us": rows.time_us,
            "value": rows.value,
            "quality": rows.quality,
        }
        run(cursor, "INSERT INTO hot SELECT seq, point, time_us, value, quality FROM incoming", incoming=incoming)

    def _introduce(self, cursor: Connection, table: PointTable) -> tuple[NDArray[np.int32], list[str], dict[int, bool]]:
        """
        Write the addresses that are new or have changed.

        Return the id of each point, the keys that are new, and of the ids written whether they are states.
        """
        was_state = dict(enumerate(self._book.is_state.tolist()))
        ids, new, put = put_addresses(cursor, table, self._book)
        states = {number: address.kind == STATE for number, address in put.items()}
        turned = [number for number, state in states.items() if number in was_state and was_state[number] != state]
        if turned:
            # What was weighted by time was not to be, or the other way about.
            self._rollups.note_changed(cursor, dict.fromkeys(turned, EVER_US))
        return ids, new, states

    # Reading

    def latest(self, keys: Sequence[str] | None = None) -> Mapping[str, Latest]:
        """Return the newest reading of each named point (of all points, if None) that has one."""
        self._opened()
        with self._booking:
            return self._book.latest(keys)

    def series(self, keys: Sequence[str], start_us: int, end_us: int) -> Mapping[str, Series]:
        """Return raw readings with start <= time < end; every key is in the result."""
        ids = self._known(keys)
        with self._look(end_us) as look:
            rows = look.read(_sorted_ids(ids), start_us, end_us)
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
        with self._look() as look:
            sums = sums_of_steps(look, _sorted_ids(ids), start_us, end_us, step_us, origin_us)
        stretches = _stretches(sums.point, ids)
        return {key: aggregates_of(sums, stretches[key]) for key in keys}

    def rollup(self, keys: Sequence[str], level: Level, start_us: int, end_us: int) -> Mapping[str, Rollups]:
        """Return the steps of a level that begin in [start, end), each summed up in whole."""
        ids = self._known(keys)
        with self._look() as look:
            steps = look.book.steps
            first, end = (first_step(steps, level, time_us) for time_us in (start_us, end_us))
            rows = level_rows(look, _sorted_ids(ids), level, first, end)
        stretches = _stretches(rows.point, ids)
        return {key: rollups_of(rows, stretches[key], level, steps) for key in keys}

    @contextmanager
    def _look(self, raw_until_us: int | None = None) -> Iterator[Look]:
        """Hold still what a question reads: that for readings before `raw_until_us`, or, without, also for roll-ups."""
        with self._cursor() as cursor:
            look = self._glance(cursor)
            # Many questions for readings end before the first hot one: they need no snapshot to look twice in.
            snapshot = raw_until_us is None or raw_until_us > look.hot_first_us
            if snapshot:
                run(cursor, "BEGIN")
            if raw_until_us is None:
                # What is known of the stored steps may run behind the snapshot, but not ahead of it.
                while one(cursor, "SELECT count(*) FROM schema_version") and look.book is not self._rollups.book:
                    run(cursor, "ROLLBACK")
                    look = self._glance(cursor)
                    run(cursor, "BEGIN")
            yield look
            if snapshot:
                run(cursor, "COMMIT")

    def _glance(self, cursor: Connection) -> Look:
        return Look(cursor, self._hot_first_us, self._book.cold, self._book.is_state, self._rollups.book)

    def _known(self, keys: Sequence[str]) -> dict[str, int]:
        self._opened()
        ids = self._book.ids
        return {key: ids[key] for key in keys if key in ids}

    # Keeping house

    def compact(self) -> None:
        """Move the hot part to the cold part, sorted, and merge runs that have become many."""
        self._must_write()
        with self._compacting:
            self._move_hot()
        # Let go in between: a count or a deletion need not wait for a whole merge, and the hot part comes first.
        more = True
        while more:
            with self._compacting:
                if self._hot_readings >= self.settings.hot_readings:
                    self._move_hot()
                more = self._roll_up_some() or self._merge_some()

    def _roll_up_some(self) -> bool:
        """Do one part of what there is to do about roll-ups; True if there may be more."""
        with self._cursor() as cursor:
            more = self._rollups.go_on(self._glance(cursor), time.time_ns() // 1000)
            if more:
                self._checkpoint(cursor)
        return more

    def _move_hot(self) -> None:
        """Move what is hot now to a new run of the cold part while writers go on; the last write of a key stands."""
        with self._writing:
            last_seq = self._next_seq - 1  # all that is below has been committed
        with self._cursor() as cursor:
            rows, arrived = self._hot_rows(cursor, last_seq)
            if arrived == 0:
                return
            rows = self._not_yet_cold(cursor, rows)
            cold = self._cold_copy()
            run(cursor, "BEGIN")
            self._rollups.take_in(cursor, rows, self._book.is_state)
            shares = self._shares(rows)
            for number, share in shares:
                run(
                    cursor,
                    "INSERT INTO cold SELECT ?, point, time_s, ms, us, value, quality FROM incoming",
                    [number],
                    cold_columns(share.take(run_order(share.point))),
                )
                run(cursor, "DELETE FROM runs WHERE run = ?", [number])
                run(cursor, "INSERT INTO runs VALUES (?, ?)", [number, self._runs.get(number, 0) + len(share)])
            cold.add(rows)
            run(cursor, "DELETE FROM hot WHERE seq <= ?", [last_seq])
            _put_cold_points(cursor, cold)
            run(cursor, "COMMIT")
            for number, share in shares:
                self._next_run = max(self._next_run, number + 1)
                self._runs[number] = self._runs.get(number, 0) + len(share)
            if shares:
                self._open_run = (shares[0][0], int(shares[0][1].point[-1]))
            self._publish(cold)
            # Before the checkpoint, which may fail: the readings have been moved all the same.
            with self._writing:
                self._hot_readings -= arrived
                self._hot_first_us = one(cursor, "SELECT coalesce(min(time_us), ?) FROM hot", [NOT_YET])
            if self._housekeeper is not None:
                self._housekeeper.progress()
            self._checkpoint(cursor)

    def _checkpoint(self, cursor: Connection) -> None:
        # Without writers: the engine would refuse, or make both wait for longer. It may still be tidying up after one.
        for patience_s in (*_PATIENCE_S, None):
            try:
                with self._writing:
                    run(cursor, "CHECKPOINT")
                return
            except duckdb.TransactionException as error:
                if patience_s is None:
                    # All has been committed; the next checkpoint takes it along.
                    log.warning("checkpoint put off", extra={"reason": str(error)})
                    return
                time.sleep(patience_s)

    def _shares(self, rows: Readings) -> list[tuple[int, Readings]]:
        """
        Tell which rows, sorted, go into which run: those behind the last point of the run written last go on in it.

        Whoever writes the history of one point after the other makes one run so, and not many to be merged.
        """
        number, last_point = self._open_run
        cut = int(np.searchsorted(rows.point, last_point, side="right"))
        held = self._runs.get(number, self.settings.longest_run)
        merging = self._merge is not None and number in self._merge.sources
        if merging or 2 * cut > len(rows) or held + len(rows) > self.settings.longest_run:
            number, cut = self._next_run, 0
        shares = [(number, rows.take(slice(cut, None))), (self._next_run, rows.take(slice(0, cut)))]
        return [(into, share) for into, share in shares if len(share)]

    def _hot_rows(self, cursor: Connection, last_seq: int) -> tuple[Readings, int]:
        """Return the hot readings, sorted and one for each key, and how many rows they were."""
        columns = fetch(cursor, "SELECT point, time_us, value, quality, seq FROM hot WHERE seq <= ?", [last_seq])
        rows = in_writing_order(readings_of(columns), columns["seq"])
        return last_write_stands(rows), len(rows)

    def _not_yet_cold(self, cursor: Connection, rows: Readings) -> Readings:
        """
        Return the readings that the cold part lacks, after deleting from it those that have another value now.

        The hot part holds them all until they are moved, so nothing goes missing when this is cut short. A reading
        that was merely sent again, which is the usual case, costs no rewriting. One of a step whose readings have
        expired is counted in that step already, so it is not rewritten either.
        """
        may_be_there = self._book.cold.late(rows)
        late = rows.take(may_be_there)
        if len(late) == 0:
            return rows
        nth, value, quality = same_keys(cursor, late)
        same = (value.view(np.int64) == late.value[nth].view(np.int64)) & (quality == late.quality[nth])
        same |= late.time_us[nth] < self._rollups.book.closed_us()
        for part, many in scattered(late.take(np.sort(nth[~same])), self._book.cold.spacing_us()):
            cold = self._cold_copy()
            cold.readings -= np.bincount(part.point, minlength=cold.readings.shape[0])
            run(cursor, "BEGIN")
            run(
                cursor,
                "DELETE FROM cold USING incoming WHERE cold.point = incoming.point AND cold.time_s = incoming.time_s "
                "AND cold.ms = incoming.ms AND cold.us = incoming.us",
                incoming=cold_columns(part),
            )
            _put_cold_points(cursor, cold)
            run(cursor, "COMMIT")
            self._publish(cold)
            if many:
                self._checkpoint(cursor)
        lacking = np.ones(len(rows), dtype=np.bool_)
        lacking[np.flatnonzero(may_be_there)[nth[same]]] = False
        return rows.take(lacking)

    def _cold_copy(self) -> Sorted:
        with self._booking:  # a writer may be making room for new points
            return self._book.cold.copy()

    def _publish(self, cold: Sorted) -> None:
        with self._booking:
            # Points that a writer has introduced meanwhile have nothing cold.
            cold.grow(len(self._book.keys))
            self._book.cold = cold

    def _merge_some(self) -> bool:
        """Do one part of a merge of runs, if one is due; True if there is more to do."""
        if self._merge is None:
            sources = due(self._runs, self.settings.fan_in, self.settings.longest_run)
            if not sources:
                return False
            with self._cursor() as cursor:
                self._merge = Merge.plan(cursor, COLD, self._next_run, sources)
            self._next_run += 1
        with self._cursor() as cursor:
            finished = self._merge.go_on(cursor)
            if finished:
                for run in self._merge.sources:
                    del self._runs[run]
                self._runs[self._merge.target] = self._merge.readings
                self._merge = None
            self._checkpoint(cursor)
        return True

    def delete_before(self, time_us: int) -> int:
        """Delete all readings older than `time_us`, and what they are in of roll-ups; return how many there were."""
        self._must_write()
        with self._compacting:
            self._move_hot()
            with self._cursor() as cursor:
                self._rollups.doubt_before(cursor, time_us)
                deleted = self._delete_cold(cursor, time_us)
                self._rollups.drop_before(cursor, time_us, partial(self._checkpoint, cursor))
                while self._rollups.sum_up_again(self._glance(cursor)):
                    self._checkpoint(cursor)
        return deleted

    def expire(self, retention: Retention, now_us: int) -> Expired:
        """Delete by age; roll-ups of all levels are stored before the readings that they come from go."""
        self._must_write()
        steps, deleted = self._rollups.book.steps, 0
        # Days begin with no hour in zones that are half an hour off: then that hour's readings are kept.
        cuts = {
            level: steps.floor(Level.HOUR, cut_us)
            for level, age_us in ((None, retention.raw_us), *((level, retention.of(level)) for level in Level))
            if (cut_us := steps.cut(age_us, now_us)) is not None
        }
        if None in cuts:
            cuts[None] = max(cuts[None], self._rollups.book.kept(None))
            self._store_before(cuts[None])
        with self._compacting, self._cursor() as cursor:
            for level, cut_us in cuts.items():
                if level is not None and cut_us > self._rollups.book.kept(level):
                    self._rollups.keep_from(cursor, level, cut_us)
            if None in cuts:
                # What has come meanwhile is compared with the readings while these are still there.
                self._move_hot()
                # A state from just before may be in force in the first step that is kept.
                deleted = self._delete_cold(cursor, cuts[None] - HOLD_US)
            rolled = {
                level: self._rollups.drop_expired(cursor, level, partial(self._checkpoint, cursor)) for level in Level
            }
        return Expired(deleted, rolled)

    def _store_before(self, time_us: int) -> None:
        """Store the roll-ups of all readings before this time, and let them be the truth from then on."""
        more = True
        while more:
            # Let go in between: writers wait when the hot part cannot be moved.
            with self._compacting:
                self._move_hot()
                with self._cursor() as cursor:
                    look = self._glance(cursor)
                    more = self._rollups.sum_up_again(look) or self._rollups.store_all_before(look, time_us)
                    if not more and time_us > self._rollups.book.kept(None):
                        # Before a compaction moves late readings whose steps would then never be summed up again.
                        self._rollups.keep_from(cursor, None, time_us)
                    self._checkpoint(cursor)

    def levels(self) -> Sequence[LevelSize]:
        """Return what is stored of the readings and of each level, from the finest to the coarsest."""
        with self._cursor() as cursor:
            kept_us, readings = self._rollups.book.kept_us.get(None), int(self._book.cold.readings.sum())
            return [LevelSize(None, readings + self._hot_readings, kept_us), *self._rollups.sizes(cursor)]

    def _delete_cold(self, cursor: Connection, time_us: int) -> int:
        """Delete what is older from the sorted part, in parts; return how many readings there were."""
        # The first condition lets the engine skip what is newer, the second is exact.
        older = f"time_s <= ? AND {TIME_US} < ?"
        held = fetch(
            cursor,
            f"SELECT point, count(*) AS n, min({TIME_US}) AS first FROM cold WHERE {older} "
            "GROUP BY point ORDER BY point",
            [time_us // 1_000_000, time_us],
        )
        for done, (first, last, until_us) in enumerate(deletion(held, self._book.cold.readings, time_us)):
            if done % _PARTS_A_CHECKPOINT == _PARTS_A_CHECKPOINT - 1:
                self._checkpoint(cursor)
                if self._hot_readings >= self.settings.hot_readings:
                    self._move_hot()
            run(cursor, "BEGIN")
            run(
                cursor,
                f"DELETE FROM cold WHERE point BETWEEN ? AND ? AND {older}",
                [first, last, until_us // 1_000_000, until_us],
            )
            left = fetch(
                cursor,
                f"SELECT point, count(*) AS n, min({TIME_US}) AS first_us FROM cold "
                "WHERE point BETWEEN ? AND ? GROUP BY point",
                [first, last],
            )
            cold = self._cold_copy()
            before = cold.newest.time_us.copy()
            cold.recount(slice(first, last + 1), left["point"], left["n"], left["first_us"])
            _put_cold_points(cursor, cold)
            run(cursor, "COMMIT")
            self._publish(cold)
            with self._booking:
                self._book.newest.follow(before, cold.newest.time_us[: before.shape[0]])
        self._checkpoint(cursor)
        return int(held["n"].sum())

    def points(self) -> Sequence[str]:
        """Return the keys of all points that hold at least one reading, sorted."""
        self._opened()
        with self._booking:
            return self._book.held()

    def addresses(self, keys: Sequence[str] | None = None) -> Mapping[str, PointAddress]:
        """Return where each named point (every point, if None) belongs, as it was last written; in the file's order."""
        with self._cursor() as cursor:
            known = read_addresses(cursor)
        return known if keys is None else {key: known[key] for key in keys if key in known}

    def count(self, keys: Sequence[str], start_us: int, end_us: int) -> Mapping[str, int]:
        """Return how many distinct readings with start <= time < end each point has; every key is in the result."""
        ids, counts = self._known(keys), dict.fromkeys(keys, 0)
        if not ids or start_us >= end_us:
            return counts
        with self._cursor() as cursor:
            counted = count_readings(cursor, sorted(ids.values()), start_us, end_us)
        return counts | {key: counted.get(number, 0) for key, number in ids.items()}

    def size(self) -> StoreSize:
        """Return how much the keeper holds; waits for nobody, whatever else goes on."""
        with self._cursor() as cursor:
            return size_of(cursor, self._opened().bytes_at_rest())

    def snapshot(self, target: Path, progress: Callable[[float], None] = lambda _: None) -> None:
        """
        Copy the file as it stands now, to a name that is free; writers and readers go on meanwhile.

        Between two checkpoints the engine appends to its log and leaves the file's blocks as they are; so compaction,
        which makes checkpoints, waits. `target` opens as a store of its own. FileExistsError if it is taken.
        """
        self._must_write()
        with self._compacting, self._cursor() as cursor:
            with self._writing:
                run(cursor, "SET GLOBAL wal_autocheckpoint = '1TB'")
                try:
                    run(cursor, "CHECKPOINT")
                except BaseException:
                    run(cursor, f"SET GLOBAL wal_autocheckpoint = '{AUTO_CHECKPOINT}'")
                    raise
            try:
                copy_synced(self.path, target, progress)
            finally:
                run(cursor, f"SET GLOBAL wal_autocheckpoint = '{AUTO_CHECKPOINT}'")

    def close(self) -> None:
        """Let go of the file; a second call does nothing."""
        self._closed = True
        if self._housekeeper is not None:
            self._housekeeper.stop()
        with self._compacting, self._writing:
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
                self._rollups.load(cursor)
                if self._zone is not None and not self.read_only:
                    self._rollups.begin_days_in(self._glance(cursor), self._zone)
        except BaseException:
            file.close()
            raise
        self._file = file

    def _load(self, cursor: Connection) -> None:
        book = PointBook()
        named = fetch(cursor, "SELECT key, kind FROM points ORDER BY id")
        book.add([str(key) for key in named["key"].tolist()])
        book.learn_kinds({number: kind == STATE for number, kind in enumerate(named["kind"].tolist())})
        held = fetch(cursor, "SELECT point, readings, first_us, last_us AS time_us, value, quality FROM cold_points")
        book.cold.readings[held["point"]] = held["readings"]
        book.cold.first_us[held["point"]] = held["first_us"]
        book.cold.newest.put(readings_of(held))
        book.newest.put(readings_of(held))
        hot = fetch(cursor, "SELECT point, time_us, value, quality, seq FROM hot")
        book.newest.take_in(in_writing_order(readings_of(hot), hot["seq"]))
        runs = fetch(cursor, "SELECT run, readings FROM runs")
        with self._booking:
            self._book = book
            self._ids = WeakKeyDictionary()
            self._runs = dict(zip(runs["run"].tolist(), runs["readings"].tolist(), strict=True))
            self._next_run = max(self._runs, default=0) + 1
            self._open_run = (0, 0)
            self._merge = None
            self._next_seq = int(hot["seq"].max()) + 1 if hot["seq"].shape[0] else 1
            self._hot_readings = int(hot["seq"].shape[0])
            self._hot_first_us = int(hot["time_us"].min()) if self._hot_readings else NOT_YET

    def _must_write(self) -> None:
        if self.read_only:
            raise PermissionError(f"{self.path} is open for reading only; open it without read_only to change it")

    def _opened(self) -> DuckDBFile:
        if self._closed:
            raise StoreUnavailable(f"{self.path}: the store has been closed; open it again")
        file = self._file
        if file is not None:
            return file
        with self._writing:
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
                        # Not waiting: a thread with a connection of this file may be waiting for our lock.
                        file.close(wait=False)
            raise why_not_done(self.path, error) from error


def _put_cold_points(cursor: Connection, cold: Sorted) -> None:
    held = np.flatnonzero(cold.readings > 0).astype(np.int32)
    run(cursor, "DELETE FROM cold_points")
    incoming: Columns = {
        "point": held,
        "readings": cold.readings[held],
        "first_us": cold.first_us[held],
        "last_us": cold.newest.time_us[held],
        "value": cold.newest.value[held],
        "quality": cold.newest.quality[held],
    }
    run(
        cursor,
        "INSERT INTO cold_points SELECT point, readings, first_us, last_us, value, quality FROM incoming",
        incoming=incoming,
    )


def _sorted_ids(ids: Mapping[str, int]) -> NDArray[np.int32]:
    return np.array(sorted(ids.values()), dtype=np.int32)


def _stretches(sorted_points: NDArray[np.int32], ids: Mapping[str, int]) -> Mapping[str, slice]:
    """Return where each key's stretch lies in an array sorted by point; an unknown key's stretch is empty."""
    numbers = np.array(list(ids.values()), dtype=np.int32)
    begins = np.searchsorted(sorted_points, numbers, side="left").tolist()
    ends = np.searchsorted(sorted_points, numbers, side="right").tolist()
    found = {key: slice(b, e) for key, b, e in zip(ids, begins, ends, strict=True)}
    return defaultdict(lambda: slice(0, 0), found)
