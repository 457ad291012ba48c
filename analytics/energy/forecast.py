"""
What a month, or the rest of a year, will come to: from the days before, the kind of each day, and the weather.

The expected use of a day is a level for its kind (workday, Saturday, Sunday or holiday) plus, where the past tells
it, a slope below one outdoor temperature and one above another (the five-parameter change-point form of ASHRAE
Guideline 14). The level follows the latest days. How far such a forecast goes wrong over so many days is measured on
the past itself, by forecasting it from each of its days, and not derived from a formula that assumes good behaviour.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from scipy import signal, stats

from facility.calendar import day_kind
from facility.names import Names

Floats = NDArray[np.float64]
Kinds = NDArray[np.int8]

WORKDAY: Final = 0
SATURDAY: Final = 1
REST: Final = 2  # Sundays and public holidays

_HEATING_BASES_C: Final = (6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0)
_COOLING_BASES_C: Final = (12.0, 14.0, 16.0, 18.0, 20.0, 22.0, 24.0, 26.0)
_HALF_LIVES_D: Final = (4.0, 8.0, 16.0, 32.0, 90.0)
_YEAR_D: Final = 365.25


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
        return float(stats.t.sf((amount - self.total) / self.spread, self.freedom))


def day_kinds(days: Sequence[date], zone: ZoneInfo) -> Kinds:
    """Return the kind of each day at a site: (n,) of WORKDAY, SATURDAY, REST."""
    kinds = np.full(len(days), REST, dtype=np.int8)
    for i, day in enumerate(days):
        kind = day_kind(day, zone)
        if kind.workday:
            kinds[i] = WORKDAY
        elif day.weekday() == 5 and kind.holiday is None:
            kinds[i] = SATURDAY
    return kinds


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
        Mean outdoor temperature of the same days, NaN where not known. Where it is not known of a day to come, the
        year's course is taken, or the last week's mean where the past is shorter than a year. [°C]
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
    known = np.isfinite(used)
    wanted_known = known[first:]
    counted = float(used[first:][wanted_known].sum())
    days_counted, days_expected = int(wanted_known.sum()), int((~wanted_known).sum())
    if days_expected == 0:
        return Forecast(
            counted, counted, counted, p.confidence, counted, used[first:].copy(), days_counted, 0, 0.0, math.inf, False
        )
    if int(known.sum()) < p.least_days:
        return _none(p, counted, days_counted, days_expected, int(known.sum()))
    temperature = None if temperature_c is None else temperature_c[cut:]
    response = _fit(used, kinds, temperature, p)
    outlook = None if response.slopes is None or temperature is None else _Outlook.of(temperature, p)
    last = int(np.flatnonzero(known)[-1])
    horizon = max(1, days_expected)
    half_life, error, freedom = _errors(used, kinds, temperature, response, outlook, horizon, last, p)
    model = response.expected(kinds, None if outlook is None or temperature is None else outlook.filled(temperature))
    level = _level(_residuals(used, response, kinds, temperature), half_life)
    # Days missing in the past take the level of their own time, days to come that of the last known day.
    expected = np.where(known, used, np.maximum(0.0, model + level[np.minimum(np.arange(used.size), last)]))[first:]
    total = float(expected.sum())
    unseen = float(expected[~wanted_known & ~np.isin(kinds[first:], response.kinds_seen)].sum())
    spread = math.hypot(error, p.unseen_kind * unseen)
    reach = float(stats.t.ppf(0.5 + p.confidence / 2.0, freedom)) * spread
    return Forecast(
        total, max(counted, total - reach), total + reach, p.confidence, counted, expected, days_counted,
        days_expected, spread, freedom, response.slopes is not None,
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


# -- what a day is expected to use


@dataclass(frozen=True, slots=True, eq=False)
class _Response:
    """Level of each kind of day, and the slopes below and above two temperatures where they are known."""

    levels: Floats  # (3,)
    kinds_seen: tuple[int, ...]
    slopes: tuple[float, float] | None = None
    bases_c: tuple[float, float] = (0.0, 0.0)
    mean_heating: float = 0.0  # mean of the hinge terms where no temperature is known
    mean_cooling: float = 0.0
    parameters: int = 1

    def expected(self, kinds: Kinds, temperature_c: Floats | None) -> Floats:
        """Return the expected use of days of some kinds at some temperatures; NaN temperatures take the mean."""
        base = self.levels[kinds]
        if self.slopes is None:
            return base
        if temperature_c is None:
            temperature_c = np.full(base.shape, np.nan)
        heating = np.maximum(0.0, self.bases_c[0] - temperature_c)
        cooling = np.maximum(0.0, temperature_c - self.bases_c[1])
        heating = np.where(np.isfinite(heating), heating, self.mean_heating)
        cooling = np.where(np.isfinite(cooling), cooling, self.mean_cooling)
        result: Floats = base + self.slopes[0] * heating + self.slopes[1] * cooling
        return result


def _fit(used: Floats, kinds: Kinds, temperature: Floats | None, p: ForecastParameters) -> _Response:
    known = np.isfinite(used)
    seen = tuple(int(k) for k in (WORKDAY, SATURDAY, REST) if bool((known & (kinds == k)).any()))
    columns = _kind_columns(kinds[known], seen)
    plain, plain_error, _ = _robust(columns, used[known])
    simple = _Response(_levels(plain, seen), seen, parameters=len(seen))
    if temperature is None:
        return simple
    both = known & np.isfinite(temperature)
    if int(both.sum()) < p.least_days_of_weather or float(np.ptp(temperature[both])) < p.least_span_k:
        return simple
    columns, values, at_c = _kind_columns(kinds[both], seen), used[both], temperature[both]
    _, plain_error, _ = _robust(columns, values)
    best: tuple[float, _Response] = (plain_error * 0.95, simple)
    low, high = np.percentile(at_c, [5.0, 95.0])
    for heating_c in (None, *(b for b in _HEATING_BASES_C if low < b)):
        for cooling_c in (None, *(b for b in _COOLING_BASES_C if b < high)):
            if (heating_c is None and cooling_c is None) or (
                heating_c is not None and cooling_c is not None and cooling_c < heating_c
            ):
                continue
            hinges = [np.maximum(0.0, heating_c - at_c)] if heating_c is not None else []
            hinges += [np.maximum(0.0, at_c - cooling_c)] if cooling_c is not None else []
            found, error, _ = _robust(np.column_stack([columns, *hinges]), values, rounds=1)
            slopes = list(found[len(seen) :])
            # Each further slope must earn its place, and cold must not save heating.
            if min(slopes) <= 0 or error * 1.01 ** (len(slopes) - 1) >= best[0]:
                continue
            heat = slopes.pop(0) if heating_c is not None else 0.0
            cool = slopes.pop(0) if cooling_c is not None else 0.0
            bases = (heating_c if heating_c is not None else 0.0, cooling_c if cooling_c is not None else 0.0)
            means = (float(np.maximum(0.0, bases[0] - at_c).mean()), float(np.maximum(0.0, at_c - bases[1]).mean()))
            response = _Response(
                _levels(found, seen), seen, (float(heat), float(cool)), bases, *means, parameters=found.size + 2
            )
            best = (error * 1.01 ** (len(slopes) - 1), response)
    return best[1]


def _kind_columns(kinds: Kinds, seen: tuple[int, ...]) -> Floats:
    return np.column_stack([(kinds == k).astype(float) for k in seen])


def _levels(found: Floats, seen: tuple[int, ...]) -> Floats:
    """Return the level of each kind; one that was never seen takes the mean of the others."""
    levels = np.full(3, float(np.mean(found[: len(seen)])))
    for place, kind in enumerate(seen):
        levels[kind] = found[place]
    return levels


def _robust(columns: Floats, values: Floats, rounds: int = 4) -> tuple[Floats, float, Floats]:
    """Return coefficients by least squares with Huber's weights, the scale of the residuals, and the weights."""
    weights: Floats = np.ones(values.shape)
    coefficients: Floats = np.zeros(columns.shape[1])
    scale = 0.0
    for _ in range(rounds):
        root = np.sqrt(weights)
        coefficients = np.asarray(np.linalg.lstsq(columns * root[:, None], values * root, rcond=None)[0], dtype=float)
        off = np.abs(values - columns @ coefficients)
        scale = float(np.sqrt(np.average(np.minimum(off, 4.0 * (np.median(off) + 1e-12)) ** 2)))
        limit = 1.5 * 1.4826 * float(np.median(off))
        weights = np.where(off > limit, limit / np.maximum(off, 1e-12), 1.0) if limit > 0 else weights
    return coefficients, scale, weights


