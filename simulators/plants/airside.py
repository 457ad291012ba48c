"""
Air handling units, and the clean and isolation rooms that some of them supply.

A unit carries what its air can of the heat of the departments that it serves; fan coils on the same chilled water take
the rest, so that what reaches the chillers is the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facility.site import Equipment
from simulators.physics import air, coil, fan
from simulators.physics.room import humidity_ratio, relative_humidity_of
from simulators.plants import clean_rooms
from simulators.scene import Array, Scene
from simulators.twin import Twin, cases, there, without

_POWER_FACTOR: Final = 0.86
_OWN_COP: Final = 3.2  # of the condensing unit that a unit without chilled water has
_STANDBY_KW: Final = 0.05
_PRESENT: Final = 0.12  # of the people: with fewer a department counts as closed
_WASTEFUL: Final = ("CH-F07", "CH-F13", "CH-F15", "CH-F18")
_CHILLED_FROM_C: Final = 12.0  # with less outdoors over a day no chilled water is made: outdoor air cools

# Pressures at rated flow when filters are new [Pa].
_PREFILTER_PA, _FINE_PA, _HEPA_PA, _PARTS_PA, _DUCT_PA = 42.0, 75.0, 165.0, 260.0, 300.0
_FILTER_LIFE_D: Final = {"prefilter": 60.0, "fine": 170.0, "hepa": 700.0}

_DRY: Final = 0.8  # of a department's heat; the rest is moisture
_BREATHED_KG_KG: Final = 0.0007  # moisture of people in the supply air at rated flow
_FAN_HEAT: Final = 0.87  # of the fan's power, which its air takes up
_LOSS_KW_M2_K: Final = 0.0015  # of the rooms, to the outdoors and to rooms that are not cooled
_LEAST_FRESH: Final = 0.2  # share of the supply air
_DEHUMIDIFY_C: Final = 11.5  # coil leaving temperature while it dehumidifies
_MOIST: Final = 0.008  # humidity ratio outdoors above which it does [kg/kg]
_COLDEST_C: Final = 10.0
_FROST_C: Final = 10.0  # mixed air is kept above
_RISE_K: Final = 25.0  # of the heating coil at rated air
_COIL_KJ_KG: Final = 32.0  # of the cooling coil at rated air
_HUMIDIFIER_KG_KG: Final = 0.004  # of the humidifier at rated air
_STEAM_KWH_KG: Final = 0.76  # of an electrode steam humidifier
_OUTDOOR_CO2: Final = 420.0
_CO2_RISE: Final = 430.0  # with everybody there and the least fresh air at rated flow


@dataclass(frozen=True, slots=True)
class _Air:
    """What a unit does in one stretch; `left_kw` : dry heat of its rooms that its air does not carry away."""

    room_shares: tuple[Array, ...]
    running: Array
    manual: NDArray[np.bool_]
    speed: Array
    setpoint_c: Array
    supply_c: Array
    supply_ratio: Array
    room_c: Array
    room_ratio: Array
    mixed_c: Array
    damper: Array
    cooling_kw: Array
    left_kw: Array
    heating_kw: Array
    cooling_valve: Array
    heating_valve: Array
    humidifier: Array
    drops_pa: tuple[Array, Array, Array]
    duct_pa: Array
    co2: Array
    power_kw: Array


def chilled_water_is_there(scene: Scene, name: str) -> Array:
    """Return 1 while chilled water is made, which a day's outdoor mean decides, else 0. `name` : who asks."""
    return (scene.lag(f"{name}/season", scene.outdoor_c, 86400.0) > _CHILLED_FROM_C).astype(np.float64)


def run(scene: Scene) -> None:
    """Work out every air handling unit with its rooms, then rooms without one."""
    units = list(scene.each("air_handling_unit"))
    chilled = chilled_water_is_there(scene, "airside") if units else scene.zeros()
    shares = _shares(scene, units)
    left = list(scene.each(*clean_rooms.CLASSES))
    for item in units:
        rooms = [room for room in left if item.id in room.fed_by]
        left = [room for room in left if item.id not in room.fed_by]
        _run_unit(scene, item, rooms, shares[item.id], chilled)
    for room in left:
        clean_rooms.run(scene, room, None)


def _shares(scene: Scene, units: Sequence[Equipment]) -> dict[str, list[tuple[str, float]]]:
    """Return which departments each unit serves, and which part of each: units share it by their air."""
    total: dict[str, float] = {}
    served = {item.id: item.serves.on(scene.today) for item in units}
    for item in units:
        for department in served[item.id]:
            total[department] = total.get(department, 0.0) + _rated(item)
    return {e.id: [(d, _rated(e) / total[d]) for d in served[e.id]] for e in units}


