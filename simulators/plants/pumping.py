"""Pump groups: circulation pumps of the air conditioning, and booster pumps of the water supply."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from facility.site import Equipment
from simulators.physics import pump as physics
from simulators.scene import Array, Scene

_POWER_FACTOR: Final = 0.88
_SUCTION_KPA: Final = {"circulation": 150.0, "booster": 190.0}
_MOTOR_TAU_S: Final = 1800.0
_BOOST_KPA: Final = 400.0


def run(scene: Scene) -> None:
    """Work out every pump group of every room."""
    for kind, members in _groups(scene):
        _run_group(scene, kind, members)


def _groups(scene: Scene) -> list[tuple[str, list[Equipment]]]:
    groups: dict[tuple[str, str, float], list[Equipment]] = {}
    for item in scene.each("pump"):
        boosts = any(scene.site.equipment[d].cls.id == "water_meter" for d in scene.site.downstream(item.id))
        kind = "booster" if boosts else "circulation"
        groups.setdefault((item.room or "", kind, item.rating.get("flow", 100.0)), []).append(item)
    return [(kind, members) for (_, kind, _), members in groups.items()]


def circulation_share(outdoor_c: Array) -> Array:
    """Return the flow that air conditioning asks for, as a share of what the duty pumps give. [-]"""
    cooling, heating = np.maximum(outdoor_c - 20.0, 0.0), np.maximum(15.0 - outdoor_c, 0.0)
    return np.clip(0.38 + 0.045 * cooling + 0.030 * heating, 0.0, 1.0)


def _run_group(scene: Scene, kind: str, members: Sequence[Equipment]) -> None:
    rated = members[0].rating.get("flow", 100.0)
    head_m = members[0].rating.get("head", 30.0)
    duty = max(1, len(members) - 1)
    if kind == "circulation":
        busy = 1.0 + 0.06 * np.sin((scene.span.hour - 9.0) * np.pi / 12.0)
        wanted = duty * rated * circulation_share(scene.outdoor_c) * busy
        wanted = wanted * (1.0 + 0.015 * scene.wander(f"{members[0].id}|circulation", 400.0))
    else:
        wanted = np.sum([scene.water.get(m.id, scene.zeros()) for m in members], axis=0)
    needed = np.clip(np.ceil(wanted / (0.95 * rated)), 1, len(members))
    each = wanted / needed
    for rank, item in enumerate(members):
        # Duty and standby change over every week, so that all of them wear alike.
        place = (rank - scene.span.week) % len(members)
        _run_pump(scene, kind, item, np.where(place < needed, 1.0, 0.0), each, rated, head_m)


def _run_pump(scene: Scene, kind: str, item: Equipment, duty: Array, each: Array, rated: float, head_m: float) -> None:
    curve = physics.PumpCurve(rated, head_m)
    stuck, worn = np.asarray(scene.fault("PU-F13", item)), np.asarray(scene.fault("PU-F04", item))
    # A pump left in manual at 50 Hz runs, whether it is its turn or not.
    running = np.maximum(duty, (stuck > 0.0).astype(np.float64))
    clog = np.asarray(scene.fault("PU-F01", item))
    suction = _SUCTION_KPA[kind] + 4.0 * scene.wander(f"{item.id}|suction", 1800.0)
    water_c = _water_temperature(scene, kind)
    flow, inlet_kpa, drop_kpa = _suction_side(curve, running * each, suction, clog, water_c)
    if kind == "circulation":
        # The differential-pressure set-point follows the flow: 45 % of the head is kept at no flow.
        asked_m = head_m * (0.45 + 0.55 * np.minimum(each / rated, 1.2) ** 2)
    else:
        asked_m = np.maximum(_BOOST_KPA + 10.0 - inlet_kpa, 0.0) / physics.KPA_PER_M
    sound = np.zeros_like(worn)
    speed, head, power = _run_at(curve, flow, asked_m, worn, stuck)
    if not isinstance(scene.fault("PU-F13", item), float):
        in_auto = _run_at(curve, flow, asked_m, worn, sound)[2] * duty
        scene.waste("PU-F13", item, np.where(stuck > 0.0, power * running - in_auto, 0.0))
    if not isinstance(scene.fault("PU-F04", item), float):
        unworn = _run_at(curve, flow, asked_m, sound, stuck)[2]
        scene.waste("PU-F04", item, (power - unworn) * running)
    npshr = curve.npshr_m * np.maximum(flow / rated, 0.3) ** 2
    vapour = physics.cavitation(physics.npsh_available(inlet_kpa, water_c), npshr) * running
    speed, head, power = speed * running, head * (1.0 - 0.25 * vapour) * running, power * running
    scene.draw(item, power, _POWER_FACTOR)
    _show(scene, item, running, stuck, flow, speed, power, inlet_kpa, head, drop_kpa, vapour, water_c)


def _run_at(
    curve: physics.PumpCurve, flow: Array, asked_m: Array, worn: Array, stuck: Array
) -> tuple[Array, Array, Array]:
    """Return speed [-], head [m] and power [kW] of a running pump that gives a flow against a head."""
    weakness = 1.0 - 0.12 * worn
    speed = np.clip(physics.speed_for_head(curve, flow, asked_m / weakness), 0.5, 1.0)
    # In manual at 50 Hz it gives more head than is asked for, which control valves then take away.
    speed = speed + stuck * (1.0 - speed)
    head = curve.head(flow, speed)
    # A worn impeller slips: the same hydraulic work from fewer points of efficiency.
    slip = curve.efficiency / np.maximum(curve.efficiency - 0.15 * worn, 0.1)
    # Bearings, fans and the drive itself take a little at any load.
    idle_kw = 0.02 * curve.flow_m3h * curve.head_m / 367.8
    return speed, head * weakness, physics.electric_power(curve, flow, head, speed) * slip + idle_kw


def _water_temperature(scene: Scene, kind: str) -> Array:
    if kind == "booster":
        return 16.0 + 0.4 * (scene.outdoor_c - 16.0)
    # Chilled water in summer, warm water in winter, something between in spring and autumn.
    return np.interp(scene.outdoor_c, [0.0, 14.0, 20.0, 24.0], [48.0, 42.0, 20.0, 8.0])


def _suction_side(
    curve: physics.PumpCurve, wanted: Array, suction_kpa: Array, clog: Array, water_c: Array
) -> tuple[Array, Array, Array]:
    """Return flow [m³/h], inlet pressure [kPa] and strainer drop [kPa]; a clogged strainer chokes the flow."""
    resistance = 7.0 + 3200.0 * clog**2
    vapour_kpa = 101.325 - physics.npsh_available(np.zeros_like(water_c), water_c) * physics.KPA_PER_M - 101.325
    # No more can pass than brings the inlet to the vapour pressure.
    most = np.sqrt(np.maximum(suction_kpa - vapour_kpa, 0.0) / resistance) * curve.flow_m3h
    flow = np.minimum(wanted, most)
    drop = resistance * (flow / curve.flow_m3h) ** 2
    return flow, suction_kpa - drop, drop


def _show(
    scene: Scene,
    item: Equipment,
    running: Array,
    stuck: Array,
    flow: Array,
    speed: Array,
    power: Array,
    inlet_kpa: Array,
    head: Array,
    drop_kpa: Array,
    vapour: Array,
    water_c: Array,
) -> None:
    rated_kw = item.rating.get("power", 30.0)
    rated_a = item.rating.get("current", rated_kw * 1.85)
    defect = np.asarray(scene.fault("PU-F06", item))
    load = power / rated_kw
    room_c = 20.0 + 0.35 * (scene.outdoor_c - 16.0)
    own = scene.own(f"{item.id}|roughness", 0.85, 1.2)
    on = running > 0.5
    scene.put(item, "running", running)
    scene.put(item, "auto", np.where(stuck > 0.0, 0.0, 1.0))
    scene.put(item, "fault", 0.0)
    scene.put(item, "frequency", 50.0 * speed * running, 0.02 * on)
    scene.put(item, "speed", item.rating.get("speed", 1480.0) * speed * running, 1.0 * on)
    scene.put(item, "active_power", power, 0.004 * rated_kw)
    scene.count(item, "energy_import", power)
    # Magnetising current does not follow the load.
    scene.put(item, "current", rated_a * np.hypot(0.28 * on, 0.96 * load), 0.004 * rated_a)
    scene.put(item, "voltage", 388.0 + 3.0 * scene.wander(f"{item.id}|voltage", 900.0), 0.4)
    scene.put(item, "current_unbalance", np.where(on, scene.own(f"{item.id}|unbalance", 0.6, 2.4), 0.0), 0.1)
    scene.put(item, "inlet_pressure", inlet_kpa / 1000.0, 0.0006)
    scene.put(item, "outlet_pressure", _outlet(inlet_kpa, head, vapour, scene, item), 0.0008)
    surge = 1.0 + 0.05 * vapour * scene.wander(f"{item.id}|surge", 3.0)
    scene.put(item, "flow", flow * surge, 0.003 * item.rating.get("flow", 100.0) * on)
    scene.count(item, "flow_total", flow)
    scene.put(item, "strainer_differential", drop_kpa, 0.15)
    motor_c = room_c + on * (14.0 + 52.0 * load**1.7)
    scene.put(item, "motor_temperature", scene.lag(f"{item.id}/motor", motor_c, _MOTOR_TAU_S), 0.15)
    scene.put(item, "fluid_temperature", water_c, 0.05)
    warm = room_c + on * (8.0 + 16.0 * speed**2)
    drive_end_c = warm + on * 42.0 * defect**3
    scene.put(item, "bearing_temperature_de", scene.lag(f"{item.id}/bearing_de", drive_end_c, 1200.0), 0.1)
    scene.put(item, "bearing_temperature_nde", scene.lag(f"{item.id}/bearing_nde", warm - 1.5 * on, 1200.0), 0.1)
    hum = own * np.where(on, 0.45 + 1.35 * speed**2, 0.06)
    velocity = hum + on * (5.2 * vapour + 5.5 * defect**2)
    scene.put(item, "vibration_velocity", velocity * (1.0 + 0.05 * scene.wander(f"{item.id}|vibration", 120.0)), 0.03)
    shaking = own * np.where(on, 1.2 + 5.0 * speed**2, 0.15)
    scene.put(item, "vibration_acceleration_1", shaking * (1.0 + 3.0 * vapour + 2.6 * defect), 0.08)
    scene.put(item, "vibration_acceleration_2", 0.85 * shaking * (1.0 + 3.4 * vapour + 0.9 * defect), 0.08)
    envelope = np.where(on, 0.7 + 0.5 * speed, 0.05) + on * (9.0 * defect + 1.2 * vapour)
    scene.put(item, "vibration_envelope", envelope, 0.04)
    scene.put(item, "seal_leak", 0.0)
    scene.count(item, "run_hours", running)
    scene.count_starts(item, "starts", on)


def _outlet(inlet_kpa: Array, head: Array, vapour: Array, scene: Scene, item: Equipment) -> Array:
    shake = 1.0 + 0.04 * vapour * scene.wander(f"{item.id}|rattle", 2.0)
    outlet: Array = (inlet_kpa + head * physics.KPA_PER_M * shake) / 1000.0
    return outlet
