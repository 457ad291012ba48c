"""
What a day is expected to use: a level for its kind, and slopes below and above two outdoor temperatures.

The five-parameter change-point form, fitted by least squares over a grid of both temperatures, a slope or both left out
where they explain nothing. Odd days, such as those of a power cut, weigh little.

References
----------
ASHRAE Guideline 14-2014, annex D: change-point models. P. J. Huber, Robust Statistics, Wiley, 1981.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from facility.calendar import day_kind

Floats = NDArray[np.float64]
Kinds = NDArray[np.int8]

WORKDAY: Final = 0
SATURDAY: Final = 1
REST: Final = 2  # Sundays and short public holidays
FESTIVAL: Final = 3  # of a public holiday so long that people travel: Spring Festival, National Day
_KINDS: Final = (WORKDAY, SATURDAY, REST, FESTIVAL)
_LONG_D: Final = 5  # days off in a row, one of them at least a public holiday

_HEATING_BASES_C: Final = tuple(float(t) for t in range(4, 21))
_COOLING_BASES_C: Final = tuple(float(t) for t in range(10, 29))
# A slope must take so much off the residuals, and a second one so much more.
_WORTH: Final = 0.90
_WORTH_TWO: Final = 0.98


def day_kinds(days: Sequence[date], zone: ZoneInfo) -> Kinds:
    """Return the kind of each day at a site: (n,) of WORKDAY, SATURDAY, REST, FESTIVAL."""
    return np.array([_kind(day, zone) for day in days], dtype=np.int8)


@lru_cache(maxsize=16_384)
def _kind(day: date, zone: ZoneInfo) -> int:
    kind = day_kind(day, zone)
    if kind.workday:
        return WORKDAY
    if _of_long_holiday(day, zone):
        return FESTIVAL
    return SATURDAY if day.weekday() == 5 and kind.holiday is None else REST


def _of_long_holiday(day: date, zone: ZoneInfo) -> bool:
    off = [day]
    for step in (timedelta(days=-1), timedelta(days=1)):
        other = day + step
        while len(off) < _LONG_D + 2 and not day_kind(other, zone).workday:
            off.append(other)
            other += step
    return len(off) >= _LONG_D and any(day_kind(d, zone).holiday is not None for d in off)


@dataclass(frozen=True, slots=True, eq=False)
class DayResponse:
    """
    What days are expected to use.

    Attributes
    ----------
    levels : (4,) of each kind of day; a kind that was never seen has the mean of the others, a festival that of days
        of rest
    kinds_seen : kinds that were seen
    slopes : more a kelvin below the first and above the second of `bases_c`; None where the weather is not known to
        matter
    parameters : how many numbers were fitted
    """

    levels: Floats
    kinds_seen: tuple[int, ...]
    slopes: tuple[float, float] | None = None
    bases_c: tuple[float, float] = (0.0, 0.0)
    mean_degrees: tuple[float, float] = (0.0, 0.0)  # of the days that were fitted, where no temperature is known
    parameters: int = 1

    def expected(self, kinds: Kinds, temperature_c: Floats | None) -> Floats:
        """
        Return the expected use of days, (..., n) for (n,) kinds and (..., n) temperatures.

        A day whose temperature is not known takes the mean of the days that were fitted.
        """
        base: Floats = self.levels[kinds]
        if self.slopes is None:
            return base
        if temperature_c is None:
            temperature_c = np.full(base.shape, np.nan)
        known = np.isfinite(temperature_c)
        heating = np.where(known, np.maximum(0.0, self.bases_c[0] - temperature_c), self.mean_degrees[0])
        cooling = np.where(known, np.maximum(0.0, temperature_c - self.bases_c[1]), self.mean_degrees[1])
        result: Floats = base + self.slopes[0] * heating + self.slopes[1] * cooling
        return result


def fit_response(
    used: Floats, kinds: Kinds, temperature_c: Floats | None, least_days: int, least_span_k: float
) -> DayResponse:
    """
    Fit what days are expected to use.

    Parameters
    ----------
    used, kinds, temperature_c : (n,)
        Days; use and temperature NaN where not known. At least one use is.
    least_days, least_span_k
        The weather's part is fitted from so many days on, if their temperatures lie so far apart. [d], [K]
    """
    known = np.isfinite(used)
    seen = tuple(int(k) for k in _KINDS if bool((known & (kinds == k)).any()))
    plain, _ = _robust(_kind_columns(kinds[known], seen), used[known])
    simple = DayResponse(_levels(plain, seen), seen, parameters=len(seen))
    if temperature_c is None:
        return simple
    both = known & np.isfinite(temperature_c)
    seen = tuple(int(k) for k in _KINDS if bool((both & (kinds == k)).any()))
    if int(both.sum()) < least_days or float(np.ptp(temperature_c[both])) < least_span_k:
        return simple
    bases = _best_bases(_kind_columns(kinds[both], seen), used[both], temperature_c[both])
    if bases is None:
        return simple
    return _with_slopes(used[both], kinds[both], temperature_c[both], seen, bases) or simple


def _best_bases(columns: Floats, values: Floats, at_c: Floats) -> tuple[float | None, float | None] | None:
    """Return the temperatures from which heating and cooling explain the most; None for what explains nothing."""
    low, high = (float(x) for x in np.percentile(at_c, [3.0, 97.0]))
    heating_c = [base for base in _HEATING_BASES_C if base > low]
    cooling_c = [base for base in _COOLING_BASES_C if base < high]
    hinges = [np.maximum(0.0, base - at_c) for base in heating_c] + [np.maximum(0.0, at_c - base) for base in cooling_c]
    sums = _Sums.of(columns, hinges, values, _weights(columns, values, at_c))
    first_cooling = len(heating_c)
    one: list[tuple[float, tuple[float | None, float | None]]] = [
        *((sums.error(i), (base, None)) for i, base in enumerate(heating_c)),
        *((sums.error(first_cooling + j), (None, base)) for j, base in enumerate(cooling_c)),
    ]
    two: list[tuple[float, tuple[float | None, float | None]]] = [
        (sums.error(i, first_cooling + j), (low_base, high_base))
        for i, low_base in enumerate(heating_c)
        for j, high_base in enumerate(cooling_c)
        if low_base <= high_base
    ]
    best = min(one, key=lambda found: found[0], default=(math.inf, (None, None)))
    pair = min(two, key=lambda found: found[0], default=best)
    if pair[0] < _WORTH_TWO * best[0]:
        best = pair
    return best[1] if best[0] < _WORTH * sums.error() else None


def _weights(columns: Floats, values: Floats, at_c: Floats) -> Floats:
    """Return how much each day counts, odd ones little, by a rough fit with both slopes."""
    middle = (float(np.percentile(at_c, 35.0)), float(np.percentile(at_c, 65.0)))
    rough = [np.maximum(0.0, middle[0] - at_c), np.maximum(0.0, at_c - middle[1])]
    return _robust(np.column_stack([columns, *rough]), values)[1]


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """All sums of products of a least-squares problem: each choice of hinges is then a small system of equations."""

    gram: Floats
    right: Floats
    square: float
    weight: float
    plain: int

    @classmethod
    def of(cls, columns: Floats, hinges: Sequence[Floats], values: Floats, weights: Floats) -> _Sums:
        everything = np.column_stack([columns, *hinges])
        weighted = (everything * weights[:, None]).T
        square, whole = float(weights @ values**2), float(weights.sum())
        return cls(weighted @ everything, weighted @ values, square, whole, columns.shape[1])

    def error(self, *hinges: int) -> float:
        """Return the root mean square that the plain columns and some hinges leave; infinite for a slope below zero."""
        own = [*range(self.plain), *(self.plain + i for i in hinges)]
        try:
            found = np.linalg.solve(self.gram[np.ix_(own, own)], self.right[own])
        except np.linalg.LinAlgError:
            return math.inf
        # Cold must not save heating, nor heat cooling.
        if bool((found[self.plain :] <= 0).any()):
            return math.inf
        return math.sqrt(max(0.0, self.square - float(found @ self.right[own])) / self.weight)


def _with_slopes(
    used: Floats, kinds: Kinds, at_c: Floats, seen: tuple[int, ...], bases: tuple[float | None, float | None]
) -> DayResponse | None:
    heating, cooling = bases
    hinges = [np.maximum(0.0, heating - at_c)] if heating is not None else []
    hinges += [np.maximum(0.0, at_c - cooling)] if cooling is not None else []
    found, _ = _robust(np.column_stack([_kind_columns(kinds, seen), *hinges]), used)
    slopes = [float(s) for s in found[len(seen) :]]
    if min(slopes) <= 0:
        return None
    heat = slopes.pop(0) if heating is not None else 0.0
    cool = slopes.pop(0) if cooling is not None else 0.0
    heating_c, cooling_c = heating if heating is not None else 0.0, cooling if cooling is not None else 0.0
    means = (
        float(np.maximum(0.0, heating_c - at_c).mean()) if heating is not None else 0.0,
        float(np.maximum(0.0, at_c - cooling_c).mean()) if cooling is not None else 0.0,
    )
    return DayResponse(
        _levels(found, seen), seen, (heat, cool), (heating_c, cooling_c), means, found.size + len(hinges)
    )


def _kind_columns(kinds: Kinds, seen: tuple[int, ...]) -> Floats:
    return np.column_stack([(kinds == k).astype(float) for k in seen])


def _levels(found: Floats, seen: tuple[int, ...]) -> Floats:
    levels: Floats = np.full(len(_KINDS), float(np.mean(found[: len(seen)])))
    for place, kind in enumerate(seen):
        levels[kind] = found[place]
    if FESTIVAL not in seen:
        levels[FESTIVAL] = levels[REST]
    return levels


def _robust(columns: Floats, values: Floats, rounds: int = 4) -> tuple[Floats, Floats]:
    """Return coefficients by least squares with Huber's weights, and the weights."""
    weights: Floats = np.ones(values.shape)
    coefficients: Floats = np.zeros(columns.shape[1])
    for _ in range(rounds):
        root = np.sqrt(weights)
        coefficients = np.asarray(np.linalg.lstsq(columns * root[:, None], values * root, rcond=None)[0], dtype=float)
        off = np.abs(values - columns @ coefficients)
        limit = 1.5 * 1.4826 * float(np.median(off))
        # Where most days differ by rounding alone, nothing tells which of the others is odd.
        if limit > 1e-9 * float(off.max()):
            weights = np.where(off > limit, limit / np.maximum(off, limit), 1.0)
    return coefficients, weights
