"""Combustion of natural gas: air, flue gas, and what leaves by the stack, from the composition of the gas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulators.physics.steam import ATMOSPHERE_MPA, saturation_temperature

Array = NDArray[np.float64]

AIR_OXYGEN: Final = 0.2095  # share of oxygen in dry air
_MOLAR_VOLUME: Final = 22.414  # ideal gas at 0 °C and 101.325 kPa [m³/kmol]
_CO_HEAT_KJ: Final = 12_630.0  # lower heating value of carbon monoxide [kJ/Nm³]
# Hydrocarbons: atoms of carbon and hydrogen, and lower heating value at 25 °C [kJ/mol], ISO 6976.
_FUELS: Final = {
    "CH4": (1, 4, 802.6), "C2H6": (2, 6, 1428.6), "C3H8": (3, 8, 2043.1), "C4H10": (4, 10, 2657.3),
}  # fmt: skip
_HOT_KJ_NM3_K: Final = 1.64  # mean heat capacity of flue gas from 0 °C to a flame's temperature [kJ/(Nm³·K)]


@dataclass(frozen=True, slots=True)
class Gas:
    """
    A fuel gas, burnt without excess of air; volumes are Nm³ for each Nm³ of gas.

    Attributes
    ----------
    heating_value : lower heating value, water staying steam [kJ/Nm³]
    air : dry air that it needs
    carbon_dioxide, water, nitrogen : what its flue gas is made of
    """

    heating_value: float
    air: float
    carbon_dioxide: float
    water: float
    nitrogen: float

    @property
    def dry(self) -> float:
        """Return the dry flue gas without excess of air. [Nm³/Nm³]"""
        return self.carbon_dioxide + self.nitrogen


def gas(composition: Mapping[str, float]) -> Gas:
    """
    Return how a gas burns, from the volume shares of CH4, C2H6, C3H8, C4H10, CO2 and N2, which add up to 1.

    `CxHy + (x + y/4) O2 -> x CO2 + y/2 H2O`; gases taken as ideal, which is within 0.3 % for natural gas. Heating
    values: ISO 6976.
    """
    if abs(sum(composition.values()) - 1.0) > 1e-6:
        raise ValueError(f"the shares of a gas add up to {sum(composition.values()):g}; they must add up to 1")
    heat = oxygen = carbon = water = 0.0
    for name, share in composition.items():
        c, h, molar = _FUELS.get(name, (0, 0, 0.0))
        heat += share * molar * 1000.0 / _MOLAR_VOLUME
        oxygen += share * (c + h / 4.0)
        carbon += share * c
        water += share * h / 2.0
    air = oxygen / AIR_OXYGEN
    return Gas(
        heating_value=heat,
        air=air,
        carbon_dioxide=carbon + composition.get("CO2", 0.0),
        water=water,
        nitrogen=air * (1.0 - AIR_OXYGEN) + composition.get("N2", 0.0),
    )


# Piped natural gas of class 12T (GB/T 13611) as it comes from a long-distance line.
NATURAL_GAS: Final = gas({"CH4": 0.963, "C2H6": 0.012, "C3H8": 0.003, "CO2": 0.012, "N2": 0.010})


def air_ratio(oxygen: Array, fuel: Gas = NATURAL_GAS) -> Array:
    """
    Return the air over what is needed, from the oxygen in the dry flue gas. [-]

    `oxygen` in % by volume, 0 to 18: a balance of oxygen over complete combustion.
    """
    excess = fuel.dry * oxygen / (100.0 * AIR_OXYGEN - oxygen)
    return 1.0 + excess / fuel.air


def oxygen_left(ratio: Array, fuel: Gas = NATURAL_GAS) -> Array:
    """Return the oxygen in the dry flue gas at an air ratio of 1 or more: the inverse of `air_ratio`. [%]"""
    excess = (ratio - 1.0) * fuel.air
    return 100.0 * AIR_OXYGEN * excess / (fuel.dry + excess)


def wet_flue_gas(oxygen: Array, fuel: Gas = NATURAL_GAS) -> Array:
    """Return the flue gas, water vapour included. [Nm³ for each Nm³ of gas]"""
    return fuel.dry + fuel.water + (air_ratio(oxygen, fuel) - 1.0) * fuel.air


def flue_heat(flue_c: Array, oxygen: Array, fuel: Gas = NATURAL_GAS) -> Array:
    """
    Return the heat of the flue gas above 0 °C, its water staying steam. [kJ for each Nm³ of gas]

    Mean heat capacities of N2, CO2, H2O and air, lines through the tabled values at 0 and 200 °C: within 0.5 % to
    300 °C. Valid above the dew point.
    """
    excess = (air_ratio(oxygen, fuel) - 1.0) * fuel.air
    constant = 1.295 * fuel.nitrogen + 1.606 * fuel.carbon_dioxide + 1.493 * fuel.water + 1.297 * excess
    rising = 0.022 * fuel.nitrogen + 0.91 * fuel.carbon_dioxide + 0.14 * fuel.water + 0.05 * excess
    return flue_c * (constant + rising * flue_c / 1000.0)


def flue_loss(flue_c: Array, air_c: Array, oxygen: Array, fuel: Gas = NATURAL_GAS) -> Array:
    """
    Return the share of the lower heating value that leaves by the stack as warmth, by enthalpies. [-]

    Air and gas come at the room's temperature, and what flue gas of that temperature holds is no loss. Valid above the
    dew point, to 300 °C.
    """
    lost = flue_heat(flue_c, oxygen, fuel) - flue_heat(air_c, oxygen, fuel)
    return np.maximum(lost, 0.0) / fuel.heating_value


def siegert_loss(flue_c: Array, air_c: Array, oxygen: Array) -> Array:
    """
    Return the same share by Siegert's formula for natural gas. [-]

    Source: `(T_flue - T_air) * (0.66 / (21 - O2) + 0.009)` in %, as in the first German emission ordinance
    (1. BImSchV). It is the measuring technician's rule; the balance by enthalpies is held against it.
    """
    return np.maximum((flue_c - air_c) * (0.66 / (21.0 - np.minimum(oxygen, 18.0)) + 0.009) / 100.0, 0.0)


def carbon_monoxide(oxygen: Array) -> Array:
    """
    Return the carbon monoxide in the dry flue gas of a pressure-jet burner. [ppm]

    A burner mixes well down to about 2 % of oxygen and then starves: 15 ppm, growing e-fold for each 0.32 % below,
    3000 ppm without any oxygen left; above 7 % the flame is chilled, 3 ppm for each point. Shape of makers' combustion
    curves; not a standard.
    """
    return 15.0 + 3000.0 * np.exp(-np.maximum(oxygen, 0.0) / 0.32) + 3.0 * np.maximum(oxygen - 7.0, 0.0)


def unburnt_loss(co_ppm: Array, oxygen: Array, fuel: Gas = NATURAL_GAS) -> Array:
    """Return the share of the lower heating value that leaves as carbon monoxide. [-]"""
    dry = fuel.dry + (air_ratio(oxygen, fuel) - 1.0) * fuel.air
    return co_ppm * 1e-6 * dry * _CO_HEAT_KJ / fuel.heating_value


def dew_point(oxygen: Array, fuel: Gas = NATURAL_GAS) -> Array:
    """Return where the water of the flue gas begins to condense, at sea level and with dry air. [°C]"""
    share = fuel.water / wet_flue_gas(oxygen, fuel)
    return saturation_temperature((share - 1.0) * ATMOSPHERE_MPA)


def flame_temperature(air_c: Array, oxygen: Array, fuel: Gas = NATURAL_GAS) -> Array:
    """
    Return the temperature of the flue gas if it kept all heat of the fuel. [°C]

    With one mean heat capacity and without dissociation: 1600 to 2050 °C, within 60 K. It is where the fall of the flue
    gas's temperature along a heating surface begins.
    """
    return air_c + fuel.heating_value / (wet_flue_gas(oxygen, fuel) * _HOT_KJ_NM3_K)
