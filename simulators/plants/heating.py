"""Heat-exchange stations, domestic hot water, and the heat meters behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from facility.site import Equipment
from simulators.physics import exchanger as physics
from simulators.physics import hot_water, steam
from simulators.scene import Array, Scene

# What brings heat by water, the one that stands nearest to a department first.
HEAT: Final = ("heat_meter", "heat_exchanger", "gas_hot_water_boiler")
STEAM: Final = frozenset({"steam_meter", "gas_steam_boiler"})
BOILER_C: Final = 84.0  # supply of hot-water boilers
BOILER_SPREAD_K: Final = 20.0

_STEAM_MPA: Final = 0.40  # behind the reducing valve of a station
_DESIGN_SPREAD_K: Final = 20.0
_ROOM_C: Final = 20.8
_COOLED_C: Final = 26.0
_BUILDING_S: Final = 20 * 3600.0
_BUILDING_K: Final = 30.0  # difference between rooms and outdoors for which a station is laid
_MILD_C: Final = 16.0  # the station rests while the slow mean of the outdoor temperature is above
_SEASON_S: Final = 24 * 3600.0
_LOOP_S: Final = 1200.0  # how the water of a circuit cools and warms when its station stops and starts
_SETBACK_K: Final = 4.0
_LEAST_LOAD: Final = 0.04
_LEAST_FLOW: Final = 0.15
_STEAM_UA: Final = 0.016  # for each kW of rating [1/K]
_WATER_UA: Final = 0.085
_MAKEUP: Final = 0.0012  # share of the circulation that is lost in a sound circuit
_PUMP_SHARE: Final = 0.006  # electricity of the circulating pump over the rated heat
_POWER_FACTOR: Final = 0.85
_HUNTING_US: Final = 360_000_000  # one swing of a valve that hunts
_NONE: Final = np.zeros(1)

_STORE_C: Final = 63.0
_HEATER_KW_K: Final = 12.0  # heat for each kelvin below the set-point and m³ of storage
_SUPPLY_LOSS_K: Final = 1.2
_LOOP_C: Final = 22.0
_LOOP_M3H: Final = 0.25  # circulation for each m³ of storage
_LOOP_UA: Final = 0.0325  # of its pipes, for each m³ of storage: 4.2 K of drop [kW/K]


def run(scene: Scene) -> None:
    """Work out stations from the departments up to what heats them."""
    stations = {s.id: s.serves.on(scene.today) for s in scene.each("hot_water_station")}
    for name, departments in stations.items():
        # A department that two stations serve draws from both.
        draw = scene.zeros()
        for department in departments:
            share = sum(department in others for others in stations.values())
            draw = draw + scene.demand[department].hot_water_m3h / share
        _run_hot_water(scene, scene.site.equipment[name], draw)
    tree = scene.tree(frozenset(HEAT))
    load = {name: scene.zeros() for name in tree.order}
    rooms = {name: scene.zeros() for name in tree.order}
    named = _named(scene)
    for department, demand in scene.demand.items():
        holders = named.get(department, ())
        for holder in holders:
            rooms[holder] = rooms[holder] + demand.heating_kw / len(holders)
    air = {name: scene.zeros() for name in tree.order}
    for name, kw in scene.heat.items():
        item, above = scene.site.equipment[name], tree.parent.get(name)
        # What stands on steam has a source before this one.
        if above is not None and _source(scene, item) == above:
            into = air if item.cls.id == "air_handling_unit" else load
            into[above] = into[above] + kw
    circuits: dict[str, _Circuit] = {}
    for name in tree.order:
        item, above = scene.site.equipment[name], tree.parent.get(name)
        if item.cls.id == "heat_meter" and above is not None:
            for what in (load, rooms, air):
                what[above] = what[above] + what[name]
        # What air handling units take here is a part of what their departments ask for, or more in a bad setting.
        load[name] = load[name] + np.maximum(rooms[name], air[name])
        if item.cls.id == "heat_exchanger":
            circuits[name] = _run_exchanger(scene, item, load[name], np.maximum(rooms[name] - air[name], 0.0))
            scene.heat[name] = circuits[name].given_kw
            if above is not None and not _on_steam(scene, item):
                load[above] = load[above] + circuits[name].given_kw
        elif item.cls.id == "gas_hot_water_boiler":
            scene.heat[name] = load[name]
    for item in scene.each("heat_meter"):
        if item.id in tree.parent:
            _show_meter(scene, item, load[item.id], load[tree.parent[item.id]], circuits.get(tree.parent[item.id]))


def _named(scene: Scene) -> dict[str, list[str]]:
    """Return what heats each department: of all that name it, those that stand nearest."""
    named: dict[str, list[str]] = {}
    for class_id in HEAT:
        nearer = frozenset(named)
        for item in scene.each(class_id):
            for department in item.serves.on(scene.today):
                if department not in nearer:
                    named.setdefault(department, []).append(item.id)
    return named


def _source(scene: Scene, item: Equipment) -> str | None:
    """Return what heats a machine: the first source of steam or of hot water that it names."""
    able = STEAM | frozenset(HEAT)
    known = scene.site.equipment
    return next((s for s in item.fed_by if s in known and known[s].cls.id in able), None)


def _on_steam(scene: Scene, item: Equipment) -> bool:
    source = _source(scene, item)
    return source is not None and scene.site.equipment[source].cls.id in STEAM


@dataclass(frozen=True, slots=True)
class _Circuit:
    """The secondary side of a station, as its meters see it."""

    supply_c: Array
    return_c: Array
    flow_m3h: Array
    given_kw: Array


@dataclass(frozen=True, slots=True)
class _Call:
    """What a station is asked for: whether it works, its set-point, and its heat, with and without its faults."""

    on: Array
    setpoint_c: Array
    usual_kw: Array
    asked_kw: Array


def _call(scene: Scene, item: Equipment, rated: float, load: Array, rooms: Array) -> _Call:
    """
    Follow the weather: the curve with its set-back, the rest in mild weather, and what a fault asks for on top.

    Rooms ask for nothing while the station rests; what else hangs on it is asked for in any season.
    """
    outdoor = scene.lag(f"{item.id}/day", scene.outdoor_c, 12 * 3600.0)
    season = scene.lag(f"{item.id}/season", scene.outdoor_c, _SEASON_S) <= _MILD_C
    heated = np.where(season, rooms, 0.0)
    usual = load - rooms + heated
    # In its season it circulates through a warm afternoon too.
    at_work = season | (usual > _LEAST_LOAD * rated)
    usual = np.where(at_work, usual, 0.0)
    curve = hot_water.heating_curve(outdoor)
    night = (scene.span.hour >= 21.0) | (scene.span.hour < 5.5)
    setback = _SETBACK_K * night * (curve > 42.0)
    setpoint = curve - setback
    mean = setpoint - 0.5 * _DESIGN_SPREAD_K * usual / np.maximum(_share(usual, rated) * rated, 1e-6)
    asked, hotter = usual, _NONE
    for fault, kelvin in (("HS-F08", setback), ("HS-F07", 10.0)):
        if isinstance(severity := scene.fault(fault, item), float):
            continue
        hotter = hotter + kelvin * severity
        # Thermostats take back 40 % of what hotter water would give.
        over = 0.6 * (hot_water.emitter_share(mean + hotter, mean) - 1.0) * heated * at_work
        scene.waste(fault, item, usual + over - asked)
        asked = usual + over
    on = at_work.astype(np.float64)
    if not isinstance(severity := scene.fault("HS-F10", item), float):
        # Without its lock-out the station warms rooms whose windows then stand open.
        needless = severity * (1.0 - on) * 0.35 * rated * hot_water.emitter_share(setpoint - 2.0, np.array(52.0), 23.0)
        scene.waste("HS-F10", item, needless)
        asked, on = asked + needless, np.where(severity > 0.0, 1.0, on)
    return _Call(on, setpoint + hotter, usual, asked)


def _share(heat_kw: Array, rated: float) -> Array:
    """Return the flow that a drive gives for a heat, over the rated flow: the spread goes with the load's 0.4. [-]"""
    return np.clip((heat_kw / rated) ** 0.6, _LEAST_FLOW, 1.0)


