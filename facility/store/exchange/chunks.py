"""What readers and writers of files have in common: chunks of readings, names of points, and rows that are wrong."""

from __future__ import annotations

import gzip
import io
import json
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path
from typing import IO, Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from facility.errors import ConfigurationError, Problem
from facility.readings import PointAddress, PointTable, ReadingBatch, Series
from facility.wording import nearest

# InfluxDB holds the years 1677 to 2262; a file whose times lie outside could go into only one of the keepers.
FIRST_US: Final = -9_223_372_036_854_775
LAST_US: Final = 9_223_372_036_854_775
CHUNK_ROWS: Final = 50_000
_LONGEST_LINE: Final = 1 << 20  # longer than any row of readings: what never ends must not fill the memory
ADDRESS: Final = tuple(field.name for field in fields(PointAddress))  # what is told of a point


@dataclass(frozen=True, slots=True)
class BadRow:
    """One row that cannot be taken: where it stands, what is wrong with it, and the row itself."""

    file: str
    line: int  # 1-based; of Parquet the row
    words: str  # value and mend in one sentence
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.words}"


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """
    Some rows of a file.

    Attributes
    ----------
    batch : ReadingBatch
        The readings that can be taken.
    bad : the rows that cannot
    done : share of the file that has been read, 0 to 1
    """

    batch: ReadingBatch
    bad: tuple[BadRow, ...]
    done: float


class Reader(Protocol):
    """Reads one file in chunks, so that its size does not matter."""

    def __iter__(self) -> Iterator[Chunk]: ...


