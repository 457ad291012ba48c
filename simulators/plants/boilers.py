"""The boiler room: steam boilers with their feed water, and hot-water boilers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facility.site import Equipment
from simulators.physics import boiler as physics
from simulators.physics import hot_water, steam
from simulators.plants.burners import (
    POWER_FACTOR,
    Burner,
    Fire,
    Ills,
    cycle,
    lit_share,
    locked_out,
    rated_gas,
    run_gas_meters,
    shares,
    show,
)
from simulators.plants.heating import BOILER_C, BOILER_SPREAD_K
from simulators.plants.steam import CONDENSATE, HEADER, SET_MPA, show_meters
from simulators.scene import Array, Scene

_BAND_MPA: Final = 0.10
_COLD_MPA: Final = 0.05  # a boiler that has stood for days
_COOLING_S: Final = 30_000.0  # how its pressure falls without fire
_RATED_FEED_KJ: Final = 434.0  # feed water of 103.5 °C [kJ/kg]
_SALT: Final = 3200.0  # conductivity at which the blow-down holds the boilers' water [µS/cm]
_RAW_SALT: Final = 480.0  # of softened water
_TANK_LOSS_KW: Final = 6.0
_TRIP_MM: Final = 62.0  # depth under the normal level at which the low-low contact stops the burner
_SURFACE_M2: Final = 3.0  # water surface for each t/h of rating
_PRESSURE_S: Final = 600.0  # how fast the pressure of a boiler moves without its control
_WARMING_H: Final = 1.0  # from cold to full pressure, for a boiler that is kept hot
_BAND_K: Final = 5.0  # of a hot-water boiler's switch
_NONE: Final = np.zeros(1)

# What makes the boiler house burn more gas or take more water, and which of the two is its waste; each is charged with
# what it adds to those before it.
_WASTEFUL: Final = {
    "BO-F15": "gas", "BO-F05": "gas", "BO-F06": "gas", "BO-F07": "gas", "BO-F10": "gas", "BO-F16": "gas",
    "BO-F19": "gas", "BO-F03": "gas", "BO-F18": "water",
}  # fmt: skip
# What changes it too, but wastes nothing that a meter counts.
_OTHERS: Final = ("BO-F08", "BO-F11", "BO-F12", "BO-F20")


def run(scene: Scene) -> None:
    """Work out every boiler and feedwater station, and then the gas meters."""
    air_c = np.clip(16.0 + 0.5 * (scene.outdoor_c - 10.0), 5.0, 40.0)
    boilers = list(scene.each("gas_steam_boiler"))
    if boilers:
        _run_steam(scene, boilers, list(scene.each("feedwater_station")), air_c)
    rooms: dict[str | None, list[Equipment]] = {}
    for item in scene.each("gas_hot_water_boiler"):
        rooms.setdefault(item.room, []).append(item)
    for members in rooms.values():
        _run_hot_water(scene, members, air_c)
    run_gas_meters(scene)


def _rated_th(item: Equipment) -> float:
    return item.rating.get("steam", 4.0)


def _full_kw(item: Equipment) -> float:
    return float(_rated_th(item) * (steam.steam_enthalpy(SET_MPA) - _RATED_FEED_KJ) / 3.6)


@dataclass(frozen=True, slots=True)
class _Given:
    """What the steam house is given: draw, condensate, weather, noise, and which boilers can fire (0 or 1)."""

    users_th: Array
    condensate_th: Array
    condensate_kj_kg: Array
    condensate_salt: Array
    raw_c: Array
    air_c: Array
    feed_c: Array
    able: dict[str, Array]
    drained: dict[str, Array]  # [mm]
    warmth: dict[str, Array]  # heat in a boiler that is kept hot, over that at pressure [-]
    warming: dict[str, Array]  # how fast it rises [1/h]
    noise: dict[str, tuple[Array, Array]]


@dataclass(frozen=True, slots=True)
class _Boiler:
    """What one steam boiler does: steam, what of its water goes to the drain or up, pressure, fire."""

    steam_th: Array
    blow_th: Array
    lifted_th: Array  # through the safety valve
    pressure_mpa: Array
    salt_in: Array  # conductivity of what replaces the steam [µS/cm]
    fire: Fire


@dataclass(frozen=True, slots=True)
class _House:
    """All steam boilers with their feed water."""

    boilers: dict[str, _Boiler]
    short_th: Array  # steam that no boiler can give
    feed_th: Array
    feed_kj_kg: Array
    condensate_th: Array
    makeup_th: Array

    def spent(self, what: str) -> Array:
        """Return the gas [Nm³/h] or the water [m³/h] that the house takes."""
        if what == "water":
            return self.makeup_th
        gas: Array = np.sum([b.fire.gas_nm3h for b in self.boilers.values()], axis=0)
        return gas


def _work(scene: Scene, boilers: Sequence[Equipment], station: Equipment | None, given: _Given, ills: Ills) -> _House:
    """Work out the steam house with some of its faults: a balance of steam, water, salt and energy."""

    def of_station(fault: str) -> Array:
        return ills(fault, station) if station is not None else _NONE

    returned = given.condensate_th * (1.0 - 0.7 * of_station("BO-F18"))
    ratings = [_rated_th(b) for b in boilers]
    heating = 0.08 * given.users_th  # steam for the deaerator, found by going round a few times
    lost: dict[str, tuple[Array, Array]] = {}
    for _ in range(3):
        made = given.users_th + heating
        each, short = shares(scene, boilers, ratings, made, given.able)
        raw = np.maximum(made - heating - returned, 0.0)
        salt_in = (raw * _RAW_SALT + returned * given.condensate_salt) / np.maximum(made, 1e-6)
        held = physics.blow_down(salt_in, np.array(_SALT), _RAW_SALT)
        lost = {b.id: _lost(b, each[b.id], held, ills) for b in boilers}
        feed = made - short + np.sum([blow + lifted for blow, lifted in lost.values()], axis=0)
        heating = physics.deaerator_steam(
            feed, given.feed_c, returned, given.condensate_kj_kg, given.raw_c, _TANK_LOSS_KW
        ) * (1.0 - of_station("BO-F20"))
    feed_kj = physics.feed_enthalpy(feed, heating, returned, given.condensate_kj_kg, given.raw_c, _TANK_LOSS_KW)
    worked = {b.id: _fire(b, each[b.id], *lost[b.id], salt_in, feed_kj, given, ills) for b in boilers}
    return _House(worked, short, feed, feed_kj, returned, np.maximum(feed - returned - heating, 0.0))


def _lost(item: Equipment, steam_th: Array, held: Array, ills: Ills) -> tuple[Array, Array]:
    """Return blow-down, and steam that lifts the safety valve because the burner does not go down. [t/h]"""
    rated = _rated_th(item)
    working = steam_th > 0.0
    leak = 0.10 * rated * ills("BO-F10", item) * working
    # The surface valve shuts as far as another one leaks.
    blow = np.maximum(held * steam_th * (1.0 - ills("BO-F11", item)), leak)
    least_th = 0.7 * rated * ills("BO-F03", item) * working
    return blow, np.where(least_th > 0.0, np.maximum(least_th - steam_th, 0.0), 0.0)


def _fire(
    item: Equipment,
    steam_th: Array,
    blow_th: Array,
    lifted_th: Array,
    salt_in: Array,
    feed_kj: Array,
    given: _Given,
    ills: Ills,
) -> _Boiler:
    pressure = SET_MPA + 0.2 * ills("BO-F19", item)
    pressure = np.where(lifted_th > 0.0, 1.04 * item.rating.get("pressure", 1.0), pressure)
    water_c = steam.saturation_temperature(pressure)
    # An idle boiler is cold, unless somebody keeps it under pressure.
    idle, kept = steam_th <= 0.01 * _rated_th(item), ills("BO-F16", item) * given.able[item.id]
    hot = np.where(idle, kept * given.warmth[item.id], 1.0)
    full_kw = _full_kw(item)
    # What users take is heat: a higher pressure is brought down before them, so it is reckoned at the usual one.
    heat = (
        physics.steam_heat(steam_th, SET_MPA, feed_kj)
        + physics.steam_heat(lifted_th, pressure, feed_kj)
        + blow_th * (steam.water_enthalpy(water_c) - feed_kj) / 3.6
        + hot * physics.shell_loss(full_kw, water_c, given.air_c)
        + idle * kept * given.warming[item.id] * physics.warming_heat(_rated_th(item), water_c, given.air_c) / 3600.0
    )
    band_mpa = _BAND_MPA * (1.0 - 0.35 * ills("BO-F15", item))
    burner = Burner(
        full_kw,
        water_c,
        given.air_c,
        feed_kj / steam.WATER_KJ_KG_K,
        physics.pressure_store(_rated_th(item), band_mpa),
        given.noise[item.id],
    )
    heat = np.where(hot > 0.0, heat, 0.0)
    return _Boiler(steam_th, blow_th, lifted_th, pressure, salt_in, burner.burn(item, heat, ills))


def _run_steam(scene: Scene, boilers: Sequence[Equipment], stations: Sequence[Equipment], air_c: Array) -> None:
    station = stations[0] if stations else None
    users, condensate = scene.steam[HEADER], scene.steam[CONDENSATE]
    warmth = scene.heat[CONDENSATE]
    # What is hotter than boiling boils off in the vented tank.
    arriving = warmth / np.maximum(condensate, 1e-6)
    kept = condensate - steam.flash_steam(condensate, arriving)
    able, drained = _able(scene, boilers, users)
    warm, warming = _warmth(scene, boilers, able)
    contaminated = np.asarray(scene.fault("BO-F12", station)) if station is not None else _NONE
    given = _Given(
        users_th=users,
        condensate_th=kept,
        condensate_kj_kg=np.minimum(arriving, steam.water_enthalpy(100.0)),
        condensate_salt=18.0 + 3.0 * scene.wander("condensate|salt", 6 * 3600.0) + 260.0 * contaminated,
        raw_c=scene.mains_c,
        air_c=air_c,
        feed_c=103.5 + 0.4 * scene.wander("feedwater|deaerator", 1800.0),
        able=able,
        drained=drained,
        warmth=warm,
        warming=warming,
        noise={
            b.id: (
                0.12 * scene.wander(f"{b.id}|oxygen", 600.0),
                1.5 * scene.wander(f"{b.id}|flue", 900.0),
            )
            for b in boilers
        },
    )
    house = _chain(scene, boilers, station, given)
    # Where all boilers together cannot give what is drawn, the header's pressure falls.
    missing = house.short_th / np.maximum(users, 1e-6)
    sag = scene.lag("steam|sag", SET_MPA * np.minimum(1.2 * missing, 1.0), _PRESSURE_S)
    foam = scene.zeros()
    for item in boilers:
        foam = foam + _show_boiler(scene, item, house, sag, given)
    show_meters(scene, SET_MPA - sag + 0.004 * scene.wander("header|pressure", 240.0))
    for each in stations:
        _show_feedwater(scene, each, house, given, foam, len(stations))


def _chain(scene: Scene, boilers: Sequence[Equipment], station: Equipment | None, given: _Given) -> _House:
    """Put the faults in one after the other, and charge each with what it adds."""
    sick: dict[tuple[str, str], Array] = {}

    def ills(fault: str, item: Equipment) -> Array:
        return sick.get((fault, item.id), _NONE)

    owners = [*boilers, *([station] if station is not None else [])]
    present = [
        (fault, item, severity)
        for fault in (*_OTHERS, *_WASTEFUL)
        for item in owners
        if not isinstance(severity := scene.fault(fault, item), float)
    ]
    sick |= {(fault, item.id): severity for fault, item, severity in present if fault in _OTHERS}
    house = _work(scene, boilers, station, given, ills)
    for fault, item, severity in present:
        if fault in _WASTEFUL:
            sick[fault, item.id] = severity
            worse = _work(scene, boilers, station, given, ills)
            what = _WASTEFUL[fault]
            scene.waste(fault, item, worse.spent(what) - house.spent(what))
            house = worse
    return house


def _able(scene: Scene, boilers: Sequence[Equipment], users: Array) -> tuple[dict[str, Array], dict[str, Array]]:
    """
    Return which boilers can fire (0 or 1), and how far the level of each has fallen [mm].

    Not one that is locked out, nor one that has tripped for want of water.

    A boiler whose feed valve sticks steams away what it holds: its level falls by the missing water over the water's
    surface, until the low-low contact stops the burner for good.
    """
    able = {item.id: 1.0 - locked_out(scene, item).astype(np.float64) for item in boilers}
    drained = {item.id: _NONE for item in boilers}
    usual, _ = shares(scene, boilers, [_rated_th(b) for b in boilers], 1.1 * users, able)
    for item in boilers:
        severity = scene.fault("BO-F01", item)
        key = f"{item.id}/drained"
        if isinstance(severity, float):
            scene.memory.pop(key, None)
            continue
        fall_mm_h = severity * usual[item.id] / (_SURFACE_M2 * _rated_th(item)) * 1000.0 / 0.9
        fallen = scene.memory.get(key, 0.0) + np.cumsum(fall_mm_h * scene.span.dt_s / 3600.0)
        fallen = np.where(severity > 0.0, np.minimum(fallen, _TRIP_MM), 0.0)
        scene.memory[key] = float(fallen[-1])
        drained[item.id], able[item.id] = fallen, able[item.id] * (fallen < _TRIP_MM)
    return able, drained


def _warmth(
    scene: Scene, boilers: Sequence[Equipment], able: dict[str, Array]
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return how warm each boiler is that is kept hot [-], and how fast its burner warms it [1/h]."""
    warmth, warming = {}, {}
    for item in boilers:
        severity, key = scene.fault("BO-F16", item), f"{item.id}/warmth"
        if isinstance(severity, float):
            scene.memory[key] = 0.0
            warmth[item.id] = warming[item.id] = _NONE
            continue
        kept = (severity > 0.0) & (able[item.id] > 0.0)
        start = scene.memory.get(key, float(kept[0]))
        hours = scene.span.dt_s / 3600.0
        warm = np.where(kept, np.minimum(start + np.cumsum(kept * hours) / _WARMING_H, 1.0), 0.0)
        rise = np.maximum(np.diff(warm, prepend=start), 0.0)
        warmth[item.id], warming[item.id] = warm, rise / np.maximum(hours, 1e-9)
        scene.memory[key] = float(warm[-1])
    return warmth, warming


