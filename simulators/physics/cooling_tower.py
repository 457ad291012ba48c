"""Open cooling towers: heat and mass transfer by enthalpy, and the water that is lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulators.physics.air import enthalpy, saturated_at, saturation_enthalpy, saturation_ratio

Array = NDArray[np.float64]

CP_WATER: Final = 4.186
# Rated conditions of GB/T 7190.1 for ordinary towers: wet bulb 28 °C, water 37 to 32 °C.
_WET_BULB_C: Final = 28.0
_HOT_C: Final = 37.0
_COLD_C: Final = 32.0
_AIR_PER_WATER: Final = 0.75  # kg/kg at rated flow and full speed
_NTU_EXPONENT: Final = 0.4
DRIFT: Final = 0.0001  # of the flow, as droplets; GB/T 7190.1 allows 0.010 % for towers with eliminators


def _rated_units() -> float:
    heat = CP_WATER * (_HOT_C - _COLD_C)
    hot, cold, inlet = (float(saturation_enthalpy(np.array(t))) for t in (_HOT_C, _COLD_C, _WET_BULB_C))
    effectiveness = heat / (_AIR_PER_WATER * (hot - inlet))
    capacity = _AIR_PER_WATER * (hot - cold) / (_HOT_C - _COLD_C) / CP_WATER
    return float(np.log((1.0 - effectiveness * capacity) / (1.0 - effectiveness)) / (1.0 - capacity))


_RATED_UNITS: Final = _rated_units()


def saturation_slope(hot_c: Array, cold_c: Array) -> Array:
    """Return how the heat of saturated air rises with temperature, between those of the water. [kJ/(kg·K)]"""
    middle = (hot_c + cold_c) / 2.0
    return saturation_enthalpy(middle + 0.5) - saturation_enthalpy(middle - 0.5)


def transfer(air_per_water: Array, slope: Array, fill: Array | float = 1.0) -> Array:
    """
    Return how much heat a tower moves for each kilogram of water, over the driving difference of enthalpy. [-]

    It is `effectiveness * air / water`, the effectiveness that of counterflow with the capacity ratio
    `air * slope / (water * cp)`, and NTU falling with `(air / water)^0.4`.

    Source: J. E. Braun, S. A. Klein, J. W. Mitchell, ASHRAE Transactions 95 (1989) part 2, 164; within a few percent of
    Merkel's integral. `fill` : what is left of the fill's transfer [-]; air over water from 0.05 to 4.
    """
    ratio = np.maximum(air_per_water, 0.02)
    capacity = ratio * slope / CP_WATER
    # The formula has a hole where both streams carry the same heat.
    capacity = np.where(np.abs(capacity - 1.0) < 1e-4, 1.0 + 1e-4, capacity)
    units = _RATED_UNITS * fill * (_AIR_PER_WATER / ratio) ** _NTU_EXPONENT
    kept = np.exp(-units * (1.0 - capacity))
    moved: Array = ratio * (1.0 - kept) / (1.0 - capacity * kept)
    return moved


@dataclass(frozen=True, slots=True)
class Tower:
    """
    A tower as its nameplate has it.

    Attributes
    ----------
    flow_m3h : rated water [m³/h]
    fan_kw : rated power of the fan [kW]
    """

    flow_m3h: float
    fan_kw: float

    @property
    def air_kg_s(self) -> float:
        """Return the dry air at full speed. [kg/s]"""
        return _AIR_PER_WATER * self.flow_m3h / 3.6

    def fan_power(self, speed: Array) -> Array:
        """Return the fan's power: the cube of the speed, and 3 % for the drive. [kW]"""
        taken: Array = self.fan_kw * np.where(speed > 0.0, 0.03 + 0.97 * speed**3, 0.0)
        return taken


def hot_water(heat_kw: Array, moved: Array, water_kg_s: Array, wet_bulb_c: Array) -> Array:
    """
    Return the temperature at which water must come in to give off a heat. [°C]

    `moved` : sum over all towers of `transfer` times their share of the water [-]
    """
    inlet = saturation_enthalpy(wet_bulb_c)
    return saturated_at(inlet + heat_kw / np.maximum(moved * water_kg_s, 1e-6))


def evaporation(heat_kw: Array, air_kg_s: Array, outdoor_c: Array, outdoor_ratio: Array) -> Array:
    """
    Return the water that evaporates while air takes up a heat. [m³/h]

    The air leaves saturated, with the heat it came with and what it took up.
    """
    air = np.maximum(air_kg_s, 1e-6)
    leaving = saturated_at(enthalpy(outdoor_c, outdoor_ratio) + heat_kw / air)
    gained = air * np.maximum(saturation_ratio(leaving) - outdoor_ratio, 0.0)
    # Dry air that takes up little heat could evaporate more than the heat pays for; water gives that only by cooling.
    lost: Array = np.minimum(gained, heat_kw / 2400.0) * 3.6
    return lost


def bleed(evaporated_m3h: Array, drift_m3h: Array, cycles: Array | float) -> Array:
    """Return the water to be let off so that salts are `cycles` times as dense as in the make-up water. [m³/h]"""
    return np.maximum(evaporated_m3h / (cycles - 1.0) - drift_m3h, 0.0)
