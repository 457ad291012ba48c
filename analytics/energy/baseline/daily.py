"""The daily baseline: a change-point model of temperature, with day types and, where the data ask for it, more.

The kind of the change-point model, and what is added to it (day of the week, rest days that answer to the weather in
another way, the day before, the course of the year, other drivers), are chosen by the error on blocks of days that were
left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from analytics.energy.baseline.change_point import (
    ChangePoints,
    Search,
    choose_kind,
    left_out_errors,
    points_to_try,
    search,
)
from analytics.energy.baseline.curves import Curve
from analytics.energy.baseline.days import (
    YEAR_SPAN_DAYS,
    Calendar,
    DayKinds,
    blocks_of_days,
    course_of_year,
    nearness,
    winter,
)
from analytics.energy.baseline.odd import odd_days
from analytics.energy.baseline.ridge import OUT, BlockedSums, Columns, Penalties
from analytics.energy.baseline.rows import Bools, Floats, Grid, delayed, smoothed

_YESTERDAY: Final = (0.0, 0.125, 0.25, 0.5)
_ROUNDING_K: Final = (0.0, 2.0, 4.0, 6.0)
_FORM_GAIN: Final = 0.005
_KIND_TOLERANCE: Final = 0.01
_GAIN: Final = 0.005
_LOOKS: Final = 3
_SLOW_HOURS: Final = 72.0
_SLOW_SHARES: Final = (0.33, 0.67)
_BEND_SHARES: Final = (0.1, 0.3, 0.5, 0.7, 0.9)
_FEWEST_FOR_WEATHER: Final = 12

_START: Final[Penalties] = {"one": 0.0, "change_point": 0.0}
_TRIES: Final = (
    ("rest", (10.0, 1.0)),
    ("weekday", (30.0, 5.0)),
    ("winter", (100.0, 10.0)),
    ("others", (100.0, 3.0)),
    ("slow", (100.0, 10.0)),
    ("year", (100.0, 10.0, 1.0)),
    ("rest_change_point", (30.0, 3.0)),
    ("bend", (100.0, 10.0)),
)
_FIRST_LOOK: Final[Penalties] = {"one": 0.0, "rest": 1.0, "weekday": 30.0, "bend": 1.0, "slow": 30.0, "others": 30.0}
_FALLBACK: Final[Penalties] = {"one": 0.0, "rest": 3.0, "weekday": 30.0, "year": 3.0}


@dataclass(frozen=True, slots=True)
class DailyScheme:
    """What the columns of a daily baseline are made with."""

    kinds: DayKinds
    year: bool
    form: ChangePoints
    yesterday: float
    spread: tuple[float, ...]
    bend: Curve | None
    slow: Curve | None
    others: tuple[Curve | None, ...]

    def felt(self, grid: Grid) -> Floats:
        """Return (D,) °C: the day's temperature, and a part of that of the day before."""
        assert grid.temperature is not None
        return felt_temperature(grid, self.yesterday)

    def columns(self, grid: Grid) -> Columns:
        """Return the columns of all terms."""
        rest = self.kinds.rest(grid.days).astype(float)[:, None]
        parts: dict[str, Floats] = {"one": np.ones((grid.cells, 1))}
        weather = self.bend is not None and grid.temperature is not None
        if weather:
            branches = self.form.columns(self.felt(grid)) / np.asarray(self.spread)
            parts["change_point"] = branches
            parts["rest_change_point"] = branches * rest
        parts |= {"rest": rest, "weekday": np.eye(7)[self.kinds.weekday(grid.days)]}
        if self.year:
            # Finer waves are held more strongly.
            parts["year"] = course_of_year(grid.days) / np.array([1.0, 1.0, 2.0, 2.0, 3.0, 3.0])
        elif not weather:
            parts["winter"] = winter(grid.days)
        if self.bend is not None and self.slow is not None and grid.temperature is not None:
            parts["bend"] = self.bend.columns(self.felt(grid))
            parts["slow"] = self.slow.columns(smoothed(grid.temperature, grid.days, 1, _SLOW_HOURS))
        used = [curve.columns(grid.others[:, j]) for j, curve in enumerate(self.others) if curve is not None]
        if used:
            parts["others"] = np.concatenate(used, axis=1)
        return Columns.of(parts)

    def as_json(self) -> dict[str, Any]:
        """Return what `from_json` reads back."""
        return {
            "kinds": self.kinds.as_json(),
            "year": self.year,
            "form": self.form.as_json(),
            "yesterday": self.yesterday,
            "spread": list(self.spread),
            "bend": None if self.bend is None else self.bend.as_json(),
            "slow": None if self.slow is None else self.slow.as_json(),
            "others": [None if curve is None else curve.as_json() for curve in self.others],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any], calendar: Calendar | None) -> DailyScheme:
        """Return the scheme that `as_json` wrote."""
        return cls(
            DayKinds.from_json(data["kinds"], calendar),
            data["year"],
            ChangePoints(**data["form"]),
            data["yesterday"],
            tuple(data["spread"]),
            None if data["bend"] is None else Curve.from_json(data["bend"]),
            None if data["slow"] is None else Curve.from_json(data["slow"]),
            tuple(None if curve is None else Curve.from_json(curve) for curve in data["others"]),
        )


