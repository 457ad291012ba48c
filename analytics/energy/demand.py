"""Maximum demand of a month, from registers.

Chinese meters form demand over 15 min, and most begin a new window every minute. Registers that are read each 15 min
give the windows that begin on the quarter only, so their maximum lies at or a little below the billed one. The running
demand that some meters send is not taken: one wrong reading of it would stand on the bill for a month, while a step of
a register is checked against the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.energy.intervals import ESTIMATED, MISSING, STEP_US, Intervals, Times

_STEPS_AN_HOUR: Final = 3_600_000_000 // STEP_US


@dataclass(frozen=True, slots=True)
class Peak:
    """
    The maximum demand of a stretch of time.

    Attributes
    ----------
    kw : [kW]
    at_us : when its window begins [µs UTC]
    estimated : it lies in a step whose course was not measured, so that the true one may be higher
    missing : share of the time of which nothing is known
    hidden : share of the time in stretches of which only the sum was counted, and in which a higher demand had room
    """

    kw: float
    at_us: int
    estimated: bool = False
    missing: float = 0.0
    hidden: float = 0.0


def maximum_demand(use: Intervals) -> Peak | None:
    """
    Return the largest mean power of a step; None if no step is known.

    `use` : energy in steps of 15 min [kWh]. Of equal steps the first counts. Missing steps are told, not filled.
    """
    known = use.grade != MISSING
    if not known.any():
        return None
    at = int(np.argmax(np.where(known, use.used, -np.inf)))
    estimated = use.grade == ESTIMATED
    stretch = np.cumsum(np.diff(estimated, prepend=False))
    sums = np.bincount(stretch, np.where(estimated, use.used, 0.0))
    hidden = estimated & (sums[stretch] > use.used[at])
    return Peak(
        float(use.used[at]) * _STEPS_AN_HOUR,
        use.start_us + at * STEP_US,
        bool(use.grade[at] == ESTIMATED),
        float(np.mean(~known)),
        float(np.mean(hidden)),
    )


def daily_peaks(use: Intervals, edges_us: Times, min_known: float = 0.75) -> NDArray[np.float64]:
    """
    Return the peak of each day: (m,) [kW], NaN for days of which less than `min_known` is known.

    `edges_us` : (m + 1,) the days' ends, whole steps. [µs UTC]
    """
    held = use.window(int(edges_us[0]), int(edges_us[-1]))
    first = (edges_us[:-1] - edges_us[0]) // STEP_US
    known = held.grade != MISSING
    top = np.maximum.reduceat(np.where(known, held.used, -np.inf), first)
    share = np.add.reduceat(known.astype(float), first) / (np.diff(edges_us) // STEP_US)
    return np.where(share >= min_known, top * _STEPS_AN_HOUR, np.nan)
