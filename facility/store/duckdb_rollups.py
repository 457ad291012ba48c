"""
The roll-ups of a DuckDB keeper: stored where that is worth it, computed from the readings everywhere else.

Of each point and level all steps before a certain one are stored, none after it. So what is stored is written once, in
long sorted runs, when a day (of dense points an hour) is over and settled. What changes later is noted first and summed
up again then; until it is, questions compute it from the readings. They are exact at any moment (ADR 9).
"""

# ruff: noqa: S608 (what is formatted into SQL is our own constants and whole numbers)

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facility.store.contract import LevelSize
from facility.store.duckdb_file import Connection, DuckDBSettings, fetch, one, run
from facility.store.duckdb_points import Sorted
from facility.store.duckdb_reading import SLICE_READINGS, Look, read_hot
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
    read_steps,
)
from facility.store.duckdb_runs import Merge, deletion, due
from facility.store.duckdb_schema import TABLE_OF
from facility.store.last_write import Readings, first_of_each, last_write_stands
from facility.store.levels import DAY_US, HOUR_US, MINUTE_US, SECOND_US, Level, Steps
from facility.store.rollups import (
    HOLD_US,
    LevelRows,
    coarser,
    merged,
    roll_up,
    sums_of,
    usable_levels,
    within,
    without_states,
)
from facility.store.steps import StepSums, by_step, join_steps, sum_by_step

_PART_READINGS: Final = 500_000  # so many readings are summed up in one transaction
_PART_POINTS: Final = 60  # so many points are summed up again in one: each touches a row group a level or more
_PARTS_A_CHECKPOINT: Final = 4
_FEW: Final = 8  # so many separate stretches are read one by one; of more, everything between them too

# What is not yet settled is not stored: most late readings then find nothing to be summed up again. Points denser than
# _DENSE_US go by hours, so that a question has little to sum up itself; all others by days.
_DENSE_US: Final = 20 * SECOND_US
_SETTLED_HOUR_US: Final = 15 * MINUTE_US
_SETTLED_DAY_US: Final = 6 * HOUR_US


