"""The weather over the site, and the weather stations that show it."""

from __future__ import annotations

from typing import Final

import numpy as np

from simulators.physics import weather
from simulators.scene import Scene

CLIMATE: Final = weather.Climate()


def run(scene: Scene) -> None:
    """Work out the weather and let the weather stations show it."""
    span = scene.span
    passing = 0.8 * scene.wander("weather|front", 4 * 86400.0) + 0.6 * scene.wander("weather|day", 86400.0)
    outdoor = weather.outdoor_temperature(span.day, span.hour, passing, CLIMATE)
    scene.outdoor_c = outdoor
    cloud = np.clip(0.5 + 0.35 * scene.wander("weather|cloud", 6 * 3600.0), 0.0, 1.0)
    # Air masses keep their dew point over the day while the temperature swings.
    season = weather.outdoor_temperature(span.day, np.full(len(span), 6.0), passing, CLIMATE)
    dew_point = season - 2.5 + 1.5 * scene.wander("weather|moisture", 86400.0)
    sun = weather.global_radiation(weather.solar_elevation(span.day, span.hour, CLIMATE.latitude_deg), cloud)
    wind = np.abs(2.2 + 1.2 * scene.wander("weather|wind", 3 * 3600.0) + 0.5 * scene.wander("weather|gust", 20.0))
    rain_mm_h = np.maximum(0.0, cloud - 0.85) * 12.0
    direction = (135.0 + 70.0 * scene.wander("weather|direction", 6 * 3600.0)) % 360.0
    humidity = weather.relative_humidity(outdoor, dew_point)
    scene.humidity, scene.sun_w_m2 = humidity, sun
    scene.wet_bulb_c = weather.wet_bulb_temperature(outdoor, humidity)
    # Pipes lie a metre deep: the city's water follows the season and hardly the day.
    scene.mains_c = 16.0 + 0.4 * (season - 16.0)
    for item in scene.each("weather_station"):
        scene.put(item, "outdoor_temperature", outdoor, 0.05)
        scene.put(item, "outdoor_humidity", humidity, 0.4)
        scene.put(item, "wet_bulb_temperature", weather.wet_bulb_temperature(outdoor, humidity), 0.05)
        scene.put(item, "dew_point", np.minimum(dew_point, outdoor), 0.1)
        scene.put(item, "wind_speed", wind, 0.1)
        scene.put(item, "wind_direction", direction, 3.0)
        scene.put(item, "solar_radiation", sun, 2.0)
        scene.count(item, "rain_total", rain_mm_h)
        scene.put(item, "air_pressure", 101.5 + 0.6 * scene.wander("weather|pressure", 2 * 86400.0), 0.01)
