"""A second, plainer opinion on hourly energy: a level for each hour of the week, and straight pieces of temperature.

It is the model of Mathieu et al. as it was published, with pieces of its own for hours in which the building is in use.
Two honest models that are wrong in different ways are nearer together than either: where less than a year was seen, the
hourly baseline is the mean of this one and its own.

The level of an hour of the week is drawn towards that of the same hour on all workdays, or rest days. Levels are
eliminated in closed form, so that only the pieces and drivers are solved for.

Sources: J. L. Mathieu, P. N. Price, S. Kiliccote, M. A. Piette, IEEE Transactions on Smart Grid 2 (2011) 507; knots and
hours in use as in CalTRACK 2 methods, section 3; combining forecasts: J. M. Bates, C. W. J. Granger, Operational
Research Quarterly 20 (1969) 451.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from analytics.energy.baseline.curves import Curve
from analytics.energy.baseline.days import DayKinds
from analytics.energy.baseline.rows import Bools, Floats, Grid, Ints

_KNOTS_C: Final = (-1.1, 7.2, 12.8, 18.3, 23.9, 32.2)
_FEWEST_ROWS: Final = 20
_REACH_K: Final = 10.0
_IN_USE: Final = 0.65
_HOURS: Final = 168
_SHRINKAGES: Final = (0.1, 3.0, 30.0, 1e6)
_JITTER: Final = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class HourOfWeek:
    """
    The plain model.

    Attributes
    ----------
    in_use : (168,) bool, hours of the week, Monday's first, with a load of their own
    knots : where the slope may change, of hours not in use and in use [°C]
    low, high : beyond these the pieces are flat [°C]
    others : of each further driver
    level : (168,) in the unit of the energy
    beta : (p,) of the pieces and drivers
    """

    in_use: Bools
    knots: tuple[tuple[float, ...], tuple[float, ...]]
    low: float
    high: float
    others: tuple[Curve | None, ...]
    level: Floats
    beta: Floats

    def expected(self, grid: Grid, kinds: DayKinds) -> Floats:
        """Return the (D * 24,) energy that is expected in each cell."""
        hour = hour_of_week(grid, kinds)
        return np.asarray(self.level[hour] + self._pieces(grid, hour) @ self.beta)

    def _pieces(self, grid: Grid, hour: Ints) -> Floats:
        assert grid.temperature is not None
        celsius = np.clip(grid.temperature, self.low, self.high)
        used = self.in_use[hour]
        parts = []
        for knots, rows in zip(self.knots, (~used, used), strict=True):
            bounds = [*knots, np.inf]
            parts.append(np.where(rows, np.minimum(celsius, bounds[0]) if knots else celsius, 0.0))
            parts += [
                np.where(rows, np.clip(celsius - a, 0.0, b - a), 0.0) for a, b in zip(knots, bounds[1:], strict=True)
            ]
        for j, curve in enumerate(self.others):
            if curve is not None:
                parts.append(curve.columns(grid.others[:, j])[:, 0])
        return np.column_stack(parts)

    def as_json(self) -> dict[str, Any]:
        """Return what `from_json` reads back."""
        return {
            "in_use": self.in_use.tolist(),
            "knots": [list(knots) for knots in self.knots],
            "low": self.low,
            "high": self.high,
            "others": [None if curve is None else curve.as_json() for curve in self.others],
            "level": self.level.tolist(),
            "beta": self.beta.tolist(),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> HourOfWeek:
        """Return the model that `as_json` wrote."""
        idle, used = data["knots"]
        return cls(
            np.array(data["in_use"], dtype=bool),
            (tuple(idle), tuple(used)),
            data["low"],
            data["high"],
            tuple(None if curve is None else Curve.from_json(curve) for curve in data["others"]),
            np.array(data["level"], dtype=float),
            np.array(data["beta"], dtype=float),
        )


@dataclass(frozen=True, slots=True, eq=False)
class HourOfWeekFit:
    """
    What a fit hands over.

    Attributes
    ----------
    model : predicts
    expected : (D * 24,) of the cells that it was fitted to
    left_out : (D * 24,) what the models say that did not see a cell's block
    parameters : effective number
    """

    model: HourOfWeek
    expected: Floats
    left_out: Floats
    parameters: float


def hour_of_week(grid: Grid, kinds: DayKinds) -> Ints:
    """Return the (D * 24,) hour of the week of each cell, 0 is Monday's first; holidays are like Sundays."""
    return np.repeat(kinds.weekday(grid.days) * 24, 24) + grid.hour_of_cell


def fit_hour_of_week(
    grid: Grid, kinds: DayKinds, others: Sequence[Curve | None], weight: Floats, block: Ints, blocks: int
) -> HourOfWeekFit:
    """
    Fit the plain model.

    Parameters
    ----------
    grid : with 24 cells a day, and a temperature
    kinds : which days are rest days
    others : of each further driver, None where it says nothing
    weight : (D * 24,) float, 0 where a cell does not count
    block : (D * 24,) int, which block of days each cell is left out with
    """
    assert grid.temperature is not None
    hour = hour_of_week(grid, kinds)
    counted = weight > 0
    in_use = _in_use(grid, hour, counted)
    state = in_use[hour]
    knots = (_knots(grid.temperature[counted & ~state]), _knots(grid.temperature[counted & state]))
    celsius = grid.temperature[counted]
    low, high = float(celsius.min()) - _REACH_K, float(celsius.max()) + _REACH_K
    blank = HourOfWeek(in_use, knots, low, high, tuple(others), np.zeros(_HOURS), np.zeros(0))
    pieces = blank._pieces(grid, hour)
    centre = np.average(pieces, axis=0, weights=weight)
    sums = _Sums(pieces - centre, np.where(counted, grid.energy, 0.0), weight, hour, kinds, block, blocks)
    best: tuple[float, float, Floats] | None = None
    for shrinkage in _SHRINKAGES:
        left_out = sums.left_out(shrinkage)
        error = float(np.sum(weight * (sums.target - left_out) ** 2))
        if best is None or error < best[0]:
            best = (error, shrinkage, left_out)
    assert best is not None
    level, beta = sums.solve(sums.every, best[1])
    model = HourOfWeek(in_use, knots, low, high, tuple(others), level - centre @ beta, beta)
    expected = level[hour] + (pieces - centre) @ beta
    return HourOfWeekFit(model, expected, best[2], sums.worth(best[1]))


