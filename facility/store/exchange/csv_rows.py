"""Readings as CSV (RFC 4180): one row a reading, or one row a time with a column for each point."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, Self
from zoneinfo import ZoneInfo

import numpy as np

from facility.errors import ConfigurationError, Problem
from facility.readings import PointAddress, Series
from facility.store.exchange.chunks import (
    ADDRESS,
    CHUNK_ROWS,
    FIRST_US,
    LAST_US,
    BadRow,
    Chunk,
    CountedText,
    Names,
    Row,
    checked_quality,
    checked_time,
    checked_value,
    columns_of,
    finished_or_absent,
    open_to_write,
)
from facility.store.exchange.times import iso_times, read_time, read_times

HEADER: Final = ("time", "point", "value", "quality")
_QUALITY: Final = " quality"  # after the name of a point: the column with its quality, in the wide form


class CsvWriter:
    """Write one row a reading: time, point, value, quality."""

    def __init__(self, path: Path, addresses: Mapping[str, PointAddress], zone: ZoneInfo | None = None) -> None:
        self._path, self._zone = path, zone
        self._addresses = addresses
        self._quoted = {key: _quoted(key) for key in addresses}

    def __enter__(self) -> Self:
        self._part = finished_or_absent(self._path)
        self._file = open_to_write(self._part.__enter__(), self._path.name)
        self._file.write(",".join(HEADER) + "\r\n")
        return self

    def write(self, found: Mapping[str, Series]) -> None:
        """Write readings by point."""
        for key, series in found.items():
            name = self._quoted[key]
            columns = (iso_times(series.time_us, self._zone), series.value.tolist(), series.quality.tolist())
            self._file.write("".join(f"{t},{name},{v!r},{q}\r\n" for t, v, q in zip(*columns, strict=True)))

    def __exit__(self, kind: type[BaseException] | None, *rest: Any) -> None:
        self._file.close()
        self._part.__exit__(kind, *rest)
        if kind is None:
            write_points(self._path, self._addresses)


class WideCsvWriter:
    """Write one row a time: each point has a column for its values and one for their quality."""

    def __init__(self, path: Path, addresses: Mapping[str, PointAddress], zone: ZoneInfo | None = None) -> None:
        self._path, self._zone = path, zone
        self._addresses = addresses
        odd = next((key for key in addresses if key.endswith(_QUALITY)), None)
        if odd is not None:
            raise ValueError(f"a table cannot hold {odd!r}, which reads like the quality of a point; export as csv")

    def __enter__(self) -> Self:
        self._part = finished_or_absent(self._path)
        self._file = open_to_write(self._part.__enter__(), self._path.name)
        names = [name for key in self._addresses for name in (_quoted(key), _quoted(key + _QUALITY))]
        self._file.write(",".join(["time", *names]) + "\r\n")
        return self

    def write(self, found: Mapping[str, Series]) -> None:
        """Write a stretch of time of all points."""
        times = np.unique(np.concatenate([series.time_us for series in found.values()]))
        columns = [iso_times(times, self._zone)]
        for key in self._addresses:
            series = found.get(key)
            values, qualities = [""] * len(times), [""] * len(times)
            if series is not None:
                places = np.searchsorted(times, series.time_us).tolist()
                for place, v, q in zip(places, series.value.tolist(), series.quality.tolist(), strict=True):
                    values[place], qualities[place] = repr(v), str(q)
            columns += [values, qualities]
        self._file.write("".join(",".join(row) + "\r\n" for row in zip(*columns, strict=True)))

    def __exit__(self, kind: type[BaseException] | None, *rest: Any) -> None:
        self._file.close()
        self._part.__exit__(kind, *rest)
        if kind is None:
            write_points(self._path, self._addresses)


def points_file(path: Path) -> Path:
    """Return the name of the file beside a CSV file that says where its points belong."""
    return path.with_name(path.name.removesuffix(".gz").removesuffix(".csv") + ".points.csv")


def write_points(path: Path, addresses: Mapping[str, PointAddress]) -> None:
    """Write where the points of a CSV file belong, beside it."""
    with finished_or_absent(points_file(path)) as part, part.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(ADDRESS)
        rows.writerows(astuple(address) for address in addresses.values())


def read_points(path: Path) -> dict[str, PointAddress]:
    """Return where the points of a CSV file belong, if the file beside it says so; ConfigurationError if it is odd."""
    beside = points_file(path)
    if not beside.exists() or beside == path:
        return {}
    with beside.open(encoding="utf-8-sig", newline="") as file:
        header, *rows = list(csv.reader(file)) or [[]]
    if tuple(header) != ADDRESS or any(len(row) != len(ADDRESS) for row in rows):
        raise ConfigurationError(
            [Problem(str(beside), 1, "", f"its columns must be {','.join(ADDRESS)}; mend it, or move it away")]
        )
    addresses = (PointAddress(*row) for row in rows)
    return {address.key: address for address in addresses}


@dataclass
class CsvReader:
    """
    Read CSV of either form; which one it is, the header says.

    `zone` is that of times without one; times after `latest_us` are wrong. [µs] ConfigurationError if the header fits
    neither form.
    """

    path: Path
    names: Names
    zone: ZoneInfo | None = None
    latest_us: int = LAST_US

    def __iter__(self) -> Iterator[Chunk]:
        with CountedText(self.path) as text:
            rows = _Rows(text.lines())
            header = next(iter(rows), None)
            parse = self._form(header[1] if header is not None and not isinstance(header[1], _NoCsv) else [])
            while some := list(islice(rows, CHUNK_ROWS)):
                yield parse(some, text.done)

    def _form(self, header: list[str]) -> Any:
        lower = [name.strip().lower() for name in header]
        if {"time", "point", "value"} <= set(lower):
            places = [lower.index(name) for name in HEADER if name in lower]
            return lambda some, done: self._long(some, done, len(header), places)
        if lower[:1] == ["time"] and len(header) > 1:
            return self._wide_form(header)
        raise ConfigurationError(
            [
                Problem(
                    str(self.path),
                    1,
                    "",
                    f"the header {','.join(header)[:80]!r} fits no form; write time,point,value,quality, or time "
                    "and then one column a point, such as tx1/load",
                )
            ]
        )

    def _long(self, some: list[tuple[int, list[str] | _NoCsv]], done: float, width: int, places: list[int]) -> Chunk:
        quick = self._all_at_once([row for _, row in some], width, places)
        if quick is not None:
            return Chunk(self.names.batch(*quick), (), done)
        taken: list[Row] = []
        bad: list[BadRow] = []
        for line, row in some:
            try:
                if isinstance(row, _NoCsv):
                    raise ValueError(row.words)
                if len(row) != width:
                    raise ValueError(f"{len(row)} fields where the header has {width}; mend the row")
                time, point, value, *quality = (row[place] for place in places)
                taken.append(
                    (
                        self.names.number(point),
                        checked_time(read_time(time, self.zone), time, self.latest_us),
                        checked_value(value),
                        checked_quality(quality[0]) if quality else 0,
                    )
                )
            except ValueError as error:
                bad.append(self._bad(line, row, error))
        return Chunk(self.names.batch(*columns_of(taken)), tuple(bad), done)

    def _all_at_once(self, rows: Sequence[Any], width: int, places: list[int]) -> Any:
        """Return the columns of rows with nothing wrong, or None: then each row is looked at."""
        if not all(type(row) is list and len(row) == width for row in rows):
            return None
        time, point, value, *quality = ([row[place] for row in rows] for place in places)
        time_us = read_times(time)
        if time_us is None or bool(((time_us < FIRST_US) | (time_us > self.latest_us)).any()):
            return None
        if any("_" in text for text in value):
            return None  # Python reads 1_000 as a number, nobody else does
        try:
            values = np.array(list(map(float, value)))
            qualities = np.array(list(map(int, quality[0])) if quality else np.zeros(len(rows)), np.int64)
            index = np.array([self.names.number(key) for key in point], np.int32)
        except (ValueError, OverflowError):
            return None
        if not bool(np.isfinite(values).all() and ((qualities >= 0) & (qualities <= 255)).all()):
            return None
        return index, time_us, values, qualities.astype(np.uint8)

    def _wide_form(self, header: list[str]) -> Any:
        place_of = {name: place for place, name in enumerate(header)}
        if len(place_of) != len(header):
            raise self._wrong_header("two columns have one name; give each point one column")
        points = [
            name for name in header[1:] if not (name.endswith(_QUALITY) and name.removesuffix(_QUALITY) in place_of)
        ]
        try:
            numbers = [self.names.number(name) for name in points]
        except ValueError as error:
            raise self._wrong_header(str(error)) from None
        columns = [
            (number, place_of[name], place_of.get(name + _QUALITY), name)
            for number, name in zip(numbers, points, strict=True)
        ]
        return lambda some, done: self._wide(some, done, len(header), columns)

    def _wide(
        self,
        some: list[tuple[int, list[str] | _NoCsv]],
        done: float,
        width: int,
        columns: list[tuple[int, int, int | None, str]],
    ) -> Chunk:
        taken: list[Row] = []
        bad: list[BadRow] = []
        for line, row in some:
            try:
                if isinstance(row, _NoCsv):
                    raise ValueError(row.words)
                if len(row) != width:
                    raise ValueError(f"{len(row)} fields where the header has {width}; mend the row")
                time_us = checked_time(read_time(row[0], self.zone), row[0], self.latest_us)
                # Of a row that is wrong anywhere nothing is taken, so that it can be mended and sent again.
                taken += [
                    (number, time_us, checked_value(row[value], name), _quality_in(row, quality))
                    for number, value, quality, name in columns
                    if row[value].strip()
                ]
            except ValueError as error:
                bad.append(self._bad(line, row, error))
        return Chunk(self.names.batch(*columns_of(taken)), tuple(bad), done)

    def _bad(self, line: int, row: list[str] | _NoCsv, error: ValueError) -> BadRow:
        text = row.text if isinstance(row, _NoCsv) else ",".join(map(_quoted, row))
        return BadRow(str(self.path), line, str(error), text)

    def _wrong_header(self, words: str) -> ConfigurationError:
        return ConfigurationError([Problem(str(self.path), 1, "", words)])


def _quality_in(row: list[str], place: int | None) -> int:
    return checked_quality(row[place]) if place is not None and row[place].strip() else 0


@dataclass(frozen=True, slots=True)
class _NoCsv:
    """A line that is no CSV, and why."""

    text: str
    words: str


class _Rows:
    """Rows with the line on which each begins. A line that is no CSV, by an open quote, spoils none after it."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._coming = lines
        self._again: deque[str] = deque()  # lines that a broken row has swallowed
        self._taken: list[str] = []  # by the row that is being read
        self._line = 1
        self._rows = csv.reader(self._lines(), strict=True)

    def _lines(self) -> Iterator[str]:
        while line := self._again.popleft() if self._again else next(self._coming, ""):
            self._taken.append(line)
            yield line

    def __iter__(self) -> Iterator[tuple[int, list[str] | _NoCsv]]:
        return self

    def __next__(self) -> tuple[int, list[str] | _NoCsv]:
        while True:
            self._taken.clear()
            begin = self._line
            try:
                row = next(self._rows)
            except csv.Error as error:
                first, *rest = self._taken
                self._again.extendleft(reversed(rest))
                self._rows = csv.reader(self._lines(), strict=True)
                self._line += 1
                words = f"this is no CSV ({error}); close the quotes, and double those inside a name"
                return begin, _NoCsv(first.rstrip("\r\n"), words)
            self._line += len(self._taken)
            if row:
                return begin, row


def _quoted(field: str) -> str:
    """Return a field as RFC 4180 writes it."""
    if any(letter in field for letter in ',"\r\n') or field != field.strip():
        return '"' + field.replace('"', '""') + '"'
    return field