@dataclass(frozen=True, slots=True)
class DailyCore:
    """
    A fitted daily baseline.

    Attributes
    ----------
    scheme : of the columns
    beta : (p,) coefficients
    calendar : (p,) coefficients that know the calendar alone, for days without a temperature
    terms : groups of columns that take part
    """

    scheme: DailyScheme
    beta: Floats
    calendar: Floats
    terms: tuple[str, ...]

    def expected(self, grid: Grid) -> Floats:
        """Return the (D,) energy that is expected on each day."""
        return self.expected_of(grid, self.scheme.columns(grid))

    def expected_of(self, grid: Grid, columns: Columns) -> Floats:
        """Return the (D,) energy that is expected on each day, its columns being made already."""
        result: Floats = columns.matrix @ self.beta
        if self.scheme.bend is not None:
            blind = ~grid.weather_known
            result[blind] = columns.matrix[blind] @ self.calendar
        return result

    def response(self, temperature: Floats, mean: float) -> Floats:
        """Return the energy of a usual workday of each lasting temperature, (n,) °C; `mean` where there is none."""
        if self.scheme.bend is None:
            return np.full(temperature.shape, mean)
        # A day a fortnight, so that none has a day before; the course of the year is left out below.
        days = 4 + 14 * np.arange(temperature.size, dtype=np.int64)
        known = np.isfinite(temperature)
        grid = Grid(
            days, 1, np.arange(days.size), np.full(days.size, np.nan), np.where(known, temperature, 0.0), known,
            np.full((days.size, len(self.scheme.others)), np.nan),
        )  # fmt: skip
        scheme = replace(self.scheme, kinds=DayKinds(self.scheme.kinds.weekend))
        columns = scheme.columns(grid)
        beta = self.beta.copy()
        if "year" in columns.groups:
            beta[slice(*columns.groups["year"])] = 0.0
        first, last = columns.groups["weekday"]
        workdays = [day for day in range(7) if day not in scheme.kinds.weekend]
        beta[first:last] = beta[first:last][workdays].mean()
        return np.where(known, columns.matrix @ beta, np.nan)

    def as_json(self) -> dict[str, Any]:
        """Return what `from_json` reads back."""
        return {
            "scheme": self.scheme.as_json(),
            "beta": self.beta.tolist(),
            "calendar": self.calendar.tolist(),
            "terms": list(self.terms),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any], calendar: Calendar | None) -> DailyCore:
        """Return the core that `as_json` wrote."""
        scheme = DailyScheme.from_json(data["scheme"], calendar)
        return cls(scheme, np.array(data["beta"]), np.array(data["calendar"]), tuple(data["terms"]))


@dataclass(frozen=True, slots=True)
class DailyFit:
    """What a fit hands over: see `analytics.energy.baseline.hourly.HourlyFit`."""

    core: DailyCore
    kind: str
    balance_points: tuple[float | None, float | None]
    expected: Floats
    parameters: float
    left_out_error: float
    counted: Bools


def fit_daily(grid: Grid, counted: Bools, kinds: DayKinds) -> DailyFit:
    """
    Fit a daily baseline.

    Parameters
    ----------
    grid : with one cell a day
    counted : (D,) bool, days to fit to; their energy is known, and their temperature where there is any
    kinds : which days are rest days
    """
    block, blocks = blocks_of_days(grid.days)
    target = np.where(counted, grid.energy, 0.0)
    scheme = _scheme(grid, counted, kinds)
    for _ in range(_LOOKS):
        columns = scheme.columns(grid)
        trouble, off = _look(scheme, grid, columns, target, counted)
        if not trouble.any() and not off.any():
            break
        counted = counted & ~trouble
        days_off = (*scheme.kinds.odd_days, *grid.days[off].tolist())
        scheme = replace(scheme, kinds=replace(scheme.kinds, odd_days=days_off))
    target = np.where(counted, target, 0.0)
    if scheme.bend is not None:
        scheme = _with_form(scheme, grid, counted, block)
    columns = scheme.columns(grid)
    even = counted * nearness(grid.days)
    sums = BlockedSums(columns, target, even, block, blocks)
    start = {name: value for name, value in _START.items() if name in columns.groups}
    penalties, error = sums.choose(start, _TRIES, _GAIN)
    beta, worth = sums.solve(penalties)
    # Where the spread grows with the load, quiet days know the base load better; the sum over all days still holds.
    level = np.maximum(columns.matrix @ beta, 0.05 * float(target[counted].mean()))
    if np.all(level > 0):
        weighted = BlockedSums(columns, target, even / level * float(level[counted].mean()), block, blocks)
        left = weighted.left_out(penalties)[1]
        guess = np.einsum("np,np->n", columns.matrix, left[block])
        found = float(np.sum(even * (target - guess) ** 2))
        if found < error * (1.0 - _FORM_GAIN):
            error = found
            beta, worth = weighted.solve(penalties)
    fallback = {name: value for name, value in _FALLBACK.items() if name in columns.groups}
    terms = tuple(name for name in columns.groups if np.isfinite(penalties.get(name, OUT)))
    core = DailyCore(scheme, beta, sums.coefficients(fallback), terms)
    expected = core.expected_of(grid, columns)
    shift = float(np.average((target - expected)[counted], weights=even[counted]))
    beta[0] += shift
    form, weather = scheme.form, scheme.bend is not None
    # The slopes are counted among the columns; the balance points are not.
    points = form.parameters - form.slopes if weather else 0
    balance = (form.heating_c, form.cooling_c)
    return DailyFit(core, form.kind if weather else "1P", balance, expected + shift, worth + points, error, counted)


