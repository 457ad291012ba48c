"""
A typical year of a climate: its monthly normals carried over the days, and weather that passes over them.

The weather comes in as standard normal noise, so that a year is as typical as its noise; nothing here draws numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from simulators.physics import weather

Array = NDArray[np.float64]

_DAYS: Final = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
_MONTH_OF_DAY: Final = np.repeat(np.arange(12), _DAYS)
_ROUNDS: Final = 8
# Passing weather stays within so many standard deviations. Summer's warm side is shorter: days beneath the subtropical
# high are nearly as hot as can be, and rain makes the cool ones.
_MOST: Final = 2.6
_WARMEST_SUMMER: Final = 1.7
_HAZE: Final = 0.87  # share of a clear sky's sun that reaches a Chinese city; yearly sums agree with it to about 10 %


def daily(monthly: Sequence[float]) -> Array:
    """
    Return a smooth value for each of 367 days, whose means over the months are the given ones; day 365 is day 0.

    Straight lines between the middles of the months, corrected in a few rounds until the means agree; within 1 % of the
    year's range.
    """
    normals = np.asarray(monthly, dtype=np.float64)
    middles = np.cumsum(_DAYS) - _DAYS / 2.0
    at = np.arange(365) + 0.5
    knots = normals.copy()
    values = np.interp(at, middles, knots, period=365.0)
    for _ in range(_ROUNDS):
        knots = knots + normals - np.bincount(_MONTH_OF_DAY, values) / _DAYS
        values = np.interp(at, middles, knots, period=365.0)
    return np.concatenate([values, values[:2]])


@dataclass(frozen=True, slots=True, eq=False)
class Climate:
    """
    A climate's normals for each day of the year, as `daily` gives them.

    Attributes
    ----------
    latitude_deg, altitude_m : [°], [m]
    table : (7, 367): mean temperature [°C], swing over the day [K], spread of the weather [K], dew point [°C], share of
        sunshine [-], rain [mm/h], wind [m/s]
    """

    latitude_deg: float
    altitude_m: float
    table: Array

    @classmethod
    def of(
        cls,
        latitude_deg: float,
        altitude_m: float,
        temperature_c: Sequence[float],
        swing_k: Sequence[float],
        spread_k: tuple[float, float],
        humidity_percent: Sequence[float],
        sunshine_percent: Sequence[float],
        rain_mm: Sequence[float],
        wind_ms: Sequence[float],
    ) -> Climate:
        """Make a climate from its twelve monthly normals, January first; `spread_k` is January's and July's."""
        january, july = spread_k
        month = np.arange(12)
        spread = (january + july) / 2.0 + (january - july) / 2.0 * np.cos(2.0 * np.pi * month / 12.0)
        celsius = np.asarray(temperature_c)
        rows = (
            celsius,
            np.asarray(swing_k),
            spread,
            dew_point(celsius, np.asarray(humidity_percent)),
            np.asarray(sunshine_percent) / 100.0,
            np.asarray(rain_mm) / (_DAYS * 24.0),
            np.asarray(wind_ms),
        )
        return cls(latitude_deg, altitude_m, np.stack([daily(row.tolist()) for row in rows]))


@dataclass(frozen=True, slots=True, eq=False)
class Noise:
    """
    The weather that passes, as normal noise of standard deviation 1. [-]

    Attributes
    ----------
    front, day : air masses that come and go over days, and over a day
    sky : clouds over hours; high is overcast
    overcast : clouds over days; high is overcast
    moist : how moist the air masses are
    breeze, gust : wind over hours and over seconds
    """

    front: Array
    day: Array
    sky: Array
    overcast: Array
    moist: Array
    breeze: Array
    gust: Array


@dataclass(frozen=True, slots=True, eq=False)
class Sky:
    """
    The weather at each time.

    Attributes
    ----------
    temperature_c, dew_point_c, humidity_percent : of the outdoor air
    cloud : share of the sky that is covered [-]
    sun_w_m2 : global radiation on the level [W/m²]
    rain_mm_h, wind_ms : [mm/h], [m/s]
    season_c : mean temperature of the season, without passing weather [°C]
    """

    temperature_c: Array
    dew_point_c: Array
    humidity_percent: Array
    cloud: Array
    sun_w_m2: Array
    rain_mm_h: Array
    wind_ms: Array
    season_c: Array


def dew_point(temperature_c: Array, humidity_percent: Array) -> Array:
    """Return the dew point of air, by Magnus' formula turned round. [°C]"""
    logarithm = np.log(np.maximum(humidity_percent, 1.0) / 100.0) + 17.625 * temperature_c / (temperature_c + 243.04)
    return 243.04 * logarithm / (17.625 - logarithm)


