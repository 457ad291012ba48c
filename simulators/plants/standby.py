"""Generators, transfer switches and uninterruptible supplies: what they show, once their loads are known."""

from __future__ import annotations

from typing import Final

import numpy as np

from facility.site import Equipment
from simulators.physics import battery
from simulators.physics import generator as physics
from simulators.plants.voltage import battery_capacity, minutes_at_full, rated_kw, second_source
from simulators.scene import Array, Scene

_AUTO, _OFF = 2.0, 0.0
_LOAD_BANK: Final = 0.35  # of its rating, to which a monthly test is brought at least [-]
_COOLANT_TAU_S, _BATTERY_TAU_S, _UPS_TAU_S = 2400.0, 100_000.0, 6 * 3600.0
_REFUEL_BELOW, _REFUEL_TO = 75.0, 92.0  # [%]
_REFUEL_WEEKDAY, _REFUEL_H = 1, 10.0
_INVERTER, _BATTERY, _NO_OUTPUT = 1.0, 2.0, 0.0
_WORN: Final = 0.6  # what its self-test lets a battery have lost before it reports it [-]


def run(scene: Scene) -> None:
    """Show every generator, transfer switch and uninterruptible supply."""
    for item in scene.each("diesel_generator"):
        _show_generator(scene, item)
    for item in scene.each("transfer_switch"):
        _show_switch(scene, item)
    for item in scene.each("ups"):
        _show_ups(scene, item)


def _show_generator(scene: Scene, item: Equipment) -> None:
    rated = item.rating.get("power", 500.0)
    left_off = np.asarray(scene.fault("EL-F23", item)) > 0.0
    turning, voltage = scene.grid.turning[item.id], np.asarray(scene.grid.alive(item.id))
    on, there = (turning > 0.0).astype(np.float64), voltage > 0.5
    carried = scene.grid.load.get(item.id, (scene.zeros(), scene.zeros()))[0]
    # A test under load is brought up to what the engine needs to get hot.
    kw = np.maximum(carried, _LOAD_BANK * rated * scene.grid.tested[item.id] * voltage)
    load = kw / rated
    room_c = 18.0 + 0.5 * (scene.outdoor_c - 15.0) + 6.0 * scene.lag(f"{item.id}/room", turning, 1800.0)
    scene.put(item, "running", on)
    scene.put(item, "mode", np.where(left_off, _OFF, _AUTO))
    for point in ("fault", "start_failure"):
        scene.put(item, point, 0.0)
    scene.put(item, "breaker_closed", kw > 0.0)
    scene.put(item, "mains_present", np.asarray(scene.grid.mains[item.id]) > 0.5)
    # Droop: it gives way a little as the load grows.
    scene.put(item, "voltage", (402.0 - 5.0 * load) * there, 0.4 * there)
    scene.put(item, "frequency", (50.2 - 0.4 * load) * there, 0.05 * there)
    scene.put(item, "active_power", kw, 0.001 * rated * (kw > 0.0))
    target = physics.coolant_target(turning, load, np.where(left_off, 0.0, 1.0), room_c)
    coolant = scene.lag(f"{item.id}/coolant", target, _COOLANT_TAU_S)
    scene.put(item, "coolant_temperature", coolant, 0.2)
    # Cold oil is thick.
    scene.put(item, "oil_pressure", (460.0 - 1.3 * (coolant - 20.0)) * on, 4.0 * on)
    # Left off, the charger is off too, and the battery runs down.
    battery_v = scene.lag(f"{item.id}/battery", np.where(left_off, 21.5, 26.8), _BATTERY_TAU_S) - 0.4 * on
    scene.put(item, "battery_voltage", battery_v, 0.02)
    scene.put(item, "fuel_level", _fuel(scene, item, turning, load), 0.05)
    scene.put(item, "room_temperature", room_c, 0.1)
    scene.count(item, "energy_export", kw)
    scene.count(item, "run_hours", turning)
    scene.count_starts(item, "starts", on > 0.5)


def _fuel(scene: Scene, item: Equipment, turning: Array, load: Array) -> Array:
    """Return the level of the day tank; it is filled on a Tuesday morning when it has fallen low. [%]"""
    full_lh = item.rating.get("consumption", 0.26 * item.rating.get("power", 500.0))
    burnt_lh = physics.fuel_flow(load, full_lh) * turning
    burnt = np.cumsum(burnt_lh * scene.span.dt_s / 3600.0) / item.rating.get("tank", 1000.0) * 100.0
    level = scene.memory.get(f"{item.id}/fuel_level", scene.own(f"{item.id}|fuel", 84.0, 92.0)) - burnt
    delivery = (scene.span.weekday == _REFUEL_WEEKDAY) & (np.abs(scene.span.hour - _REFUEL_H) < 0.5)
    for i in np.flatnonzero(delivery & (level < _REFUEL_BELOW))[:1]:
        level[i:] += _REFUEL_TO - level[i]
    level = np.maximum(level, 0.0)
    scene.memory[f"{item.id}/fuel_level"] = float(level[-1])
    return level


