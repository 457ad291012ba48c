"""Gas-fired steam boiler: steam, combustion, losses, cycling of the burner."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LOWER_HEATING_VALUE_KJ = 35_500.0  # natural gas [kJ/Nm³]
WATER_HEAT_CAPACITY = 4.19  # liquid water to about 120 °C [kJ/(kg·K)]


# Coefficients of the saturation line, IAPWS-IF97 region 4 (table 34).
_N: Final = (
    0.11670521452767e4, -0.72421316703206e6, -0.17073846940092e2, 0.12020824702470e5, -0.32325550322333e7,
    0.14915108613530e2, -0.48232657361591e4, 0.40511340542057e6, -0.23855557567849, 0.65017534844798e3,
)  # fmt: skip


def saturation_temperature(pressure_mpa: Array) -> Array:
    """
    Return the temperature of saturated steam at a gauge pressure. [°C]

    Source: IAPWS-IF97, backward equation of region 4 (equation 31); exact to the formulation from vacuum to 22 MPa.
    """
    beta = (np.maximum(pressure_mpa, -0.1) + 0.101325) ** 0.25
    e = beta**2 + _N[2] * beta + _N[5]
    f = _N[0] * beta**2 + _N[3] * beta + _N[6]
    g = _N[1] * beta**2 + _N[4] * beta + _N[7]
    d = 2.0 * g / (-f - np.sqrt(f**2 - 4.0 * e * g))
    kelvin: Array = (_N[9] + d - np.sqrt((_N[9] + d) ** 2 - 4.0 * (_N[8] + _N[9] * d))) / 2.0
    return kelvin - 273.15


def steam_enthalpy(pressure_mpa: Array) -> Array:
    """
    Return the enthalpy of dry saturated steam at a gauge pressure. [kJ/kg]

    Interpolated between values of IAPWS-IF97: good to 1 kJ/kg from 0.1 to 1.6 MPa gauge.
    """
    gauge = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.3, 1.6])
    enthalpy = np.array([2706.4, 2724.9, 2738.2, 2748.4, 2756.5, 2763.0, 2768.5, 2773.2, 2780.9, 2788.9, 2794.7])
    between: Array = np.interp(pressure_mpa, gauge, enthalpy)
    return between


def flue_loss(flue_c: Array, air_c: Array, oxygen_percent: Array) -> Array:
    """
    Return the share of the fuel's lower heating value that leaves by the stack. [-]

    Source: Siegert's formula for natural gas, `(T_flue - T_air) * (0.66 / (21 - O2) + 0.009)` in %, as in the first
    German emission ordinance (1. BImSchV). Valid dry of condensation: flue above about 60 °C, O2 below 18 %.
    """
    share: Array = (flue_c - air_c) * (0.66 / (21.0 - np.minimum(oxygen_percent, 18.0)) + 0.009) / 100.0
    return np.maximum(share, 0.0)


def efficiency(flue_c: Array, air_c: Array, oxygen_percent: Array, fire: Array, shell_loss: float = 0.012) -> Array:
    """
    Return the efficiency on the lower heating value by the indirect method. [-]

    One less the flue loss less the loss of the shell, which is constant in kW and so grows as the fire falls.
    `shell_loss` is its share at full fire; `fire` from 0 to 1, taken as at least 0.1.
    """
    return 1.0 - flue_loss(flue_c, air_c, oxygen_percent) - shell_loss / np.maximum(fire, 0.1)


def gas_flow(steam_th: Array, pressure_mpa: Array, feedwater_c: Array, efficiency_: Array) -> Array:
    """
    Return the gas that makes so much steam: an energy balance over the boiler. [Nm³/h]

    `steam_th` in t/h, feedwater in °C below 120, efficiency as a share of the lower heating value.
    """
    heat_kj = steam_th * 1000.0 * (steam_enthalpy(pressure_mpa) - WATER_HEAT_CAPACITY * feedwater_c)
    return heat_kj / (efficiency_ * LOWER_HEATING_VALUE_KJ)


def cycles_per_hour(duty: Array, band_kj: Array, heat_kw: Array) -> Array:
    """
    Return how often an on-off burner starts. [1/h]

    A store of `band_kj` between the switch points is filled by `heat_kw * (1 - duty)` while the burner is on, and
    emptied by `heat_kw * duty` while it is off, so one cycle takes `band / (heat * duty * (1 - duty))`. Zero at no load
    and at full load; highest at half.
    """
    duty = np.clip(duty, 0.0, 1.0)
    return 3600.0 * heat_kw * duty * (1.0 - duty) / band_kj
