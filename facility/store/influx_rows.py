"""Roll-ups as rows of an InfluxDB: one measurement a level, tags `equipment` and `point`, the time is the step's start.

A row of one reading holds only `mean` and `count`: lowest, highest and last are the same. A row of no reading and no
state says that there is nothing in a step where there once was: InfluxDB cannot take a single row away.
"""

# ruff: noqa: S608 (InfluxQL has no parameters; names are encoded and quoted, everything else is our own numbers)

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facility.readings import FloatArray
from facility.store.influx_answers import columns_of
from facility.store.influx_book import Entry
from facility.store.influx_database import InfluxDatabase
from facility.store.influx_link import Block
from facility.store.influx_questions import ns
from facility.store.influx_text import ROLLUPS, SEEDS, identifier, series_head, string
from facility.store.last_write import Readings
from facility.store.levels import Level, Steps
from facility.store.rollups import LevelRows

_FIELDS: Final = ("mean", "min", "max", "last", "count", "time_mean", "known_us")
_POINTS_A_STATEMENT: Final = 100


def row_lines(rows: LevelRows, entries: Sequence[Entry], level: Level, steps: Steps, *, anew: bool) -> Iterator[str]:
    """
    Yield rows as line protocol; `rows.point` is an index into `entries`.

    With `anew` they replace rows that may have said something of states.
    """
    heads = [series_head(ROLLUPS[level], {"equipment": e.series.equipment, "point": e.point}) for e in entries]
    starts = steps.start(level, rows.number).tolist()
    numbers = (rows.mean, rows.min, rows.max, rows.last, rows.time_mean)
    columns = (rows.point.tolist(), starts, rows.count.tolist(), rows.known_us.tolist(), *(c.tolist() for c in numbers))
    for point, start, count, known_us, mean, low, high, last, time_mean in zip(*columns, strict=True):
        said = [("mean", mean)] if count else []
        said += [("min", low), ("max", high), ("last", last)] if count > 1 else []
        said += [("time_mean", time_mean)] if known_us else []
        told = "".join(f"{name}={value!r}," for name, value in said if np.isfinite(value))
        known = f",known_us={known_us}i" if known_us or anew else ""
        yield f"{heads[point]}{told}count={count}i{known} {start}\n"


def stored_rows(
    database: InfluxDatabase, entries: Sequence[Entry], level: Level, start_us: int, end_us: int, steps: Steps
) -> LevelRows:
    """Return the rows of these points whose steps begin in [start, end); `point` is an index into `entries`."""
    if start_us >= end_us or not entries:
        return LevelRows.none()
    index = {(entry.series.equipment, entry.point): i for i, entry in enumerate(entries)}
    statements = [
        f"SELECT {', '.join(map(identifier, _FIELDS))} FROM {identifier(ROLLUPS[level])} "
        f"WHERE time >= {ns(start_us)} AND time < {ns(end_us)} AND ({_any_of(entries[i : i + _POINTS_A_STATEMENT])}) "
        'GROUP BY "equipment", "point"'
        for i in range(0, len(entries), _POINTS_A_STATEMENT)
    ]

    def rows(_: int, block: Block) -> LevelRows:
        point = index.get((block.tags.get("equipment", ""), block.tags.get("point", "")))
        if point is None:
            return LevelRows.none()
        time_us, (mean, low, high, last, count, time_mean, known_us) = columns_of(block)
        held, single = np.nan_to_num(count).astype(np.int64), count == 1.0
        known = np.nan_to_num(known_us).astype(np.int64)
        found = LevelRows(
            np.full(time_us.shape, point, dtype=np.int32),
            steps.number(level, time_us),
            _where(held > 0, mean),
            _where(held > 0, np.where(single, mean, low)),
            _where(held > 0, np.where(single, mean, high)),
            _where(held > 0, np.where(single, mean, last)),
            held,
            _where(known > 0, time_mean),
            known,
        )
        return found.take((held > 0) | (known > 0))

    return LevelRows.concat(database.query(statements, rows, chunked=True)).sorted()


def seed_lines(seeds: Readings, entries: Sequence[Entry]) -> Iterator[str]:
    """Yield the states in force when older readings went, as line protocol; `seeds.point` indexes `entries`."""
    measured = zip(seeds.point.tolist(), seeds.time_us.tolist(), seeds.value.tolist(), strict=True)
    for point, time_us, value in measured:
        entry = entries[point]
        head = series_head(SEEDS, {"equipment": entry.series.equipment, "point": entry.point})
        yield f"{head}value={value!r} {time_us}\n"


def stored_seeds(database: InfluxDatabase, entries: Sequence[Entry], start_us: int, end_us: int) -> Readings:
    """Return the stored states in force of these points, with times in [start, end), sorted by (point, time)."""
    index = {(entry.series.equipment, entry.point): i for i, entry in enumerate(entries)}
    statement = (
        f'SELECT "value" FROM {identifier(SEEDS)} WHERE time >= {ns(start_us)} AND time < {ns(end_us)} '
        'GROUP BY "equipment", "point"'
    )

    def seeds(_: int, block: Block) -> list[tuple[int, int, float]]:
        point = index.get((block.tags.get("equipment", ""), block.tags.get("point", "")))
        return [] if point is None else [(point, int(row[0]), float(row[1])) for row in block.rows]

    found = sorted(row for rows in database.query([statement], seeds) for row in rows)
    return Readings(
        np.array([row[0] for row in found], dtype=np.int32),
        np.array([row[1] for row in found], dtype=np.int64),
        np.array([row[2] for row in found], dtype=np.float64),
        np.zeros(len(found), dtype=np.uint8),
    )


def _any_of(entries: Sequence[Entry]) -> str:
    return " OR ".join(f'("equipment" = {string(e.series.equipment)} AND "point" = {string(e.point)})' for e in entries)


def _where(chosen: NDArray[np.bool_], values: FloatArray) -> FloatArray:
    return np.where(chosen, values, np.nan)
