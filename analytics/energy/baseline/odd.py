"""Days that are not like the others: meter trouble, which a baseline leaves out, and days off, which it learns from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from analytics.energy.baseline.rows import Bools, Floats

_FAR_BELOW: Final = 5.0
_FAR_ABOVE: Final = 10.0
_LARGE: Final = 0.25
_NEAR: Final = 2.5
_OFF: Final = 3.5
_LIKENESS: Final = 0.4
_MOST: Final = 0.08
_FEWEST_DAYS: Final = 15


@dataclass(frozen=True, slots=True)
class OddDays:
    """(D,) bool each: `trouble` are days far from all that is expected, `off` are workdays that look like rest days."""

    trouble: Bools
    off: Bools

    @property
    def any(self) -> bool:
        """True if a day is odd in either way."""
        return bool(self.trouble.any() or self.off.any())


def odd_days(energy: Floats, expected: Floats, expected_at_rest: Floats, rest: Bools) -> OddDays:
    """
    Find odd days.

    Parameters
    ----------
    energy : (D,) float, mean of the day's cells that count; NaN where too few do
    expected : (D,) float, of the same cells
    expected_at_rest : (D,) float, of the same cells were the day a rest day
    rest : (D,) bool, days that are rest days already

    The distance is counted in robust spreads of the residual, which may grow with the load: meters with much noise at
    high load would lose their hottest days otherwise. Where more than a twelfth of the days look odd, the model is at
    fault and not the meter, so that the bar is raised.
    """
    known = np.isfinite(energy) & np.isfinite(expected)
    nothing = np.zeros(energy.size, dtype=bool)
    if known.sum() < _FEWEST_DAYS:
        return OddDays(nothing, nothing)
    residual = np.abs(energy - expected)
    scale = _spread(residual, expected, known)
    with np.errstate(invalid="ignore", divide="ignore"):
        distance = np.where(known, residual / scale, 0.0)
        at_rest = np.abs(energy - expected_at_rest)
        off = known & ~rest & (distance > _OFF) & (at_rest < _LIKENESS * residual)
    # Loads are skewed: a day may use several times the usual by itself, but not a fifth of it.
    far = np.where(energy > expected, _FAR_ABOVE, _FAR_BELOW)
    far = np.maximum(far, float(np.quantile(distance[known], 1.0 - _MOST)))
    large = residual > _LARGE * np.maximum(np.abs(expected), float(np.abs(energy[known]).mean()))
    trouble = known & (distance > far) & large & ~off
    sign = np.sign(energy - expected)
    trouble = _grow(trouble, known & (distance > _NEAR), sign)
    return OddDays(trouble, off & ~trouble)


def _grow(seeds: Bools, suspicious: Bools, sign: Floats) -> Bools:
    """Trouble seldom ends at midnight: suspicious days next to it, off to the same side, belong to it."""
    result = seeds.copy()
    for step in (1, -1):
        places = range(1, seeds.size) if step == 1 else range(seeds.size - 2, -1, -1)
        for i in places if seeds.any() else ():
            if suspicious[i] and result[i - step] and sign[i] == sign[i - step]:
                result[i] = True
    return result


def _spread(residual: Floats, expected: Floats, known: Bools) -> Floats:
    """Return the robust spread of each day's residual, as a power of what is expected."""
    level = np.abs(expected)
    floor = 0.05 * float(np.median(level[known]))
    level = np.maximum(level, floor) if floor > 0 else np.ones_like(level)
    size = residual[known]
    least = 1e-3 * float(np.median(size)) + 1e-12 * float(level[known].max())
    logs = np.log(level[known])
    growth = 0.0
    if np.ptp(logs) > 0.2:
        growth = float(np.clip(np.polyfit(logs, np.log(size + least), 1)[0], 0.0, 1.5))
    shape = level**growth
    middle = 1.4826 * float(np.median(size / shape[known]))
    # A model that fits all but a few days exactly has no spread; a thousandth of the load is still no trouble.
    smallest = 1e-3 * float(np.median((level / shape)[known]))
    return np.asarray(shape * max(middle, smallest))
