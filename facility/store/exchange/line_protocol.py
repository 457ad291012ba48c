"""Readings as line protocol, written as the InfluxDB keeper writes them, so that either can read the other's."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from facility.readings import OUT_OF_RANGE, PointAddress, Series
from facility.store.exchange.chunks import (
    CHUNK_ROWS,
    LAST_US,
    BadRow,
    Chunk,
    CountedText,
    Names,
    Row,
    checked_time,
    checked_value,
    columns_of,
    describe,
    described,
    finished_or_absent,
    open_to_write,
)
from facility.store.influx_text import (
    BOOK,
    IMPOSSIBLE,
    NO_CLASS,
    QUALITY,
    REVISION,
    decode,
    encode,
    escape,
    field_of,
    lines,
    measurement_of,
    series_head,
)
from facility.store.last_write import writing_order

_PRECISION: Final = "# precision: "
_POINT: Final = "# point: "
_PARTS: Final = {"ns": 1000, "us": 1}  # so many of the unit are a microsecond
_MULTIPLES: Final = {"us": 1, "ms": 1000, "s": 1_000_000}
PRECISIONS: Final = ("ns", "us", "ms", "s")
_TAGS: Final = ("site", "building", "room", "equipment")
_HEAD: Final = re.compile(r"(?:\\.|[^\\ ])+")  # up to the first blank that no backslash stands before
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[iu]?")


class LineProtocolWriter:
    """Write one line for each machine and time; two kinds of remarks say the unit of time, and where points belong."""

    def __init__(self, path: Path, addresses: Mapping[str, PointAddress]) -> None:
        self._path = path
        self._addresses = addresses
        heads: dict[str, int] = {}
        self._series: dict[str, int] = {}
        self._fields: dict[str, str] = {}
        for key, address in addresses.items():
            tags = {name: encode(value) if (value := getattr(address, name)) else "" for name in _TAGS[:3]}
            head = series_head(measurement_of(address.equipment_class), tags | {"equipment": encode(address.equipment)})
            self._series[key] = heads.setdefault(head, len(heads))
            self._fields[key] = escape(field_of(address.point))
        self._heads = np.array(list(heads), dtype=object)

    def __enter__(self) -> Self:
        self._part = finished_or_absent(self._path)
        self._file = open_to_write(self._part.__enter__(), self._path.name)
        self._file.write(f"{_PRECISION}us\n")
        self._file.writelines(f"{_POINT}{describe(address)}\n" for address in self._addresses.values())
        return self

    def write(self, found: Mapping[str, Series]) -> None:
        """Write readings by point; those of one machine and time share a line."""
        held = {key: series for key, series in found.items() if len(series)}
        if not held:
            return
        counts = [len(series) for series in held.values()]
        series = np.repeat(np.array([self._series[key] for key in held], np.int32), counts)
        fields = np.repeat(np.array([self._fields[key] for key in held], dtype=object), counts)
        time_us, value, quality = (
            np.concatenate([getattr(one, name) for one in held.values()]) for name in ("time_us", "value", "quality")
        )
        impossible = (quality & OUT_OF_RANGE) != 0
        values = np.where(impossible, fields + f"{IMPOSSIBLE}=", fields + "=")
        qualities = np.where(quality != 0, "," + fields + f"{QUALITY}=", "")
        order = writing_order(series, time_us)
        columns = (column[order] for column in (values, qualities, time_us, value, quality))
        self._file.write(lines(series[order], self._heads, *columns))

    def __exit__(self, kind: type[BaseException] | None, *rest: Any) -> None:
        self._file.close()
        self._part.__exit__(kind, *rest)


@dataclass
class LineProtocolReader:
    """
    Read line protocol: measurement is the equipment class, the tag `equipment` names the machine, fields are points.

    `precision` is the unit of times where the file's first remark does not say one. Times after `latest_us` are wrong.
    [µs]
    """

    path: Path
    names: Names
    precision: str = "ns"
    latest_us: int = LAST_US

    def __iter__(self) -> Iterator[Chunk]:
        self._heads: dict[str, PointAddress | None] = {}
        self._keys: dict[tuple[str, str], int] = {}
        with CountedText(self.path) as text:
            numbered = enumerate(text.lines(), 1)
            while some := list(islice(numbered, CHUNK_ROWS)):
                yield self._chunk(some, text)

    def _chunk(self, some: list[tuple[int, str]], text: CountedText) -> Chunk:
        taken: list[Row] = []
        bad: list[BadRow] = []
        for number, line in some:
            stripped = line.strip("\r\n")
            if not stripped.strip():
                continue
            try:
                if stripped.startswith("#"):
                    self._remark(stripped)
                else:
                    taken += self._readings(stripped)
            except ValueError as error:
                bad.append(BadRow(str(self.path), number, str(error), stripped))
        return Chunk(self.names.batch(*columns_of(taken)), tuple(bad), text.done)

    def _remark(self, line: str) -> None:
        if line.startswith(_PRECISION):
            precision = line.removeprefix(_PRECISION).strip()
            if precision not in PRECISIONS:
                raise ValueError(f"precision {precision!r} is none; write one of {', '.join(PRECISIONS)}")
            self.precision = precision
        elif line.startswith(_POINT):
            address = described(line.removeprefix(_POINT))
            if address is not None:
                self.names.known.setdefault(address.key, address)

    def _readings(self, line: str) -> list[Row]:
        head, fields, time = _parts(line)
        address = self._heads.get(head)
        if address is None:
            if head in self._heads:
                return []
            address = self._heads[head] = _machine(head)
            if address is None:
                return []
        time_us = checked_time(self._time(time), time, self.latest_us)
        values: dict[str, dict[str, float]] = defaultdict(dict)
        for name, text in map(_named, _split(fields, ",", quotes=True)):
            suffix = next((s for s in (QUALITY, IMPOSSIBLE) if name.endswith(s)), "")
            values[name.removesuffix(suffix)][suffix] = _number(name, text)
        return [(self._point(head, address, name), time_us, *_reading(name, told)) for name, told in values.items()]

    def _point(self, head: str, address: PointAddress, name: str) -> int:
        number = self._keys.get((head, name))
        if number is None:
            point = decode(name)
            key = f"{address.equipment}/{point}"
            if not self.names.only_known:
                self.names.known.setdefault(key, replace(address, point=point))
            number = self._keys[head, name] = self.names.number(key)
        return number

    def _time(self, text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise ValueError(f"time {text!r} is not a whole number; end the line with the time") from None
        if self.precision == "ns":
            return number // _PARTS["ns"]
        return number * _MULTIPLES[self.precision]


def _reading(name: str, told: Mapping[str, float]) -> tuple[float, int]:
    quality = told.get(QUALITY, 0.0)
    if not (0 <= quality <= 255 and quality == int(quality)):
        raise ValueError(f"quality {name}{QUALITY}={quality:g} is none; write the sum of the bits, up to 255")
    bits = int(quality)
    if IMPOSSIBLE in told and QUALITY not in told:
        bits = OUT_OF_RANGE
    value = told.get(IMPOSSIBLE if bits & OUT_OF_RANGE else "")
    if value is None:
        raise ValueError(f"{name}{QUALITY} stands without a value; write {name}=... before it")
    return value, bits


def _machine(head: str) -> PointAddress | None:
    """Return which machine a line is of, without a point; None where the line is of the keeper's own book."""
    measurement, *tags = _split(head, ",")
    name = _unescaped(measurement)
    if name in (BOOK, REVISION):
        return None
    told = dict(_named(tag) for tag in tags)
    if not told.get("equipment"):
        raise ValueError(f"the line of {name!r} has no tag equipment; write {name},equipment=tx1 load=42.5 ...")
    equipment_class = "" if name == NO_CLASS else decode(name)
    placed = {tag: decode(told[tag]) if told.get(tag) else "" for tag in _TAGS[:3]}
    return PointAddress(decode(told["equipment"]), "", equipment_class, **placed)


