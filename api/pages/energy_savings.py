"""Measures and what they saved: the baseline with its fit, the saving with its interval, what speaks against it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.energy.events import NonRoutineEvent
from analytics.energy.intervals import Floats
from analytics.energy.reasons import Reason
from analytics.energy.savings import MonthSaving, Saving
from api.pages.energy_charts import LineChart, running_total
from api.pages.energy_figures import few_decimals, money_unit
from api.pages.energy_fit_charts import FitChart, fit_charts
from api.pages.energy_measure_form import EnteredLine
from api.pages.numbers import joined
from api.pages.words import Words
from facility.formats import MISSING, NO_BREAK_SPACE, money, number
from facility.measures import Measure
from facility.names import Names

Days = NDArray[np.datetime64]


@dataclass(frozen=True, slots=True, eq=False)
class MeasureAccount:
    """
    A measure, its baseline and what it saved, as far as that has been worked out.

    Attributes
    ----------
    baseline, reporting : first day, and last day counted
    saving : None: it cannot be told, `reasons` say why
    reasons : all that speaks against it, what blocks first
    payback_years : None: not known
    money : what the saving is worth, and half of its interval [currency]; None: no price
    days, used, expected, temperature : the baseline's days, then those of the reporting period
    split : how many of them are the baseline's
    """

    id: str
    name: Names
    subject: Names
    unit: str
    baseline: tuple[date, date]
    reporting: tuple[date, date]
    cost: float | None = None
    owner: str = ""
    source: str = ""
    saving: Saving | None = None
    model: Any = None
    reasons: tuple[Reason, ...] = ()
    money: tuple[float, float] | None = None
    payback_years: float | None = None
    days: Days | None = None
    used: Floats | None = None
    expected: Floats | None = None
    temperature: Floats | None = None
    split: int = 0


@dataclass(frozen=True, slots=True)
class MeasureRow:
    """A measure in the list."""

    name: str
    href: str
    subject: str
    since: str
    saving: str
    half_width: str
    relative: str
    money: str
    state: str
    proven: bool
    reason: str


@dataclass(frozen=True, slots=True)
class SavingsPage:
    """The list of measures."""

    rows: tuple[MeasureRow, ...]
    unit: str
    empty: str
    may_enter: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """A name, a figure, and what it is held against."""

    name: str
    text: str
    note: str


@dataclass(frozen=True, slots=True)
class EventLine:
    """A load change that weather and calendar do not explain."""

    month: str
    since: str
    until: str
    size: str
    added: str
    confidence: str


@dataclass(frozen=True, slots=True)
class MonthLine:
    """A month of the reporting period."""

    month: str
    used: str
    expected: str
    saving: str
    known: str


@dataclass(frozen=True, slots=True)
class ReasonLine:
    """What speaks against a result, or is only to be known."""

    text: str
    blocking: bool


@dataclass(frozen=True, slots=True)
class MeasurePage:
    """One measure."""

    name: str
    subject: str
    unit: str
    state: str
    proven: bool
    nothing: bool
    figures: tuple[Figure, ...]
    model: tuple[Figure, ...]
    reasons: tuple[ReasonLine, ...]
    sufficiency: tuple[ReasonLine, ...]
    events: tuple[EventLine, ...]
    months: tuple[MonthLine, ...]
    fit_desk: FitChart | None
    fit_phone: FitChart | None
    course_desk: FitChart | None
    course_phone: FitChart | None
    residual_desk: FitChart | None
    residual_phone: FitChart | None
    running_desk: LineChart | None
    running_phone: LineChart | None
    entered: EnteredLine | None = None


def savings_page(
    words: Words,
    currency: str,
    accounts: Sequence[MeasureAccount],
    waiting: Sequence[Measure] = (),
    *,
    may_enter: bool = False,
) -> SavingsPage:
    """Build the list; `waiting` are those whose saving is still being worked out."""
    return SavingsPage(
        rows=(*(_row(words, currency, a) for a in accounts), *(_waiting_row(words, m) for m in waiting)),
        unit=money_unit(currency, words),
        empty=words(
            "An engineer enters here what was done, on which days, and which meter counts it; or it stands in the "
            "site file under measures: (docs/baselines.md). What it saved is then worked out."
        ),
        may_enter=may_enter,
    )


def state_words(own: MeasureAccount, words: Words) -> tuple[str, bool]:
    """Return how a measure stands, and whether its saving is proven."""
    saving = own.saving
    if saving is None:
        return words("cannot tell"), False
    if not saving.acceptable:
        return words("cannot be relied on"), False
    if saving.interval[0] > 0:
        return words("proven"), True
    return (words("no saving"), False) if saving.saving <= 0 else (words("not told from zero"), False)


def _row(words: Words, currency: str, own: MeasureAccount) -> MeasureRow:
    saving = own.saving
    state, proven = state_words(own, words)
    against = next((r for r in own.reasons if r.blocking), None)
    return MeasureRow(
        name=words.name(own.name),
        href=f"/energy/savings/{own.id}",
        subject=words.name(own.subject),
        since=own.reporting[0].isoformat(),
        saving=_amount(saving.saving, own.unit) if saving is not None else MISSING,
        half_width=f"±{_amount(saving.uncertainty, own.unit)}" if saving is not None and saving.uncertainty > 0 else "",
        relative=_percent(saving.relative_saving) if saving is not None else MISSING,
        money=f"{number(own.money[0], 0)} ±{number(own.money[1], 0)}" if own.money is not None else MISSING,
        state=state,
        proven=proven,
        reason=words.name(against.words) if against is not None else "",
    )


def _waiting_row(words: Words, own: Measure) -> MeasureRow:
    return MeasureRow(
        name=words.name(own.name),
        href=f"/energy/savings/{own.id}",
        subject="",
        since=own.reporting.from_.isoformat(),
        saving=MISSING,
        half_width="",
        relative=MISSING,
        money=MISSING,
        state=words("being worked out"),
        proven=False,
        reason="",
    )


def _amount(value: float, unit: str) -> str:
    return joined(number(value, few_decimals(value, unit)), unit) if math.isfinite(value) else MISSING


def _percent(share: float, decimals: int = 1, *, signed: bool = False) -> str:
    return f"{number(100 * share, decimals, signed=signed)}%" if math.isfinite(share) else MISSING


def measure_page(words: Words, currency: str, own: MeasureAccount) -> MeasurePage:
    """Build the page of one measure."""
    state, proven = state_words(own, words)
    saving, model = own.saving, own.model
    fit, course, residuals, running = _charts(own, words)
    return MeasurePage(
        name=words.name(own.name),
        subject=" · ".join(t for t in (words.name(own.subject), own.owner, own.source) if t),
        unit=own.unit,
        state=state,
        proven=proven,
        nothing=saving is None and model is None,
        figures=_figures(own, saving, words, currency) if saving is not None else (),
        model=_model_figures(own, model, words) if model is not None else (),
        reasons=_reasons(own.reasons, words),
        sufficiency=_reasons(getattr(getattr(model, "sufficiency", None), "reasons", ()), words),
        events=tuple(_event(e, own.unit, words) for e in (saving.non_routine_events if saving is not None else ())),
        months=tuple(_month(m, own.unit) for m in (saving.months if saving is not None else ())),
        fit_desk=fit[0] if fit else None,
        fit_phone=fit[1] if fit else None,
        course_desk=course[0] if course else None,
        course_phone=course[1] if course else None,
        residual_desk=residuals[0] if residuals else None,
        residual_phone=residuals[1] if residuals else None,
        running_desk=running[0] if running else None,
        running_phone=running[1] if running else None,
    )


def _reasons(reasons: Sequence[Reason], words: Words) -> tuple[ReasonLine, ...]:
    return tuple(ReasonLine(words.name(r.words), r.blocking) for r in reasons)


def _figures(own: MeasureAccount, saving: Saving, words: Words, currency: str) -> tuple[Figure, ...]:
    sure = words("±%(amount)s at 90%% confidence", amount=_amount(saving.uncertainty, own.unit))
    figures = [
        Figure(words("Saving"), _amount(saving.saving, own.unit), sure if math.isfinite(saving.uncertainty) else ""),
        Figure(
            words("Of what was expected"),
            _percent(saving.relative_saving),
            f"±{_percent(saving.relative_uncertainty)}" if math.isfinite(saving.relative_uncertainty) else "",
        ),
        Figure(
            words("Expected"),
            _amount(saving.expected, own.unit),
            words("used %(amount)s", amount=_amount(saving.used, own.unit)),
        ),
        Figure(
            words("Known"),
            _percent(saving.known_share, 0),
            words("of %(first)s to %(last)s", first=own.reporting[0].isoformat(), last=own.reporting[1].isoformat()),
        ),
    ]
    if saving.non_routine_events:
        figures.append(
            Figure(
                words("Without load changes"),
                _amount(saving.adjusted_saving, own.unit),
                f"±{_amount(saving.adjusted_uncertainty, own.unit)}",
            )
        )
    if own.money is not None:
        text = money(own.money[0], currency, words.language)
        note = f"±{number(own.money[1], 0)}"
        if own.payback_years is not None:
            note += " · " + words("pays back in %(years)s years", years=number(own.payback_years, 1))
        figures.append(Figure(words("Worth"), text, note))
    return tuple(figures)


def _model_figures(own: MeasureAccount, model: Any, words: Words) -> tuple[Figure, ...]:
    points = getattr(model, "balance_points", None)
    heating, cooling = getattr(points, "heating_c", None), getattr(points, "cooling_c", None)
    told = [f"{number(float(p), 1)} °C" for p in (heating, cooling) if p is not None and math.isfinite(float(p))]
    kind = str(getattr(model, "kind", ""))
    period = words("%(first)s to %(last)s", first=own.baseline[0].isoformat(), last=own.baseline[1].isoformat())
    return (
        Figure(words("Model"), _kind_words(kind, words), " · ".join((kind, *told))),
        Figure(words("Baseline"), words.plural("%(n)s step", "%(n)s steps", int(getattr(model, "n", 0))), period),
        Figure(
            "CV(RMSE)",
            _percent(float(getattr(model, "cv_rmse", math.nan))),
            words("out of sample %(value)s", value=_percent(float(getattr(model, "cv_rmse_blocked", math.nan)))),
        ),
        Figure("NMBE", _percent(float(getattr(model, "nmbe", math.nan)), 2, signed=True), words("limit ±0.5%")),
        Figure("R²", number(float(getattr(model, "r2", math.nan)), 2), ""),
    )


def _kind_words(kind: str, words: Words) -> str:
    """Return how a model takes energy to follow the weather."""
    return {
        "1P": words("the same in any weather"),
        "2P": words("straight line over temperature"),
        "3P-H": words("rises below a temperature (heating)"),
        "3P-C": words("rises above a temperature (cooling)"),
        "4P": words("bent line over temperature"),
        "5P": words("rises below one temperature and above another"),
        "TOWT": words("by time of week and temperature"),
    }.get(kind, kind)


def _event(event: NonRoutineEvent, unit: str, words: Words) -> EventLine:
    return EventLine(
        month=event.month,
        since=str(event.start),
        until=str(event.end - np.timedelta64(1, "D")) if event.end is not None else words("still"),
        size=f"{number(event.size, few_decimals(event.size, unit), signed=True)}{NO_BREAK_SPACE}{unit}",
        added=_amount(event.energy, unit),
        confidence=_percent(event.confidence, 0),
    )


def _month(month: MonthSaving, unit: str) -> MonthLine:
    def text(value: float) -> str:
        return number(value, few_decimals(value, unit))

    return MonthLine(month.month, text(month.used), text(month.expected), text(month.saving), _percent(month.known, 0))


_Pair = tuple[FitChart, FitChart]


def _charts(
    own: MeasureAccount, words: Words
) -> tuple[_Pair | None, _Pair | None, _Pair | None, tuple[LineChart, LineChart] | None]:
    if own.days is None or own.used is None or own.expected is None:
        return None, None, None, None
    n = own.split
    fit = None
    if own.temperature is not None and np.isfinite(own.temperature).any():
        order = np.argsort(own.temperature[:n])
        curve = _response(own, own.temperature[:n][order], own.expected[:n][order])
        fit = fit_charts(own.temperature[:n], own.used[:n], own.temperature[n:], own.used[n:], curve)
    at = own.days.astype("datetime64[D]").astype(np.int64).astype(float)
    names, marks = _months_on_axis(own.days), [(float(at[n]), words("measure"))] if n < at.size else []
    if own.saving is not None:
        marks += [
            (float(e.start.astype("datetime64[D]").astype(np.int64)), e.month) for e in own.saving.non_routine_events
        ]
    course = fit_charts(at[:n], own.used[:n], at[n:], own.used[n:], (at, own.expected), names, marks, wide=True)
    difference = own.used - own.expected
    residuals = fit_charts(at[:n], difference[:n], at[n:], difference[n:], None, names, marks)
    saved = own.expected[n:] - own.used[n:]
    label = _amount(float(np.nansum(saved)), own.unit) if np.isfinite(saved).any() else ""
    running = running_total(saved, label, wide=True) if saved.size else None
    return fit, course, residuals, running


def _response(own: MeasureAccount, temperature: Floats, expected: Floats) -> tuple[Floats, Floats] | None:
    """Return the model's curve over temperature: its own where it has one, else the median of what it expects."""
    low, high = np.nanmin(temperature), np.nanmax(temperature)
    grid = np.linspace(low, high, 60)
    response = getattr(own.model, "temperature_response", None)
    if response is not None:
        try:
            values = np.asarray(response(grid), dtype=float)
        except (TypeError, ValueError):
            values = np.full(grid.shape, np.nan)
        if np.isfinite(values).any():
            return grid, values
    known = np.isfinite(temperature) & np.isfinite(expected)
    if known.sum() < 10:
        return None
    edges = np.linspace(low, high, 25)
    which = np.digitize(temperature[known], edges)
    middle = np.array([np.median(expected[known][which == i]) if (which == i).any() else np.nan for i in range(1, 26)])
    return edges, middle


def _months_on_axis(days: Days) -> list[tuple[float, str]]:
    months = np.unique(days.astype("datetime64[M]"))
    months = months[months.astype("datetime64[D]") >= days[0]]  # a month that began before stands left of the axis
    return [(float(m.astype("datetime64[D]").astype(np.int64)), str(m)) for m in months]
