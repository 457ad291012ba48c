"""The gas boiler room: steam demand shared among boilers, combustion, feedwater, gas meters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facility.site import Equipment
from simulators.physics import boiler as physics
from simulators.scene import Array, Scene

_SET_MPA: Final = 0.70
_BAND_MPA: Final = 0.06
_LEAST_FIRE: Final = 0.25  # the burner's turn-down is 1 to 4
_BLOW_DOWN: Final = 0.03  # share of the steam
_CONDENSATE: Final = 0.74  # share of the steam that comes back
_HEATING_KG_H_M2_K: Final = 0.0032  # steam for space heating below 16 °C, for a square metre and a kelvin
_HOT_WATER_KG_H_BED: Final = 1.6
_MAINS_LOSS_TH: Final = 0.12  # pipes and traps lose this day and night
_PURGE_NM3: Final = 0.55  # gas that one purge costs, for each t/h of rating
_POWER_FACTOR: Final = 0.84
_GAS_KPA: Final = 22.0


def run(scene: Scene) -> None:
    """Work out every boiler and feedwater station, and then the gas meters."""
    boilers = list(scene.each("gas_steam_boiler"))
    if boilers:
        room_air = np.clip(16.0 + 0.5 * (scene.outdoor_c - 10.0), 5.0, 40.0)
        shares = _shares(scene, boilers, steam_demand(scene))
        for item in boilers:
            _run_boiler(scene, item, shares[item.id], room_air)
        for station in scene.each("feedwater_station"):
            _show_feedwater(scene, station, np.sum([shares[b.id] for b in boilers], axis=0))
    _run_gas_meters(scene)


def steam_demand(scene: Scene) -> Array:
    """Return the steam that the hospital takes: processes, heating, hot water, losses. [t/h]"""
    process = np.sum([d.steam_th for d in scene.demand.values()], axis=0) if scene.demand else scene.zeros()
    size = scene.site.sizes.latest
    area, beds = size.floor_area_m2 or 40_000.0, size.beds or 400.0
    night = 0.75 + 0.25 * np.clip(np.sin((scene.span.hour - 5.0) * np.pi / 16.0), 0.0, 1.0)
    heating = area * _HEATING_KG_H_M2_K * np.maximum(16.0 - scene.outdoor_c, 0.0) * night / 1000.0
    hour = scene.span.hour
    washing = 0.35 + 0.65 * np.exp(-(((hour - 7.5) / 2.2) ** 2)) + 0.6 * np.exp(-(((hour - 19.5) / 2.5) ** 2))
    return process + heating + beds * _HOT_WATER_KG_H_BED * washing / 1000.0 + _MAINS_LOSS_TH


def _shares(scene: Scene, boilers: Sequence[Equipment], demand: Array) -> dict[str, Array]:
    """Fire the lead boiler to 85 % of its rating, then let the next one join; lead changes over every week."""
    shares = {item.id: scene.zeros() for item in boilers}
    left = demand
    for place in range(len(boilers)):
        for rank, item in enumerate(boilers):
            turn = (rank - scene.span.week) % len(boilers) == place
            most = item.rating.get("steam", 4.0) * (0.85 if place < len(boilers) - 1 else 1.05)
            steam = np.where(turn, np.minimum(left, most), 0.0)
            shares[item.id] = shares[item.id] + steam
            left = left - steam
    return shares


@dataclass(frozen=True, slots=True)
class _Fire:
    """How a boiler burns: share of the time, fire while it burns, flue gas, and the gas that it takes on average."""

    duty: Array
    fire: Array  # 0 to 1
    flue_c: Array  # after the economiser
    oxygen: Array  # % in the dry flue gas
    gas_nm3h: Array


def _burn(
    scene: Scene, item: Equipment, steam: Array, air_c: Array, feed_c: Array, short: Array, fouled: Array, airy: Array
) -> _Fire:
    rated = item.rating.get("steam", 4.0)
    load = steam / rated
    hot = _is_hot(item, steam)
    # Below its turn-down a burner goes on and off; above it, it follows the load. One that cycles too fast cannot
    # follow at all: it fires at full and stops, whatever the load.
    chop = short > 0.05
    fire = np.where(chop, 1.0, np.maximum(load, _LEAST_FIRE))
    duty = np.where(hot, np.minimum(load / np.where(chop, 1.0, _LEAST_FIRE), 1.0), 0.0)
    # More air carries more heat past the tubes: the flue warms by 4 K for each point of oxygen.
    oxygen = 5.0 - 1.6 * fire + 0.12 * scene.wander(f"{item.id}|oxygen", 600.0) + 7.0 * airy
    flue_c = 108.0 + 42.0 * fire + 1.5 * scene.wander(f"{item.id}|flue", 900.0) + 60.0 * fouled + 28.0 * airy
    efficiency = physics.efficiency(flue_c, air_c, oxygen, fire)
    gas = physics.gas_flow(np.where(hot, steam, 0.0), np.full(len(scene), _SET_MPA), feed_c, efficiency)
    # Each start blows room air through the hot boiler: gas that pays for it.
    starts = physics.cycles_per_hour(duty, _band_kj(rated, short), _heat_kw(rated, fire))
    return _Fire(duty, fire, flue_c, oxygen, gas + starts * _PURGE_NM3 * rated * hot)


def _is_hot(item: Equipment, steam: Array) -> NDArray[np.bool_]:
    hot: NDArray[np.bool_] = steam > 0.01 * item.rating.get("steam", 4.0)
    return hot


def _band_kj(rated_th: float, short: Array) -> Array:
    """
    Return the heat between the burner's switch points. [kJ]

    The store is the boiler's water: about 1.3 t for each t/h of rating, whose boiling point moves by 12 K for 0.1 MPa.
    """
    band_mpa = _BAND_MPA * (1.0 - 0.875 * short)
    return rated_th * 1300.0 * physics.WATER_HEAT_CAPACITY * 120.0 * band_mpa


def _heat_kw(rated_th: float, fire: Array) -> Array:
    return fire * rated_th * 1000.0 / 3600.0 * 2390.0


def _run_boiler(scene: Scene, item: Equipment, steam: Array, room_air: Array) -> None:
    feed_c = 92.0 + 2.0 * scene.wander(f"{item.id}|feed", 3600.0)
    severities = [np.asarray(scene.fault(f, item)) for f in ("BO-F15", "BO-F05", "BO-F07")]
    # Put in one after the other, each fault is charged with what it adds to those before it.
    fire = _burn(scene, item, steam, room_air, feed_c, *(np.zeros(1) for _ in severities))
    for i, fault in enumerate(("BO-F15", "BO-F05", "BO-F07")):
        if isinstance(scene.fault(fault, item), float):
            continue
        present = [s if k <= i else np.zeros(1) for k, s in enumerate(severities)]
        worse = _burn(scene, item, steam, room_air, feed_c, *present)
        scene.waste(fault, item, worse.gas_nm3h - fire.gas_nm3h)
        fire = worse
    burning, starts, swing = _cycle(scene, item, fire, severities[0])
    hot = _is_hot(item, steam)
    pressure = _SET_MPA + 0.004 * scene.wander(f"{item.id}|pressure", 240.0) + swing
    pressure = np.where(hot, pressure, scene.lag(f"{item.id}/cold", np.where(hot, _SET_MPA, 0.25), 20_000.0))
    scene.gas[item.id] = fire.gas_nm3h
    _show(scene, item, steam, pressure, feed_c, burning, fire, starts)


def _cycle(scene: Scene, item: Equipment, fire: _Fire, short: Array) -> tuple[Array, Array, Array]:
    """Turn the burner on and off: burning (0 or 1), starts an hour [1/h], pressure about its set-point [MPa]."""
    rated = item.rating.get("steam", 4.0)
    duty = fire.duty
    per_hour = physics.cycles_per_hour(duty, _band_kj(rated, short), _heat_kw(rated, fire.fire))
    phase = scene.memory.get(f"{item.id}/phase", 0.0) + np.cumsum(per_hour * scene.span.dt_s / 3600.0)
    scene.memory[f"{item.id}/phase"] = float(phase[-1] % 1.0)
    place = phase % 1.0
    cycling = (duty > 0.0) & (duty < 1.0)
    burning = np.where(cycling, (place < duty).astype(np.float64), (duty > 0.0).astype(np.float64))
    rising = place / np.maximum(duty, 1e-6)
    falling = 1.0 - (place - duty) / np.maximum(1.0 - duty, 1e-6)
    band_mpa = _BAND_MPA * (1.0 - 0.875 * short)
    swing = np.where(cycling, band_mpa * (np.where(place < duty, rising, falling) - 0.5), 0.0)
    return burning, np.where(cycling, per_hour, 0.0), swing


def _show(
    scene: Scene,
    item: Equipment,
    steam: Array,
    pressure: Array,
    feed_c: Array,
    burning: Array,
    fire: _Fire,
    starts: Array,
) -> None:
    rated = item.rating.get("steam", 4.0)
    hot = _is_hot(item, steam)
    lit: NDArray[np.bool_] = burning > 0.5
    # Fresh air fills a boiler that does not burn, and its flue cools towards the drum.
    flue_shown = scene.lag(f"{item.id}/flue", np.where(lit, fire.flue_c, np.where(hot, 95.0, 40.0)), 240.0)
    scene.put(item, "steam_pressure", pressure, 0.001)
    scene.put(item, "steam_temperature", physics.saturation_temperature(pressure), 0.1)
    scene.put(item, "steam_flow", steam, 0.004 * rated * hot)
    scene.count(item, "steam_total", steam)
    level = 5.0 * scene.wander(f"{item.id}|level", 45.0) + 4.0 * scene.wander(f"{item.id}|level|slow", 400.0)
    scene.put(item, "drum_level", level, 0.8)
    scene.put(item, "level_low_low", 0.0)
    scene.put(item, "level_high_high", 0.0)
    scene.put(item, "feedwater_temperature", feed_c, 0.2)
    feeding = 1.0 + 0.12 * scene.wander(f"{item.id}|feeding", 90.0)
    scene.put(item, "feedwater_flow", steam * (1.0 + _BLOW_DOWN) * feeding, 0.004 * rated * hot)
    scene.put(item, "flue_temperature", flue_shown + 62.0 * lit, 0.4)
    scene.put(item, "economiser_flue_temperature", flue_shown, 0.3)
    scene.put(item, "flue_oxygen", np.where(lit, fire.oxygen, 20.8), 0.04)
    scene.put(item, "flue_co", np.where(lit, 18.0 + 3.0 * np.maximum(fire.oxygen - 7.0, 0.0), 2.0), 1.0)
    scene.put(item, "flue_nox", np.where(lit, 62.0 - 2.5 * (fire.oxygen - 3.5), 3.0), 1.0)
    scene.put(item, "furnace_pressure", np.where(lit, 120.0 + 420.0 * fire.fire, 5.0), 6.0)
    gas_now = np.where(fire.duty > 0.0, fire.gas_nm3h / np.maximum(fire.duty, 0.05), 0.0) * burning
    scene.put(item, "gas_flow", gas_now, 0.004 * rated * 75.0 * lit)
    scene.count(item, "gas_total", fire.gas_nm3h)
    main_kpa = _GAS_KPA + 0.3 * scene.wander("gas|pressure", 900.0)
    scene.put(item, "gas_pressure", main_kpa - 1.5 * fire.fire * burning, 0.05)
    scene.put(item, "firing_rate", 100.0 * fire.fire * burning, 0.2)
    for point in ("burner_running", "flame"):
        scene.put(item, point, burning)
    scene.put(item, "lockout", 0.0)
    scene.count(item, "burner_starts", starts)
    scene.count(item, "run_hours", fire.duty)
    scene.put(item, "conductivity", 3200.0 + 250.0 * scene.wander(f"{item.id}|salt", 6 * 3600.0), 10.0)
    scene.put(item, "boiler_water_ph", 11.0 + 0.15 * scene.wander(f"{item.id}|ph", 12 * 3600.0), 0.02)
    scene.put(item, "gas_leak", np.abs(0.4 * scene.wander(f"{item.id}|lel", 600.0)) + 0.6 * _leak_lel(scene), 0.1)
    scene.put(item, "room_co", 1.2 + 0.3 * scene.wander(f"{item.id}|co", 900.0), 0.1)
    power = rated * (1.2 + 2.6 * fire.fire * burning) * hot
    scene.put(item, "active_power", power, 0.05)
    scene.count(item, "energy_import", power)
    scene.draw(item, power, _POWER_FACTOR)


def _show_feedwater(scene: Scene, item: Equipment, steam: Array) -> None:
    feed = steam * (1.0 + _BLOW_DOWN)
    condensate = steam * _CONDENSATE
    scene.water[item.id] = np.maximum(feed - condensate, 0.0)
    scene.put(item, "tank_level", 68.0 + 6.0 * scene.wander(f"{item.id}|tank", 3600.0), 0.3)
    scene.put(item, "feed_temperature", 92.0 + 2.0 * scene.wander(f"{item.id}|feed", 3600.0), 0.2)
    scene.put(item, "feed_pressure", 1.15 + 0.02 * scene.wander(f"{item.id}|pressure", 300.0), 0.004)
    scene.put(item, "feed_flow", feed, 0.02)
    scene.put(item, "pump_running", 1.0)
    scene.put(item, "pump_frequency", 28.0 + 2.4 * feed, 0.05)
    scene.put(item, "hardness", 0.012 + 0.003 * scene.wander(f"{item.id}|hardness", 12 * 3600.0), 0.0005)
    scene.put(item, "feed_ph", 8.6 + 0.2 * scene.wander(f"{item.id}|ph", 12 * 3600.0), 0.02)
    scene.put(item, "feed_oxygen", 0.05 + 0.008 * scene.wander(f"{item.id}|oxygen", 6 * 3600.0), 0.002)
    scene.put(item, "deaerator_temperature", 103.5 + 0.4 * scene.wander(f"{item.id}|deaerator", 1800.0), 0.05)
    scene.put(item, "condensate_flow", condensate * (1.0 + 0.05 * scene.wander(f"{item.id}|return", 400.0)), 0.02)
    scene.put(item, "condensate_temperature", 82.0 + 2.5 * scene.wander(f"{item.id}|return|heat", 1800.0), 0.2)
    scene.put(item, "condensate_conductivity", 18.0 + 3.0 * scene.wander(f"{item.id}|salt", 6 * 3600.0), 0.3)
    scene.count(item, "makeup_total", scene.water[item.id])
    power = 1.5 + 1.1 * feed
    scene.count(item, "energy_import", power)
    scene.draw(item, power, _POWER_FACTOR)


def _leak_lel(scene: Scene) -> Array:
    """Return what the detector at the gas train shows of all leaks: about 10 %LEL for 1 Nm³/h beside it. [%LEL]"""
    leak = scene.zeros()
    for meter in scene.each("gas_meter"):
        leak = leak + 3.0 * np.asarray(scene.fault("BO-F21", meter))
    return 12.0 * leak


def _run_gas_meters(scene: Scene) -> None:
    """Every meter counts what burns below it: boilers, kitchens, and what escapes."""
    meters = {m.id: m for m in scene.each("gas_meter")}
    served: dict[str, Array] = {name: scene.zeros() for name in meters}
    for name in sorted(meters, key=lambda n: len(scene.site.upstream(n)), reverse=True):
        item = meters[name]
        flow = served[name]
        for below in scene.site.feeds(name):
            flow = flow + scene.gas.get(below, scene.zeros())
        for department in item.serves.latest:
            flow = flow + scene.demand[department].gas_nm3h
        severity = scene.fault("BO-F21", item)
        leak = 3.0 * np.asarray(severity)
        if not isinstance(severity, float):
            scene.waste("BO-F21", item, leak)
        flow = flow + leak
        scene.gas[name] = flow
        rated = item.rating.get("flow", 400.0)
        scene.put(item, "flow", flow, 0.002 * rated)
        scene.count(item, "volume_total", flow)
        main_kpa = _GAS_KPA + 3.0 + 0.3 * scene.wander("gas|pressure", 900.0)
        scene.put(item, "pressure", main_kpa - 1.2 * flow / rated, 0.05)
        scene.put(item, "temperature", 0.6 * scene.outdoor_c + 6.0, 0.1)
        nearby = scene.lag(f"{name}/lel", 12.0 * leak, 20.0)
        scene.put(item, "gas_leak", np.abs(0.5 * scene.wander(f"{name}|lel", 600.0)) + nearby, 0.1)
