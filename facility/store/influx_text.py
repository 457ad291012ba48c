"""What InfluxDB is sent: names that any text can be, InfluxQL, and line protocol."""

from __future__ import annotations

import re
from itertools import chain
from typing import Final
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from facility.store.levels import Level

QUALITY: Final = "__q"  # field with a reading's quality; absent means 0
IMPOSSIBLE: Final = "__x"  # field with the value of a reading that is OUT_OF_RANGE
NO_CLASS: Final = "readings"  # measurement of equipment whose class nobody said
BOOK: Final = "wardwatt_points"  # measurement that lists the points
REVISION: Final = "wardwatt_book"  # measurement that tells when the list has changed
LEDGER: Final = "wardwatt_rollups"  # measurement that tells how far the roll-ups reach
LATE: Final = "wardwatt_late"  # measurement of marks: which roll-ups are doubtful
LEASE: Final = "wardwatt_lease"  # measurement that tells which process rolls up
SEEDS: Final = "wardwatt_seeds"  # measurement of the states that were in force when older readings went
ROLLUPS: Final = {level: f"rollup_{level.value}" for level in Level}  # measurements of the roll-ups
_OURS: Final = (NO_CLASS, BOOK, REVISION, LEDGER, LATE, LEASE, SEEDS, *ROLLUPS.values())

# A backslash cannot stand at the end of a name, and a line break nowhere; % is how we write them.
_ODD: Final = re.compile(r"[\x00-\x1f\x7f\\%]")


def encode(name: str) -> str:
    """Return a name as it can stand in a tag: ids are themselves, odd characters are %XX, nothing at all is `%`."""
    return _ODD.sub(lambda odd: f"%{ord(odd[0]):02X}", name) if name else "%"


def decode(name: str) -> str:
    """Return what was encoded."""
    return "" if name == "%" else unquote(name)


def measurement_of(equipment_class: str) -> str:
    """Return the measurement of a class: its own name, unless that means something to InfluxDB or to us."""
    if not equipment_class:
        return NO_CLASS
    name = encode(equipment_class)
    return _first_odd(name) if name in _OURS or name[0] in "_#" else name


def field_of(point: str) -> str:
    """Return the field of a point: its own name, unless that means something to InfluxDB or to us."""
    name = encode(point)
    if name == "time" or name[0] == "_":
        name = _first_odd(name)
    return f"{name[:-1]}%{ord(name[-1]):02X}" if name.endswith((QUALITY, IMPOSSIBLE)) else name


def _first_odd(name: str) -> str:
    return f"%{ord(name[0]):02X}{name[1:]}"


def identifier(name: str) -> str:
    """Return an encoded name as InfluxQL names measurements, fields and tags."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def string(text: str) -> str:
    """Return an encoded name as a value in InfluxQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def escape(name: str, special: str = ", =") -> str:
    """Return an encoded name as line protocol holds it."""
    for character in special:
        name = name.replace(character, "\\" + character)
    return name


def text_value(text: str) -> str:
    """Return an encoded text as the value of a field holds it, between double quotes."""
    return text.replace('"', '\\"')


def series_head(measurement: str, tags: dict[str, str]) -> str:
    """Return how lines of a series begin, to the blank before the fields; tags sorted, empty ones left out."""
    named = "".join(f",{escape(tag)}={escape(value)}" for tag, value in sorted(tags.items()) if value)
    return f"{escape(measurement, ', ')}{named} "


_QUALITY_TEXT: Final = np.array([f"{quality}i" for quality in range(256)], dtype=object)


def lines(
    series: NDArray[np.int32],
    heads: NDArray[np.object_],
    fields: NDArray[np.object_],
    quality_fields: NDArray[np.object_],
    time_us: NDArray[np.int64],
    value: NDArray[np.float64],
    quality: NDArray[np.uint8],
) -> str:
    """
    Return readings as line protocol: one line for each series and time, which several points may share.

    Parameters
    ----------
    series : (n,) int32
        Which series each reading belongs to; readings stand sorted by (series, time).
    heads : (series,) str
        How each series' lines begin, see `series_head`.
    fields : (n,) str
        `name=` of each reading's value.
    quality_fields : (n,) str
        `,name__q=` of each reading whose quality is to be written, else empty.
    time_us, value, quality : (n,)
        The readings.
    """
    starts = np.ones(series.shape[0], dtype=np.bool_)
    starts[1:] = (series[1:] != series[:-1]) | (time_us[1:] != time_us[:-1])
    ends = np.append(starts[1:], np.True_)
    head = np.full(series.shape[0], ",", dtype=object)
    head[starts] = heads[series[starts]]
    tail = np.full(series.shape[0], "", dtype=object)
    tail[ends] = [f" {time}\n" for time in time_us[ends].tolist()]
    told = np.full(series.shape[0], "", dtype=object)
    tells = quality_fields != ""
    told[tells] = quality_fields[tells] + _QUALITY_TEXT[quality[tells]]
    pieces = zip(head.tolist(), fields.tolist(), map(repr, value.tolist()), told.tolist(), tail.tolist(), strict=True)
    return "".join(chain.from_iterable(pieces))
