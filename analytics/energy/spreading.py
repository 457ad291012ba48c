"""What was counted over an outage, spread as the meter's own days usually run."""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from analytics.energy.intervals import MEASURED, STEP_US, Floats, Intervals, Times
from facility.calendar import day_bounds_us, day_kind, day_of
from facility.formats import moment

QUARTERS: Final = 96  # of an hour, a day
_DAY_US: Final = QUARTERS * STEP_US


@lru_cache(maxsize=256)
def slots(start_us: int, steps: int, zone: ZoneInfo) -> NDArray[np.int64]:
    """
    Return of each step which quarter of an hour it is: 0 to 95 on workdays, 96 to 191 on days off.

    `start_us` is a whole step; (steps,) int64 out, by the site's clock, so that the hour that comes twice in autumn
    has the same slots twice.
    """
    found = np.empty(steps, dtype=np.int64)
    done, day = 0, day_of(start_us, zone)
    while done < steps:
        begin_us, end_us = day_bounds_us(day, zone)
        last = min(steps, -(-(end_us - start_us) // STEP_US))
        begins = start_us + STEP_US * np.arange(done, last, dtype=np.int64)
        if end_us - begin_us == _DAY_US:
            quarter = (begins - begin_us) // STEP_US
        else:
            clocks = [moment(int(b), zone) for b in begins]
            quarter = np.array([(c.hour * 60 + c.minute) // 15 for c in clocks], dtype=np.int64)
        found[done:last] = np.clip(quarter, 0, QUARTERS - 1) + (0 if day_kind(day, zone).workday else QUARTERS)
        done, day = last, day_of(end_us, zone)
    found.flags.writeable = False
    return found


def typical_profile(intervals: Intervals, zone: ZoneInfo) -> Floats:
    """
    Return how workdays and days off usually run: (2, 96) float, mean of the measured steps of each quarter of an hour.

    A quarter that was never measured on one kind of day is taken from the other, and from the mean of all where
    neither knows it; all are 1 where nothing was measured, or nothing was used.
    """
    measured = intervals.grade == MEASURED
    slot = slots(intervals.start_us, len(intervals), zone)[measured]
    sums = np.bincount(slot, weights=intervals.used[measured], minlength=2 * QUARTERS).reshape(2, QUARTERS)
    counts = np.bincount(slot, minlength=2 * QUARTERS).reshape(2, QUARTERS)
    if sums.sum() <= 0.0:
        return np.ones((2, QUARTERS))
    known = counts > 0
    mean = np.where(known, sums / np.maximum(counts, 1), sums.sum() / counts.sum())
    return np.where(known, mean, np.where(known[::-1], mean[::-1], mean))


def spread(from_us: int, to_us: int, profile: Floats, zone: ZoneInfo) -> tuple[Times, Floats]:
    """
    Return how what was counted between two readings runs up: the step edges between them, and its share by then.

    Both (m,): edges strictly between the two times [µs UTC], shares from 0 to 1, never falling. Evenly where the
    profile knows of no use at that time.
    """
    first_us = from_us - from_us % STEP_US
    steps = -(-(to_us - first_us) // STEP_US)
    edges = first_us + STEP_US * np.arange(1, steps, dtype=np.int64)
    even = (edges - from_us) / (to_us - from_us)
    if not edges.shape[0]:
        return edges, even
    weights = profile.reshape(-1)[slots(first_us, steps, zone)].astype(np.float64)
    # Of the first and the last step only a part lies between the readings.
    weights[0] *= (edges[0] - from_us) / STEP_US
    weights[-1] *= (to_us - edges[-1]) / STEP_US
    total = float(weights.sum())
    if not total > 0.0:
        return edges, even
    return edges, np.minimum(np.cumsum(weights)[:-1] / total, 1.0)
