"""The keeper for production and Grafana: an InfluxDB server, 1.x, 2.x or 3.x (ADR 7)."""

# ruff: noqa: S608 (InfluxQL has no parameters; names are encoded and quoted, everything else is our own numbers)

from __future__ import annotations

import re
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from facility.errors import ConfigurationError, Problem, StoreUnavailable
from facility.readings import OUT_OF_RANGE, Aggregates, IntArray, Latest, PointTable, ReadingBatch, Series
from facility.store.checks import check_batch
from facility.store.contract import PointsRefused, StoreSize
from facility.store.influx_address import InfluxAddress
from facility.store.influx_answers import (
    choose,
    columns_of,
    in_order,
    join_parts,
    joined,
    no_series,
    no_steps,
    step_starts,
    steps_of,
)
from facility.store.influx_book import GROUP, HAS_IMPOSSIBLE, HAS_QUALITY, Book, Entry, SeriesName
from facility.store.influx_link import (
    AccessRefused,
    Block,
    DatabaseMissing,
    InfluxLink,
    LinkSettings,
    TooLarge,
    WriteRefused,
)
from facility.store.influx_questions import (
    EVER,
    LIMIT_US,
    Question,
    clamp,
    cut,
    exists,
    flags_of,
    ns,
    quality_too,
    questions,
    questions_by_field,
)
from facility.store.influx_text import IMPOSSIBLE, QUALITY, identifier, lines
from facility.store.last_write import Readings, last_write_stands, writing_order

T = TypeVar("T")

_REQUEST_READINGS: Final = 50_000  # some 2 MB of text: well below the server's bound, and soon acknowledged
_REQUEST_STATEMENTS: Final = 200
# The server needs some 40 µs for each step of each point and 2 µs for each reading to sum up, and 1 to 3 µs for each
# reading to hand it out (InfluxDB 1.6.7, five functions, points of a machine asked together).
_RAW_READINGS_A_STEP: Final = 30
_SLICE_READINGS: Final = 1_000_000  # so many are held at once
_SAMPLES: Final = 12  # of two samples, each holds this share of half the interval
_SAMPLE_US: Final = 600_000_000
_SEPARATE_RANGES: Final = 20  # more stretches than these are read as one
_OTHER_PROGRAM: Final = "Another program has written these fields in its own way; take a database of Wardwatt's own, or drop those measurements"
_REFUSED_FIELD: Final = re.compile(r'input field "(.*)" on measurement "(.*)" is ')


