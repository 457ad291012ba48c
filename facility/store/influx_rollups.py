"""Roll-ups of an InfluxDB, exact at any moment: stored steps, and sums of readings where those cannot be believed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facility.readings import Rollups, Series
from facility.store.influx_book import Entry
from facility.store.influx_database import InfluxDatabase
from facility.store.influx_ledger import Mark, State, doubtful, joined_stretches
from facility.store.influx_questions import LIMIT_US
from facility.store.influx_reading import Reader
from facility.store.influx_rows import stored_rows, stored_seeds
from facility.store.last_write import Readings
from facility.store.levels import DAY_US, Level, Steps
from facility.store.rollups import HOLD_US, STATE, LevelRows, merged, roll_up, rollups_of, within, without_states

# The levels whose steps are stored as time goes by. Minutes are stored when their readings go: before, a minute of a
# point that is read once a minute would be as long to read as its reading.
STORED: Final = (Level.QUARTER, Level.HOUR, Level.DAY)
# Readings are summed up in lots of so many points and days: at a reading a second, some eight millions.
_POINTS_A_LOT: Final = 100
LOT_US: Final = _POINTS_A_LOT * DAY_US
_LONG_US: Final = 40 * DAY_US  # of a longer time it is asked first where its readings begin and end
_STRETCHES: Final = 20  # more doubtful stretches of a point than these are one
# Neither a step's start nor its end may leave InfluxDB's years, wherever its day begins.
FIRST_US, LAST_US = -LIMIT_US + 3 * DAY_US, LIMIT_US - 3 * DAY_US


@dataclass(frozen=True, slots=True)
class Points:
    """The points that are asked for: an id is an index into these. `entries` holds one of each, the current one."""

    keys: tuple[str, ...]
    entries: tuple[Entry, ...]
    all_entries: tuple[Entry, ...]  # of every series that they have readings in
    is_state: NDArray[np.bool_]

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Points:
        """Return the points that these entries are of."""
        current: dict[str, Entry] = {}
        for entry in entries:
            if entry.key not in current or entry.rank > current[entry.key].rank:
                current[entry.key] = entry
        chosen = tuple(current.values())
        states = np.array([entry.kind == STATE for entry in chosen], dtype=np.bool_)
        return cls(tuple(current), chosen, tuple(entries), states)

    def take(self, chosen: Sequence[int]) -> Points:
        """Return some of the points."""
        keys = {self.keys[i] for i in chosen}
        return Points.of([entry for entry in self.all_entries if entry.key in keys])


class RollupReader:
    """Reads roll-ups of one database; safe to use from several threads."""

    def __init__(self, database: InfluxDatabase, reader: Reader) -> None:
        self._database = database
        self._reader = reader

    def rollup(self, keys: Sequence[str], level: Level, start_us: int, end_us: int) -> Mapping[str, Rollups]:
        """Return the steps of a level that begin in [start, end); see the contract."""
        points = Points.of(self._database.entries(keys))
        steps = self._database.steps()
        rows = self.rows(points, level, start_us, end_us, steps)
        ids = {key: i for i, key in enumerate(points.keys)}
        edges = np.searchsorted(rows.point, np.arange(len(ids) + 1))
        nothing = slice(0, 0)
        return {
            key: rollups_of(rows, slice(edges[ids[key]], edges[ids[key] + 1]) if key in ids else nothing, level, steps)
            for key in keys
        }

    def rows(self, points: Points, level: Level, start_us: int, end_us: int, steps: Steps) -> LevelRows:
        """Return the steps of a level that begin in [start, end), sorted by (point, step)."""
        start_us, end_us = (steps.ceil(level, min(max(t, FIRST_US), LAST_US)) for t in (start_us, end_us))
        if start_us >= end_us or not points.keys:
            return LevelRows.none()
        state, marks, _ = self._database.ledger.state_and_marks()
        whole_us = steps.ceil(level, max(state.whole_us, FIRST_US))
        parts = []
        if start_us < whole_us:
            parts.append(self._of_readings_gone(points, level, start_us, min(end_us, whole_us), state, steps))
        if end_us > whole_us:
            parts.append(self._of_readings_kept(points, level, max(start_us, whole_us), end_us, state, marks, steps))
        return LevelRows.concat(parts).sorted()

    def _of_readings_gone(
        self, points: Points, level: Level, start_us: int, end_us: int, state: State, steps: Steps
    ) -> LevelRows:
        """Return what is stored of steps whose readings have gone, with the readings that have come for them since."""
        start_us = max(start_us, state.kept[level])
        stored = stored_rows(self._database, points.entries, level, start_us, end_us, steps)
        # While readings are being deleted, those that are still there are in the stored steps already.
        late_us = max(start_us, state.deleting_us) if state.deleting_us > state.kept[None] else start_us
        late = [without_states(rows) for rows in self.summed(points, level, late_us, end_us, late_us, steps)]
        # Of the step that is cut where readings begin, in zones whose days begin at no whole hour, these come later.
        return merged(_newer_first(LevelRows.concat([stored, *late]), len(stored), state.whole_us, level, steps))

    def _of_readings_kept(
        self,
        points: Points,
        level: Level,
        start_us: int,
        end_us: int,
        state: State,
        marks: Sequence[Mark],
        steps: Steps,
    ) -> LevelRows:
        """Return steps whose readings are there: stored ones, and anew those that are doubtful or not yet stored."""
        is_stored = level in STORED and (level is not Level.DAY or steps.zone == (state.zone or "UTC"))
        rolled_us = steps.floor(level, max(state.rolled_us, FIRST_US)) if is_stored else start_us
        rolled_us = min(max(rolled_us, start_us), end_us)
        stored = stored_rows(self._database, points.entries, level, start_us, rolled_us, steps)
        parts = []
        if start_us < rolled_us:
            for ids, first_us, last_us in self.doubtful(points, level, marks, start_us, rolled_us, steps):
                first, last = steps.number(level, np.array([first_us, last_us])).tolist()
                inside = (stored.number >= first) & (stored.number < last)
                stored = stored.take(~(inside & np.isin(stored.point, ids)))
                anew = self.summed(points.take(ids), level, first_us, last_us, state.whole_us, steps)
                numbers = np.array(ids, dtype=np.int32)
                parts += [_renumbered(rows, numbers) for rows in anew]
        parts += self.summed(points, level, rolled_us, end_us, state.whole_us, steps)
        return LevelRows.concat([stored, *parts])

    def doubtful(
        self, points: Points, level: Level, marks: Sequence[Mark], start_us: int, end_us: int, steps: Steps
    ) -> list[tuple[list[int], int, int]]:
        """Return which steps in [start, end) are doubtful: ids of points, and the start and end of a stretch. [µs]"""
        groups: dict[tuple[tuple[int, int], ...], list[int]] = defaultdict(list)
        marked = doubtful(marks, points.keys)
        for i, key in enumerate(points.keys):
            # A state holds on after its reading.
            hold_us = HOLD_US if points.is_state[i] else 0
            found = [
                (steps.floor(level, max(first, start_us)), steps.ceil(level, min(last + hold_us, end_us)))
                for first, last in marked.get(key, ())
                if first < end_us and last + hold_us > start_us
            ]
            stretches = joined_stretches(found)
            if len(stretches) > _STRETCHES:
                stretches = [(stretches[0][0], stretches[-1][1])]
            if stretches:
                groups[tuple(stretches)].append(i)
        return [(ids, first, last) for stretches, ids in groups.items() for first, last in stretches]

    def summed(
        self, points: Points, level: Level, start_us: int, end_us: int, whole_us: int, steps: Steps
    ) -> list[LevelRows]:
        """Sum up the readings of the steps in [start, end), both at the edges of steps."""
        found = []
        for begin_us, until_us, rows in self.readings(points, level, start_us, end_us, whole_us, steps):
            first, last = steps.number(level, np.array([begin_us, until_us])).tolist()
            found.append(within(roll_up(rows, points.is_state, level, steps), first, last))
        return found

    def readings(
        self, points: Points, level: Level, start_us: int, end_us: int, whole_us: int, steps: Steps
    ) -> Iterator[tuple[int, int, Readings]]:
        """
        Yield the readings in [start, end), in lots of whole steps, each with its own start and end. [µs]

        Before each lot stand the readings of `HOLD_US`, for states; none of before `whole_us`, where not all are left,
        but what was noted of them.
        """
        if start_us >= end_us:
            return
        if end_us - start_us > _LONG_US:
            extent = self._reader.extent(points.all_entries, start_us - HOLD_US, end_us)
            if extent is None:
                extent = start_us, start_us
            first_us = max(start_us, steps.floor(level, max(extent[0], FIRST_US)))
            seeded_us = steps.ceil(level, whole_us + HOLD_US) if start_us - HOLD_US < whole_us else start_us
            if start_us < seeded_us < first_us:
                # A state that was noted when older readings went holds in the first hour, far before the first reading.
                yield from self.readings(points, level, start_us, min(seeded_us, end_us), whole_us, steps)
            if seeded_us < first_us:
                start_us = first_us
            end_us = min(end_us, steps.end(level, min(extent[1] + HOLD_US, LAST_US)))
        for first in range(0, len(points.keys), _POINTS_A_LOT):
            ids = range(first, min(first + _POINTS_A_LOT, len(points.keys)))
            some = points if len(ids) == len(points.keys) else points.take(ids)
            lot_us = max(level.step_us, LOT_US // len(ids))
            begin_us = start_us
            while begin_us < end_us:
                until_us = min(steps.ceil(level, begin_us + lot_us), end_us)
                early_us = begin_us - HOLD_US
                series = self._reader.raw(some.all_entries, max(early_us, whole_us), until_us)
                rows = _as_readings(series, some.keys, first)
                if early_us < whole_us <= begin_us:
                    rows = _in_order(Readings.concat(self._seeds(some, first, early_us, whole_us), rows))
                yield begin_us, until_us, rows
                begin_us = until_us

    def _seeds(self, points: Points, first: int, start_us: int, end_us: int) -> Readings:
        """Return the states noted in [start, end); ids count on from `first`."""
        seeds = stored_seeds(self._database, points.entries, start_us, end_us)
        return Readings(seeds.point + np.int32(first), seeds.time_us, seeds.value, seeds.quality)


def _newer_first(rows: LevelRows, stored: int, whole_us: int, level: Level, steps: Steps) -> LevelRows:
    """Put rows behind the first `stored` ones before these where they are of the step that holds `whole_us`."""
    cut = steps.number(level, np.array([whole_us]))[0] if steps.floor(level, whole_us) < whole_us else None
    newer = (np.arange(len(rows)) >= stored) & (rows.number == cut)
    return rows.take(np.argsort(~newer, kind="stable"))


def _renumbered(rows: LevelRows, ids: NDArray[np.int32]) -> LevelRows:
    changed = {name: getattr(rows, name) for name in LevelRows.__dataclass_fields__}
    return LevelRows(**(changed | {"point": ids[rows.point]}))


def _as_readings(series: Mapping[str, Series], keys: Sequence[str], first: int) -> Readings:
    """Return the readings of these points, whose ids count on from `first`, sorted by (point, time)."""
    held = [(first + i, series[key]) for i, key in enumerate(keys) if key in series]
    if not held:
        return Readings(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint8))
    return Readings(
        np.concatenate([np.full(len(one), i, dtype=np.int32) for i, one in held]),
        np.concatenate([one.time_us for _, one in held]),
        np.concatenate([one.value for _, one in held]),
        np.concatenate([one.quality for _, one in held]),
    )


def _in_order(rows: Readings) -> Readings:
    return rows.take(np.lexsort((rows.time_us, rows.point)))
