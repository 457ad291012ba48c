"""Booster set: hydropneumatic vessel and the start-stop cycle that it allows at small flows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_ATMOSPHERE_MPA = 0.101325


def useful_volume(vessel_m3: float, precharge_mpa: float, on_mpa: float, off_mpa: float) -> float:
    """
    Return the water that a vessel gives between the pressures at which the pump stops and starts. [m³]

    Boyle's law at constant temperature, pressures gauge, gas volume `vessel * precharge / pressure` in absolute
    pressures. Zero where the pre-charge is above the stopping pressure (no water gets in).
    """
    charge = vessel_m3 * (precharge_mpa + _ATMOSPHERE_MPA)
    full = min(charge / (off_mpa + _ATMOSPHERE_MPA), vessel_m3)
    empty = min(charge / (on_mpa + _ATMOSPHERE_MPA), vessel_m3)
    return max(empty - full, 0.0)


def duty(flow_m3h: Array, pump_m3h: Array | float) -> Array:
    """Return the share of the time for which a pump runs that gives more than is drawn, and stops between. [-]"""
    share: Array = np.clip(flow_m3h / pump_m3h, 0.0, 1.0)
    return share


def starts_per_hour(flow_m3h: Array, pump_m3h: Array | float, useful_m3: Array | float) -> Array:
    """
    Return how often an hour a pump starts that fills a vessel from which a flow is drawn. [1/h]

    The vessel empties in `V / q` and fills in `V / (pump - q)`. It is most at half the pump's flow: `pump / (4 V)`,
    from which GB 50015-2019, 3.9.4, and the makers size the vessel.
    """
    share = duty(flow_m3h, pump_m3h)
    starts: Array = flow_m3h * (1.0 - share) / useful_m3
    return starts
