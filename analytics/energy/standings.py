"""
How every plan of a site stands in a month: consumption by days, turned into what the plan is in, against its course.

A department's days are the hospital's, at the share that the month's allocation gave it; money, carbon and standard
coal are the carrier's amount at its month's mean rate. So a plan of any kind is judged on days, and adds up to the
accounts by months.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from analytics.energy.day_response import day_kinds
from analytics.energy.forecast import Forecast, forecast
from analytics.energy.intervals import Totals
from analytics.energy.reasons import Reason
from analytics.energy.targets import MonthlyPlan, PastMonths, Progress, monthly_plan, progress
from analytics.energy.weather import cooling_degrees, heating_degrees
from facility.calendar import day_bounds_us, day_of, month_bounds_us
from facility.equipment_classes import Carrier
from facility.names import Names
from facility.targets import Measure, Target

Floats = NDArray[np.float64]

# A day with more of it missing teaches nothing; one with less is scaled up to the whole.
_MOST_MISSING: Final = 0.10
# A month is known, for spreading the next year's plan, if no more of it is missing.
_MONTH_MISSING: Final = 0.05
# Further ahead than two months there is no forecast without most of a year behind.
_FAR_D: Final = 62
_YEAR_KNOWN_D: Final = 300
# The numbers of a progress, as JSON names them.
_PROGRESS: Final = (
    "planned", "consumed", "measured", "estimated", "missing", "elapsed", "expected", "forecast", "low", "high",
    "confidence", "chance", "over", "over_share", "left",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class DailyUse:
    """
    What the hospital bought by consecutive days, and the weather.

    Attributes
    ----------
    first_day : the first of the days; a year or two before the plan's month, where that is known
    totals : by carrier, in the accounts' units (kWh, Nm³, m³, GJ, t), all of the same days; the last is the newest
    temperature_c : (days,) mean outdoor temperature, NaN where not known; None: not at all [°C]
    """

    first_day: date
    totals: Mapping[Carrier, Totals]
    temperature_c: Floats | None = None


@dataclass(frozen=True, slots=True)
class Rates:
    """
    What turns a carrier's amount into what a plan is in.

    Attributes
    ----------
    by_unit : money [currency], carbon [kgCO₂] or standard coal [kgce] of one unit of a carrier, by (carrier, measure)
    shares : of a carrier's amount that departments bore in a month, by (month's first day, carrier) and department
    by_month : as `by_unit`, of a month by its first day where it is known: a kWh of July may cost more than others
    """

    by_unit: Mapping[tuple[Carrier, Measure], float] = field(default_factory=dict)
    shares: Mapping[tuple[date, Carrier], Mapping[str, float]] = field(default_factory=dict)
    by_month: Mapping[tuple[date, Carrier, Measure], float] = field(default_factory=dict)

    def of(self, carrier: Carrier, measure: Measure, days: Sequence[date]) -> Floats | None:
        """Return the rate on each day; None if none is known. Days of a month that is not known take `by_unit`'s."""
        if measure == "use":
            return np.ones(len(days))
        usual = self.by_unit.get((carrier, measure))
        months = {day.replace(day=1) for day in days}
        known = {m: rate for m in months if (rate := self.by_month.get((m, carrier, measure))) is not None}
        if usual is None and not known:
            return None
        other = usual if usual is not None else known[max(known)]
        return np.array([known.get(day.replace(day=1), other) for day in days])


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """
    How one plan stands in a month.

    Attributes
    ----------
    target, plan : the plan, and its months
    month_start : the month's first day
    month, year : against the month's plan, and against the year's; None where `problem` says why
    days : (days of the month,) what was used or is expected each day; NaN where neither is known
    problem : why the plan cannot be judged at all
    """

    target: Target
    plan: MonthlyPlan
    month_start: date
    month: Progress | None
    year: Progress | None
    days: Floats
    problem: Reason | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the standing as plain values; what is not known is null."""
        target = self.target
        return {
            "key": target.key,
            "year": target.year,
            "carrier": target.carrier,
            "department": target.department,
            "measure": target.measure,
            "unit": target.unit,
            "annual": target.annual,
            "monthly": [_plain(x) for x in self.plan.amounts],
            "basis": self.plan.basis,
            "basis_reason": None if self.plan.reason is None else self.plan.reason.as_json(),
            "month": None if self.month is None else _progress_json(self.month),
            "year_so_far": None if self.year is None else _progress_json(self.year),
            "days": [_plain(x) for x in self.days],
            "problem": None if self.problem is None else self.problem.as_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], month: date) -> Standing:
        """Return the standing that `to_json` wrote of a month."""
        reason, problem = data["basis_reason"], data["problem"]
        target = Target(
            data["year"], data["carrier"], data["department"], data["measure"], data["unit"], data["annual"], None,
            "last_year",
        )  # fmt: skip
        plan = MonthlyPlan(
            _numbers(data["monthly"]), data["basis"], None if reason is None else Reason.from_json(reason)
        )
        return cls(
            target, plan, month.replace(day=1), _progress(data["month"]), _progress(data["year_so_far"]),
            _numbers(data["days"]), None if problem is None else Reason.from_json(problem),
        )  # fmt: skip


def standings(
    targets: Sequence[Target], use: DailyUse, rates: Rates, month: date, now_us: int, zone: ZoneInfo
) -> list[Standing]:
    """
    Return how each plan of the month's year stands, in the order of the site file.

    A month that is over stands as it stood at its end, however much later it is asked for.
    """
    first = month.replace(day=1)
    own = [t for t in targets if t.year == first.year]
    if not own:
        return []
    now_us = min(now_us, month_bounds_us(first, zone)[1])
    grid = _Grid.of(use, first.year, zone)
    return [_standing(t, use, rates, grid, first, now_us) for t in own]


@dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    """The days that a plan is judged by: from the first that is known, or the year's first, to the year's last."""

    days: list[date]
    edges_us: NDArray[np.int64]
    kinds: NDArray[np.int8]
    temperature_c: Floats | None
    offset: int  # of the first day that is known
    zone: ZoneInfo

    @classmethod
    def of(cls, use: DailyUse, year: int, zone: ZoneInfo) -> _Grid:
        begin, end = min(use.first_day, date(year, 1, 1)), date(year, 12, 31)
        days = [begin + timedelta(days=i) for i in range((end - begin).days + 1)]
        edges = [day_bounds_us(day, zone)[0] for day in [*days, end + timedelta(days=1)]]
        offset = (use.first_day - begin).days
        temperature = None
        if use.temperature_c is not None and np.isfinite(use.temperature_c).any():
            temperature = np.full(len(days), np.nan)
            n = min(use.temperature_c.size, len(days) - offset)
            temperature[offset : offset + n] = use.temperature_c[:n]
        return cls(days, np.array(edges, dtype=np.int64), day_kinds(days, zone), temperature, offset, zone)

    def __len__(self) -> int:
        return len(self.days)

    def today(self, now_us: int) -> int:
        """Return the index of the day that runs; that after the last where none does."""
        day = day_of(now_us, self.zone)
        return (day - self.days[0]).days if self.days[0] <= day <= self.days[-1] else len(self)


def _standing(target: Target, use: DailyUse, rates: Rates, grid: _Grid, month: date, now_us: int) -> Standing:
    n_days = calendar.monthrange(month.year, month.month)[1]
    found = _series(target, use, rates, grid)
    if isinstance(found, Reason):
        plan = monthly_plan(target)
        return Standing(target, plan, month, None, None, np.full(n_days, np.nan), found)
    temperature = grid.temperature_c
    plan = monthly_plan(target, _past(found, grid, target.year))
    start, january, today = grid.days.index(month), grid.days.index(date(month.year, 1, 1)), grid.today(now_us)
    learnt, end = _learnt(found, today), start + n_days
    ahead = forecast(learnt[:end], grid.kinds[:end], None if temperature is None else temperature[:end], start)
    planned = float(plan.amounts[month.month - 1]) or _LEAST
    of_month = progress(planned, _part(found, start, end), now_us, ahead if today < end else None)
    far = _year_forecast(learnt, grid, january)
    lengths = [calendar.monthrange(month.year, m)[1] for m in range(1, 13)]
    course = np.repeat(plan.amounts / np.array(lengths), lengths)
    whole = _part(found, january, len(grid))
    of_year = progress(target.annual, whole, now_us, far if today < len(grid) else None, course)
    return Standing(target, plan, month, of_month, of_year, ahead.expected)


# A month of which the plan is nothing at all is judged as if it were next to nothing.
_LEAST: Final = 1e-9


def _series(target: Target, use: DailyUse, rates: Rates, grid: _Grid) -> Totals | Reason:
    """Return the days of a plan in its own unit, or why there are none."""
    carriers = [target.carrier] if target.carrier is not None else list(use.totals)
    amount, shares, held = np.zeros(len(grid)), np.zeros((3, len(grid))), False
    known = np.zeros(len(grid), dtype=bool)
    for carrier in carriers:
        totals = use.totals.get(carrier)
        if totals is None:
            return _not_bought(carrier)
        rate = rates.of(carrier, target.measure, grid.days)
        if rate is None:
            if target.carrier is None and target.measure != "cost":
                continue  # water has no carbon that is counted
            return _no_rate(carrier, target.measure)
        share = _shares_by_day(carrier, target.department, rates, grid.days)
        if share is None:
            return _no_share(carrier, target.department or "")
        n = min(len(totals), len(grid) - grid.offset)
        place = slice(grid.offset, grid.offset + n)
        own = totals.amount[:n]
        amount[place] += np.where(np.isfinite(own), own, 0.0) * rate[place] * share[place]
        known[place] |= np.isfinite(own)
        worse = totals.missing[:n] >= shares[2, place]
        for i, graded in enumerate((totals.measured, totals.estimated, totals.missing)):
            shares[i, place] = np.where(worse, graded[:n], shares[i, place])
        held = True
    if not held:
        return _no_rate(target.carrier or "electricity", target.measure)
    shares[2, ~known], shares[0, ~known], shares[1, ~known] = 1.0, 0.0, 0.0
    return Totals(grid.edges_us, np.where(known, amount, np.nan), shares[0], shares[1], shares[2])


def _shares_by_day(carrier: Carrier, department: str | None, rates: Rates, days: list[date]) -> Floats | None:
    """Return a department's share of a carrier on each day; None if no month's allocation names it."""
    if department is None:
        return np.ones(len(days))
    months = {
        month: by_department[department]
        for (month, of), by_department in rates.shares.items()
        if of == carrier and department in by_department
    }
    if not months:
        return None
    ordered = sorted(months)
    # A month without an allocation takes that of the month before it, or the first that there is.
    place = np.searchsorted([m.toordinal() for m in ordered], [d.toordinal() for d in days], side="right") - 1
    return np.array([months[m] for m in ordered])[np.maximum(place, 0)]


def _learnt(series: Totals, today: int) -> Floats:
    """Return the days that a forecast learns from: whole ones, today and what is to come left out."""
    enough = np.isfinite(series.amount) & (series.missing <= _MOST_MISSING)
    used = np.where(enough, series.amount / np.where(enough, 1.0 - series.missing, 1.0), np.nan)
    used[today:] = np.nan
    return used


def _year_forecast(learnt: Floats, grid: _Grid, january: int) -> Forecast | None:
    ahead = int((~np.isfinite(learnt[january:])).sum())
    if ahead > _FAR_D and int(np.isfinite(learnt).sum()) < _YEAR_KNOWN_D:
        return None
    return forecast(learnt, grid.kinds, grid.temperature_c, january)


def _past(series: Totals, grid: _Grid, year: int) -> PastMonths:
    """Return the months before a plan's year."""
    starts: dict[date, int] = {}
    for i, day in enumerate(grid.days):
        if day.year < year:
            starts.setdefault(day.replace(day=1), i)
    used, days, heating, cooling = [], [], [], []
    for month, start in starts.items():
        length = calendar.monthrange(month.year, month.month)[1]
        own = slice(start, start + length - (grid.days[start].day - 1))
        missing = 1.0 - float((1.0 - series.missing[own]).sum()) / length
        known = missing <= _MONTH_MISSING
        used.append(float(np.nansum(series.amount[own])) / (1.0 - missing) if known else np.nan)
        days.append(length)
        means = np.full(1, np.nan) if grid.temperature_c is None else grid.temperature_c[own]
        whole = means.size == length
        heating.append(float(heating_degrees(means).sum()) if whole else np.nan)
        cooling.append(float(cooling_degrees(means).sum()) if whole else np.nan)
    return PastMonths(
        np.array([m.month for m in starts], dtype=np.int64), np.array(used), np.array(days, dtype=np.int64),
        np.array(heating), np.array(cooling),
    )  # fmt: skip