def _rated(item: Equipment) -> float:
    return item.rating.get("air_flow", 10_000.0)


def _run_unit(
    scene: Scene, item: Equipment, rooms: Sequence[Equipment], served: list[tuple[str, float]], chilled: Array
) -> None:
    cooling = scene.zeros()
    people = scene.zeros()
    area = 0.0
    for department, share in served:
        demand = scene.demand[department]
        cooling = cooling + demand.cooling_kw * share
        people = np.maximum(people, demand.people)
        area += (scene.site.departments[department].floor_area_m2.on(scene.today) or 0.0) * share
    load = _Load(cooling * chilled, people, area, chilled, tuple(rooms))
    present = cases(scene, (*_WASTEFUL, "CH-F08"), [item]) + cases(scene, ("CH-F14",), rooms)
    twins, sound = without(scene, item.id, present)
    blind = {case: _work_out(twin, item, load) for case, twin in twins.items()}
    well = None if sound is None else _work_out(sound, item, load) if len(present) > 1 else blind[present[0]]
    real = _work_out(Twin(scene), item, load)
    # Fan coils take what the unit's air would not carry if nothing were wrong; what a fault asks for comes on top.
    usual_kw, usual_left_kw = real.cooling_kw, real.left_kw
    if well is not None:
        ill = np.any([there(scene, case) for case in present], axis=0)
        usual_kw = np.where(ill, well.cooling_kw, usual_kw)
        usual_left_kw = np.where(ill, well.left_kw, usual_left_kw)
    total = real.cooling_kw + np.maximum(load.cooling_kw - usual_kw, 0.0) + real.left_kw - usual_left_kw
    power = real.power_kw
    if any(scene.site.equipment[s].cls.id == "chiller" for s in item.fed_by if s in scene.site.equipment):
        scene.cooling[item.id] = total
    else:
        power = power + total / _OWN_COP
    for case, other in blind.items():
        if case[0] != "CH-F08":
            on = there(scene, case)
            scene.waste(case[0], scene.site.equipment[case[1]], on * (real.power_kw - other.power_kw))
            scene.needless[case] = on * (real.cooling_kw + real.left_kw - other.cooling_kw - other.left_kw)
    scene.heat[item.id] = real.heating_kw
    scene.draw(item, power, _POWER_FACTOR)
    _show(scene, item, real, power)
    for room, room_share in zip(rooms, real.room_shares, strict=True):
        clean_rooms.run(scene, room, clean_rooms.Supply(_rated(item) / len(rooms), room_share, real.room_ratio))


@dataclass(frozen=True, slots=True)
class _Load:
    """
    What a unit is there for.

    Attributes
    ----------
    cooling_kw : of the departments that it serves, while there is chilled water [kW]
    people : how many of those whom the fullest of them holds are there [-]
    area_m2 : [m²]
    chilled : whether there is chilled water
    rooms : clean and isolation rooms that it supplies
    """

    cooling_kw: Array
    people: Array
    area_m2: float
    chilled: Array
    rooms: tuple[Equipment, ...]


