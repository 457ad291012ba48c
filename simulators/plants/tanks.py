"""Water tanks: float valve, level, what spills, and the temperature, age and chlorine of the water in them."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from facility.site import Equipment
from simulators.physics import chlorine
from simulators.physics.water_tank import Filling, FloatValve, fill, mixed
from simulators.scene import Array, Scene

_VALVE_PER_VOLUME: Final = 0.9  # most inflow a tank takes, over its volume [1/h]
_FIRST_LEVEL: Final = 0.75
_LOW: Final = 15.0  # where the low-level contact is made [%]
_FULL: Final = 98.0  # where the overflow contact is made [%]
_ROOM_LOSS_PER_H: Final = 0.006  # heat that a tank exchanges with its room, over that of its water


class Sample(NamedTuple):
    """Water as it is at one place: free chlorine [mg/L], temperature [°C], and how long it has been in tanks [h]."""

    chlorine: Array
    water_c: Array
    age_h: Array


class Tank(NamedTuple):
    """What a tank passes on: what it takes in, bypass included [m³/h], what share of the demand it gives, the water."""

    inlet_m3h: Array
    supplied: Array
    sample: Sample


def run(scene: Scene, item: Equipment, wanted_m3h: Array, inflow: Sample) -> Tank:
    """Work out one tank from which a flow is wanted, and let its sensors show it."""
    volume = item.rating.get("volume", 30.0)
    valve = FloatValve(_VALVE_PER_VOLUME * volume)
    around = wanted_m3h * 0.9 * np.asarray(scene.fault("WS-F09", item))
    drawn = wanted_m3h - around
    start = scene.memory.get(f"{item.id}/level", 100.0 * _FIRST_LEVEL) / 100.0
    stuck = scene.fault("WS-F05", item)
    shut = np.asarray(scene.fault("WS-F06", item))
    filling = fill(drawn, scene.span.dt_s, start, volume, valve, 0.75 * np.asarray(stuck), shut)
    _charge_spill(scene, item, filling, drawn, start, volume, valve, stuck)
    scene.memory[f"{item.id}/level"] = 100.0 * float(filling.level[-1])
    scene.sewage[item.id] = filling.spill_m3h
    sample = _water(scene, item, filling, volume, inflow)
    _show(scene, item, filling, sample, valve)
    supplied = np.where(wanted_m3h > 0.0, (filling.outlet_m3h + around) / np.maximum(wanted_m3h, 1e-9), 1.0)
    # Water that went round has not stayed.
    share = around / np.maximum(filling.outlet_m3h + around, 1e-9)
    blended = Sample(
        share * inflow.chlorine + (1.0 - share) * sample.chlorine,
        share * inflow.water_c + (1.0 - share) * sample.water_c,
        sample.age_h,
    )
    return Tank(filling.inlet_m3h + around, supplied, blended)


def _charge_spill(
    scene: Scene,
    item: Equipment,
    filling: Filling,
    drawn: Array,
    start: float,
    volume: float,
    valve: FloatValve,
    stuck: Array | float,
) -> None:
    """Charge what a stuck float valve lets in more than a sound one would have, from the level where it stuck."""
    name = f"{item.id}/sound_level"
    if isinstance(stuck, float):
        scene.memory.pop(name, None)
        return
    sound = fill(drawn, scene.span.dt_s, scene.memory.get(name, start), volume, valve)
    scene.memory[name] = float(sound.level[-1])
    scene.waste("WS-F05", item, filling.inlet_m3h - sound.inlet_m3h)


def _water(scene: Scene, item: Equipment, filling: Filling, volume: float, inflow: Sample) -> Sample:
    held = np.maximum(filling.level * volume, 0.02 * volume)
    exchange, dt_s = filling.inlet_m3h / held, scene.span.dt_s
    room_c = 19.0 + 0.35 * (scene.outdoor_c - 16.0)

    def follow(name: str, incoming: Array, gain: Array | float, loss: Array | float, usual: float) -> Array:
        key = f"{item.id}/{name}"
        followed = mixed(scene.memory.get(key, usual), incoming, exchange, gain, loss, dt_s)
        scene.memory[key] = float(followed[-1])
        return followed

    water_c = follow("water_c", inflow.water_c, _ROOM_LOSS_PER_H * room_c, _ROOM_LOSS_PER_H, float(inflow.water_c[0]))
    age_h = follow("age", inflow.age_h, 1.0, 0.0, 6.0)
    left = follow("chlorine", inflow.chlorine, 0.0, chlorine.bulk_decay(water_c), 0.9 * float(inflow.chlorine[0]))
    return Sample(left, water_c, age_h)


def _show(scene: Scene, item: Equipment, filling: Filling, sample: Sample, valve: FloatValve) -> None:
    level = 100.0 * filling.level
    # The surface is never quite still.
    scene.put(item, "level", level, 0.05)
    scene.put(item, "overflow", level > _FULL)
    scene.put(item, "low_level", level < _LOW)
    scene.put(item, "inlet_flow", filling.inlet_m3h, 0.002 * valve.most_m3h)
    scene.put(item, "outlet_flow", filling.outlet_m3h, 0.002 * valve.most_m3h)
    scene.put(item, "inlet_valve", 100.0 * filling.inlet_m3h / valve.most_m3h, 0.3)
    scene.put(item, "water_temperature", sample.water_c, 0.03)
    scene.put(item, "hatch", 0.0)
    scene.put(item, "water_leak", 0.0)