def _part(series: Totals, first: int, end: int) -> Totals:
    own = slice(first, end)
    return Totals(
        series.edges_us[first : end + 1], series.amount[own], series.measured[own], series.estimated[own],
        series.missing[own],
    )  # fmt: skip


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _progress_json(found: Progress) -> dict[str, Any]:
    plain: dict[str, Any] = {name: _plain(getattr(found, name)) for name in _PROGRESS}
    return plain | {
        "verdict": found.verdict,
        "since_us": found.since_us,
        "reasons": [reason.as_json() for reason in found.reasons],
    }


def _progress(data: Mapping[str, Any] | None) -> Progress | None:
    if data is None:
        return None
    known = {name: float("nan") if data[name] is None else float(data[name]) for name in _PROGRESS}
    reasons = tuple(Reason.from_json(reason) for reason in data["reasons"])
    return Progress(**known, verdict=data["verdict"], since_us=data["since_us"], reasons=reasons)


def _numbers(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def _not_bought(carrier: Carrier) -> Reason:
    return Reason(
        "not-metered",
        Names(zh="没有这种能源的进线计量", en=f"no meter counts the {carrier} that comes in"),
    )


def _no_rate(carrier: Carrier, measure: Measure) -> Reason:
    if measure == "cost":
        return Reason(
            "no-price",
            Names(
                zh="没有这种能源的价格，请在站点文件中补充 tariffs",
                en=f"there is no price of {carrier}; add it under tariffs in the site file",
            ),
        )
    return Reason(
        "no-factor",
        Names(zh="没有这种能源的排放或折标系数", en=f"there is no factor that turns {carrier} into {measure}"),
    )


def _no_share(carrier: Carrier, department: str) -> Reason:
    return Reason(
        "not-allocated",
        Names(
            zh="这种能源还没有分摊到该科室",
            en=f"no {carrier} has been allocated to {department} yet",
        ),
    )
