"""
Split air conditioners of departments.

A unit cools or heats the room that its size suits. What the department's rooms ask beyond that is taken by units
without a meter of their own, and drawn as electricity of the department.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facility.site import Equipment
from simulators.physics import split as physics
from simulators.physics.duty_cycle import duty_cycle
from simulators.physics.room import SENSIBLE_KW, humidity_ratio, relative_humidity_of
from simulators.plants.departments import own_units_cop, profile_of
from simulators.scene import Array, Scene
from simulators.twin import Case, Twin, cases, there, without

_WASTEFUL: Final = ("AC-F01", "AC-F02", "AC-F03", "AC-F05", "AC-F06")
_POWER_FACTOR: Final = 0.95
_VOLTS: Final = 220.0
_COOLING_C, _HEATING_C = 26.0, 20.0
_COOLS_FROM_C, _HEATS_BELOW_C = 21.0, 13.0  # mean of the last half day outdoors
_PRESENT: Final = 0.15  # of the people
_STANDBY_W: Final = 3.0
_FAN_W: Final = 45.0
_CYCLE_S: Final = 720.0

# The room that a unit suits, for a kilowatt of its cooling.
_AREA_M2_KW: Final = 5.5
_HEIGHT_M: Final = 2.8
_LOSS_KW_M2_K: Final = 0.0028
_INNER_KW_M2_K: Final = 0.003  # through floor, ceiling and inner walls
_MASS_KWH_M2_K: Final = 0.045
_DEVICES_KW_M2: Final = 0.03
_AREA_PER_PERSON_M2: Final = 7.0
_GLASS: Final = 0.04  # unshaded, facing up, for a square metre of floor
_OPEN_CHANGES_H: Final = 7.0  # of air with a window open
_DOOR_CHANGES_H: Final = 4.0  # with the door to the corridor open

_OFF, _COOL, _HEAT = 0, 1, 2


@dataclass(frozen=True, slots=True)
class _Work:
    """What a unit does in one stretch; power in W."""

    running: NDArray[np.bool_]
    heating: NDArray[np.bool_]
    window: NDArray[np.bool_]
    setpoint_c: Array
    room_c: Array
    heat_kw: Array
    most_kw: Array
    air: Array
    difference_k: Array
    on: Array
    starts: Array
    power_w: Array


def run(scene: Scene) -> None:
    """Work out every split unit, and what the departments' units without a meter draw."""
    metered: dict[str, Array] = {}
    for item in scene.each("split_air_conditioner"):
        served = item.serves.on(scene.today)
        cold_kw = _run_unit(scene, item)
        for department in served:
            metered[department] = metered.get(department, scene.zeros()) + cold_kw / len(served)
    central = {d for item in scene.each("air_handling_unit") for d in item.serves.on(scene.today)}
    for department, cold_kw in metered.items():
        if department not in central:
            _draw_the_rest(scene, department, cold_kw)


def _draw_the_rest(scene: Scene, department: str, cold_kw: Array) -> None:
    demand, profile = scene.demand[department], profile_of(scene.site.departments[department])
    rest_kw = np.maximum(demand.cooling_kw - cold_kw, 0.0)
    power = rest_kw / own_units_cop(profile, scene.outdoor_c)
    demand.power_kw = demand.power_kw + power
    demand.reactive_kvar = demand.reactive_kvar + power * np.sqrt(1.0 / profile.power_factor**2 - 1.0)


def _run_unit(scene: Scene, item: Equipment) -> Array:
    """Return the cold that its room would ask for if nothing were wrong with it. [kW]"""
    present: list[Case] = cases(scene, _WASTEFUL, [item])
    twins, sound = without(scene, item.id, present)
    blind = {case: _work_out(twin, item) for case, twin in twins.items()}
    well = None if sound is None else _work_out(sound, item) if len(present) > 1 else blind[present[0]]
    real = _work_out(Twin(scene), item)
    for case, other in blind.items():
        scene.waste(case[0], item, there(scene, case) * (real.power_w - other.power_w) / 1000.0)
    scene.draw(item, real.power_w / 1000.0, _POWER_FACTOR)
    _show(scene, item, real)
    heat_kw = real.heat_kw
    if well is not None:
        ill = np.any([there(scene, case) for case in present], axis=0)
        heat_kw = np.where(ill, well.heat_kw, heat_kw)
    return np.where(real.heating, 0.0, heat_kw)


def _people(scene: Scene, item: Equipment) -> Array:
    served = [scene.demand[d].people for d in item.serves.on(scene.today)]
    return np.max(served, axis=0) if served else np.ones(len(scene))


def _building(half_day_c: Array) -> Array:
    """Return the temperature of the building around a room: heated and cooled, if not everywhere. [°C]"""
    return np.clip(24.0 + 0.35 * (half_day_c - 20.0), 14.0, 30.0)


