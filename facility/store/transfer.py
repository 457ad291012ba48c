"""Moving readings from one keeper to another: in slices of bounded size, and compared afterwards."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import Final, Protocol, TypeVar

import numpy as np

from facility.errors import StoreUnavailable
from facility.readings import PointAddress, PointTable, ReadingBatch, Series
from facility.store.contract import PointsRefused, StoreSize
from facility.store.fingerprint import Fingerprint, fingerprint, whole
from facility.wording import nearest

T = TypeVar("T")

_SLICE_READINGS: Final = 200_000  # so many are held at once: some 10 MB, on both sides
_SLICE_POINTS: Final = 200
_COUNT_POINTS: Final = 500  # asked at once
_MOST_PARTS: Final = 32
_PATIENCE_S: Final = 120.0

Progress = Callable[[int, int, str], None]  # readings done, of so many, and what is being done


class ReadingSource(Protocol):
    """What readings are taken from: a keeper, or a running service that is asked."""

    def addresses(self, keys: Sequence[str] | None = None) -> Mapping[str, PointAddress]:
        """Return where each named point (every point, if None) belongs."""

    def count(self, keys: Sequence[str], start_us: int, end_us: int) -> Mapping[str, int]:
        """Return how many readings with start <= time < end each point has."""

    def series(self, keys: Sequence[str], start_us: int, end_us: int) -> Mapping[str, Series]:
        """Return raw readings with start <= time < end; every key is in the result."""

    def size(self) -> StoreSize:
        """Return how much there is."""


class ReadingTarget(ReadingSource, Protocol):
    """What readings are written to."""

    def write(self, batch: ReadingBatch) -> None:
        """Store a batch; writing it again changes nothing."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which readings are meant: of these points, with start <= time < end. [µs]"""

    addresses: Mapping[str, PointAddress]
    start_us: int
    end_us: int

    @property
    def keys(self) -> list[str]:
        """Return the names of the points, neighbours together."""
        return list(self.addresses)


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a selection that is small enough to be held: these points, this time, about so many readings."""

    keys: Sequence[str]
    start_us: int
    end_us: int
    readings: int


@dataclass(frozen=True, slots=True)
class Difference:
    """One point whose readings are not the same on both sides."""

    key: str
    source: Fingerprint
    target: Fingerprint

    def __str__(self) -> str:
        if self.source.count != self.target.count:
            return f"{self.key}: {self.source.count} readings against {self.target.count}"
        return f"{self.key}: {self.source.count} readings on both sides, but not the same ones"


@dataclass(frozen=True, slots=True)
class Copied:
    """
    What a copy did.

    Attributes
    ----------
    points, written : how many points have readings, how many readings were written
    source, target : fingerprints of all readings meant, on both sides
    differences : the points that differ
    refused : the points that the target does not take, and why
    """

    points: int
    written: int
    source: Fingerprint
    target: Fingerprint
    differences: Sequence[Difference]
    refused: Mapping[str, str]


def select(
    source: ReadingSource,
    patterns: Sequence[str] = (),
    start_us: int | None = None,
    end_us: int | None = None,
) -> Selection:
    """
    Choose the readings that a source holds of some points and a time; everything, if nothing is said.

    Parameters
    ----------
    patterns : equipment (`tx1`), points (`tx1/load`), or either with wildcards (`tx*/load`)

    Raises
    ------
    ValueError
        If a pattern fits no point, or the time ends before it begins.
    """
    if start_us is not None and end_us is not None and start_us >= end_us:
        raise ValueError(f"--from ({start_us} µs) is not before --until ({end_us} µs); swap them, or leave out one")
    known = source.addresses()
    chosen = dict(known) if not patterns else _fitting(known, patterns)
    held = source.size()
    if held.first_us is None or held.last_us is None:
        return Selection(chosen, 0, 0)
    # What arrives while the copy runs is not part of it; the next one takes it.
    first, end = held.first_us, held.last_us + 1
    return Selection(
        chosen,
        first if start_us is None else max(first, start_us),
        end if end_us is None else min(end, end_us),
    )


def _fitting(known: Mapping[str, PointAddress], patterns: Sequence[str]) -> dict[str, PointAddress]:
    wanted: set[str] = set()
    for pattern in patterns:
        whole_machines = pattern if "/" in pattern else f"{pattern}/*"
        found = {key for key in known if key == pattern or fnmatchcase(key, whole_machines)}
        if not found:
            hint = nearest(pattern, [*known, *{address.equipment for address in known.values()}])
            raise ValueError(f"--points {pattern!r} fits no point of the store{hint}")
        wanted |= found
    return {key: address for key, address in known.items() if key in wanted}


def counts_of(source: ReadingSource, selection: Selection) -> dict[str, int]:
    """Return how many readings each point of a selection has."""
    keys = selection.keys
    counted: dict[str, int] = {}
    for i in range(0, len(keys), _COUNT_POINTS):
        counted |= source.count(keys[i : i + _COUNT_POINTS], selection.start_us, selection.end_us)
    return counted


def slices(
    source: ReadingSource, selection: Selection, counted: Mapping[str, int] | None = None, *, together: bool = False
) -> Iterator[Slice]:
    """
    Cut a selection into parts that hold a bounded number of readings, however dense some points are.

    With `together` every part holds all points, as a table with one column a point needs it.
    """
    counted = counts_of(source, selection) if counted is None else counted
    for keys in _groups(counted, together):
        readings = sum(counted[key] for key in keys)
        yield from _cut(source, Slice(keys, selection.start_us, selection.end_us, readings))


def _groups(counted: Mapping[str, int], together: bool) -> Iterator[list[str]]:
    group: list[str] = []
    readings = 0
    for key, count in counted.items():
        if not count:
            continue
        if group and not together and (readings + count > _SLICE_READINGS or len(group) >= _SLICE_POINTS):
            yield group
            group, readings = [], 0
        group.append(key)
        readings += count
    if group:
        yield group


def _cut(source: ReadingSource, part: Slice) -> Iterator[Slice]:
    span = part.end_us - part.start_us
    if part.readings <= _SLICE_READINGS or span < 2:
        if part.readings:
            yield part
        return
    parts = min(-(-part.readings // _SLICE_READINGS) + 1, _MOST_PARTS, span)
    edges = [part.start_us + span * i // parts for i in range(parts + 1)]
    for start_us, end_us in pairwise(edges):
        readings = sum(source.count(part.keys, start_us, end_us).values())
        yield from _cut(source, Slice(part.keys, start_us, end_us, readings))


def batch_of(table: PointTable, found: Mapping[str, Series]) -> ReadingBatch:
    """Return readings by point as one batch of a table that knows these points."""
    held = {key: series for key, series in found.items() if len(series)}
    if not held:
        return ReadingBatch.empty(table)
    return ReadingBatch(
        table,
        np.repeat(np.array([table.index[key] for key in held], np.int32), [len(series) for series in held.values()]),
        np.concatenate([series.time_us for series in held.values()]),
        np.concatenate([series.value for series in held.values()]),
        np.concatenate([series.quality for series in held.values()]),
    )


def copy(
    source: ReadingSource, target: ReadingTarget, selection: Selection, progress: Progress = lambda *_: None
) -> Copied:
    """
    Write a selection into another keeper, and compare both sides afterwards.

    What the target holds already is not written again: a copy cut short goes on where it stood. Memory is bounded by
    the size of a slice.

    Raises
    ------
    StoreUnavailable
        If one side stays away for two minutes.
    """
    table = PointTable(tuple(selection.addresses.values()))
    patient_source, patient_target = _Patient(source), _Patient(target)
    counted = counts_of(patient_source, selection)
    total, done, written = sum(counted.values()), 0, 0
    read: dict[str, Fingerprint] = defaultdict(Fingerprint)
    refused: dict[str, str] = {}
    for part in slices(patient_source, selection, counted):
        found = patient_source.series(part.keys, part.start_us, part.end_us)
        there = _held(patient_target, part)
        here = {key: fingerprint(series) for key, series in found.items()}
        for key, one in here.items():
            read[key] += one
        lacking = {
            key: series
            for key, series in found.items()
            if key not in refused and here[key] != there.get(key, Fingerprint())
        }
        refused |= _write(target, batch_of(table, lacking))
        written += sum(len(series) for key, series in lacking.items() if key not in refused)
        done += sum(one.count for one in here.values())
        progress(done, total, "Copying")
    held = fingerprints(target, selection, lambda now, of, _: progress(now, of, "Comparing"))
    differences = [
        Difference(key, read[key], held.get(key, Fingerprint()))
        for key in selection.keys
        if read[key] != held.get(key, Fingerprint())
    ]
    return Copied(
        points=sum(1 for one in read.values() if one.count),
        written=written,
        source=whole(read),
        target=whole(held),
        differences=differences,
        refused=refused,
    )


def _write(target: ReadingTarget, batch: ReadingBatch) -> dict[str, str]:
    """Write a batch; return the points that are refused, and why."""
    try:
        _patiently(lambda: target.write(batch))
    except PointsRefused as error:
        return dict.fromkeys(error.keys, error.words)
    return {}


def _held(target: ReadingSource, part: Slice) -> dict[str, Fingerprint]:
    """Return the fingerprints of what a target holds of a slice; of most slices it holds nothing, which is cheap."""
    counted = target.count(part.keys, part.start_us, part.end_us)
    some = [key for key, count in counted.items() if count]
    if sum(counted.values()) > 2 * max(part.readings, _SLICE_READINGS):
        return {}  # far more than was asked for: the comparison at the end will say so
    found = target.series(some, part.start_us, part.end_us) if some else {}
    return {key: fingerprint(series) for key, series in found.items()}


def fingerprints(
    source: ReadingSource, selection: Selection, progress: Progress = lambda *_: None
) -> dict[str, Fingerprint]:
    """Return the fingerprint of each point of a selection that has readings; reads them all."""
    source = _Patient(source)
    counted = counts_of(source, selection)
    total, done = sum(counted.values()), 0
    found: dict[str, Fingerprint] = defaultdict(Fingerprint)
    for part in slices(source, selection, counted):
        for key, series in source.series(part.keys, part.start_us, part.end_us).items():
            if len(series):
                found[key] += fingerprint(series)
                done += len(series)
        progress(done, total, "Reading")
    return dict(found)


class _Patient:
    """A keeper that is asked again, for two minutes, while it is away."""

    def __init__(self, keeper: ReadingSource) -> None:
        self._keeper = keeper

    def addresses(self, keys: Sequence[str] | None = None) -> Mapping[str, PointAddress]:
        return _patiently(lambda: self._keeper.addresses(keys))

    def count(self, keys: Sequence[str], start_us: int, end_us: int) -> Mapping[str, int]:
        return _patiently(lambda: self._keeper.count(keys, start_us, end_us))

    def series(self, keys: Sequence[str], start_us: int, end_us: int) -> Mapping[str, Series]:
        return _patiently(lambda: self._keeper.series(keys, start_us, end_us))

    def size(self) -> StoreSize:
        return _patiently(self._keeper.size)


def _patiently(do: Callable[[], T]) -> T:
    until_s, wait_s = time.monotonic() + _PATIENCE_S, 0.2
    while True:
        try:
            return do()
        except StoreUnavailable:
            if time.monotonic() + wait_s > until_s:
                raise
            time.sleep(wait_s)
            wait_s = min(2 * wait_s, 5.0)
