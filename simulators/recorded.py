"""
Recorded data: a CSV file and the small mapping file that says which column is which point.

The mapping is YAML that an engineer writes:

    time: datetime                       # or {column: datetime, zone: Europe/Moscow, format: "%d.%m.%Y %H:%M:%S"}
    columns:
      Pressure: {point: outlet_pressure, unit: bar}
      Current: current
"""

from __future__ import annotations

import csv
import gzip
import io
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter

from facility.documents import Document, read_document, validate
from facility.errors import ConfigurationError, Problem
from facility.site import Equipment
from facility.units import canonical_unit, conversion
from facility.wording import nearest

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIME_NAMES: Final = ("time", "timestamp", "datetime", "date", "ts")
_DELIMITERS: Final = ";,\t|"
_LONGEST_LINE: Final = 1_000_000


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"time zone {text!r} is not known{nearest(text, available_timezones())}") from None
    return text


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TimeColumn(_Strict):
    """Where a row's time stands; without `zone` it is the site's, without `format` ISO 8601 or a number of seconds."""

    column: str
    zone: Annotated[str, AfterValidator(_zone)] | None = None
    format: str | None = None


class Column(_Strict):
    """Which point a column is, and how its numbers become the point's unit: `y = x * scale + offset`."""

    point: str
    unit: Annotated[str, AfterValidator(canonical_unit)] | None = None
    scale: float = 1.0
    offset: float = 0.0


