"""Isolated power panels of theatres and intensive care: insulation monitor and isolating transformer."""

from __future__ import annotations

from typing import Final

import numpy as np

from facility.site import Equipment
from simulators.scene import Array, Scene

_POWER_FACTOR: Final = 0.93
_REST, _BUSIEST = 0.10, 0.50  # load over the transformer's rating, before nobody and in full use [-]
_FAULT_KOHM: Final = 20.0  # what a device with a fault to earth still isolates, at full severity
_LOSSES: Final = (0.012, 0.028)  # at no load and with the square of the load, over the rating [-]
_RISE_K: Final = 55.0  # of the winding at rated load
_TAU_S: Final = 3600.0


def run(scene: Scene) -> None:
    """Work out every panel, before what has voltage is known: a panel's supply is the last thing to go."""
    for item in scene.each("isolated_power_panel"):
        _run(scene, item)


def _run(scene: Scene, item: Equipment) -> None:
    rated = item.rating.get("power", 8.0)
    present = [scene.demand[d].people for d in item.serves.on(scene.today) if d in scene.demand]
    busy = np.mean(present, axis=0) if present else scene.zeros()
    flutter = 1.0 + 0.06 * scene.wander(f"{item.id}|load", 600.0)
    load = np.clip((_REST + (_BUSIEST - _REST) * busy) * flutter, 0.0, 1.2)
    idle, loaded = _LOSSES
    scene.draw(item, rated * (load * _POWER_FACTOR + idle + loaded * load**2), _POWER_FACTOR)
    scene.put(item, "load", 100.0 * load, 0.2)
    scene.put(item, "insulation_resistance", _insulation(scene, item, load), 2.0)
    warm = 23.0 + 0.06 * (scene.outdoor_c - 15.0) + _RISE_K * (0.25 + 0.75 * load**2)
    scene.put(item, "transformer_temperature", scene.lag(f"{item.id}/transformer", warm, _TAU_S), 0.1)
    scene.put(item, "monitor_fault", 0.0)


def _insulation(scene: Scene, item: Equipment, load: Array) -> Array:
    """Return the resistance to earth of all cables and devices side by side. [kΩ]"""
    cables = scene.own(f"{item.id}|cables", 900.0, 1600.0) * (1.0 + 0.05 * scene.wander(f"{item.id}|air", 7200.0))
    # Each device that is plugged in adds its own leakage.
    sound = 1.0 / (1.0 / cables + load / 900.0)
    severity = np.asarray(scene.fault("EL-F21", item))
    insulation: Array = 1.0 / (1.0 / sound + severity / _FAULT_KOHM)
    return insulation
