"""The store of medical waste: what comes and goes, how cold it is kept, and who opens its door."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from facility.site import Equipment
from simulators import noise
from simulators.occupancy import bed_occupancy
from simulators.physics.room import humidity_ratio, relative_humidity_of
from simulators.scene import Array, Scene

_KG_BED: Final = (
    0.62  # medical waste of an occupied bed and day, clinics and theatres included; surveys have 0.5 to 0.9
)
_USUAL_BEDS: Final = 400.0
_MORNING, _AFTERNOON = (6.5, 9.5), (14.0, 17.0)  # the hospital's own collection
_MORNING_SHARE: Final = 0.55
_LORRY_H: Final = 10.5  # takes all away, every day
_SET_C: Final = 6.0
_BAND_K: Final = 1.2
_CYCLE_S: Final = 1500.0
_COOLING_KW: Final = 4.0  # heat that the unit takes while it runs
_LOSS_KW_K: Final = 0.055  # through insulated walls
_COP: Final = 2.6
_POWER_FACTOR: Final = 0.8
_DOOR_US: Final = 200_000_000


def run(scene: Scene) -> None:
    """Work out every store; several share what comes."""
    stores = list(scene.each("medical_waste_store"))
    for item in stores:
        _run_store(scene, item, len(stores))


def _collected(hour: Array) -> Array:
    """Return which share of a day's waste has come since midnight. [-]"""
    times = (0.0, *_MORNING, *_AFTERNOON, 24.0)
    return np.interp(hour, times, (0.0, 0.0, _MORNING_SHARE, _MORNING_SHARE, 1.0, 1.0))


def _run_store(scene: Scene, item: Equipment, stores: int) -> None:
    hour = scene.span.hour
    beds = scene.site.sizes.on(scene.today).beds or _USUAL_BEDS
    a_day = (
        _KG_BED
        * beds
        * bed_occupancy(scene.span)
        / stores
        * (1.0 + 0.06 * scene.wander(f"{item.id}|waste", 2 * 86400.0))
    )
    shift_h = np.where(hour < _AFTERNOON[0], _MORNING[1] - _MORNING[0], _AFTERNOON[1] - _AFTERNOON[0])
    share = np.where(hour < _AFTERNOON[0], _MORNING_SHARE, 1.0 - _MORNING_SHARE)
    collecting = ((hour >= _MORNING[0]) & (hour < _MORNING[1])) | ((hour >= _AFTERNOON[0]) & (hour < _AFTERNOON[1]))
    scene.count(item, "received_total", np.where(collecting, a_day * share / shift_h, 0.0))
    gone = hour >= _LORRY_H
    held = _collected(hour) - _MORNING_SHARE + np.where(gone, 0.0, 1.0)
    scene.put(item, "weight", np.maximum(a_day * held, 0.0), 0.4)
    oldest = np.where(gone, np.maximum(hour - _AFTERNOON[0], 0.0), hour + 24.0 - _AFTERNOON[0])
    scene.put(item, "oldest_hours", oldest)
    # Every other stretch of some minutes the keepers may stand in the door: never long.
    slot = scene.span.time_us // _DOOR_US
    handing = collecting | (np.abs(hour - _LORRY_H) < 0.3)
    key = noise.stream(scene.seed, f"{item.id}|door")
    door = handing & (slot % 2 == 1) & (noise.uniform(key, slot) < 0.5)
    scene.put(item, "door", door)
    scene.put(item, "uv_lamp", (hour >= 22.0) & (hour < 23.0))
    scene.put(item, "water_leak", 0.0)
    _cool(scene, item, handing)


def _cool(scene: Scene, item: Equipment, handing: NDArray[np.bool_]) -> None:
    """A thermostat holds the store; over a cycle its unit runs for the share of the time that the heat asks for."""
    around = 0.5 * (scene.outdoor_c + 20.0)
    heat = np.maximum(_LOSS_KW_K * (around - _SET_C), 0.0) + 0.4 + 0.9 * handing
    duty = scene.lag(f"{item.id}/duty", np.minimum(heat / _COOLING_KW, 1.0), 1800.0)
    cycle = np.mod(scene.span.time_us / 1e6, _CYCLE_S) / _CYCLE_S
    on = cycle < duty
    # It falls while the unit runs and rises while it stands.
    swing = np.where(on, 0.5 - cycle / np.maximum(duty, 1e-6), (cycle - duty) / np.maximum(1.0 - duty, 1e-6) - 0.5)
    temperature = _SET_C + _BAND_K * swing + 1.5 * scene.lag(f"{item.id}/warm", handing.astype(np.float64), 1200.0)
    running = np.where(scene.span.dt_s < _CYCLE_S / 10.0, on * 1.0, duty)
    scene.draw(item, 0.15 + running * _COOLING_KW / _COP, _POWER_FACTOR)
    scene.put(item, "temperature", temperature, 0.05)
    scene.put(item, "cooling_running", on)
    outside = relative_humidity_of(humidity_ratio(scene.outdoor_c, scene.humidity), np.maximum(temperature, 2.0))
    scene.put(item, "humidity", np.minimum(outside, 62.0) + 5.0 * scene.wander(f"{item.id}|humidity", 3600.0), 0.5)