# -- the level that the latest days stand at


def _residuals(used: Floats, response: _Response, kinds: Kinds, temperature: Floats | None) -> Floats:
    return used - response.expected(kinds, temperature)


def _level(residuals: Floats, half_life_d: float) -> Floats:
    """Return, for each day, the weighted mean of the residuals up to it, those before it counting less and less."""
    known = np.isfinite(residuals)
    off = np.where(known, residuals, 0.0)
    if known.any():
        # One odd day, such as a power cut, is no new level.
        centre = float(np.median(residuals[known]))
        spread = 1.4826 * float(np.median(np.abs(residuals[known] - centre)))
        if spread > 0:
            off = np.where(known, np.clip(off, centre - 4.0 * spread, centre + 4.0 * spread), 0.0)
    keep = 0.5 ** (1.0 / half_life_d)
    sums = signal.lfilter([1.0], [1.0, -keep], off)
    weight = signal.lfilter([1.0], [1.0, -keep], known.astype(float))
    # One day's weight of zero stands beside them: a single residual is not believed whole.
    level: Floats = sums / (weight + 1.0)
    return level


# -- what the temperature will be


@dataclass(frozen=True, slots=True, eq=False)
class _Outlook:
    """The year's course of the temperature where it is known, and how today's departure from it fades."""

    course_c: Floats  # (n,), NaN throughout where the past is shorter than a year
    fade: float = 0.8
    week: int = 7

    @classmethod
    def of(cls, temperature: Floats, p: ForecastParameters) -> _Outlook:
        known = np.isfinite(temperature)
        if int(known.sum()) < p.least_days_of_climate:
            return cls(np.full(temperature.shape, np.nan))
        angle = 2.0 * np.pi * np.arange(temperature.size) / _YEAR_D
        columns = np.column_stack([np.ones(angle.shape), np.cos(angle), np.sin(angle)])
        found = np.linalg.lstsq(columns[known], temperature[known], rcond=None)[0]
        return cls(columns @ found)

    def from_day(self, temperature: Floats, origin: int, horizon: int) -> Floats:
        """Return what the days after `origin` would have been expected to be: (horizon,), or fewer at the end. [°C]"""
        recent = temperature[max(0, origin - self.week + 1) : origin + 1]
        course = self.course_c[origin + 1 : origin + 1 + horizon]
        if not np.isfinite(recent).any():
            return course
        if not np.isfinite(course).all():
            return np.full(course.shape, float(np.nanmean(recent)))
        now = self.course_c[max(0, origin - self.week + 1) : origin + 1]
        departure = float(np.nanmean(recent - now))
        return course + departure * self.fade ** np.arange(1, course.size + 1)

    def filled(self, temperature: Floats) -> Floats:
        """Return the temperatures with those that are not known filled in."""
        known = np.flatnonzero(np.isfinite(temperature))
        result = np.interp(np.arange(temperature.size), known, temperature[known])
        last = int(known[-1])
        if last + 1 < temperature.size:
            result[last + 1 :] = self.from_day(temperature, last, temperature.size)
        return result


