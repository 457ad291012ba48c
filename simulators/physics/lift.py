"""Traction lift: what its motor draws and gives back, over a trip and on the mean."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FRICTION: Final = 0.15  # of the rated power: guides, gear, ropes
GIVEN_BACK: Final = 0.65  # of the braking power that reaches the mains


def motor_power(imbalance: Array, rated_kw: float, given_back: float = GIVEN_BACK) -> Array:
    """
    Return the power of a moving lift; below zero it feeds the mains. [kW]

    Parameters
    ----------
    imbalance : what the motor lifts over what it is rated for, -1 to 1: the car's load less the counterweight, upwards
        positive; an empty car going up is pulled by its counterweight
    given_back : 0 for a drive with braking resistor

    Acceleration is left out: what it takes at the start comes back at the stop, but for losses that friction covers.
    """
    shaft = rated_kw * (FRICTION + (1.0 - FRICTION) * imbalance)
    return np.where(shaft > 0.0, shaft, shaft * given_back)


def mean_trip_power(rated_kw: float, heaviest: float, given_back: float = GIVEN_BACK) -> float:
    """Return the mean power on the way, over trips whose imbalance is spread evenly from -heaviest to heaviest. [kW]"""
    spread = np.linspace(-heaviest, heaviest, 201)
    return float(motor_power(spread, rated_kw, given_back).mean())
