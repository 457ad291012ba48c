"""Conditions in plant rooms and other rooms that are watched: warm, humid, wet, open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from facility.site import Equipment
from simulators import noise
from simulators.physics import room as physics
from simulators.rhythm import shift
from simulators.scene import Array, Scene


@dataclass(frozen=True, slots=True)
class Kind:
    """
    A kind of room.

    Attributes
    ----------
    usual_c : temperature at 15 °C outdoors, its machines running [°C]
    follows : how far it follows the outdoors [K/K]; 0 is air conditioned
    wet_kg_kg : vapour that it adds to the outdoor air [kg/kg]
    """

    usual_c: float
    follows: float
    wet_kg_kg: float = 0.0008


_KINDS: Final[Mapping[str, Kind]] = {
    "power_room": Kind(23.5, 0.30),
    "boiler_room": Kind(26.0, 0.30, 0.0015),
    "heat_station": Kind(26.0, 0.28, 0.0015),
    "oxygen_station": Kind(23.0, 0.32),
    "pump_room": Kind(18.5, 0.35, 0.0015),
    "water_supply_room": Kind(18.5, 0.35, 0.0015),
    "chiller_plant": Kind(21.0, 0.30),
    "sewage_station": Kind(19.0, 0.35, 0.002),
    "department": Kind(22.5, 0.03, 0.002),
}
_ANY: Final = Kind(22.0, 0.30)
_MASS_S: Final = 2 * 3600.0
_FAN_ON_C: Final = 28.0
_DRIED_PERCENT: Final = 64.0  # what the room's dehumidifier or air conditioner allows
_DOOR_US: Final = 180_000_000
_SUMP_LOW, _SUMP_HIGH = 20.0, 60.0
_SUMP_S: Final = 5 * 3600.0


def run(scene: Scene) -> None:
    """Work out every room that is watched."""
    outdoor_ratio = physics.humidity_ratio(scene.outdoor_c, scene.humidity)
    for item in scene.each("room_environment"):
        _run_room(scene, item, outdoor_ratio)


def _run_room(scene: Scene, item: Equipment, outdoor_ratio: Array) -> None:
    place = scene.site.rooms.get(item.room or "")
    kind = _KINDS.get(place.kind, _ANY) if place is not None else _ANY
    busy = 0.6 + 0.4 * shift(scene.span.hour, 7.5, 20.0, 2.0)
    target = kind.usual_c + kind.follows * (scene.outdoor_c - 15.0) + 2.0 * (busy - 0.8)
    own = scene.own(f"{item.id}|usual", -0.8, 0.8)
    temperature = scene.lag(f"{item.id}/room", np.clip(target + own, 7.0, 33.0), _MASS_S)
    temperature = temperature + 0.3 * scene.wander(f"{item.id}|temperature", 3600.0)
    flooded = np.asarray(scene.fault("EL-F25", item))
    _show_moisture(scene, item, kind, temperature, outdoor_ratio, flooded)
    scene.put(item, "temperature", temperature, 0.05)
    scene.put(item, "exhaust_running", temperature > _FAN_ON_C)
    scene.put(item, "smoke", 0.0)
    # Rounds in the morning and in the afternoon leave the door open for some minutes.
    slot = scene.span.time_us // _DOOR_US
    rounds = (np.abs(scene.span.hour - 9.5) < 0.75) | (np.abs(scene.span.hour - 15.5) < 0.75)
    key = noise.stream(scene.seed, f"{item.id}|door")
    scene.put(item, "door", rounds & (slot % 2 == 1) & (noise.uniform(key, slot) < 0.3))
    scene.put(item, "sf6", 2.0 + scene.wander(f"{item.id}|sf6", 6 * 3600.0), 0.5)
    scene.put(item, "oxygen", 20.9 + 0.02 * scene.wander(f"{item.id}|oxygen", 3600.0), 0.01)


def _show_moisture(
    scene: Scene, item: Equipment, kind: Kind, temperature: Array, outdoor_ratio: Array, flooded: Array
) -> None:
    """Vapour comes in with the outdoor air and from water that stands; the dehumidifier keeps up with what is usual."""
    allowed = physics.humidity_ratio(temperature, _DRIED_PERCENT)
    vapour = scene.lag(f"{item.id}/vapour", np.minimum(outdoor_ratio + kind.wet_kg_kg, allowed), _MASS_S)
    saturated = physics.humidity_ratio(temperature, 97.0)
    wet = scene.lag(f"{item.id}/wet", flooded * np.ones(len(scene)), 3600.0)
    vapour = vapour + wet * np.maximum(saturated - vapour, 0.0)
    humidity = physics.relative_humidity_of(vapour, temperature) + 1.0 * scene.wander(f"{item.id}|humidity", 2400.0)
    scene.put(item, "humidity", humidity, 0.3)
    scene.put(item, "water_leak", flooded > 0.1)
    # Seepage fills the sump and its pump empties it; with its outlet blocked the water stays.
    period = _SUMP_S * scene.own(f"{item.id}|sump", 0.7, 1.4)
    filled = np.mod(scene.span.time_us / 1e6, period) / period
    sump = _SUMP_LOW + (_SUMP_HIGH - _SUMP_LOW) * np.where(filled < 0.96, filled / 0.96, (1.0 - filled) / 0.04)
    scene.put(item, "sump_level", sump + wet * (96.0 - sump), 0.3)