def _show_switch(scene: Scene, item: Equipment) -> None:
    there = _whole(scene, scene.grid.alive(item.id)) > 0.5
    stuck = np.asarray(scene.fault("EL-F02", item)) > 0.0
    position = np.where(scene.grid.second.get(item.id, scene.zeros()) > 0.5, 2.0, 1.0)
    first = scene.grid.alive(item.fed_by[0]) if item.fed_by else 0.0
    scene.put(item, "position", position)
    scene.put(item, "source_1_present", (_whole(scene, first) > 0.5) & ~stuck)
    scene.put(item, "source_2_present", _second_source_present(scene, item))
    scene.put(item, "load_present", there)
    scene.put(item, "auto", 1.0)
    scene.put(item, "fault", stuck)
    kw, kvar = scene.grid.load[item.id]
    amperes = np.hypot(kw, kvar) / (np.sqrt(3.0) * 0.385)
    scene.put(item, "current", amperes, 0.001 * item.rating.get("current", 400.0))
    name = f"{item.id}/position"
    moved = np.abs(np.diff(position, prepend=scene.memory.get(name, float(position[0]))))
    scene.memory[name] = float(position[-1])
    # A register adds up a rate: one move in a step is one over the step's length.
    scene.count(item, "operations", moved * 3600.0 / np.maximum(scene.span.dt_s, 1e-6))


def _whole(scene: Scene, share: Array | float) -> Array:
    """Return a share at every time of the stretch."""
    return np.broadcast_to(share, (len(scene),))


def _second_source_present(scene: Scene, item: Equipment) -> Array:
    """Return whether a switch may count on its second source. A generator at rest counts if it would start."""
    source = second_source(scene, item)
    if source is None:
        return scene.zeros()
    there = _whole(scene, scene.grid.alive(source)) > 0.5
    if source in scene.grid.turning:
        in_auto = np.asarray(scene.fault("EL-F23", scene.site.equipment[source])) <= 0.0
        at_rest = (scene.grid.turning[source] <= 0.0) & (np.asarray(scene.grid.mains[source]) > 0.5)
        there = there | (at_rest & in_auto)
    return there.astype(np.float64)


def _show_ups(scene: Scene, item: Equipment) -> None:
    there = _whole(scene, scene.grid.alive(item.id)) > 0.5
    supplied = _whole(scene, scene.grid.alive(item.fed_by[0]) if item.fed_by else 1.0) > 0.5
    kw, _ = scene.grid.load[item.id]
    load = kw / rated_kw(item)
    charge = np.asarray(scene.grid.charge.get(item.id, 1.0))
    capacity = battery_capacity(scene, item)
    weak = np.asarray(scene.fault("EL-F22", item))
    scene.put(item, "load", 100.0 * load, 0.1)
    scene.put(item, "active_power", kw, 0.001 * rated_kw(item))
    input_v = (386.0 + 2.5 * scene.wander(f"{item.id}|input", 3600.0)) * supplied
    scene.put(item, "input_voltage", input_v, 0.4 * supplied)
    scene.put(item, "output_voltage", 380.0 * there, 0.2 * there)
    cells = item.rating.get("float_voltage", 432.0) / battery.FLOAT_V
    # Blocks with a shorted cell take their share of the string's voltage with them.
    shorted = 1.0 - 0.02 * weak
    cell_v = battery.cell_voltage(charge, supplied.astype(np.float64), load / capacity)
    scene.put(item, "battery_voltage", cells * cell_v * shorted, 0.15)
    warm = 22.5 + 0.08 * (scene.outdoor_c - 15.0) + 1.5 * load + 5.0 * weak + 4.0 * (1.0 - charge)
    scene.put(item, "battery_temperature", scene.lag(f"{item.id}/battery", warm, _UPS_TAU_S), 0.05)
    minutes = battery.endurance(load, minutes_at_full(scene, item), capacity) * charge
    scene.put(item, "battery_minutes", minutes, 0.1)
    scene.put(item, "supply_mode", np.where(there, np.where(supplied, _INVERTER, _BATTERY), _NO_OUTPUT))
    scene.put(item, "battery_fault", capacity < 1.0 - _WORN)
    scene.put(item, "fault", 0.0)
