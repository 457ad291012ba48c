"""
Plan against actual: how a year's plan spreads over its months, and whether a month or a year stays within it.

A month that will pass its plan is told while days are left in which something can be done. What is missing is never
taken as nothing: consumption that is known to have passed the plan has passed it, but without data, or with a
forecast that lies too near the plan, the answer is that nobody can tell yet.
"""

from __future__ import annotations

import calendar
import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from analytics.energy.forecast import Forecast
from analytics.energy.intervals import Totals
from analytics.energy.reasons import Reason
from facility.names import Names
from facility.targets import Target

Floats = NDArray[np.float64]

Verdict = Literal["on_track", "will_exceed", "exceeded", "cannot_tell"]
Basis = Literal["given", "last_year", "degree_days", "even"]

# A plan will be exceeded if that is at least so likely; below even odds it is on track.
LIKELY: Final = 0.8
EVEN_ODDS: Final = 0.5
# With less of the elapsed time known, nothing is said of the period but that it has passed its plan.
LEAST_KNOWN: Final = 0.5
# So many months of the past must be known before their response to degree-days is taken to spread a year.
_LEAST_MONTHS: Final = 10


# -- the year's plan by months


@dataclass(frozen=True, slots=True, eq=False)
class MonthlyPlan:
    """
    A year's plan by months.

    Attributes
    ----------
    amounts : (12,) float, January first, in the target's unit
    basis : how the year was spread
    reason : why it is not the shape that was asked for; None if it is
    """

    amounts: Floats
    basis: Basis
    reason: Reason | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PastMonths:
    """
    Months that are known, for spreading a plan: consumption and weather of each, oldest first.

    Attributes
    ----------
    month : (k,) int, 1 to 12
    used : (k,) float, NaN where it is not known whole
    days : (k,) int
    heating, cooling : (k,) float, degree-days, NaN where not known [K·d]
    """

    month: NDArray[np.int64]
    used: Floats
    days: NDArray[np.int64]
    heating: Floats
    cooling: Floats


def monthly_plan(target: Target, past: PastMonths | None = None) -> MonthlyPlan:
    """
    Spread a year's plan over its months.

    Where the months are not given: like the last year (`last_year`); by days and the degree-days of a usual year, at
    the weights that the past months show (`degree_days`); or by days alone (`even`). What cannot be done for want of
    data becomes the next simpler one, and says so.
    """
    if target.monthly is not None:
        return MonthlyPlan(np.array(target.monthly), "given")
    days = np.array([calendar.monthrange(target.year, m)[1] for m in range(1, 13)], dtype=float)
    reason: Reason | None = None
    if target.shape == "degree_days":
        weights = None if past is None else _by_degree_days(past, days)
        if weights is not None:
            return MonthlyPlan(target.annual * weights / weights.sum(), "degree_days")
        reason = _shape_reason("degree_days")
    if target.shape != "even":
        last = None if past is None else _last_year(past)
        if last is not None:
            # A plan of February in a leap year has a day more than the month that it is modelled on.
            weights = last * days
            return MonthlyPlan(target.annual * weights / weights.sum(), "last_year", reason)
        reason = reason or _shape_reason("last_year")
    return MonthlyPlan(target.annual * days / days.sum(), "even", reason)


def _shape_reason(shape: Literal["degree_days", "last_year"]) -> Reason:
    if shape == "degree_days":
        return Reason(
            "plan-shape-degree-days",
            Names(
                zh=f"按度日分摊年计划需要至少 {_LEAST_MONTHS} 个月的用量和气温，数据不足",
                en=f"spreading the year by degree-days needs {_LEAST_MONTHS} months of use and temperature",
            ),
            blocking=False,
        )
    return Reason(
        "plan-shape-last-year",
        Names(
            zh="没有上年完整的逐月用量，年计划按天数平均分摊",
            en="last year's months are not all known, so the year is spread evenly by days",
        ),
        blocking=False,
    )


def _last_year(past: PastMonths) -> Floats | None:
    """Return the use a day in each calendar month, the latest known of each: (12,); None if one is not known."""
    a_day = np.full(12, np.nan)
    for month, used, days in zip(past.month, past.used, past.days, strict=True):
        if math.isfinite(used):
            a_day[month - 1] = used / days
    return a_day if bool(np.isfinite(a_day).all()) and a_day.sum() > 0 else None


