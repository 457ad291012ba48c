"""What the maximum demand of the running month will be, from the peaks of the days before, with an interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analytics.energy.intervals import Floats

Flags = NDArray[np.bool_]

# Fewer known days tell too little of how peaks scatter.
LEAST_DAYS: Final = 14
# Days so far back count half as much as yesterday: plant and season change.
_HALF_LIFE_DAYS: Final = 30.0
# Outdoor temperatures beyond which a hospital cools and heats [°C].
_COOLS_ABOVE_C: Final = 20.0
_HEATS_BELOW_C: Final = 10.0
# Temperature serves if it is known on so many of the days before.
_KNOWN_TEMPERATURES: Final = 0.9


@dataclass(frozen=True, slots=True)
class PeakForecast:
    """
    The maximum demand that the month will end with.

    Attributes
    ----------
    kw : as likely to be exceeded as not [kW]
    low_kw, high_kw : ends of the interval that holds `level` of the outcomes; never below what was reached already
    so_far_kw : reached already; NaN if nothing is known
    days : known days that it rests on
    by_temperature : the temperature of the days to come went into it
    """

    kw: float
    low_kw: float
    high_kw: float
    level: float
    so_far_kw: float
    days: int
    by_temperature: bool

    def to_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "kw": self.kw,
            "low_kw": self.low_kw,
            "high_kw": self.high_kw,
            "level": self.level,
            "so_far_kw": self.so_far_kw if np.isfinite(self.so_far_kw) else None,
            "days": self.days,
            "by_temperature": self.by_temperature,
        }


def forecast_peak(
    peaks_kw: Floats, workday: Flags, workday_left: Flags, so_far_kw: float, *,
    temperature_c: Floats | None = None, temperature_left_c: Floats | None = None, level: float = 0.8,
) -> PeakForecast | None:  # fmt: skip
    """
    Forecast the maximum demand at the month's end.

    Parameters
    ----------
    peaks_kw : (n,) float
        Peak of each day before today, oldest first, this month's and earlier ones'; NaN where not known. [kW]
    workday, workday_left : (n,), (m,) bool
        Of those days, and of the days that are left of the month, today among them.
    so_far_kw : float
        Reached this month already, today's part of a day among it; NaN if not known. [kW]
    temperature_c, temperature_left_c : (n,), (m,) float
        Largest or mean outdoor temperature of the days before and to come, NaN where not known; None: no such series.
        [°C]
    level : float
        Share of outcomes that the interval holds.

    Returns
    -------
    None if fewer than `LEAST_DAYS` days are known and the month has not ended.

    Notes
    -----
    A day's peak is modelled by workday and, where temperatures are known on both sides, by how far it is above 20 °C
    and below 10 °C, by least squares whose weights halve every 30 days. What the model missed on the days before is
    drawn anew for each day to come, independently; the distribution of the largest is then exact, without a random
    number. A load that follows the season, without temperatures, runs away from it: its interval is too narrow.

    Raises
    ------
    ValueError
        If the series differ in length.
    """
    if workday.shape != peaks_kw.shape:
        raise ValueError(f"peaks_kw {peaks_kw.shape} and workday {workday.shape} differ; give one of each a day")
    known = np.isfinite(peaks_kw)
    if not workday_left.size:
        return (
            None if np.isnan(so_far_kw) else PeakForecast(so_far_kw, so_far_kw, so_far_kw, level, so_far_kw, 0, False)
        )
    by_temperature = (
        temperature_c is not None
        and temperature_left_c is not None
        and temperature_left_c.size == workday_left.size
        and bool(np.all(np.isfinite(temperature_left_c)))
        and bool(known.any())
        and float(np.mean(np.isfinite(temperature_c[known]))) >= _KNOWN_TEMPERATURES
    )
    before, after = _terms(workday, None), _terms(workday_left, None)
    if by_temperature and temperature_c is not None and temperature_left_c is not None:
        known &= np.isfinite(temperature_c)
        before, after = _terms(workday, temperature_c), _terms(workday_left, temperature_left_c)
    if int(known.sum()) < LEAST_DAYS:
        return None
    age = peaks_kw.size - np.arange(peaks_kw.size)
    weight = np.exp2(-age[known] / _HALF_LIFE_DAYS)
    root = np.sqrt(weight)
    fitted, *_ = np.linalg.lstsq(before[known] * root[:, None], peaks_kw[known] * root, rcond=None)
    missed = peaks_kw[known] - before[known] @ fitted
    low, middle, high = _largest(after @ fitted, missed, weight, so_far_kw, level)
    return PeakForecast(middle, low, high, level, so_far_kw, int(known.sum()), by_temperature)


def _terms(workday: Flags, temperature_c: Floats | None) -> Floats:
    columns = [np.ones(workday.size), workday.astype(float)]
    if temperature_c is not None:
        columns += [np.maximum(temperature_c - _COOLS_ABOVE_C, 0.0), np.maximum(_HEATS_BELOW_C - temperature_c, 0.0)]
    return np.column_stack(columns)


def _largest(
    expected: Floats, missed: Floats, weight: Floats, so_far: float, level: float
) -> tuple[float, float, float]:
    """Return low end, median and high end of the largest of (m,) days, each its expected value plus a draw of (n,)."""
    order = np.argsort(missed)
    steps, share = missed[order], np.cumsum(weight[order]) / weight.sum()
    floor = so_far if np.isfinite(so_far) else -np.inf
    values = np.unique(np.maximum((expected[:, None] + steps[None, :]).ravel(), floor))
    # P(day <= value) is the share of draws up to value - expected; a rounding error must not lose the draw itself.
    place = np.searchsorted(steps, values[:, None] - expected[None, :] + 1e-9 * np.abs(values[:, None]), side="right")
    below = np.concatenate(([0.0], share))[place].prod(axis=1)
    at = [int(np.searchsorted(below, q - 1e-12)) for q in ((1 - level) / 2, 0.5, (1 + level) / 2)]
    low, middle, high = (float(values[min(i, values.size - 1)]) for i in at)
    return low, middle, high