def _work_out(twin: Twin, item: Equipment, load: _Load) -> _Air:
    scene, rated_kg_s = twin.scene, float(air.mass_flow(_rated(item)))
    outdoor_ratio = humidity_ratio(scene.outdoor_c, scene.humidity)
    day_c = twin.lag(f"{item.id}/outdoor", scene.outdoor_c, 43200.0)
    manual = np.asarray(twin.fault("CH-F13", item)) > 0.0
    running = np.ones(len(scene)) if load.rooms else ((load.people > _PRESENT) | manual).astype(np.float64)

    usual_c = np.full(len(scene), 22.5) if load.rooms else np.interp(day_c, [10.0, 24.0], [21.8, 24.8])
    colder_k = 4.0 * np.asarray(twin.fault("CH-F15", item)) * (day_c > 20.0)
    room_c = _room(twin, item, usual_c - colder_k, running)
    room_shares = tuple(clean_rooms.flow_share(twin, room) for room in load.rooms)
    breathing = load.people
    if load.rooms:
        # Lamps, devices and people of the rooms themselves; the department around them has fan coils.
        in_use = np.mean([clean_rooms.in_use(scene, room) for room in load.rooms], axis=0)
        dry_kw, breathing = rated_kg_s * air.CP_AIR * (0.7 + 2.0 * in_use), 0.25 * in_use
    else:
        dry_kw = _DRY * load.cooling_kw
    dry_kw = dry_kw + _LOSS_KW_M2_K * load.area_m2 * colder_k * load.chilled * running
    asked = _asked_flow(load, room_shares, dry_kw / (rated_kg_s * air.CP_AIR * 9.0), manual)
    share, speed, drops, duct_pa, fan_kw = _move(twin, item, asked, running)
    flow_kg_s = rated_kg_s * np.maximum(share, 0.05)
    rise_k = fan_kw * _FAN_HEAT / (flow_kg_s * air.CP_AIR)
    wanted_c = np.clip(room_c - dry_kw / (flow_kg_s * air.CP_AIR), 14.0, 21.5)
    setpoint_c = twin.lag(f"{item.id}/setpoint", np.where(running > 0.0, wanted_c, 18.0), 900.0)

    commanded, fresh = _dampers(twin, item, load, asked, room_c, setpoint_c - rise_k)
    dehumidify = load.chilled * (twin.lag(f"{item.id}/moisture", outdoor_ratio, 7200.0) > _MOIST) > 0.0
    fresh_c, fresh_ratio, dried_kw = scene.outdoor_c, outdoor_ratio, scene.zeros()
    if load.rooms:
        # Clean rooms get outdoor air that a coil of its own has dried.
        dried = coil.cool(
            flow_kg_s * fresh, scene.outdoor_c, outdoor_ratio,
            np.where(dehumidify, _DEHUMIDIFY_C, scene.outdoor_c), np.full(len(scene), _DEHUMIDIFY_C),
        )  # fmt: skip
        fresh_c, fresh_ratio, dried_kw = dried.temperature_c, dried.ratio, dried.load_kw * running
    mixed_c = fresh * fresh_c + (1.0 - fresh) * room_c

    stuck_kw = 0.35 * np.asarray(twin.fault("CH-F07", item)) * rated_kg_s * air.CP_AIR * _RISE_K * running
    before_heat_c = setpoint_c - rise_k - stuck_kw / (flow_kg_s * air.CP_AIR)
    leak_kw = (
        coil.load_share(0.3 * np.asarray(twin.fault("CH-F08", item)))
        * rated_kg_s * _COIL_KJ_KG * np.clip((mixed_c - 8.0) / 18.0, 0.0, 1.0) * load.chilled
    )  # fmt: skip
    leak_c = np.maximum(mixed_c - _DRY * leak_kw / (flow_kg_s * air.CP_AIR), np.minimum(mixed_c, _COLDEST_C))
    needed_c = np.where(load.chilled > 0.0, np.maximum(before_heat_c, _COLDEST_C), mixed_c)
    after_c = np.minimum(np.minimum(needed_c, leak_c), mixed_c)
    coldest_c = np.where(dehumidify & (after_c < mixed_c), np.minimum(after_c, _DEHUMIDIFY_C), after_c)

    humid = "humidifier" in item.points
    breathed = _BREATHED_KG_KG * breathing * rated_kg_s / flow_kg_s
    settled, short = _moisture(twin, item, fresh, fresh_ratio, breathed, mixed_c, after_c, coldest_c, room_c)
    # Where no air is moved, moisture comes in through gaps.
    settled = np.where(running > 0.0, settled, 0.5 * (outdoor_ratio + 0.0095))
    humidifier = np.clip(short * flow_kg_s / (_HUMIDIFIER_KG_KG * rated_kg_s), 0.0, 1.0) * running * humid
    steam_ratio = humidifier * _HUMIDIFIER_KG_KG * rated_kg_s / flow_kg_s
    room_ratio = twin.lag(f"{item.id}/moist", settled + steam_ratio / np.maximum(fresh, 0.05), 1800.0)
    mixed_ratio = fresh * fresh_ratio + (1.0 - fresh) * room_ratio

    cooled = coil.cool(flow_kg_s, mixed_c, mixed_ratio, after_c, coldest_c)
    cooling_kw = cooled.load_kw * running + dried_kw
    warm = 1.0 - np.asarray(twin.fault("CH-F21", item))
    most_kw = rated_kg_s * air.CP_AIR * _RISE_K * warm
    lacking_kw = flow_kg_s * air.CP_AIR * (setpoint_c - rise_k - cooled.temperature_c)
    heating_kw = np.clip(np.maximum(lacking_kw, stuck_kw), 0.0, most_kw) * running
    supply_c = cooled.temperature_c + heating_kw / (flow_kg_s * air.CP_AIR) + rise_k
    needed_share = np.where(needed_c < leak_c, cooling_kw / (rated_kg_s * _COIL_KJ_KG), 0.0)
    asked_heat = np.where(warm > 0.0, np.maximum(lacking_kw, stuck_kw) / (rated_kg_s * air.CP_AIR * _RISE_K), 1.0)
    rise = (0.5 if load.rooms else 1.0) * _CO2_RISE * load.people * _LEAST_FRESH
    co2 = twin.lag(f"{item.id}/co2", _OUTDOOR_CO2 + rise / np.maximum(fresh * share, 0.01), 1200.0)
    steam_kw = humidifier * _HUMIDIFIER_KG_KG * rated_kg_s * 3600.0 * _STEAM_KWH_KG
    return _Air(
        room_shares=room_shares,
        running=running,
        manual=manual,
        speed=speed,
        setpoint_c=setpoint_c,
        supply_c=supply_c,
        supply_ratio=cooled.ratio + steam_ratio,
        room_c=room_c,
        room_ratio=room_ratio,
        mixed_c=mixed_c,
        damper=commanded,
        cooling_kw=cooling_kw,
        left_kw=np.maximum(dry_kw - running * flow_kg_s * air.CP_AIR * (room_c - supply_c), 0.0) * load.chilled,
        heating_kw=heating_kw,
        cooling_valve=coil.valve_opening(coil.water_share(needed_share)),
        heating_valve=coil.valve_opening(coil.water_share(np.clip(asked_heat, 0.0, 1.0) * running)),
        humidifier=humidifier,
        drops_pa=drops,
        duct_pa=duct_pa,
        co2=co2,
        power_kw=fan_kw + steam_kw + _STANDBY_KW,
    )


