"""What an InfluxDB is asked: as few statements as will do, with every name quoted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from facility.store.influx_book import HAS_QUALITY, Entry
from facility.store.influx_text import QUALITY, identifier, string

LIMIT_US: Final = 9_223_372_036_854_775  # InfluxDB holds nanoseconds in 64 bits: the years 1677 to 2262
EVER: Final = (-LIMIT_US, LIMIT_US)
_STATEMENT_NAMES: Final = 100  # so much equipment, or so many points, stand in one statement


@dataclass(frozen=True, slots=True)
class Question:
    """What one statement asks: these fields of a measurement, of some equipment (of all, if there is none)."""

    measurement: str
    names: tuple[str, ...]
    equipment: tuple[str, ...]

    def source(self, start_us: int, end_us: int, also: str = "") -> str:
        """Return the statement from FROM on, up to what it is grouped by."""
        inside = f"time >= {ns(start_us)} AND time < {ns(end_us)}"
        machines = " OR ".join(f'"equipment" = {string(name)}' for name in self.equipment)
        chosen = f" AND ({machines})" if machines else ""
        return f"FROM {identifier(self.measurement)} WHERE {inside}{chosen}{also}"


def questions(entries: Iterable[Entry]) -> list[Question]:
    """Return as few questions as ask for all of these entries: equipment with the same points is asked together."""
    fields: dict[tuple[str, str], set[str]] = defaultdict(set)
    for entry in entries:
        fields[entry.series.measurement, entry.series.equipment].add(entry.field)
    alike: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (measurement, equipment), names in fields.items():
        alike[measurement, tuple(sorted(names))].append(equipment)
    return [
        Question(measurement, names[i : i + _STATEMENT_NAMES], tuple(equipment[j : j + _STATEMENT_NAMES]))
        for (measurement, names), equipment in alike.items()
        for i in range(0, len(names), _STATEMENT_NAMES)
        for j in range(0, len(equipment), _STATEMENT_NAMES)
    ]


def questions_by_field(entries: Iterable[Entry], *, everything: bool) -> list[tuple[Question, int]]:
    """Return one question for each field, with its flags; with `everything` it is asked of all equipment."""
    entries = list(entries)
    flags = flags_of(entries)
    equipment: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for entry in entries:
        equipment[entry.series.measurement, entry.field][entry.series.equipment] = None
    return [
        (Question(measurement, (field,), tuple(chosen)), flags[measurement, field])
        for (measurement, field), machines in equipment.items()
        for chosen in ([()] if everything else _lots(list(machines)))
    ]


def flags_of(entries: Iterable[Entry]) -> dict[tuple[str, str], int]:
    """Return the flags of each field (measurement, field): those of all these entries together."""
    flags: dict[tuple[str, str], int] = defaultdict(int)
    for entry in entries:
        flags[entry.series.measurement, entry.field] |= entry.flags
    return flags


def _lots(names: list[str]) -> list[list[str]]:
    return [names[i : i + _STATEMENT_NAMES] for i in range(0, len(names), _STATEMENT_NAMES)]


def cut(start_us: int, end_us: int, parts: int, step_us: int, origin_us: int) -> list[tuple[int, int]]:
    """Cut an interval into about so many parts, at the edges of steps."""
    between = (start_us + (end_us - start_us) * i // parts for i in range(1, parts))
    cuts = {time_us - (time_us - origin_us) % step_us for time_us in between}
    return list(pairwise([start_us, *sorted(time_us for time_us in cuts if start_us < time_us < end_us), end_us]))


def exists(field: str) -> str:
    """Return the condition that a field of numbers holds something: InfluxQL knows no IS NOT NULL."""
    return f" AND ({identifier(field)} <= 0 OR {identifier(field)} > 0)"


def quality_too(flags: int, field: str) -> str:
    """Return the quality's field, to stand after another one, if the point has ever needed it."""
    return f", {identifier(field + QUALITY)}" if flags & HAS_QUALITY else ""


def clamp(time_us: int) -> int:
    """Return the nearest time that InfluxDB knows. [µs]"""
    return max(-LIMIT_US, min(LIMIT_US, time_us))


def ns(time_us: int) -> int:
    """Return a time as InfluxQL takes it best: whole nanoseconds."""
    return clamp(time_us) * 1000
