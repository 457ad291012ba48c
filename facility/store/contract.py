"""What every keeper of telemetry promises. One test suite, `tests/facility/store`, holds all keepers to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from facility.readings import Aggregates, Latest, PointAddress, ReadingBatch, Rollups, Series
from facility.store.levels import Level, Retention


class PointsRefused(ValueError):
    """The readings of these points (`keys`) were not taken, and why (`words`); all others of the batch are stored."""

    def __init__(self, keys: Sequence[str], words: str) -> None:
        self.keys = tuple(keys)
        self.words = words
        super().__init__(f"the store refuses readings of {', '.join(keys)}: {words}. Everything else has been stored")


@dataclass(frozen=True, slots=True)
class StoreSize:
    """How much a keeper holds: distinct readings, points, bytes at rest, times of the first and the last reading."""

    readings: int
    points: int
    bytes: int
    first_us: int | None
    last_us: int | None


@dataclass(frozen=True, slots=True)
class Expired:
    """What `expire` deleted: so many readings, so many rows of each level."""

    readings: int
    rollups: Mapping[Level, int]


@dataclass(frozen=True, slots=True)
class LevelSize:
    """
    What a keeper has stored of a level: rows, and from when on it keeps them. [µs]

    `rows` is None where counting them would be dear; `kept_from_us` is None where nothing has expired yet. `level` is
    None for the readings themselves.
    """

    level: Level | None
    rows: int | None
    kept_from_us: int | None


@runtime_checkable
class TelemetryStore(Protocol):
    """
    Keeps readings; safe to call from several threads of one process.

    (point, time) is the key of a reading: writing it again changes nothing, writing another value replaces the old
    one (the last write stands). Points are named by `equipment/point`; a name that was never written has no
    readings, it is not an error. Intervals are half open: [start, end).

    Every method raises `StoreUnavailable` while the keeper cannot be reached or has no room; the caller keeps what
    it has and tries again.
    """

    def write(self, batch: ReadingBatch) -> None:
        """
        Store a batch; when this returns, the readings survive a kill -9 of the process.

        Raises
        ------
        PointsRefused
            If the keeper will never take the readings of some points: theirs were not taken, those of all other
            points of the batch are stored. The caller must not write this batch again.
        ValueError
            If a value is not finite or a point is not of the batch's table: nothing is stored, nor would be on
            another try.
        """

    def latest(self, keys: Sequence[str] | None = None) -> Mapping[str, Latest]:
        """Return the newest reading of each named point (of all points, if None) that has one."""

    def series(self, keys: Sequence[str], start_us: int, end_us: int) -> Mapping[str, Series]:
        """Return raw readings with start <= time < end; every key is in the result, if need be with no readings."""

    def aggregate(
        self, keys: Sequence[str], start_us: int, end_us: int, step_us: int, origin_us: int = 0
    ) -> Mapping[str, Aggregates]:
        """
        Return mean, min, max, last and count by steps of `step_us`, aligned to `origin_us` plus whole steps.

        Readings that are physically impossible (quality bit OUT_OF_RANGE) do not count. Every key is in the result.
        ValueError if `step_us` is not above zero. Where the readings have expired, the finest level that is kept takes
        their place: each of its steps counts whole in the step of the query that holds its start, if that lies in
        [start, end). So totals stay right, and steps that are whole multiples of the level stay what they were.
        """

    def rollup(self, keys: Sequence[str], level: Level, start_us: int, end_us: int) -> Mapping[str, Rollups]:
        """
        Return the steps of a level that begin in [start, end), each summed up in whole; every key is in the result.

        Exact at any moment: equal to summing up all readings held, however late, repeated or disordered they came.
        Impossible readings (quality bit OUT_OF_RANGE) do not count. Days begin at midnight of the zone given to
        `open_store`. Readings that come for a step after its readings have expired are added to what is stored: count,
        min, max and mean are right then, `last` and `time_mean` stay what they were. However often such a reading is
        sent until the next `expire`, it counts once; what `expire` has deleted counts again if it is sent again.
        """

    def expire(self, retention: Retention, now_us: int) -> Expired:
        """
        Delete what is older than `retention` allows, up to the midnights that `Steps.cut` names; return how much.

        Roll-ups of all levels are stored before the readings that they come from are deleted. A call cut short loses
        nothing that was to be kept; the next goes on.
        """

    def levels(self) -> Sequence[LevelSize]:
        """Return what is stored of the readings and of each level, from the finest to the coarsest."""

    def delete_before(self, time_us: int) -> int:
        """
        Delete all readings older than `time_us` and return how many there were.

        Roll-ups follow, as if these readings had never been.
        """

    def points(self) -> Sequence[str]:
        """Return the keys of all points that hold at least one reading, sorted."""

    def addresses(self, keys: Sequence[str] | None = None) -> Mapping[str, PointAddress]:
        """
        Return where each named point (every point, if None) belongs, as the last batch that said so had it.

        Without names the order is that in which the keeper reads points fastest: neighbours lie together.
        """

    def count(self, keys: Sequence[str], start_us: int, end_us: int) -> Mapping[str, int]:
        """
        Return how many distinct readings with start <= time < end each point has; every key is in the result.

        Unlike the counts of `aggregate`, impossible readings count too.
        """

    def size(self) -> StoreSize:
        """Return how much the keeper holds."""

    def close(self) -> None:
        """Let go of files and connections; a second call does nothing."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
