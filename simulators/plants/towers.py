"""Cooling towers of a chiller plant: fans that hold the condenser water, and the water that they lose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from facility.site import Equipment
from simulators.physics import cooling_tower as physics
from simulators.physics.air import saturation_enthalpy
from simulators.physics.chiller import KWH_M3_K
from simulators.physics.duty_cycle import duty_cycle
from simulators.physics.room import humidity_ratio
from simulators.scene import Array, Scene
from simulators.twin import Twin

WASTEFUL: Final = ("CH-F11", "CH-F12")
_POWER_FACTOR: Final = 0.84
_APPROACH_K: Final = 4.0  # over the wet bulb, which the fans are to reach
_COLDEST_C, _WARMEST_C = 20.0, 32.0  # of the condenser water: colder, and screw machines lose their oil
_LEAST_SPEED: Final = 0.2
_CYCLE_S: Final = 600.0
_BASIN_TAU_S: Final = 600.0
_HALVINGS: Final = 13

_CYCLES: Final = 4.5  # of concentration, which the bleed keeps
_MAINS_US_CM: Final = 330.0  # conductivity of the make-up water
_OVERFLOW_M3H: Final = 1.6
_SALT_TAU_S: Final = 12 * 3600.0


@dataclass(frozen=True, slots=True)
class Heat:
    """Heat to be given off [kW], and the water that carries it [m³/h]: it flows while any chiller has its turn."""

    kw: Array
    water_m3h: Array


@dataclass(frozen=True, slots=True)
class _Cell:
    """One tower in one stretch: its fan's speed, the part of each step in which it turns, heat, water."""

    speed: Array
    on: Array
    fan_kw: Array
    heat_kw: Array
    outlet_c: Array
    evaporated_m3h: Array


@dataclass(frozen=True, slots=True)
class Rejected:
    """What the towers of a plant do: each of them, and the condenser water that comes from them together [°C]."""

    cells: Sequence[_Cell]
    supply_c: Array
    heat: Heat
    fan_kw: Array

    @property
    def return_c(self) -> Array:
        """Return the water that comes back hot. [°C]"""
        return self.supply_c + _range(self.heat)

    def after(self, heat: Heat) -> Rejected:
        """Return the same with the heat that it has been in the end."""
        return replace(self, heat=heat)


def setpoint(wet_bulb_c: Array) -> Array:
    """Return the condenser water that the fans are to make. [°C]"""
    return np.clip(wet_bulb_c + _APPROACH_K, _COLDEST_C, _WARMEST_C)


def _range(heat: Heat) -> Array:
    return np.where(heat.water_m3h > 0.0, heat.kw / np.maximum(KWH_M3_K * heat.water_m3h, 1e-6), 0.0)


def model_of(item: Equipment) -> physics.Tower:
    """Return a tower as its nameplate has it."""
    flow = item.rating.get("flow", 250.0)
    return physics.Tower(flow, item.rating.get("fan_power", 0.03 * flow))


def work_out(twin: Twin, room: str, items: Sequence[Equipment], heat: Heat) -> Rejected:
    """Work out the towers of a plant; without any, the condenser water is as good towers would make it."""
    scene = twin.scene
    wanted_c = setpoint(scene.wet_bulb_c)
    if not items:
        return Rejected((), wanted_c, heat, scene.zeros())
    models = [model_of(item) for item in items]
    total_m3h = sum(m.flow_m3h for m in models)
    parts = [m.flow_m3h / total_m3h for m in models]
    # Water whose flow is far below the rated is not spread over all cells.
    water_kg_s = np.maximum(heat.water_m3h, 0.25 * total_m3h) / 3.6
    hot_c = wanted_c + heat.kw / (physics.CP_WATER * water_kg_s)
    slope = physics.saturation_slope(hot_c, wanted_c)
    manual = [np.asarray(twin.fault("CH-F12", item)) for item in items]
    fill = [1.0 - 0.6 * np.asarray(twin.fault("CH-F11", item)) for item in items]
    air_over_water = [m.air_kg_s / (water_kg_s * part) for m, part in zip(models, parts, strict=True)]

    def speeds(speed: Array) -> list[Array]:
        return [speed + by_hand * (1.0 - speed) for by_hand in manual]

    def moved(speed: Array) -> list[Array]:
        return [
            part * physics.transfer(ratio * each, slope, left)
            for part, ratio, each, left in zip(parts, air_over_water, speeds(speed), fill, strict=True)
        ]

    drive = np.maximum(saturation_enthalpy(hot_c) - saturation_enthalpy(scene.wet_bulb_c), 1e-3)
    needed = heat.kw / (water_kg_s * drive)
    low, high = np.full(len(scene), _LEAST_SPEED), np.ones(len(scene))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        enough = sum(moved(middle)) >= needed
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    speed = np.where(needed > sum(moved(np.full(len(scene), _LEAST_SPEED))), high, _LEAST_SPEED)
    each = moved(speed)
    together = sum(each, scene.zeros())
    # Where the slowest speed is too much, fans go on and off.
    duty = np.where(heat.kw > 0.0, np.minimum(needed / np.maximum(together, 1e-9), 1.0), 0.0)
    hand = np.max([m * np.ones(len(scene)) for m in manual], axis=0) > 0.0
    effective = together * np.where(hand, 1.0, duty)
    hot_c = physics.hot_water(heat.kw, effective, water_kg_s, scene.wet_bulb_c)
    on, _ = duty_cycle(scene.span.time_us / 1e6, scene.span.dt_s, duty, _CYCLE_S)
    cells = []
    outdoor_ratio = humidity_ratio(scene.outdoor_c, scene.humidity)
    idle_c = np.maximum(scene.wet_bulb_c + 1.0, 8.0)
    supply_c = scene.zeros()
    for i, (item, model) in enumerate(zip(items, models, strict=True)):
        given_kw = heat.kw * each[i] / np.maximum(together, 1e-9)
        outlet_c = hot_c - given_kw / (physics.CP_WATER * water_kg_s * parts[i])
        outlet_c = np.where(heat.kw > 0.0, np.maximum(outlet_c, scene.wet_bulb_c + 0.3), idle_c)
        outlet_c = twin.lag(f"{item.id}/basin", outlet_c, _BASIN_TAU_S)
        mine = speeds(speed)[i]
        turning = np.where(manual[i] > 0.0, 1.0, on)
        air_kg_s = model.air_kg_s * mine * np.where(manual[i] > 0.0, 1.0, np.maximum(duty, 0.05))
        evaporated = physics.evaporation(given_kw, air_kg_s, scene.outdoor_c, outdoor_ratio)
        cells.append(
            _Cell(mine * (turning > 0.0), turning, model.fan_power(mine) * turning, given_kw, outlet_c, evaporated)
        )
        supply_c = supply_c + parts[i] * outlet_c
    return Rejected(cells, supply_c, heat, sum((c.fan_kw for c in cells), scene.zeros()))