def _room(twin: Twin, item: Equipment, wanted_c: Array, running: Array) -> Array:
    """Return the temperature of the rooms: held while air is moved, else drifting towards the outdoors. [°C]"""
    drift = np.clip(0.25 * (twin.scene.outdoor_c - wanted_c), -4.0, 4.0) * (1.0 - running)
    return twin.lag(f"{item.id}/room", wanted_c + drift, 5400.0) + 0.2 * twin.scene.wander(f"{item.id}|room", 2400.0)


def _asked_flow(load: _Load, room_shares: tuple[Array, ...], dry_share: Array, manual: NDArray[np.bool_]) -> Array:
    """Return the air that is asked for, as a share of the rated. [-]"""
    if room_shares:
        return np.asarray(np.mean(room_shares, axis=0))
    by_load = np.clip(0.45 + 0.55 * np.maximum(dry_share, 0.6 * load.people), 0.45, 1.0)
    return np.where(manual, 1.0, by_load)


def _move(
    twin: Twin, item: Equipment, asked: Array, running: Array
) -> tuple[Array, Array, tuple[Array, Array, Array], Array, Array]:
    """Return flow share [-], fan speed [-], pressures over the filters [Pa], in the duct [Pa], and fan power [kW]."""
    has_hepa = "hepa_differential" in item.points
    loaded = np.asarray(twin.fault("CH-F20", item))
    clean = {"prefilter": _PREFILTER_PA, "fine": _FINE_PA, "hepa": _HEPA_PA * has_hepa}
    pressure = 2.0 * sum(clean.values()) + _PARTS_PA + _DUCT_PA
    curve = fan.FanCurve(_rated(item), pressure)

    def drops(share: Array) -> tuple[Array, Array, Array]:
        each = [
            fan.filter_drop(pa, _loading(twin.scene, item, name) + (2.4 * loaded if name == "fine" else 0.0), share,
                            1.0 if name == "hepa" else 1.3)
            for name, pa in clean.items()
        ]  # fmt: skip
        return each[0], each[1], each[2]

    duct_pa = _DUCT_PA * (0.6 + 0.4 * asked)
    needed = curve.speed_for(_rated(item) * asked, sum(drops(asked)) + _PARTS_PA * asked**2 + duct_pa)
    # At full speed it can do no more: the air falls short, and with it the pressure.
    short = np.minimum(1.0 / needed, 1.0)
    share, duct_pa = asked * short * running, duct_pa * short**2
    taken = drops(share)
    total = sum(taken) + _PARTS_PA * share**2 + duct_pa * running
    speed = np.minimum(needed, 1.0) * running
    return share, speed, taken, duct_pa * running, curve.power(_rated(item) * share, total, speed) * running


def _loading(scene: Scene, item: Equipment, name: str) -> Array:
    """Return how dirty a filter is, 0 new to 0.9 when it is changed. [-]"""
    life = _FILTER_LIFE_D[name]
    days = scene.span.time_us / 86400e6 + scene.own(f"{item.id}|{name}", 0.0, life)
    return np.asarray(0.9 * np.mod(days / life, 1.0))