def _run_exchanger(scene: Scene, item: Equipment, load: Array, rooms: Array) -> _Circuit:
    rated = item.rating.get("power", 1000.0)
    design_m3h = rated / (steam.WATER_KWH_M3_K * _DESIGN_SPREAD_K)
    call = _call(scene, item, rated, load, rooms)
    on = call.on
    leak_m3h = 0.03 * design_m3h * np.asarray(scene.fault("HS-F01", item))
    scene.waste("HS-F01", item, leak_m3h)
    # What is topped up comes cold.
    topped_kw = hot_water.draw_heat(leak_m3h, call.setpoint_c, scene.mains_c) * on
    share = _share(call.asked_kw, rated) * on
    pumped = share + (on - share) * np.asarray(scene.fault("HS-F09", item))
    rated_pump = _PUMP_SHARE * rated
    scene.waste("HS-F09", item, hot_water.pump_power(rated_pump, pumped) - hot_water.pump_power(rated_pump, share))
    capacity = np.maximum(steam.WATER_KWH_M3_K * pumped * design_m3h, 1e-3)
    wanted = call.asked_kw + topped_kw
    back_c = np.where(on > 0.0, call.setpoint_c - wanted / capacity, call.setpoint_c)
    primary, supply_c, valve = _primary(scene, item, rated, wanted, back_c, capacity, on)
    if not isinstance(leaking := scene.fault("HS-F04", item), float):
        # Heat that nobody asked for lifts the circuit; its thermostats close, but not enough.
        lifted = np.maximum(primary.heat_kw / np.maximum(wanted, _LEAST_LOAD * rated), 1.0) ** 0.35
        mean_c = _ROOM_C + (0.5 * (call.setpoint_c + back_c) - _ROOM_C) * lifted
        pumped = np.maximum(pumped, _share(primary.heat_kw, rated) * on)
        capacity = np.maximum(steam.WATER_KWH_M3_K * pumped * design_m3h, 1e-3)
        back_c = np.where(on > 0.0, mean_c - 0.5 * primary.heat_kw / capacity, back_c)
        primary, supply_c, valve = _primary(scene, item, rated, wanted, back_c, capacity, on)
        scene.waste("HS-F04", item, np.where(leaking > 0.0, primary.heat_kw - wanted, 0.0))
    given = primary.heat_kw
    # A loop that hunts swings as a whole.
    swing = np.asarray(scene.fault("HS-F05", item)) * on * _swing(scene)
    noise = 0.35 * scene.wander(f"{item.id}|supply", 500.0)
    held_c = scene.lag(f"{item.id}/supply", back_c + given / capacity + noise + 4.0 * swing, 45.0)
    secondary = _COOLED_C + scene.lag(f"{item.id}/loop", on, _LOOP_S) * (held_c - _COOLED_C)
    returned = np.where(on > 0.0, secondary - given / capacity - 2.0 * swing, secondary - 0.5)
    scene.put(item, "supply_setpoint", call.setpoint_c)
    scene.put(item, "outdoor_temperature", scene.outdoor_c, 0.1)
    scene.put(item, "secondary_supply_temperature", secondary, 0.1)
    scene.put(item, "secondary_return_temperature", returned, 0.1)
    scene.put(item, "secondary_flow", pumped * design_m3h, 0.003 * design_m3h * on)
    scene.put(item, "control_valve", np.clip(valve + 22.0 * swing, 0.0, 100.0), 0.3)
    scene.put(item, "primary_supply_temperature", np.where(on > 0.0, supply_c, supply_c - 6.0), 0.15)
    scene.put(item, "primary_return_temperature", scene.lag(f"{item.id}/return", primary.return_c, 120.0), 0.1)
    scene.put(item, "primary_flow", 3.6 * primary.flow_kg_s, 0.002 * design_m3h * on)
    scene.count(item, "heat_total", given * 0.0036)
    # A kelvin more in the rooms takes as much heat as a kelvin less outdoors.
    surplus_k = (given - topped_kw - call.usual_kw) / (rated / _BUILDING_K)
    warmer = scene.lag(f"{item.id}/rooms", surplus_k, _BUILDING_S)
    room_c = np.clip(0.9 * scene.outdoor_c, _ROOM_C, _COOLED_C) + warmer
    scene.put(item, "room_temperature", room_c + 0.3 * scene.wander(f"{item.id}|room", 4 * 3600.0), 0.05)
    _show_hydraulics(scene, item, rated, design_m3h, pumped, leak_m3h)
    return _Circuit(secondary, returned, pumped * design_m3h, given)