class DuckDBRollups:
    """
    What a DuckDB keeper does about roll-ups; the keeper calls, and holds the locks.

    `level_rows` and `sums` may run beside everything else. All that changes the file runs one at a time, except
    `note_changed`.
    """

    def __init__(self, settings: DuckDBSettings) -> None:
        self._settings = settings
        self._swapping = threading.Lock()
        self.book = RollBook(Steps(), {level: np.empty(0, dtype=np.int64) for level in Level})
        self._runs: dict[Level, dict[int, int]] = {level: {} for level in Level}
        self._next_run = dict.fromkeys(Level, 1)
        self._open_run: dict[Level, int] = {}  # the run to which the round under way adds
        self._oldest: dict[Level, int] = {}  # no stored step has a lower number
        self._merge: tuple[Level, Merge] | None = None

    def load(self, cursor: Connection) -> None:
        """Read what is stored."""
        known = run(cursor, "SELECT zone FROM day_zone").fetchall()
        book = load_book(cursor, Steps(str(known[0][0]) if known else "UTC"))
        self._merge, self._open_run = None, {}
        for level, table in RUN_TABLES.items():
            listed = fetch(cursor, f"SELECT run, readings FROM {table.list_name}")
            self._runs[level] = dict(zip(listed["run"].tolist(), listed["readings"].tolist(), strict=True))
            self._next_run[level] = max(self._runs[level], default=0) + 1
            self._oldest[level] = one(cursor, f"SELECT coalesce(min(step), {-NO_STEP}) FROM {table.name}")
        self._swap(lambda _: book)

    # Asking

    def level_rows(self, look: Look, ids: NDArray[np.int32], level: Level, first: int, end: int) -> LevelRows:
        """Return the steps with first <= number < end of these points, sorted ids, in the order of (point, step)."""
        book = look.book
        first = max(first, book.first_kept(level))
        if ids.shape[0] == 0 or first >= end:
            return LevelRows.none()
        opened = book.first_open(level)
        until = np.maximum(book.until_of(level, ids), opened)
        top = min(end, int(until.max()))
        parts: list[LevelRows] = []
        stretches: list[tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]] = []
        if first < top:
            stored = read_steps(look.cursor, level, ids, first, top)
            stored = stored.take(stored.number < until[np.searchsorted(ids, stored.point)])
            lowest, highest, added = self._changed_steps(look, ids, level, until, opened)
            lowest, highest = np.maximum(lowest, max(first, opened)), np.minimum(highest, np.minimum(until, end))
            at = np.searchsorted(ids, stored.point)
            parts.append(stored.take((stored.number < lowest[at]) | (stored.number >= highest[at])))
            parts.append(within(added, first, end))
            stretches.append((ids, lowest, highest))
        stretches.append((ids, np.maximum(until, first), np.full(ids.shape, end)))
        for chosen, begins, ends in stretches:
            parts += self._summed_up(look, chosen, level, begins, ends)
        return merged(LevelRows.concat(parts))

    def sums(
        self, look: Look, ids: NDArray[np.int32], start_us: int, end_us: int, step_us: int, origin_us: int
    ) -> StepSums:
        """Return what `aggregate` promises of these points, sorted ids: from roll-ups, where they say the same."""
        book = look.book
        parts = [_no_sums()]
        levels = usable_levels(start_us, end_us, step_us, origin_us, book.steps)[::-1]
        left = np.ones(ids.shape, dtype=np.bool_)
        for n, level in enumerate(levels):
            # Where nothing of a level is stored, a finer one may be, and the readings themselves are as good.
            worth = left & (book.until_of(level, ids) > first_step(book.steps, level, max(start_us, EVER_US[0])))
            for begin, end, source in self._sources(book, ids[worth], start_us, end_us, levels[n:]):
                parts += self._sums_from(look, ids[worth], source, begin, end, step_us, origin_us)
            left &= ~worth
        for begin, end, source in self._sources(book, ids[left], start_us, end_us, ()):
            parts += self._sums_from(look, ids[left], source, begin, end, step_us, origin_us)
        return join_steps(parts)

    def _sources(
        self, book: RollBook, ids: NDArray[np.int32], start_us: int, end_us: int, levels: Sequence[Level]
    ) -> Iterator[tuple[int, int, Level | None]]:
        """
        Cut a question into stretches of time, and say from which level (None: readings) each is answered.

        `levels`, coarsest first, are those that may answer it. Where the readings have expired, so may the finest kept.
        """
        if ids.shape[0] == 0:
            return
        finest: list[Level | None] = [None, *Level]
        start_us, end_us = max(start_us, EVER_US[0]), min(end_us, EVER_US[1])
        kept = {book.kept(each) for each in finest}
        for begin, end in pairwise([start_us, *sorted(edge for edge in kept if start_us < edge < end_us), end_us]):
            there = next((each for each in finest if book.kept(each) <= begin), Level.DAY)
            if begin < end and (there is None or book.kept(there) <= begin):
                coarser_ones = [level for level in levels if finest.index(level) > finest.index(there)]
                yield from self._cut(book, ids, begin, end, there, coarser_ones)

    def _cut(
        self,
        book: RollBook,
        ids: NDArray[np.int32],
        start_us: int,
        end_us: int,
        there: Level | None,
        levels: Sequence[Level],
    ) -> Iterator[tuple[int, int, Level | None]]:
        """Let a level answer what lies in its whole stored steps, and the finer ones what is left at both ends."""
        if start_us >= end_us:
            return
        if not levels:
            yield start_us, end_us, there
            return
        until = max(int(book.until_of(levels[0], ids).max()), book.first_open(levels[0]))
        until_us = int(book.steps.start(levels[0], np.array([until]))[0])
        inner, outer = book.steps.ceil(levels[0], start_us), book.steps.floor(levels[0], min(end_us, until_us))
        if inner >= outer:
            yield from self._cut(book, ids, start_us, end_us, there, levels[1:])
            return
        yield from self._cut(book, ids, start_us, inner, there, levels[1:])
        yield inner, outer, levels[0]
        yield from self._cut(book, ids, outer, end_us, there, levels[1:])

    def _sums_from(
        self,
        look: Look,
        ids: NDArray[np.int32],
        source: Level | None,
        start_us: int,
        end_us: int,
        step_us: int,
        origin_us: int,
    ) -> Iterator[StepSums]:
        if source is None:
            for start, end in look.slices(ids, start_us, end_us):
                yield sum_by_step(look.read(ids, start, end), step_us, origin_us)
            return
        steps = look.book.steps
        first, end = first_step(steps, source, start_us), first_step(steps, source, end_us)
        # What is stored may be long: a slice holds about as many rows as one of readings.
        inner = max(first, self._oldest[source])
        outer = min(end, int(look.book.until_of(source, ids).max(initial=NO_STEP)))
        cuts = range(inner, outer, max(1, SLICE_READINGS // ids.shape[0]))[1:] if inner < outer else ()
        for begin, until in pairwise([first, *cuts, end]):
            yield by_step(sums_of(self.level_rows(look, ids, source, begin, until), source, steps), step_us, origin_us)

    def _changed_steps(
        self,
        look: Look,
        ids: NDArray[np.int32],
        level: Level,
        until: NDArray[np.int64],
        opened: int,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], LevelRows]:
        """
        Return of each point from which and up to which step stored rows are not to be believed, and late rows.

        Late rows are of readings that came after the others of their step had expired: to be added to what is stored.
        """
        book = look.book
        lowest, highest = np.full(ids.shape, EVER_US[1]), np.full(ids.shape, NO_STEP)
        for n, point in enumerate(ids.tolist()) if book.again else ():
            if point in book.again:
                lowest[n], last = book.steps.number(level, np.array(book.again[point], dtype=np.int64))
                highest[n] = last + 1
        until_us = int(book.steps.start(level, until.max()[np.newaxis])[0])
        if look.hot_first_us >= until_us:
            return lowest, highest, LevelRows.none()
        recent = last_write_stands(read_hot(look.cursor, ids, EVER_US[0], until_us))
        at = np.searchsorted(ids, recent.point)
        reach = np.where(look.is_state[recent.point], HOLD_US, 1)
        first = book.steps.number(level, recent.time_us)
        end = book.steps.number(level, recent.time_us + reach - 1) + 1
        changing = end > opened
        np.minimum.at(lowest, at[changing], first[changing])
        np.maximum.at(highest, at[changing], end[changing])
        return lowest, highest, self._late(recent.take(first < opened), level, book)

    def _late(self, rows: Readings, level: Level, book: RollBook) -> LevelRows:
        """Sum up readings of steps whose other readings have expired."""
        return without_states(roll_up(rows, np.zeros(int(rows.point.max(initial=0)) + 1, np.bool_), level, book.steps))

    def _summed_up(
        self, look: Look, ids: NDArray[np.int32], level: Level, first: NDArray[np.int64], end: NDArray[np.int64]
    ) -> Iterator[LevelRows]:
        """Sum up from the readings each point's steps with first <= number < end; all (n,)."""
        some = first < end
        ids, first, end = ids[some], first[some], end[some]
        if ids.shape[0] == 0:
            return
        stretches, which = np.unique(np.stack((first, end)), axis=1, return_inverse=True)
        if stretches.shape[1] > _FEW:
            lowest, highest = int(first.min()), int(end.max())
            for rows in self._from_readings(look, ids, level, lowest, highest):
                at = np.searchsorted(ids, rows.point)
                yield rows.take((rows.number >= first[at]) & (rows.number < end[at]))
            return
        for n, (lowest, highest) in enumerate(stretches.T.tolist()):
            yield from self._from_readings(look, ids[which.reshape(-1) == n], level, lowest, highest)

    def _from_readings(
        self, look: Look, ids: NDArray[np.int32], level: Level, first: int, end: int
    ) -> Iterator[LevelRows]:
        """Sum up the steps with first <= number < end of all these points from the readings, slice by slice."""
        steps = look.book.steps
        start_us, end_us = steps.start(level, np.array([first, end], dtype=np.int64)).tolist()
        before_us = HOLD_US if bool(look.is_state[ids].any()) else 0
        slices = look.slices(ids, start_us, end_us)
        cuts = {int(steps.number(level, np.array([cut]))[0]) for cut, _ in slices[1:]}
        edges = [first, *sorted(cut for cut in cuts if first < cut < end), end]
        for begin, until in pairwise(edges):
            begin_us, until_us = steps.start(level, np.array([begin, until], dtype=np.int64)).tolist()
            rows = look.read(ids, begin_us - before_us, until_us)
            yield within(roll_up(rows, look.is_state, level, steps), begin, until)

    # Changes of readings

    def note_changed(self, cursor: Connection, changed: Mapping[int, tuple[int, int]]) -> None:
        """Note, within the transaction that does it, that readings of these ids change between these times."""
        ids = np.array(list(changed), dtype=np.int32)
        stored = {point: changed[point] for point in ids[self.book.stored_at_all(ids)].tolist()}
        if stored:
            put_again(cursor, stored)
            # Before the change: a question that comes in between does not believe too much.
            self._swap(lambda book: book.with_again(stored))

    def take_in(self, cursor: Connection, rows: Readings, is_state: NDArray[np.bool_]) -> Readings:
        """
        Note what these readings, sorted and new to the sorted part, change; return those that go there.

        The others are older than what is kept: they are added to the stored steps.
        """
        book = self.book
        changing = np.zeros(len(rows), dtype=np.bool_)
        for level in Level:
            number, opened = book.steps.number(level, rows.time_us), book.first_open(level)
            changing |= number < book.until_of(level, rows.point)
            late = self._late(rows.take(number < opened), level, book)
            self._add(cursor, level, within(late, book.first_kept(level), opened))
        reach = np.where(is_state[rows.point], HOLD_US, 1)
        changed = changing & (rows.time_us + reach > book.kept(None))
        if bool(changed.any()):
            point, begin_us, end_us = rows.point[changed], rows.time_us[changed], (rows.time_us + reach - 1)[changed]
            first = first_of_each(point)
            last = np.append(first[1:], point.shape[0]).astype(np.intp) - 1
            times = zip(begin_us[first].tolist(), end_us[last].tolist(), strict=True)
            self.note_changed(cursor, dict(zip(point[first].tolist(), times, strict=True)))
        # A state from just before may be in force in the first step that can still be summed up.
        return rows.take(rows.time_us >= book.kept(None) - HOLD_US)

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
        around = dict.fromkeys(self._points(), (time_us, time_us + HOLD_US))
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
        most = _PART_POINTS if until_us - begin_us < 2 * DAY_US else 1
        chosen = dict(sorted((p, t) for p, t in again[:most] if (t[0] // DAY_US, t[1] // DAY_US) == alike))
        ids, times = np.array(list(chosen), dtype=np.int32), np.array(list(chosen.values()), dtype=np.int64)
        cursor, look = look.cursor, look.sorted_only()
        run(cursor, "BEGIN")
        for level in Level:
            first = np.maximum(book.steps.number(level, times[:, 0]), book.first_open(level))
            end = np.minimum(book.steps.number(level, times[:, 1]) + 1, book.until_of(level, ids))
            some = first < end
            if bool(some.any()):
                drop_between(cursor, level, ids[some], first[some], end[some])
                rows = LevelRows.concat(list(self._summed_up(look, ids, level, first, end))).sorted()
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
            rows = LevelRows.concat(list(self._summed_up(look, ids[goes], level, first[goes], stop[goes]))).sorted()
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
        self._oldest[level] = min(self._oldest[level], int(rows.number.min()))

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
                parts.append(coarser(self.level_rows(look, chosen, level, *steps), level, Level.DAY, new.steps))
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


def _no_sums() -> StepSums:
    real, whole = np.empty(0), np.empty(0, dtype=np.int64)
    return StepSums(whole.astype(np.int32), whole, real, real, real, real, whole)
