"""Water-cooled chillers: lift between the water circuits, part load, and what the heat exchangers add to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

KWH_M3_K: Final = 1.163  # heat of a cubic metre of water
_KELVIN: Final = 273.15
# Rated conditions of GB/T 18430.1: chilled water 12 to 7 °C, condenser water 30 to 35 °C.
_CHILLED_C: Final = 7.0
_CONDENSER_C: Final = 35.0
RATED_RANGE_K: Final = 5.0
# Power over load at constant saturation temperatures, and the part of it that follows the square of the ideal lift.
_PART_LOAD: Final = (0.31, 0.11, 0.58)
_LIFTED: Final = 0.33


@dataclass(frozen=True, slots=True)
class Chiller:
    """
    A chiller as its nameplate has it, at the conditions of GB/T 18430.1.

    Attributes
    ----------
    cooling_kw, power_kw : rated [kW]
    evaporator_k, condenser_k : approaches at rated load, clean [K]
    """

    cooling_kw: float
    power_kw: float
    evaporator_k: float = 1.3
    condenser_k: float = 1.2

    @property
    def chilled_m3h(self) -> float:
        """Return the rated flow of chilled water. [m³/h]"""
        return self.cooling_kw / (KWH_M3_K * RATED_RANGE_K)

    @property
    def condenser_m3h(self) -> float:
        """Return the rated flow of condenser water. [m³/h]"""
        return (self.cooling_kw + self.power_kw) / (KWH_M3_K * RATED_RANGE_K)


@dataclass(frozen=True, slots=True)
class Condition:
    """
    What wear and dirt have done to a chiller; the defaults are those of a sound one.

    Attributes
    ----------
    evaporator, condenser : heat transfer left [-]
    gas_k : condensing pressure above that of pure refrigerant, as saturation temperature [K]
    losses : power over that of a sound compressor [-]
    capacity : cooling left [-]
    """

    evaporator: Array | float = 1.0
    condenser: Array | float = 1.0
    gas_k: Array | float = 0.0
    losses: Array | float = 1.0
    capacity: Array | float = 1.0


@dataclass(frozen=True, slots=True)
class Running:
    """A chiller at work: temperatures [°C] of saturation, power [kW], and the most that it could cool now [kW]."""

    evaporating_c: Array
    condensing_c: Array
    power_kw: Array
    most_kw: Array


SOUND: Final = Condition()


def approach(range_k: Array, flow_m3h: Array, transfer_kw_k: Array | float) -> Array:
    """
    Return the distance between the leaving water and the refrigerant that boils or condenses at one temperature. [K]

    `range_k` : change of the water's temperature [K]; `transfer_kw_k` : UA of the tubes [kW/K]

    Source: effectiveness of a heat exchanger with one fluid at constant temperature, `1 - exp(-NTU)`.
    """
    units = transfer_kw_k / np.maximum(KWH_M3_K * flow_m3h, 1e-6)
    distance: Array = range_k / np.expm1(np.minimum(units, 50.0))
    return distance


def _transfer(flow_m3h: float, approach_k: float) -> float:
    """Return the UA that gives an approach at the rated flow and range. [kW/K]"""
    return float(KWH_M3_K * flow_m3h * np.log1p(RATED_RANGE_K / approach_k))


def power(chiller: Chiller, load_kw: Array, evaporating_c: Array, condensing_c: Array) -> Array:
    """
    Return the power that a compressor takes between two saturation temperatures. [kW]

    `power = rated * (0.31 + 0.11 x + 0.58 x²) * (0.67 + 0.33 y²)`, `x` the load over the rated load and `y` the lift
    over the rated lift, lift being the inverse of Carnot's coefficient. Load and lift stand apart as in the Carnot
    chiller of the Modelica Buildings library (M. Wetter et al., J. Building Performance Simulation 7 (2014) 253). The
    numbers are ours: at constant water temperatures they follow the DOE-2 curves of a centrifugal chiller within 9 %
    with condenser water from 18 to 32 °C and chilled water from 6 to 10 °C. From 20 to 110 % load, 10 to 45 K of lift.
    """
    share = load_kw / chiller.cooling_kw
    rated = _lift(_CHILLED_C - chiller.evaporator_k, _CONDENSER_C + chiller.condenser_k)
    lift = np.maximum(_lift(evaporating_c, condensing_c), 0.0) / rated
    a, b, c = _PART_LOAD
    taken: Array = chiller.power_kw * (a + b * share + c * share**2) * (1.0 - _LIFTED + _LIFTED * lift**2)
    return taken


def _lift(evaporating_c: Array | float, condensing_c: Array | float) -> Array:
    return np.asarray((condensing_c - evaporating_c) / (evaporating_c + _KELVIN))


def most_cooling(chiller: Chiller, evaporating_c: Array, condensing_c: Array) -> Array:
    """
    Return the most that a chiller can cool: 2.5 % more for each kelvin of evaporation, 0.6 % less of condensation. [kW]

    Slopes of the DOE-2 capacity curve for centrifugal chillers about its rated point; held between 50 and 115 %.
    """
    warmer = evaporating_c - (_CHILLED_C - chiller.evaporator_k)
    hotter = condensing_c - (_CONDENSER_C + chiller.condenser_k)
    return chiller.cooling_kw * np.clip(1.0 + 0.025 * warmer - 0.006 * hotter, 0.5, 1.15)


def run(
    chiller: Chiller,
    load_kw: Array,
    supply_c: Array,
    chilled_m3h: Array,
    condenser_in_c: Array,
    condenser_m3h: Array,
    condition: Condition = SOUND,
) -> Running:
    """
    Work out a chiller that cools water to a temperature.

    The heat that the condenser gives off is the load and the power, and decides in turn the condensing temperature;
    three rounds bring it within 0.01 K.
    """
    evaporator = _transfer(chiller.chilled_m3h, chiller.evaporator_k) * condition.evaporator
    condenser = _transfer(chiller.condenser_m3h, chiller.condenser_k) * condition.condenser
    chilled_k = load_kw / np.maximum(KWH_M3_K * chilled_m3h, 1e-6)
    evaporating = supply_c - approach(chilled_k, chilled_m3h, evaporator)
    taken = 0.2 * load_kw
    for _ in range(3):
        heated_k = (load_kw + taken) / np.maximum(KWH_M3_K * condenser_m3h, 1e-6)
        leaving = condenser_in_c + heated_k
        condensing = leaving + approach(heated_k, condenser_m3h, condenser) + condition.gas_k
        taken = power(chiller, load_kw, evaporating, condensing) * condition.losses
    return Running(evaporating, condensing, taken, most_cooling(chiller, evaporating, condensing) * condition.capacity)
