"""Medical vacuum: what a pump moves at a pressure, and what it takes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulators.physics.pipeline import ATMOSPHERE_KPA

Array = NDArray[np.float64]


def throughput(speed_m3h: float, vacuum_kpa: Array) -> Array:
    """
    Return the free air that a pump moves, at 0 °C and 101.3 kPa. [Nm³/h]

    An oil-sealed rotary-vane pump takes in nearly the same volume at any pressure down to some 0.5 kPa absolute, so the
    air moved goes with the absolute pressure. `vacuum_kpa` is what is below the atmosphere, 0 to 95 [kPa]; the air
    is at 20 °C.
    """
    return speed_m3h * (ATMOSPHERE_KPA - vacuum_kpa) / ATMOSPHERE_KPA * 273.15 / 293.15


def pump_power(speed_m3h: float, vacuum_kpa: Array, efficiency: float = 0.45) -> Array:
    """
    Return the electricity of a running pump. [kW]

    Isentropic compression of what it takes in up to the atmosphere, over the efficiency of pump and motor together
    (0.35 to 0.5 for rotary vanes). It has its highest near 70 kPa of vacuum and is nearly flat around it.
    """
    inlet = np.maximum(ATMOSPHERE_KPA - vacuum_kpa, 1.0)
    return 3.5 * inlet * ((ATMOSPHERE_KPA / inlet) ** (1.0 / 3.5) - 1.0) * speed_m3h / 3600.0 / efficiency


def settled_vacuum(speed_m3h: float, flow_nm3h: Array) -> Array:
    """Return the vacuum at which pumps of a speed just move a flow: the inverse of `throughput`; not below 0. [kPa]"""
    return np.maximum(ATMOSPHERE_KPA * (1.0 - flow_nm3h / speed_m3h * 293.15 / 273.15), 0.0)