def _swing(scene: Scene) -> Array:
    """Return where a hunting valve is about its mean. [-]"""
    swing: Array = np.sin(2.0 * np.pi * (scene.span.time_us % _HUNTING_US) / _HUNTING_US)
    return swing


def _primary(
    scene: Scene, item: Equipment, rated: float, wanted: Array, back_c: Array, capacity: Array, on: Array
) -> tuple[physics.Primary, Array, Array]:
    """Return what the primary side gives, its supply temperature [°C], and where the control valve stands [%]."""
    fouling = np.asarray(scene.fault("HS-F02", item))
    least = 0.3 * np.asarray(scene.fault("HS-F04", item)) * on
    if _on_steam(scene, item):
        supply_c = scene.zeros() + steam.saturation_temperature(_STEAM_MPA)
        most = rated / 2100.0 * 1.35
        # A trap that does not open floods the surface, whatever the valve does.
        passing = most * (1.0 - 0.85 * np.asarray(scene.fault("BO-F14", item)))
        ua = physics.fouled(_STEAM_UA * rated, fouling)
        primary = physics.from_steam(wanted, _STEAM_MPA, back_c, capacity, ua, passing, least)
        scene.steam[item.id] = 3.6 * primary.flow_kg_s
        asked = np.where(primary.heat_kw < 0.999 * wanted, 1.0, primary.flow_kg_s / most)
    else:
        supply_c = BOILER_C - 1.0 + 0.3 * scene.wander(f"{item.id}|primary", 900.0)
        most = rated / 25.0
        ua = physics.fouled(_WATER_UA * rated, fouling)
        primary = physics.from_water(wanted, supply_c, back_c, capacity, ua, most, np.asarray(least))
        asked = primary.flow_kg_s * steam.WATER_KJ_KG_K / most
    # Equal percentage: the position goes with the logarithm of the flow, 1 to 30 (IEC 60534-2-4).
    valve = 100.0 * np.clip(1.0 + np.log(np.maximum(asked, 1e-6)) / np.log(30.0), 0.0, 1.0)
    leaks = np.asarray(scene.fault("HS-F04", item))
    return primary, supply_c, np.where((leaks > 0.0) & (primary.heat_kw > 1.001 * wanted), 0.0, valve) * on


