"""What must be booked anew: which days of a register have other readings than those that they were booked from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.energy.intervals import Times
from facility.readings import Rollups

Bools = NDArray[np.bool_]
Counts = NDArray[np.int64]

_MIX: Final = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
# A mean that is summed up in another order differs in its last bits; 40 bits of it stay the same.
_MEAN_BITS: Final = 40


@dataclass(frozen=True, slots=True)
class Segment:
    """
    Consecutive days of a register that are booked together, as places among the days.

    Attributes
    ----------
    first, last : the days, both counted
    lead, tail : the next days before and after with readings, which the booking reads too; where there are none, the
        first and the last day themselves
    """

    first: int
    last: int
    lead: int
    tail: int


def day_signatures(rollups: Rollups, days_us: Times) -> tuple[Counts, Counts]:
    """
    Return how many readings each day has, and a number that changes if one of them does.

    Parameters
    ----------
    rollups : of one point, by days
    days_us : (d + 1,) int64, where the days begin, and where the last one ends [µs UTC]

    Returns
    -------
    (d,) int64 count, (d,) int64 signature; both 0 on a day without readings
    """
    counts = np.zeros(days_us.shape[0] - 1, dtype=np.int64)
    signatures = np.zeros(days_us.shape[0] - 1, dtype=np.int64)
    place = np.searchsorted(days_us, rollups.time_us, side="right") - 1
    inside = (place >= 0) & (place < counts.shape[0]) & (rollups.count > 0)
    mantissa, exponent = np.frexp(rollups.mean[inside])
    parts = (
        rollups.count[inside].astype(np.uint64),
        np.round(mantissa * (1 << _MEAN_BITS)).astype(np.int64).astype(np.uint64),
        exponent.astype(np.int64).astype(np.uint64),
        rollups.min[inside].view(np.uint64),
        rollups.max[inside].view(np.uint64),
        rollups.last[inside].view(np.uint64),
    )
    counts[place[inside]] = rollups.count[inside]
    signatures[place[inside]] = _mixed(parts)
    return counts, signatures


def hand_signatures(time_us: Times, value: NDArray[np.float64], days_us: Times) -> tuple[Counts, Counts]:
    """Return the same of readings by hand: (n,) times [µs UTC] and values, oldest first."""
    counts = np.zeros(days_us.shape[0] - 1, dtype=np.int64)
    signatures = np.zeros(days_us.shape[0] - 1, dtype=np.int64)
    place = np.searchsorted(days_us, time_us, side="right") - 1
    inside = (place >= 0) & (place < counts.shape[0])
    np.add.at(counts, place[inside], 1)
    each = _mixed((time_us[inside].astype(np.uint64), value[inside].astype(np.float64).view(np.uint64)))
    np.bitwise_xor.at(signatures, place[inside], each)
    return counts, signatures


def _mixed(parts: tuple[NDArray[np.uint64], ...]) -> Counts:
    with np.errstate(over="ignore"):
        mixed = np.zeros_like(parts[0])
        for part in parts:
            mixed = (mixed ^ part) * _MIX[0]
            mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX[1]
            mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX[2]
            mixed ^= mixed >> np.uint64(31)
    return mixed.view(np.int64)


def segments(has_readings: Bools, changed: Bools, stale: Bools) -> list[Segment]:
    """
    Return which days of one register must be booked anew.

    What a register counted between two readings belongs to the time between them; so a reading that is new reaches
    back to the last day before it that has readings, and on to the next one after it.

    Parameters
    ----------
    has_readings : (d,) bool
        Days with readings, as they are now.
    changed : (d,) bool
        Days whose readings are others than before.
    stale : (d,) bool
        Days that must be booked for another reason, such as that they were not over.
    """
    dirty = np.flatnonzero(changed | stale)
    if not dirty.size:
        return []
    before, after = _neighbours(has_readings)
    low = np.where(changed[dirty], before[dirty], dirty)
    low = np.minimum.accumulate(low[::-1])[::-1]
    high = np.where(changed[dirty], after[dirty], dirty)
    reach = np.maximum.accumulate(high)
    begins = np.concatenate(([True], low[1:] > reach[:-1] + 1))
    first = low[begins]
    last = reach[np.append(np.flatnonzero(begins)[1:] - 1, dirty.size - 1)]
    return [Segment(int(a), int(b), int(before[a]), int(after[b])) for a, b in zip(first, last, strict=True)]


def _neighbours(has_readings: Bools) -> tuple[Counts, Counts]:
    """Return, of each day, the last day before and the first day after with readings; the day itself if none."""
    days = np.arange(has_readings.shape[0])
    upto = np.maximum.accumulate(np.where(has_readings, days, -1))
    before = np.concatenate(([-1], upto[:-1]))
    since = np.minimum.accumulate(np.where(has_readings, days, days.size)[::-1])[::-1]
    after = np.concatenate((since[1:], [days.size]))
    return np.where(before < 0, days, before), np.where(after >= days.size, days, after)
