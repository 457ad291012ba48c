"""Medical air and medical vacuum: plants of several machines on one receiver, and the zones that they serve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facility.site import Equipment
from simulators.physics import compressor, pipeline, vacuum
from simulators.scene import Array, Scene

_NM3H_PER_LMIN: Final = 0.06
_POWER_FACTOR: Final = 0.86

# ---- Air ----
_AIR_SET_KPA: Final = 445.0
_AIR_ENOUGH_KPA: Final = 300.0
_REGULATOR_DROP_KPA: Final = 6.0
_ZONE_DROP_KPA: Final = 8.0
_RECEIVER_KPA: Final = (700.0, 800.0)  # cut in, cut out
_RECEIVER_H: Final = 1.0 / 25.0  # receiver's volume, in hours of one compressor's free air
_PURGE: Final = 0.12  # of one compressor's air, for the desiccant that is regenerated
_DRY_C: Final = -46.0
# ---- Vacuum ----
_VACUUM_KPA: Final = (60.0, 71.0)  # cut in, cut out, below the atmosphere
_VACUUM_MEAN_KPA: Final = 65.5
_VACUUM_ENOUGH_KPA: Final = 30.0
_VACUUM_ZONE_DROP_KPA: Final = 6.0
_VESSELS_H: Final = 1.0 / 4.0  # receivers and pipes, in hours of one pump's throughput
_MAIN_DROP_KPA: Final = 2.0
_FILTER_DROP_KPA: Final = 1.5
_OLD_SEALS: Final = 0.03  # what every pipeline leaks, of one pump's throughput
_LARGEST_LEAK_MM: Final = 5.0


def run(scene: Scene) -> None:
    """Work out the air plants and the vacuum plants, each with its zones."""
    for plant, zones in _with_zones(scene, "medical_air_plant", "medical_air_zone", "air_lmin"):
        _run_air(scene, plant, zones)
    for plant, zones in _with_zones(scene, "medical_vacuum_plant", "vacuum_zone", "vacuum_lmin"):
        _run_vacuum(scene, plant, zones)


def _with_zones(
    scene: Scene, plant_class: str, zone_class: str, carrier: str
) -> list[tuple[Equipment, dict[str, Array]]]:
    """Return every plant with what its zones and it itself, by name, are asked for. [L/min]"""
    tree = scene.tree(frozenset({plant_class, zone_class}))
    plants = list(scene.each(plant_class))
    asked = {name: scene.zeros() for name in tree.order}
    for department, holders in tree.share.items():
        for holder in holders:
            asked[holder] = asked[holder] + getattr(scene.demand[department], carrier) / len(holders)
    by_plant: dict[str, dict[str, Array]] = {plant.id: {} for plant in plants}
    for name, flow in asked.items():
        of = name if name in by_plant else tree.parent.get(name, plants[0].id if plants else "")
        by_plant.get(of, {})[name] = flow
    return [(plant, by_plant[plant.id]) for plant in plants]


@dataclass(frozen=True, slots=True)
class _Duty:
    """
    Machines that share one load, in steps: some run on, one starts and stops, the others stand by.

    Attributes
    ----------
    running : how many run at each time [-]
    fullness : where the receiver stands between its switch points, 0 to 1 [-]
    starts : how often one starts [1/h]
    mean : how many run in the mean of a step [-]
    """

    running: NDArray[np.float64]
    fullness: Array
    starts: Array
    mean: Array


def _duty(
    scene: Scene, plant: Equipment, load: Array, count: int, one_nm3h: float, store_m3: Array, band: float
) -> _Duty:
    load = load * scene.alive(plant)
    on = np.minimum(np.floor(load), count)
    part = np.where(on < count, load - on, 0.0)
    starts = compressor.cycles_per_hour(part, one_nm3h, store_m3, band)
    name = f"{plant.id}/cycle"
    phase = scene.memory.get(name, scene.own(name, 0.0, 1.0)) + np.cumsum(starts * scene.span.dt_s / 3600.0)
    scene.memory[name] = float(phase[-1]) % 1.0
    cycling, fullness = compressor.in_cycle(phase, part)
    running = np.where(on < count, on + cycling, on)
    return _Duty(running, np.where(on < count, fullness, 0.0), starts, np.minimum(load, count))


def _left(scene: Scene, plant: Equipment, vessels_h: float) -> Array | float:
    """Return what is left of a plant's pressure: without electricity its vessels run down, and fill again with it."""
    alive, name = scene.alive(plant), f"{plant.id}/left"
    if scene.memory.setdefault(name, 1.0) > 0.999 and isinstance(alive, float):
        return 1.0
    return scene.lag(name, alive + scene.zeros(), vessels_h * 3600.0)


def _show_machines(scene: Scene, plant: Equipment, point: str, count: int, running: Array) -> None:
    for rank in range(count):
        # First and last change over every week.
        place = (rank - scene.span.week) % count
        scene.put(plant, f"{point}_{rank + 1}", place < running)


