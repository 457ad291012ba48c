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
# The level from which the days to come depart is that of so many known days.
_LEVEL_DAYS: Final = 5
# Fewer stretches of past days, each as long as what is left of the month, tell too little.
_LEAST_STRETCHES: Final = 10
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
    and below 10 °C, by least squares whose weights halve every 30 days. What happens beyond that is taken from the
    past: each stretch of days as long as what is left of the month departed from the level of the five days before
    it, and so may the days to come from the level of now; the nearer the stretch, the more it counts. With fewer days
    known, what the model missed is drawn anew for each day, independently. Either distribution is exact, without a
    random number.

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
    expected = after @ fitted
    floor = so_far_kw if np.isfinite(so_far_kw) else -np.inf
    if missed.size - _LEVEL_DAYS - expected.size >= _LEAST_STRETCHES:
        values, share = _by_stretches(expected, missed, weight, floor)
    else:
        values, share = _by_single_days(expected, missed, weight, floor)
    low, middle, high = (_at(values, share, q) for q in ((1 - level) / 2, 0.5, (1 + level) / 2))
    return PeakForecast(middle, low, high, level, so_far_kw, int(known.sum()), by_temperature)


def _terms(workday: Flags, temperature_c: Floats | None) -> Floats:
    columns = [np.ones(workday.size), workday.astype(float)]
    if temperature_c is not None:
        columns += [np.maximum(temperature_c - _COOLS_ABOVE_C, 0.0), np.maximum(_HEATS_BELOW_C - temperature_c, 0.0)]
    return np.column_stack(columns)


def _by_stretches(expected: Floats, missed: Floats, weight: Floats, floor: float) -> tuple[Floats, Floats]:
    """
    Return what the largest of (m,) days may be, rising, and the share of outcomes up to each.

    `missed` : (n,) of past days in a row, what the model missed. [kW]
    """
    level = np.convolve(missed, np.full(_LEVEL_DAYS, 1.0 / _LEVEL_DAYS), "valid")
    stretches = np.lib.stride_tricks.sliding_window_view(missed[_LEVEL_DAYS:], expected.size)
    departures = stretches - level[: len(stretches), None]
    values = np.maximum((expected + level[-1] + departures).max(axis=1), floor)
    order = np.argsort(values)
    held = weight[_LEVEL_DAYS : _LEVEL_DAYS + len(stretches)][order]
    return values[order], np.cumsum(held) / held.sum()


def _by_single_days(expected: Floats, missed: Floats, weight: Floats, floor: float) -> tuple[Floats, Floats]:
    """Return the same, each of the days to come missing what some past day missed, independently."""
    order = np.argsort(missed)
    steps, share = missed[order], np.cumsum(weight[order]) / weight.sum()
    values = np.unique(np.maximum((expected[:, None] + steps[None, :]).ravel(), floor))
    # P(day <= value) is the share of draws up to value - expected; a rounding error must not lose the draw itself.
    place = np.searchsorted(steps, values[:, None] - expected[None, :] + 1e-9 * np.abs(values[:, None]), side="right")
    return values, np.concatenate(([0.0], share))[place].prod(axis=1)


def _at(values: Floats, share: Floats, quantile: float) -> float:
    return float(values[min(int(np.searchsorted(share, quantile - 1e-12)), values.size - 1)])
