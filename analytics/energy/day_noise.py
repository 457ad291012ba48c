"""How much daily residuals scatter, and how long their errors last."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize

from analytics.energy.distributions import chi_square_quantile
from analytics.energy.statistics import lag_one

Floats = NDArray[np.float64]

FORTNIGHT: Final = 15
"""Days about whose median a day's scatter is seen."""

_SEASON: Final = 61  # days over which noise is taken to be alike: it goes with the season, as the load does
_LEAST_NOISE: Final = 0.2  # of the year's noise: a season is not calmer than that for sure
_MEMORY_BLOCKS: Final = (7, 14, 30)


def memory_of(residual: Floats) -> float:
    """
    Return how much more a long sum of (n,) daily residuals varies than one of independent days: 1 or more.

    The larger of what the lag-1 autocorrelation implies and what sums over blocks of days show beyond chance.
    """
    known = np.isfinite(residual)
    if int(known.sum()) < 20:
        return 1.0
    rho = min(max(lag_one(residual), 0.0), 0.95)
    memory = (1.0 + rho) / (1.0 - rho)
    values = np.where(known, residual - residual[known].mean(), 0.0)
    variance = float(np.mean(values[known] ** 2))
    for block in _MEMORY_BLOCKS:
        whole = values.size // block
        if whole < 5 or variance <= 0.0:
            continue
        sums = values[: whole * block].reshape(whole, block).sum(axis=1)
        counts = int(known[: whole * block].sum())
        ratio = float(np.sum(sums**2)) / (variance * max(counts, 1))
        # A handful of blocks varies by itself: only what nine of ten such handfuls would not reach is memory.
        memory = max(memory, ratio / (chi_square_quantile(0.9, whole - 1) / whole))
    return memory


def noise_of_days(residual: Floats, level: Floats | None = None) -> Floats:
    """
    Return the noise of each day, (n,) above 0, by how (n,) daily residuals scatter about their own fortnight.

    The larger of what the season shows and, where the load's `level` (n,) is given, of what goes with it.
    """
    known = np.isfinite(residual)
    values = residual[known]
    if not values.size:
        return np.ones(residual.size)
    scatter = values - ndimage.median_filter(values, size=min(FORTNIGHT, values.size), mode="nearest")
    usual = float(np.mean(scatter**2))
    if usual <= 0.0:
        # Days without any noise: a tenth of what they hold is taken for it.
        return np.full(residual.size, 0.1 * float(np.std(values)) or 1.0)
    squares = np.zeros(residual.size)
    squares[known] = scatter**2
    window = min(_SEASON, residual.size)
    counts = ndimage.uniform_filter1d(known.astype(float), window, mode="reflect")
    variance = ndimage.uniform_filter1d(squares, window, mode="reflect") / np.maximum(counts, 1.0 / window)
    if level is not None:
        terms = np.column_stack([np.ones(level.size), level**2])
        share, _ = optimize.nnls(terms[known], squares[known])
        variance = np.maximum(variance, terms @ share)
    return np.asarray(np.sqrt(np.maximum(variance, _LEAST_NOISE**2 * usual)))