def _show_hydraulics(
    scene: Scene, item: Equipment, rated: float, design_m3h: float, pumped: Array, leak_m3h: Array
) -> None:
    fouling = np.asarray(scene.fault("HS-F02", item))
    on = pumped > 0.0
    scene.put(item, "primary_pressure", 0.42 + 0.004 * scene.wander(f"{item.id}|primary|pressure", 600.0), 0.001)
    # The leak empties the circuit faster than the make-up pump fills it.
    falling = scene.lag(f"{item.id}/falling", 0.13 * leak_m3h / (0.03 * design_m3h), 1200.0)
    static = 0.34 + 0.004 * scene.wander(f"{item.id}|static", 3600.0) - falling
    head_mpa = 0.22 * pumped**2
    scene.put(item, "secondary_return_pressure", static, 0.0008)
    scene.put(item, "secondary_supply_pressure", static + head_mpa, 0.0008)
    scene.put(item, "exchanger_differential", 48.0 * (1.0 + 0.7 * fouling) * pumped**2, 0.2)
    scene.put(item, "strainer_differential", 14.0 * pumped**2, 0.15)
    usual = _MAKEUP * pumped * design_m3h * (1.0 + 0.3 * scene.wander(f"{item.id}|makeup", 1800.0))
    makeup = np.maximum(usual, 0.0) + leak_m3h
    scene.put(item, "makeup_flow", makeup, 0.002 * on)
    scene.count(item, "makeup_total", makeup)
    scene.water[item.id] = makeup
    scene.put(item, "makeup_tank_level", 72.0 + 5.0 * scene.wander(f"{item.id}|tank", 5400.0), 0.3)
    scene.put(item, "pump_running", on)
    power = hot_water.pump_power(_PUMP_SHARE * rated, pumped) + 0.1
    scene.count(item, "energy_import", power)
    scene.draw(item, power, _POWER_FACTOR)


def _show_meter(scene: Scene, item: Equipment, load: Array, total: Array, circuit: _Circuit | None) -> None:
    """Show a heat meter, which sees its part of a station's flow, or of a hot-water boiler's."""
    if circuit is None:
        flow = load / (steam.WATER_KWH_M3_K * BOILER_SPREAD_K)
        supply, returned, kw = np.full(len(scene), BOILER_C), np.full(len(scene), BOILER_C - BOILER_SPREAD_K), load
    else:
        part = np.where(total > 0.0, load / np.maximum(total, 1e-6), 0.0)
        supply, returned = circuit.supply_c - 0.4, circuit.return_c
        flow, kw = part * circuit.flow_m3h, part * circuit.given_kw
    # Sensors in each other's pockets: the meter sees the heat flow the wrong way, and its register stands.
    swapped = np.asarray(scene.fault("HS-F13", item))
    hot, cold = supply + swapped * (returned - supply), returned + swapped * (supply - returned)
    seen = kw * (1.0 - 2.0 * swapped)
    scene.put(item, "supply_temperature", hot, 0.05)
    scene.put(item, "return_temperature", cold, 0.05)
    scene.put(item, "flow", flow, 0.01 * (flow > 0.0))
    scene.put(item, "thermal_power", seen, 0.2 * (flow > 0.0))
    scene.count(item, "heat_total", np.maximum(seen, 0.0) * 0.0036)
    scene.count(item, "volume_total", flow)


