"""Readings as Parquet: one row a reading, packed by column."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from facility.errors import ConfigurationError, Problem
from facility.readings import PointAddress, Series
from facility.store.exchange.chunks import (
    FIRST_US,
    LAST_US,
    BadRow,
    Chunk,
    Names,
    Row,
    checked_quality,
    checked_time,
    checked_value,
    columns_of,
    describe,
    described,
    finished_or_absent,
)

_GROUP_ROWS: Final = 500_000
_BATCH_ROWS: Final = 100_000
_POINTS: Final = b"wardwatt.points"  # in the file's own remarks: where the points belong
_PER_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_SCHEMA: Final = pa.schema(
    [
        pa.field("time", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("point", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
        pa.field("quality", pa.uint8(), nullable=False),
    ]
)


class ParquetWriter:
    """Write columns time, point, value and quality, with where the points belong in the file's remarks."""

    def __init__(self, path: Path, addresses: Mapping[str, PointAddress]) -> None:
        self._path = path
        self._points = pa.array(list(addresses), pa.string())
        self._index = {key: i for i, key in enumerate(addresses)}
        self._schema = _SCHEMA.with_metadata(
            {_POINTS: json.dumps([describe(address) for address in addresses.values()]).encode()}
        )
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0

    def __enter__(self) -> Self:
        self._part = finished_or_absent(self._path)
        self._file = pq.ParquetWriter(
            self._part.__enter__(),
            self._schema,
            compression="zstd",
            use_dictionary=["point"],
            column_encoding={"time": "DELTA_BINARY_PACKED"},
        )
        return self

    def write(self, found: Mapping[str, Series]) -> None:
        """Write readings by point."""
        held = {key: series for key, series in found.items() if len(series)}
        if not held:
            return
        which = np.repeat(
            np.array([self._index[key] for key in held], np.int32), [len(series) for series in held.values()]
        )
        columns = [
            pa.array(np.concatenate([s.time_us for s in held.values()])).view(pa.timestamp("us", "UTC")),
            pa.DictionaryArray.from_arrays(pa.array(which), self._points),
            pa.array(np.concatenate([s.value for s in held.values()])),
            pa.array(np.concatenate([s.quality for s in held.values()])),
        ]
        self._waiting.append(pa.RecordBatch.from_arrays(columns, schema=self._schema))
        self._rows += len(which)
        if self._rows >= _GROUP_ROWS:
            self._put()

    def _put(self) -> None:
        if self._waiting:
            self._file.write_table(pa.Table.from_batches(self._waiting), row_group_size=2 * _GROUP_ROWS)
        self._waiting, self._rows = [], 0

    def __exit__(self, kind: type[BaseException] | None, *rest: Any) -> None:
        try:
            if kind is None:
                self._put()
        finally:
            self._file.close()
            self._part.__exit__(kind, *rest)


