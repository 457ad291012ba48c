"""How a register usually counts: how often it is read, how fast it runs, and how its days run.

What is odd for one meter is usual for another, so nothing is judged by fixed numbers. A register with too few readings
has no habits, and then only what is certain is judged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.energy.intervals import STEP_US, Floats, Times

HOUR_US: Final = 3_600_000_000
DAY_US: Final = 24 * HOUR_US
_USUAL_GAPS_US: Final = (STEP_US, 2 * STEP_US, HOUR_US)
# Fewer rates than these tell nothing about how fast a register can run.
_LEAST_RATES: Final = 12
_USUAL_SHARE: Final = 0.995
_STILL_SHARE: Final = 0.01
# Of times to be looked at when a gap is read off: the median needs no more.
_GAPS_LOOKED_AT: Final = 512

BRISK: Final = 1.5  # times the usual most: faster than it has been seen to run
ODD: Final = 20.0  # times the usual most: not believed of a single step without more evidence
ABSURD: Final = 1000.0  # times the usual most: not believed even of a gap of which nothing is known


@dataclass(frozen=True, slots=True, eq=False)
class Habits:
    """
    How a register usually counts.

    Attributes
    ----------
    usual_gap_us : time between readings, 15 min to 1 h; what is read more rarely is spread and marked [µs]
    most_an_hour : how fast it runs at its busiest, in its own counts an hour; infinite where that is not known
    never_still : it counts in all but a few of its steps
    mean_an_hour : how fast it runs on the average, in its own counts an hour; NaN where that is not known
    profile : (2, 96) float, how workdays and days off run in quarters of an hour, any unit; None: evenly
    """

    usual_gap_us: int = STEP_US
    most_an_hour: float = math.inf
    never_still: bool = False
    mean_an_hour: float = math.nan
    profile: Floats | None = None

    @property
    def pace_known(self) -> bool:
        """Return True if it is known how fast the register runs."""
        return math.isfinite(self.most_an_hour)

    @property
    def longest_gap_us(self) -> int:
        """Return the longest time between two readings that is not an outage: two usual gaps, and a little late."""
        return 2 * self.usual_gap_us + self.usual_gap_us // 10

    def most(self, length_us: int, times: float) -> float:
        """Return what it counts at most in some time at `times` its usual most; infinite where that is not known."""
        return times * self.most_an_hour * max(length_us, self.usual_gap_us) / HOUR_US

    def most_each(self, lengths_us: Times, times: float) -> Floats:
        """Return what `most` says of each length."""
        most: Floats = (times * self.most_an_hour / HOUR_US) * np.maximum(lengths_us, self.usual_gap_us)
        return most

    def running(self, profile: Floats | None) -> Habits:
        """Return the same with another profile."""
        return replace(self, profile=profile)


def learn_pace(
    time_us: Times, count: Floats, rated_an_hour: float | None = None, exchanged_us: Sequence[int] = ()
) -> Habits:
    """
    Learn how often a register is read, and how fast it runs, from its readings.

    Parameters
    ----------
    time_us, count : (n,) rising times and what the register showed [µs UTC], [counts]
    rated_an_hour : what its machine can use at most by its plate [counts/h]; None: not known
    exchanged_us : when its meter was exchanged, give or take a day: from one to the next it counted nothing [µs UTC]
    """
    gap_us = _usual_gap(time_us)
    stride = max(1, _readings_a_gap(time_us, gap_us))
    t, v = time_us[::stride], count[::stride]
    steps, lengths = np.diff(v), np.diff(t)
    # A step up beside a fall belongs to a reading that leapt and came back.
    falls = np.concatenate([[0], np.cumsum(np.diff(count) < 0.0)])
    first = stride * np.arange(steps.shape[0])
    beside = falls[np.minimum(first + 2 * stride, falls.shape[0] - 1)] > falls[np.maximum(first - stride, 0)]
    for at_us in exchanged_us:
        beside |= (t[1:] > at_us - DAY_US) & (t[:-1] < at_us + DAY_US)
    counted = (steps > 0.0) & (lengths <= 2 * gap_us + gap_us // 10) & ~beside
    seen = steps[counted]
    rates = seen * HOUR_US / np.maximum(lengths[counted], gap_us)
    known = rated_an_hour if rated_an_hour is not None else 0.0
    if rates.shape[0] < _LEAST_RATES:
        return Habits(gap_us, known if known > 0.0 else math.inf)
    never_still = bool(np.count_nonzero(steps == 0.0) <= _STILL_SHARE * steps.shape[0])
    # What was seen once may have been a mistake.
    place = min(rates.shape[0] - 2, int(_USUAL_SHARE * rates.shape[0]))
    usual_most = float(np.partition(rates, place)[place])
    # A register that counts in large units stands still and then steps: two units at once are nothing odd.
    coarse = 2.0 * float(np.min(seen)) * HOUR_US / gap_us
    counting = (steps >= 0.0) & (steps <= BRISK * usual_most * lengths / HOUR_US) & ~beside
    mean = float(steps[counting].sum()) * HOUR_US / max(float(lengths[counting].sum()), 1.0)
    return Habits(gap_us, max(usual_most, min(coarse, 2.0 * usual_most), known), never_still, mean)


def _usual_gap(time_us: Times) -> int:
    if time_us.shape[0] < 2:
        return STEP_US
    gaps = _some_gaps(time_us)
    median = float(np.partition(gaps, gaps.shape[0] // 2)[gaps.shape[0] // 2])
    return next((g for g in _USUAL_GAPS_US if median <= 1.1 * g), HOUR_US)


def _readings_a_gap(time_us: Times, gap_us: int) -> int:
    if time_us.shape[0] < 2:
        return 1
    gaps = _some_gaps(time_us)
    median = float(np.partition(gaps, gaps.shape[0] // 2)[gaps.shape[0] // 2])
    return round(gap_us / max(median, 1.0))


def _some_gaps(time_us: Times) -> NDArray[np.int64]:
    gaps = np.diff(time_us)
    return gaps[:: max(1, gaps.shape[0] // _GAPS_LOOKED_AT)]
