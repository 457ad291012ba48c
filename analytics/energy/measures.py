"""Proving an efficiency measure: cut its periods out of a meter's course, fit the baseline, state the saving."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytics.energy.baseline import Calendar, Model, fit
from analytics.energy.reasons import Reason
from analytics.energy.savings import Saving, SavingParameters, estimate
from facility.measures import Measure, Period
from facility.names import Names

_YEAR_DAYS = 365.0


@dataclass(frozen=True, slots=True)
class Proof:
    """
    What a measure saved; None where it cannot be computed, and `reasons` say why.

    Attributes
    ----------
    baseline : model of the days before
    saving : of the reporting period
    saving_a_year : what the reporting period's days come to in a year, non-routine events taken out [energy a year]
    payback_years : cost over what is saved a year; None without cost, price or a saving
    reasons : all that speaks against it, what blocks first
    """

    baseline: Model | None
    saving: Saving | None
    saving_a_year: float | None
    payback_years: float | None
    reasons: tuple[Reason, ...]

    @property
    def acceptable(self) -> bool:
        """Return True if the saving may be relied on."""
        return self.saving is not None and self.saving.acceptable


def prove(
    measure: Measure,
    timestamps: ArrayLike,
    energy: ArrayLike,
    drivers: ArrayLike | None = None,
    *,
    price: float | None = None,
    calendar: Calendar | None = None,
    parameters: SavingParameters | None = None,
) -> Proof:
    """
    State what a measure saved.

    Parameters
    ----------
    timestamps : (n,) datetime64
        Beginnings of hours or days in the site's wall time, before and after the measure; rows outside both of its
        periods do not count.
    energy : (n,) float
        Of the measure's meter; NaN where missing. [its unit]
    drivers : (n, k) float, or None
        In the order of the measure's drivers; NaN where missing.
    price : of a unit, in the site's currency
    calendar : the site's rest days, see `analytics.energy.baseline.fit`

    Raises
    ------
    ValueError
        If lengths differ or a value is infinite.
    """
    times = np.asarray(timestamps, dtype="datetime64[s]")
    used = np.asarray(energy, dtype=float)
    table = None if drivers is None else np.asarray(drivers, dtype=float).reshape(times.size, -1)
    before, after = _within(times, measure.baseline), _within(times, measure.reporting)
    if not np.isfinite(used[before]).any():
        first, last = measure.baseline.from_, measure.baseline.to
        words = Names(
            zh=f"基准期（{first} 至 {last}）内没有能耗数据，无法建立基准。",
            en=f"No energy is known in the baseline period, {first} to {last}: there is nothing to compare with.",
        )
        return Proof(None, None, None, None, (Reason("no-baseline-data", words),))
    model = fit(times[before], used[before], None if table is None else table[before], calendar=calendar)
    if not np.isfinite(used[after]).any():
        words = Names(
            zh=f"报告期自 {measure.reporting.from_} 起还没有能耗数据。",
            en=f"No energy is known yet in the reporting period, which begins on {measure.reporting.from_}.",
        )
        blocking = tuple(reason for reason in model.sufficiency.reasons if reason.blocking)
        return Proof(model, None, None, None, (Reason("no-reporting-data", words), *blocking))
    saving = estimate(model, times[after], used[after], None if table is None else table[after], parameters)
    yearly = _a_year(saving, times[after], used[after])
    worth = yearly * price if yearly is not None and price is not None else None
    payback = measure.cost / worth if measure.cost is not None and worth is not None and worth > 0.0 else None
    return Proof(model, saving, yearly, payback, saving.reasons)


def _within(times: NDArray[np.datetime64], period: Period) -> NDArray[np.bool_]:
    days = times.astype("datetime64[D]")
    inside = days >= np.datetime64(period.from_)
    return inside if period.to is None else inside & (days <= np.datetime64(period.to))


def _a_year(saving: Saving, times: NDArray[np.datetime64], used: NDArray[np.float64]) -> float | None:
    days = np.unique(times[np.isfinite(used)].astype("datetime64[D]")).size
    if not days or not math.isfinite(saving.adjusted_saving):
        return None
    return saving.adjusted_saving * _YEAR_DAYS / days
