"""Operating rooms and isolation rooms: pressure, climate, and whether they are in use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from facility.site import Equipment
from simulators.physics import air
from simulators.physics.room import humidity_ratio, relative_humidity_of
from simulators.scene import Array, Scene
from simulators.twin import Twin

CLASSES: Final = ("operating_room", "isolation_room")
_SET_BACK: Final = 0.5  # of the full air, which keeps the pressure
_PRESSURE_PA: Final = 12.0  # over the corridor
_LEAK_M3H: Final = 260.0  # of a clean room at 10 Pa
_ROOM_PA, _ANTEROOM_PA = -9.0, -8.5
_ISOLATION_LEAK_M3H: Final = 110.0
_HEPA_PA: Final = 190.0
_DEFAULT_M3H: Final = 4000.0


@dataclass(frozen=True, slots=True)
class Supply:
    """Air that a unit gives a room: at full flow [m³/h], the share of it that there is [-], its moisture [kg/kg]."""

    full_m3h: float
    share: Array
    ratio: Array


def in_use(scene: Scene, room: Equipment) -> Array:
    """Return 1 while somebody is operated on, or lies, in a room, else 0."""
    if room.cls.id == "isolation_room":
        stay = scene.wander(f"{room.id}|stay", 3 * 86400.0) > scene.own(f"{room.id}|stay", -1.0, -0.3)
        return stay.astype(np.float64)
    served = [scene.demand[d].people for d in room.serves.on(scene.today)]
    people = np.max(served, axis=0) if served else np.ones(len(scene))
    case = scene.wander(f"{room.id}|case", 5400.0) > -0.9
    return ((people > scene.own(f"{room.id}|busy", 0.25, 0.55)) & case).astype(np.float64)


def flow_share(twin: Twin, room: Equipment) -> Array:
    """Return the air that a room asks for, as a share of its full flow. [-]"""
    if room.cls.id == "isolation_room":
        return np.ones(len(twin.scene))
    # Three quarters of an hour after its last case it gets less.
    quiet = twin.lag(f"{room.id}/quiet", in_use(twin.scene, room), 1200.0) < 0.1
    return np.where(quiet & (np.asarray(twin.fault("CH-F14", room)) == 0.0), _SET_BACK, 1.0)


def run(scene: Scene, room: Equipment, supply: Supply | None) -> None:
    """Show a room; without a unit of the site its air comes from elsewhere and is as it should be."""
    if room.cls.id == "isolation_room":
        _show_isolation(scene, room, supply)
    else:
        _show_operating(scene, room, supply)


def _climate(scene: Scene, room: Equipment, supply: Supply | None, usual_c: float) -> None:
    warmth = scene.own(f"{room.id}|wanted", -0.3, 0.3) + 0.2 * scene.wander(f"{room.id}|room", 3600.0)
    temperature = usual_c + warmth
    ratio = supply.ratio if supply is not None else humidity_ratio(temperature, 48.0)
    scene.put(room, "temperature", temperature, 0.05)
    humidity = relative_humidity_of(ratio, temperature) + 0.8 * scene.wander(f"{room.id}|moist", 1800.0)
    scene.put(room, "humidity", humidity, 0.2)


def _show_operating(scene: Scene, room: Equipment, supply: Supply | None) -> None:
    full = supply.full_m3h if supply is not None else _DEFAULT_M3H
    share = supply.share if supply is not None else flow_share(Twin(scene), room)
    used = in_use(scene, room)
    door = (used > 0.0) & (scene.wander(f"{room.id}|door", 75.0) > 1.6)
    # The extract keeps a surplus of supply air that gives the pressure; its damper stuck open takes more than that.
    kept = float(air.leak_flow(np.array(_PRESSURE_PA), _LEAK_M3H))
    surplus = kept * (1.0 + 0.03 * scene.wander(f"{room.id}|extract", 300.0))
    surplus = surplus - 1.25 * kept * np.asarray(scene.fault("CH-F19", room))
    # An open door is a large gap.
    pressure = np.where(door, 0.1, 1.0) * air.leak_pressure(surplus, _LEAK_M3H)
    scene.put(room, "room_pressure", pressure, 0.15)
    _climate(scene, room, supply, 22.5)
    scene.put(room, "air_flow", full * share * (1.0 + 0.01 * scene.wander(f"{room.id}|flow", 300.0)), 0.003 * full)
    scene.put(room, "door", door.astype(np.float64))
    scene.put(room, "in_use", used)
    scene.put(room, "setback", (share < 1.0).astype(np.float64))


def _show_isolation(scene: Scene, room: Equipment, supply: Supply | None) -> None:
    used = in_use(scene, room)
    door = (used > 0.0) & (scene.wander(f"{room.id}|door", 75.0) > 1.9)
    # Extract over supply; its fan's belt slips and moves less.
    kept = -float(air.leak_flow(np.array(_ROOM_PA), _ISOLATION_LEAK_M3H))
    slip = np.asarray(scene.fault("CH-F19", room))
    lacking = -kept * (1.0 + 0.03 * scene.wander(f"{room.id}|extract", 300.0)) * (1.0 - 0.95 * slip)
    pressure = np.where(door, 0.1, 1.0) * air.leak_pressure(lacking, _ISOLATION_LEAK_M3H)
    scene.put(room, "room_pressure", pressure, 0.15)
    ante = _ANTEROOM_PA * (1.0 + 0.04 * scene.wander(f"{room.id}|ante", 300.0))
    scene.put(room, "anteroom_pressure", np.where(door, 0.6, 1.0) * ante, 0.15)
    _climate(scene, room, supply, 23.5)
    scene.put(room, "exhaust_fan_running", 1.0)
    # Two years from new to changed; a slipping fan pulls less through it.
    dirt = np.mod(scene.span.time_us / (700.0 * 86400e6) + scene.own(f"{room.id}|hepa", 0.0, 1.0), 1.0)
    moved = 1.0 - 0.45 * slip
    scene.put(room, "exhaust_filter_differential", _HEPA_PA * (1.0 + 0.8 * dirt) * moved, 1.5)
    scene.put(room, "door", door.astype(np.float64))
    scene.put(room, "in_use", used)