def _by_degree_days(past: PastMonths, days: Floats) -> Floats | None:
    """Return what each month of a usual year would use: (12,); None if the past does not tell."""
    from scipy.optimize import nnls  # tens of megabytes, which a site without such a plan does without

    known = np.isfinite(past.used) & np.isfinite(past.heating) & np.isfinite(past.cooling)
    if int(known.sum()) < _LEAST_MONTHS:
        return None
    columns = np.column_stack([past.days.astype(float), past.heating, past.cooling])
    a_day, a_heating, a_cooling = nnls(columns[known], past.used[known])[0]
    usual = np.full((12, 2), np.nan)
    for month in range(1, 13):
        # Degree-days of a month, over its days: so that months of different length can be averaged.
        of_month = known & (past.month == month)
        if of_month.any():
            per_day = columns[of_month][:, 1:] / columns[of_month][:, :1]
            usual[month - 1] = per_day.mean(axis=0)
    if not np.isfinite(usual).all():
        return None
    result: Floats = days * (a_day + usual @ np.array([a_heating, a_cooling]))
    return result if result.sum() > 0 else None


# -- progress of a month or a year


@dataclass(frozen=True, slots=True)
class Progress:
    """
    How a month or a year stands against its plan. Amounts in the plan's unit.

    Attributes
    ----------
    planned : plan of the period
    consumed : what is known to be consumed; NaN if nothing is
    measured, estimated, missing : shares of the elapsed time, together 1
    elapsed : share of the period that has passed, 0 to 1
    expected : plan of the time that has passed
    forecast, low, high, confidence : total at the period's end with its interval; NaN where nobody can tell
    chance : how likely the plan is passed, 0 to 1; NaN where nobody can tell
    verdict : exceeded, will_exceed, on_track, or cannot_tell
    over, over_share : forecast minus plan (consumed minus plan where it is exceeded), and its share of the plan, NaN of
        a plan of nothing
    since_us : exceeded: the day on which the plan was passed; will_exceed: from which day on consumption has stayed
        above the plan's course; None otherwise [µs UTC]
    left : what may still be consumed within the plan, 0 if nothing
    reasons : why nobody can tell, and what else a reader should know
    """

    planned: float
    consumed: float
    measured: float
    estimated: float
    missing: float
    elapsed: float
    expected: float
    forecast: float
    low: float
    high: float
    confidence: float
    chance: float
    verdict: Verdict
    over: float
    over_share: float
    since_us: int | None
    left: float
    reasons: tuple[Reason, ...] = ()


def progress(
    planned: float, daily: Totals, now_us: int, forecast: Forecast | None, course: Floats | None = None
) -> Progress:
    """
    Judge a period against its plan.

    Parameters
    ----------
    planned : float
        Plan of the period; 0: nothing is to be used.
    daily : Totals
        Consumption of all days of the period, (m,); days to come are missing.
    now_us : int
        Time up to which the figures reach. [µs UTC]
    forecast : Forecast or None
        Of the period's total; None where none was made.
    course : (m,) float or None
        Weights by which the plan spreads over the days; None: by time.

    Raises
    ------
    ValueError
        If the plan is below zero, or `course` does not fit the days.
    """
    if not planned >= 0:
        raise ValueError(f"the plan is {planned:g}; give an amount not below zero")
    start, length = daily.edges_us[:-1], np.diff(daily.edges_us)
    weights = length.astype(float) if course is None else course
    if weights.shape != start.shape or not bool((weights >= 0).all()) or not weights.sum() > 0:
        raise ValueError(f"course must be ({len(daily)},) weights, none below zero and some above")
    passed = np.clip((now_us - start) / length, 0.0, 1.0)
    begun = passed > 0
    amounts = np.where(begun & np.isfinite(daily.amount), daily.amount, 0.0)
    known = begun & np.isfinite(daily.amount)
    consumed = float(amounts.sum()) if known.any() else float("nan")
    measured, estimated = _shares(daily, passed, length)
    missing = 1.0 - measured - estimated
    share = weights / weights.sum()
    plan_course = planned * np.cumsum(share)
    reasons: list[Reason] = []
    if begun.any() and missing > 0.001:
        reasons.append(_missing_reason(missing))
    nan = float("nan")
    total, low, high, chance = nan, nan, nan, nan
    confidence = forecast.confidence if forecast is not None else nan
    over_already = consumed > planned
    if forecast is not None and forecast.reason is None:
        # Today's hours may have used more already than a usual day would.
        total, high = max(forecast.total, float(amounts.sum())), max(forecast.high, float(amounts.sum()))
        low, chance = max(forecast.low, float(amounts.sum())), 1.0 if over_already else forecast.chance_above(planned)
    elif forecast is not None and forecast.reason is not None:
        reasons.append(Reason("no-forecast", forecast.reason))
    ended = bool(passed.min() >= 1.0)
    if ended and missing <= 0.001:
        total = low = high = consumed
        chance = 1.0 if over_already else 0.0
    verdict = _verdict(planned, total, chance, over_already, bool(begun.any()), 1.0 - missing, reasons)
    since_us = None
    cumulative = np.cumsum(amounts)
    if verdict == "exceeded":
        since_us = int(start[int(np.argmax(cumulative > planned))])
    elif verdict == "will_exceed":
        since_us = _above_since(cumulative, plan_course, known, start)
    best = consumed if verdict == "exceeded" and not math.isfinite(total) else total
    over = best - planned
    return Progress(
        planned=planned, consumed=consumed, measured=measured, estimated=estimated, missing=missing,
        elapsed=float((passed * length).sum() / length.sum()), expected=float(planned * (share * passed).sum()),
        forecast=total, low=low, high=high, confidence=confidence, chance=chance, verdict=verdict, over=over,
        over_share=over / planned if planned > 0 else nan, since_us=since_us,
        left=max(0.0, planned - float(amounts.sum())),
        reasons=tuple(reasons),
    )  # fmt: skip