def _show_work(scene: Scene, plant: Equipment, duty: _Duty, one_kw: Array) -> None:
    scene.draw(plant, one_kw * duty.mean, _POWER_FACTOR)
    scene.put(plant, "active_power", one_kw * duty.running, 0.003 * one_kw * (duty.running > 0.0))
    scene.count(plant, "energy_import", one_kw * duty.mean)
    scene.count(plant, "run_hours", np.minimum(duty.mean, 1.0))
    scene.count(plant, "starts", duty.starts)


def _count(plant: Equipment, point: str) -> int:
    return max(sum(f"{point}_{n}" in plant.points for n in (1, 2, 3)), 1)


def _show_zone_state(scene: Scene, zone: Equipment, opening: Array) -> None:
    scene.put(zone, "valve", np.where(opening > 0.03, 1.0, 0.0))
    scene.put(zone, "sensor_fault", 0.0)


def _run_air(scene: Scene, plant: Equipment, asked: dict[str, Array]) -> None:
    count = _count(plant, "compressor_running")
    one = plant.rating.get("flow", 60.0)
    steady = _AIR_SET_KPA + 1.5 * scene.wander(f"{plant.id}|regulator", 1200.0)
    used = _NM3H_PER_LMIN * sum(asked.values(), scene.zeros()) / (one * count)
    regulated = steady - _REGULATOR_DROP_KPA * used**2
    passed, zones = scene.zeros(), []
    for name, flow in asked.items():
        zone = scene.site.equipment[name]
        share = np.ones(1)
        if name != plant.id:
            opening = pipeline.valve_opening(np.asarray(scene.fault("MG-F02", zone)))
            drop_kpa = _ZONE_DROP_KPA * (flow / zone.rating.get("flow", 300.0)) ** 2 * pipeline.resistance(opening)
            pressure, share = pipeline.behind(regulated, drop_kpa, _AIR_ENOUGH_KPA)
            zones.append((zone, pressure, flow * share, opening))
        passed = passed + _NM3H_PER_LMIN * flow * share
    load = passed / one + _PURGE
    lost_volume = 0.9 * np.asarray(scene.fault("MG-F13", plant))
    low, high = _RECEIVER_KPA
    duty = _duty(scene, plant, load, count, one, _RECEIVER_H * one * (1.0 - lost_volume), high - low)
    # With all of them running and more asked for, the receiver falls, and with it what passes, to what they can make.
    short = np.minimum(count / np.maximum(load, 1e-9), 1.0) * _left(scene, plant, _RECEIVER_H)
    receiver_kpa = (low + (high - low) * duty.fullness) * short
    outlet_kpa = np.minimum(regulated, receiver_kpa - 20.0)
    for zone, pressure, flow, opening in zones:
        scene.put(zone, "pressure", pressure * outlet_kpa / regulated, 0.5)
        scene.put(zone, "flow", flow * short, 0.004 * zone.rating.get("flow", 300.0))
        _show_zone_state(scene, zone, opening)
    total = passed * short
    scene.put(plant, "receiver_pressure", receiver_kpa / 1000.0, 0.001)
    scene.put(plant, "outlet_pressure", outlet_kpa, 0.6)
    scene.put(plant, "flow", total, 0.003 * one)
    scene.count(plant, "air_total", total)
    _show_machines(scene, plant, "compressor_running", count, duty.running)
    _show_work(scene, plant, duty, compressor.specific_work(sum(_RECEIVER_KPA) / 2.0) * one * np.ones(len(scene)))
    _show_air_quality(scene, plant)
    # Every start heats the motor once more.
    warm = 66.0 + 0.35 * scene.outdoor_c + 8.0 * np.minimum(load, 1.0) + 0.3 * np.maximum(duty.starts - 8.0, 0.0)
    scene.put(plant, "compressor_temperature", scene.lag(f"{plant.id}/warm", warm, 900.0), 0.2)
    scene.put(plant, "compressor_fault", 0.0)
    scene.put(plant, "dryer_fault", 0.0)


def _show_air_quality(scene: Scene, plant: Equipment) -> None:
    slipping = 0.6 * np.asarray(scene.fault("MG-F11", plant)) ** 2
    # Exhaust in the intake: at full severity 0.3 % of a warm petrol engine's, with 0.8 % CO and 13 % CO₂.
    exhaust = np.asarray(scene.fault("MG-F12", plant))
    aftercooler_c = 30.0 + 0.35 * (scene.outdoor_c - 16.0)
    dry = _DRY_C + 2.0 * scene.wander(f"{plant.id}|dew", 3600.0)
    scene.put(plant, "dew_point", compressor.dried(dry, aftercooler_c, slipping), 0.3)
    scene.put(plant, "co", 0.9 + 0.2 * scene.wander(f"{plant.id}|co", 3600.0) + 24.0 * exhaust, 0.05)
    # A desiccant holds some of the air's carbon dioxide back.
    scene.put(plant, "co2", 390.0 + 12.0 * scene.wander(f"{plant.id}|co2", 7200.0) + 390.0 * exhaust, 3.0)
    scene.put(plant, "oil", 0.012 + 0.003 * scene.wander(f"{plant.id}|oil", 86400.0), 0.001)