# -- how far such forecasts go wrong


def _errors(
    used: Floats,
    kinds: Kinds,
    temperature: Floats | None,
    response: _Response,
    outlook: _Outlook | None,
    horizon: int,
    last: int,
    p: ForecastParameters,
) -> tuple[float, float, float]:
    """
    Return the half-life [d] that would have forecast best, the error of the total, and its degrees of freedom.

    The error is the root of the mean square over all windows of the past, each forecast from the day before it.
    """
    days = last + 1
    span = max(1, min(horizon, days // (p.least_windows + 1)))
    residuals = _residuals(used, response, kinds, temperature)[:days]
    beside = _temperature_errors(kinds, temperature, response, outlook, span, days)
    best: tuple[float, float] | None = None
    for half_life in _HALF_LIVES_D:
        level = _level(residuals, half_life)
        off = _windows(residuals, span) - level[:-span, None] + beside
        known = np.isfinite(off)
        mean = np.where(known, off, 0.0).sum(axis=1) / np.maximum(1, known.sum(axis=1))
        enough = known.mean(axis=1) >= 0.7
        enough[: min(3, enough.size - 1)] = False
        if not enough.any():
            continue
        error = float(np.sqrt(np.mean(mean[enough] ** 2)))
        if best is None or error < best[1]:
            best = (half_life, error)
    if best is None:
        best = (_HALF_LIVES_D[1], float(np.sqrt(np.nanmean(residuals**2))))
    known_days = int(np.isfinite(residuals).sum())
    # The levels and slopes were fitted on these very days.
    fitted = math.sqrt(known_days / max(1, known_days - response.parameters))
    freedom = max(1.0, known_days / span - 1.0)
    return best[0], best[1] * fitted * horizon, freedom


def _windows(values: Floats, span: int) -> Floats:
    """Return the `span` values after each day but the last ones: (n - span, span)."""
    return np.lib.stride_tricks.sliding_window_view(values[1:], span)


def _temperature_errors(
    kinds: Kinds, temperature: Floats | None, response: _Response, outlook: _Outlook | None, span: int, days: int
) -> Floats | float:
    """Return by how much each day's expected use differs from what was expected with the temperature unknown."""
    if outlook is None or temperature is None:
        return 0.0
    result = np.zeros((days - span, span))
    for origin in range(days - span):
        then = outlook.from_day(temperature, origin, span)
        after = slice(origin + 1, origin + 1 + span)
        result[origin] = response.expected(kinds[after], temperature[after]) - response.expected(kinds[after], then)
    return result
