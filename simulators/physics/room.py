"""Heat and moisture of rooms: what must be brought to them and taken from them to keep them comfortable."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulators.physics.weather import saturation_pressure

Array = NDArray[np.float64]

AIR_KWH_M3_K: Final = 0.335e-3  # heat of a cubic metre of air at 20 °C [kWh/(m³·K)]
AIR_KG_M3: Final = 1.2
VAPOUR_KJ_KG: Final = 2500.0  # heat of evaporation at 0 °C
SENSIBLE_KW: Final = 0.070  # dry heat of a person at rest or in light work at 24 °C; ISO 7730 gives 60 to 75 W
LATENT_KW: Final = 0.050  # and what it breathes and sweats


def humidity_ratio(temperature_c: Array, humidity_percent: Array | float, pressure_kpa: float = 101.325) -> Array:
    """
    Return the water vapour in a kilogram of dry air. [kg/kg]

    Source: `0.622 * e / (p - e)` with the vapour's pressure by Magnus' formula, within 0.5 % from -40 to 50 °C.
    """
    vapour = saturation_pressure(temperature_c) * humidity_percent / 100.0
    ratio: Array = 0.62198 * vapour / (pressure_kpa - vapour)
    return ratio


def relative_humidity_of(ratio: Array, temperature_c: Array, pressure_kpa: float = 101.325) -> Array:
    """Return the relative humidity of air with a humidity ratio, at most 100: what is more condenses. [%]"""
    vapour = ratio * pressure_kpa / (0.62198 + ratio)
    return np.minimum(100.0 * vapour / saturation_pressure(temperature_c), 100.0)


def balance_temperature(room_c: float, gains_kw: float, loss_kw_k: float) -> float:
    """Return the outdoor temperature at which a room needs no heating, since its gains pay for its losses. [°C]"""
    return room_c - gains_kw / loss_kw_k


def surplus(gains_kw: Array, loss_kw_k: Array, outdoor_c: Array, room_c: Array | float) -> Array:
    """
    Return the heat that a room at a temperature has too much; below zero it lacks heat. [kW]

    The steady balance `gains - loss * (room - outdoor)`: masses are left to whoever smooths it over time.

    Parameters
    ----------
    gains_kw : people, devices and sun [kW]
    loss_kw_k : transmission and outdoor air together, for a kelvin between room and outdoors [kW/K]
    """
    balance: Array = gains_kw - loss_kw_k * (room_c - outdoor_c)
    return balance


def latent_load(outdoor_air_m3h: Array, outdoor_ratio: Array, room_ratio: float, people: Array) -> Array:
    """
    Return the heat that a cooling coil takes to condense what outdoor air and people bring in. [kW]

    Parameters
    ----------
    outdoor_air_m3h : [m³/h]
    outdoor_ratio, room_ratio : humidity ratios [kg/kg]; outdoor air drier than the room's takes nothing away here
    people : how many [-]
    """
    wet_kg_s = outdoor_air_m3h / 3600.0 * AIR_KG_M3 * np.maximum(outdoor_ratio - room_ratio, 0.0)
    return wet_kg_s * VAPOUR_KJ_KG + LATENT_KW * people
