"""Readings between the service and a command on this machine: an Arrow stream of columns."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import Any, Final

import numpy as np
import pyarrow as pa

from facility.readings import PointAddress, PointTable, ReadingBatch, Series

MEDIA_TYPE: Final = "application/vnd.apache.arrow.stream"
MOST_READINGS: Final = 1_000_000  # in one answer
MOST_WRITTEN: Final = 20_000  # in one request, which stays well below the service's bound of 1 MiB
_SCHEMA: Final = pa.schema(
    [("point", pa.int32()), ("time_us", pa.int64()), ("value", pa.float64()), ("quality", pa.uint8())]
)
_POINTS: Final = b"points"


def pack_series(keys: Sequence[str], found: Mapping[str, Series]) -> bytes:
    """Return readings by point; a point is its place among `keys`."""
    some = [found[key] for key in keys]
    point = np.repeat(np.arange(len(keys), dtype=np.int32), [len(series) for series in some])
    columns = [np.concatenate([getattr(series, name) for series in some]) for name in ("time_us", "value", "quality")]
    return _packed(_SCHEMA, [point, *columns])


def unpack_series(keys: Sequence[str], data: bytes) -> dict[str, Series]:
    """Return what `pack_series` packed for the same keys."""
    _, point, time_us, value, quality = _unpacked(data)
    ends = np.searchsorted(point, np.arange(len(keys)), side="right").tolist()
    starts = [0, *ends[:-1]]
    return {
        key: Series(time_us[start:end], value[start:end], quality[start:end])
        for key, start, end in zip(keys, starts, ends, strict=True)
    }


def pack_batch(batch: ReadingBatch) -> bytes:
    """Return a batch with the addresses of those points alone that it has readings of."""
    used, point = np.unique(batch.point, return_inverse=True)
    addresses = [list(astuple(batch.table.addresses[i])) for i in used.tolist()]
    schema = _SCHEMA.with_metadata({_POINTS: json.dumps(addresses).encode()})
    return _packed(schema, [point.astype(np.int32), batch.time_us, batch.value, batch.quality])


def unpack_batch(data: bytes) -> ReadingBatch:
    """Return what `pack_batch` packed; ValueError if the bytes are anything else."""
    try:
        told, *columns = _unpacked(data)
        table = PointTable(tuple(PointAddress(*map(str, address)) for address in json.loads(told[_POINTS])))
        return ReadingBatch(table, *columns)
    except (pa.ArrowException, OSError, KeyError, TypeError) as error:
        raise ValueError(f"the body is no batch of readings ({error}); send what wardwatt store import sends") from None


def _packed(schema: pa.Schema, columns: Sequence[np.ndarray]) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as stream:
        stream.write_batch(pa.RecordBatch.from_arrays([pa.array(column) for column in columns], schema=schema))
    return bytes(sink.getvalue())


def _unpacked(data: bytes) -> tuple[Any, ...]:
    with pa.ipc.open_stream(data) as stream:
        table = stream.read_all()
    if table.schema.names != _SCHEMA.names or table.schema.types != _SCHEMA.types:
        raise ValueError(f"the columns {table.schema.names} are others than {_SCHEMA.names}")
    return (table.schema.metadata or {}, *(column.to_numpy() for column in table.columns))
