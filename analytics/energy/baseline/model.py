"""A fitted baseline: what it expects, how well it fits, and whether its data carry it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from analytics.energy.baseline.daily import DailyCore, fit_daily
from analytics.energy.baseline.days import Calendar, DayKinds, weekend_of
from analytics.energy.baseline.hourly import HourlyCore, fit_hourly
from analytics.energy.baseline.rows import (
    Bools,
    Floats,
    Frequency,
    Grid,
    Rows,
    Times,
    frequency_of,
    lay_out,
    read_rows,
)
from analytics.energy.one_thread import linear_algebra
from analytics.energy.statistics import fit_statistics
from analytics.energy.sufficiency import Sufficiency, judge

_FORMAT: Final = 1
_CERTAINLY_DAYS: Final = 10
_END_K: Final = 1.0  # over so much the energy rises or falls at an end of what was seen


@dataclass(frozen=True, slots=True)
class BalancePoints:
    """
    Outdoor temperatures at which heating begins and cooling begins, None where the model has no such point. [°C]

    Of daily models only: an hour's energy answers to the hours before it.
    """

    heating_c: float | None = None
    cooling_c: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """
    A baseline: what would have been used, by calendar and weather.

    Attributes
    ----------
    frequency : of the rows that it was fitted to, and takes
    kind : `1P` to `5P` for daily rows (with `H` for heating, `C` for cooling), `TOWT` for hourly ones with a
        temperature, `TOW` without
    terms : parts of the model that take part, such as `weekday` or `year`
    n : rows fitted to, after trouble was left out
    p : effective number of parameters
    r2, cv_rmse, nmbe : of those rows, by ASHRAE Guideline 14 [-]
    cv_rmse_blocked : CV(RMSE) of blocks of days that were left out in turn: what to hope for out of sample [-]
    residuals : (n,) measured less expected, in the order of time
    residual_times : (n,) datetime64[s]
    autocorrelation : of the residuals, from one row to the next [-]
    period : first and last time of the rows fitted to
    temperature_range : lowest and highest outdoor temperature of those rows, or None without any [°C]
    balance_points : of daily models
    mean_energy : of a row
    left_out_days : days that were left out as meter trouble
    days_off : workdays that the data show to be days off
    sufficiency : whether the data carry a yearly baseline, with reasons
    """

    frequency: Frequency
    kind: str
    terms: tuple[str, ...]
    n: int
    p: float
    r2: float
    cv_rmse: float
    nmbe: float
    cv_rmse_blocked: float
    residuals: Floats = field(repr=False)
    residual_times: Times = field(repr=False)
    autocorrelation: float
    period: tuple[np.datetime64, np.datetime64]
    temperature_range: tuple[float, float] | None
    balance_points: BalancePoints
    mean_energy: float
    left_out_days: tuple[np.datetime64, ...]
    days_off: tuple[np.datetime64, ...]
    sufficiency: Sufficiency = field(repr=False)
    core: HourlyCore | DailyCore = field(repr=False)
    never_negative: bool
    drivers: int

    def predict(self, timestamps: ArrayLike, drivers: ArrayLike | None = None) -> Floats:
        """
        Return the expected energy of each row.

        Parameters
        ----------
        timestamps : (n,) datetime64, hourly or daily as the rows that were fitted to, in any order
        drivers : (n, k) float, the same columns as those that were fitted to; NaN where missing

        Returns
        -------
        (n,) float, in the unit of the energy that was fitted to. Temperatures are bridged over up to six hours (one
        day); beyond that a row is what the calendar alone says, and `weather_known` tells which rows those are.
        Further drivers stand at their usual value where they are missing. No energy of the time is used.

        Raises
        ------
        ValueError
            If lengths differ, a time is missing, a driver is infinite, the columns are others, or rows are hours where
            days were fitted to, or days where hours were.
        """
        grid = self._grid(timestamps, drivers)
        if not grid.cells:
            return np.empty(0)
        if self.temperature_range is not None:
            # Where no temperature is known at all, every row is what the calendar says, whatever stands for it.
            celsius = np.zeros(grid.cells) if grid.temperature is None else self._answered(grid.temperature)
            grid = replace(grid, temperature=celsius)
        expected = self.core.expected(grid)
        if self.never_negative:
            expected = np.maximum(expected, 0.0)
        return expected[grid.cell]

    def weather_known(self, timestamps: ArrayLike, drivers: ArrayLike | None = None) -> Bools:
        """Return, for each row, whether `predict` knows its outdoor temperature (True of all if the model has none)."""
        grid = self._grid(timestamps, drivers)
        if self.temperature_range is None:
            return np.ones(grid.cell.size, dtype=bool)
        return grid.weather_known[grid.cell]

    def rest_days(self, days: ArrayLike) -> Bools:
        """Return which of the (d,) datetime64[D] days the baseline takes for rest days."""
        return self.core.scheme.kinds.rest(np.asarray(days, dtype="datetime64[D]").astype(np.int64))

    def temperature_response(self, temperature: ArrayLike) -> Floats:
        """
        Return the energy of a usual workday whose outdoor temperature has lasted, for a plot over (n,) °C.

        For hourly models it is the mean of the day's hours. Without a temperature in the model it is flat.
        """
        return self.core.response(self._answered(np.asarray(temperature, dtype=float)), self.mean_energy)

    def _answered(self, temperature: Floats) -> Floats:
        """
        Return the temperature that is answered to, same shape. [°C]

        Beyond what was seen, energy that rises goes on rising, but energy that falls is held: it falls to a base load
        somewhere, and no data tell where.
        """
        if self.temperature_range is None:
            return temperature
        low, high = self.temperature_range
        step = min(_END_K, 0.5 * (high - low))
        coldest, cold, hot, hottest = self.core.response(np.array([low, low + step, high - step, high]), 0.0)
        return np.clip(temperature, low if coldest < cold else -np.inf, high if hottest < hot else np.inf)

    def _grid(self, timestamps: ArrayLike, drivers: ArrayLike | None) -> Grid:
        rows = read_rows(timestamps, None, drivers)
        _check_frequency(rows.times, self.frequency)
        given = rows.drivers.shape[1]
        if given != self.drivers:
            if not (given == 0 or self.drivers == 0 or self.temperature_range is None):
                raise ValueError(
                    f"drivers have {given} columns, the baseline was fitted with {self.drivers}; give the same, "
                    "NaN where missing"
                )
            table = np.full((rows.times.size, self.drivers), np.nan)
            rows = Rows(rows.times, rows.energy, table)
        return lay_out(rows, self.frequency)

    def to_json(self) -> str:
        """Return the baseline as text that `from_json` reads back."""
        seconds = self.residual_times.astype("datetime64[s]").astype(np.int64)
        data: dict[str, Any] = {
            "format": _FORMAT,
            "frequency": self.frequency,
            "kind": self.kind,
            "terms": list(self.terms),
            "n": self.n,
            "p": self.p,
            "r2": _or_none(self.r2),
            "cv_rmse": _or_none(self.cv_rmse),
            "nmbe": _or_none(self.nmbe),
            "cv_rmse_blocked": _or_none(self.cv_rmse_blocked),
            "residuals": self.residuals.tolist(),
            "residual_times": seconds.tolist(),
            "autocorrelation": self.autocorrelation,
            "period": [str(t) for t in self.period],
            "temperature_range": None if self.temperature_range is None else list(self.temperature_range),
            "balance_points": [self.balance_points.heating_c, self.balance_points.cooling_c],
            "mean_energy": self.mean_energy,
            "left_out_days": [str(day) for day in self.left_out_days],
            "days_off": [str(day) for day in self.days_off],
            "sufficiency": self.sufficiency.as_json(),
            "core": self.core.as_json(),
            "never_negative": self.never_negative,
            "drivers": self.drivers,
        }
        return json.dumps(data, allow_nan=False)


def from_json(text: str, calendar: Calendar | None = None) -> Model:
    """
    Return the baseline that `Model.to_json` wrote.

    Parameters
    ----------
    text : what was written
    calendar : the calendar of rest days, if it was fitted with one

    Raises
    ------
    ValueError
        If the text is not that of a baseline of this format, or the calendar is wanting.
    """
    data = json.loads(text)
    if not isinstance(data, dict) or data.get("format") != _FORMAT:
        raise ValueError(f"this is no baseline of format {_FORMAT}; fit it again")
    core_of = HourlyCore if data["frequency"] == "hourly" else DailyCore
    return Model(
        frequency=data["frequency"],
        kind=data["kind"],
        terms=tuple(data["terms"]),
        n=data["n"],
        p=data["p"],
        r2=_or_nan(data["r2"]),
        cv_rmse=_or_nan(data["cv_rmse"]),
        nmbe=_or_nan(data["nmbe"]),
        cv_rmse_blocked=_or_nan(data["cv_rmse_blocked"]),
        residuals=np.array(data["residuals"], dtype=float),
        residual_times=np.array(data["residual_times"], dtype=np.int64).astype("datetime64[s]"),
        autocorrelation=data["autocorrelation"],
        period=(np.datetime64(data["period"][0]), np.datetime64(data["period"][1])),
        temperature_range=None if data["temperature_range"] is None else tuple(data["temperature_range"]),
        balance_points=BalancePoints(*data["balance_points"]),
        mean_energy=data["mean_energy"],
        left_out_days=tuple(np.datetime64(day) for day in data["left_out_days"]),
        days_off=tuple(np.datetime64(day) for day in data["days_off"]),
        sufficiency=Sufficiency.from_json(data["sufficiency"]),
        core=core_of.from_json(data["core"], calendar),
        never_negative=data["never_negative"],
        drivers=data["drivers"],
    )


def fit(
    timestamps: ArrayLike,
    energy: ArrayLike,
    drivers: ArrayLike | None = None,
    *,
    calendar: Calendar | None = None,
) -> Model:
    """
    Fit a baseline.

    Parameters
    ----------
    timestamps : (n,) datetime64
        Beginnings of hours or of days, in any order and with gaps; local wall time, or any time of constant offset.
    energy : (n,) float
        Used in each; NaN where missing. [any unit of energy]
    drivers : (n, k) float, or None
        The first column is the outdoor temperature [°C]; others (humidity, sun, wind, occupancy) may follow. NaN where
        missing; without any temperature the baseline knows the calendar alone.
    calendar : function of (d,) datetime64[D] to (d,) bool, or None
        Which days are rest days. Without it, the weekend is read from the data, and so are days off among them.

    Returns
    -------
    A model, however poor the data; `sufficiency` says whether they carry a yearly baseline, and why not.

    Raises
    ------
    ValueError
        If lengths differ, no energy is known, a time is missing, a value is infinite, or rows are weeks apart.
    """
    rows = read_rows(timestamps, energy, drivers)
    if not np.isfinite(rows.energy).any():
        raise ValueError(f"energy: none of {rows.energy.size} values is known; give at least one that is not NaN")
    with linear_algebra().limit(limits=1):
        return _fit(rows, calendar)


def _fit(rows: Rows, calendar: Calendar | None) -> Model:
    frequency = frequency_of(rows.times)
    grid = _usable(lay_out(rows, frequency))
    counted = np.isfinite(grid.energy)
    if grid.temperature is not None:
        counted &= grid.weather_known
    day_means = np.where(counted, grid.energy, np.nan).reshape(-1, grid.per_day)
    number = np.isfinite(day_means).sum(axis=1)
    means = np.where(number > 0, np.nansum(day_means, axis=1) / np.maximum(number, 1), np.nan)
    kinds = DayKinds(weekend_of(grid.days, means), (), calendar)
    fitted = fit_hourly(grid, counted, kinds) if frequency == "hourly" else fit_daily(grid, counted, kinds)
    used = fitted.counted
    never_negative = bool(np.min(grid.energy[used]) >= 0.0)
    expected = np.maximum(fitted.expected, 0.0) if never_negative else fitted.expected
    figures = fit_statistics(np.where(used, grid.energy, np.nan), expected, _fewer(fitted.parameters, int(used.sum())))
    mean = float(grid.energy[used].mean())
    times = (grid.day_of_cell * 24 + grid.hour_of_cell).astype("datetime64[h]").astype("datetime64[s]")
    cells_a_day = counted.reshape(-1, grid.per_day).any(axis=1)
    kept_a_day = used.reshape(-1, grid.per_day).any(axis=1)
    off = np.array(fitted.core.scheme.kinds.odd_days, dtype=np.int64)
    weather = None if grid.temperature is None else grid.temperature[used]
    known = rows.times[np.isfinite(rows.energy)]
    return Model(
        frequency=frequency,
        kind=fitted.kind,
        terms=fitted.core.terms,
        n=figures.n,
        p=fitted.parameters,
        r2=figures.r2,
        cv_rmse=figures.cv_rmse,
        nmbe=figures.nmbe,
        cv_rmse_blocked=math.sqrt(fitted.left_out_error / figures.n) / mean if mean else math.nan,
        residuals=(grid.energy - expected)[used],
        residual_times=times[used],
        autocorrelation=figures.autocorrelation,
        period=(known.min(), known.max()),
        temperature_range=None if weather is None else (float(weather.min()), float(weather.max())),
        balance_points=BalancePoints(*fitted.balance_points),
        mean_energy=mean,
        left_out_days=tuple(grid.days[cells_a_day & ~kept_a_day].astype("datetime64[D]")),
        days_off=tuple(np.sort(off).astype("datetime64[D]")),
        sufficiency=judge(rows.times, rows.energy, rows.drivers if rows.drivers.shape[1] else None),
        core=fitted.core,
        never_negative=never_negative,
        drivers=rows.drivers.shape[1],
    )


def _usable(grid: Grid) -> Grid:
    """Leave the weather out where it is known for less than half of the energy, or never changes."""
    energy_known = np.isfinite(grid.energy)
    if grid.temperature is None:
        return grid
    both = energy_known & grid.weather_known
    if both.sum() >= 0.5 * energy_known.sum() and np.ptp(grid.temperature[both]) > 0.0:
        return grid
    return Grid(grid.days, grid.per_day, grid.cell, grid.energy, None, np.zeros(grid.cells, dtype=bool), grid.others)


def _check_frequency(times: Times, frequency: Frequency) -> None:
    """A day's energy asked for every hour would be counted 24 times, and an hour's for a day once."""
    days = np.unique(times.astype("datetime64[D]")).size
    if frequency == "daily" and np.unique(times).size > 2 * max(days, 1):
        raise ValueError(
            f"timestamps give {times.size} rows on {days} days; the baseline is of days: give one row a day"
        )
    hours = np.unique(times.astype("datetime64[h]").astype(np.int64) % 24).size
    if frequency == "hourly" and times.size == days and times.size >= _CERTAINLY_DAYS and hours == 1:
        raise ValueError(f"timestamps give one row a day on {days} days; the baseline is of hours: give hourly rows")


def _fewer(parameters: float, points: int) -> float:
    """Keep a degree of freedom where there are hardly more points than parameters."""
    return min(parameters, max(points - 1.0, 0.0))


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
