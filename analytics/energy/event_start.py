"""On which day a load change began, among days that fit nearly as well by plain least squares.

Errors of a baseline last for days and weeks. Plain least squares lets them draw a step towards their own turns; seen
from one day to the next they are small, and the step is not.

Source: generalized least squares for errors with a memory, D. Cochrane, G. H. Orcutt, J. Am. Stat. Assoc. 44 (1949) 32.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.energy.statistics import lag_one

Floats = NDArray[np.float64]

# A model's slow errors are hidden from the residuals' own lag-1 autocorrelation by the noise of single days.
_LEAST_MEMORY: Final = 0.5
_MOST_MEMORY: Final = 0.9


def sharpest(templates: Floats, terms: Floats, held: Floats, target: Floats, remainder: Floats) -> int:
    """
    Return which of several templates explains the changes from day to day best.

    Parameters
    ----------
    templates : (c, n) what each candidate adds on each day, of days scaled to a noise of 1
    terms : (n, k) what else is fitted, scaled alike
    held : (h, k) rows that draw the terms towards what is usual
    target : (n,) the days
    remainder : (n,) what a plain fit leaves of them; NaN where not known
    """
    memory = min(max(lag_one(remainder), _LEAST_MEMORY), _MOST_MEMORY)
    rows = len(held)
    basis = np.linalg.qr(np.vstack([_changes(terms, memory), held]))[0]
    left = np.append(_changes(target, memory), np.zeros(rows))
    left = left - basis @ (basis.T @ left)
    tried = np.vstack([_changes(templates.T, memory), np.zeros((rows, len(templates)))])
    tried = tried - basis @ (basis.T @ tried)
    square = np.sum(tried**2, axis=0)
    told = square > 1e-12 * max(float(square.max(initial=0.0)), 1e-300)
    gain = np.divide((left @ tried) ** 2, square, out=np.zeros(square.size), where=told)
    return int(np.argmax(gain))


def _changes(values: Floats, memory: float) -> Floats:
    """Return what is new on each day, (n, ...), where errors last with the lag-1 `memory`; of the spread they had."""
    new = values.astype(float)
    new[1:] -= memory * values[:-1]
    new[1:] /= np.sqrt(1.0 - memory**2)
    return new
