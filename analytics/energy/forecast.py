"""
What a month, or the rest of a year, will come to: from the days before, the kind of each day, and the weather.

The expected use of a day is that of its kind and its temperature (`day_response`), raised or lowered by where the
latest days stand. Days to come have many possible temperatures (`temperature_outlook`), and the mean use over all of
them is expected, not the use at the mean. How far such a forecast goes wrong is measured on the past itself, by
forecasting it from each of its days, and not derived from a formula that assumes good behaviour; where there is little
past, the interval is as wide as little past makes it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.energy.day_response import DayResponse, day_kinds, fit_response
from analytics.energy.distributions import student_above, student_quantile
from analytics.energy.temperature_outlook import TemperatureOutlook
from facility.names import Names

__all__ = ["Forecast", "ForecastParameters", "day_kinds", "forecast"]

Floats = NDArray[np.float64]
Kinds = NDArray[np.int8]

# After so many days a departure of the level counts half; the one that would have forecast best is taken.
_HALF_LIVES_D: Final = (4.0, 8.0, 16.0, 32.0, 90.0)


@dataclass(frozen=True, slots=True)
class ForecastParameters:
    """
    Attributes
    ----------
    confidence : share of the outcomes that the interval is meant to hold
    least_days : with fewer known days there is no forecast
    least_days_of_weather : the response to the temperature is fitted from so many days on
    least_span_k : and only if their temperatures lie at least so far apart [K]
    least_days_of_climate : from so many days of temperature on the year's course is known
    memory_days : older days are left out
    unseen_kind : a kind of day that was never seen may lie so far from the others, as a share
    week_to_week : the share by which weeks of a hospital differ for reasons of their own; with few days known the
        level is no better known than that
    drift_a_day : the share by which the level may move a day, while less than a year of it is known
    own_past : by so much the errors are raised that the past shows, for model, half-life and the year's course of the
        temperature were chosen on that same past
    least_windows : the error over the horizon is measured on at least so many windows that do not overlap; where the
        past is too short for that, on shorter ones, and taken to grow with the horizon
    """

    confidence: float = 0.80
    least_days: int = 5
    least_days_of_weather: int = 60
    least_span_k: float = 8.0
    least_days_of_climate: int = 330
    memory_days: int = 800
    unseen_kind: float = 0.15
    week_to_week: float = 0.04
    drift_a_day: float = 0.004
    own_past: float = 1.2
    least_windows: int = 5


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """
    A total that is partly counted and partly expected.

    Attributes
    ----------
    total, low, high : expected total and the ends of its interval; NaN where there is no forecast
    confidence : share of the outcomes that the interval is meant to hold
    counted : what is counted already
    expected : (m,) of each day: what was counted, or what is expected; NaN without a forecast
    days_counted, days_expected : how many days are which
    spread, freedom : scale and degrees of freedom of Student's t about `total`
    weather : the temperature's part was known
    reason : why there is no forecast; None if there is one
    """

    total: float
    low: float
    high: float
    confidence: float
    counted: float
    expected: Floats
    days_counted: int
    days_expected: int
    spread: float
    freedom: float
    weather: bool
    reason: Names | None = None

    def chance_above(self, amount: float) -> float:
        """Return how likely the total passes `amount`, 0 to 1; NaN without a forecast."""
        if self.reason is not None:
            return float("nan")
        if self.counted > amount:
            return 1.0
        if self.spread <= 0:
            return 1.0 if self.total > amount else 0.0
        return student_above((amount - self.total) / self.spread, self.freedom)


def forecast(
    used: Floats,
    kinds: Kinds,
    temperature_c: Floats | None,
    first: int,
    p: ForecastParameters | None = None,
) -> Forecast:
    """
    Forecast the total of the days from `first` to the last.

    Parameters
    ----------
    used : (n,) float
        Use of consecutive days, oldest first; NaN where a day is missing or yet to come. All that is known before
        `first` is learnt from.
    kinds : (n,) int8
        As `day_kinds` returns.
    temperature_c : (n,) float or None
        Mean outdoor temperature of the same days, NaN where not known. [°C]
    first : int
        Index of the first day of the total, 0 to n - 1.

    Raises
    ------
    ValueError
        If the arrays do not fit together, or `first` lies outside them.
    """
    p = p or ForecastParameters()
    n = used.shape[0]
    if kinds.shape != used.shape or (temperature_c is not None and temperature_c.shape != used.shape):
        raise ValueError("used, kinds and temperature_c must be (n,), one value a day")
    if not 0 <= first < n:
        raise ValueError(f"first is {first}; give the index of one of {n} days")
    cut = max(0, first - p.memory_days)
    used, kinds, first = used[cut:], kinds[cut:], first - cut
    temperature = None if temperature_c is None else temperature_c[cut:]
    known = np.isfinite(used)
    wanted = ~known
    wanted[:first] = False
    counted = float(used[first:][known[first:]].sum())
    days_counted, days_expected = int(known[first:].sum()), int(wanted.sum())
    if days_expected == 0:
        return Forecast(
            counted, counted, counted, p.confidence, counted, used[first:].copy(), days_counted, 0, 0.0, math.inf, False
        )
    if int(known.sum()) < p.least_days:
        return _none(p, counted, days_counted, days_expected, int(known.sum()))
    response = fit_response(used, kinds, temperature, p.least_days_of_weather, p.least_span_k)
    model, weather_spread = _model(response, kinds, temperature, wanted, p)
    residuals = used - response.expected(kinds, temperature)
    last = int(np.flatnonzero(known)[-1])
    errors = _errors(residuals[: last + 1], model[: last + 1], days_expected, float(model[wanted].mean()), response, p)
    level = _level(residuals, errors.half_life_d)
    # Days missing in the past take the level of their own time, days to come that of the last known day.
    ahead = np.maximum(0.0, model + level[np.minimum(np.arange(used.size), last)])
    expected = np.where(known, used, ahead)[first:]
    total = float(expected.sum())
    still = float(ahead[wanted].sum())
    unseen = float(ahead[wanted & ~np.isin(kinds, response.kinds_seen)].sum())
    little = _little(int(known.sum()), days_expected, p)
    shown = p.own_past * math.hypot(errors.error, weather_spread)
    spread = math.hypot(shown, p.unseen_kind * unseen, little * still)
    reach = student_quantile(0.5 + p.confidence / 2.0, errors.freedom) * spread
    return Forecast(
        total, max(counted, total - reach), total + reach, p.confidence, counted, expected, days_counted,
        days_expected, spread, errors.freedom, response.slopes is not None,
    )  # fmt: skip


def _none(p: ForecastParameters, counted: float, days_counted: int, days_expected: int, days: int) -> Forecast:
    nan = float("nan")
    reason = Names(
        zh=f"只有 {days} 天的数据，预测至少需要 {p.least_days} 天",
        en=f"only {days} days are known; a forecast needs {p.least_days}",
    )
    return Forecast(
        nan, nan, nan, p.confidence, counted, np.full(days_counted + days_expected, nan), days_counted, days_expected,
        nan, nan, False, reason,
    )  # fmt: skip


def _model(
    response: DayResponse, kinds: Kinds, temperature: Floats | None, wanted: NDArray[np.bool_], p: ForecastParameters
) -> tuple[Floats, float]:
    """Return the expected use of every day, and the spread of the wanted days' total that the weather makes."""
    model = response.expected(kinds, temperature)
    if response.slopes is None or temperature is None:
        return model, 0.0
    outlook = TemperatureOutlook.of(temperature, p.least_days_of_climate)
    ahead = slice(outlook.last + 1, kinds.size)
    if not wanted[ahead].any():
        return model, 0.0
    paths = response.expected(kinds[ahead], outlook.scenarios(kinds.size))
    model = model.copy()
    model[ahead] = paths.mean(axis=0)
    return model, float(paths[:, wanted[ahead]].sum(axis=1).std())


