"""
How full the beds are: through the year, the week, and about the Spring Festival.

Shapes are typical of Chinese general hospitals; none of them is normative.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulators.rhythm import Span, spring_festival

Array = NDArray[np.float64]

# Share of the beds that is taken on the mean of the year; China's tertiary hospitals report 85 to 95 %.
USUAL: Final = 0.88

_SEASON: Final = 0.03  # fuller in winter, when lungs and hearts are ill
_FULLEST_DAY: Final = 345.0
_WEEK: Final = 0.035  # admitted early in the week, sent home for the weekend: fullest on Thursday
_FULLEST_WEEKDAY: Final = 3.4
# Before the festival whoever can goes home; afterwards what was put off comes: (days since New Year's Day, change).
_FESTIVAL: Final = ((-12.0, 0.0), (-1.0, -0.27), (2.5, -0.30), (15.0, 0.0), (22.0, 0.04), (40.0, 0.0))
_NATIONAL_DAY: Final = ((-2.0, 0.0), (1.0, -0.08), (5.0, -0.08), (9.0, 0.01), (14.0, 0.0))


@lru_cache(maxsize=64)
def _day_of_year(year: int, national: bool) -> float:
    day = date(year, 10, 1) if national else spring_festival(year)
    return float(day.timetuple().tm_yday - 1)


def bed_occupancy(span: Span) -> Array:
    """Return the share of the beds that is taken at each time, the whole hospital's. [-]"""
    year = (span.month - 1) // 12
    at = span.day + span.hour / 24.0
    season = _SEASON * np.cos(2.0 * np.pi * (at - _FULLEST_DAY) / 365.25)
    week = _WEEK * np.cos(2.0 * np.pi * (span.weekday + span.hour / 24.0 - _FULLEST_WEEKDAY) / 7.0)
    change = season + week
    for national, shape in ((False, _FESTIVAL), (True, _NATIONAL_DAY)):
        days, values = zip(*shape, strict=True)
        first, last = int(year[0]), int(year[-1])
        starts = np.array([_day_of_year(y, national) for y in range(first, last + 1)])[year - first]
        change = change + np.interp(at - starts, days, values, left=0.0, right=0.0)
    return np.clip(USUAL * (1.0 + change), 0.0, 1.0)
