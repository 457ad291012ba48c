"""The hourly baseline: time of week and temperature, with the year's course, the building's inertia and other drivers.

Two layers. The first is shared by all hours: a level for each hour on workdays and on rest days, for each day of the
week, a bent curve of the effective temperature, slow temperatures, the course of the year, other drivers. The second
gives each hour of the day its own correction of these, as far as blocks of days that were left out say that it helps.

Sources: J. L. Mathieu, P. N. Price, S. Kiliccote, M. A. Piette, IEEE Transactions on Smart Grid 2 (2011) 507 (time of
week and temperature); D. J. C. MacKay, ASHRAE Transactions 100 (1994) part 2 (inertia and relevance of drivers, winner
of the Great Energy Predictor Shootout).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

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
from analytics.energy.baseline.effective import effective_temperature, felt
from analytics.energy.baseline.hour_corrections import HourCorrections
from analytics.energy.baseline.hour_of_week import HourOfWeek, fit_hour_of_week
from analytics.energy.baseline.odd import OddDays, odd_days
from analytics.energy.baseline.ridge import OUT, BlockedSums, Columns, Penalties
from analytics.energy.baseline.rows import Bools, Floats, Grid, Ints, smoothed

_SLOW_HOURS: Final = (24.0, 72.0)
_KNOT_SHARES: Final = (0.08, 0.29, 0.5, 0.71, 0.92)
_SLOW_SHARES: Final = (0.33, 0.67)
_REACH_K: Final = 10.0
_SLOW_REACH_K: Final = 5.0


_START: Final[Penalties] = {"one": 0.0, "hour": 1.0, "rest_hour": 10.0, "temperature": 10.0}
_TRIES: Final = (
    ("weekday", (100.0, 10.0)),
    ("winter", (1000.0, 100.0)),
    ("slow", (1000.0, 30.0)),
    ("now", (1000.0, 30.0)),
    ("others", (1000.0, 30.0)),
    ("year", (1000.0, 30.0)),
    ("year_fine", (1000.0, 100.0)),
    ("rest_temperature", (1000.0, 30.0)),
    ("rest_year", (1000.0, 100.0)),
    ("temperature_others", (1000.0, 100.0)),
    ("temperature", (300.0, 1.0, OUT)),
    ("rest_hour", (OUT, 1.0)),
    ("hour", (100.0, OUT)),
)
_GAIN: Final = 0.002
_FALLBACK: Final[Penalties] = {
    "one": 0.0, "hour": 1.0, "rest_hour": 10.0, "weekday": 100.0, "year": 30.0, "year_fine": 300.0, "rest_year": 300.0
}  # fmt: skip
_LOOKS: Final = 3
_MOST_PLAIN: Final = 0.5
_LEAST_PLAIN: Final = 0.25
_WHOLE_YEAR_DAYS: Final = 330
_FIRST_LOOK: Final[Penalties] = {
    "one": 0.0, "hour": 1.0, "rest_hour": 10.0, "weekday": 100.0, "temperature": 10.0, "rest_temperature": 300.0,
    "slow": 100.0, "year": 100.0, "others": 100.0, "now": 100.0,
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Weather:
    """
    Columns that depend on temperatures and further drivers alone.

    Attributes
    ----------
    bend : (cells, k) of the effective temperature, None without any
    slow : (cells, k) of each slow temperature
    now : (cells, k) of the temperature at the time, where another one is effective
    others : (cells, k) of each further driver that says something
    """

    bend: Floats | None
    slow: list[Floats]
    now: Floats | None
    others: list[Floats]

    def of_cells(self, cells: Ints) -> Weather:
        """Return the columns of some cells, (m,) int."""
        bend, now = (None if part is None else part[cells] for part in (self.bend, self.now))
        return Weather(bend, [part[cells] for part in self.slow], now, [part[cells] for part in self.others])

    @property
    def straight(self) -> Floats:
        """Return the straight column of each further driver, (cells, drivers)."""
        return np.column_stack([block[:, 0] for block in self.others])


@dataclass(frozen=True, slots=True)
class HourlyScheme:
    """What the columns of an hourly baseline are made with."""

    kinds: DayKinds
    year: bool
    effective: tuple[str, int] | None
    temperature: Curve | None
    slow: tuple[Curve, ...]
    now: Curve | None
    others: tuple[Curve | None, ...]

    @classmethod
    def of(cls, grid: Grid, counted: Bools, kinds: DayKinds, year: bool) -> HourlyScheme:
        """Choose the effective temperature, and set the knots, from the cells that count."""
        effective, temperature, now = None, None, None
        slow: tuple[Curve, ...] = ()
        if grid.temperature is not None:
            effective = effective_temperature(grid, counted)
            celsius = felt(grid, effective)
            temperature = Curve.through(celsius[counted], _KNOT_SHARES, _REACH_K)
            if effective != ("ago", 0):
                now = Curve.through(grid.temperature[counted], _SLOW_SHARES, _SLOW_REACH_K)
            slow = tuple(
                Curve.through(smoothed(grid.temperature, grid.days, 24, hours)[counted], _SLOW_SHARES, _SLOW_REACH_K)
                for hours in _SLOW_HOURS
            )
        others = tuple(Curve.of_driver(grid.others[counted, j], _SLOW_SHARES) for j in range(grid.others.shape[1]))
        return cls(kinds, year, effective, temperature, slow, now, others)

    def weather(self, grid: Grid) -> Weather:
        """Return the columns of temperatures and further drivers, which no kind of day changes."""
        bend, slow, now = None, None, None
        if self.temperature is not None and self.effective is not None and grid.temperature is not None:
            bend = self.temperature.columns(felt(grid, self.effective))
            slow = [
                curve.columns(smoothed(grid.temperature, grid.days, 24, hours))
                for curve, hours in zip(self.slow, _SLOW_HOURS, strict=True)
            ]
            now = None if self.now is None else self.now.columns(grid.temperature)
        others = [curve.columns(grid.others[:, j]) for j, curve in enumerate(self.others) if curve is not None]
        return Weather(bend, slow or [], now, others)

    def shared(self, grid: Grid, weather: Weather) -> Columns:
        """Return the columns that all hours share."""
        rest = np.repeat(self.kinds.rest(grid.days), 24).astype(float)[:, None]
        weekday = np.repeat(np.eye(7)[self.kinds.weekday(grid.days)], 24, axis=0)
        hour = np.tile(np.eye(24), (grid.days.size, 1))
        parts: dict[str, Floats] = {
            "one": np.ones((grid.cells, 1)), "hour": hour, "rest_hour": hour * rest, "weekday": weekday
        }  # fmt: skip
        if self.year:
            course = np.repeat(course_of_year(grid.days), 24, axis=0)
            parts |= {"year": course[:, :2], "year_fine": course[:, 2:], "rest_year": course[:, :4] * rest}
        elif self.temperature is None:
            parts["winter"] = np.repeat(winter(grid.days), 24, axis=0)
        bend = weather.bend
        if bend is not None:
            slow = np.concatenate(weather.slow, axis=1)
            parts |= {"temperature": bend, "rest_temperature": bend * rest, "slow": slow}
            if weather.now is not None:
                parts["now"] = weather.now
        if weather.others:
            parts["others"] = np.concatenate(weather.others, axis=1)
            if bend is not None:
                # What sun or moisture adds may differ below and above the middle temperature.
                straight, middle = weather.straight, bend[:, [bend.shape[1] // 2]]
                parts["temperature_others"] = np.concatenate([straight * bend[:, [0]], straight * middle], axis=1)
        return Columns.of(parts)

    def own(self, grid: Grid, weather: Weather) -> Columns:
        """Return the columns of which each hour has its own coefficients."""
        rest = np.repeat(self.kinds.rest(grid.days), 24).astype(float)[:, None]
        weekday = np.repeat(np.eye(7)[self.kinds.weekday(grid.days)], 24, axis=0)
        parts: dict[str, Floats] = {"weekday": np.concatenate([np.ones((grid.cells, 1)), weekday, rest], axis=1)}
        if self.year:
            course = np.repeat(course_of_year(grid.days), 24, axis=0)
            parts |= {"year": course, "rest_year": course[:, :4] * rest}
        if weather.bend is not None:
            parts |= {"temperature": weather.bend, "slow": np.column_stack([part[:, 0] for part in weather.slow])}
        if weather.others:
            parts["others"] = weather.straight
        return Columns.of(parts)

    def as_json(self) -> dict[str, Any]:
        """Return what `from_json` reads back."""
        return {
            "kinds": self.kinds.as_json(),
            "year": self.year,
            "effective": None if self.effective is None else list(self.effective),
            "temperature": None if self.temperature is None else self.temperature.as_json(),
            "slow": [curve.as_json() for curve in self.slow],
            "now": None if self.now is None else self.now.as_json(),
            "others": [None if curve is None else curve.as_json() for curve in self.others],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any], calendar: Calendar | None) -> HourlyScheme:
        """Return the scheme that `as_json` wrote."""
        return cls(
            DayKinds.from_json(data["kinds"], calendar),
            data["year"],
            None if data["effective"] is None else (data["effective"][0], data["effective"][1]),
            None if data["temperature"] is None else Curve.from_json(data["temperature"]),
            tuple(Curve.from_json(curve) for curve in data["slow"]),
            None if data["now"] is None else Curve.from_json(data["now"]),
            tuple(None if curve is None else Curve.from_json(curve) for curve in data["others"]),
        )


@dataclass(frozen=True, slots=True)
class HourlyCore:
    """
    A fitted hourly baseline.

    Attributes
    ----------
    scheme : of the columns
    shared : (p,) coefficients of all hours
    own : (24, q) corrections of each hour
    calendar : (p,) coefficients that know the calendar alone, for hours without a temperature
    terms : groups of columns that take part
    plain : a second opinion, None without a temperature, and where a whole year was seen
    plain_share : how much it counts [-]
    """

    scheme: HourlyScheme
    shared: Floats
    own: Floats
    calendar: Floats
    terms: tuple[str, ...]
    plain: HourOfWeek | None = None
    plain_share: float = 0.0

    def expected(self, grid: Grid) -> Floats:
        """Return the (D * 24,) energy that is expected in each cell."""
        weather = self.scheme.weather(grid)
        return self.expected_of(grid, self.scheme.shared(grid, weather), self.scheme.own(grid, weather))

    def expected_of(self, grid: Grid, shared: Columns, own: Columns) -> Floats:
        """Return the (D * 24,) energy that is expected in each cell, its columns being made already."""
        result: Floats = shared.matrix @ self.shared
        if self.own.any():
            result += np.einsum("dhq,hq->dh", own.matrix.reshape(-1, 24, self.own.shape[1]), self.own).ravel()
        if self.plain is not None and grid.temperature is not None:
            second = self.plain.expected(grid, self.scheme.kinds)
            result = (1.0 - self.plain_share) * result + self.plain_share * second
        if self.scheme.temperature is not None:
            # Without its weather a cell is what the calendar says.
            blind = ~grid.weather_known
            result[blind] = shared.matrix[blind] @ self.calendar
        return result

    def response(self, temperature: Floats, mean: float) -> Floats:
        """Return the mean hour of a usual workday of each lasting temperature, (n,) °C; `mean` where there is none."""
        if self.scheme.temperature is None:
            return np.full(temperature.shape, mean)
        # A day a fortnight, so that none has a day before; the course of the year is left out below.
        days = 4 + 14 * np.arange(temperature.size, dtype=np.int64)
        known = np.isfinite(temperature)
        cells = days.size * 24
        lasting = np.repeat(np.where(known, temperature, 0.0), 24)
        others = np.full((cells, len(self.scheme.others)), np.nan)
        grid = Grid(
            days, 24, np.arange(cells), np.full(cells, np.nan), lasting, np.ones(cells, dtype=bool), others
        )  # fmt: skip
        scheme = replace(self.scheme, kinds=DayKinds(self.scheme.kinds.weekend))
        weather = scheme.weather(grid)
        columns, own_columns = scheme.shared(grid, weather), scheme.own(grid, weather)
        workdays = [day for day in range(7) if day not in scheme.kinds.weekend]
        shared, own = self.shared.copy(), self.own.copy()
        for groups, beta, shift in ((columns.groups, shared[None], 0), (own_columns.groups, own, 1)):
            for name in ("year", "year_fine"):
                if name in groups:
                    beta[:, slice(*groups[name])] = 0.0
            first = groups["weekday"][0] + shift
            beta[:, first : first + 7] = beta[:, first : first + 7][:, workdays].mean(axis=1, keepdims=True)
        plain = self.plain
        if plain is not None:
            level = plain.level.reshape(7, 24)[workdays].mean(axis=0)
            plain = replace(plain, level=np.tile(level, 7))
        hours = replace(self, scheme=scheme, shared=shared, own=own, plain=plain).expected_of(
            grid, columns, own_columns
        )
        return np.where(known, hours.reshape(-1, 24).mean(axis=1), np.nan)

    def as_json(self) -> dict[str, Any]:
        """Return what `from_json` reads back."""
        return {
            "scheme": self.scheme.as_json(),
            "shared": self.shared.tolist(),
            "own": self.own.tolist(),
            "calendar": self.calendar.tolist(),
            "terms": list(self.terms),
            "plain": None if self.plain is None else self.plain.as_json(),
            "plain_share": self.plain_share,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any], calendar: Calendar | None) -> HourlyCore:
        """Return the core that `as_json` wrote."""
        return cls(
            HourlyScheme.from_json(data["scheme"], calendar),
            np.array(data["shared"], dtype=float),
            np.array(data["own"], dtype=float),
            np.array(data["calendar"], dtype=float),
            tuple(data["terms"]),
            None if data["plain"] is None else HourOfWeek.from_json(data["plain"]),
            data["plain_share"],
        )


@dataclass(frozen=True, slots=True)
class HourlyFit:
    """
    What a fit hands over.

    Attributes
    ----------
    core : predicts
    kind : `TOWT`, or `TOW` without a temperature
    balance_points : none
    expected : (cells,) of the cells that it was fitted to
    parameters : effective number
    left_out_error : squared error, summed, of the blocks of days that were left out in turn
    counted : (cells,) bool, cells that it was fitted to after all
    """

    core: HourlyCore
    kind: str
    balance_points: tuple[float | None, float | None]
    expected: Floats
    parameters: float
    left_out_error: float
    counted: Bools


def fit_hourly(grid: Grid, counted: Bools, kinds: DayKinds) -> HourlyFit:
    """
    Fit an hourly baseline.

    Parameters
    ----------
    grid : with 24 cells a day
    counted : (D * 24,) bool, cells to fit to; their energy is known, and their temperature where there is any
    kinds : which days are rest days
    """
    span = int(grid.days[-1] - grid.days[0]) + 1
    recency = np.repeat(nearness(grid.days), 24)
    scheme = HourlyScheme.of(grid, counted, kinds, year=span >= YEAR_SPAN_DAYS)
    target = np.where(counted, grid.energy, 0.0)
    block, blocks = blocks_of_days(grid.days)
    rows = np.repeat(block, 24)
    weather = scheme.weather(grid)
    weight = counted * recency
    shared = scheme.shared(grid, weather)
    sums = BlockedSums(shared, target, weight, rows, blocks)
    for _ in range(_LOOKS):
        odd = _odd_days(scheme, grid, shared, sums, counted)
        if not odd.any:
            break
        counted = counted & ~np.repeat(odd.trouble, 24)
        off = (*scheme.kinds.odd_days, *grid.days[odd.off].tolist())
        scheme = replace(scheme, kinds=replace(scheme.kinds, odd_days=off))
        # Only the odd days' own rows become others.
        cells = np.flatnonzero(np.repeat(odd.trouble | odd.off, 24))
        before = shared.matrix[cells], weight[cells]
        shared.matrix[cells] = scheme.shared(grid.of_days(odd.trouble | odd.off), weather.of_cells(cells)).matrix
        weight = counted * recency
        sums.exchange(cells, before, shared, target, weight, rows)
    own = scheme.own(grid, weather)
    target = np.where(counted, target, 0.0)
    penalties, _ = sums.choose({k: v for k, v in _START.items() if k in shared.groups}, _TRIES, _GAIN)
    beta, worth = sums.solve(penalties)
    left = sums.left_out(penalties)[1]
    models = np.column_stack([beta, left.T])
    residual = np.where(counted[:, None], target[:, None] - shared.matrix @ models, 0.0)
    residual = residual.reshape(-1, 24, blocks + 1)
    chosen = HourCorrections(own, residual, weight.reshape(-1, 24), block, blocks).choose()
    fallback = {name: value for name, value in _FALLBACK.items() if name in shared.groups}
    terms = [name for name in shared.groups if np.isfinite(penalties.get(name, OUT))]
    core = HourlyCore(
        scheme,
        beta,
        chosen.beta,
        sums.coefficients(fallback),
        (*terms, *(["hour by hour"] if chosen.parameters else [])),
    )
    expected = core.expected_of(grid, shared, own)
    # Shrinking moves the sum a little; the baseline's own year must add up.
    shift = float(np.average((target - expected)[counted], weights=recency[counted]))
    core.shared[0] += shift
    expected, parameters = expected + shift, worth + chosen.parameters
    corrections = np.einsum("dhq,hdq->dh", own.matrix.reshape(-1, 24, chosen.beta.shape[1]), chosen.left_out[:, block])
    missed = np.take_along_axis(residual, block[:, None, None] + 1, axis=2)[:, :, 0] - corrections
    missed = np.where(counted, missed.ravel(), 0.0)
    if scheme.temperature is not None and np.count_nonzero(counted.reshape(-1, 24).any(axis=1)) < _WHOLE_YEAR_DAYS:
        # Of seasons that were not seen, the blocks left out tell little: two opinions are better than one.
        second = fit_hour_of_week(grid, scheme.kinds, scheme.others, weight, rows, blocks)
        missed_too = np.where(counted, target - second.left_out, 0.0)
        share = _share(missed, missed_too, weight) if scheme.year else _MOST_PLAIN
        core = replace(core, plain=second.model, plain_share=share)
        expected = (1.0 - share) * expected + share * second.expected
        parameters = (1.0 - share) * parameters + share * second.parameters
        missed = (1.0 - share) * missed + share * missed_too
    kind = "TOW" if scheme.temperature is None else "TOWT"
    return HourlyFit(core, kind, (None, None), expected, parameters, float(np.sum(weight * missed**2)), counted)


def _share(missed: Floats, missed_too: Floats, weight: Floats) -> float:
    """Return how much the second opinion counts, by what both missed in the blocks left out: a quarter to a half."""
    apart = missed - missed_too
    size = float(np.sum(weight * apart**2))
    best = float(np.sum(weight * missed * apart)) / size if size > 0.0 else 0.0
    return min(max(best, _LEAST_PLAIN), _MOST_PLAIN)


def _odd_days(scheme: HourlyScheme, grid: Grid, shared: Columns, sums: BlockedSums, counted: Bools) -> OddDays:
    """Look at the days with a plain model, before the penalties are chosen."""
    beta = sums.coefficients({name: value for name, value in _FIRST_LOOK.items() if name in shared.groups})
    rest = scheme.kinds.rest(grid.days)
    first = shared.groups["rest_hour"][0]
    expected = shared.matrix @ beta
    weekday = beta[slice(*shared.groups["weekday"])]
    kind = scheme.kinds.weekday(grid.days)
    change = np.repeat(weekday[scheme.kinds.rest_weekday] - weekday[kind], 24) + beta[first + grid.hour_of_cell]
    at_rest = expected + np.where(np.repeat(rest, 24), 0.0, change)
    seen = counted.reshape(-1, 24)
    number = seen.sum(axis=1)

    def daily(values: Floats) -> Floats:
        total = np.where(seen, values.reshape(-1, 24), 0.0).sum(axis=1)
        return np.where(number >= 12, total / np.maximum(number, 1), np.nan)

    return odd_days(daily(grid.energy), daily(expected), daily(at_rest), rest)
