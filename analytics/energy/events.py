"""Load changes that weather and calendar do not explain: non-routine events in a reporting period.

A healthy reporting period differs from its baseline by the measure alone: `used = a + b · expected`, from its first day
to its last, plus errors of the model that go with the weather. What else changes on a day, and stays or ends, is a
non-routine event: a new machine, a closed ward, a valve left open. Its first day, last day and size are sought by least
squares over all pairs of days, one event after another, and an event counts only if its size stands clear of what the
residuals' own noise, with its memory from day to day, would show by chance in a healthy year.

Sources: least squares for change points, R. Killick, P. Fearnhead, I. Eckley, J. Am. Stat. Assoc. 107 (2012) 1590; what
a non-routine event is, EVO, IPMVP Application Guide on Non-Routine Events and Adjustments, 2020.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from analytics.energy.event_search import SearchParameters, Span, SpanSearch

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Days = NDArray[np.datetime64]


@dataclass(frozen=True, slots=True)
class EventParameters:
    """What makes a load change an event worth a person's question."""

    search: SearchParameters = field(default_factory=SearchParameters)
    least_share: float = 0.01  # of the expected energy a day
    # Gumbel's place and scale of the largest chance deviation in a healthy year, in standard errors: by simulation,
    # see docs/baselines.md.
    chance_place: float = 2.2
    chance_scale: float = 0.5


@dataclass(frozen=True, slots=True)
class NonRoutineEvent:
    """
    A load change that weather and calendar do not explain.

    Attributes
    ----------
    start : its first day (datetime64[D]), the one that fits best
    start_between : earliest and latest first day that fit nearly as well, at 95 % confidence (datetime64[D])
    end : the first day after it (datetime64[D]); None if it still held when the data ended
    size : energy a day that was added, on average; below 0 for a load that went [energy a day]
    size_error : standard error of the size
    month : of its start, such as "2017-03"
    confidence : share of healthy periods in which chance alone shows nothing as large
    energy : added in all on the days that are known [energy]
    """

    start: np.datetime64
    start_between: tuple[np.datetime64, np.datetime64]
    end: np.datetime64 | None
    size: float
    size_error: float
    month: str
    confidence: float
    energy: float


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """
    How a reporting period went, day by day.

    Attributes
    ----------
    events : by their start
    remainder : (n,) float, used minus what baseline, measure and events explain; NaN where not known
    terms : how many terms were fitted to the days
    """

    events: tuple[NonRoutineEvent, ...]
    remainder: Floats
    terms: int


def find_events(
    days: Days,
    used: Floats,
    expected: Floats,
    weather: Floats | None = None,
    baseline_residual: Floats | None = None,
    parameters: EventParameters | None = None,
    rest: Bools | None = None,
) -> Course:
    """
    Find load changes that the baseline model does not explain.

    Parameters
    ----------
    days : (n,) datetime64[D]
        Consecutive days of the reporting period.
    used, expected : (n,) float
        Measured energy a day, and what the baseline model says; NaN where not known. [any unit of energy]
    weather : (n,) float, or None
        Mean outdoor temperature a day: errors of the model that go with it are no events. [°C]
    baseline_residual : (b,) float, or None
        Daily residuals of the baseline period: what the model's errors are like when nothing happens.
    rest : (n,) bool, or None
        Which days are rest days: a measure may save another share on them.

    A period that is too short, or whose expected energy is not above 0, is given back without events.

    Raises
    ------
    ValueError
        If the lengths differ or the days are not consecutive.
    """
    p = parameters or EventParameters()
    if used.shape != days.shape or expected.shape != days.shape:
        raise ValueError(f"days {days.shape}, used {used.shape} and expected {expected.shape} must be of one length")
    if days.size > 1 and bool(np.any(np.diff(days.astype("datetime64[D]")) != np.timedelta64(1, "D"))):
        raise ValueError("days must be consecutive, each once; give NaN for a day that is not known")
    residual = used - expected
    known = np.isfinite(residual)
    level = float(np.mean(expected[known])) if known.any() else math.nan
    if int(known.sum()) < p.search.earliest_days + 2 * p.search.shortest_days or not level > 0.0:
        centre = float(residual[known].mean()) if known.any() else 0.0
        return Course((), residual - centre, 1)
    search = SpanSearch(residual, expected / level, weather, rest, baseline_residual, level, p.search)
    spans = search.significant_spans()
    fit = search.fit(spans)
    kept = [i for i, span in enumerate(spans) if abs(fit.mean_size(i)) >= p.least_share * level]
    if len(kept) < len(spans):
        spans = tuple(spans[i] for i in kept)
        fit = search.fit(spans)
    events = []
    for i, span in enumerate(spans):
        energy = float(fit.added(i)[known].sum())
        between = search.plausible_first(spans, i)
        events.append(_event(days, span, between, (fit.mean_size(i), fit.mean_error(i)), energy, p))
    return Course(tuple(sorted(events, key=lambda e: e.start)), fit.remainder, fit.terms)


def _event(
    days: Days, span: Span, between: tuple[int, int], sized: tuple[float, float], energy: float, p: EventParameters
) -> NonRoutineEvent:
    calendar = days.astype("datetime64[D]")
    start = calendar[span.first]
    size, error = sized
    deviation = abs(size) / error if error > 0.0 else math.inf
    return NonRoutineEvent(
        start=start,
        start_between=(calendar[between[0]], calendar[between[1]]),
        end=calendar[span.last] if span.last < days.size else None,
        size=size,
        size_error=error,
        month=str(start.astype("datetime64[M]")),
        confidence=math.exp(-math.exp(min(50.0, -(deviation - p.chance_place) / p.chance_scale))),
        energy=energy,
    )