def felt_temperature(grid: Grid, yesterday: float) -> Floats:
    """Return (D,) °C, of which the part `yesterday` is that of the day before."""
    assert grid.temperature is not None
    if yesterday == 0.0:
        return grid.temperature
    return (1.0 - yesterday) * grid.temperature + yesterday * delayed(grid.temperature, grid.days, 1, 1)


def _scheme(grid: Grid, counted: Bools, kinds: DayKinds) -> DailyScheme:
    span = int(grid.days[-1] - grid.days[0]) + 1
    bend, slow = None, None
    if grid.temperature is not None and counted.sum() >= _FEWEST_FOR_WEATHER:
        bend = Curve.through(grid.temperature[counted], _BEND_SHARES, 10.0)
        slow = Curve.through(smoothed(grid.temperature, grid.days, 1, _SLOW_HOURS)[counted], _SLOW_SHARES)
    others = tuple(Curve.of_driver(grid.others[counted, j], _SLOW_SHARES) for j in range(grid.others.shape[1]))
    return DailyScheme(kinds, span >= YEAR_SPAN_DAYS, ChangePoints("1P"), 0.0, (), bend, slow, others)


def _look(scheme: DailyScheme, grid: Grid, columns: Columns, target: Floats, counted: Bools) -> tuple[Bools, Bools]:
    """Look for odd days with a plain model, before the form is chosen."""
    sums = BlockedSums(columns, target, counted.astype(float), np.zeros(grid.days.size, dtype=np.int64), 1)
    beta = sums.coefficients({name: value for name, value in _FIRST_LOOK.items() if name in columns.groups})
    expected = columns.matrix @ beta
    weekday = beta[slice(*columns.groups["weekday"])]
    change = weekday[scheme.kinds.rest_weekday] - weekday[scheme.kinds.weekday(grid.days)]
    change = change + beta[columns.groups["rest"][0]]
    rest = scheme.kinds.rest(grid.days)
    energy = np.where(counted, grid.energy, np.nan)
    odd = odd_days(energy, expected, expected + np.where(rest, 0.0, change), rest)
    return odd.trouble, odd.off


def _with_form(scheme: DailyScheme, grid: Grid, counted: Bools, block: np.ndarray[Any, Any]) -> DailyScheme:
    """Choose rounding, yesterday's part, and the kind with its balance points."""
    rest = scheme.kinds.rest(grid.days)[counted].astype(float)
    energy = grid.energy[counted]
    base = np.ones((energy.size, 1))
    if 0 < rest.sum() < rest.size:
        base = np.column_stack([base, rest])
    best: tuple[float, float, float, Search] | None = None
    for yesterday in _YESTERDAY:
        felt = felt_temperature(grid, yesterday)[counted]
        points = points_to_try(felt)
        for rounding in _ROUNDING_K:
            found = search(felt, energy, base, points, rounding, fine=False)
            if best is None or found.least < best[0] * (1.0 - _FORM_GAIN):
                best = (found.least, yesterday, rounding, found)
    assert best is not None
    _, yesterday, rounding, _ = best
    felt = felt_temperature(grid, yesterday)[counted]
    points = points_to_try(felt)
    errors = left_out_errors(felt, energy, base, block[counted], points, rounding)
    forms = search(felt, energy, base, points, rounding).forms
    kind = choose_kind(errors, forms, _KIND_TOLERANCE) if errors else "1P"
    form = forms[kind]
    branches = form.columns(felt)
    spread = tuple(np.where(branches.std(axis=0) > 0, branches.std(axis=0), 1.0).tolist())
    return replace(scheme, form=form, yesterday=yesterday, spread=spread)
