"""How far a gateway's clock is off: arrival minus the time that its messages carry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

_US: Final = 1_000_000
_DAY_US: Final = 86_400 * _US
# The offset now is the median of so long; with fewer samples nobody can tell.
_NOW_US: Final = 30 * 60 * _US
LEAST_SAMPLES: Final = 5
# A drift shows only over hours: the network's jitter is larger than what a quartz loses in one.
_LEAST_DRIFT_US: Final = 6 * 3600 * _US


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """
    How far a clock is off.

    Attributes
    ----------
    behind_s : how far the clock is behind ours, way of the message included; below 0: ahead. NaN: cannot tell [s]
    drift_s_day : how much further behind it falls in a day; NaN: cannot tell [s/day]
    samples : how many arrivals `behind_s` rests on
    """

    behind_s: float
    drift_s_day: float
    samples: int


def clock_offset(arrival_us: NDArray[np.int64], behind_us: NDArray[np.int64]) -> ClockOffset:
    """
    Return how far a gateway's clock is off.

    Parameters
    ----------
    arrival_us : (n,) when messages arrived, rising [µs]
    behind_us : (n,) arrival minus the message's own time; what was sent late on purpose is left out [µs]

    The offset is the median of the newest half hour, so that a queue that was sent after a cut does not count. The
    drift is the median of the slopes between the first half of the samples and the second (Theil 1950, in pairs), over
    at least six hours.
    """
    if arrival_us.size == 0:
        return ClockOffset(float("nan"), float("nan"), 0)
    newest = arrival_us >= arrival_us[-1] - _NOW_US
    samples = int(newest.sum())
    behind = float(np.median(behind_us[newest])) / _US if samples >= LEAST_SAMPLES else float("nan")
    half = arrival_us.size // 2
    drift = float("nan")
    if half >= LEAST_SAMPLES and arrival_us[-1] - arrival_us[0] >= _LEAST_DRIFT_US:
        rise = behind_us[-half:] - behind_us[:half]
        passed = arrival_us[-half:] - arrival_us[:half]
        drift = float(np.median(rise / np.maximum(passed, 1))) * _DAY_US / _US
    return ClockOffset(behind, drift, samples)