def _standing(scene: Scene, item: Equipment, pressure: Array, hot: NDArray[np.bool_], warming: Array) -> Array:
    """Follow the pressure of a boiler: its own while hot; without fire it falls within a day, unless warmed. [MPa]"""
    key = f"{item.id}/standing"
    value = scene.memory.get(key, SET_MPA if hot[0] else _COLD_MPA)
    keep = np.exp(-scene.span.dt_s / _COOLING_S)
    stands = np.empty(len(scene))
    steps = zip(pressure.tolist(), hot.tolist(), warming.tolist(), keep.tolist(), strict=True)
    for i, (own, is_hot, warmed, left) in enumerate(steps):
        value = own if is_hot else max(_COLD_MPA + (value - _COLD_MPA) * left, warmed)
        stands[i] = value
    scene.memory[key] = value
    return stands


def _show_boiler(scene: Scene, item: Equipment, house: _House, sag: Array, given: _Given) -> Array:
    """Show a steam boiler, and return the salt that it throws over into the steam. [t/h * µS/cm]"""
    boiler, rated, full_kw = house.boilers[item.id], _rated_th(item), _full_kw(item)
    fire, working = boiler.fire, boiler.steam_th > 0.0
    burning, place = cycle(scene, item, fire)
    hot = fire.duty > 0.0
    band_mpa = _BAND_MPA * (1.0 - 0.35 * np.asarray(scene.fault("BO-F15", item)))
    # What pushes the pressure off its set-point does so through the heat of the water.
    pushed = scene.lag(f"{item.id}/pushed", boiler.pressure_mpa - SET_MPA, _PRESSURE_S)
    pressure = SET_MPA + pushed - sag + 0.004 * scene.wander(f"{item.id}|pressure", 240.0) + band_mpa * place
    warm = given.warmth[item.id]
    warms = ~working & (warm > 0.0) & (warm < 1.0)
    under_way = steam.saturation_pressure(
        given.air_c + warm * (steam.saturation_temperature(boiler.pressure_mpa) - given.air_c)
    )
    standing = _standing(scene, item, pressure, hot & ~warms, np.where(warms, under_way, 0.0))
    pressure = np.maximum(np.where(hot & ~warms, pressure, np.minimum(standing, SET_MPA - sag)), 0.0)
    scene.put(item, "steam_pressure", pressure, 0.001)
    scene.put(item, "steam_temperature", steam.saturation_temperature(pressure), 0.1)
    salt = _salt(scene, item, boiler)
    foam = np.clip((salt - 4200.0) / 2500.0, 0.0, 1.0) * working
    surge = 1.0 + 0.12 * foam * scene.wander(f"{item.id}|foam", 60.0)
    scene.put(item, "steam_flow", boiler.steam_th * surge, 0.004 * rated * working)
    scene.count(item, "steam_total", boiler.steam_th)
    scene.put(item, "conductivity", salt * (1.0 + 0.04 * scene.wander(f"{item.id}|salt", 6 * 3600.0)), 10.0)
    scene.put(item, "boiler_water_ph", 11.0 + 0.15 * scene.wander(f"{item.id}|ph", 12 * 3600.0), 0.02)
    _show_level(scene, item, np.where(working, 1.0 + 1.5 * foam, 0.1), given)
    feeding = 1.0 + 0.12 * scene.wander(f"{item.id}|feeding", 90.0)
    taken = boiler.steam_th + boiler.blow_th + boiler.lifted_th
    dry = np.asarray(scene.fault("BO-F01", item))
    scene.put(item, "feedwater_flow", taken * feeding * (1.0 - dry), 0.004 * rated * working)
    feed_c = house.feed_kj_kg / steam.WATER_KJ_KG_K - 1.5 + 0.5 * scene.wander(f"{item.id}|feed", 1800.0)
    scene.put(item, "feedwater_temperature", feed_c, 0.2)
    # An idle boiler's flue is as warm as its water under pressure, or as the room.
    idle_c = np.where(hot, 95.0, 40.0)
    power = rated * (1.2 + 2.6 * fire.fire * lit_share(scene, fire, burning)) * hot
    show(scene, item, fire, burning, rated_gas(full_kw), idle_c, power)
    return 0.03 * foam * boiler.steam_th * salt


