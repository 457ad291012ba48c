"""Booster sets: pumps with drives and a hydropneumatic vessel that keep up the pressure of a part of the building."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facility.site import Equipment
from simulators.physics import booster as physics
from simulators.physics import motor
from simulators.physics.pump import KPA_PER_M, PumpCurve, speed_for_head
from simulators.plants.staging import staged
from simulators.scene import Array, Scene

Flags = NDArray[np.bool_]

_POWER_FACTOR: Final = 0.86
_USUAL_MPA: Final = 0.45
_SET_BACK_MPA: Final = 0.04  # from ten at night to five in the morning
_BAND_MPA: Final = (-0.02, 0.045)  # about the set-point, between which the vessel works while the pumps rest
_PRECHARGE: Final = 0.9  # of the set-point
_VESSEL_H: Final = 0.06  # the vessel holds so many hours of one pump's rated flow [h]
_REST: Final = 0.10  # under this share of one pump's flow the pumps rest and the vessel serves
_FILLING: Final = 0.35  # share of its rated flow with which a pump fills the vessel
_CITY_KPA: Final = 270.0
_STOP_LEVEL: Final = 2.0  # where the float switch in the tank stops the pumps [%]
_HUNTING_S: Final = 47.0
_SIZES_KW: Final = (0.75, 1.1, 1.5, 2.2, 3, 4, 5.5, 7.5, 11, 15, 18.5, 22, 30, 37, 45, 55, 75, 90)


class Work(NamedTuple):
    """
    What a set does at a set-point.

    Attributes
    ----------
    set_mpa : its set-point [MPa]
    speed : of the pumps that run, share of rated [-]
    power : of the whole set while its pumps run [kW]
    resting : whether the vessel serves, and a pump only fills it from time to time
    duty : share of the time for which pumps run [-]
    starts_h : how often it starts because of that [1/h]
    """

    set_mpa: Array
    speed: Array
    power: Array
    resting: Flags
    duty: Array
    starts_h: Array

    def mean_power(self, working: Flags) -> Array:
        """Return what the set draws over time. [kW]"""
        return np.where(working, self.power * self.duty, 0.0)


def run(scene: Scene) -> None:
    """Work out every booster set."""
    for item in scene.each("booster_set"):
        _run_set(scene, item)


def tank_pressure(scene: Scene, item: Equipment) -> Array | None:
    """Return the pressure of the tank from which a machine draws, at its floor, or None if it has no tank. [kPa]"""
    for name in item.fed_by:
        if f"{name}/level" in scene.values:
            return 15.0 + 0.3 * scene.values[f"{name}/level"]
    return None


def _run_set(scene: Scene, item: Equipment) -> None:
    pumps = [n for n in (1, 2, 3) if f"pump_running_{n}" in item.points]
    each_m3h = item.rating.get("flow", 30.0) / max(1, len(pumps) - 1)
    flow = scene.water.get(item.id, scene.zeros())
    inlet_kpa, dry = _inlet(scene, item, flow)
    called = staged(scene, item.id, flow, each_m3h, max(1, len(pumps)))
    unset, day_mpa = scene.fault("WS-F12", item), day_pressure(item)
    lost_charge = np.asarray(scene.fault("PU-F18", item))
    curve = PumpCurve(each_m3h, (day_mpa * 1000.0 + 40.0) / KPA_PER_M, efficiency=0.72)
    working = ~dry & (flow > 0.0) & (np.asarray(scene.alive(item)) > 0.5)
    work = _work(curve, set_pressure(scene, item, unset), flow, called, inlet_kpa, lost_charge)
    power = work.mean_power(working)
    if not isinstance(unset, float):
        usual = _work(curve, set_pressure(scene, item, 0.0), flow, called, inlet_kpa, lost_charge)
        scene.waste("WS-F12", item, power - usual.mean_power(working))
    scene.draw(item, power, _POWER_FACTOR)
    _show(scene, item, pumps, work, called, working, flow, inlet_kpa, power)


def day_pressure(item: Equipment) -> float:
    """Return the set-point by day: what the site file gives as usual for it. [MPa]"""
    band = item.points["pressure_setpoint"].normal if "pressure_setpoint" in item.points else None
    return (band[0] + band[1]) / 2.0 if band is not None else _USUAL_MPA


def set_pressure(scene: Scene, item: Equipment, too_high: Array | float) -> Array:
    """Return the set-point: lower at night, unless that was left out and it was even turned up. [MPa]"""
    night = (scene.span.hour < 5.0) | (scene.span.hour >= 22.0)
    return np.where(night, day_pressure(item) - _SET_BACK_MPA + 0.10 * np.asarray(too_high), day_pressure(item))


def _inlet(scene: Scene, item: Equipment, flow: Array) -> tuple[Array, Flags]:
    """Return the pressure at the inlet [kPa], and whether there is no water."""
    loss_kpa = 3.0 * (flow / item.rating.get("flow", 30.0)) ** 2
    tank_kpa = tank_pressure(scene, item)
    if tank_kpa is None:
        city_kpa = _CITY_KPA + 12.0 * scene.wander("city|pressure", 3600.0)
        return city_kpa - 12.0 * loss_kpa, np.zeros(len(flow), dtype=np.bool_)
    level = next(scene.values[f"{name}/level"] for name in item.fed_by if f"{name}/level" in scene.values)
    return tank_kpa - loss_kpa, level < _STOP_LEVEL


def _motor_size(curve: PumpCurve) -> float:
    """Return the motor of the series that drives a pump with 15 % to spare. [kW]"""
    needed = 1.15 * float(curve.shaft_power(np.array([curve.flow_m3h]), np.ones(1))[0])
    return next((size for size in _SIZES_KW if size >= needed), _SIZES_KW[-1])


def _work(curve: PumpCurve, set_mpa: Array, flow: Array, called: Array, inlet_kpa: Array, lost_charge: Array) -> Work:
    """Return what a set does at a set-point."""
    resting = flow < _REST * curve.flow_m3h
    filling = _FILLING * curve.flow_m3h
    each = np.where(resting, filling, flow / np.maximum(called, 1.0))
    # While it fills the vessel it works up to the upper end of the band.
    top_mpa = np.where(resting, set_mpa + _BAND_MPA[1], set_mpa)
    head_m = np.maximum(top_mpa * 1000.0 - inlet_kpa, 20.0) / KPA_PER_M
    speed = np.clip(speed_for_head(curve, each, head_m), 0.4, 1.0)
    shaft = curve.shaft_power(each, speed)
    rated_kw = _motor_size(curve)
    output = shaft + motor.losses(shaft, speed, rated_kw)
    power = (output + motor.drive_losses(output, rated_kw)) * np.where(resting, 1.0, called)
    mean_mpa = float(np.mean(set_mpa))
    vessel_m3 = _VESSEL_H * curve.flow_m3h
    on, off = mean_mpa + _BAND_MPA[0], mean_mpa + _BAND_MPA[1]
    charges = np.linspace(1.0, 0.0, 21)
    useful = [physics.useful_volume(vessel_m3, _PRECHARGE * mean_mpa * c, on, off) for c in charges.tolist()]
    useful_m3 = np.interp(lost_charge, 1.0 - charges, useful)
    starts = np.where(resting, physics.starts_per_hour(flow, filling, useful_m3), 0.0)
    return Work(set_mpa, speed, power, resting, np.where(resting, physics.duty(flow, filling), 1.0), starts)


def _show(
    scene: Scene,
    item: Equipment,
    pumps: list[int],
    work: Work,
    called: Array,
    working: Flags,
    flow: Array,
    inlet_kpa: Array,
    power: Array,
) -> None:
    # Where in its cycle of filling and emptying the vessel stands at each time.
    name = f"{item.id}/cycle"
    starts_h = np.where(working, work.starts_h, 0.0)
    cycle = scene.memory.get(name, 0.0) + np.cumsum(starts_h * scene.span.dt_s) / 3600.0
    scene.memory[name] = float(cycle[-1]) % 1.0
    phase = np.mod(cycle, 1.0)
    on = working & (~work.resting | (phase < work.duty))
    filled = np.where(phase < work.duty, phase / np.maximum(work.duty, 1e-6), (1.0 - phase) / (1.0 - work.duty + 1e-6))
    swing = _BAND_MPA[0] + (_BAND_MPA[1] - _BAND_MPA[0]) * filled
    hunting = np.asarray(scene.fault("PU-F17", item))
    wave = hunting * np.sin(2.0 * np.pi * np.mod(scene.span.time_us / 1e6, _HUNTING_S) / _HUNTING_S)
    steady = work.set_mpa + np.where(
        work.resting, swing, 0.004 * scene.wander(f"{item.id}|control", 40.0) + 0.03 * wave
    )
    scene.put(item, "outlet_pressure", np.where(working, steady, inlet_kpa / 1000.0), 0.0008)
    scene.put(item, "pressure_setpoint", work.set_mpa)
    scene.put(item, "inlet_pressure", inlet_kpa / 1000.0, 0.0005)
    scene.put(item, "flow", flow, 0.002 * item.rating.get("flow", 30.0))
    scene.count(item, "volume_total", flow)
    for rank, number in enumerate(pumps):
        # The lead changes every week.
        place = (rank - scene.span.week) % len(pumps)
        scene.put(item, f"pump_running_{number}", on & (place < np.maximum(called, 1.0)))
    scene.put(item, "pump_fault", 0.0)
    scene.put(item, "frequency", 50.0 * work.speed * on + 4.0 * wave * on, 0.03 * on)
    scene.put(item, "auto", 1.0)
    scene.put(item, "active_power", work.power * on, 0.01 * on)
    scene.count(item, "energy_import", power)
    before = scene.memory.get(f"{item.id}/called", float(called[0]))
    scene.memory[f"{item.id}/called"] = float(called[-1])
    joined = np.maximum(np.diff(called, prepend=before), 0.0) / np.maximum(scene.span.dt_s, 1e-6) * 3600.0
    scene.count(item, "starts", starts_h + joined)
    scene.count(item, "run_hours", np.where(working, work.duty, 0.0))
    scene.put(item, "water_leak", 0.0)
