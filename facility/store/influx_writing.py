"""Writing to an InfluxDB: which series a reading goes to, and what becomes of readings that the server refuses."""

from __future__ import annotations

import re
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from facility.errors import StoreUnavailable
from facility.readings import OUT_OF_RANGE, PointTable, ReadingBatch
from facility.store.contract import PointsRefused
from facility.store.influx_book import HAS_IMPOSSIBLE, HAS_QUALITY, Entry
from facility.store.influx_database import InfluxDatabase
from facility.store.influx_ledger import Mark, marks_of
from facility.store.influx_link import DatabaseMissing, ServerSilent, TooLarge, WriteRefused
from facility.store.influx_questions import EVER, LIMIT_US
from facility.store.influx_reading import Reader
from facility.store.influx_text import IMPOSSIBLE, QUALITY, lines
from facility.store.last_write import Readings, last_write_stands, writing_order
from facility.store.rollups import STATE

_LARGEST_REQUEST: Final = 50_000  # readings: some 2 MB of text: well below the server's bound, and soon acknowledged
_SMALLEST_REQUEST: Final = 1_000
_OTHER_PROGRAM: Final = (
    "Another program has written these fields in its own way; take a database of Wardwatt's own, or drop those "
    "measurements"
)
_REFUSED_FIELD: Final = re.compile(r'input field "(.*)" on measurement "(.*)" is ')


class Writer:
    """Writes readings to one database; safe to use from several threads."""

    def __init__(self, database: InfluxDatabase, reader: Reader) -> None:
        self._database = database
        self._reader = reader
        self._request_readings = _LARGEST_REQUEST  # what the server has been able to take in time
        self._age = database.age
        self._table_places: WeakKeyDictionary[PointTable, NDArray[np.int32]] = WeakKeyDictionary()

    def write(self, batch: ReadingBatch) -> None:
        """Store a batch of at least one reading, which has been checked; see the contract."""
        database = self._database
        database.ready()
        try:
            database.book.look()
            places = self._places(batch.table)
            self._store(last_write_stands(Readings(places[batch.point], batch.time_us, batch.value, batch.quality)))
        except DatabaseMissing:
            # Somebody has dropped it. The next write makes it again, and must not believe what stood in it.
            database.forget()
            raise

    def _places(self, table: PointTable) -> NDArray[np.int32]:
        """Return the index of the book's entry of each point of a table, (points,); new ones are entered."""
        with self._database.lock:
            if self._age != self._database.age:
                self._age, self._table_places = self._database.age, WeakKeyDictionary()
            known = self._table_places.get(table)
            if known is not None:
                return known
            book = self._database.book
            book.look(now=True)
            places = np.empty(len(table), dtype=np.int32)
            new: list[tuple[int, Entry]] = []
            for i, address in enumerate(table.addresses):
                wanted, current = book.wanted(address), book.current(address.key)
                # A bare key, as imports know it, goes where the point's readings go already.
                if current is not None and (not address.equipment_class or book.entry(current).says(wanted)):
                    places[i] = current
                    continue
                earlier = book.entry_at(wanted.series, wanted.field)
                if earlier is not None:
                    self._bring_along(earlier)
                if current is not None and (book.entry(current).kind == STATE) != (wanted.kind == STATE):
                    # All its steps have to be weighted by time now, or no longer.
                    self._database.ledger.mark([Mark(*EVER, (wanted.key,))])
                new.append((i, wanted))
            for (i, _), place in zip(new, book.add([entry for _, entry in new]), strict=True):
                places[i] = place
            self._table_places[table] = places
            return places

    def _bring_along(self, earlier: Entry) -> None:
        """Copy what was written elsewhere into the series that a point comes back to: there it is the last write."""
        later = [entry for entry in self._database.book.entries([earlier.key]) if entry.rank > earlier.rank]
        rows = self._reader.raw(later, *EVER).get(earlier.key)
        if rows is not None and len(rows):
            place = self._database.book.index(earlier)
            self._store(Readings(np.full(len(rows), place, np.int32), rows.time_us, rows.value, rows.quality))

    def _store(self, rows: Readings) -> None:
        """Write readings, one for each key; `point` is the index of the book's entry."""
        book = self._database.book
        for some, flag in ((rows.quality != 0, HAS_QUALITY), ((rows.quality & OUT_OF_RANGE) != 0, HAS_IMPOSSIBLE)):
            if bool(some.any()):
                points = np.unique(rows.point[some])
                without = points[(book.flags[points] & flag) == 0]
                if without.shape[0]:
                    book.raise_flags(without.astype(np.intp), flag)
        rows = rows.take(writing_order(book.series_of[rows.point], rows.time_us))
        refused: dict[str, str] = {}
        start = 0
        while start < len(rows):
            end = start + self._request_readings
            some = rows.take(slice(start, end))
            try:
                marked_us = self._mark(some, -LIMIT_US)
                refused |= self._send(some)
                # Should roll-ups have gone on while this process, or the server, was held up.
                self._mark(some, marked_us)
            except ServerSilent:
                # It may be too slow for so much at a time, and would be on every further try.
                self._request_readings = max(_SMALLEST_REQUEST, self._request_readings // 2)
                raise
            # Slowly back up, as networks do: growth by leaps would run into the same wall within one batch.
            self._request_readings = min(_LARGEST_REQUEST, self._request_readings + _SMALLEST_REQUEST // 10)
            start = end
        if refused:
            words = "; ".join(sorted(set(refused.values())))
            raise PointsRefused(sorted(refused), f"{words}. {_OTHER_PROGRAM}")

    def _mark(self, rows: Readings, marked_us: int) -> int:
        """Mark the roll-ups that readings from `marked_us` on come too late for; return up to when they are marked."""
        announced_us = self._database.ledger.seen().announced_us
        late = (rows.time_us >= marked_us) & (rows.time_us < announced_us)
        if announced_us > marked_us and bool(late.any()):
            point = rows.point[late]
            entries = {at: self._database.book.entry(at) for at in np.unique(point).tolist()}
            self._database.ledger.mark(marks_of(entries, point, rows.time_us[late]))
        return announced_us

    def _send(self, rows: Readings) -> dict[str, str]:
        """Write one request's readings; return the points that the server refuses, and why."""
        refused: dict[str, str] = {}
        while len(rows):
            try:
                self._database.link.write(self._lines(rows))
            except TooLarge as error:
                if len(rows) == 1:
                    raise StoreUnavailable(
                        f"{self._database.address.url} takes not even one reading: {error}; raise max-body-size"
                    ) from error
                half = len(rows) // 2
                return refused | self._send(rows.take(slice(half))) | self._send(rows.take(slice(half, None)))
            except WriteRefused as error:
                wrong = self._refused_points(rows, str(error))
                for place in np.unique(rows.point[wrong]).tolist():
                    refused[self._database.book.entry(place).key] = str(error)
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
                if (entry := self._database.book.entry(place)).field == field and entry.series.measurement == found[2]
            ]
            wrong = np.isin(rows.point, places)
            if bool(wrong.any()):
                return wrong
        raise self._database.link.refused(words)

    def _lines(self, rows: Readings) -> str:
        book, place = self._database.book, rows.point
        impossible = (rows.quality & OUT_OF_RANGE) != 0
        value_fields = np.where(impossible, book.names[place, 1], book.names[place, 0])
        tells = (book.flags[place] & HAS_QUALITY) != 0
        quality_fields = np.full(len(rows), "", dtype=object)
        quality_fields[tells] = book.names[place[tells], 2]
        series = book.series_of[place]
        return lines(series, book.heads, value_fields, quality_fields, rows.time_us, rows.value, rows.quality)
