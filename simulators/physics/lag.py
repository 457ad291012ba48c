"""First-order lag: how a mass follows the temperature (or anything else) that drives it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter


def first_order(
    target: NDArray[np.float64], dt_s: NDArray[np.float64], tau_s: float, start: float
) -> NDArray[np.float64]:
    """
    Follow a target with one time constant: `tau * dy/dt = target - y`, solved exactly for a target held over each step.

    Parameters
    ----------
    target : (n,) float, in any unit
    dt_s : (n,) float, length of the step that ends at each sample; 0 or more [s]
    tau_s : time constant, above 0 [s]
    start : value before the first step, in the target's unit

    Returns
    -------
    (n,) float in the target's unit; a step much longer than `tau_s` ends at the target.
    """
    followed = np.empty_like(target)
    if target.shape[0] > 2 and np.ptp(dt_s[1:]) == 0.0:
        # Only the first step may be of another length, as it is where a stretch begins.
        followed[0] = float(target[0]) + (start - float(target[0])) * math.exp(-float(dt_s[0]) / tau_s)
        keep = math.exp(-float(dt_s[1]) / tau_s)
        followed[1:] = lfilter([1.0 - keep], [1.0, -keep], target[1:], zi=[keep * followed[0]])[0]
        return followed
    y = start
    for i, (goal, dt) in enumerate(zip(target.tolist(), dt_s.tolist(), strict=True)):
        y = goal + (y - goal) * math.exp(-dt / tau_s)
        followed[i] = y
    return followed
