"""How far a stated saving may lie from the true one.

A saving is the difference of two sums that both carry noise: the baseline model, fitted to noisy days, and what was
measured. Each sum's variance is that of its days, times their memory (days in a row are not independent). The model's
part grows where the reporting period asks for other loads than the baseline held, and where the model did worse on
blocks that it had not seen. The half-width is the larger of this and of ASHRAE Guideline 14's. And as no building is
used in one year quite as in the year before, an error that lasts is added: by it, savings from 3 % on can be told at
the confidence of ASHRAE's performance path, as A. Kelly and C. Sinnamon found in practice (EVO, M&V Focus 7, 2020).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analytics.energy.day_noise import memory_of
from analytics.energy.events import Course
from analytics.energy.reporting_days import Days, residual_days
from analytics.energy.statistics import effective_size, fractional_uncertainty, lag_one, t_value

Floats = NDArray[np.float64]

LASTING_SHARE: Final = 0.015  # of what is expected, one standard deviation, from one year to the next
# Of the load that goes with the weather, one standard deviation: days of the same mean temperature that swing otherwise
# ask for other heating and cooling, which daily rows do not show (docs/baselines.md). An hourly baseline sees it.
SWING_SHARE: Final = 0.02
_LEAST_DAYS: Final = 10
_MOST_UNSEEN: Final = 2.0  # how much worse on unseen blocks a model may be before that is a matter of sufficiency
_MOST_DISTANCE: Final = 3.0  # of the mean load from the baseline's, in its own deviations


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a model says of its own baseline; see `of_model`."""

    residual: Floats  # (d,) by day, NaN where not known
    days: int
    parameters: float
    mean: float  # energy a day
    r2: float
    unseen: float  # CV(RMSE) on blocks left out over that of the fit, 1 or more
    bias: float  # NMBE of the fit


def of_model(model: Any, per_day: int) -> Baseline | None:
    """Return what `model` says of its baseline, or None if it keeps no residuals."""
    residuals, times = getattr(model, "residuals", None), getattr(model, "residual_times", None)
    if residuals is None or times is None:
        return None
    daily = residual_days(times, residuals)
    days = int(np.isfinite(daily).sum())
    if days < _LEAST_DAYS:
        return None
    cv, blocked = _number(model, "cv_rmse"), _number(model, "cv_rmse_blocked")
    ratio = blocked / cv if cv > 0.0 and math.isfinite(blocked) else 1.0
    mean = _number(model, "mean_energy") * (per_day if getattr(model, "frequency", "daily") == "hourly" else 1)
    return Baseline(
        residual=daily,
        days=days,
        parameters=max(0.0, _number(model, "p", 1.0)),
        mean=mean,
        r2=_number(model, "r2"),
        unseen=min(max(ratio, 1.0), _MOST_UNSEEN),
        bias=_number(model, "nmbe", 0.0),
    )


def _number(model: Any, name: str, otherwise: float = math.nan) -> float:
    value = getattr(model, name, None)
    return float(value) if isinstance(value, int | float | np.number) and math.isfinite(value) else otherwise


def half_width(
    baseline: Baseline, course: Course, days: Days, known_days: float, confidence: float, *, hourly: bool
) -> float:
    """
    Return the half-width of a saving's interval. [energy]

    Parameters
    ----------
    baseline : of the model
    course, days : of the reporting period
    known_days : how much of it is known, in days
    confidence : such as 0.9
    hourly : whether the rows were hours, so that the model saw how a day swings
    """
    own = baseline.residual[np.isfinite(baseline.residual)]
    own_variance = float(np.mean(own**2))
    own_memory = memory_of(baseline.residual)
    left = course.remainder[np.isfinite(course.remainder)]
    expected = days.expected[np.isfinite(days.expected)]
    level = float(expected.mean()) if expected.size else baseline.mean
    measured = _measured_variance(left, course, own_variance, own_memory, known_days)
    modelled = own_variance * own_memory * known_days**2 / baseline.days
    modelled *= baseline.unseen**2 * (1.0 + _distance(baseline, level, own_variance))
    bias = baseline.bias * level * known_days
    independent = baseline.days / own_memory
    freedom = max(3.0, independent - min(baseline.parameters, independent / 2.0))
    width = t_value(confidence, freedom) * math.sqrt(measured + modelled + bias**2)
    swing = 0.0 if hourly or days.weather is None else SWING_SHARE * (level - float(np.percentile(expected, 5.0)))
    lasting = t_value(confidence, freedom) * math.hypot(LASTING_SHARE * level, swing) * known_days
    return math.hypot(max(width, _ashrae(baseline, own, level, known_days, confidence)), lasting)


def _measured_variance(left: Floats, course: Course, own: float, own_memory: float, known_days: float) -> float:
    # What the reporting period shows by itself, if there is enough of it; the baseline's noise at least in part.
    if left.size < 3 * _LEAST_DAYS:
        return own * own_memory * known_days
    spread = float(np.sum(left**2)) / max(1, left.size - course.terms)
    return max(spread * memory_of(course.remainder), own * own_memory) * known_days


def _distance(baseline: Baseline, level: float, own_variance: float) -> float:
    """Return how far the mean load lies from the baseline's, squared, in standard deviations of the modelled loads."""
    if not (math.isfinite(baseline.r2) and math.isfinite(baseline.mean)) or not 0.01 < baseline.r2 < 1.0:
        return 0.0
    spread = own_variance * baseline.r2 / (1.0 - baseline.r2)
    return float(min((level - baseline.mean) ** 2 / spread, _MOST_DISTANCE**2)) if spread > 0.0 else 0.0


def _ashrae(baseline: Baseline, own: Floats, level: float, known_days: float, confidence: float) -> float:
    rho = max(0.0, lag_one(baseline.residual))
    room = effective_size(own.size, rho)
    if known_days < 1.0 or not math.isfinite(level) or level == 0.0:
        return 0.0
    fraction = fractional_uncertainty(
        1.0,
        cv_rmse=math.sqrt(float(np.mean(own**2))) / abs(level),
        n=own.size,
        m=max(1, round(known_days)),
        parameters=min(baseline.parameters, room / 2.0),
        autocorrelation=rho,
        confidence=confidence,
    )
    return fraction * abs(level) * known_days