def _run_hot_water(scene: Scene, item: Equipment, draw: Array) -> None:
    volume = item.rating.get("volume", 8.0)
    stopped, bare = np.asarray(scene.fault("HS-F11", item)), scene.fault("HS-F12", item)
    flow = _LOOP_M3H * volume * (1.0 - 0.93 * stopped)
    pipes = _LOOP_UA * volume * (1.0 + 2.4 * np.asarray(bare))
    store_c, heat_kw = _store(scene, item, f"{item.id}/store", volume, draw, flow, pipes)
    if isinstance(bare, float):
        scene.memory.pop(f"{item.id}/store|sound", None)
    else:
        scene.memory.setdefault(f"{item.id}/store|sound", scene.memory[f"{item.id}/store|start"])
        _, sound_kw = _store(scene, item, f"{item.id}/store|sound", volume, draw, flow, np.full(1, _LOOP_UA * volume))
        scene.waste("HS-F12", item, heat_kw - sound_kw)
    supply_c = store_c - _SUPPLY_LOSS_K
    scene.heat[item.id] = heat_kw
    if _on_steam(scene, item):
        enthalpy = steam.steam_enthalpy(_STEAM_MPA) - steam.WATER_KJ_KG_K * 75.0
        scene.steam[item.id] = 3.6 * heat_kw / enthalpy
    scene.put(item, "storage_temperature", store_c + 0.2 * scene.wander(f"{item.id}|store", 900.0), 0.05)
    scene.put(item, "supply_temperature", supply_c + 0.15 * scene.wander(f"{item.id}|supply", 600.0), 0.05)
    returned = hot_water.loop_return(supply_c, flow, pipes, _LOOP_C)
    scene.put(item, "return_temperature", scene.lag(f"{item.id}/return", returned, 1800.0), 0.05)
    scene.put(item, "mixed_temperature", 41.0 + 0.4 * scene.wander(f"{item.id}|mixed", 300.0), 0.1)
    scene.put(item, "tank_level", 82.0 - 3.0 * draw / volume + 3.0 * scene.wander(f"{item.id}|tank", 3600.0), 0.2)
    scene.put(item, "supply_pressure", 0.42 - 0.02 * draw / volume, 0.001)
    scene.put(item, "circulation_pump_running", stopped < 0.5)
    scene.put(item, "flow", draw, 0.004 * volume * (draw > 0.0))
    scene.count(item, "volume_total", draw)
    scene.count(item, "heat_total", heat_kw * 0.0036)
    power = 0.08 * volume * (1.0 - stopped) + 0.05
    scene.count(item, "energy_import", power)
    scene.draw(item, power, _POWER_FACTOR)


def _store(
    scene: Scene, item: Equipment, name: str, volume: float, draw: Array, flow: Array, pipes: Array
) -> tuple[Array, Array]:
    """
    Return the temperature of the storage [°C] and the heat that its heater gives [kW].

    The heater's valve opens with the difference to the set-point, so the storage settles where heat in is heat out:
    draw, loop and the storage's own loss are all lines over its temperature.
    """
    heater = _HEATER_KW_K * volume
    drawn = steam.WATER_KWH_M3_K * draw
    loop = steam.WATER_KWH_M3_K * flow * -np.expm1(-pipes / np.maximum(steam.WATER_KWH_M3_K * flow, 1e-6))
    shell = 0.004 * volume
    cold = drawn * (scene.mains_c + _SUPPLY_LOSS_K) + loop * (_LOOP_C + _SUPPLY_LOSS_K) + shell * _LOOP_C
    settled = (heater * _STORE_C + cold) / (heater + drawn + loop + shell)
    scene.memory[f"{name}|start"] = scene.memory.get(name, float(settled[0]))
    store_c = scene.lag(name, settled, 3600.0 * steam.WATER_KWH_M3_K * volume / heater)
    return store_c, heater * (_STORE_C - store_c)