def _work_out(twin: Twin, item: Equipment) -> _Work:
    scene, unit = twin.scene, physics.Unit(item.rating.get("power", 1.1))
    area = _AREA_M2_KW * unit.cooling_kw
    room = physics.Room(_LOSS_KW_M2_K * area, _MASS_KWH_M2_K * area)
    people = _people(scene, item)
    occupied = people > _PRESENT
    half_day_c = twin.lag(f"{item.id}/season", scene.outdoor_c, 43200.0)
    heating, cooling = half_day_c < _HEATS_BELOW_C, half_day_c > _COOLS_FROM_C
    forgotten = np.asarray(twin.fault("AC-F01", item)) > 0.0
    running = (occupied | forgotten) & (heating | cooling)
    # Windows are opened where neither heat nor cold is needed.
    aired = np.asarray(twin.fault("AC-F03", item))
    window = (aired > 0.0) | (occupied & ~heating & ~cooling)
    changes = np.where(window, _OPEN_CHANGES_H * np.maximum(aired, np.where(running, 0.0, 0.4)), 0.0)
    opened = physics.infiltration(area * _HEIGHT_M, changes)
    extreme = np.asarray(twin.fault("AC-F02", item))
    setpoint = np.where(heating, _HEATING_C + np.rint(6.0 * extreme), _COOLING_C - np.rint(6.0 * extreme))

    low, dirty = np.asarray(twin.fault("AC-F04", item)), np.asarray(twin.fault("AC-F05", item))
    blocked, broken = np.asarray(twin.fault("AC-F06", item)), np.asarray(twin.fault("AC-F07", item))
    sound_kw = physics.capacity(unit, scene.outdoor_c, heating)
    most = sound_kw * (1.0 - 0.6 * low) * (1.0 - 0.2 * dirty) * (1.0 - 0.12 * blocked) * (broken == 0.0) * running
    gains = area * (_DEVICES_KW_M2 * (0.15 + 0.85 * people) + SENSIBLE_KW / _AREA_PER_PERSON_M2 * people)
    gains = gains + area * _GLASS * scene.sun_w_m2 / 1000.0
    # Whoever sits beneath a unit that only blows opens the door.
    door = np.where(occupied & (broken > 0.0), _DOOR_CHANGES_H, 0.0)
    inner = _INNER_KW_M2_K * area + physics.infiltration(area * _HEIGHT_M, door)
    # The building around the room counts as outdoors that heat it by what they differ from it.
    gains = gains + inner * (_building(half_day_c) - scene.outdoor_c)
    name = twin.name(f"{item.id}/room")
    start_c = scene.memory.get(name, 24.0 if not heating[0] else 19.0)
    room_c, brought = physics.hold(
        room, start_c, gains, scene.outdoor_c, opened + inner, np.where(heating, 0.0, -most),
        np.where(heating, most, 0.0), setpoint, scene.span.dt_s,
    )  # fmt: skip
    scene.memory[name] = float(room_c[-1])
    heat = np.abs(brought)
    load = np.where(running & (most > 0.0), heat / np.maximum(most, 1e-6), 0.0)
    air = physics.air_share(load) * (1.0 - 0.5 * dirty) * running
    offset_s = scene.own(f"{item.id}|cycle", 0.0, _CYCLE_S)
    duty = np.minimum(load / physics.LEAST_LOAD, 1.0)
    on, starts = duty_cycle(scene.span.time_us / 1e6, scene.span.dt_s, duty, _CYCLE_S, offset_s)
    # A compressor short of refrigerant takes nearly the power of its full heat and brings less.
    worth = heat * (1.0 + 0.9 * low)
    work = physics.power(unit, worth, np.maximum(sound_kw, 1e-6), scene.outdoor_c, heating)
    work = work * (1.0 + 0.18 * dirty) * (1.0 + 0.25 * blocked)
    while_on = np.where(duty > 0.0, work / np.maximum(duty, 1e-6), 0.0)
    power_w = _STANDBY_W + running * (_FAN_W * air**2 + 10.0) + 1000.0 * while_on * on
    difference = physics.outlet_difference(unit, heat / np.maximum(duty, 1e-3) * on, np.maximum(air, 0.05), heating)
    return _Work(running, heating, window, setpoint, room_c, heat, most, air, difference, on, starts, power_w)


def _show(scene: Scene, item: Equipment, work: _Work) -> None:
    on = work.running
    mode = np.where(work.heating, _HEAT, _COOL)
    outlet = work.room_c + np.where(work.heating, 1.0, -1.0) * work.difference_k
    amperes = work.power_w / (_VOLTS * _POWER_FACTOR)
    scene.put(item, "running", on)
    scene.put(item, "mode", np.where(on, mode, _OFF))
    scene.put(item, "setpoint", work.setpoint_c)
    scene.put(item, "fan_speed", np.ceil(5.0 * work.air))
    scene.put(item, "active_power", work.power_w, 0.4 + 0.002 * work.power_w)
    scene.count(item, "energy_import", work.power_w / 1000.0)
    scene.put(item, "current", amperes, 0.01)
    rated_a = item.rating.get("current", 16.0)
    plug = work.room_c + 1.0 + 26.0 * (amperes / rated_a) ** 2
    scene.put(item, "plug_temperature", scene.lag(f"{item.id}/plug", plug, 600.0), 0.1)
    scene.put(item, "room_temperature", work.room_c, 0.05)
    # Outdoor air brings its moisture in; what is cooled dries down to what air holds at the coil.
    outdoor = humidity_ratio(scene.outdoor_c, scene.humidity)
    held = np.where(on & ~work.heating, np.minimum(outdoor, humidity_ratio(work.room_c - 10.0, 92.0)), outdoor)
    moist = scene.lag(f"{item.id}/moist", held + 0.0007 * _people(scene, item), 2400.0)
    scene.put(item, "room_humidity", np.minimum(relative_humidity_of(moist, work.room_c), 92.0), 0.4)
    scene.put(item, "outlet_temperature", scene.lag(f"{item.id}/outlet", outlet, 60.0), 0.15)
    scene.put(item, "occupancy", (_people(scene, item) > _PRESENT).astype(np.float64))
    scene.put(item, "window", work.window)
    scene.count(item, "cycles", work.starts * (work.on > 0.0) * 3600.0 / np.maximum(scene.span.dt_s, 1e-6))
