"""Water quality stations: what their probes show of the water that passes, and the doser that keeps its chlorine up."""

from __future__ import annotations

from typing import Final

import numpy as np

from facility.site import Equipment
from simulators.physics import chlorine
from simulators.physics.water_tank import mixed
from simulators.plants.tanks import Sample
from simulators.scene import Array, Scene

_DOSED_MG_L: Final = 0.25  # what the doser keeps up
_COMBINED_MG_L: Final = 0.07  # chlorine bound to what nitrogen the water holds
_SLIME_PER_H: Final = 1.5  # decay in a tank full of slime
_DOSE_MIXES_S: Final = 1800.0  # what is dosed has mixed in, and what is dosed no more is gone
_LEAST_STAY_H: Final = 0.1
_HOT_C: Final = 55.0
_LAMP_LIFE_H: Final = 8000.0
# A meter's length of iron main between the tank and the probe, in which it stays for some minutes.
_MAIN: Final = chlorine.wall_decay(velocity_m_s=0.8, diameter_m=0.15, wall_m_d=0.1)
_MAIN_H: Final = 0.1


def show(scene: Scene, item: Equipment, water: Sample) -> None:
    """Show the water that passes a station."""
    slimy, mixes = np.asarray(scene.fault("WS-F07", item)), np.asarray(scene.fault("WS-F16", item))
    fouled = np.asarray(scene.fault("WS-F11", item))
    arrives = water.chlorine * chlorine.remaining(chlorine.bulk_decay(water.water_c) + _MAIN, _MAIN_H)
    arrives = arrives * _slime_leaves(scene, item, slimy, water.age_h)
    works = slimy <= 0.0
    dosing = works & (arrives < _DOSED_MG_L)
    missing = np.where(works, np.maximum(_DOSED_MG_L - arrives, 0.0), 0.0)
    free = arrives + scene.lag(f"{item.id}/dosed", missing, _DOSE_MIXES_S)
    # A mixer without check valve lets hot water into the cold: no chlorine is left in that.
    hot = 0.35 * mixes
    free, water_c = free * (1.0 - hot), water.water_c + hot * (_HOT_C - water.water_c)
    # Slime on the membrane lets less chlorine through to the electrode.
    seen = free * (1.0 - 0.7 * fouled)
    scene.put(item, "free_chlorine", seen, 0.004)
    bound = _COMBINED_MG_L + 0.01 * scene.wander(f"{item.id}|bound", 43200.0)
    scene.put(item, "total_chlorine", free + bound, 0.004)
    scene.put(item, "turbidity", _turbidity(scene, item), 0.005)
    scene.put(item, "ph", 7.5 + 0.12 * scene.wander(f"{item.id}|ph", 86400.0), 0.01)
    scene.put(item, "water_temperature", water_c, 0.03)
    scene.put(item, "conductivity", 330.0 + 25.0 * scene.wander(f"{item.id}|salt", 3 * 86400.0), 1.0)
    scene.put(item, "dosing", dosing)
    scene.put(item, "sample_flow", 40.0 + 2.0 * scene.wander(f"{item.id}|sample", 7200.0), 0.3)
    scene.count(item, "uv_hours", 1.0)
    scene.put(item, "uv_lamp", 1.0)
    burnt = np.mod(scene.values.get(f"{item.id}/uv_hours", np.zeros(1)), _LAMP_LIFE_H) / _LAMP_LIFE_H
    scene.put(item, "uv_intensity", 100.0 - 20.0 * burnt, 0.2)


def _slime_leaves(scene: Scene, item: Equipment, slimy: Array, age_h: Array) -> Array:
    """Return the share of the chlorine that slime in the tank leaves; the tank's water is exchanged as it ages. [-]"""
    key = f"{item.id}/slime"
    if key not in scene.memory and not slimy.any():
        return np.ones(1)
    decay = np.broadcast_to(_SLIME_PER_H * slimy, (len(scene),))
    stay_h = np.maximum(age_h, _LEAST_STAY_H)
    start = scene.memory.get(key, float(chlorine.remaining_mixed(decay[0], stay_h[0])))
    left = mixed(start, np.ones(len(scene)), 1.0 / stay_h, 0.0, decay, scene.span.dt_s)
    scene.memory[key] = float(left[-1])
    return left


def _turbidity(scene: Scene, item: Equipment) -> Array:
    """Return what makes the water cloudy: the works' usual rest, and sediment that is stirred up. [NTU]"""
    usual = 0.22 * np.exp(0.2 * scene.wander(f"{item.id}|cloudy", 12 * 3600.0))
    stirred = np.asarray(scene.fault("WS-F08", item))
    clouds: Array = usual + 2.4 * stirred * (1.0 + 0.15 * scene.wander(f"{item.id}|sediment", 600.0))
    return clouds