def show(scene: Scene, items: Sequence[Equipment], rejected: Rejected) -> None:
    """Show the towers, and let them draw electricity and water."""
    flows = (rejected.heat.water_m3h > 0.0).astype(np.float64)
    total_m3h = sum(model_of(item).flow_m3h for item in items)
    for item, cell in zip(items, rejected.cells, strict=True):
        water_m3h = rejected.heat.water_m3h * model_of(item).flow_m3h / total_m3h
        turning = cell.on > 0.5
        scene.draw(item, cell.fan_kw, _POWER_FACTOR)
        scene.put(item, "fan_running", turning)
        scene.put(item, "fan_fault", 0.0)
        scene.put(item, "fan_frequency", 50.0 * cell.speed * turning, 0.03 * turning)
        inlet_c = np.where(flows > 0.0, rejected.return_c, cell.outlet_c)
        scene.put(item, "inlet_temperature", inlet_c, 0.05)
        scene.put(item, "outlet_temperature", cell.outlet_c, 0.05)
        scene.put(item, "wet_bulb_temperature", scene.wet_bulb_c, 0.1)
        own = scene.own(f"{item.id}|roughness", 0.85, 1.15)
        shaking = own * np.where(turning, 0.7 + 1.5 * cell.speed**2, 0.05)
        scene.put(item, "vibration_velocity", shaking * (1.0 + 0.05 * scene.wander(f"{item.id}|shake", 120.0)), 0.03)
        scene.put(item, "active_power", cell.fan_kw, 0.01 * turning)
        scene.count(item, "energy_import", cell.fan_kw)
        scene.count(item, "run_hours", cell.on)
        _show_water(scene, item, cell, water_m3h)


def _show_water(scene: Scene, item: Equipment, cell: _Cell, water_m3h: Array) -> None:
    """What evaporates, drifts, is let off or overflows is made up."""
    drift = physics.DRIFT * water_m3h
    bleed = physics.bleed(cell.evaporated_m3h, drift, _CYCLES)
    stuck = scene.fault("WS-F13", item)
    over = _OVERFLOW_M3H * np.asarray(stuck) * np.ones(len(scene))
    if not isinstance(stuck, float):
        scene.waste("WS-F13", item, over)
    makeup = cell.evaporated_m3h + drift + bleed + over
    scene.water[item.id] = makeup
    scene.sewage[item.id] = bleed + over
    scene.count(item, "makeup_total", makeup)
    scene.count(item, "bleed_total", bleed)
    level = 70.0 + 3.0 * scene.wander(f"{item.id}|level", 1500.0)
    full = scene.lag(f"{item.id}/full", np.where(over > 0.0, 1.0, 0.0), 900.0)
    scene.put(item, "basin_level", level + full * (99.0 - level), 0.3)
    # Salts leave with all water but the vapour; while nothing runs their density stays as it was.
    trickle = 1e-6
    vapour = scene.lag(f"{item.id}/vapour", cell.evaporated_m3h + (_CYCLES - 1.0) * trickle, _SALT_TAU_S)
    liquid = scene.lag(f"{item.id}/liquid", drift + bleed + over + trickle, _SALT_TAU_S)
    scene.put(item, "conductivity", _MAINS_US_CM * (1.0 + vapour / liquid), 4.0)
    scene.put(item, "ph", 8.2 + 0.12 * scene.wander(f"{item.id}|ph", 86400.0), 0.02)
