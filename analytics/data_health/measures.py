"""
Figures of one point's readings: pace, gaps, rests, jumps, noise. Pure functions on arrays.

Times are `time_us`, (n,) int64 and rising; values are (n,) float64 in the point's own unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.int64]
Floats = NDArray[np.float64]

# Fewer intervals than this tell no pace.
LEAST_INTERVALS: Final = 8
# What comes at even times has few intervals longer than twice the usual one; what is sent on change has many.
_REGULAR: Final = 2.0
# A rate is judged over no less than this: the noise of a single reading is no rate. [µs]
RATE_SPAN_US: Final = 60_000_000
_NEWEST: Final = 500
_LEAST_NOISE: Final = 60
_PIECES: Final = 6
_COARSE: Final = 1.5
_NOISE_TIMES: Final = 8.0


@dataclass(frozen=True, slots=True)
class Pace:
    """
    How often readings come.

    Attributes
    ----------
    usual_us : median of the intervals [µs]
    slow_us : nineteen of twenty intervals are no longer than this [µs]
    longest_us : the longest interval [µs]
    regular : they come at even times; False for what is sent only when it changes
    """

    usual_us: int
    slow_us: int
    longest_us: int
    regular: bool


def pace_of(time_us: Times) -> Pace | None:
    """Return the pace of the newest readings, or None where there are too few to tell."""
    if time_us.size <= LEAST_INTERVALS:
        return None
    # A gateway may have been told to poll faster: what came lately counts, but a pause is looked for in all.
    newest = np.diff(time_us[-_NEWEST:])
    usual, slow = (round(float(q)) for q in np.quantile(newest, [0.5, 0.95]))
    return Pace(usual, slow, int(np.diff(time_us).max()), slow <= _REGULAR * usual)


@dataclass(frozen=True, slots=True)
class Gaps:
    """
    Stretches without a reading that should have had some.

    Attributes
    ----------
    count : how many
    longest_us : length of the longest [µs]
    missing_us : time without readings beyond the usual interval, all together [µs]
    share : of the time looked at, 0 to 1
    span_us : (count, 2) where each begins and ends [µs]
    """

    count: int
    longest_us: int
    missing_us: int
    share: float
    span_us: NDArray[np.int64]


def gaps_of(time_us: Times, end_us: int, usual_us: int, allowed_us: int, deaf_us: NDArray[np.int64]) -> Gaps:
    """
    Find the gaps between the first reading and `end_us`.

    Parameters
    ----------
    usual_us : what lies between two readings in any case
    allowed_us : no interval up to this is a gap
    deaf_us : (d, 2) stretches, apart and rising, in which nobody was heard: our own absence is nobody's gap
    """
    if time_us.size == 0 or end_us <= time_us[0]:
        return Gaps(0, 0, 0, 0.0, np.empty((0, 2), dtype=np.int64))
    ends = np.append(time_us, end_us)
    begin, end = ends[:-1], ends[1:]
    length = end - begin - _overlap(begin, end, deaf_us)
    chosen = length > allowed_us
    missing = np.maximum(length[chosen] - usual_us, 0)
    span = np.stack([begin[chosen], end[chosen]], axis=1)
    watched = int(end_us - time_us[0] - _overlap(time_us[:1], np.array([end_us]), deaf_us)[0])
    total = int(missing.sum())
    return Gaps(
        int(chosen.sum()), int(length[chosen].max(initial=0)), total, total / watched if watched > 0 else 0.0, span
    )


def _overlap(begin: Times, end: Times, span_us: NDArray[np.int64]) -> Times:
    """Return how much of each [begin, end) lies in the spans, which are apart and rising: (n,). [µs]"""
    if span_us.shape[0] == 0:
        return np.zeros(begin.shape, dtype=np.int64)
    edges = span_us.ravel()
    covered = np.zeros(edges.size, dtype=np.int64)
    covered[1:] = np.cumsum(np.where(np.arange(1, edges.size) % 2 == 1, np.diff(edges), 0))

    def until(time: Times) -> Times:
        i = np.searchsorted(edges, time, side="right") - 1
        inside = (i >= 0) & (i % 2 == 0)
        safe = np.maximum(i, 0)
        reached: Times = np.where(i < 0, 0, covered[safe] + np.where(inside, time - edges[safe], 0))
        return reached

    return until(end) - until(begin)


def deaf_spans(heard_us: list[Times], start_us: int, end_us: int, allowed_us: int) -> NDArray[np.int64]:
    """
    Return the stretches of [start, end) longer than `allowed_us` in which none of several points had a reading.

    They are ours (stopped, cut off, a store that was away) or the whole site's, and no machine's.

    Returns
    -------
    (d, 2) begin and end, rising. [µs]
    """
    every = np.unique(np.concatenate(heard_us)) if heard_us else np.empty(0, dtype=np.int64)
    inside = every[(every >= start_us) & (every < end_us)]
    edges = np.concatenate([[start_us], inside, [end_us]])
    long = np.flatnonzero(np.diff(edges) > allowed_us)
    return np.stack([edges[long], edges[long + 1]], axis=1).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Rests:
    """
    How long a value stays the same.

    Attributes
    ----------
    now_us : since how long the newest value has stood, up to the newest reading [µs]
    longest_us : the longest rest before that one [µs]
    """

    now_us: int
    longest_us: int


def rests_of(time_us: Times, value: Floats, broken_by_us: int) -> Rests:
    """Return the rests of a point; across an interval longer than `broken_by_us` nobody knows that it rested."""
    if time_us.size == 0:
        return Rests(0, 0)
    starts = np.flatnonzero(np.concatenate([[True], (value[1:] != value[:-1]) | (np.diff(time_us) > broken_by_us)]))
    last = np.append(starts[1:] - 1, time_us.size - 1)
    length = time_us[last] - time_us[starts]
    return Rests(int(length[-1]), int(length[:-1].max(initial=0)))


def jumps_of(time_us: Times, value: Floats, rate: float) -> NDArray[np.intp]:
    """
    Return the readings that differ from the one before by more than can be, and by more than their own noise does.

    Parameters
    ----------
    rate : fastest possible change, in the point's unit a second; NaN finds nothing
    """
    if time_us.size < 2 or not np.isfinite(rate):
        return np.empty(0, dtype=np.intp)
    passed_s = np.maximum(np.diff(time_us), RATE_SPAN_US) / 1e6
    noise = noise_of(value)
    least = _NOISE_TIMES * noise if np.isfinite(noise) else 0.0
    return np.flatnonzero(np.abs(np.diff(value)) > np.maximum(rate * passed_s, least)) + 1


def noise_of(value: Floats) -> float:
    """
    Return the standard deviation of what is not signal: NaN with fewer than 60 values.

    Second differences leave out level and slope; for white noise their variance is six times that of the noise. Spikes
    and steps do not count, since the median is taken.
    """
    if value.size < _LEAST_NOISE:
        return float("nan")
    return float(1.4826 * np.median(np.abs(np.diff(value, 2))) / np.sqrt(6.0))


def noise_left(value: Floats, share: float = 0.25) -> float:
    """
    Return the noise of the newest `share` of the values as a part of the little that it was before.

    Before is looked at in six pieces, since a quiet night is no dead sensor; the second quietest counts, since the
    sensor may have died before the newest share begins. NaN where it cannot be told; near 0 where
    a sensor went dead though its value may still creep. Steps as coarse as the noise itself show none.
    """
    step = np.abs(np.diff(value))
    if not (step > 0).any():
        return float("nan")
    cut = value.size - round(value.size * share)
    before = sorted(noise_of(piece) for piece in np.array_split(value[:cut], _PIECES))[1]
    now = noise_of(value[cut:])
    told = np.isfinite(now) and before > _COARSE * step[step > 0].min()
    return now / before if told else float("nan")