def _salt(scene: Scene, item: Equipment, boiler: _Boiler) -> Array:
    """Follow the conductivity of a boiler's water: a balance of salt over its water. [µS/cm]"""
    key, water_t = f"{item.id}/salt", physics.WATER_T_PER_TH * _rated_th(item)
    start = scene.memory.get(key, _SALT)
    faulty = not all(isinstance(scene.fault(f, item), float) for f in ("BO-F10", "BO-F11"))
    if not faulty and abs(start - _SALT) < 1.0:
        return np.full(len(scene), _SALT)  # the blow-down holds it
    blow = np.maximum(boiler.blow_th, 1e-6)
    settled = (boiler.steam_th * boiler.salt_in + blow * _RAW_SALT) / blow
    left = np.exp(-blow / water_t * scene.span.dt_s / 3600.0)
    salt, value = np.empty(len(scene)), start
    for i, (goal, share) in enumerate(zip(settled.tolist(), left.tolist(), strict=True)):
        value = goal + (value - goal) * share
        salt[i] = value
    scene.memory[key] = float(salt[-1])
    return salt


def _show_level(scene: Scene, item: Equipment, boiling: Array, given: _Given) -> None:
    """Show the level; `boiling` is how it moves: 1 in a boiler at work, little in an idle one, more in foam."""
    drained = given.drained[item.id]
    ripple = 4.0 * scene.wander(f"{item.id}|level", 45.0) + 3.0 * scene.wander(f"{item.id}|level|slow", 400.0)
    level = ripple * boiling - drained
    blocked = scene.fault("BO-F02", item)
    key = f"{item.id}/column"
    if isinstance(blocked, float):
        scene.memory.pop(key, None)
        sigma = np.full(1, 0.8)
    else:
        # The column behind a blocked cock keeps the water that it had: weeks pass until it has followed.
        level = level + blocked * (scene.lag(key, level, 30 * 86400.0) - level)
        sigma = 0.8 - 0.75 * blocked
    scene.put(item, "drum_level", level, sigma)
    scene.put(item, "level_low_low", drained >= _TRIP_MM)
    scene.put(item, "level_high_high", 0.0)


