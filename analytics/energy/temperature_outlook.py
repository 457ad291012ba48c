"""
The outdoor temperature of days to come, from that of the days before: no weather forecast, but what the past tells.

The year's course (mean and one wave, fitted) plus this week's departure from it, which fades within days; where the
past is shorter than a year, this week's mean. How far that goes wrong is what it went wrong by, from each past day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_YEAR_D: Final = 365.25
_WEEK_D: Final = 7
_FADE: Final = 0.8  # a departure's share that is left a day later
# Where the year's course is not known, half of the last weeks' trend goes on; and the season may turn either way by as
# much: temperate climates warm and cool by 0.1 to 0.2 K a day in spring and autumn.
_TREND_D: Final = 45
_LEAST_TREND_D: Final = 30
_TREND_SHARE: Final = 0.5
_SEASON_K_D: Final = 0.08
_MOST_PATHS: Final = 120
_LEAST_PATHS: Final = 15


@dataclass(frozen=True, slots=True, eq=False)
class TemperatureOutlook:
    """
    Attributes
    ----------
    temperature_c : (n,) daily means, NaN where not known [°C]
    course_c : (n,) the year's course, NaN throughout where the past is shorter than a year [°C]
    last : index of the last day that is known
    """

    temperature_c: Floats
    course_c: Floats
    last: int

    @classmethod
    def of(cls, temperature_c: Floats, least_days: int) -> TemperatureOutlook:
        """Fit the year's course where at least `least_days` are known; ValueError if no temperature is known."""
        known = np.isfinite(temperature_c)
        if not known.any():
            raise ValueError("no temperature is known; forecast without the weather")
        course = np.full(temperature_c.shape, np.nan)
        if int(known.sum()) >= least_days:
            angle = 2.0 * np.pi * np.arange(temperature_c.size) / _YEAR_D
            columns = np.column_stack([np.ones(angle.shape), np.cos(angle), np.sin(angle)])
            course = columns @ np.linalg.lstsq(columns[known], temperature_c[known], rcond=None)[0]
        return cls(temperature_c, course, int(np.flatnonzero(known)[-1]))

    @property
    def knows_the_year(self) -> bool:
        """Return True if the year's course is known."""
        return bool(np.isfinite(self.course_c[0]))

    def scenarios(self, horizon: int) -> Floats:
        """
        Return what the days after the last known one may be: (paths, horizon), each path equally likely. [°C]

        The days lie within `temperature_c`; `horizon` reaches at most to its end.
        """
        horizon = min(horizon, self.temperature_c.size - 1 - self.last)
        ahead = self._expected(np.array([self.last]), horizon)[0]
        paths: Floats = ahead + self._misses(horizon)
        if not self.knows_the_year:
            drift = _SEASON_K_D * np.arange(1, horizon + 1)
            paths = np.vstack([paths + drift, paths - drift])
        return paths

    def _expected(self, origins: NDArray[np.int64], horizon: int) -> Floats:
        """Return what was to be expected of the days after each origin: (origins, horizon). [°C]"""
        base = np.where(np.isfinite(self.course_c), self.course_c, 0.0)
        off = np.where(np.isfinite(self.temperature_c), self.temperature_c - base, 0.0)
        known = np.isfinite(self.temperature_c).astype(float)
        sums, counts = (np.concatenate([[0.0], np.cumsum(x)]) for x in (off, known))
        begin = np.maximum(0, origins - _WEEK_D + 1)
        count = counts[origins + 1] - counts[begin]
        departure = np.where(count > 0, (sums[origins + 1] - sums[begin]) / np.maximum(count, 1.0), 0.0)
        steps = np.arange(1, horizon + 1)
        days = np.minimum(origins[:, None] + steps[None, :], base.size - 1)
        if self.knows_the_year:
            result: Floats = base[days] + departure[:, None] * _FADE ** steps[None, :]
            return result
        # The week's mean stands at its middle.
        return departure[:, None] + self._trend(origins)[:, None] * (steps[None, :] + _WEEK_D / 2.0)

    def _trend(self, origins: NDArray[np.int64]) -> Floats:
        """Return the part of each origin's trend that is taken to go on. [K/d]"""
        day = np.arange(self.temperature_c.size, dtype=float)
        known = np.isfinite(self.temperature_c)
        value = np.where(known, self.temperature_c, 0.0)
        begin = np.maximum(0, origins - _TREND_D + 1)
        n, x, y, xx, xy = (
            np.concatenate([[0.0], np.cumsum(np.where(known, of, 0.0))])[origins + 1]
            - np.concatenate([[0.0], np.cumsum(np.where(known, of, 0.0))])[begin]
            for of in (np.ones(day.size), day, value, day * day, day * value)
        )
        below = n * xx - x * x
        slope = np.where(below > 0, (n * xy - x * y) / np.where(below > 0, below, 1.0), 0.0)
        trend: Floats = np.where(n >= _LEAST_TREND_D, _TREND_SHARE * slope, 0.0)
        return trend

    def _misses(self, horizon: int) -> Floats:
        """Return by how much such expectations went wrong: (paths, horizon), NaN nowhere. [K]"""
        span = horizon if self.last + 1 - horizon >= _LEAST_PATHS else max(1, (self.last + 1) // 4)
        origins = np.arange(min(_WEEK_D, self.last) - 1, self.last - span + 1, dtype=np.int64)
        origins = np.maximum(origins, 0)[:: max(1, origins.size // _MOST_PATHS)]
        if not origins.size:
            return np.zeros((1, horizon))
        days = origins[:, None] + np.arange(1, span + 1)[None, :]
        off = self.temperature_c[days] - self._expected(origins, span)
        off = np.where(np.isfinite(off), off, 0.0)
        return np.tile(off, (1, -(-horizon // span)))[:, :horizon]
