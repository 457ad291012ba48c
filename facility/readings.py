"""Readings as arrays: what the collector hands to the store, the live rules and everyone else.

One Python object a reading would be too slow and too big, so a batch is four arrays of one length. A point is
named by its index into the `PointTable` that the batch carries; the table is made once from the site file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

# Quality is a set of bits; 0 is a reading that nothing is known against.
GOOD: Final = 0
OUT_OF_RANGE: Final = 1  # outside what is physically possible for the point: kept, but no rule may use it
ESTIMATED: Final = 2  # computed or spread, not measured
CLOCK_SUSPECT: Final = 4  # the gateway's clock is not believed: live rules and pages go by the time of arrival
HISTORICAL: Final = 8  # sent late on purpose (backfill, store-and-forward): stored, but no live rule may fire on it
SIMULATED: Final = 16  # made by a simulator


@dataclass(frozen=True, slots=True)
class PointAddress:
    """Where a point belongs: enough to name it in any store and on any page."""

    equipment: str
    point: str
    equipment_class: str = ""
    unit: str = ""
    site: str = ""
    building: str = ""
    room: str = ""
    kind: str = "gauge"  # gauge, total_increasing, state or derived

    @property
    def key(self) -> str:
        """Return `equipment/point`, unique within a site."""
        return f"{self.equipment}/{self.point}"


@dataclass(frozen=True, eq=False)
class PointTable:
    """The points of a site in a fixed order; a point's index in it is its name inside a `ReadingBatch`."""

    addresses: tuple[PointAddress, ...]
    index: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        index = {address.key: i for i, address in enumerate(self.addresses)}
        if len(index) != len(self.addresses):
            seen: set[str] = set()
            twice = sorted({a.key for a in self.addresses if a.key in seen or seen.add(a.key)})  # type: ignore[func-returns-value]
            raise ValueError(f"points named twice: {', '.join(twice)}")
        object.__setattr__(self, "index", index)

    @classmethod
    def of_keys(cls, keys: Iterable[str]) -> PointTable:
        """Make a table from bare keys `equipment/point`, for tests and imports that know no site."""
        return cls(tuple(PointAddress(*key.split("/", 1)) for key in keys))

    def __len__(self) -> int:
        return len(self.addresses)

    def key(self, index: int) -> str:
        """Return the key of the point with this index."""
        return self.addresses[index].key


