"""Coils of air handling units: what cold and hot water do to moist air, and how far a valve must open for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulators.physics.air import enthalpy, saturation_ratio

Array = NDArray[np.float64]

_WET: Final = 0.95  # air leaves a wet coil nearly saturated
_CURVATURE: Final = 0.6
_RANGEABILITY: Final = 30.0


@dataclass(frozen=True, slots=True)
class Cooled:
    """Air behind a cooling coil with bypass: temperature [°C], humidity ratio [kg/kg], and the heat taken [kW]."""

    temperature_c: Array
    ratio: Array
    load_kw: Array


def cool(air_kg_s: Array, temperature_c: Array, ratio: Array, wanted_c: Array, coldest_c: Array) -> Cooled:
    """
    Cool air to a temperature: the part that goes through the coil leaves it at `coldest_c`, the rest goes past it.

    Parameters
    ----------
    air_kg_s : dry air [kg/s]
    temperature_c, ratio : before the coil [°C], [kg/kg]
    wanted_c : after the coil, mixed [°C]; warmer than before: the coil is shut
    coldest_c : at which the part through the coil leaves it; no warmer than `wanted_c` [°C]

    Source: bypass-factor method (Carrier), the part through the coil leaving at 95 % relative humidity if it was wetter
    than that. The condensate's own heat, below 1 % of the load, is left out.
    """
    through_c = np.minimum(coldest_c, temperature_c)
    part = np.clip((temperature_c - wanted_c) / np.maximum(temperature_c - through_c, 1e-6), 0.0, 1.0)
    through_ratio = np.minimum(ratio, _WET * saturation_ratio(through_c))
    after_c = temperature_c + part * (through_c - temperature_c)
    after_ratio = ratio + part * (through_ratio - ratio)
    load = air_kg_s * (enthalpy(temperature_c, ratio) - enthalpy(after_c, after_ratio))
    return Cooled(after_c, after_ratio, np.maximum(load, 0.0))


def water_share(load_share: Array) -> Array:
    """
    Return the water that a coil needs for a share of its rated load, as a share of its rated water. [-]

    The usual bent characteristic `load = 1.6 * flow / (flow + 0.6)`: half the load takes 27 % of the water.
    """
    load = np.clip(load_share, 0.0, 1.0)
    share: Array = _CURVATURE * load / (1.0 + _CURVATURE - load)
    return share


def load_share(water: Array) -> Array:
    """Return the share of its rated load that a coil gives with a share of its rated water: the inverse. [-]"""
    share: Array = (1.0 + _CURVATURE) * water / (water + _CURVATURE)
    return share


def valve_opening(water: Array) -> Array:
    """
    Return how far an equal-percentage valve is open that lets a share of the rated water pass. [%]

    Source: inherent characteristic `R^(x - 1)` of IEC 60534-2-4 with rangeability R = 30; shut below 1/30.
    """
    floor = 1.0 / _RANGEABILITY
    lift = 1.0 + np.log(np.maximum(water, floor)) / np.log(_RANGEABILITY)
    # Below the rangeability it opens in a line from its seat.
    opening: Array = 100.0 * np.where(water > floor, 0.06 + 0.94 * lift, 0.06 * water / floor)
    return opening
