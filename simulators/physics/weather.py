"""Sun, moist air and wet bulb: what the weather is made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def solar_elevation(day: Array, hour: Array, latitude_deg: float) -> Array:
    """
    Return the sun's height above the horizon, negative at night. [rad]

    Source: declination after P. I. Cooper, Solar Energy 12 (1969) 333; `hour` counts as solar time, which is right to
    about half an hour.
    """
    declination = np.deg2rad(23.45) * np.sin(2.0 * np.pi * (284.0 + day + 1.0) / 365.0)
    angle = np.deg2rad(15.0) * (hour - 12.0)
    latitude = np.deg2rad(latitude_deg)
    sine = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(angle)
    height: Array = np.arcsin(np.clip(sine, -1.0, 1.0))
    return height


def global_radiation(elevation_rad: Array, cloud: Array) -> Array:
    """
    Return global radiation on the level under a share of cloud, 0 at night. [W/m²]

    Source: clear sky after B. Haurwitz, J. Meteorology 2 (1945) 154; clouds after F. Kasten, G. Czeplak, Solar Energy
    24 (1980) 177: factor 1 - 0.75 * cloud^3.4, `cloud` from 0 to 1.
    """
    sine = np.maximum(np.sin(elevation_rad), 0.0)
    clear = 1098.0 * sine * np.exp(-0.059 / np.maximum(sine, 1e-3))
    return clear * (1.0 - 0.75 * np.clip(cloud, 0.0, 1.0) ** 3.4)


def saturation_pressure(temperature_c: Array) -> Array:
    """
    Return the pressure of saturated water vapour over water. [kPa]

    Source: Magnus form with the coefficients of O. A. Alduchov, R. E. Eskridge, J. Appl. Meteor. 35 (1996) 601; within
    0.4 % from -40 to 50 °C.
    """
    return 0.61094 * np.exp(17.625 * temperature_c / (temperature_c + 243.04))


def relative_humidity(temperature_c: Array, dew_point_c: Array) -> Array:
    """Return the relative humidity of air with a dew point, at most 100. [%]"""
    share = saturation_pressure(np.minimum(dew_point_c, temperature_c)) / saturation_pressure(temperature_c)
    return 100.0 * share


def wet_bulb_temperature(temperature_c: Array, humidity_percent: Array) -> Array:
    """
    Return the wet-bulb temperature at sea-level pressure. [°C]

    Source: R. Stull, J. Appl. Meteor. Climatol. 50 (2011) 2267, equation (1); within 1 K from -20 to 50 °C and
    5 to 99 %.
    """
    t, rh = temperature_c, humidity_percent
    return (
        t * np.arctan(0.151977 * np.sqrt(rh + 8.313659))
        + np.arctan(t + rh)
        - np.arctan(rh - 1.676331)
        + 0.00391838 * rh**1.5 * np.arctan(0.023101 * rh)
        - 4.686035
    )
