"""A reporting period by days: what was used, what the baseline expects, and what the weather was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytics.energy.baseline.rows import read_floats
from analytics.energy.sufficiency import usual_step

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Times = NDArray[np.datetime64]

_DAY: Final = np.timedelta64(1, "D")
_LEAST_OF_A_DAY: Final = 0.75  # known steps, for a day's sum to stand for the day


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """
    A reporting period's steps, in order, each once.

    Attributes
    ----------
    times : (n,) datetime64[s]
    used, expected : (n,) float, NaN where not known [energy a step]
    weather : (n,) float, outdoor temperature; None where none is known, or the model asks for none [°C]
    per_day : steps a day, 1 or 24
    weatherless : steps whose energy is known, but not the weather that the model asks for: nothing is expected of them
    """

    times: Times
    used: Floats
    expected: Floats
    weather: Floats | None
    per_day: int
    weatherless: int = 0

    @property
    def known(self) -> Bools:
        """Return where both are known, (n,)."""
        return np.isfinite(self.used) & np.isfinite(self.expected)


@dataclass(frozen=True, slots=True, eq=False)
class Days:
    """
    The same by consecutive days; a day of which too little is known is NaN, others are scaled to the whole day.

    Attributes
    ----------
    days : (d,) datetime64[D]
    used, expected : (d,) float [energy a day]
    weather : (d,) float, mean of the day, or None [°C]
    rest : (d,) bool, the model's rest days, or None if it tells none
    """

    days: Times
    used: Floats
    expected: Floats
    weather: Floats | None
    rest: Bools | None = None


def read_rows(model: Any, timestamps: ArrayLike, energy: ArrayLike, drivers: ArrayLike | None) -> Rows:
    """
    Ask the model what it expects, and put rows in order; of rows with the same time the first counts.

    Raises
    ------
    ValueError
        If lengths differ, a value is infinite, or the model answers with another length.
    """
    times = np.asarray(timestamps, dtype="datetime64[s]")
    used = read_floats(energy, "energy")
    if times.ndim != 1 or used.shape != times.shape:
        raise ValueError(f"timestamps {times.shape} and energy {used.shape} must be (n,), one energy a time")
    table = np.empty((times.size, 0)) if drivers is None else read_floats(drivers, "drivers")
    table = table[:, None] if table.ndim == 1 else table
    if table.ndim != 2 or table.shape[0] != times.size:
        raise ValueError(f"drivers have shape {table.shape}; give (n, k) with n = {times.size}, a row a time")
    valid = np.flatnonzero(~np.isnat(times))
    _, first = np.unique(times[valid], return_index=True)
    order = valid[first]
    times, used, table = times[order], used[order], table[order]
    if not times.size:
        return Rows(times, used, used, None, 1)
    expected = np.asarray(model.predict(times, table), dtype=float)
    if expected.shape != times.shape:
        raise ValueError(f"model.predict gave {expected.shape} for {times.size} times; it must give one for each")
    weather_known = getattr(model, "weather_known", None)
    blind = np.zeros(times.size, dtype=bool) if weather_known is None else ~np.asarray(weather_known(times, table))
    weatherless = int(np.sum(blind & np.isfinite(used)))
    expected = np.where(blind, np.nan, expected)
    # To a baseline that knows no weather, its seasons are errors like others: straight lines of temperature hide none.
    asks = getattr(model, "temperature_range", ()) is not None
    weather = table[:, 0] if asks and table.shape[1] and np.isfinite(table[:, 0]).any() else None
    return Rows(times, used, expected, weather, max(1, round(_DAY / usual_step(times))), weatherless)


def by_day(rows: Rows, model: Any = None) -> Days:
    """Return the rows' days, from the first to the last, with the `rest_days` of a model that tells them."""
    first, last = rows.times[0].astype("datetime64[D]"), rows.times[-1].astype("datetime64[D]")
    days = np.arange(first, last + _DAY, _DAY)
    place = (rows.times.astype("datetime64[D]") - first).astype(np.int64)
    known = rows.known
    used, expected = (
        _whole_days(values, known, place, days.size, rows.per_day) for values in (rows.used, rows.expected)
    )
    weather = None
    if rows.weather is not None:
        seen = np.isfinite(rows.weather)
        counts = np.bincount(place, weights=seen, minlength=days.size)
        sums = np.bincount(place, weights=np.where(seen, rows.weather, 0.0), minlength=days.size)
        weather = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    rest_days = getattr(model, "rest_days", None)
    rest = None if rest_days is None else np.asarray(rest_days(days), dtype=bool)
    return Days(days, used, expected, weather, rest)


def residual_days(times: ArrayLike, residual: ArrayLike) -> Floats:
    """Return residuals (n,) of hours or days as sums of consecutive days (d,), NaN where too little is known."""
    at = np.asarray(times, dtype="datetime64[s]")
    values = np.asarray(residual, dtype=float)
    if not at.size:
        return np.empty(0)
    day = at.astype("datetime64[D]")
    place = (day - day.min()).astype(np.int64)
    per_day = max(1, round(_DAY / usual_step(np.sort(at))))
    return _whole_days(values, np.isfinite(values), place, int(place.max()) + 1, per_day)


def _whole_days(values: Floats, known: Bools, place: NDArray[np.int64], n: int, per_day: int) -> Floats:
    counts = np.bincount(place, weights=known, minlength=n)
    sums = np.bincount(place, weights=np.where(known, values, 0.0), minlength=n)
    enough = counts >= _LEAST_OF_A_DAY * per_day
    return np.where(enough, sums * per_day / np.maximum(counts, 1), np.nan)