def _show_feedwater(scene: Scene, item: Equipment, house: _House, given: _Given, thrown: Array, stations: int) -> None:
    """Show a feedwater station; several of them share the flow."""
    feed, condensate = house.feed_th / stations, house.condensate_th / stations
    makeup = house.makeup_th / stations
    tank_c = house.feed_kj_kg / steam.WATER_KJ_KG_K
    scene.water[item.id] = makeup
    scene.put(item, "tank_level", 68.0 + 6.0 * scene.wander(f"{item.id}|tank", 3600.0), 0.3)
    scene.put(item, "feed_temperature", tank_c - 1.0 + 0.3 * scene.wander(f"{item.id}|feed", 3600.0), 0.1)
    scene.put(item, "feed_pressure", 1.15 + 0.02 * scene.wander(f"{item.id}|pressure", 300.0), 0.004)
    scene.put(item, "feed_flow", feed, 0.02)
    scene.put(item, "pump_running", 1.0)
    most = sum(_rated_th(b) for b in scene.each("gas_steam_boiler")) / stations
    scene.put(item, "pump_frequency", 28.0 + 15.0 * feed / most, 0.05)
    # Exhausted resin lets the city's calcium and magnesium through.
    spent = np.asarray(scene.fault("BO-F09", item))
    hardness = 0.012 + 0.003 * scene.wander(f"{item.id}|hardness", 12 * 3600.0) + 1.6 * spent**2
    scene.put(item, "hardness", np.maximum(hardness, 0.0), 0.0005)
    scene.put(item, "feed_ph", 8.6 + 0.2 * scene.wander(f"{item.id}|ph", 12 * 3600.0), 0.02)
    oxygen = 0.05 + 0.008 * scene.wander(f"{item.id}|oxygen", 6 * 3600.0) + physics.dissolved_oxygen(tank_c)
    scene.put(item, "feed_oxygen", oxygen, 0.002)
    scene.put(item, "deaerator_temperature", tank_c, 0.05)
    swell = 1.0 + 0.05 * scene.wander(f"{item.id}|return", 400.0)
    scene.put(item, "condensate_flow", condensate * swell, 0.005)
    scene.put(item, "condensate_temperature", given.condensate_kj_kg / 4.2 - 2.0, 0.3)
    # Water that foams over comes back with the condensate, and brings its salt along.
    salt = given.condensate_salt + thrown / np.maximum(given.users_th, 1e-6)
    scene.put(item, "condensate_conductivity", salt, 0.3)
    scene.count(item, "makeup_total", makeup)
    power = 1.5 + 1.1 * feed
    scene.count(item, "energy_import", power)
    scene.draw(item, power, POWER_FACTOR)


