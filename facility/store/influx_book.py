"""Which series of the database hold which point: written into the database itself, so that all processes agree.

InfluxDB names a series by its tags, so equipment that moves to another room goes on in another series. The book says
which series of a point is the current one (the highest rank), and what its readings need fields for.
"""

# ruff: noqa: S608 (InfluxQL has no parameters; these names are our own)

from __future__ import annotations

import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from facility.readings import PointAddress
from facility.store.influx_link import Block, InfluxLink, WriteRefused
from facility.store.influx_text import (
    BOOK,
    QUALITY,
    REVISION,
    decode,
    encode,
    escape,
    field_of,
    identifier,
    measurement_of,
    series_head,
    text_value,
)
from facility.store.influx_turns import Turns

HAS_QUALITY: Final = 1  # the quality of every further reading is written, be it 0
HAS_IMPOSSIBLE: Final = 2  # some values stand in the field for impossible ones
_FLAGS: Final = {"quality": HAS_QUALITY, "impossible": HAS_IMPOSSIBLE}
PLACE_TAGS: Final = ("site", "building", "room")
GROUP: Final = ", ".join(map(identifier, (*PLACE_TAGS, "equipment")))
_BOOK_TAGS: Final = ("class", *PLACE_TAGS, "equipment", "point")
_REQUEST_ENTRIES: Final = 1000
_LOOK_AGAIN_S: Final = 1.0  # so often a process asks whether another one has changed the book


@dataclass(frozen=True, slots=True)
class SeriesName:
    """Measurement and tags of a series, as they stand in the database."""

    measurement: str
    site: str
    building: str
    room: str
    equipment: str

    @classmethod
    def of(cls, measurement: str, tags: dict[str, str]) -> Self:
        """Return the name of the series that a query's block comes from."""
        get = tags.get
        return cls(measurement, get("site", ""), get("building", ""), get("room", ""), get("equipment", ""))

    def head(self) -> str:
        """Return how this series' lines begin."""
        tags = {"site": self.site, "building": self.building, "room": self.room, "equipment": self.equipment}
        return series_head(self.measurement, tags)


@dataclass(slots=True)
class Entry:
    """One point in one series."""

    key: str
    equipment_class: str  # these two as encoded for tags
    point: str
    series: SeriesName
    field: str
    rank: int
    flags: int = 0
    unit: str = ""  # as encoded for tags
    kind: str = "gauge"

    @property
    def address(self) -> PointAddress:
        """Return the address that was written with the point."""
        series = self.series
        return PointAddress(
            decode(series.equipment),
            decode(self.point),
            decode(self.equipment_class) if self.equipment_class else "",
            decode(self.unit) if self.unit else "",
            decode(series.site) if series.site else "",
            decode(series.building) if series.building else "",
            decode(series.room) if series.room else "",
            self.kind,
        )

    def says(self, wanted: Entry) -> bool:
        """Return whether this entry says all that another one of the same point does."""
        return (self.series, self.unit, self.kind) == (wanted.series, wanted.unit, wanted.kind)

    def line(self) -> str:
        """Return the entry as a line for the book."""
        named = (self.equipment_class, self.series.site, self.series.building, self.series.room)
        tags = dict(zip(_BOOK_TAGS, (*named, self.series.equipment, self.point), strict=True))
        # A flag is a field of its own, written only when it is up: no process can take down what another has raised.
        flags = "".join(f",{name}=1i" for name, flag in _FLAGS.items() if self.flags & flag)
        told = f',kind="{self.kind}"' + (f',unit="{text_value(self.unit)}"' if self.unit else "")
        return f"{series_head(BOOK, tags)}rank={self.rank}i{flags}{told} 0\n"


@dataclass(slots=True)
class _Pages:
    """What has been read of the book. Entries are never removed, so an index is good for as long as the book."""

    entries: list[Entry] = field(default_factory=list)
    place: dict[tuple[SeriesName, str], int] = field(default_factory=dict)
    by_key: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    series: dict[SeriesName, int] = field(default_factory=dict)