def _run_vacuum(scene: Scene, plant: Equipment, asked: dict[str, Array]) -> None:
    count = _count(plant, "pump_running")
    speed = plant.rating.get("flow", 160.0)
    one = float(vacuum.throughput(speed, np.asarray(_VACUUM_MEAN_KPA)))
    leaks = {name: leak for name in asked if (leak := _vacuum_leak(scene, scene.site.equipment[name])) is not None}
    wanted = sum(leaks.values(), _NM3H_PER_LMIN * sum(asked.values(), scene.zeros()) + _OLD_SEALS * one)
    # With all pumps running and more let in than they move, the vacuum settles where they just do.
    left = _left(scene, plant, _VESSELS_H)
    mean_kpa = np.minimum(vacuum.settled_vacuum(speed * count, wanted), _VACUUM_MEAN_KPA) * left
    used = wanted / (one * count)
    filter_kpa = 0.3 + _FILTER_DROP_KPA * used**2
    main_kpa = mean_kpa - filter_kpa - _MAIN_DROP_KPA * used**2
    drawn, levels = sum(leaks.values(), scene.zeros() + _OLD_SEALS * one), {}
    for name, flow in asked.items():
        share = np.ones(1)
        if name != plant.id:
            through = flow + leaks.get(name, 0.0) / _NM3H_PER_LMIN
            levels[name], share = _zone_vacuum(scene, scene.site.equipment[name], through, main_kpa)
        drawn = drawn + flow * share * _NM3H_PER_LMIN
    load = drawn / one
    low, high = _VACUUM_KPA
    lost_volume = 0.9 * np.asarray(scene.fault("MG-F13", plant))
    duty = _duty(scene, plant, load, count, one, _VESSELS_H * one * (1.0 - lost_volume), high - low)
    swing_kpa = np.where(load < count, low + (high - low) * duty.fullness - _VACUUM_MEAN_KPA, 0.0) * left
    for name, level in levels.items():
        zone = scene.site.equipment[name]
        scene.put(zone, "pressure", -level * (1.0 + swing_kpa / np.maximum(main_kpa, 1.0)), 0.3)
        _show_zone_state(scene, zone, np.ones(1))
    pump_kw = vacuum.pump_power(speed, mean_kpa)
    if leaks:
        _charge_leaks(scene, leaks, drawn, one, count, pump_kw)
    scene.put(plant, "receiver_pressure", -(mean_kpa + swing_kpa), 0.2)
    scene.put(plant, "pipeline_pressure", -(main_kpa + swing_kpa), 0.2)
    scene.put(plant, "filter_differential", filter_kpa, 0.03)
    _show_machines(scene, plant, "pump_running", count, duty.running)
    _show_work(scene, plant, duty, pump_kw)
    warm = 44.0 + 0.35 * scene.outdoor_c + 14.0 * np.minimum(load, 1.0) + 0.3 * np.maximum(duty.starts - 12.0, 0.0)
    scene.put(plant, "pump_temperature", scene.lag(f"{plant.id}/warm", warm, 1200.0), 0.2)
    scene.put(plant, "pump_fault", 0.0)
    scene.put(plant, "auto", 1.0)


def _vacuum_leak(scene: Scene, zone: Equipment) -> Array | None:
    """Return the air that open suction regulators let into a zone, or None where nothing is open. [Nm³/h]"""
    severity = scene.fault("MG-F14", zone)
    if isinstance(severity, float):
        return None
    return pipeline.leak_flow(_LARGEST_LEAK_MM * np.sqrt(severity), np.asarray(pipeline.ATMOSPHERE_KPA), "air")


def _zone_vacuum(scene: Scene, zone: Equipment, flow_lmin: Array, main_kpa: Array) -> tuple[Array, Array]:
    opening = pipeline.valve_opening(0.85 * np.asarray(scene.fault("MG-F15", zone)))
    share = (flow_lmin / zone.rating.get("flow", 300.0)) ** 2
    drop_kpa = _VACUUM_ZONE_DROP_KPA * share * pipeline.resistance(opening)
    return pipeline.behind(main_kpa, drop_kpa, _VACUUM_ENOUGH_KPA)


def _charge_leaks(scene: Scene, leaks: dict[str, Array], drawn: Array, one: float, count: int, pump_kw: Array) -> None:
    """Charge what the pumps take more because of the leaks, each by its share of them."""
    total = sum(leaks.values(), scene.zeros())
    more_kw = pump_kw * (np.minimum(drawn / one, count) - np.minimum((drawn - total) / one, count))
    for name, leak in leaks.items():
        part = leak / np.maximum(total, 1e-9)
        scene.waste("MG-F14", scene.site.equipment[name], more_kw * part)