@dataclass(frozen=True, slots=True, eq=False)
class ReadingBatch:
    """
    Readings of many points and times.

    Attributes
    ----------
    table : PointTable
        What the indices in `point` mean.
    point : (n,) int32
        Index into `table`.
    time_us : (n,) int64
        Microseconds since 1970-01-01 UTC. [µs]
    value : (n,) float64
        In the point's own unit; states are their codes. Finite: a missing value is not a reading.
    quality : (n,) uint8
        Bits as above; 0 is good.
    """

    table: PointTable
    point: NDArray[np.int32]
    time_us: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]

    def __post_init__(self) -> None:
        n = self.point.shape[0]
        for name in ("time_us", "value", "quality"):
            if getattr(self, name).shape != (n,):
                raise ValueError(f"{name} has shape {getattr(self, name).shape}; it must be ({n},) like point")

    @classmethod
    def of(
        cls,
        table: PointTable,
        point: Sequence[int] | NDArray[np.integer],
        time_us: Sequence[int] | NDArray[np.integer],
        value: Sequence[float] | NDArray[np.floating],
        quality: int | Sequence[int] | NDArray[np.integer] = GOOD,
    ) -> ReadingBatch:
        """Make a batch from anything array-like; a single quality holds for all readings."""
        points = np.asarray(point, dtype=np.int32)
        qualities = (
            np.full(points.shape, quality, dtype=np.uint8)
            if isinstance(quality, int)
            else np.asarray(quality, dtype=np.uint8)
        )
        return cls(table, points, np.asarray(time_us, dtype=np.int64), np.asarray(value, dtype=np.float64), qualities)

    @classmethod
    def empty(cls, table: PointTable) -> ReadingBatch:
        """Return a batch of no readings."""
        return cls.of(table, [], [], [])

    @classmethod
    def concat(cls, batches: Sequence[ReadingBatch]) -> ReadingBatch:
        """Join batches of the same table in the order given; ValueError if there is none or the tables differ."""
        if not batches:
            raise ValueError("no batches to join; use ReadingBatch.empty(table)")
        table = batches[0].table
        if any(b.table is not table for b in batches):
            raise ValueError("batches of different point tables cannot be joined")
        return cls(
            table,
            np.concatenate([b.point for b in batches]),
            np.concatenate([b.time_us for b in batches]),
            np.concatenate([b.value for b in batches]),
            np.concatenate([b.quality for b in batches]),
        )

    def __len__(self) -> int:
        return int(self.point.shape[0])

    def as_seen(self, now_us: int) -> ReadingBatch:
        """
        Return the readings with the times by which live rules and live values go.

        Nothing that has arrived lies in the future, whatever its gateway's clock says: a reading from ahead of now
        would stand in the way of every honest one until its time has come. Where the clock is not believed, the reading
        is of now; what was sent late on purpose keeps its time.
        """
        doubted = (self.quality & (CLOCK_SUSPECT | HISTORICAL)) == CLOCK_SUSPECT
        time_us = np.where(doubted, now_us, np.minimum(self.time_us, now_us))
        return ReadingBatch(self.table, self.point, time_us, self.value, self.quality)

    def portions(self, most: int) -> Iterator[ReadingBatch]:
        """Yield the readings in their order, at most `most` at a time."""
        for start in range(0, len(self), most):
            yield self.take(np.arange(start, min(start + most, len(self))))

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> ReadingBatch:
        """Return the readings that a mask or an index array chooses."""
        return ReadingBatch(
            self.table, self.point[chosen], self.time_us[chosen], self.value[chosen], self.quality[chosen]
        )


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Raw readings of one point, oldest first: three arrays of one length, as in `ReadingBatch`."""

    time_us: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]

    def __len__(self) -> int:
        return int(self.time_us.shape[0])


@dataclass(frozen=True, slots=True, eq=False)
class Aggregates:
    """
    One point's readings summed up by steps, oldest first; steps without a reading are absent, never zero.

    Attributes
    ----------
    time_us : (m,) int64
        Start of each step; steps are aligned to the epoch, shifted by the query's origin. [µs]
    mean, min, max, last : (m,) float64
        Of the readings in [start, start + step).
    count : (m,) int64
        How many readings the step holds.
    """

    time_us: NDArray[np.int64]
    mean: NDArray[np.float64]
    min: NDArray[np.float64]
    max: NDArray[np.float64]
    last: NDArray[np.float64]
    count: NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.time_us.shape[0])


@dataclass(frozen=True, slots=True, eq=False)
class Rollups:
    """
    One point's readings summed up by the steps of a level, oldest first.

    A step without a counted reading is absent, except where the point is a state that was in force during it: there
    `count` is 0 and `mean`, `min`, `max` and `last` are NaN.

    Attributes
    ----------
    time_us : (m,) int64
        Start of each step. [µs]
    mean, min, max, last : (m,) float64
        Of the readings in the step.
    count : (m,) int64
        How many readings the step holds.
    time_mean : (m,) float64
        Mean weighted by time, of points of kind `state`; NaN for others, and where no state was in force. A state holds
        until the next reading, at most for an hour; the one in force when the step begins counts.
    known_us : (m,) int64
        For how long of the step a state was in force; 0 for other points. [µs] So `time_mean * known_us` is, for an
        on/off state, the time that it was on, and the same at every level.
    """

    time_us: NDArray[np.int64]
    mean: NDArray[np.float64]
    min: NDArray[np.float64]
    max: NDArray[np.float64]
    last: NDArray[np.float64]
    count: NDArray[np.int64]
    time_mean: NDArray[np.float64]
    known_us: NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.time_us.shape[0])


@dataclass(frozen=True, slots=True)
class Latest:
    """
    The newest reading of one point.

    `offline_us` is since when the device has told that there is no newer one; None: it has told nothing of the kind.
    `held_us` is until when a value that is sent only on change is known to hold; 0: nobody vouches for it.
    """

    time_us: int
    value: float
    quality: int
    offline_us: int | None = None
    held_us: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class StaleNotice:
    """
    Word from a gateway that points have no value any more: what was read last does not speak for now.

    It holds until the next reading of the point that is not historical.

    Attributes
    ----------
    point : (n,) int32
        Index into the site's `PointTable`.
    at_us : since when [µs]
    gateway : who says so
    device : which of its devices; None: the gateway itself is gone, and all its devices with it
    """

    point: NDArray[np.int32]
    at_us: int
    gateway: str
    device: str | None
