"""What was read lately, for a service that starts: from the store or, that being away, from what waits for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np

from facility.readings import Latest, ReadingBatch, Series
from facility.store.spool import newest_of


class Remembered(Protocol):
    """As much of a store as a start needs."""

    def latest(self, keys: Sequence[str] | None = None) -> Mapping[str, Latest]:
        """Return the newest reading of each named point (of all, if None) that has one."""

    def series(self, keys: Sequence[str], start_us: int, end_us: int) -> Mapping[str, Series]:
        """Return raw readings with start <= time < end; every key is in the result."""


class WaitingReadings:
    """
    Readings that wait in a spool, as a `Remembered`.

    Parameters
    ----------
    batches : in the order of writing; about a segment's worth
    """

    def __init__(self, batches: Iterable[ReadingBatch]) -> None:
        self._batches = tuple(batches)

    def latest(self, keys: Sequence[str] | None = None) -> Mapping[str, Latest]:
        """Return the newest reading of each named point (of all, if None) that has one."""
        found: dict[str, Latest] = {}
        for batch in self._batches:
            newest_of(batch, found)
        return found if keys is None else {key: found[key] for key in keys if key in found}

    def series(self, keys: Sequence[str], start_us: int, end_us: int) -> Mapping[str, Series]:
        """Return raw readings with start <= time < end, oldest first; of two with one time the later written."""
        wanted = set(keys)
        times: dict[str, dict[int, tuple[float, int]]] = {key: {} for key in keys}
        for batch in self._batches:
            near = batch.take((batch.time_us >= start_us) & (batch.time_us < end_us))
            for i in np.unique(near.point).tolist():
                key = near.table.key(i)
                if key in wanted:
                    one = near.take(near.point == i)
                    times[key].update(
                        zip(
                            one.time_us.tolist(),
                            zip(one.value.tolist(), one.quality.tolist(), strict=True),
                            strict=True,
                        )
                    )
        return {key: _series(found) for key, found in times.items()}


def _series(found: Mapping[int, tuple[float, int]]) -> Series:
    at = sorted(found)
    return Series(
        np.array(at, dtype=np.int64),
        np.array([found[t][0] for t in at], dtype=np.float64),
        np.array([found[t][1] for t in at], dtype=np.uint8),
    )
