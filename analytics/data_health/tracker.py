"""When each point was last heard, and how often it comes: arrays that every batch brings up to date."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from facility.readings import CLOCK_SUSPECT, HISTORICAL, ReadingBatch

Times = NDArray[np.int64]

# What the broker kept for nobody knows how long says nothing about who speaks now.
_RETAINED: Final = HISTORICAL | CLOCK_SUSPECT
_GAPS: Final = 4


@dataclass(slots=True, eq=False)
class Tracker:
    """
    What was heard of n points.

    Attributes
    ----------
    heard_us : (n,) by our clock, 0: never [µs]
    gap_us : (4, n) the last intervals between arrivals, the newest first, 0: none yet [µs]
    dead_us : (n,) when its gateway or device said goodbye (Sparkplug), 0: it did not [µs]
    since_us : when this tracker began; what was heard before was read from the store [µs]
    """

    heard_us: Times
    gap_us: Times
    dead_us: Times
    since_us: int

    @classmethod
    def begin(cls, read_us: Times, now_us: int) -> Self:
        """Return a tracker that knows when each point was last read before the start, 0: never."""
        heard = np.minimum(read_us, now_us).astype(np.int64)
        return cls(heard, np.zeros((_GAPS, heard.size), dtype=np.int64), np.zeros(heard.size, dtype=np.int64), now_us)

    def take(self, batch: ReadingBatch, now_us: int) -> None:
        """Note that the points of a batch were heard now; what the broker had kept does not count."""
        spoken = np.unique(batch.point[(batch.quality & _RETAINED) != _RETAINED])
        if spoken.size == 0:
            return
        before = self.heard_us[spoken]
        # The first interval after a start lies partly before it.
        again = spoken[(before >= self.since_us) & (before < now_us)]
        self.gap_us[1:, again] = self.gap_us[:-1, again]
        self.gap_us[0, again] = now_us - self.heard_us[again]
        self.heard_us[spoken] = now_us

    def vouch(self, heard_us: Times) -> None:
        """Note when the devices of points were heard, (n,), 0: not known. A point that is gone stays gone."""
        there = (self.heard_us > 0) & ~((self.dead_us > 0) & (self.heard_us <= self.dead_us))
        self.heard_us = np.where(there, np.maximum(self.heard_us, heard_us), self.heard_us)

    def bury(self, point: NDArray[np.integer], at_us: int) -> None:
        """Note that points are known to be silent since `at_us`, until they are heard again."""
        self.dead_us[point] = np.maximum(self.heard_us[point], at_us)

    @property
    def pace_us(self) -> Times:
        """
        Return how often each point comes, 0 where too few intervals are known. [µs]

        The second longest of the last four: one outage is no pace, and messages in pairs have the pace of the pairs.
        """
        pace: Times = np.sort(self.gap_us, axis=0)[-2]
        return np.where(self.gap_us.min(axis=0) > 0, pace, 0)
