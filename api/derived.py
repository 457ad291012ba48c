"""Derived points are stored with the readings that they are computed from, in the same commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from facility.readings import Aggregates, Latest, ReadingBatch, Series
from facility.store import StoreSize, TelemetryStore


class DerivingStore:
    """
    A keeper that adds each batch's derived readings before it writes; everything else is the keeper's own.

    Parameters
    ----------
    keeper : the store behind it
    derive : gives the derived readings of a batch, of the same point table
    """

    def __init__(self, keeper: TelemetryStore, derive: Callable[[ReadingBatch], ReadingBatch]) -> None:
        self._keeper = keeper
        self._derive = derive

    def write(self, batch: ReadingBatch) -> None:
        """Store a batch and what follows from it, in one commit."""
        derived = self._derive(batch)
        self._keeper.write(ReadingBatch.concat([batch, derived]) if len(derived) else batch)

    def latest(self, keys: Sequence[str] | None = None) -> Mapping[str, Latest]:
        """See the keeper's contract."""
        return self._keeper.latest(keys)

    def series(self, keys: Sequence[str], start_us: int, end_us: int) -> Mapping[str, Series]:
        """See the keeper's contract."""
        return self._keeper.series(keys, start_us, end_us)

    def aggregate(
        self, keys: Sequence[str], start_us: int, end_us: int, step_us: int, origin_us: int = 0
    ) -> Mapping[str, Aggregates]:
        """See the keeper's contract."""
        return self._keeper.aggregate(keys, start_us, end_us, step_us, origin_us)

    def delete_before(self, time_us: int) -> int:
        """See the keeper's contract."""
        return self._keeper.delete_before(time_us)

    def points(self) -> Sequence[str]:
        """See the keeper's contract."""
        return self._keeper.points()

    def size(self) -> StoreSize:
        """See the keeper's contract."""
        return self._keeper.size()

    def close(self) -> None:
        """Close the keeper."""
        self._keeper.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