def _run_hot_water(scene: Scene, boilers: Sequence[Equipment], air_c: Array) -> None:
    """Share what is asked of the hot-water boilers of one room, and show them."""
    ratings = [b.rating.get("power", 1000.0) for b in boilers]
    able = {b.id: 1.0 - locked_out(scene, b).astype(np.float64) for b in boilers}
    wanted = np.sum([scene.heat.get(b.id, _NONE) for b in boilers], axis=0)
    each, _ = shares(scene, boilers, ratings, np.broadcast_to(wanted, (len(scene),)), able)
    for item, rated in zip(boilers, ratings, strict=True):
        _run_hot_water_boiler(scene, item, rated, each[item.id], air_c)


def _run_hot_water_boiler(scene: Scene, item: Equipment, rated: float, heat_kw: Array, air_c: Array) -> None:
    on = heat_kw > 0.0
    mean_c = np.where(on, BOILER_C - 0.5 * BOILER_SPREAD_K, air_c)
    noise = 0.12 * scene.wander(f"{item.id}|oxygen", 600.0), 1.5 * scene.wander(f"{item.id}|flue", 900.0)
    burner = Burner(rated, mean_c, air_c, None, _NONE + hot_water.buffer(rated, _BAND_K), noise)
    need = np.where(on, heat_kw + physics.shell_loss(rated, mean_c, air_c), 0.0)
    sick: dict[str, Array] = {"BO-F08": np.asarray(scene.fault("BO-F08", item))}

    def ills(fault: str, _: Equipment) -> Array:
        return sick.get(fault, _NONE)

    fire = burner.burn(item, need, ills)
    for fault in ("BO-F05", "BO-F07"):
        if not isinstance(severity := scene.fault(fault, item), float):
            sick[fault] = severity
            worse = burner.burn(item, need, ills)
            scene.waste(fault, item, worse.gas_nm3h - fire.gas_nm3h)
            fire = worse
    burning, place = cycle(scene, item, fire)
    flow = rated / (steam.WATER_KWH_M3_K * BOILER_SPREAD_K)
    supply = scene.lag(f"{item.id}/supply", np.where(on, BOILER_C, air_c + 4.0), 3600.0) + _BAND_K * place * on
    supply = supply + 0.4 * scene.wander(f"{item.id}|supply", 600.0)
    scene.put(item, "supply_temperature", supply, 0.1)
    scene.put(item, "return_temperature", supply - heat_kw / (steam.WATER_KWH_M3_K * flow), 0.1)
    scene.put(item, "water_pressure", 0.42 + 0.008 * scene.wander(f"{item.id}|pressure", 1800.0), 0.001)
    scene.put(item, "water_flow", flow * on, 0.003 * flow * on)
    scene.count(item, "heat_total", heat_kw * 0.0036)
    power = rated / 1000.0 * (0.3 + 2.2 * fire.fire * lit_share(scene, fire, burning)) * on
    show(scene, item, fire, burning, rated_gas(rated), np.where(on, 70.0, air_c), power)
