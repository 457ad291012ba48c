"""The tables of stored roll-ups in a DuckDB file, and what is known of them in memory."""

# ruff: noqa: S608 (values are parameters; what is formatted into SQL is our own constants and whole numbers)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from facility.store.duckdb_file import Columns, Connection, fetch, of_points, run
from facility.store.duckdb_runs import RunTable, run_order
from facility.store.duckdb_schema import TABLE_OF
from facility.store.levels import Level, Steps
from facility.store.rollups import LevelRows

# Far outside all honest times, and far enough from the ends of the numbers to reckon with.
EVER_US: Final = (-(2**62), 2**62)
NO_STEP: Final = -(2**62)  # of a point and level of which nothing is stored

_COLUMNS: Final = "point, step, mean, min, max, last, count, time_mean, known_us"
RUN_TABLES: Final = {level: RunTable(name, f"{name}_runs", _COLUMNS, "step") for level, name in TABLE_OF.items()}


@dataclass(frozen=True, slots=True, eq=False)
class RollBook:
    """
    Which steps are stored; never changed, only replaced, so that a question can tell whether it is still true.

    Attributes
    ----------
    steps : Steps
        Where steps begin.
    until : mapping of Level to (points,) int64
        Number of each point's first step that is not stored; all before it are. Ids beyond the array have none.
    again : mapping of id to (first, last) [µs]
        Readings between these times have changed since the steps that hold them were stored.
    oldest : mapping of Level to number
        No stored step has a lower number; a level of which nothing is stored is absent.
    kept_us : mapping of Level, or None for readings, to time
        What begins before has expired. Steps that begin before the readings' are stored, and never summed up again.
    """

    steps: Steps
    until: Mapping[Level, NDArray[np.int64]]
    again: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    oldest: Mapping[Level, int] = field(default_factory=dict)
    kept_us: Mapping[Level | None, int] = field(default_factory=dict)

    def kept(self, level: Level | None) -> int:
        """Return from when on a level, or the readings, have not expired. [µs]"""
        return self.kept_us.get(level, EVER_US[0])

    def first_kept(self, level: Level) -> int:
        """Return the number of the first step of a level that has not expired."""
        return first_step(self.steps, level, self.kept(level))

    def first_open(self, level: Level) -> int:
        """Return the number of the first step of a level whose readings have not expired."""
        return first_step(self.steps, level, self.kept(None))

    def closed_us(self) -> int:
        """Return before which time a step of some level is never summed up again: its readings have expired. [µs]"""
        if None not in self.kept_us:
            return EVER_US[0]
        return max(int(self.steps.start(level, np.array([self.first_open(level)]))[0]) for level in Level)

    def until_of(self, level: Level, ids: NDArray[np.int32]) -> NDArray[np.int64]:
        """Return the number of the first step that is not stored, of each of these points, (n,)."""
        known = self.until[level]
        if known.shape[0] == 0:
            return np.full(ids.shape, NO_STEP)
        return np.where(ids < known.shape[0], known[np.minimum(ids, known.shape[0] - 1)], NO_STEP)

    def stored_at_all(self, ids: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Tell of which of these points a step of some level is stored, (n,)."""
        stored = np.zeros(ids.shape, dtype=np.bool_)
        for level in Level:
            stored |= self.until_of(level, ids) > NO_STEP
        return stored

    def with_until(self, level: Level, ids: NDArray[np.int32], until: NDArray[np.int64]) -> Self:
        """Return the book after storing these points' steps up to `until` (n,)."""
        points = max(self.until[level].shape[0], int(ids.max(initial=-1)) + 1)
        known = np.append(self.until[level], np.full(points - self.until[level].shape[0], NO_STEP))
        known[ids] = np.maximum(known[ids], until)
        return replace(self, until={**self.until, level: known})

    def with_steps_from(self, level: Level, number: int) -> Self:
        """Return the book after storing steps of which this is the first."""
        return replace(self, oldest={**self.oldest, level: min(number, self.oldest.get(level, number))})

    def with_again(self, changed: Mapping[int, tuple[int, int]]) -> Self:
        """Return the book after readings have changed between these times of these points."""
        if not changed:
            return self
        joined = dict(self.again)
        for point, (first, last) in changed.items():
            known = joined.get(point, (first, last))
            joined[point] = (min(first, known[0]), max(last, known[1]))
        return replace(self, again=joined)


def first_step(steps: Steps, level: Level, time_us: int) -> int:
    """Return the number of the first step that does not begin before this time."""
    return int(steps.number(level, np.array([time_us - 1], dtype=np.int64))[0]) + 1


def load_book(cursor: Connection, steps: Steps) -> RollBook:
    """Read from the file which steps are stored."""
    book = RollBook(steps, {level: np.empty(0, dtype=np.int64) for level in Level})
    for level in Level:
        stored = fetch(cursor, "SELECT point, until_step FROM rolled_points WHERE level = ?", [level.value])
        book = book.with_until(level, stored["point"], stored["until_step"])
        ((oldest,),) = run(cursor, f"SELECT min(step) FROM {TABLE_OF[level]}").fetchall()
        if oldest is not None:
            book = book.with_steps_from(level, int(oldest))
    again = run(cursor, "SELECT point, min(first_us), max(last_us) FROM rolled_again GROUP BY point").fetchall()
    kept = dict(run(cursor, "SELECT level, from_us FROM kept").fetchall())
    return replace(
        book,
        again={int(point): (int(first), int(last)) for point, first, last in again},
        kept_us={level: int(kept[name]) for level, name in _KEPT_NAMES.items() if name in kept},
    )


_KEPT_NAMES: Final[Mapping[Level | None, str]] = {None: "", **{level: level.value for level in Level}}


def put_kept(cursor: Connection, level: Level | None, from_us: int) -> None:
    """Note from when on a level, or the readings, are kept."""
    run(cursor, "DELETE FROM kept WHERE level = ?", [_KEPT_NAMES[level]])
    run(cursor, "INSERT INTO kept VALUES (?, ?)", [_KEPT_NAMES[level], from_us])


def put_until(cursor: Connection, level: Level, ids: NDArray[np.int32], until: NDArray[np.int64]) -> None:
    """Note up to which step each of these points is stored."""
    incoming: Columns = {"point": ids, "until_step": until}
    run(
        cursor,
        "DELETE FROM rolled_points USING incoming "
        "WHERE rolled_points.level = ? AND rolled_points.point = incoming.point",
        [level.value],
        incoming,
    )
    run(cursor, "INSERT INTO rolled_points SELECT ?, point, until_step FROM incoming", [level.value], incoming)


def put_again(cursor: Connection, changed: Mapping[int, tuple[int, int]]) -> None:
    """Note between which times readings have changed."""
    incoming: Columns = {
        "point": np.array(list(changed), dtype=np.int32),
        "first_us": np.array([first for first, _ in changed.values()], dtype=np.int64),
        "last_us": np.array([last for _, last in changed.values()], dtype=np.int64),
    }
    run(cursor, "INSERT INTO rolled_again SELECT point, first_us, last_us FROM incoming", incoming=incoming)


def drop_again(cursor: Connection, ids: Sequence[int]) -> None:
    """Forget that readings of these points have changed."""
    run(cursor, "DELETE FROM rolled_again WHERE point IN (SELECT unnest(?))", [list(ids)])


def read_steps(cursor: Connection, level: Level, ids: NDArray[np.int32], first: int, end: int) -> LevelRows:
    """Return the stored steps with first <= number < end of these points, sorted by (point, step)."""
    chosen, wanted = of_points(ids)
    return _rows_of(
        fetch(
            cursor,
            f"SELECT {_WHOLE} FROM {TABLE_OF[level]} WHERE {chosen} AND step >= {first} AND step < {end}",
            wanted,
        )
    ).sorted()


def read_same(cursor: Connection, level: Level, rows: LevelRows) -> LevelRows:
    """Return the stored rows of the same (point, step) as these."""
    return _rows_of(
        fetch(
            cursor,
            f"SELECT {_WHOLE} FROM {TABLE_OF[level]} SEMI JOIN incoming USING (point, step)",
            incoming={"point": rows.point, "step": rows.number},
        )
    )


# Of a step with one reading only `last` is stored, and NULL takes no room.
_WHOLE: Final = (
    "point, step AS number, coalesce(mean, last, 'NaN') AS mean, coalesce(min, last, 'NaN') AS min, "
    "coalesce(max, last, 'NaN') AS max, coalesce(last, 'NaN') AS last, count, coalesce(time_mean, 'NaN') AS time_mean, "
    "known_us"
)
_THRIFTY: Final = (
    "point, number, if(count > 1, mean, NULL), if(count > 1, min, NULL), if(count > 1, max, NULL), "
    "if(count > 0, last, NULL), count, if(known_us > 0, time_mean, NULL), known_us"
)


def put_steps(cursor: Connection, level: Level, number: int, rows: LevelRows) -> None:
    """Store rows, sorted by (point, step), of which none is there, as a part of a run."""
    ordered = rows.take(run_order(rows.point))
    run(
        cursor,
        f"INSERT INTO {TABLE_OF[level]} SELECT ?, {_THRIFTY} FROM incoming",
        [number],
        {name: getattr(ordered, name) for name in ordered.__slots__},
    )
    # Never updated: after an update the engine refuses checkpoints until all questions that were under way have ended.
    run(cursor, f"INSERT INTO {RUN_TABLES[level].list_name} VALUES (?, ?)", [number, len(rows)])


def drop_same(cursor: Connection, level: Level, rows: LevelRows) -> None:
    """Delete the stored rows of the same (point, step) as these."""
    name = TABLE_OF[level]
    run(
        cursor,
        f"DELETE FROM {name} USING incoming WHERE {name}.point = incoming.point AND {name}.step = incoming.step",
        incoming={"point": rows.point, "step": rows.number},
    )


def drop_between(
    cursor: Connection, level: Level, ids: NDArray[np.int32], first: NDArray[np.int64], end: NDArray[np.int64]
) -> None:
    """Delete each point's stored rows with first <= number < end; all three (n,)."""
    name = TABLE_OF[level]
    run(
        cursor,
        f"DELETE FROM {name} USING incoming WHERE {name}.point = incoming.point "
        f"AND {name}.step >= incoming.first_step AND {name}.step < incoming.end_step "
        f"AND {name}.step >= {int(first.min())} AND {name}.step < {int(end.max())}",
        incoming={"point": ids, "first_step": first, "end_step": end},
    )


def _rows_of(columns: Columns) -> LevelRows:
    return LevelRows(**{name: columns[name] for name in LevelRows.__slots__})