def _shares(daily: Totals, passed: Floats, length: NDArray[np.int64]) -> tuple[float, float]:
    """Return which shares of the elapsed time were measured and estimated."""
    time = float((passed * length).sum())
    if time <= 0:
        return 0.0, 0.0
    measured = np.minimum(daily.measured, passed)
    estimated = np.minimum(daily.estimated, passed - measured)
    return float((measured * length).sum() / time), float((estimated * length).sum() / time)


def _verdict(
    planned: float, total: float, chance: float, over_already: bool, begun: bool, known: float, reasons: list[Reason]
) -> Verdict:
    if over_already:
        return "exceeded"
    if not begun:
        reasons.append(Reason("not-begun", Names(zh="计划期尚未开始", en="the period of the plan has not begun")))
        return "cannot_tell"
    if known < LEAST_KNOWN:
        reasons.append(
            Reason(
                "too-little-known",
                Names(
                    zh=f"已过时间中只有 {known:.0%} 有数据，至少需要 {LEAST_KNOWN:.0%}",
                    en=f"{known:.0%} of the time that has passed is known; {LEAST_KNOWN:.0%} is needed",
                ),
                known, LEAST_KNOWN,
            )
        )  # fmt: skip
        return "cannot_tell"
    if not math.isfinite(chance):
        if not reasons:
            reasons.append(Reason("no-forecast", Names(zh="没有预测", en="there is no forecast")))
        return "cannot_tell"
    if chance >= LIKELY:
        return "will_exceed"
    if chance <= EVEN_ODDS:
        return "on_track"
    reasons.append(
        Reason(
            "too-close",
            Names(
                zh=f"预测值与计划过于接近：超计划的可能性为 {chance:.0%}",
                en=f"the forecast lies too near the plan: it is passed with a chance of {chance:.0%}",
            ),
            chance, LIKELY,
        )
    )  # fmt: skip
    return "cannot_tell"


def _missing_reason(missing: float) -> Reason:
    text = f"{missing:.1%}"
    return Reason(
        "partly-missing",
        Names(zh=f"已过时间中有 {text} 没有数据", en=f"{text} of the time that has passed is missing"),
        missing, blocking=False,
    )  # fmt: skip


def _above_since(cumulative: Floats, plan_course: Floats, known: NDArray[np.bool_], start: NDArray[np.int64]) -> int:
    """Return the day from which on consumption has stayed above the plan's course; the last known day if it has not."""
    days = np.flatnonzero(known)
    above = cumulative[days] > plan_course[days]
    below = np.flatnonzero(~above)
    first = 0 if not below.size else min(int(below[-1]) + 1, days.size - 1)
    return int(start[days[first]])
