"""What a measure saved: what the baseline expects under the reporting period's conditions, less what was used.

The saving is stated with the half-width of its 90 % interval, with the load changes that weather and calendar do not
explain (told, not averaged away, and beside them what the saving would be without), and with every reason against it.

Sources: EVO, IPMVP Core Concepts, option C (avoided energy use); ASHRAE Guideline 14-2014, whole-building performance
path: uncertainty not above half of the saving at 68 % confidence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from analytics.energy.events import Course, EventParameters, NonRoutineEvent, find_events
from analytics.energy.one_thread import linear_algebra
from analytics.energy.reasons import Reason
from analytics.energy.reporting_days import Days, Rows, by_day, read_rows
from analytics.energy.saving_uncertainty import half_width, of_model
from analytics.energy.statistics import t_value
from facility.names import Names

CONFIDENCE: Final = 0.9


@dataclass(frozen=True, slots=True)
class SavingParameters:
    """When a saving may be relied on."""

    most_uncertain: float = 0.5  # of the saving, at 68 % confidence (ASHRAE Guideline 14, performance path)
    least_known: float = 0.9  # of the reporting period (CalTRACK 2)
    least_days: float = 28.0  # known, before which a saving says little of the measure
    whole_year_days: float = 328.0  # known, below which the seasons that were not seen are told
    fit_limits: tuple[tuple[float, float], ...] = ((12.0, 0.20), (60.0, 0.25), (math.inf, 0.30))
    beyond_range_k: float = 1.0  # further outside the baseline's temperatures the model extrapolates
    most_beyond: float = 0.05  # of the reporting period, before it is told; five times as much is too much
    most_bias: float = 0.005  # NMBE of the fit
    events: EventParameters | None = None


@dataclass(frozen=True, slots=True)
class MonthSaving:
    """One calendar month: sums over the times of which both are known; NaN if there are none."""

    month: str
    known: float  # share of the month's rows
    used: float
    expected: float
    saving: float


@dataclass(frozen=True, slots=True)
class Saving:
    """
    What was saved, and how sure that is.

    Attributes
    ----------
    saving : expected minus used, where both are known [unit of the energy]
    relative_saving : of what was expected [-]
    uncertainty : half-width of the 90 % interval [unit of the energy]; NaN if it cannot be judged
    relative_uncertainty : the same, of what was expected [-]
    interval : saving - uncertainty and saving + uncertainty
    expected, used : sums over the times of which both are known
    known_share : of the reporting period's steps
    non_routine_events : load changes that weather and calendar do not explain, by their start
    adjusted_saving : what the saving would be without them
    adjusted_uncertainty : half-width of its 90 % interval, with that of their sizes
    months : by calendar month
    acceptable : True if no reason blocks
    reasons : what blocks first, then what is to be known; `str` gives the sentence
    """

    saving: float
    relative_saving: float
    uncertainty: float
    relative_uncertainty: float
    interval: tuple[float, float]
    expected: float
    used: float
    known_share: float
    non_routine_events: tuple[NonRoutineEvent, ...]
    adjusted_saving: float
    adjusted_uncertainty: float
    months: tuple[MonthSaving, ...]
    acceptable: bool
    reasons: tuple[Reason, ...]

    @property
    def adjusted_relative_saving(self) -> float:
        """Return `adjusted_saving`, of what was expected. [-]"""
        return self.adjusted_saving / self.expected if self.expected else math.nan


def estimate(
    model: Any,
    timestamps: ArrayLike,
    energy: ArrayLike,
    drivers: ArrayLike | None = None,
    parameters: SavingParameters | None = None,
) -> Saving:
    """
    Estimate what was saved in a reporting period.

    Parameters
    ----------
    model : has `predict(timestamps, drivers)`
        A baseline of `analytics.energy.baseline.fit`. Another model will do; without its residuals the uncertainty
        cannot be judged, and the saving is not acceptable.
    timestamps : (n,) datetime64
        Beginnings of hours or days, as the model was fitted to, in any order; holes are allowed.
    energy : (n,) float
        Used in each; NaN where missing. [any unit of energy]
    drivers : (n, k) float, or None
        As the model was fitted to; the first column is the outdoor temperature [°C].

    Raises
    ------
    ValueError
        If lengths differ or an energy is infinite. Poor data never raise: they are reasons.
    """
    p = parameters or SavingParameters()
    rows = read_rows(model, timestamps, energy, drivers)
    known = rows.known
    if not known.any():
        return _nothing(model, rows)
    days = by_day(rows, model)
    baseline = of_model(model, rows.per_day)
    healthy = None if baseline is None else baseline.residual
    with linear_algebra().limit(limits=1):
        course = find_events(days.days, days.used, days.expected, days.weather, healthy, p.events, days.rest)
    used, expected = float(rows.used[known].sum()), float(rows.expected[known].sum())
    saving = expected - used
    known_days = float(known.sum()) / rows.per_day
    uncertainty = (
        math.nan
        if baseline is None
        else half_width(baseline, course, days, known_days, CONFIDENCE, hourly=rows.per_day > 1)
    )
    sizes = math.sqrt(sum(_event_error(event, days) ** 2 for event in course.events))
    whole = max(1, round((rows.times[-1] - rows.times[0]) / np.timedelta64(1, "D") * rows.per_day) + 1)
    share = min(1.0, float(known.sum()) / whole)
    reasons = [
        *_of_the_model(model, p, whole / rows.per_day / 30.4),
        *_of_the_length(known_days, p),
        *_of_the_data(model, rows, share, p),
        *_of_the_uncertainty(saving, uncertainty, p),
        *_of_events(course, days, uncertainty),
    ]
    reasons.sort(key=lambda reason: not reason.blocking)
    return Saving(
        saving=saving,
        relative_saving=saving / expected if expected else math.nan,
        uncertainty=uncertainty,
        relative_uncertainty=uncertainty / expected if expected else math.nan,
        interval=(saving - uncertainty, saving + uncertainty),
        expected=expected,
        used=used,
        known_share=share,
        non_routine_events=course.events,
        adjusted_saving=saving + sum(event.energy for event in course.events),
        adjusted_uncertainty=math.hypot(uncertainty, t_value(CONFIDENCE, 1000.0) * sizes),
        months=_months(rows),
        acceptable=not any(reason.blocking for reason in reasons),
        reasons=tuple(reasons),
    )


def _nothing(model: Any, rows: Rows) -> Saving:
    words = Names(
        zh="报告期内没有同时已知实测能耗和基准能耗的时段，无法计算节能量。",
        en="At no time of the reporting period are both the energy and the baseline's expectation known: no saving.",
    )
    reasons = [Reason("nothing-known", words, 0.0, None), *_of_the_weather(rows, 0.0), *_insufficiency(model)]
    nan = math.nan
    return Saving(nan, nan, nan, nan, (nan, nan), nan, nan, 0.0, (), nan, nan, _months(rows), False, tuple(reasons))


def _event_error(event: NonRoutineEvent, days: Days) -> float:
    last = days.days[-1] + np.timedelta64(1, "D") if event.end is None else event.end
    return event.size_error * float((last - event.start) / np.timedelta64(1, "D"))


def _months(rows: Rows) -> tuple[MonthSaving, ...]:
    known = rows.known
    month = rows.times.astype("datetime64[M]")
    table = []
    for each in np.unique(month):
        inside = month == each
        both = inside & known
        any_known = bool(both.any())
        used = float(rows.used[both].sum()) if any_known else math.nan
        expected = float(rows.expected[both].sum()) if any_known else math.nan
        table.append(MonthSaving(str(each), float(both.sum() / inside.sum()), used, expected, expected - used))
    return tuple(table)


def _insufficiency(model: Any) -> list[Reason]:
    verdict = getattr(model, "sufficiency", None)
    if verdict is None or verdict.sufficient:
        return []
    return [reason for reason in verdict.reasons if reason.blocking]


def _of_the_model(model: Any, p: SavingParameters, months: float) -> list[Reason]:
    reasons = _insufficiency(model)
    cv, nmbe = getattr(model, "cv_rmse", None), getattr(model, "nmbe", None)
    limit = next(limit for up_to, limit in p.fit_limits if months <= up_to + 0.5)
    if cv is not None and math.isfinite(cv) and float(cv) > limit:
        words = Names(
            zh=f"基准模型的 CV(RMSE) 为 {cv:.0%}，高于规定路径的 {limit:.0%}；以节能量不确定度判断为准。",
            en=f"The baseline's CV(RMSE) is {cv:.0%}, above the prescriptive {limit:.0%}; the uncertainty decides.",
        )
        reasons.append(Reason("loose-fit", words, float(cv), limit, blocking=False))
    if nmbe is not None and math.isfinite(nmbe) and abs(float(nmbe)) > p.most_bias:
        words = Names(
            zh=f"基准模型在基准期内的偏差为 {nmbe:+.1%}，已计入不确定度。",
            en=f"The baseline's bias in its own period is {nmbe:+.1%}; the uncertainty contains it.",
        )
        reasons.append(Reason("biased-fit", words, float(nmbe), p.most_bias, blocking=False))
    return reasons


def _of_the_length(known_days: float, p: SavingParameters) -> list[Reason]:
    if known_days < p.least_days:
        words = Names(
            zh=f"报告期只有 {known_days:.0f} 天的数据；至少需要 {p.least_days:.0f} 天。",
            en=f"The reporting period has {known_days:.0f} days of data; at least {p.least_days:.0f} are needed.",
        )
        return [Reason("too-short", words, known_days, p.least_days)]
    if known_days < p.whole_year_days:
        words = Names(
            zh=f"报告期有 {known_days:.0f} 天的数据，不足一年：尚未经历的季节的节能量未知。",
            en=f"The reporting period has {known_days:.0f} days of data, no year: other seasons are not known.",
        )
        return [Reason("part-of-a-year", words, known_days, p.whole_year_days, blocking=False)]
    return []


def _of_the_data(model: Any, rows: Rows, share: float, p: SavingParameters) -> list[Reason]:
    reasons = []
    if share < p.least_known:
        words = Names(
            zh=f"报告期内只有 {share:.0%} 的时段数据完整；需要 {p.least_known:.0%}。",
            en=f"{share:.0%} of the reporting period is known; {p.least_known:.0%} is needed.",
        )
        reasons.append(Reason("reporting-holes", words, share, p.least_known))
    reasons += _of_the_weather(rows, 1.0 - p.least_known)
    span = getattr(model, "temperature_range", None)
    if span is not None and rows.weather is not None and all(math.isfinite(end) for end in span):
        seen = rows.weather[rows.known & np.isfinite(rows.weather)]
        outside = (seen < span[0] - p.beyond_range_k) | (seen > span[1] + p.beyond_range_k)
        beyond = float(np.mean(outside)) if seen.size else 0.0
        if beyond > p.most_beyond:
            words = Names(
                zh=f"报告期有 {beyond:.0%} 的时段室外温度超出基准期（{span[0]:.0f} 至 {span[1]:.0f} °C），属于外推。",
                en=f"{beyond:.0%} of the reporting period is outside the baseline's {span[0]:.0f} to {span[1]:.0f} °C.",
            )
            reasons.append(Reason("extrapolation", words, beyond, p.most_beyond, blocking=beyond > 5.0 * p.most_beyond))
    return reasons


def _of_the_weather(rows: Rows, most: float) -> list[Reason]:
    share = rows.weatherless / max(1, int(np.isfinite(rows.used).sum()))
    if not rows.weatherless:
        return []
    words = Names(
        zh=f"报告期 {share:.1%} 的能耗没有室外温度，未计入节能量。",
        en=f"{share:.1%} of the reporting period's energy has no outdoor temperature, and is left out of the saving.",
    )
    return [Reason("weather-missing", words, share, most, blocking=share > most)]


def _of_the_uncertainty(saving: float, uncertainty: float, p: SavingParameters) -> list[Reason]:
    if not math.isfinite(uncertainty):
        words = Names(
            zh="模型没有给出基准期残差，无法判断节能量的不确定度。",
            en="The model keeps no residuals of its baseline: how sure the saving is cannot be judged.",
        )
        return [Reason("uncertainty-unknown", words)]
    one_sigma = uncertainty * t_value(0.68, 1000.0) / t_value(CONFIDENCE, 1000.0)
    ratio = one_sigma / abs(saving) if saving else math.inf
    if ratio <= p.most_uncertain:
        return []
    words = Names(
        zh=f"不确定度（68% 置信度）为节能量的 {min(ratio, 99.0):.0%}，超过 {p.most_uncertain:.0%}：与零难以区分。",
        en=f"The uncertainty at 68 % confidence is {min(ratio, 99.0):.0%} of the saving, above {p.most_uncertain:.0%}: "
        "it can hardly be told from none.",
    )
    return [Reason("too-uncertain", words, ratio, p.most_uncertain)]


def _of_events(course: Course, days: Days, uncertainty: float) -> list[Reason]:
    reasons = []
    for event in course.events:
        until_zh, until_en = ("至今", " on") if event.end is None else (f"至 {event.end}", f" to {event.end}")
        words = Names(
            zh=f"自 {event.start} {until_zh}，负荷每天变化 {event.size:+.3g}，天气和日历无法解释；请查明并调整。",
            en=f"From {event.start}{until_en} the load is changed by {event.size:+.3g} a day, which weather and "
            "calendar do not explain: find out why, and adjust for it.",
        )
        # One that is small beside the uncertainty is told, but does not overturn the saving.
        weighs = not abs(event.energy) < 0.25 * uncertainty
        reasons.append(Reason("non-routine-event", words, event.size, None, blocking=weighs))
    return reasons