class Book:
    """The points of one database; safe to use from several threads."""

    def __init__(self, link: InfluxLink, *, read_only: bool) -> None:
        self._link = link
        self._read_only = read_only
        self._turns = Turns()
        self._lock = threading.RLock()
        self._pages = _Pages()
        self._revision: str | None = None
        self._looked_s = -1e9
        # By the index of an entry:
        self.series_of: NDArray[np.int32] = np.empty(0, dtype=np.int32)
        self.flags: NDArray[np.uint8] = np.empty(0, dtype=np.uint8)
        self.names: NDArray[np.object_] = np.empty((0, 3), dtype=object)  # field=, field__x=, `,field__q=`
        # By the index of a series:
        self.heads: NDArray[np.object_] = np.empty(0, dtype=object)

    def look(self, *, now: bool = False) -> None:
        """
        Learn what other processes have put into the book; unless `now`, at most once a second.

        Should somebody have dropped the database and made it anew, what this process knows is written into it again:
        readings must not go where no other process would look for them.
        """
        with self._turns.turn(), self._lock:
            if now or time.monotonic() - self._looked_s >= _LOOK_AGAIN_S:
                self._learn()
                self._looked_s = time.monotonic()

    def _learn(self) -> None:
        question = f'SELECT "revision" FROM {identifier(REVISION)} WHERE time = 0'
        found = self._link.query([question], _rows, patience="prompt")
        revision = str(found[0][0][1]) if found else None
        if revision != self._revision:
            lost = set(range(len(self._pages.entries))) - self._read()
            if lost and not self._read_only:
                self._write([self._pages.entries[i] for i in sorted(lost)])
            self._revision = revision

    def _read(self) -> set[int]:
        """Read the whole book; return the indices of the entries that stand in it."""
        columns = ("rank", *_FLAGS, "unit", "kind", *_BOOK_TAGS)
        question = f"SELECT {', '.join(map(identifier, columns))} FROM {identifier(BOOK)} WHERE time = 0"
        found: set[int] = set()
        for rows in self._link.query([question], _rows, chunked=True, patience="prompt"):
            for _, rank, quality, impossible, unit, kind, *tags in rows:
                equipment_class, site, building, room, equipment, point = tags
                entry = Entry(
                    f"{decode(equipment)}/{decode(point)}",
                    equipment_class or "",
                    point,
                    SeriesName(
                        measurement_of(decode(equipment_class or "%")),
                        site or "",
                        building or "",
                        room or "",
                        equipment,
                    ),
                    field_of(decode(point)),
                    int(rank),
                    (HAS_QUALITY if quality else 0) | (HAS_IMPOSSIBLE if impossible else 0),
                    unit or "",
                    kind or "gauge",
                )
                found.add(self._put(entry))
        self._index()
        return found

    def _put(self, entry: Entry) -> int:
        pages, name = self._pages, (entry.series, entry.field)
        known = pages.place.get(name)
        if known is not None:
            held = pages.entries[known]
            held.rank, held.flags = entry.rank, held.flags | entry.flags
            held.unit, held.kind = entry.unit, entry.kind
            return known
        index = len(pages.entries)
        pages.entries.append(entry)
        pages.place[name] = index
        pages.by_key[entry.key].append(index)
        pages.series.setdefault(entry.series, len(pages.series))
        return index

    def _index(self) -> None:
        pages = self._pages
        self.series_of = np.array([pages.series[e.series] for e in pages.entries], dtype=np.int32)
        self.flags = np.array([e.flags for e in pages.entries], dtype=np.uint8)
        self.heads = np.array([name.head() for name in pages.series], dtype=object)
        self.names = np.array(
            [(f"{f}=", f"{f}__x=", f",{f}{QUALITY}=") for f in (escape(e.field) for e in pages.entries)], dtype=object
        ).reshape(-1, 3)

    def entry(self, index: int) -> Entry:
        """Return an entry by its index."""
        return self._pages.entries[index]

    def entries(self, keys: Iterable[str] | None = None) -> list[Entry]:
        """Return the entries of these points, or of all."""
        with self._lock:
            if keys is None:
                return list(self._pages.entries)
            by_key = self._pages.by_key
            return [self._pages.entries[i] for key in dict.fromkeys(keys) for i in by_key.get(key, ())]

    def knows(self, keys: Iterable[str]) -> bool:
        """Return whether all of these points are in the book."""
        with self._lock:
            return all(key in self._pages.by_key for key in keys)

    def entry_at(self, series: SeriesName, field_name: str) -> Entry | None:
        """Return the entry of a field in a series."""
        index = self._pages.place.get((series, field_name))
        return None if index is None else self._pages.entries[index]

    def index(self, entry: Entry) -> int:
        """Return the index of an entry of the book."""
        return self._pages.place[entry.series, entry.field]

    def current(self, key: str) -> int | None:
        """Return the index of the entry that a point's readings go to."""
        found = self._pages.by_key.get(key)
        return max(found, key=lambda i: self._pages.entries[i].rank) if found else None

    def wanted(self, address: PointAddress) -> Entry:
        """Return the entry that an address asks for, with the rank that makes it the current one."""
        series = SeriesName(
            measurement_of(address.equipment_class),
            encode(address.site) if address.site else "",
            encode(address.building) if address.building else "",
            encode(address.room) if address.room else "",
            encode(address.equipment),
        )
        current = self.current(address.key)
        rank = 0 if current is None else self._pages.entries[current].rank + 1
        equipment_class = encode(address.equipment_class) if address.equipment_class else ""
        unit = encode(address.unit) if address.unit else ""
        point, field_name = encode(address.point), field_of(address.point)
        return Entry(address.key, equipment_class, point, series, field_name, rank, 0, unit, address.kind)

    def add(self, entries: Sequence[Entry]) -> list[int]:
        """Write entries, new or changed, into the database's book and return their indices."""
        if not entries:
            return []
        self._write(entries)
        with self._lock:
            indices = [self._put(entry) for entry in entries]
            self._index()
        return indices

    def raise_flags(self, indices: NDArray[np.intp], flags: int) -> None:
        """Note, before the first such reading is written, that these entries have readings of some kind."""
        with self._lock:
            changed = [self._pages.entries[int(i)] for i in indices]
            before = [entry.flags for entry in changed]
            for entry in changed:
                entry.flags |= flags
            try:
                self._write(changed)
            except BaseException:
                for entry, old in zip(changed, before, strict=True):
                    entry.flags = old
                raise
            self.flags[indices] |= np.uint8(flags)

    def _write(self, entries: Sequence[Entry]) -> None:
        try:
            for start in range(0, len(entries), _REQUEST_ENTRIES):
                self._link.write("".join(entry.line() for entry in entries[start : start + _REQUEST_ENTRIES]))
            # Others may have changed it too: our next look reads it again.
            self._link.write(f'{REVISION} revision="{secrets.token_hex(8)}" 0\n')
        except WriteRefused as error:
            raise self._link.refused(str(error)) from error


def _rows(block: Block) -> list[list[Any]]:
    return block.rows
