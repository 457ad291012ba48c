"""
The roll-ups of a DuckDB keeper: stored where that is worth it, computed from the readings everywhere else.

Of each point and level all steps before a certain one are stored, none after it. So what is stored is written once, in
long sorted runs, when a day (of dense points an hour) is over and settled. What changes later is noted first and summed
up again then; until it is, questions compute it from the readings. They are exact at any moment (ADR 9).
"""

# ruff: noqa: S608 (what is formatted into SQL is our own constants and whole numbers)

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facility.store.contract import LevelSize
from facility.store.duckdb_asking import late_rows, level_rows, summed_up
from facility.store.duckdb_file import Connection, DuckDBSettings, fetch, one, run
from facility.store.duckdb_points import Sorted
from facility.store.duckdb_reading import Look
from facility.store.duckdb_rolled import (
    EVER_US,
    NO_STEP,
    RUN_TABLES,
    RollBook,
    drop_again,
    drop_between,
    drop_same,
    first_step,
    load_book,
    put_again,
    put_kept,
    put_steps,
    put_until,
    read_same,
)
from facility.store.duckdb_runs import Merge, deletion, due
from facility.store.duckdb_schema import TABLE_OF
from facility.store.last_write import Readings, first_of_each
from facility.store.levels import DAY_US, HOUR_US, MINUTE_US, SECOND_US, Level, Steps
from facility.store.rollups import (
    HOLD_US,
    LevelRows,
    coarser,
    merged,
    within,
)

_PART_READINGS: Final = 500_000  # so many readings are summed up in one transaction
_PART_POINTS: Final = 60  # so many points are summed up again in one: each touches a row group a level or more
_PARTS_A_CHECKPOINT: Final = 4

# What is not yet settled is not stored: most late readings then find nothing to be summed up again. Points denser than
# _DENSE_US go by hours, so that a question has little to sum up itself; all others by days.
_DENSE_US: Final = 20 * SECOND_US
_SETTLED_HOUR_US: Final = 15 * MINUTE_US
_SETTLED_DAY_US: Final = 6 * HOUR_US