@dataclass
class ParquetReader:
    """
    Read columns time, point, value and, if it is there, quality; other columns are left.

    Times after `latest_us` are wrong. [µs] ConfigurationError if the file is no Parquet or lacks a column.
    """

    path: Path
    names: Names
    latest_us: int = LAST_US

    def __iter__(self) -> Iterator[Chunk]:
        try:
            with pq.ParquetFile(self.path) as file:
                columns = self._columns(file.schema_arrow)
                self._learn((file.schema_arrow.metadata or {}).get(_POINTS))
                total, row = max(1, file.metadata.num_rows), 1
                for part in file.iter_batches(batch_size=_BATCH_ROWS, columns=columns):
                    yield self._chunk(part, row, min(1.0, (row + len(part)) / total))
                    row += len(part)
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise self._wrong(f"this is no Parquet file, or it is damaged ({error}); export it again") from error

    def _columns(self, schema: pa.Schema) -> list[str]:
        lacking = [name for name in ("time", "point", "value") if name not in schema.names]
        if lacking:
            raise self._wrong(f"it has no column {', '.join(lacking)}; name them time, point, value and quality")
        if not pa.types.is_timestamp(schema.field("time").type) or schema.field("time").type.tz is None:
            raise self._wrong(f"time is {schema.field('time').type}; write it as a timestamp with a zone")
        for name in ("point", "value", "quality"):
            kind = schema.field(name).type if name in schema.names else _SCHEMA.field(name).type
            if pa.types.is_nested(kind) or pa.types.is_temporal(kind):
                raise self._wrong(f"{name} is {kind}; write point as text, value and quality as numbers")
        return [name for name in _SCHEMA.names if name in schema.names]

    def _learn(self, remarks: bytes | None) -> None:
        try:
            told = json.loads(remarks) if remarks else []
        except ValueError:
            told = []  # somebody else's: then the points belong nowhere yet
        for text in told if isinstance(told, list) else ():
            address = described(text)
            if address is not None:
                self.names.known.setdefault(address.key, address)

    def _chunk(self, part: pa.RecordBatch, row: int, done: float) -> Chunk:
        quick = self._all_at_once(part)
        if quick is not None:
            return Chunk(self.names.batch(*quick), (), done)
        taken: list[Row] = []
        bad: list[BadRow] = []
        # A time may be none that Python knows, so it is not among what is unpacked.
        for i, told in enumerate(part.drop_columns(["time"]).to_pylist()):
            moment = part.column("time")[i]
            told["time"] = _shown(moment)
            try:
                taken.append(
                    (
                        self.names.number(str(told["point"] or "")),
                        checked_time(_microseconds(moment), told["time"], self.latest_us),
                        checked_value("" if told["value"] is None else repr(float(told["value"]))),
                        checked_quality(str(told.get("quality") or 0)),
                    )
                )
            except (ValueError, TypeError) as error:
                bad.append(BadRow(str(self.path), row + i, f"row {row + i}: {error}", str(told)))
        return Chunk(self.names.batch(*columns_of(taken)), tuple(bad), done)

    def _all_at_once(
        self, part: pa.RecordBatch
    ) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float64], NDArray[np.uint8]] | None:
        """Return the columns of rows with nothing wrong, or None: then each row is looked at."""
        if any(column.null_count for column in part.columns):
            return None
        try:
            time_us = part.column("time").cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy(False)
            point = part.column("point")
            if not pa.types.is_dictionary(point.type):
                point = pc.dictionary_encode(point)
            value = part.column("value").cast(pa.float64()).to_numpy(False)
            quality = (
                part.column("quality").cast(pa.uint8()).to_numpy(False)
                if "quality" in part.schema.names
                else np.zeros(len(part), np.uint8)
            )
            used = np.unique(which := point.indices.to_numpy(False))
            numbers = np.zeros(len(point.dictionary), np.int32)
            numbers[used] = [self.names.number(str(point.dictionary[i])) for i in used.tolist()]
        except (pa.ArrowInvalid, ValueError):
            return None
        sound = (time_us >= FIRST_US) & (time_us <= self.latest_us) & np.isfinite(value)
        return (numbers[which], time_us, value, quality) if bool(sound.all()) else None

    def _wrong(self, words: str) -> ConfigurationError:
        return ConfigurationError([Problem(str(self.path), 0, "", words)])


def _microseconds(moment: pa.Scalar) -> int:
    if not moment.is_valid:
        raise ValueError("time is missing; leave out rows without a time")
    # By Python's numbers, which have no end: a cast would go round, and be a wrong time.
    return int(moment.value) * _PER_SECOND["us"] // _PER_SECOND[moment.type.unit]


def _shown(moment: pa.Scalar) -> str:
    """Return a time as text, if need be as the number it is: not every one is a date that Python knows."""
    if not moment.is_valid:
        return ""
    try:
        return str(moment.as_py())
    except (OverflowError, ValueError):
        return f"{moment.value} {moment.type.unit}"
