"""
Daily means of the outdoor temperature and the degree-days that heating and cooling are compared by.

Source: degree-days on bases of 18 °C and 26 °C (HDD18, CDD26) as in GB 50176-2016, Code for thermal design of civil
buildings, whose climate tables give both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Times = NDArray[np.int64]

HEATING_BASE_C: Final = 18.0
COOLING_BASE_C: Final = 26.0
_HOUR_US: Final = 3_600_000_000


@dataclass(frozen=True, slots=True)
class DegreeDays:
    """
    Degree-days of a stretch of days.

    Attributes
    ----------
    heating, cooling : sums over the days whose mean temperature is known; NaN where none is [K·d]
    days, days_known : how many days there are, and of how many the temperature is known
    """

    heating: float
    cooling: float
    days: int
    days_known: int

    @property
    def complete(self) -> bool:
        """Return True if the temperature of every day is known."""
        return self.days_known == self.days


def daily_means(time_us: Times, temperature_c: Floats, edges_us: Times, least_share: float = 0.75) -> Floats:
    """
    Return each day's mean temperature, the mean of its hours' means: (m,) for (m + 1,) edges. [°C]

    Parameters
    ----------
    time_us, temperature_c : (n,)
        Samples at any spacing, in any order; NaN where missing. [µs UTC], [°C]
    edges_us : (m + 1,) int64
        Rising ends of the days. [µs UTC]
    least_share : float
        A day with samples in fewer of its hours is NaN: half a day has no mean that stands for the whole.

    Raises
    ------
    ValueError
        If there are not as many times as temperatures.
    """
    if time_us.shape != temperature_c.shape:
        raise ValueError(f"{time_us.shape[0]} times and {temperature_c.shape[0]} temperatures; give one for each")
    means = np.full(edges_us.shape[0] - 1, np.nan)
    known = np.isfinite(temperature_c) & (time_us >= edges_us[0]) & (time_us < edges_us[-1])
    if not known.any():
        return means
    first_hour = int(edges_us[0] // _HOUR_US)
    hour = time_us[known] // _HOUR_US - first_hour
    count = np.bincount(hour)
    sums = np.bincount(hour, weights=temperature_c[known])
    hours = np.flatnonzero(count)
    hourly = sums[hours] / count[hours]
    # An hour belongs to the day in which its middle lies: zones off by half an hour split none of it.
    day = np.searchsorted(edges_us, (hours + first_hour) * _HOUR_US + _HOUR_US // 2, side="right") - 1
    day = np.clip(day, 0, means.shape[0] - 1)
    seen = np.bincount(day, minlength=means.shape[0])
    total = np.bincount(day, weights=hourly, minlength=means.shape[0])
    enough = seen >= least_share * np.diff(edges_us) / _HOUR_US
    means[enough] = total[enough] / seen[enough]
    return means


def heating_degrees(mean_c: Floats, base_c: float = HEATING_BASE_C) -> Floats:
    """Return how far each day's mean lies below the base: (n,), NaN where not known. [K·d]"""
    return np.maximum(0.0, base_c - mean_c)


def cooling_degrees(mean_c: Floats, base_c: float = COOLING_BASE_C) -> Floats:
    """Return how far each day's mean lies above the base: (n,), NaN where not known. [K·d]"""
    return np.maximum(0.0, mean_c - base_c)


def degree_days(mean_c: Floats) -> DegreeDays:
    """Return the heating and cooling degree-days of (n,) daily means, NaN where missing. [°C]"""
    known = mean_c[np.isfinite(mean_c)]
    if not known.size:
        return DegreeDays(float("nan"), float("nan"), mean_c.shape[0], 0)
    return DegreeDays(
        float(heating_degrees(known).sum()), float(cooling_degrees(known).sum()), mean_c.shape[0], known.size
    )
