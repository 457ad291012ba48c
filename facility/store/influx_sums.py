"""Readings of an InfluxDB summed up by steps: by the server, or here where a step holds few."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from facility.readings import OUT_OF_RANGE, Aggregates, IntArray
from facility.store.influx_answers import (
    choose,
    columns_of,
    in_order,
    join_parts,
    no_steps,
    step_starts,
    steps_of,
)
from facility.store.influx_book import GROUP, HAS_IMPOSSIBLE, Entry, SeriesName
from facility.store.influx_database import InfluxDatabase
from facility.store.influx_link import Block
from facility.store.influx_questions import LIMIT_US, clamp, cut, exists, questions, questions_by_field
from facility.store.influx_reading import Reader
from facility.store.influx_text import IMPOSSIBLE, QUALITY, identifier

# The server needs some 40 µs for each step of each point and 2 µs for each reading to sum up, and 1 to 3 µs for each
# reading to hand it out (InfluxDB 1.6.7, five functions, points of a machine asked together).
_RAW_READINGS_A_STEP: Final = 30
_SLICE_READINGS: Final = 1_000_000  # so many are held at once
_SAMPLES: Final = 12  # of two samples, each holds this share of half the interval
_SAMPLE_US: Final = 600_000_000
_SEPARATE_RANGES: Final = 20  # more stretches than these are read as one


class Summer:
    """Sums up readings of one database by steps; safe to use from several threads."""

    def __init__(self, database: InfluxDatabase, reader: Reader) -> None:
        self._database = database
        self._reader = reader

    def aggregate(
        self, keys: Sequence[str], start_us: int, end_us: int, step_us: int, origin_us: int = 0
    ) -> Mapping[str, Aggregates]:
        """Return mean, min, max, last and count of the readings by steps of `step_us`, which is above zero."""
        entries = self._database.entries(keys)
        start_us, end_us = clamp(start_us), clamp(end_us)
        if start_us >= end_us:
            return {key: no_steps() for key in keys}
        result = dict.fromkeys(keys, no_steps())
        if step_us > LIMIT_US:  # longer than the server can say
            return result | self._steps_from_readings(entries, [(start_us, end_us)], step_us, origin_us)
        groups = self._expected(entries, start_us, end_us)
        met = Counter(key for some, _ in groups for key in {entry.key for entry in some})
        # A point whose class was changed stands in two groups, and only the server's sums are put together again.
        dense = [entry for some, _ in groups for entry in some if met[entry.key] > 1]
        for group, expected in groups:
            some = [entry for entry in group if met[entry.key] == 1]
            cells = len({entry.key for entry in some}) * ((end_us - start_us) / step_us + 1)
            if 0 < expected <= _RAW_READINGS_A_STEP * cells:
                slices = max(1, round(expected / _SLICE_READINGS))
                result |= self._steps_from_readings(
                    some, cut(start_us, end_us, slices, step_us, origin_us), step_us, origin_us
                )
            else:
                dense += some
        return result | self._steps_from_sums(dense, start_us, end_us, step_us, origin_us)

    def _expected(self, entries: Sequence[Entry], start_us: int, end_us: int) -> list[tuple[list[Entry], float]]:
        """Return the entries in groups that are asked together, each with about how many readings it has."""
        asks = questions(entries)
        groups: dict[tuple[str, str, str], int] = {}
        for i, ask in enumerate(asks):
            groups |= {(ask.measurement, machine, name): i for machine in ask.equipment for name in ask.names}
        parts: list[list[Entry]] = [[] for _ in asks]
        for entry in entries:
            parts[groups[entry.series.measurement, entry.series.equipment, entry.field]].append(entry)
        expected = [0.0] * len(asks)
        # A short interval is counted; of a long one two samples tell enough to choose the cheaper way.
        span = end_us - start_us
        if span <= 2 * _SAMPLES * _SAMPLE_US:
            windows, share = [(start_us, end_us)], 1
        else:
            middle, length = start_us + span // 2, span // (2 * _SAMPLES)
            windows, share = [(middle, middle + length), (end_us - length, end_us)], 2 * _SAMPLES
        statements = [
            f"SELECT {', '.join(f'count({identifier(name)})' for name in ask.names)} {ask.source(first, end)}"
            for first, end in windows
            for ask in asks
        ]

        def counted(statement: int, block: Block) -> tuple[int, int]:
            return statement % len(asks), sum(count or 0 for count in block.rows[0][1:])

        for i, count in self._database.query(statements, counted):
            expected[i] = max(expected[i], float(count * share))
        return list(zip(parts, expected, strict=True))

    def _steps_from_readings(
        self, entries: Sequence[Entry], slices: Sequence[tuple[int, int]], step_us: int, origin_us: int
    ) -> dict[str, Aggregates]:
        """Sum up readings here: where a step holds few of them, that is less work than the server's own sums."""
        found: dict[str, list[Aggregates]] = defaultdict(list)
        for first, end in slices:
            for key, rows in self._reader.raw(entries, first, end).items():
                found[key].append(steps_of(rows, step_us, origin_us))
        return {key: in_order(parts) for key, parts in found.items()}

    def _steps_from_sums(
        self, entries: Sequence[Entry], start_us: int, end_us: int, step_us: int, origin_us: int
    ) -> dict[str, Aggregates]:
        """Let the server sum up, and see to what its sums cannot know: points in two series, values refuted later."""
        steps = self._server_steps(entries, start_us, end_us, step_us, origin_us)
        doubtful = self._rewritten_impossible(entries, start_us, end_us, step_us, origin_us)
        result: dict[str, Aggregates] = {}
        for key, parts in steps.items():
            known, doubts = join_parts(parts)
            doubts = np.union1d(doubts, doubtful[key]) if key in doubtful else doubts
            if doubts.shape[0]:
                kept = choose(known, ~np.isin(known.time_us, doubts))
                mine = [entry for entry in entries if entry.key == key]
                known = in_order([kept, *self._count_anew(mine, doubts, start_us, end_us, step_us, origin_us)])
            result[key] = known
        return result

    def _server_steps(
        self, entries: Sequence[Entry], start_us: int, end_us: int, step_us: int, origin_us: int
    ) -> Mapping[str, Sequence[Aggregates]]:
        """Let the server sum up the fields of good values: parts of each point, one for each of its series."""
        asks, chosen = questions(entries), {(entry.series, entry.field): entry for entry in entries}
        functions = ("mean", "min", "max", "last", "count")
        statements = [
            f"SELECT {', '.join(f'{f}({identifier(name)})' for name in ask.names for f in functions)} "
            f"{ask.source(start_us, end_us)} GROUP BY time({step_us}u, {origin_us % step_us}u), {GROUP} fill(none)"
            for ask in asks
        ]

        def steps(statement: int, block: Block) -> list[tuple[str, Aggregates]]:
            ask = asks[statement]
            name = SeriesName.of(ask.measurement, block.tags)
            time_us, columns = columns_of(block)
            parts = []
            for i, field in enumerate(ask.names):
                mean, low, high, last, count = columns[5 * i : 5 * i + 5]
                held = np.nan_to_num(count) > 0
                entry = chosen.get((name, field))
                if entry is not None and bool(held.any()):
                    mean, low, high, last = mean[held], low[held], high[held], last[held]
                    # Rounding must not push a mean outside what was measured.
                    parts.append(
                        (
                            entry.key,
                            Aggregates(
                                time_us[held], np.clip(mean, low, high), low, high, last, count[held].astype(np.int64)
                            ),
                        )
                    )
            return parts

        found: dict[str, list[Aggregates]] = defaultdict(list)
        for block in self._database.query(statements, steps, chunked=True):
            for key, part in block:
                found[key].append(part)
        return found

    def _rewritten_impossible(
        self, entries: Sequence[Entry], start_us: int, end_us: int, step_us: int, origin_us: int
    ) -> Mapping[str, IntArray]:
        """Return the steps of each point with a good value that was found impossible later and is still there."""
        suspects = [entry for entry in entries if entry.flags & HAS_IMPOSSIBLE]
        asked = [(ask, field) for ask, _ in questions_by_field(suspects, everything=False) for field in ask.names]
        statements = [
            f"SELECT {identifier(field)}, {identifier(field + QUALITY)} "
            f"{ask.source(start_us, end_us, exists(field + IMPOSSIBLE))} GROUP BY {GROUP}"
            for ask, field in asked
        ]

        def rewritten(statement: int, block: Block) -> tuple[Entry | None, IntArray]:
            ask, field = asked[statement]
            time_us, (value, quality) = columns_of(block)
            wrong = ~np.isnan(value) & ((np.nan_to_num(quality).astype(np.uint8) & OUT_OF_RANGE) != 0)
            entry = self._database.book.entry_at(SeriesName.of(ask.measurement, block.tags), field)
            return entry, np.unique(step_starts(time_us[wrong], step_us, origin_us))

        found: dict[str, IntArray] = {}
        for entry, starts in self._database.query(statements, rewritten, chunked=True):
            if entry is not None and starts.shape[0]:
                found[entry.key] = np.union1d(found.get(entry.key, starts), starts)
        return found

    def _count_anew(
        self, entries: Sequence[Entry], steps: IntArray, start_us: int, end_us: int, step_us: int, origin_us: int
    ) -> list[Aggregates]:
        """Sum up these steps of one point from its readings, where the server's sums may hold what does not stand."""
        cuts = np.flatnonzero(np.diff(steps) > step_us) + 1
        stretches = [(int(part[0]), int(part[-1]) + step_us) for part in np.split(steps, cuts)]
        if len(stretches) > _SEPARATE_RANGES:
            stretches = [(stretches[0][0], stretches[-1][1])]
        parts = []
        for first, end in stretches:
            for rows in self._reader.raw(entries, max(first, start_us), min(end, end_us)).values():
                found = steps_of(rows, step_us, origin_us)
                parts.append(choose(found, np.isin(found.time_us, steps)))
        return parts
