"""
How every plan of a site stands in a month: consumption by days, turned into what the plan is in, against its course.

A department's days are the hospital's, at the share that the month's allocation gave it; money, carbon and standard
coal are the carrier's amount at its month's mean rate. So a plan of any kind is judged on days, and adds up to the
accounts by months.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from analytics.energy.forecast import Forecast, forecast
from analytics.energy.intervals import Totals
from analytics.energy.plan_series import DailyUse, DayGrid, Rates, plan_series
from analytics.energy.reasons import Reason
from analytics.energy.targets import MonthlyPlan, PastMonths, Progress, monthly_plan, progress
from analytics.energy.weather import cooling_degrees, heating_degrees
from facility.calendar import month_bounds_us
from facility.targets import Target

__all__ = ["DailyUse", "Rates", "Standing", "standings"]

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
    grid = DayGrid.of(use, first.year, zone)
    return [_standing(t, use, rates, grid, first, now_us) for t in own]


def _standing(target: Target, use: DailyUse, rates: Rates, grid: DayGrid, month: date, now_us: int) -> Standing:
    n_days = calendar.monthrange(month.year, month.month)[1]
    found = plan_series(target, use, rates, grid)
    if isinstance(found, Reason):
        plan = monthly_plan(target)
        return Standing(target, plan, month, None, None, np.full(n_days, np.nan), found)
    temperature = grid.temperature_c
    plan = monthly_plan(target, _past(found, grid, target.year))
    start, january, today = grid.days.index(month), grid.days.index(date(month.year, 1, 1)), grid.today(now_us)
    learnt, end = _learnt(found, today), start + n_days
    ahead = forecast(learnt[:end], grid.kinds[:end], None if temperature is None else temperature[:end], start)
    planned = float(plan.amounts[month.month - 1])
    of_month = progress(planned, _part(found, start, end), now_us, ahead if today < end else None)
    far = _year_forecast(learnt, grid, january)
    lengths = [calendar.monthrange(month.year, m)[1] for m in range(1, 13)]
    course = np.repeat(plan.amounts / np.array(lengths), lengths)
    whole = _part(found, january, len(grid))
    of_year = progress(target.annual, whole, now_us, far if today < len(grid) else None, course)
    return Standing(target, plan, month, of_month, of_year, ahead.expected)


def _learnt(series: Totals, today: int) -> Floats:
    """Return the days that a forecast learns from: whole ones, today and what is to come left out."""
    enough = np.isfinite(series.amount) & (series.missing <= _MOST_MISSING)
    used = np.where(enough, series.amount / np.where(enough, 1.0 - series.missing, 1.0), np.nan)
    used[today:] = np.nan
    return used


def _year_forecast(learnt: Floats, grid: DayGrid, january: int) -> Forecast | None:
    ahead = int((~np.isfinite(learnt[january:])).sum())
    if ahead > _FAR_D and int(np.isfinite(learnt).sum()) < _YEAR_KNOWN_D:
        return None
    return forecast(learnt, grid.kinds, grid.temperature_c, january)


def _past(series: Totals, grid: DayGrid, year: int) -> PastMonths:
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
