"""What must be booked anew: which days of a register have other readings than those that they were booked from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.energy.intervals import Times
from analytics.energy.registers import SAY_US
from facility.readings import Rollups

SAY_DAYS: Final = -(-SAY_US // 86_400_000_000)
LEARNT_DAYS: Final = 28  # four weeks have every weekday alike
LEAST_LEARNT: Final = 7

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
    lead, tail : the first and the last day whose readings have a say in these, and which the booking reads too
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

    What a register counted between two readings belongs to the time between them, and readings of some days around
    have a say in whether one is believed; so a reading that is new reaches back and on by so many days, and from there
    to the next day that has readings.

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
    before, after = _reach(has_readings)
    low = np.where(changed[dirty], before[dirty], dirty)
    low = np.minimum.accumulate(low[::-1])[::-1]
    high = np.where(changed[dirty], after[dirty], dirty)
    reach = np.maximum.accumulate(high)
    begins = np.concatenate(([True], low[1:] > reach[:-1] + 1))
    last = reach[np.append(np.flatnonzero(begins)[1:] - 1, dirty.size - 1)]
    return [Segment(int(a), int(b), int(before[a]), int(after[b])) for a, b in zip(low[begins], last, strict=True)]


def _reach(has_readings: Bools) -> tuple[Counts, Counts]:
    """Return, of each day, the first and the last day whose readings have a say in what it is booked with."""
    n = has_readings.shape[0]
    days = np.arange(n)
    upto = np.maximum.accumulate(np.where(has_readings, days, -1))
    since = np.minimum.accumulate(np.where(has_readings, days, n)[::-1])[::-1]
    early, late = days - SAY_DAYS, days + SAY_DAYS
    before = np.where(early > 0, upto[np.clip(early - 1, 0, n - 1)], -1)
    after = np.where(late < n - 1, since[np.clip(late + 1, 0, n - 1)], n)
    return np.where(before < 0, np.maximum(early, 0), before), np.where(after >= n, np.minimum(late, n - 1), after)


def learning_days(has_readings: Bools, month_first: int, over: int) -> tuple[Counts, Counts]:
    """
    Return from which days each register's habits of a month are learnt: those before the month, or its first ones.

    A function of the readings alone, so that a month is booked alike in whatever order they came.

    Parameters
    ----------
    has_readings : (k, d) bool
        Days with readings.
    month_first : place of the month's first day
    over : how many days are over

    Returns
    -------
    (k,) int64 first day and (k,) int64 end; both 0 where there is no such day yet
    """
    begin = max(0, month_first - LEARNT_DAYS)
    usual = has_readings[:, begin : min(month_first, over)].sum(axis=1) >= LEAST_LEARNT
    later = has_readings[:, begin:over]
    some = later.any(axis=1) if later.shape[1] else np.zeros(has_readings.shape[0], dtype=bool)
    first_one = begin + (later.argmax(axis=1) if later.shape[1] else 0)
    first = np.where(usual, begin, np.where(some, first_one, 0))
    end = np.where(usual, month_first, np.where(some, np.minimum(first_one + LEARNT_DAYS, over), 0))
    return first.astype(np.int64), end.astype(np.int64)