class InfluxDBStore:
    """
    Keep readings in an InfluxDB database: measurement = equipment class, tags = place and equipment, fields = points.

    A server that is away when this is made is no error: the first call that finds it connects.

    Raises
    ------
    ConfigurationError
        If the server refuses user, password or token, or has no such database and may not make it.
    """

    def __init__(
        self, address: InfluxAddress, *, read_only: bool = False, settings: LinkSettings | None = None
    ) -> None:
        self.address = address
        self.read_only = read_only
        if address.ca_file and not Path(address.ca_file).is_file():
            raise _wrong(f"the certificate file {address.ca_file!r} does not exist; mend ca= in the store's URL")
        self._link = InfluxLink(address, settings or LinkSettings())
        self._lock = threading.RLock()  # held while the database is made ready and while a table gets its places
        self._closed = False
        self._is_ready = False
        self._book = Book(self._link)
        self._table_places: WeakKeyDictionary[PointTable, NDArray[np.int32]] = WeakKeyDictionary()
        try:
            self._ready()
        except (AccessRefused, DatabaseMissing) as error:
            self.close()
            raise _wrong(str(error)) from error
        except StoreUnavailable:
            pass  # it will be told to whoever first wants something of the server

    # Writing

    def write(self, batch: ReadingBatch) -> None:
        """
        Store a batch; when this returns, the server has it in its log on disk.

        Raises
        ------
        ValueError
            If a value is not finite, a time is out of InfluxDB's years, or a point is not of the batch's table;
            nothing is stored then. `PointsRefused` if the server refuses some points; all others are stored.
        """
        if self.read_only:
            raise PermissionError(f"{self.address.url} is open for reading only; open it without read_only to write")
        if len(batch) == 0:
            self._opened()
            return
        check_batch(batch, limit_us=LIMIT_US)
        self._ready()
        try:
            self._book.look()
            places = self._places(batch.table)
            self._store(last_write_stands(Readings(places[batch.point], batch.time_us, batch.value, batch.quality)))
        except DatabaseMissing:
            # Somebody has dropped it. The next write makes it again, and must not believe what stood in it.
            self._forget()
            raise

    def _places(self, table: PointTable) -> NDArray[np.int32]:
        """Return the index of the book's entry of each point of a table, (points,); new ones are entered."""
        with self._lock:
            known = self._table_places.get(table)
            if known is not None:
                return known
            book = self._book
            book.look(now=True)
            places = np.empty(len(table), dtype=np.int32)
            new: list[tuple[int, Entry]] = []
            for i, address in enumerate(table.addresses):
                wanted, current = book.wanted(address), book.current(address.key)
                # A bare key, as imports know it, goes where the point's readings go already.
                if current is not None and (not address.equipment_class or book.entry(current).series == wanted.series):
                    places[i] = current
                    continue
                earlier = book.entry_at(wanted.series, wanted.field)
                if earlier is not None:
                    self._bring_along(earlier)
                new.append((i, wanted))
            for (i, _), place in zip(new, book.add([entry for _, entry in new]), strict=True):
                places[i] = place
            self._table_places[table] = places
            return places

    def _bring_along(self, earlier: Entry) -> None:
        """Copy what was written elsewhere into the series that a point comes back to: there it is the last write."""
        later = [entry for entry in self._book.entries([earlier.key]) if entry.rank > earlier.rank]
        rows = self._raw(later, *EVER).get(earlier.key)
        if rows is not None and len(rows):
            place = self._book.index(earlier)
            self._store(Readings(np.full(len(rows), place, np.int32), rows.time_us, rows.value, rows.quality))

    def _store(self, rows: Readings) -> None:
        """Write readings, one for each key; `point` is the index of the book's entry."""
        book = self._book
        for some, flag in ((rows.quality != 0, HAS_QUALITY), ((rows.quality & OUT_OF_RANGE) != 0, HAS_IMPOSSIBLE)):
            if bool(some.any()):
                points = np.unique(rows.point[some])
                without = points[(book.flags[points] & flag) == 0]
                if without.shape[0]:
                    book.raise_flags(without.astype(np.intp), flag)
        rows = rows.take(writing_order(book.series_of[rows.point], rows.time_us))
        refused: dict[str, str] = {}
        for start in range(0, len(rows), _REQUEST_READINGS):
            refused |= self._send(rows.take(slice(start, start + _REQUEST_READINGS)))
        if refused:
            words = "; ".join(sorted(set(refused.values())))
            raise PointsRefused(sorted(refused), f"{words}. {_OTHER_PROGRAM}")

    def _send(self, rows: Readings) -> dict[str, str]:
        """Write one request's readings; return the points that the server refuses, and why."""
        refused: dict[str, str] = {}
        while len(rows):
            try:
                self._link.write(self._lines(rows))
            except TooLarge as error:
                if len(rows) == 1:
                    raise StoreUnavailable(
                        f"{self.address.url} takes not even one reading: {error}; raise max-body-size"
                    ) from error
                half = len(rows) // 2
                return refused | self._send(rows.take(slice(half))) | self._send(rows.take(slice(half, None)))
            except WriteRefused as error:
                wrong = self._refused_points(rows, str(error))
                for place in np.unique(rows.point[wrong]).tolist():
                    refused[self._book.entry(place).key] = str(error)
                # The server does not promise to have stored the others: they are written again, which changes nothing.
                rows = rows.take(~wrong)
            else:
                break
        return refused

    def _refused_points(self, rows: Readings, words: str) -> NDArray[np.bool_]:
        found = _REFUSED_FIELD.search(words)
        if found is not None:
            field = found[1].removesuffix(QUALITY).removesuffix(IMPOSSIBLE)
            places = [
                place
                for place in np.unique(rows.point).tolist()
                if (entry := self._book.entry(place)).field == field and entry.series.measurement == found[2]
            ]
            wrong = np.isin(rows.point, places)
            if bool(wrong.any()):
                return wrong
        raise self._link.refused(words)

    def _lines(self, rows: Readings) -> str:
        book, place = self._book, rows.point
        impossible = (rows.quality & OUT_OF_RANGE) != 0
        value_fields = np.where(impossible, book.names[place, 1], book.names[place, 0])
        tells = (book.flags[place] & HAS_QUALITY) != 0
        quality_fields = np.full(len(rows), "", dtype=object)
        quality_fields[tells] = book.names[place[tells], 2]
        series = book.series_of[place]
        return lines(series, book.heads, value_fields, quality_fields, rows.time_us, rows.value, rows.quality)

    # Reading

    def latest(self, keys: Sequence[str] | None = None) -> Mapping[str, Latest]:
        """Return the newest reading of each named point (of all points, if None) that has one."""
        asked = [
            (ask, field, suffix, flags)
            for ask, flags in questions_by_field(self._entries(keys), everything=keys is None)
            for field in ask.names
            for suffix in (("", IMPOSSIBLE) if flags & HAS_IMPOSSIBLE else ("",))
        ]
        statements = [
            f"SELECT last({identifier(field + suffix)}){quality_too(flags, field)} {ask.source(*EVER)} GROUP BY {GROUP}"
            for ask, field, suffix, flags in asked
        ]

        def newest(statement: int, block: Block) -> tuple[Entry, int, int, float, int] | None:
            ask, field, suffix, _ = asked[statement]
            entry = self._book.entry_at(SeriesName.of(ask.measurement, block.tags), field)
            time_us, value, *quality = block.rows[0]
            told = int(quality[0] or 0) if quality else 0
            # Where both fields hold a value of that time, the quality says which of them stands.
            stands = bool(told & OUT_OF_RANGE) == bool(suffix)
            return (entry, int(time_us), int(stands), float(value), told) if entry is not None else None

        found: dict[str, tuple[tuple[int, int, int], Latest]] = {}
        wanted = None if keys is None else set(keys)
        for answer in self._query(statements, newest):
            if answer is None or (wanted is not None and answer[0].key not in wanted):
                continue
            entry, time_us, stands, value, quality = answer
            order = (time_us, entry.rank, stands)
            if entry.key not in found or order > found[entry.key][0]:
                found[entry.key] = order, Latest(time_us, value, quality)
        return {key: newest for key, (_, newest) in found.items()}

    def series(self, keys: Sequence[str], start_us: int, end_us: int) -> Mapping[str, Series]:
        """Return raw readings with start <= time < end; every key is in the result."""
        found = self._raw(self._entries(keys), start_us, end_us)
        return {key: found.get(key, no_series()) for key in keys}

    def _raw(self, entries: Sequence[Entry], start_us: int, end_us: int) -> dict[str, Series]:
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
        for block in self._query(statements, readings, chunked=True):
            for entry, part in block:
                parts[entry.key].append((entry.rank, part))
        return {key: joined(found) for key, found in parts.items()}

    def aggregate(
        self, keys: Sequence[str], start_us: int, end_us: int, step_us: int, origin_us: int = 0
    ) -> Mapping[str, Aggregates]:
        """Return mean, min, max, last and count by steps; ValueError if `step_us` is not above zero."""
        if step_us <= 0:
            raise ValueError(f"step_us is {step_us}; give a step above zero, such as 60_000_000 for one minute")
        entries = self._entries(keys)
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

        for i, count in self._query(statements, counted):
            expected[i] = max(expected[i], float(count * share))
        return list(zip(parts, expected, strict=True))

    def _steps_from_readings(
        self, entries: Sequence[Entry], slices: Sequence[tuple[int, int]], step_us: int, origin_us: int
    ) -> dict[str, Aggregates]:
        """Sum up readings here: where a step holds few of them, that is less work than the server's own sums."""
        found: dict[str, list[Aggregates]] = defaultdict(list)
        for first, end in slices:
            for key, rows in self._raw(entries, first, end).items():
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
        for block in self._query(statements, steps, chunked=True):
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
            entry = self._book.entry_at(SeriesName.of(ask.measurement, block.tags), field)
            return entry, np.unique(step_starts(time_us[wrong], step_us, origin_us))

        found: dict[str, IntArray] = {}
        for entry, starts in self._query(statements, rewritten, chunked=True):
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
            for rows in self._raw(entries, max(first, start_us), min(end, end_us)).values():
                found = steps_of(rows, step_us, origin_us)
                parts.append(choose(found, np.isin(found.time_us, steps)))
        return parts

    # Keeping house

    def delete_before(self, time_us: int) -> int:
        """Delete all readings older than `time_us` and return how many there were; 3.x cannot, and it says so."""
        if self.read_only:
            raise PermissionError(f"{self.address.url} is open for reading only; open it without read_only to delete")
        entries = self._entries(None)
        if self._link.version().major >= 3:
            raise _wrong(
                f"{self.address.url} is an InfluxDB 3, which does not delete by time; give the database "
                f"{self.address.database!r} a retention period there"
            )
        deleted = sum(self._counts(entries, -LIMIT_US, time_us).values())
        if deleted:
            measurements = sorted({entry.series.measurement for entry in entries})
            older = f"time < {ns(time_us)}"
            self._query(
                [f"DELETE FROM {identifier(name)} WHERE {older}" for name in measurements],
                lambda _, __: None,
                long=True,
            )
        return deleted

    def points(self) -> Sequence[str]:
        """Return the keys of all points that hold at least one reading, sorted."""
        return sorted(self.latest())

    def size(self) -> StoreSize:
        """Return how much the keeper holds; `bytes` is 0 unless a 1.x server tells it to an administrator."""
        entries = self._entries(None)
        counts = self._counts(entries, *EVER)
        measurements = sorted({entry.series.measurement for entry in entries})
        inside = f"time >= {ns(-LIMIT_US)} AND time < {ns(LIMIT_US)}"
        times = self._query(
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

    def _counts(self, entries: Sequence[Entry], start_us: int, end_us: int) -> Mapping[str, int]:
        """Return how many readings each point has."""
        by_key: dict[str, list[Entry]] = defaultdict(list)
        for entry in entries:
            by_key[entry.key].append(entry)
        # What stands in two series may be one reading: such points are read and joined.
        counts = dict.fromkeys(by_key, 0)
        moved = [entry for several in by_key.values() if len(several) > 1 for entry in several]
        for key, rows in self._raw(moved, start_us, end_us).items():
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

        def counted(statement: int, block: Block) -> list[tuple[Entry | None, int]]:
            ask, names, sign = asked[statement]
            series = SeriesName.of(ask.measurement, block.tags)
            numbers = block.rows[0][1:]
            return [(self._book.entry_at(series, n), sign * (c or 0)) for n, c in zip(names, numbers, strict=True)]

        for block in self._query(statements, counted, long=True):
            for found, count in block:
                if found is not None and len(by_key[found.key]) == 1:
                    counts[found.key] += count
        return counts

    def _bytes(self) -> int:
        if self._link.version().major > 1:
            return 0

        def on_disk(_: int, block: Block) -> int:
            ours = block.tags.get("database") == self.address.database
            return int(block.rows[0][block.columns.index("diskBytes")]) if ours else 0

        try:
            return sum(self._query(["SHOW STATS FOR 'shard'"], on_disk))
        except AccessRefused:
            return 0

    def close(self) -> None:
        """Let go of the connections; a second call does nothing."""
        self._closed = True
        self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # The server

    def _opened(self) -> None:
        if self._closed:
            raise StoreUnavailable(f"InfluxDB at {self.address.url}: the store has been closed; open it again")

    def _ready(self) -> None:
        """Make the database, if it is missing and a 1.x server, and read the book; done once."""
        self._opened()
        if self._is_ready:
            return
        with self._lock:
            if self._is_ready:
                return
            try:
                self._book.look(now=True)
            except DatabaseMissing:
                if self.read_only or self._link.version().major > 1:
                    raise
                create = f"CREATE DATABASE {identifier(self.address.database)}"
                self._link.query([create], lambda _: None, database=False)
                self._book.look(now=True)
            self._is_ready = True

    def _forget(self) -> None:
        with self._lock:
            self._is_ready = False
            self._book = Book(self._link)
            self._table_places = WeakKeyDictionary()

    def _entries(self, keys: Sequence[str] | None) -> list[Entry]:
        self._ready()
        self._book.look(now=keys is None or not self._book.knows(keys))
        return self._book.entries(keys)

    def _query(
        self,
        statements: Sequence[str],
        convert: Callable[[int, Block], T],
        *,
        chunked: bool = False,
        long: bool = False,
    ) -> list[T]:
        found: list[T] = []
        for start in range(0, len(statements), _REQUEST_STATEMENTS):

            def numbered(block: Block, start: int = start) -> T:
                return convert(start + block.statement, block)

            some = list(statements[start : start + _REQUEST_STATEMENTS])
            found += self._link.query(some, numbered, chunked=chunked, long=long)
        return found


def open_influxdb(url: str, *, read_only: bool = False) -> InfluxDBStore:
    """Open the InfluxDB database that `influxdb://...` or `influxdbs://...` names."""
    return InfluxDBStore(InfluxAddress.parse(url), read_only=read_only)


def _wrong(words: str) -> ConfigurationError:
    return ConfigurationError([Problem("", 0, "store", words)])