def _parts(line: str) -> tuple[str, str, str]:
    """Return a line's head, fields and time."""
    begun = _HEAD.match(line)
    head = begun[0] if begun else ""
    parts = [part for part in _split(line[len(head) :], " ", quotes=True) if part]
    if len(parts) == 1:
        raise ValueError("the line has no time; write it after the fields, in the unit of --precision")
    if not head or len(parts) != 2:
        raise ValueError(f"the line has {len(parts) + bool(head)} parts; write measurement,tags fields time")
    return head, parts[0], parts[1]


def _number(name: str, text: str) -> float:
    if text in ("t", "T", "true", "True", "TRUE"):
        return 1.0
    if text in ("f", "F", "false", "False", "FALSE"):
        return 0.0
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{name}={text[:40]} is not a number; points hold numbers only")
    return checked_value(text.rstrip("iu"), name)


def _split(text: str, at: str, *, quotes: bool = False) -> list[str]:
    """Split where the character stands neither after a backslash nor, with `quotes`, in a text between such."""
    if "\\" not in text and not (quotes and '"' in text):
        return text.split(at)
    parts, begin, i, quoted, after_equals = [], 0, 0, False, False
    while i < len(text):
        letter = text[i]
        if letter == "\\":
            i += 1
        elif letter == '"' and quotes:
            # A text begins after the = of a field; anywhere else, and in every tag, a quote is a letter.
            quoted = not quoted and after_equals
        elif letter == at and not quoted:
            parts.append(text[begin:i])
            begin = i + 1
        after_equals = letter == "="
        i += 1
    return [*parts, text[begin:]]


def _named(text: str) -> tuple[str, str]:
    """Return name and value of a tag or a field."""
    name, *value = _split(text, "=", quotes=True)
    if len(value) != 1 or not name:
        raise ValueError(f"{text[:60]!r} is no name and value; write name=value, with \\= for an = in a name")
    return _unescaped(name), _unescaped(value[0])


def _unescaped(text: str) -> str:
    return re.sub(r"\\([, =])", r"\1", text) if "\\" in text else text