def air_pressure(altitude_m: float) -> float:
    """Return the mean air pressure at an altitude; ICAO standard atmosphere, to 11 000 m. [kPa]"""
    return float(101.325 * (1.0 - 2.25577e-5 * altitude_m) ** 5.25588)


def sky(climate: Climate, day: Array, hour: Array, noise: Noise) -> Sky:
    """
    Return the weather of a typical year.

    Parameters
    ----------
    day : (n,) day of the year, 0 to 365 [d]
    hour : (n,) local time of day [h]

    Notes
    -----
    Clear days swing wide and overcast ones little; overcast is mild in winter and cool in summer; an air mass keeps its
    dew point over the day. Months agree with their normals within what chance leaves over 30 days; extremes stay
    within 2.6 standard deviations, those of summer's heat within 1.7. Snow counts as rain, and there are no typhoons.
    """
    at = day + hour / 24.0
    whole = np.minimum(at.astype(np.int64), 365)
    left, right = climate.table[:, whole], climate.table[:, whole + 1]
    season, swing, spread, normal_dew, sunshine, rain, wind = left + (right - left) * (at - whole)
    # +1 at the height of winter and -1 at the height of summer.
    winter = np.cos(2.0 * np.pi * (at - 15.0) / 365.25)
    passing = 0.65 * noise.front + 0.55 * noise.day + 0.5 * winter * noise.overcast
    warmest = (_MOST + _WARMEST_SUMMER) / 2.0 + (_MOST - _WARMEST_SUMMER) / 2.0 * winter
    most = np.where(passing > 0.0, warmest, _MOST)
    passing = most * np.tanh(passing / most)
    wave = np.cos(2.0 * np.pi * (hour - 15.0) / 24.0)
    temperature = season + spread * passing + 0.47 * swing * wave * np.clip(1.0 - 0.3 * noise.overcast, 0.4, 1.4)
    cover = 0.75 * noise.overcast + 0.66 * noise.sky
    # Half the sky is covered where the sun stops shining: that often, as the normals say.
    cloud = np.clip(0.5 + 0.8 * (cover - ndtri(sunshine)), 0.0, 1.0)
    elevation = weather.solar_elevation(day, hour, climate.latitude_deg)
    dew = normal_dew - 0.3 + 0.75 * spread * passing + 1.3 * noise.moist + 0.8 * noise.overcast
    humidity = weather.relative_humidity(temperature, dew)
    return Sky(
        temperature_c=temperature,
        dew_point_c=np.minimum(dew, temperature),
        humidity_percent=humidity,
        cloud=cloud,
        sun_w_m2=_HAZE * weather.global_radiation(elevation, cloud),
        rain_mm_h=rainfall(rain, cover),
        wind_ms=wind * np.abs(1.0 + 0.45 * noise.breeze + 0.15 * noise.gust),
        season_c=season,
    )


def rainfall(mean_mm_h: Array, cover: Array) -> Array:
    """
    Return the rain under a cloud cover, so that its mean over all covers is the month's. [mm/h]

    `cover` is standard normal [-]. It rains for 2 % of the time in the driest months and up to 18 % in the wettest, the
    harder the thicker the cloud: the excess of a normal number over a threshold t has the mean phi(t) - t (1 - Phi(t)).
    """
    share = np.clip(mean_mm_h / 2.0, 0.02, 0.18)
    threshold = ndtri(1.0 - share)
    mean_excess = np.exp(-0.5 * threshold**2) / np.sqrt(2.0 * np.pi) - threshold * (1.0 - ndtr(threshold))
    rain: Array = mean_mm_h * np.maximum(cover - threshold, 0.0) / mean_excess
    return rain