def _dampers(
    twin: Twin, item: Equipment, load: _Load, asked: Array, room_c: Array, wanted_c: Array
) -> tuple[Array, Array]:
    """Return the share of outdoor air that is commanded, and that there is. [-]"""
    outdoor_c = twin.scene.outdoor_c
    least = np.clip(_LEAST_FRESH * np.maximum(load.people / asked, 1.0), _LEAST_FRESH, 0.6)
    if load.rooms:
        least = np.full(len(twin.scene), _LEAST_FRESH)
    # In hard frost the damper closes rather than let the coils freeze.
    least = np.where(outdoor_c < 0.0, np.minimum(least, (room_c - _FROST_C) / (room_c - outdoor_c)), least)
    cooler = outdoor_c < room_c - 3.0
    free = np.clip((room_c - wanted_c) / np.maximum(room_c - outdoor_c, 1.0), 0.0, 1.0)
    commanded = np.where(cooler, np.maximum(least, free), least)
    shut, open_ = np.asarray(twin.fault("CH-F09", item)), np.asarray(twin.fault("CH-F21", item))
    fresh = commanded + shut * (0.03 - commanded)
    return commanded, fresh + open_ * (1.0 - fresh)


def _moisture(
    twin: Twin,
    item: Equipment,
    fresh: Array,
    fresh_ratio: Array,
    gained: Array,
    mixed_c: Array,
    after_c: Array,
    coldest_c: Array,
    room_c: Array,
) -> tuple[Array, Array]:
    """
    Return the humidity ratio at which the rooms settle, and what the humidifier must add to the supply air. [kg/kg]

    What outdoor air and people bring in leaves with the air that goes out, or condenses on the coil.
    """
    fresh = np.maximum(fresh, 0.05)
    through = np.clip((mixed_c - after_c) / np.maximum(mixed_c - coldest_c, 1e-6), 0.0, 1.0)
    coil_ratio = 0.95 * air.saturation_ratio(coldest_c)
    dry = fresh_ratio + gained / fresh
    past = 1.0 - through
    wet = (past * fresh * fresh_ratio + through * coil_ratio + gained) / (1.0 - past * (1.0 - fresh))
    settled = np.where(fresh * fresh_ratio + (1.0 - fresh) * dry > coil_ratio, wet, dry)
    wanted = humidity_ratio(room_c, 42.0 + 24.0 * np.asarray(twin.fault("CH-F18", item)))
    return settled, np.maximum(fresh * (wanted - settled), 0.0)


def _show(scene: Scene, item: Equipment, real: _Air, power: Array) -> None:
    on = real.running
    # In ducts where no air moves, what is there is as warm as the plant room.
    still_c = 21.0 + 0.2 * (scene.outdoor_c - 17.0)

    def duct(name: str, moving: Array) -> Array:
        return scene.lag(f"{item.id}/{name}", np.where(on > 0.0, moving, still_c), 240.0)

    supply_c = duct("supply", real.supply_c)
    scene.put(item, "fan_running", on)
    scene.put(item, "fault", 0.0)
    scene.put(item, "auto", np.where(real.manual, 0.0, 1.0))
    scene.put(item, "fan_frequency", 50.0 * real.speed, 0.05 * on)
    scene.put(item, "supply_air_temperature", supply_c, 0.1)
    scene.put(item, "supply_air_setpoint", real.setpoint_c)
    scene.put(item, "return_air_temperature", real.room_c, 0.05)
    scene.put(item, "mixed_air_temperature", duct("mixed", real.mixed_c), 0.1)
    scene.put(item, "supply_air_humidity", relative_humidity_of(real.supply_ratio, supply_c), 0.4)
    scene.put(item, "return_air_humidity", relative_humidity_of(real.room_ratio, real.room_c), 0.3)
    scene.put(item, "cooling_valve", real.cooling_valve * on)
    scene.put(item, "heating_valve", real.heating_valve * on)
    scene.put(item, "outdoor_damper", 100.0 * real.damper * on)
    scene.put(item, "humidifier", 100.0 * real.humidifier)
    for name, drop in zip(("prefilter", "fine_filter", "hepa"), real.drops_pa, strict=True):
        scene.put(item, f"{name}_differential", drop, 1.0)
    scene.put(item, "supply_pressure", real.duct_pa, 2.0 * on)
    scene.put(item, "co2", real.co2, 5.0)
    scene.put(item, "active_power", power, 0.01 * on)
    scene.count(item, "energy_import", power)
    scene.count(item, "run_hours", on)
