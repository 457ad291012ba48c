"""What every keeper of telemetry promises. One test suite, `tests/facility/store`, holds all keepers to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from facility.readings import Aggregates, Latest, ReadingBatch, Series


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
        ValueError if `step_us` is not above zero.
        """

    def delete_before(self, time_us: int) -> int:
        """Delete all readings older than `time_us` and return how many there were."""

    def points(self) -> Sequence[str]:
        """Return the keys of all points that hold at least one reading, sorted."""

    def size(self) -> StoreSize:
        """Return how much the keeper holds."""

    def close(self) -> None:
        """Let go of files and connections; a second call does nothing."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