class DuckDBRollups:
    """
    What a DuckDB keeper does about roll-ups; the keeper calls, and holds the locks.

    All that changes the file runs one at a time, except `note_changed`. Questions (`duckdb_asking`) may run beside it.
    """

    def __init__(self, settings: DuckDBSettings) -> None:
        self._settings = settings
        self._swapping = threading.Lock()
        self.book = RollBook(Steps(), {level: np.empty(0, dtype=np.int64) for level in Level})
        self._runs: dict[Level, dict[int, int]] = {level: {} for level in Level}
        self._next_run = dict.fromkeys(Level, 1)
        self._open_run: dict[Level, int] = {}  # the run to which the round under way adds
        self._merge: tuple[Level, Merge] | None = None

    def load(self, cursor: Connection) -> None:
        """Read what is stored."""
        known = run(cursor, "SELECT zone FROM day_zone").fetchall()
        book = load_book(cursor, Steps(str(known[0][0]) if known else "UTC"))
        self._merge, self._open_run = None, {}
        for level, table in RUN_TABLES.items():
            listed = fetch(cursor, f"SELECT run, sum(readings)::BIGINT AS readings FROM {table.list_name} GROUP BY run")
            self._runs[level] = dict(zip(listed["run"].tolist(), listed["readings"].tolist(), strict=True))
            self._next_run[level] = max(self._runs[level], default=0) + 1
        self._swap(lambda _: book)

    # Changes of readings

    def note_changed(self, cursor: Connection, changed: Mapping[int, tuple[int, int]]) -> None:
        """Note, within the transaction that does it, that readings of these ids change between these times."""
        ids = np.array(list(changed), dtype=np.int32)
        stored = {point: changed[point] for point in ids[self.book.stored_at_all(ids)].tolist()}
        if stored:
            put_again(cursor, stored)
            # Before the change: a question that comes in between does not believe too much.
            self._swap(lambda book: book.with_again(stored))

    def take_in(self, cursor: Connection, rows: Readings, is_state: NDArray[np.bool_]) -> None:
        """
        Note what these readings, sorted and new to the sorted part, change.

        Those older than what is kept are added to the stored steps; they go to the sorted part all the same, so that
        they are known until the next `expire` when they are sent again.
        """
        book = self.book
        changing = np.zeros(len(rows), dtype=np.bool_)
        for level in Level:
            number, opened = book.steps.number(level, rows.time_us), book.first_open(level)
            changing |= number < book.until_of(level, rows.point)
            late = late_rows(rows.take(number < opened), level, book)
            self._add(cursor, level, within(late, book.first_kept(level), opened))
        reach = np.where(is_state[rows.point], HOLD_US, 1)
        changed = changing & (rows.time_us + reach > book.kept(None))
        if bool(changed.any()):
            point, begin_us, end_us = rows.point[changed], rows.time_us[changed], (rows.time_us + reach - 1)[changed]
            first = first_of_each(point)
            last = np.append(first[1:], point.shape[0]).astype(np.intp) - 1
            times = zip(begin_us[first].tolist(), end_us[last].tolist(), strict=True)
            self.note_changed(cursor, dict(zip(point[first].tolist(), times, strict=True)))

    def _add(self, cursor: Connection, level: Level, late: LevelRows) -> None:
        if len(late):
            stored = read_same(cursor, level, late)
            drop_same(cursor, level, late)
            self._put(cursor, level, merged(LevelRows.concat([stored, late])))

    def doubt_before(self, cursor: Connection, time_us: int) -> None:
        """Note that all readings before this time are about to be deleted: until `drop_before` no stored step holds."""
        run(cursor, "BEGIN")
        self.note_changed(cursor, dict.fromkeys(self._points(), (EVER_US[0], time_us + HOLD_US)))
        run(cursor, "COMMIT")

    def drop_before(self, cursor: Connection, time_us: int, checkpoint: Callable[[], None]) -> None:
        """Delete the steps of readings before this time, which are gone; what is around it is to be summed up again."""
        for level in Level:
            self._drop_steps(cursor, level, int(self.book.steps.number(level, np.array([time_us]))[0]), checkpoint)
        # What has been noted of later readings stays.
        again, until_us = self.book.again, time_us + HOLD_US
        around = {p: (time_us, max(again.get(p, (0, until_us))[1], until_us)) for p in self._points()}
        run(cursor, "BEGIN")
        drop_again(cursor, list(around))
        self._swap(lambda book: replace(book, again={}))
        self.note_changed(cursor, around)
        run(cursor, "COMMIT")

    def _points(self) -> range:
        return range(max(until.shape[0] for until in self.book.until.values()))

    # Keeping up

    def go_on(self, look: Look, now_us: int) -> bool:
        """Do one part of what there is to do, in transactions of its own; False if there is nothing."""
        if self.sum_up_again(look) or self.store_settled(look, now_us):
            return True
        self._open_run.clear()  # the next round begins another run
        return self._merge_some(look.cursor)

    def sum_up_again(self, look: Look) -> bool:
        """Sum up again what has changed under some stored steps; False if nothing has."""
        book = self.book
        if not book.again:
            return False
        again = sorted(book.again.items(), key=lambda item: (item[1][0] // DAY_US, item[1][1] // DAY_US, item[0]))
        begin_us, until_us = again[0][1]
        alike = (begin_us // DAY_US, until_us // DAY_US)
        same = [(p, t) for p, t in again[:_PART_POINTS] if (t[0] // DAY_US, t[1] // DAY_US) == alike]
        if until_us - begin_us >= 2 * DAY_US:
            expected = look.cold.expected(np.array([p for p, _ in same], dtype=np.int32), begin_us, until_us)
            same = same[: max(1, int(np.searchsorted(np.cumsum(expected), _PART_READINGS)))]
        chosen = dict(sorted(same))
        ids, times = np.array(list(chosen), dtype=np.int32), np.array(list(chosen.values()), dtype=np.int64)
        cursor, look = look.cursor, look.sorted_only()
        run(cursor, "BEGIN")
        for level in Level:
            first = np.maximum(book.steps.number(level, times[:, 0]), book.first_open(level))
            end = np.minimum(book.steps.number(level, times[:, 1]) + 1, book.until_of(level, ids))
            some = first < end
            if bool(some.any()):
                drop_between(cursor, level, ids[some], first[some], end[some])
                rows = LevelRows.concat(list(summed_up(look, ids, level, first, end))).sorted()
                self._put(cursor, level, rows)
        drop_again(cursor, ids.tolist())
        run(cursor, "COMMIT")
        # What has been noted since stays.
        self._swap(lambda now: replace(now, again={p: t for p, t in now.again.items() if chosen.get(p) != t}))
        return True

    def store_settled(self, look: Look, now_us: int) -> bool:
        """Store some of the steps that are over and settled; False if there are none."""
        cold = look.cold
        held = np.flatnonzero(cold.readings > 0).astype(np.int32)
        newest = np.minimum(cold.newest.time_us[held], now_us)
        steps, spacing = self.book.steps, cold.spacing_us()[held]
        by_day = steps.start(Level.DAY, steps.number(Level.DAY, newest - _SETTLED_DAY_US))
        by_hour = (newest - _SETTLED_HOUR_US) // HOUR_US * HOUR_US
        target_us = np.where(spacing < _DENSE_US, by_hour, by_day)
        wanted = {}
        for level in Level:
            worth = (spacing * self._settings.rolled_from <= level.step_us) | (
                self.book.until_of(level, held) > NO_STEP
            )
            wanted[level] = np.where(worth, steps.number(level, target_us), NO_STEP)
        return self._store_some(look, held, wanted)

    def store_all_before(self, look: Look, time_us: int) -> bool:
        """Store some of the steps, of all levels and points, that begin before this time; False if all are stored."""
        held = np.flatnonzero((look.cold.readings > 0) & (look.cold.first_us < time_us)).astype(np.int32)
        steps = self.book.steps
        return self._store_some(
            look, held, {level: np.full(held.shape, first_step(steps, level, time_us)) for level in Level}
        )

    def _store_some(self, look: Look, ids: NDArray[np.int32], wanted: Mapping[Level, NDArray[np.int64]]) -> bool:
        """Store a part of the steps before those wanted (n,) of these points; False if none is lacking."""
        book, steps, cold = self.book, self.book.steps, look.cold
        begin_us, end_us = np.full(ids.shape, EVER_US[1]), np.full(ids.shape, EVER_US[0])
        lacking = np.zeros(ids.shape, dtype=np.bool_)
        for level, until in wanted.items():
            have = np.maximum(book.until_of(level, ids), book.first_open(level))
            have = np.maximum(have, steps.number(level, cold.first_us[ids]))
            goes = until > have
            lacking |= goes
            begin_us = np.where(goes, np.minimum(begin_us, steps.start(level, have)), begin_us)
            end_us = np.where(goes, np.maximum(end_us, steps.start(level, np.where(goes, until, 0))), end_us)
        if not bool(lacking.any()):
            return False
        part = _part(ids[lacking], begin_us[lacking], end_us[lacking], cold)
        chosen, until_us = np.isin(ids, part[0]), part[1]
        ids = ids[chosen]
        cursor, look = look.cursor, look.sorted_only()
        run(cursor, "BEGIN")
        after = book
        for level, until in wanted.items():
            # A part may end before what is wanted: at a midnight, which other levels' steps may not begin with.
            stop = np.minimum(until[chosen], int(steps.number(level, np.array([until_us]))[0]))
            have = np.maximum(book.until_of(level, ids), book.first_open(level))
            first = np.maximum(have, steps.number(level, cold.first_us[ids]))
            goes = stop > have
            if not bool(goes.any()):
                continue
            rows = LevelRows.concat(list(summed_up(look, ids[goes], level, first[goes], stop[goes]))).sorted()
            self._put(cursor, level, rows)
            put_until(cursor, level, ids[goes], stop[goes])
            after = after.with_until(level, ids[goes], stop[goes])
        run(cursor, "COMMIT")
        self._swap(lambda now: replace(now, until=after.until))
        return True

    def _put(self, cursor: Connection, level: Level, rows: LevelRows) -> None:
        if len(rows) == 0:
            return
        if level not in self._open_run:
            self._open_run[level] = self._another_run(level)
        number = self._open_run[level]
        put_steps(cursor, level, number, rows)
        # Should the transaction fail, these are a little off, which matters little: they only say what to merge.
        self._runs[level][number] = self._runs[level].get(number, 0) + len(rows)
        self._swap(lambda book: book.with_steps_from(level, int(rows.number.min())))

    def _another_run(self, level: Level) -> int:
        self._next_run[level] += 1
        return self._next_run[level] - 1

    def _merge_some(self, cursor: Connection) -> bool:
        """Do one part of a merge of runs, if one is due."""
        if self._merge is None:
            for level, runs in self._runs.items():
                sources = due(runs, self._settings.fan_in, self._settings.longest_run)
                if sources:
                    self._merge = (level, Merge.plan(cursor, RUN_TABLES[level], self._another_run(level), sources))
                    break
            else:
                return False
        level, merge = self._merge
        if merge.go_on(cursor):
            for number in merge.sources:
                self._runs[level].pop(number, None)
            self._runs[level][merge.target] = merge.readings
            self._merge = None
        return True

    # Expiry

    def keep_from(self, cursor: Connection, level: Level | None, from_us: int) -> None:
        """Note that a level, or the readings, expire up to this time; from now on nothing before it is summed up."""
        run(cursor, "BEGIN")
        put_kept(cursor, level, from_us)
        run(cursor, "COMMIT")
        self._swap(lambda book: replace(book, kept_us={**book.kept_us, level: from_us}))

    def drop_expired(self, cursor: Connection, level: Level, checkpoint: Callable[[], None]) -> int:
        """Delete the rows of a level that have expired; return how many there were."""
        return self._drop_steps(cursor, level, self.book.first_kept(level), checkpoint)

    def _drop_steps(self, cursor: Connection, level: Level, before: int, checkpoint: Callable[[], None]) -> int:
        name = TABLE_OF[level]
        held = fetch(
            cursor,
            f"SELECT point, count(*) AS n, min(step) AS first FROM {name} WHERE step < {before} "
            "GROUP BY point ORDER BY point",
        )
        if held["point"].shape[0] == 0:
            return 0
        there = fetch(cursor, f"SELECT point, count(*) AS n FROM {name} GROUP BY point")
        rows = np.bincount(there["point"], there["n"]).astype(np.int64)
        for done, (first, last, until) in enumerate(deletion(held, rows, before)):
            run(cursor, f"DELETE FROM {name} WHERE point BETWEEN ? AND ? AND step < ?", [first, last, until])
            if done % _PARTS_A_CHECKPOINT == _PARTS_A_CHECKPOINT - 1:
                checkpoint()
        checkpoint()
        return int(held["n"].sum())

    def sizes(self, cursor: Connection) -> Sequence[LevelSize]:
        """Return what is stored of each level."""
        return [
            LevelSize(level, one(cursor, f"SELECT count(*) FROM {TABLE_OF[level]}"), self.book.kept_us.get(level))
            for level in Level
        ]

    # The zone of the days

    def begin_days_in(self, look: Look, zone: str) -> None:
        """
        Let days begin at midnight of this zone from now on.

        Days of another zone are summed up afresh when their turn comes. Where readings have expired they are made here
        and now from quarters of an hour, or from hours; days older than any hour that is kept stay as they are.
        """
        cursor, old = look.cursor, look.book
        if zone == old.steps.zone and one(cursor, "SELECT count(*) FROM day_zone"):
            return
        new = replace(old, steps=Steps(zone), until={**old.until, Level.DAY: np.empty(0, dtype=np.int64)})
        run(cursor, "BEGIN")
        run(cursor, "DELETE FROM day_zone")
        run(cursor, "INSERT INTO day_zone VALUES (?)", [zone])
        if zone != old.steps.zone:
            run(cursor, "DELETE FROM rolled_points WHERE level = ?", [Level.DAY.value])
            self._make_days(look.sorted_only(), new)
        else:
            new = old
        run(cursor, "COMMIT")
        self._open_run.clear()
        self._swap(lambda _: new)

    def _make_days(self, look: Look, new: RollBook) -> None:
        """Replace the days by those of the new book whose readings have expired."""
        hours_us = look.book.kept(Level.HOUR)
        first, end = first_step(new.steps, Level.DAY, hours_us), new.first_open(Level.DAY)
        old_first = first_step(look.book.steps, Level.DAY, hours_us)
        run(look.cursor, f"DELETE FROM {TABLE_OF[Level.DAY]} WHERE step >= {old_first}")
        if None not in look.book.kept_us:
            return
        quarters_us = max(hours_us, look.book.kept(Level.QUARTER))
        end_us = int(new.steps.start(Level.DAY, np.array([end]))[0])
        for chosen in np.array_split(
            np.arange(look.is_state.shape[0], dtype=np.int32), look.is_state.shape[0] // 4 + 1
        ):
            parts = []
            for level, begin, until in (
                (Level.HOUR, hours_us, quarters_us),
                (Level.QUARTER, quarters_us, end_us),
            ):
                steps = (first_step(new.steps, level, begin), first_step(new.steps, level, until))
                parts.append(coarser(level_rows(look, chosen, level, *steps), level, Level.DAY, new.steps))
            self._put(look.cursor, Level.DAY, within(merged(LevelRows.concat(parts[::-1])), first, end))

    def _swap(self, change: Callable[[RollBook], RollBook]) -> None:
        with self._swapping:
            self.book = change(self.book)


def _part(
    ids: NDArray[np.int32], begin_us: NDArray[np.int64], end_us: NDArray[np.int64], cold: Sorted
) -> tuple[NDArray[np.int32], int]:
    """Choose points, and a time, so that what they have up to then is a bounded number of readings."""
    # Together go points whose stretches are alike, for a query reads one stretch of all of them.
    span_us = np.maximum(end_us - begin_us, 1)
    alike = np.lexsort((ids, np.log2(span_us).astype(np.int64), end_us // DAY_US))
    ids, begin_us, end_us, span_us = ids[alike], begin_us[alike], end_us[alike], span_us[alike]
    same = (end_us // DAY_US == end_us[0] // DAY_US) & (np.log2(span_us).astype(int) == int(np.log2(span_us[0])))
    ids, begin_us, end_us = ids[same], begin_us[same], end_us[same]
    expected = np.cumsum(cold.expected(ids, int(begin_us.min()), int(end_us.max())))
    some = max(1, int(np.searchsorted(expected, _PART_READINGS)))
    ids, stop_us = np.sort(ids[:some]), int(end_us[:some].max())
    if some == 1 and expected[0] > _PART_READINGS:
        # Days are whole in every part: a step must not be cut.
        share = max(2 * DAY_US, int((stop_us - int(begin_us[0])) * (_PART_READINGS / expected[0])) // DAY_US * DAY_US)
        stop_us = min(stop_us, int(begin_us[0]) + share)
    return ids, stop_us
