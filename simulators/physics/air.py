"""Moist air: its heat, what it holds when saturated, and what rooms leak through their gaps."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulators.physics.room import humidity_ratio

Array = NDArray[np.float64]

DENSITY: Final = 1.2  # of room air [kg/m³]
CP_AIR: Final = 1.006  # [kJ/(kg·K)]
CP_VAPOUR: Final = 1.86
EVAPORATION: Final = 2501.0  # heat of evaporation at 0 °C [kJ/kg]
_LEAK_EXPONENT: Final = 0.65
_TABLE_C: Final = np.linspace(-20.0, 75.0, 951)


def mass_flow(flow_m3h: Array | float) -> Array:
    """Return dry air in a volume flow of room air. [kg/s]"""
    return np.asarray(flow_m3h) * (DENSITY / 3600.0)


def enthalpy(temperature_c: Array, ratio: Array) -> Array:
    """
    Return the heat of moist air above dry air and liquid water at 0 °C, for a kilogram of dry air. [kJ/kg]

    Source: ideal-gas mixture with constant heats, as in ASHRAE Handbook Fundamentals, chapter Psychrometrics; within
    0.2 % from -20 to 60 °C.
    """
    heat: Array = CP_AIR * temperature_c + ratio * (EVAPORATION + CP_VAPOUR * temperature_c)
    return heat


def saturation_ratio(temperature_c: Array) -> Array:
    """Return the water vapour that saturated air holds, for a kilogram of dry air. [kg/kg]"""
    return humidity_ratio(temperature_c, 100.0)


def saturation_enthalpy(temperature_c: Array) -> Array:
    """Return the heat of saturated air. [kJ/kg]"""
    return enthalpy(temperature_c, saturation_ratio(temperature_c))


_TABLE_KJ_KG: Final = saturation_enthalpy(_TABLE_C)


def saturated_at(enthalpy_kj_kg: Array) -> Array:
    """Return the temperature at which saturated air has a heat: its wet bulb too, nearly. From -20 to 75 °C. [°C]"""
    found: Array = np.interp(enthalpy_kj_kg, _TABLE_KJ_KG, _TABLE_C)
    return found


def leak_pressure(surplus_m3h: Array, leak_m3h_at_10_pa: float) -> Array:
    """
    Return the pressure that a surplus of supply over extract air builds up; negative where air is lacking. [Pa]

    Source: the power law `flow = C * pressure^0.65` of gaps around doors and ceilings, as in ISO 9972; from 1 to 75 Pa.
    """
    share = np.abs(surplus_m3h) / leak_m3h_at_10_pa
    pressure: Array = np.sign(surplus_m3h) * 10.0 * share ** (1.0 / _LEAK_EXPONENT)
    return pressure


def leak_flow(pressure_pa: Array, leak_m3h_at_10_pa: float) -> Array:
    """Return the air that leaves a room through its gaps under a pressure: the inverse of `leak_pressure`. [m³/h]"""
    flow: Array = np.sign(pressure_pa) * leak_m3h_at_10_pa * (np.abs(pressure_pa) / 10.0) ** _LEAK_EXPONENT
    return flow