class _Sums:
    """Sums over the cells of each hour of the week and block, from which every model is solved."""

    def __init__(
        self, pieces: Floats, target: Floats, weight: Floats, hour: Ints, kinds: DayKinds, block: Ints, blocks: int
    ) -> None:
        self.pieces, self.target, self.hour, self.block, self.blocks = pieces, target, hour, block, blocks
        table = np.column_stack([pieces, target])
        weighted = table * weight[:, None]
        place, size = block * _HOURS + hour, blocks * _HOURS
        self.count = np.bincount(place, weight, size).reshape(blocks, _HOURS)
        self.sum = np.stack([np.bincount(place, column, size) for column in weighted.T], axis=-1)
        self.sum = self.sum.reshape(blocks, _HOURS, -1)
        self.gram = np.stack([table[block == k].T @ weighted[block == k] for k in range(blocks)])
        rest = np.isin(np.arange(_HOURS) // 24, kinds.weekend)
        # Hours of the day on workdays, then on rest days.
        self.group = np.arange(_HOURS) % 24 + 24 * rest
        self.every = (self.count.sum(axis=0), self.sum.sum(axis=0), self.gram.sum(axis=0))

    def solve(self, sums: tuple[Floats, Floats, Floats], shrinkage: float) -> tuple[Floats, Floats]:
        """Return the (168,) levels and the (p,) coefficients by counts, sums and products of cells."""
        count, total, gram = sums
        levels = self._levels(count, total, shrinkage)
        rest = gram - total.T @ levels
        system = rest[:-1, :-1] + np.diag(_JITTER * (1.0 + np.diag(gram)[:-1]))
        beta = np.asarray(np.linalg.solve(system, rest[:-1, -1]), dtype=np.float64)
        return levels[:, -1] - levels[:, :-1] @ beta, beta

    def left_out(self, shrinkage: float) -> Floats:
        """Return what each cell's energy is by the model that did not see its block."""
        result = np.zeros(self.target.size)
        for k in range(self.blocks):
            rows = self.block == k
            count, total, gram = self.every
            level, beta = self.solve((count - self.count[k], total - self.sum[k], gram - self.gram[k]), shrinkage)
            result[rows] = level[self.hour[rows]] + self.pieces[rows] @ beta
        return result

    def worth(self, shrinkage: float) -> float:
        """Return how many parameters the levels and coefficients are worth."""
        count = self.every[0]
        kept = count / (count + shrinkage)
        groups = np.bincount(self.group, count) > 0
        seen = float(np.sum(count > 0))
        # Each group has a level of its own; what its hours have beside that is shrunken.
        free = float(kept.sum()) * max(seen - float(groups.sum()), 0.0) / max(seen, 1.0)
        return float(groups.sum()) + free + float(self.pieces.shape[1])

    def _levels(self, count: Floats, total: Floats, shrinkage: float) -> Floats:
        """Return the (168, p) levels of columns: of groups by least squares, of hours drawn towards their group's."""
        mean = total / np.maximum(count, 1e-12)[:, None]
        mean[count <= 1e-9] = 0.0
        trust = np.maximum(count, 0.0) * shrinkage / (np.maximum(count, 0.0) + shrinkage)
        own = np.stack([np.bincount(self.group, trust * column, 48) for column in mean.T], axis=-1)
        weight = np.bincount(self.group, trust, 48)
        overall = (trust @ mean) / max(float(trust.sum()), 1e-12)
        group = np.where(weight[:, None] > 1e-9, own / np.maximum(weight, 1e-12)[:, None], overall)[self.group]
        kept = np.maximum(count, 0.0) / (np.maximum(count, 0.0) + shrinkage)
        return np.asarray(group + kept[:, None] * (mean - group))


def _in_use(grid: Grid, hour: Ints, counted: Bools) -> Bools:
    """Return the (168,) hours of the week that mostly use more than the weather alone would have it."""
    assert grid.temperature is not None
    celsius, energy = grid.temperature[counted], grid.energy[counted]
    x = np.column_stack([np.ones(celsius.size), np.maximum(10.0 - celsius, 0.0), np.maximum(celsius - 18.3, 0.0)])
    beta = np.linalg.lstsq(x.T @ x, x.T @ energy, rcond=None)[0]
    above = energy > x @ beta
    number = np.bincount(hour[counted], minlength=_HOURS)
    return np.asarray(np.bincount(hour[counted], above, _HOURS) > _IN_USE * np.maximum(number, 1))


def _knots(celsius: Floats) -> tuple[float, ...]:
    """Return the knots that have some hours on either side."""
    return tuple(
        knot for knot in _KNOTS_C if min(int(np.sum(celsius < knot)), int(np.sum(celsius >= knot))) >= _FEWEST_ROWS
    )
