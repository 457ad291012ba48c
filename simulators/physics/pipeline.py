"""Gas pipelines: what pipes, valves and terminals let pass, what escapes through a hole, and what gathers in a room."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ATMOSPHERE_KPA: Final = 101.325
AIR_OXYGEN_PERCENT: Final = 20.9
GAS_CONSTANT: Final = {"air": 287.05, "oxygen": 259.84}  # [J/(kg·K)]
NORMAL_DENSITY: Final = {"air": 1.2929, "oxygen": 1.4290}  # at 0 °C and 101.325 kPa [kg/m³]
_RATIO_OF_HEATS: Final = 1.4  # both are diatomic


def resistance(opening: Array) -> Array:
    """
    Return the resistance of a pipe with its valve, over that with the valve open. [-]

    Half of the open drop is the pipe's and half the valve's, whose own drop grows with 1 / opening² at equal flow;
    `opening` from 1, open, to 0.
    """
    return 0.5 + 0.5 / np.maximum(opening, 1e-3) ** 2


def valve_opening(closing: Array) -> Array:
    """Return the opening of an equal-percentage valve that is turned shut: 1 at 0, 0.027 at 1. [-]"""
    return np.exp(-3.6 * closing)


def behind(source_kpa: Array, drop_kpa: Array, enough_kpa: float) -> tuple[Array, Array]:
    """
    Return the pressure behind a resistance [kPa] and the share of the wanted flow that passes [-].

    Parameters
    ----------
    source_kpa : (n,) pressure before the resistance, or vacuum behind it, 0 or more [kPa gauge]
    drop_kpa : (n,) drop that the wanted flow would make [kPa]; it goes with the square of the flow (turbulent)
    enough_kpa : from here on flowmeters and ventilators hold what was set; below it they are plain orifices, whose flow
        goes with the square root of the pressure [kPa]

    Both branches together have the closed solution used here, which is continuous where they meet. Terminals are not
    choked in truth below about 90 kPa; there the flow is overstated.
    """
    free = source_kpa - drop_kpa
    throttled = np.maximum(source_kpa, 0.0) / (1.0 + drop_kpa / enough_kpa)
    pressure = np.where(free >= enough_kpa, free, throttled)
    return pressure, np.where(free >= enough_kpa, 1.0, np.sqrt(throttled / enough_kpa))


def leak_flow(hole_mm: Array, upstream_kpa: Array, gas: str = "oxygen", discharge: float = 0.70) -> Array:
    """
    Return what escapes through a hole at sonic speed. [Nm³/h]

    Parameters
    ----------
    hole_mm : diameter [mm]
    upstream_kpa : pressure before the hole [kPa absolute]; at least 1.9 times that behind it, else the flow is not
        choked and overstated here
    gas : air or oxygen, at 20 °C
    discharge : 0.61 to 0.65 for a sharp edge, 0.97 for a rounded one; 0.70 for the worn seat of a coupling [-]

    Source: isentropic flow of an ideal gas, critical mass flow (any text on gas dynamics; ISO 9300 for nozzles).
    """
    k = _RATIO_OF_HEATS
    critical = np.sqrt(k) * (2.0 / (k + 1.0)) ** ((k + 1.0) / (2.0 * (k - 1.0)))
    area_m2 = np.pi / 4.0 * hole_mm**2 * 1e-6
    kg_s = discharge * area_m2 * upstream_kpa * 1000.0 * critical / np.sqrt(GAS_CONSTANT[gas] * 293.15)
    flow: Array = kg_s * 3600.0 / NORMAL_DENSITY[gas]
    return flow


def room_oxygen(leak_nm3h: Array, fresh_air_m3h: float) -> Array:
    """Return the oxygen in a well-mixed room into which pure oxygen leaks, once it has settled. [% V/V]"""
    return AIR_OXYGEN_PERCENT + (100.0 - AIR_OXYGEN_PERCENT) * leak_nm3h / (leak_nm3h + fresh_air_m3h)
