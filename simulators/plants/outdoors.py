"""The weather over the site in the climate that was chosen for it, and the weather stations that show it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from facility.documents import read_checked
from facility.errors import ConfigurationError
from facility.names import Names
from facility.wording import nearest
from simulators.physics import climate as physics
from simulators.physics import weather
from simulators.scene import Scene

CLIMATES_FILE: Final = Path(__file__).parents[1] / "climates.yaml"

Monthly = Annotated[tuple[float, ...], Field(min_length=12, max_length=12)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ClimateNormals(_Strict):
    """A climate as `climates.yaml` explains it."""

    id: str
    name: Names
    latitude: float = Field(ge=-66.0, le=66.0)
    altitude: float = Field(ge=-400.0, le=5500.0)
    temperature: Monthly
    swing: Monthly
    spread: tuple[float, float]
    humidity: Monthly
    sunshine: Monthly
    rain: Monthly
    wind: Monthly


class _ClimatesFile(_Strict):
    climates: tuple[ClimateNormals, ...] = Field(min_length=1)


_FILE: Final = TypeAdapter(_ClimatesFile)


@lru_cache(maxsize=1)
def climates() -> Mapping[str, ClimateNormals]:
    """Return the climates that come with Wardwatt, by id; ConfigurationError with every mistake in their file."""
    read = read_checked(CLIMATES_FILE, _FILE)
    if read.problems or read.value is None:
        raise ConfigurationError(read.problems)
    return {c.id: c for c in read.value.climates}


@lru_cache(maxsize=16)
def find_climate(climate_id: str) -> physics.Climate:
    """Return a climate; ValueError names the nearest one that there is."""
    normals = climates().get(climate_id.strip().lower())
    if normals is None:
        raise ValueError(f"climate {climate_id!r} is not known here{nearest(climate_id.lower(), climates())}")
    return physics.Climate.of(
        normals.latitude,
        normals.altitude,
        normals.temperature,
        normals.swing,
        normals.spread,
        normals.humidity,
        normals.sunshine,
        normals.rain,
        normals.wind,
    )


def run(scene: Scene) -> None:
    """Work out the weather and let the weather stations show it."""
    span = scene.span
    climate = find_climate(scene.climate)
    noise = physics.Noise(
        front=scene.wander("weather|front", 3 * 86400.0),
        day=scene.wander("weather|day", 86400.0),
        sky=scene.wander("weather|cloud", 6 * 3600.0),
        overcast=scene.wander("weather|overcast", 2 * 86400.0),
        moist=scene.wander("weather|moisture", 86400.0),
        breeze=scene.wander("weather|wind", 3 * 3600.0),
        gust=scene.wander("weather|gust", 20.0),
    )
    sky = physics.sky(climate, span.day, span.hour, noise)
    scene.outdoor_c, scene.humidity, scene.sun_w_m2 = sky.temperature_c, sky.humidity_percent, sky.sun_w_m2
    scene.wet_bulb_c = weather.wet_bulb_temperature(sky.temperature_c, sky.humidity_percent)
    scene.rain_mm_h = sky.rain_mm_h
    # Pipes lie a metre deep: the city's water follows the season and hardly the day, and never freezes.
    scene.mains_c = 16.0 + 0.4 * (sky.season_c - 16.0) + 0.3 * noise.front
    direction = (135.0 + 70.0 * scene.wander("weather|direction", 6 * 3600.0)) % 360.0
    pressure = physics.air_pressure(climate.altitude_m) * (1.0 - 2e-4 * (sky.season_c - 15.0))
    for item in scene.each("weather_station"):
        scene.put(item, "outdoor_temperature", sky.temperature_c, 0.05)
        scene.put(item, "outdoor_humidity", sky.humidity_percent, 0.4)
        scene.put(item, "wet_bulb_temperature", scene.wet_bulb_c, 0.05)
        scene.put(item, "dew_point", sky.dew_point_c, 0.1)
        scene.put(item, "wind_speed", sky.wind_ms, 0.1)
        scene.put(item, "wind_direction", direction, 3.0)
        scene.put(item, "solar_radiation", sky.sun_w_m2, 2.0)
        scene.count(item, "rain_total", sky.rain_mm_h)
        scene.put(item, "air_pressure", pressure + 0.6 * scene.wander("weather|pressure", 2 * 86400.0), 0.01)