def _little(days: int, horizon: int, p: ForecastParameters) -> float:
    """Return how uncertain a total is, as a share of it, because little is known of the past."""
    level = p.week_to_week * math.sqrt(7.0 / days)
    drift = p.drift_a_day * horizon / 2.0 * max(0.0, 1.0 - days / 365.0)
    return math.hypot(level, drift)


# -- the level that the latest days stand at, and how far forecasts from it go wrong


def _level(residuals: Floats, half_life_d: float) -> Floats:
    """Return, for each day, the weighted mean of the residuals up to it, those before it counting less and less."""
    from scipy.signal import lfilter  # tens of megabytes, which a collector that forecasts nothing does without

    known = np.isfinite(residuals)
    off = np.where(known, residuals, 0.0)
    if known.any():
        # One odd day, such as a power cut, is no new level.
        centre = float(np.median(residuals[known]))
        apart = np.abs(residuals[known] - centre)
        spread = 1.4826 * float(np.median(apart))
        # Days that differ by rounding alone have no spread to judge the others by.
        if spread > 1e-9 * float(apart.max()):
            off = np.where(known, np.clip(off, centre - 4.0 * spread, centre + 4.0 * spread), 0.0)
    keep = 0.5 ** (1.0 / half_life_d)
    sums = lfilter([1.0], [1.0, -keep], off)
    weight = lfilter([1.0], [1.0, -keep], known.astype(float))
    # One day's weight of zero stands beside them: a single residual is not believed whole.
    level: Floats = sums / (weight + 1.0)
    return level


@dataclass(frozen=True, slots=True)
class _Errors:
    """The half-life that would have forecast best, the error of the total, and its degrees of freedom."""

    half_life_d: float
    error: float
    freedom: float


def _errors(
    residuals: Floats, model: Floats, horizon: int, ahead: float, response: DayResponse, p: ForecastParameters
) -> _Errors:
    """
    Return how far totals over the horizon go wrong: the root of the mean square over the windows of the past.

    Errors grow with the root of the use, so that a summer without heating is not as uncertain as a winter; `ahead` is
    the mean use that is expected.
    """
    days = residuals.size
    span = max(1, min(horizon, days // (p.least_windows + 1)))
    least = 0.1 * float(np.abs(model).mean()) + 1e-12
    scale = np.sqrt(np.maximum(model, least))
    relative = residuals / scale
    after = np.lib.stride_tricks.sliding_window_view(residuals[1:], span)
    size = np.lib.stride_tricks.sliding_window_view(np.maximum(model, least)[1:], span).mean(axis=1)
    known = np.isfinite(after)
    enough = known.mean(axis=1) >= 0.7
    enough[: min(3, enough.size - 1)] = False
    best: tuple[float, float] | None = None
    for half_life in _HALF_LIVES_D:
        level = _level(residuals, half_life)
        off = np.where(known, after - level[:-span, None], 0.0).sum(axis=1) / np.maximum(1, known.sum(axis=1))
        if enough.any():
            error = float(np.sqrt(np.mean(off[enough] ** 2 / size[enough])))
            if best is None or error < best[1]:
                best = (half_life, error)
    if best is None:
        best = (_HALF_LIVES_D[1], float(np.sqrt(np.nanmean(relative**2))))
    known_days = int(np.isfinite(residuals).sum())
    # The levels and slopes were fitted on these very days.
    fitted = math.sqrt(known_days / max(1, known_days - response.parameters))
    freedom = max(1.0, known_days / span - 1.0)
    return _Errors(best[0], best[1] * math.sqrt(max(ahead, least)) * fitted * horizon, freedom)
