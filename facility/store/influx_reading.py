"""Reading from an InfluxDB: the newest reading of points, and the readings of an interval."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from facility.readings import OUT_OF_RANGE, Latest, Series
from facility.store.influx_answers import columns_of, joined
from facility.store.influx_book import GROUP, HAS_IMPOSSIBLE, HAS_QUALITY, Entry, SeriesName
from facility.store.influx_database import InfluxDatabase
from facility.store.influx_link import Block
from facility.store.influx_questions import EVER, flags_of, quality_too, questions, questions_by_field
from facility.store.influx_text import IMPOSSIBLE, QUALITY, identifier


class Reader:
    """Reads readings from one database; safe to use from several threads."""

    def __init__(self, database: InfluxDatabase) -> None:
        self._database = database

    def latest(self, keys: Sequence[str] | None = None) -> Mapping[str, Latest]:
        """Return the newest reading of each named point (of all points, if None) that has one."""
        asked = [
            (ask, field, suffix, flags)
            for ask, flags in questions_by_field(self._database.entries(keys), everything=keys is None)
            for field in ask.names
            for suffix in (("", IMPOSSIBLE) if flags & HAS_IMPOSSIBLE else ("",))
        ]
        statements = [
            f"SELECT last({identifier(field + suffix)}){quality_too(flags, field)} {ask.source(*EVER)} GROUP BY {GROUP}"
            for ask, field, suffix, flags in asked
        ]

        def newest(statement: int, block: Block) -> tuple[Entry, int, int, float, int] | None:
            ask, field, suffix, _ = asked[statement]
            entry = self._database.book.entry_at(SeriesName.of(ask.measurement, block.tags), field)
            time_us, value, *quality = block.rows[0]
            told = int(quality[0] or 0) if quality else 0
            # Where both fields hold a value of that time, the quality says which of them stands.
            stands = bool(told & OUT_OF_RANGE) == bool(suffix)
            return (entry, int(time_us), int(stands), float(value), told) if entry is not None else None

        found: dict[str, tuple[tuple[int, int, int], Latest]] = {}
        wanted = None if keys is None else set(keys)
        for answer in self._database.query(statements, newest):
            if answer is None or (wanted is not None and answer[0].key not in wanted):
                continue
            entry, time_us, stands, value, quality = answer
            order = (time_us, entry.rank, stands)
            if entry.key not in found or order > found[entry.key][0]:
                found[entry.key] = order, Latest(time_us, value, quality)
        return {key: newest for key, (_, newest) in found.items()}

    def raw(self, entries: Sequence[Entry], start_us: int, end_us: int) -> dict[str, Series]:
        """Return the readings that stand, of the points of these entries and from their series alone."""
        asks, flags = questions(entries), flags_of(entries)
        chosen = {(entry.series, entry.field): entry for entry in entries}
        fields = [
            [
                (name, bool(told & HAS_QUALITY), bool(told & HAS_IMPOSSIBLE))
                for name in ask.names
                for told in (flags[ask.measurement, name],)
            ]
            for ask in asks
        ]
        statements = []
        for ask, told in zip(asks, fields, strict=True):
            columns = [
                identifier(name + suffix)
                for name, quality, impossible in told
                for suffix in ("", *([QUALITY] if quality else []), *([IMPOSSIBLE] if impossible else []))
            ]
            statements.append(f"SELECT {', '.join(columns)} {ask.source(start_us, end_us)} GROUP BY {GROUP}")

        def readings(statement: int, block: Block) -> list[tuple[Entry, Series]]:
            name = SeriesName.of(asks[statement].measurement, block.tags)
            time_us, columns = columns_of(block)
            parts, column = [], iter(columns)
            for field, has_quality, has_impossible in fields[statement]:
                value = next(column)
                quality = (
                    np.nan_to_num(next(column)).astype(np.uint8) if has_quality else np.zeros(len(value), np.uint8)
                )
                if has_impossible:
                    value = np.where((quality & OUT_OF_RANGE) != 0, next(column), value)
                held = ~np.isnan(value)
                entry = chosen.get((name, field))
                if entry is not None and bool(held.any()):
                    parts.append((entry, Series(time_us[held], value[held], quality[held])))
            return parts

        if start_us >= end_us:
            return {}
        parts: dict[str, list[tuple[int, Series]]] = defaultdict(list)
        for block in self._database.query(statements, readings, chunked=True):
            for entry, part in block:
                parts[entry.key].append((entry.rank, part))
        return {key: joined(found) for key, found in parts.items()}

    def extent(self, entries: Sequence[Entry], start_us: int, end_us: int) -> tuple[int, int] | None:
        """Return the times of the first and the last reading of these entries in [start, end), None if none. [µs]"""
        statements = [
            f"SELECT {', '.join(map(identifier, ask.names))} {ask.source(start_us, end_us)} "
            f"ORDER BY time {order} LIMIT 1"
            for ask in questions(entries)
            for order in ("ASC", "DESC")
        ]
        times = self._database.query(statements, lambda _, block: int(block.rows[0][0]))
        return (min(times), max(times)) if times else None
