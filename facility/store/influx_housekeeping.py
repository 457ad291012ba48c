"""Counting what an InfluxDB holds, and deleting what is old."""

# ruff: noqa: S608 (InfluxQL has no parameters; names are encoded and quoted, everything else is our own numbers)

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from facility.errors import ConfigurationError, Problem
from facility.store.contract import StoreSize
from facility.store.influx_book import GROUP, HAS_IMPOSSIBLE, Entry, SeriesName
from facility.store.influx_database import InfluxDatabase
from facility.store.influx_link import AccessRefused, Block
from facility.store.influx_questions import EVER, LIMIT_US, Question, exists, ns, questions, questions_by_field
from facility.store.influx_reading import Reader
from facility.store.influx_text import IMPOSSIBLE, identifier


class Housekeeping:
    """Counts and deletes readings of one database; safe to use from several threads."""

    def __init__(self, database: InfluxDatabase, reader: Reader) -> None:
        self._database = database
        self._reader = reader

    def must_delete(self) -> None:
        """Raise ConfigurationError on a 3.x server, which deletes nothing."""
        if self._database.link.version().major >= 3:
            raise _wrong(
                f"{self._database.address.url} is an InfluxDB 3, which does not delete by time; give the database "
                f"{self._database.address.database!r} a retention period there"
            )

    def delete(self, time_us: int) -> int:
        """Delete all readings older than `time_us` and return how many there were."""
        entries = self._database.entries(None)
        deleted = sum(self.counts(entries, -LIMIT_US, time_us).values())
        if deleted:
            measurements = sorted({entry.series.measurement for entry in entries})
            older = f"time < {ns(time_us)}"
            self._database.query(
                [f"DELETE FROM {identifier(name)} WHERE {older}" for name in measurements],
                lambda _, __: None,
                patience="long",
            )
        return deleted

    def size(self) -> StoreSize:
        """Return how much the keeper holds; `bytes` is 0 unless a 1.x server tells it to an administrator."""
        entries = self._database.entries(None)
        counts = self.counts(entries, *EVER)
        measurements = sorted({entry.series.measurement for entry in entries})
        inside = f"time >= {ns(-LIMIT_US)} AND time < {ns(LIMIT_US)}"
        times = self._database.query(
            [
                f"SELECT * FROM {identifier(name)} WHERE {inside} ORDER BY time {order} LIMIT 1"
                for name in measurements
                for order in ("ASC", "DESC")
            ],
            lambda _, block: int(block.rows[0][0]),
        )
        held = sum(1 for count in counts.values() if count)
        readings = sum(counts.values())
        if not readings:
            return StoreSize(0, 0, self._bytes(), None, None)
        return StoreSize(readings, held, self._bytes(), min(times), max(times))

    def counts(self, entries: Sequence[Entry], start_us: int, end_us: int) -> Mapping[str, int]:
        """Return how many readings each point has."""
        by_key: dict[str, list[Entry]] = defaultdict(list)
        for entry in entries:
            by_key[entry.key].append(entry)
        # What stands in two series may be one reading: such points are read and joined.
        counts = dict.fromkeys(by_key, 0)
        moved = [entry for several in by_key.values() if len(several) > 1 for entry in several]
        for key, rows in self._reader.raw(moved, start_us, end_us).items():
            counts[key] = len(rows)
        unmoved = [several[0] for several in by_key.values() if len(several) == 1]
        asked: list[tuple[Question, tuple[str, ...], int]] = []
        statements = []
        for ask in questions(unmoved):
            statements.append(
                f"SELECT {', '.join(f'count({identifier(name)})' for name in ask.names)} "
                f"{ask.source(start_us, end_us)} GROUP BY {GROUP}"
            )
            asked.append((ask, ask.names, 1))
        for ask, _ in questions_by_field([e for e in unmoved if e.flags & HAS_IMPOSSIBLE], everything=False):
            for name in ask.names:
                group = f"GROUP BY {GROUP}"
                impossible, both = identifier(name + IMPOSSIBLE), exists(name + IMPOSSIBLE)
                statements.append(f"SELECT count({impossible}) {ask.source(start_us, end_us)} {group}")
                statements.append(f"SELECT count({identifier(name)}) {ask.source(start_us, end_us, both)} {group}")
                asked += [(ask, (name,), 1), (ask, (name,), -1)]

        book = self._database.book

        def counted(statement: int, block: Block) -> list[tuple[Entry | None, int]]:
            ask, names, sign = asked[statement]
            series = SeriesName.of(ask.measurement, block.tags)
            return [
                (book.entry_at(series, name), sign * (count or 0))
                for name, count in zip(names, block.rows[0][1:], strict=True)
            ]

        for block in self._database.query(statements, counted, patience="long"):
            for found, count in block:
                if found is not None and len(by_key[found.key]) == 1:
                    counts[found.key] += count
        return counts

    def _bytes(self) -> int:
        if self._database.link.version().major > 1:
            return 0

        def on_disk(_: int, block: Block) -> int:
            ours = block.tags.get("database") == self._database.address.database
            return int(block.rows[0][block.columns.index("diskBytes")]) if ours else 0

        try:
            return sum(self._database.query(["SHOW STATS FOR 'shard'"], on_disk))
        except AccessRefused:
            return 0


def _wrong(words: str) -> ConfigurationError:
    return ConfigurationError([Problem("", 0, "store", words)])
