"""
Water and steam on the saturation line.

Correlations of our own choice instead of a library: a boiler house needs the saturation line only, to 2 MPa, and six
terms a property give it to five digits. The libraries made for it are either under the GPL (iapws) or larger than all
of Wardwatt (CoolProp). Pressures are gauge.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ATMOSPHERE_MPA: Final = 0.101325
WATER_KJ_KG_K: Final = 4.19  # heat capacity of liquid water to about 120 °C [kJ/(kg·K)]
WATER_KWH_M3_K: Final = 1.163  # the same for a volume of warm water [kWh/(m³·K)]

# Coefficients of the saturation line, IAPWS-IF97 region 4 (table 34).
_N: Final = (
    0.11670521452767e4, -0.72421316703206e6, -0.17073846940092e2, 0.12020824702470e5, -0.32325550322333e7,
    0.14915108613530e2, -0.48232657361591e4, 0.40511340542057e6, -0.23855557567849, 0.65017534844798e3,
)  # fmt: skip

# IAPWS SR1-86(1992), saturation properties of ordinary water substance: critical point and coefficients.
_T_CRITICAL_K: Final = 647.096
_P_CRITICAL_KPA: Final = 22_064.0
_RHO_CRITICAL: Final = 322.0
_P: Final = ((1.0, -7.85951783), (1.5, 1.84408259), (3.0, -11.7866497), (3.5, 22.6807411), (4.0, -15.9618719),
             (7.5, 1.80122502))  # fmt: skip
_RHO_WATER: Final = ((1 / 3, 1.99274064), (2 / 3, 1.09965342), (5 / 3, -0.510839303), (16 / 3, -1.75493479),
                     (43 / 3, -45.5170352), (110 / 3, -6.74694450e5))  # fmt: skip
_RHO_STEAM: Final = ((2 / 6, -2.03150240), (4 / 6, -2.68302940), (8 / 6, -5.38626492), (18 / 6, -17.2991605),
                     (37 / 6, -44.7586581), (71 / 6, -63.9201063))  # fmt: skip
_ALPHA: Final = ((-19.0, -5.65134998e-8), (1.0, 2690.66631), (4.5, 127.287297), (5.0, -135.003439), (54.5, 0.981825814))
_ALPHA_0: Final = -1135.905627715

# The equations are worked out once on this grid; in between a line is within 0.02 kJ/kg.
_GRID_C: Final = np.arange(0.01, 231.0, 1.0)


def saturation_temperature(pressure_mpa: Array | float) -> Array:
    """
    Return the temperature of saturated steam at a gauge pressure. [°C]

    Source: IAPWS-IF97, backward equation of region 4 (equation 31); exact to the formulation from 0.01 °C
    to 22 MPa.
    """
    absolute = np.maximum(np.asarray(pressure_mpa, dtype=np.float64) + ATMOSPHERE_MPA, 6.1e-4)
    beta = absolute**0.25
    e = beta**2 + _N[2] * beta + _N[5]
    f = _N[0] * beta**2 + _N[3] * beta + _N[6]
    g = _N[1] * beta**2 + _N[4] * beta + _N[7]
    d = 2.0 * g / (-f - np.sqrt(f**2 - 4.0 * e * g))
    kelvin: Array = (_N[9] + d - np.sqrt((_N[9] + d) ** 2 - 4.0 * (_N[8] + _N[9] * d))) / 2.0
    return kelvin - 273.15


def saturation_pressure(celsius: Array | float) -> Array:
    """
    Return the gauge pressure of saturated steam at a temperature. [MPa]

    Source: IAPWS-IF97, basic equation of region 4 (equation 30); 0 to 374 °C. Below 100 °C it is negative.
    """
    kelvin = np.asarray(celsius, dtype=np.float64) + 273.15
    theta = kelvin + _N[8] / (kelvin - _N[9])
    a = theta**2 + _N[0] * theta + _N[1]
    b = _N[2] * theta**2 + _N[3] * theta + _N[4]
    c = _N[5] * theta**2 + _N[6] * theta + _N[7]
    absolute: Array = (2.0 * c / (-b + np.sqrt(b**2 - 4.0 * a * c))) ** 4
    return absolute - ATMOSPHERE_MPA


def _saturated(celsius: Array) -> tuple[Array, Array, Array, Array]:
    """
    Return density of water and of steam [kg/m³] and enthalpy of water and of steam [kJ/kg] on the saturation line.

    Source: IAPWS SR1-86(1992), equations 1 to 7 (Wagner and Pruss, J. Phys. Chem. Ref. Data 22 (1993) 783).
    """
    theta = (celsius + 273.15) / _T_CRITICAL_K
    tau = 1.0 - theta
    ln_p = np.sum([a * tau**n for n, a in _P], axis=0) / theta
    pressure = _P_CRITICAL_KPA * np.exp(ln_p)
    slope = (
        -pressure / (theta * _T_CRITICAL_K) * (ln_p + np.sum([n * a * tau ** (n - 1.0) for n, a in _P], axis=0))
    )  # [kPa/K]
    water: Array = _RHO_CRITICAL * (1.0 + np.sum([b * tau**n for n, b in _RHO_WATER], axis=0))
    steam: Array = _RHO_CRITICAL * np.exp(np.sum([c * tau**n for n, c in _RHO_STEAM], axis=0))
    alpha: Array = _ALPHA_0 + np.sum([d * theta**n for n, d in _ALPHA], axis=0)
    warmth = theta * _T_CRITICAL_K * slope
    return water, steam, alpha + warmth / water, alpha + warmth / steam


_DENSITY_WATER, _DENSITY_STEAM, _ENTHALPY_WATER, _ENTHALPY_STEAM = _saturated(_GRID_C)


def water_enthalpy(celsius: Array | float) -> Array:
    """
    Return the enthalpy of boiling water at a temperature. [kJ/kg]

    0 to 230 °C; colder water under a boiler's pressure has at most 1.5 kJ/kg more.
    """
    return np.asarray(np.interp(celsius, _GRID_C, _ENTHALPY_WATER))


def steam_enthalpy(pressure_mpa: Array | float) -> Array:
    """Return the enthalpy of dry saturated steam at a gauge pressure, to 2.6 MPa. [kJ/kg]"""
    return np.asarray(np.interp(saturation_temperature(pressure_mpa), _GRID_C, _ENTHALPY_STEAM))


def steam_density(pressure_mpa: Array | float) -> Array:
    """Return the density of dry saturated steam at a gauge pressure, to 2.6 MPa; within 0.1 %. [kg/m³]"""
    return np.exp(np.interp(saturation_temperature(pressure_mpa), _GRID_C, np.log(_DENSITY_STEAM)))


def water_density(celsius: Array | float) -> Array:
    """Return the density of boiling water at a temperature, 0 to 230 °C. [kg/m³]"""
    return np.asarray(np.interp(celsius, _GRID_C, _DENSITY_WATER))


def latent_heat(pressure_mpa: Array | float) -> Array:
    """Return the heat that boils water at a gauge pressure, to 2.6 MPa. [kJ/kg]"""
    return steam_enthalpy(pressure_mpa) - water_enthalpy(saturation_temperature(pressure_mpa))


def flash_steam(flow_th: Array, enthalpy_kj_kg: Array) -> Array:
    """
    Return what boils off when hot condensate comes into a vented tank: all heat above boiling at 100 °C. [t/h]

    `flow_th` and mean enthalpy of what arrives, water or wet steam.
    """
    boiling = water_enthalpy(100.0)
    return flow_th * np.maximum(enthalpy_kj_kg - boiling, 0.0) / latent_heat(0.0)
