"""Lifts: trips by the hour and by the people whom they serve, and what the trips take and wear."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from facility.site import Equipment
from simulators import noise
from simulators.physics import lift as physics
from simulators.rhythm import shift
from simulators.scene import Array, Scene

# A trip, its door and the wait for the next take a slot of time; a slot without a trip is one of rest.
_SLOT_S, _TRAVEL_S, _DOOR_S = 37.0, 22.0, 9.0
_QUIET, _BUSY = 0.06, 0.82  # share of the slots with a trip
_HEAVIEST: Final = 0.7
_STANDBY_KW: Final = 0.4  # controller, car light and fan; ISO 25745-2 has 0.05 to 0.5 kW
_SERVICE_S: Final = 15 * 86400.0  # between two services, TSG T5002
_FLOORS: Final = 12
_POWER_FACTOR: Final = 0.85


def run(scene: Scene) -> None:
    """Work out every lift."""
    hour = scene.span.hour
    # Rounds and breakfast, visits, shifts that change, meals.
    rush = 0.55 * shift(hour, 6.5, 20.5, 2.0) + 0.45 * (shift(hour, 7.2, 11.6) + 0.7 * shift(hour, 13.8, 17.8))
    for item in scene.each("lift"):
        served = [scene.demand[d].people for d in item.serves.on(scene.today) if d in scene.demand]
        people = np.mean(served, axis=0) if served else np.ones(1)
        traffic = np.minimum(
            rush * (0.35 + 0.65 * people) * (1.0 + 0.12 * scene.wander(f"{item.id}|rush", 1200.0)), 1.0
        )
        _run_lift(scene, item, _QUIET + (_BUSY - _QUIET) * np.maximum(traffic, 0.0))


def _run_lift(scene: Scene, item: Equipment, busy: Array) -> None:
    """`busy` is the share of the slots with a trip. [-]"""
    rated = item.rating.get("power", 15.0)
    slot_us = round(_SLOT_S * 1e6)
    slot = scene.span.time_us // slot_us
    at_s = (scene.span.time_us - slot * slot_us) / 1e6
    key = noise.stream(scene.seed, f"{item.id}|trips")
    trip = noise.uniform(key, slot) < busy
    moving = trip & (at_s < _TRAVEL_S)
    door = trip & (at_s >= _TRAVEL_S) & (at_s < _TRAVEL_S + _DOOR_S)
    imbalance = _HEAVIEST * (2.0 * noise.uniform(key, slot + (1 << 40)) - 1.0)
    now = _STANDBY_KW + np.where(moving, physics.motor_power(imbalance, rated), 0.0)
    duty = busy * _TRAVEL_S / _SLOT_S
    usual = _STANDBY_KW + duty * physics.mean_trip_power(rated, _HEAVIEST)
    # A step longer than a slot holds many trips.
    power = np.where(scene.span.dt_s < _SLOT_S, now, usual)
    scene.draw(item, power, _POWER_FACTOR)
    scene.put(item, "active_power", power, 0.02)
    scene.count(item, "energy_import", power)
    scene.count(item, "trips", busy * 3600.0 / _SLOT_S)
    scene.count(item, "run_hours", duty)
    scene.put(item, "moving", moving)
    scene.put(item, "door", door)
    scene.put(item, "floor", _floor(scene, item, trip, noise.uniform(key, slot + (1 << 41))))
    room = 20.0 + 0.3 * (scene.outdoor_c - 15.0) + 8.0 * duty
    room = scene.lag(f"{item.id}/room", np.maximum(room, 8.0), 3 * 3600.0)
    scene.put(item, "machine_room_temperature", room, 0.1)
    scene.put(item, "machine_temperature", room + scene.lag(f"{item.id}/machine", 60.0 * duty, 2400.0), 0.3)
    # Brake and ropes wear from one service to the next.
    since = (
        np.mod(scene.span.time_us / 1e6 + scene.own(f"{item.id}|serviced", 0.0, _SERVICE_S), _SERVICE_S) / _SERVICE_S
    )
    scene.put(item, "levelling_error", 1.5 + 4.0 * since + 1.5 * scene.wander(f"{item.id}|levelling", 300.0), 0.3)
    jerk = scene.own(f"{item.id}|vibration", 0.09, 0.15) + 0.03 * since
    scene.put(item, "vibration", np.where(moving, jerk, 0.01), 0.004)
    scene.put(item, "in_service", 1.0)
    for quiet in ("fault", "entrapment", "emergency_call", "mode", "pit_water"):
        scene.put(item, quiet, 0.0)


def _floor(scene: Scene, item: Equipment, trip: NDArray[np.bool_], draw: Array) -> Array:
    """Return the floor at which each trip ends; the car stays there until the next."""
    last = np.maximum.accumulate(np.where(trip, np.arange(len(scene)), -1))
    ends = 1.0 + np.floor(draw * _FLOORS)
    name = f"{item.id}/floor"
    floor = np.where(last >= 0, ends[np.maximum(last, 0)], scene.memory.get(name, 1.0))
    scene.memory[name] = float(floor[-1])
    return floor
