"""The days of a plan in its own unit: what was bought, at a department's share, as money, carbon or standard coal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from analytics.energy.day_response import day_kinds
from analytics.energy.intervals import Totals
from analytics.energy.reasons import Reason
from facility.calendar import day_bounds_us, day_of
from facility.equipment_classes import Carrier
from facility.names import Names
from facility.targets import Measure, Target

Floats = NDArray[np.float64]


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
class DayGrid:
    """The days that a plan is judged by: from the first that is known, or the year's first, to the year's last."""

    days: list[date]
    edges_us: NDArray[np.int64]
    kinds: NDArray[np.int8]
    temperature_c: Floats | None
    offset: int  # of the first day that is known
    zone: ZoneInfo

    @classmethod
    def of(cls, use: DailyUse, year: int, zone: ZoneInfo) -> DayGrid:
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


def plan_series(target: Target, use: DailyUse, rates: Rates, grid: DayGrid) -> Totals | Reason:
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
