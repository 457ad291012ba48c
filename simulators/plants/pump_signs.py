"""What the sensors of a pump, its motor and its drive show of what the pump does and of how it wears."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from facility.site import Equipment
from simulators.physics import motor
from simulators.physics.vibration import Bearing, acceleration, overall
from simulators.scene import Array, Scene

_BEARING: Final = Bearing(balls=9, ball_mm=13.5, pitch_mm=60.0)  # a deep-groove bearing of 40 mm bore
_BLADES: Final = 6
_MOTOR_TAU_S: Final = 1800.0
_BEARING_TAU_S: Final = 1200.0
_MAINS_TWICE_HZ: Final = np.array([100.0])
_ROUGH_HZ: Final = np.array([40.0])  # where turbulence shakes most of what is felt as velocity


class Running(NamedTuple):
    """
    What a pump does over a stretch.

    Attributes
    ----------
    running : 0 or 1
    flow : forward above zero, back through a leaking check valve below [m³/h]
    speed : share of rated [-]
    shaft_kw, heat_kw, power : at the shaft, lost in the motor, and taken from the mains, drive included [kW]
    inlet_kpa, outlet_kpa : at the flanges [kPa]
    drop_kpa : over the strainer [kPa]
    vapour : how fully it cavitates [-]
    water_c : temperature of the water [°C]
    rated_kw : of the motor [kW]
    load : flow over that of best efficiency at its speed [-]
    """

    running: Array
    flow: Array
    speed: Array
    shaft_kw: Array
    heat_kw: Array
    power: Array
    inlet_kpa: Array
    outlet_kpa: Array
    drop_kpa: Array
    vapour: Array
    water_c: Array
    rated_kw: float
    load: Array


def show(scene: Scene, item: Equipment, r: Running) -> None:
    """Let the sensors of a pump show what it does, and those of its drive, if it has one of its own."""
    on = r.running > 0.5
    drift = np.asarray(scene.fault("PU-F11", item))
    scene.put(item, "running", r.running)
    scene.put(item, "auto", np.where(np.asarray(scene.fault("PU-F13", item)) > 0.0, 0.0, 1.0))
    scene.put(item, "fault", 0.0)
    scene.put(item, "frequency", 50.0 * r.speed, 0.02 * on)
    scene.put(item, "speed", item.rating.get("speed", 1480.0) * r.speed, 1.0 * on)
    scene.put(item, "active_power", r.power, 0.004 * r.rated_kw * r.running)
    scene.count(item, "energy_import", r.power)
    scene.put(item, "inlet_pressure", r.inlet_kpa / 1000.0, 0.0006)
    rattle = 1.0 + 0.04 * r.vapour * scene.wander(f"{item.id}|rattle", 2.0)
    outlet = r.inlet_kpa + (r.outlet_kpa - r.inlet_kpa) * rattle
    # The transmitter drifts, not the pressure.
    scene.put(item, "outlet_pressure", outlet / 1000.0 - 0.08 * drift, 0.0008)
    surge = 1.0 + 0.05 * r.vapour * scene.wander(f"{item.id}|surge", 3.0)
    scene.put(item, "flow", r.flow * surge, 0.003 * item.rating.get("flow", 100.0) * on)
    scene.count(item, "flow_total", np.maximum(r.flow, 0.0))
    scene.put(item, "strainer_differential", r.drop_kpa, 0.15 * r.running)
    scene.put(item, "fluid_temperature", r.water_c, 0.05)
    scene.put(item, "seal_leak", np.asarray(scene.fault("PU-F10", item)) > 0.3)
    scene.count(item, "run_hours", r.running)
    scene.count_starts(item, "starts", on)
    room_c = 20.0 + 0.35 * (scene.outdoor_c - 16.0)
    _show_motor(scene, item, r, room_c)
    _show_vibration(scene, item, r, room_c)
    for name in item.fed_by:
        drive = scene.site.equipment.get(name)
        if drive is not None and drive.cls.id == "vfd":
            _show_drive(scene, drive, r, room_c, scene.values.get(f"{item.id}/auto", np.ones(1)))


def _show_motor(scene: Scene, item: Equipment, r: Running, room_c: Array) -> None:
    rated_a = item.rating.get("current", r.rated_kw * 1.85)
    lost_phase = np.asarray(scene.fault("PU-F09", item))
    unbalance = scene.own(f"{item.id}|unbalance", 0.6, 2.4) + 60.0 * lost_phase
    amperes = motor.current(r.shaft_kw, r.speed, r.rated_kw, rated_a) * r.running
    # What one phase no longer carries the other two take over.
    scene.put(item, "current", amperes * (1.0 + 0.35 * lost_phase), 0.004 * rated_a * r.running)
    scene.put(item, "voltage", 388.0 + 3.0 * scene.wander(f"{item.id}|voltage", 900.0), 0.4)
    scene.put(item, "current_unbalance", unbalance * r.running, 0.1 * r.running)
    rise = motor.winding_rise(r.heat_kw, r.speed, r.rated_kw) * motor.unbalance_heat(unbalance) + 4.0
    winding_c = scene.lag(f"{item.id}/motor", room_c + rise * r.running, _MOTOR_TAU_S)
    scene.put(item, "motor_temperature", winding_c, 0.15)


def _show_vibration(scene: Scene, item: Equipment, r: Running, room_c: Array) -> None:
    defect, bent, loose, lost_phase = (scene.fault(f, item) for f in ("PU-F06", "PU-F07", "PU-F08", "PU-F09"))
    own = scene.own(f"{item.id}|roughness", 0.85, 1.2)
    on, speed = r.running, r.speed
    turning_hz = item.rating.get("speed", 1480.0) / 60.0 * speed
    # Forces of what turns go with the square of the speed; flow away from the best point makes more noise.
    square = speed**2
    off_best = np.minimum((r.load - 1.0) ** 2, 1.0)
    tones = [
        (own * (0.15 + 1.25 * square) * (1.0 + 0.9 * bent) * on, turning_hz),
        (own * (0.1 + 0.45 * square) * on + 5.0 * bent * speed * on, 2.0 * turning_hz),
        (own * 0.35 * square * (1.0 + off_best) * on, _BLADES * turning_hz),
        (own * (0.06 + on * (0.19 + 0.35 * off_best)) + 5.2 * r.vapour, _ROUGH_HZ),
    ]
    if not isinstance(defect, float):
        tones.append((5.5 * defect**2 * on, _BEARING.outer * turning_hz))
    if not isinstance(lost_phase, float):
        tones.append((2.2 * lost_phase * on, _MAINS_TWICE_HZ))
    if not isinstance(loose, float):
        # A loose foot strikes: a comb of harmonics that comes and goes.
        strike = 2.6 * loose * on * (1.0 + 0.3 * scene.wander(f"{item.id}|strikes", 7.0))
        tones += [(strike, n * turning_hz) for n in (0.5, 3.0, 4.0, 5.0)]
    velocity = overall(v for v, _ in tones)
    shaking = 1.0 + 0.04 * scene.wander(f"{item.id}|vibration", 120.0)
    scene.put(item, "vibration_velocity", velocity * shaking, 0.03)
    if "vibration_acceleration_1" in item.points:
        # Above 1 kHz: rolling noise, bubbles that collapse, balls that strike a spall.
        hiss = own * (0.15 + on * (1.05 + 4.0 * square))
        low = overall(acceleration(v, f) for v, f in tones)
        near = overall((low, hiss * (1.0 + 3.0 * r.vapour + 2.6 * defect)))
        far = overall((low, hiss * (1.0 + 3.4 * r.vapour + 0.9 * defect)))
        scene.put(item, "vibration_acceleration_1", near, 0.08)
        scene.put(item, "vibration_acceleration_2", 0.85 * far, 0.08)
    envelope = 0.05 + on * (0.65 + 0.5 * speed + 9.0 * defect + 1.2 * r.vapour + 0.6 * loose)
    scene.put(item, "vibration_envelope", envelope, 0.04)
    warm = room_c + on * (8.0 + 16.0 * square)
    drive_end_c = warm + on * (42.0 * defect**3 + 14.0 * bent)
    scene.put(item, "bearing_temperature_de", scene.lag(f"{item.id}/bearing_de", drive_end_c, _BEARING_TAU_S), 0.1)
    other_end_c = scene.lag(f"{item.id}/bearing_nde", warm - 1.5 * on, _BEARING_TAU_S)
    scene.put(item, "bearing_temperature_nde", other_end_c, 0.1)


def _show_drive(scene: Scene, drive: Equipment, r: Running, room_c: Array, auto: Array) -> None:
    output_kw = r.shaft_kw + r.heat_kw
    rated_a = drive.rating.get("current", r.rated_kw * 1.85)
    amperes = motor.current(r.shaft_kw, r.speed, r.rated_kw, rated_a) * r.running
    scene.put(drive, "running", r.running)
    scene.put(drive, "auto", auto)
    scene.put(drive, "fault", 0.0)
    scene.put(drive, "fault_code", 0.0)
    scene.put(drive, "bypass", 0.0)
    scene.put(drive, "frequency", 50.0 * r.speed, 0.01 * r.running)
    scene.put(drive, "frequency_setpoint", 50.0 * r.speed)
    scene.put(drive, "current", amperes, 0.003 * rated_a * r.running)
    # Volts go with the frequency, so that the flux stays the same.
    scene.put(drive, "output_voltage", 380.0 * r.speed, 0.5 * r.running)
    scene.put(drive, "dc_voltage", 538.0 + 4.0 * scene.wander(f"{drive.id}|dc", 900.0), 0.8)
    scene.put(drive, "active_power", output_kw, 0.003 * r.rated_kw * r.running)
    scene.count(drive, "energy_import", r.power)
    rated_loss = motor.drive_losses(np.array([r.rated_kw]), r.rated_kw)
    sink_c = room_c + 6.0 + 30.0 * (r.power - output_kw) / rated_loss
    scene.put(drive, "heatsink_temperature", scene.lag(f"{drive.id}/sink", sink_c, 300.0), 0.2)
    scene.count(drive, "run_hours", r.running)
