"""Exporting readings to a file of any form, and importing them from one."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo

from facility.errors import ConfigurationError, Problem, StoreUnavailable
from facility.readings import PointAddress, ReadingBatch
from facility.store.contract import PointsRefused
from facility.store.exchange.chunks import LAST_US, BadRow, Chunk, Names, Reader, Writer
from facility.store.exchange.csv_rows import CsvReader, CsvWriter, WideCsvWriter, read_points
from facility.store.exchange.line_protocol import LineProtocolReader, LineProtocolWriter
from facility.store.exchange.parquet import ParquetReader, ParquetWriter
from facility.store.fingerprint import Fingerprint, fingerprint, whole
from facility.store.transfer import Progress, ReadingSource, Selection, counts_of, slices

Format = Literal["csv", "wide", "parquet", "line"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
_ENDINGS: Final[Mapping[str, Format]] = {
    ".csv": "csv", ".csv.gz": "csv", ".parquet": "parquet", ".lp": "line", ".lp.gz": "line", ".line": "line",
    ".line.gz": "line",
}  # fmt: skip
_MOST_COLUMNS: Final = 200
_MOST_KEPT: Final = 1000  # mistakes that are told; all are counted
_PATIENCE_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote: points, and the fingerprint of all readings."""

    points: int
    whole: Fingerprint


@dataclass(slots=True)
class Imported:
    """What an import found, and stored."""

    readings: int = 0
    bad: int = 0
    mistakes: list[BadRow] = field(default_factory=list)  # the first of them
    refused: dict[str, str] = field(default_factory=dict)
    points: int = 0


def format_of(path: Path, named: str | None = None) -> Format:
    """Return the form of a file: the one named, else by the file's ending. ValueError if neither says."""
    if named is not None:
        for known in FORMATS:
            if named == known:
                return known
        raise ValueError(f"--format {named!r} is none; write one of {', '.join(FORMATS)}")
    for ending, known in _ENDINGS.items():
        if path.name.lower().endswith(ending):
            return known
    raise ValueError(f"{path.name}: its ending says no form; say --format {', '.join(FORMATS)}, or end it in .csv")


def export(
    source: ReadingSource,
    selection: Selection,
    path: Path,
    form: Format,
    zone: ZoneInfo | None = None,
    progress: Progress = lambda *_: None,
) -> Exported:
    """
    Write a selection of readings to a file, which appears under its name only when it is whole.

    ValueError if a table with one column a point would have more than 200.
    """
    counted = counts_of(source, selection)
    addresses = {key: selection.addresses[key] for key, count in counted.items() if count}
    if form == "wide" and len(addresses) > _MOST_COLUMNS:
        raise ValueError(
            f"a table of {len(addresses)} points is too wide; choose up to {_MOST_COLUMNS} with --points, or csv"
        )
    total, done = sum(counted.values()), 0
    found: dict[str, Fingerprint] = defaultdict(Fingerprint)
    with _writer(path, form, addresses, zone) as file:
        for part in slices(source, selection, counted, together=form == "wide"):
            read = source.series(part.keys, part.start_us, part.end_us)
            # What a running service has taken in meanwhile may be of a point that had nothing.
            read = {key: series for key, series in read.items() if key in addresses}
            file.write(read)
            for key, series in read.items():
                found[key] += fingerprint(series)
                done += len(series)
            progress(done, total, "Exporting")
    return Exported(len(addresses), whole(found))


def _writer(path: Path, form: Format, addresses: Mapping[str, PointAddress], zone: ZoneInfo | None) -> Writer:
    match form:
        case "csv":
            return CsvWriter(path, addresses, zone)
        case "wide":
            return WideCsvWriter(path, addresses, zone)
        case "parquet":
            return ParquetWriter(path, addresses)
        case "line":
            return LineProtocolWriter(path, addresses)


@dataclass(frozen=True, slots=True)
class Origin:
    """
    A file to import, and how to understand it.

    Attributes
    ----------
    path, form : the file
    known : where points belong, by name: the site's; what the file itself says fills in
    only_known : another point is a mistake
    zone : of times without one
    precision : unit of times in line protocol that does not say it
    latest_us : later times are mistakes [µs]
    """

    path: Path
    form: Format
    known: Mapping[str, PointAddress] = field(default_factory=dict)
    only_known: bool = False
    zone: ZoneInfo | None = None
    precision: str = "ns"
    latest_us: int = LAST_US

    def chunks(self) -> Iterator[Chunk]:
        """Read the file; ConfigurationError if it is not of this form."""
        if self.path.is_dir():
            raise ConfigurationError([Problem(str(self.path), 0, "", "this is a folder; name the file in it")])
        names = Names(dict(self.known), self.only_known)
        reader: Reader
        match self.form:
            case "csv" | "wide":
                names.known = read_points(self.path) | names.known
                reader = CsvReader(self.path, names, self.zone, self.latest_us)
            case "parquet":
                reader = ParquetReader(self.path, names, self.latest_us)
            case "line":
                reader = LineProtocolReader(self.path, names, self.precision, self.latest_us)
        return iter(reader)


def load(
    origin: Origin,
    write: Callable[[ReadingBatch], None] | None,
    on_bad: Callable[[BadRow], None] = lambda _: None,
    progress: Callable[[float], None] = lambda _: None,
) -> Imported:
    """
    Read a file row by row and write what can be taken; without `write` it is only checked.

    StoreUnavailable if the store stays away for two minutes; the same import again changes nothing that was stored.
    """
    result = Imported()
    for chunk in origin.chunks():
        result.points = len(chunk.batch.table)
        result.bad += len(chunk.bad)
        result.mistakes += chunk.bad[: max(0, _MOST_KEPT - len(result.mistakes))]
        for row in chunk.bad:
            on_bad(row)
        if write is not None and len(chunk.batch):
            result.refused |= _write(write, chunk.batch)
        result.readings += len(chunk.batch)
        progress(chunk.done)
    return result


def _write(write: Callable[[ReadingBatch], None], batch: ReadingBatch) -> dict[str, str]:
    until_s, wait_s = time.monotonic() + _PATIENCE_S, 0.2
    while True:
        try:
            write(batch)
        except PointsRefused as error:
            return dict.fromkeys(error.keys, error.words)
        except StoreUnavailable:
            if time.monotonic() + wait_s > until_s:
                raise
            time.sleep(wait_s)
            wait_s = min(2 * wait_s, 5.0)
        else:
            return {}


def told_mistakes(mistakes: Sequence[BadRow], count: int) -> str:
    """Return mistakes as they are printed: the first twenty, and how many there are."""
    shown = [str(row) for row in mistakes[:20]]
    more = [f"... and {count - 20} more"] if count > 20 else []
    return "\n".join([*shown, *more])
