"""How well a model fits, and how sure a saving is, by the formulas of ASHRAE Guideline 14.

With n points, p parameters, measured y and modelled ŷ:

    RMSE = √(Σ(y − ŷ)² / (n − p)),  CV(RMSE) = RMSE / ȳ,  NMBE = Σ(y − ŷ) / ((n − p) ȳ)

and, for a saved fraction F of m points whose residuals follow one another with the lag-1 autocorrelation ρ:

    n' = n (1 − ρ) / (1 + ρ),  ΔE/E = k t CV √((n/n') (1 + 2/n') / m) / F

Sources: ASHRAE Guideline 14-2014, section 4.2.11 and annex B; T. A. Reddy, D. E. Claridge, HVAC&R Research 6 (2000) 3
(the formula and k = 1.26); Y. Sun, J.-C. Baltazar, ASHRAE Transactions 119 (2013) (k by months of reporting).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytics.energy.distributions import student_quantile

Floats = NDArray[np.float64]

REDDY_CLARIDGE_FACTOR: Final = 1.26
# k = a M² + b M + c, M being the months of the reporting period.
_SUN_BALTAZAR: Final = {"daily": (-0.00024, 0.03535, 1.00286), "monthly": (-0.00022, 0.03306, 0.94054)}


@dataclass(frozen=True, slots=True)
class FitStatistics:
    """
    How well a model fits what was measured; NaN where it cannot be said.

    Attributes
    ----------
    n : points that both have
    p : parameters of the model (may be effective ones)
    rmse : in the unit of the energy
    cv_rmse, nmbe : fractions of the mean; nmbe is above 0 where the model is too low
    r2 : share of the variance that the model explains
    autocorrelation : of the residuals, from one point to the next
    effective_n : number of independent points that tell as much as these
    """

    n: int
    p: float
    rmse: float
    cv_rmse: float
    nmbe: float
    r2: float
    autocorrelation: float
    effective_n: float


def fit_statistics(actual: ArrayLike, expected: ArrayLike, parameters: float) -> FitStatistics:
    """
    Compare what was measured with what a model says.

    Parameters
    ----------
    actual, expected : (n,) float
        In the order of time, at equal steps; points where one of both is NaN do not count. [any unit of energy]
    parameters : float
        How many parameters were fitted to these points; 0 for a comparison out of sample. [-]

    Raises
    ------
    ValueError
        If the shapes differ, or `parameters` is below 0.
    """
    y, model = np.asarray(actual, dtype=float), np.asarray(expected, dtype=float)
    if y.ndim != 1 or y.shape != model.shape:
        raise ValueError(f"actual has shape {y.shape}, expected {model.shape}; both must be (n,)")
    if not parameters >= 0:
        raise ValueError(f"parameters is {parameters}; give how many were fitted, 0 if none")
    residual = y - model
    known = np.isfinite(residual)
    n, freedom = int(known.sum()), float(known.sum()) - parameters
    mean = float(y[known].mean()) if n else math.nan
    squares = float(np.sum(residual[known] ** 2))
    rmse = math.sqrt(squares / freedom) if freedom > 0 else math.nan
    spread = float(np.sum((y[known] - mean) ** 2)) if n else 0.0
    rho = lag_one(residual)
    return FitStatistics(
        n=n,
        p=float(parameters),
        rmse=rmse,
        cv_rmse=rmse / mean if mean else math.nan,
        nmbe=float(residual[known].sum()) / (freedom * mean) if freedom > 0 and mean else math.nan,
        r2=1.0 - squares / spread if spread > 0 else math.nan,
        autocorrelation=rho,
        effective_n=effective_size(n, rho),
    )


def lag_one(residual: ArrayLike) -> float:
    """Return the correlation of (n,) residuals with the next one, over the pairs that are known; 0 if too few are."""
    values = np.asarray(residual, dtype=float)
    known = np.isfinite(values)
    pairs = known[:-1] & known[1:]
    if int(pairs.sum()) < 3:
        return 0.0
    centred = values - values[known].mean()
    power = float(np.mean(centred[known] ** 2))
    # One power for both ends: the ratio stays within -1 and 1 but for the few points at the ends.
    return float(np.clip(np.mean(centred[:-1][pairs] * centred[1:][pairs]) / power, -1.0, 1.0)) if power > 0 else 0.0


def effective_size(n: float, autocorrelation: float) -> float:
    """Return how many independent points tell as much as `n` whose neighbours correlate (not below 1)."""
    rho = min(max(autocorrelation, -0.99), 0.99)
    return max(1.0, n * (1.0 - rho) / (1.0 + rho)) if n > 0 else 0.0


def t_value(confidence: float, freedom: float) -> float:
    """Return the two-sided t of Student for a confidence such as 0.9; `freedom` below 1 counts as 1."""
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence is {confidence}; give a fraction between 0 and 1, such as 0.9")
    return student_quantile(0.5 + confidence / 2.0, max(freedom, 1.0))


def fractional_uncertainty(
    saved_fraction: float,
    *,
    cv_rmse: float,
    n: int,
    m: int,
    parameters: float,
    autocorrelation: float = 0.0,
    confidence: float = 0.9,
    factor: Literal["reddy-claridge", "sun-baltazar-daily", "sun-baltazar-monthly"] = "reddy-claridge",
    months: float = 12.0,
) -> float:
    """
    Return the half-width of a saving's interval, as a fraction of the saving.

    Parameters
    ----------
    saved_fraction : saving over what would have been used [-]
    cv_rmse : of the baseline model [-]
    n, m : points of the baseline and of the reporting period
    parameters : of the baseline model
    autocorrelation : lag 1, of the baseline's residuals; below 0 it counts as 0, as no data tell more than their number
    confidence : of the interval
    factor : k, which stands for the model's own uncertainty
    months : of the reporting period, where the factor depends on it

    The formula knows no error that lasts, such as a model that is wrong in every April; `analytics.energy.savings`
    judges that from the residuals.

    Raises
    ------
    ValueError
        If a count is below 1, or no freedom is left, or the saved fraction is 0 or not known.
    """
    if n < 1 or m < 1 or n - parameters <= 0:
        raise ValueError(f"n = {n}, m = {m}, p = {parameters}; give points of both periods, and more than parameters")
    if not math.isfinite(saved_fraction) or saved_fraction == 0.0:
        raise ValueError(f"saved_fraction is {saved_fraction}; give one other than 0, of which a fraction can be named")
    effective = effective_size(n, max(autocorrelation, 0.0))
    k = REDDY_CLARIDGE_FACTOR
    if factor != "reddy-claridge":
        a, b, c = _SUN_BALTAZAR[factor.removeprefix("sun-baltazar-")]
        k = (a * months + b) * months + c
    spread = (n / effective) * (1.0 + 2.0 / effective) / m
    return k * t_value(confidence, effective - parameters) * cv_rmse * math.sqrt(spread) / abs(saved_fraction)