class Writer(Protocol):
    """Writes one file; what `write` is given comes point by point, each oldest first."""

    def write(self, found: Mapping[str, Series]) -> None:
        """Write readings by point."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None: ...


@dataclass
class Names:
    """
    The points of a file in the order in which they turn up.

    `known` says where points belong; with `only_known` another name is wrong.
    """

    known: dict[str, PointAddress] = field(default_factory=dict)
    only_known: bool = False
    index: dict[str, int] = field(default_factory=dict)
    _table: PointTable = field(default_factory=lambda: PointTable(()))

    def number(self, key: str) -> int:
        """Return the index of a point in the table; ValueError if it is no name of a point."""
        number = self.index.get(key)
        if number is None:
            equipment, slash, point = key.partition("/")
            if not (equipment and slash and point):
                raise ValueError(f"{key!r} names no point; write equipment/point, such as tx1/load")
            if any("\ud800" <= letter <= "\udfff" for letter in key):
                raise ValueError(f"{key!r} is not UTF-8; save the file as UTF-8")
            if self.only_known and key not in self.known:
                raise ValueError(f"{key!r} is not a point of the site{nearest(key, self.known)}")
            number = self.index[key] = len(self.index)
        return number

    def table(self) -> PointTable:
        """Return the table of all points so far; the same one, as long as no new point has turned up."""
        if len(self._table) != len(self.index):
            bare = PointTable.of_keys(self.index).addresses
            self._table = PointTable(tuple(self.known.get(address.key, address) for address in bare))
        return self._table

    def batch(
        self,
        point: NDArray[np.int32],
        time_us: NDArray[np.int64],
        value: NDArray[np.float64],
        quality: NDArray[np.uint8],
    ) -> ReadingBatch:
        """Return readings of these points as a batch."""
        return ReadingBatch(self.table(), point, time_us, value, quality)


@contextmanager
def finished_or_absent(path: Path) -> Iterator[Path]:
    """Give a name to write to; the file gets its own name at the end, synced, and is gone if anything goes wrong."""
    part = path.with_name(f"{path.name}.part-{os.getpid()}")
    try:
        yield part
        with part.open("rb+") as written:
            os.fsync(written.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def open_to_write(part: Path, name: str) -> IO[str]:
    """Open a text file; it is compressed if its final name ends in .gz."""
    if name.endswith(".gz"):
        # Level 6 is the tool's own; 9 takes thrice the time for a hundredth of the room.
        return io.TextIOWrapper(gzip.open(part, "wb", 6), encoding="utf-8", newline="")
    return part.open("w", encoding="utf-8", newline="")


@dataclass
class CountedText:
    """A text file, compressed or not, that knows how much of it has been read."""

    path: Path

    def __enter__(self) -> Self:
        self._raw = self.path.open("rb")
        self._size = max(1, self.path.stat().st_size)
        packed = self.path.name.endswith(".gz")
        plain = gzip.GzipFile(fileobj=self._raw) if packed else self._raw
        # What is no UTF-8 must reach the check of its row, which names the line.
        self._text = io.TextIOWrapper(plain, "utf-8-sig", "surrogateescape", newline="")
        return self

    def __exit__(self, *_: object) -> None:
        self._text.close()
        self._raw.close()

    def lines(self) -> Iterator[str]:
        """Yield the lines; ConfigurationError if the file is cut short, not packed, or holds a line without end."""
        number = 0
        while True:
            number += 1
            try:
                line = self._text.readline(_LONGEST_LINE + 1)
            except EOFError:
                raise self._wrong(number, "the file is cut short; copy it again") from None
            except (gzip.BadGzipFile, zlib.error) as error:
                words = f"this is no .gz file, or it is damaged ({error}); name it as what it is, or copy it again"
                raise self._wrong(number, words) from None
            if not line:
                return
            if len(line) > _LONGEST_LINE:
                words = f"the line is longer than {_LONGEST_LINE:,} characters; give each reading a line of its own"
                raise self._wrong(number, words)
            yield line

    def _wrong(self, line: int, words: str) -> ConfigurationError:
        return ConfigurationError([Problem(str(self.path), line, "", words)])

    @property
    def done(self) -> float:
        """Return the share of the file that has been read, 0 to 1."""
        return min(1.0, self._raw.tell() / self._size)


def checked_time(time_us: int, text: str, latest_us: int = LAST_US) -> int:
    """Return a time that both keepers can hold; ValueError if it is none."""
    if not FIRST_US <= time_us <= LAST_US:
        raise ValueError(f"time {text!r} lies outside the years 1677 to 2262; check its unit")
    if time_us > latest_us:
        raise ValueError(f"time {text!r} lies in the future; check the year, the unit and the zone")
    return time_us


def checked_value(text: str, column: str = "value") -> float:
    """Return a finite number; ValueError if the text is none."""
    try:
        value = float("" if "_" in text else text)  # Python reads 1_000 as a number, nobody else does
    except ValueError:
        raise ValueError(
            f"{column} {text!r} is not a number; write it like 231.5, and leave out missing ones"
        ) from None
    if not np.isfinite(value):
        raise ValueError(f"{column} {text!r} is not a reading; leave out rows without a value")
    return value


def checked_quality(text: str) -> int:
    """Return the bits of a quality; ValueError if the text is none."""
    try:
        quality = int(text)
    except ValueError:
        quality = -1
    if not 0 <= quality <= 255:
        raise ValueError(f"quality {text!r} is none; write 0 for good, or the sum of the bits, up to 255")
    return quality


Row = tuple[int, int, float, int]  # index of the point, time [µs], value, quality


def columns_of(
    rows: Sequence[Row],
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float64], NDArray[np.uint8]]:
    """Return rows as the columns of a batch."""
    point, time_us, value, quality = zip(*rows, strict=True) if rows else ((), (), (), ())
    return (
        np.array(point, np.int32),
        np.array(time_us, np.int64),
        np.array(value, np.float64),
        np.array(quality, np.uint8),
    )


def describe(address: PointAddress) -> str:
    """Return an address as one line of JSON, for formats that can carry a remark."""
    return json.dumps(dict(zip(ADDRESS, astuple(address), strict=True)), ensure_ascii=True)


def described(text: str) -> PointAddress | None:
    """Return the address that `describe` wrote, or None if the text is none."""
    try:
        told = json.loads(text)
        return PointAddress(**{name: str(told.get(name, "")) for name in ADDRESS})
    except (ValueError, TypeError, AttributeError):
        return None