def _time_column(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


def _column(value: Any) -> Any:
    return {"point": value} if isinstance(value, str) else value


class RecordingMapping(_Strict):
    """A mapping file, as it stands."""

    time: Annotated[TimeColumn, BeforeValidator(_time_column)]
    columns: Annotated[Mapping[str, Annotated[Column, BeforeValidator(_column)]], Field(min_length=1)]
    decimal: Literal[".", ","] = "."


_MAPPING: Final = TypeAdapter(RecordingMapping)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its line in the file, its time, and the values that stand in it, in the units of the points."""

    line: int
    time_us: int
    values: Mapping[str, float]  # by point
    unreadable: tuple[str, ...]  # columns whose text is no number


@dataclass(frozen=True, slots=True)
class _Source:
    """Where one point comes from: its place in the row, and y = x * scale + offset."""

    index: int
    column: str
    point: str
    scale: float
    offset: float


@dataclass(frozen=True)
class Recording:
    """
    A recorded file that fits a machine: checked up to its header, read row by row.

    Attributes
    ----------
    path : the file
    sources : where each point comes from
    left_out : columns that the mapping does not name
    """

    path: Path
    delimiter: str
    decimal: str
    time_index: int
    zone: ZoneInfo
    time_format: str | None
    sources: tuple[_Source, ...]
    left_out: tuple[str, ...]

    def rows(self) -> Iterator[Row | str]:
        """Yield every row that has a time; for one that has none, yield what is wrong with it."""
        with _open(self.path) as file:
            reader = csv.reader(_limited(file), delimiter=self.delimiter)
            next(reader, None)
            for cells in reader:
                if cells:
                    yield self._row(reader.line_num, cells)

    def _row(self, line: int, cells: list[str]) -> Row | str:
        text = cells[self.time_index].strip() if self.time_index < len(cells) else ""
        try:
            time_us = parse_time(text, self.zone, self.time_format)
        except ValueError as error:
            return f"line {line}: {error}"
        values: dict[str, float] = {}
        unreadable: list[str] = []
        for source in self.sources:
            cell = cells[source.index].strip() if source.index < len(cells) else ""
            if not cell:
                continue
            try:
                number = float(cell.replace(self.decimal, ".") if self.decimal != "." else cell)
            except ValueError:
                unreadable.append(source.column)
                continue
            # NaN and infinity are how loggers write a missing value.
            if math.isfinite(number):
                values[source.point] = number * source.scale + source.offset
        return Row(line, time_us, values, tuple(unreadable))


def parse_time(text: str, zone: ZoneInfo, time_format: str | None = None) -> int:
    """
    Read a time: ISO 8601, a number since 1970 (s, ms or µs, told apart by its size), or by a `strptime` format.

    A time without a zone of its own is in `zone`. Returns microseconds since 1970 UTC, exact; ValueError if it is none.
    """
    if time_format is None and text.replace(".", "", 1).isdecimal():
        return _since_1970(text)
    try:
        moment = datetime.strptime(text, time_format) if time_format else datetime.fromisoformat(text)  # noqa: DTZ007
    except ValueError:
        wanted = f"in the form {time_format!r}" if time_format else "such as '2026-03-02 10:20:00'"
        raise ValueError(f"{text!r} is no time {wanted}; say how times look with time: {{format: ...}}") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _since_1970(text: str) -> int:
    whole, _, fraction = text.partition(".")
    # 1e11 seconds lie in the year 5138, 1e11 milliseconds in 1973; no plant has data from either side of that.
    digits = 6 if len(whole) <= 11 else 3 if len(whole) <= 14 else 0
    return int(whole + (fraction + "000000")[:digits])


def read_mapping(path: Path) -> RecordingMapping:
    """Read a mapping file; ConfigurationError tells every mistake in it."""
    document = read_document(path)
    value, problems = (None, []) if document.data is None else validate(_MAPPING, document.data, document, ())
    if document.problems or problems:
        raise ConfigurationError([*document.problems, *problems])
    assert isinstance(value, RecordingMapping)
    return value


def open_recording(path: Path, mapping_path: Path | None, equipment: Equipment, zone: ZoneInfo) -> Recording:
    """
    Check a recording and its mapping against a machine.

    Without a mapping, columns are points by their own names, in the points' units, and the time is in a column called
    time, timestamp, datetime, date or ts.

    Raises
    ------
    ConfigurationError
        With every mistake: a column that the file lacks, a point that the machine lacks, a unit that does not fit.
    """
    header, delimiter = _read_header(path)
    measured = {name: spec.unit for name, spec in equipment.points.items() if spec.kind != "derived"}
    document = Document(str(path), None)
    if mapping_path is not None:
        mapping = read_mapping(mapping_path)
        document = read_document(mapping_path)
    else:
        mapping = _guess(header, measured, path)
    problems: list[Problem] = []
    if mapping.time.column not in header:
        what = f"the file has no column {mapping.time.column!r}{nearest(mapping.time.column, header)}"
        problems.append(document.problem(("time",), what))
    sources: list[_Source] = []
    taken: dict[str, str] = {}
    for name, column in mapping.columns.items():
        place = ("columns", name)
        if name not in header:
            problems.append(document.problem(place, f"the file has no column {name!r}{nearest(name, header)}"))
        if column.point not in measured:
            what = f"{column.point!r} is not a measured point of {equipment.id!r}{nearest(column.point, measured)}"
            problems.append(document.problem(place, what))
            continue
        if column.point in taken:
            what = f"{column.point!r} is column {taken[column.point]!r} already; each point has one column"
            problems.append(document.problem(place, what))
        taken[column.point] = name
        try:
            scale, offset = conversion(column.unit or measured[column.point], measured[column.point])
        except ValueError as error:
            problems.append(document.problem((*place, "unit"), str(error)))
            continue
        if name in header:
            # First the column's own scale and offset, then the unit.
            offset += column.offset * scale
            sources.append(_Source(header.index(name), name, column.point, column.scale * scale, offset))
    if problems:
        raise ConfigurationError(problems)
    named = {mapping.time.column, *mapping.columns}
    return Recording(
        path=path,
        delimiter=delimiter,
        decimal=mapping.decimal,
        time_index=header.index(mapping.time.column),
        zone=ZoneInfo(mapping.time.zone) if mapping.time.zone else zone,
        time_format=mapping.time.format,
        sources=tuple(sources),
        left_out=tuple(name for name in header if name not in named),
    )


def _guess(header: list[str], measured: Mapping[str, str], path: Path) -> RecordingMapping:
    time = next((name for name in header if name.strip().lower() in _TIME_NAMES), None)
    columns = {name: Column(point=name) for name in header if name in measured}
    if time is None or not columns:
        what = (
            f"no column is called {' or '.join(_TIME_NAMES)}"
            if time is None
            else "no column has the name of a point of this machine"
        )
        raise ConfigurationError([Problem(str(path), 1, "header", f"{what}; write a mapping file and name it")])
    return RecordingMapping(time=TimeColumn(column=time), columns=columns)


def _read_header(path: Path) -> tuple[list[str], str]:
    try:
        with _open(path) as file:
            line = next(iter(_limited(file)), "")
    except (OSError, UnicodeDecodeError, EOFError) as error:
        what = f"the file cannot be read as CSV in UTF-8 ({error}); check its name, rights and encoding"
        raise ConfigurationError([Problem(str(path), 0, "", what)]) from None
    delimiter = max(_DELIMITERS, key=line.count)
    header = [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]
    if len(header) < 2 or any(not name for name in header[:2]):
        what = "the first line is no header of two or more columns; its columns must be named, parted by ; or ,"
        raise ConfigurationError([Problem(str(path), 1, "header", what)])
    double = next((name for i, name in enumerate(header) if name in header[:i]), None)
    if double is not None:
        what = f"column {double!r} stands twice; rename one of them"
        raise ConfigurationError([Problem(str(path), 1, "header", what)])
    return header, delimiter


@contextmanager
def _open(path: Path) -> Iterator[io.TextIOBase]:
    if path.suffix == ".gz":
        with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
            yield file
    else:
        with path.open(encoding="utf-8-sig", newline="") as plain:
            yield plain


def _limited(file: io.TextIOBase) -> Iterator[str]:
    """Yield lines; a line without end, as a binary file has it, must not fill the memory."""
    while line := file.readline(_LONGEST_LINE):
        yield line
