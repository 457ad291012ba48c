"""What feeds an oxygen station, in turn: PSA generators, liquid oxygen, and the cylinders of the reserve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from facility.site import Equipment
from simulators.physics import compressor, manifold, psa, tank
from simulators.scene import Array, Scene

NO_SOURCE, PRIMARY, SECONDARY, RESERVE = 0.0, 1.0, 2.0, 3.0

# ---- PSA generators ----
_POWER_FACTOR: Final = 0.86
_CYCLE_S: Final = 68.0
_FEED_KPA: Final = 700.0
_COMPRESSOR_MARGIN: Final = 1.1  # compressor over what the beds take at the rated flow
_DRYER_SHARE: Final = 0.03  # refrigeration dryer and controls, of the compressor's power
_LEAD_SHARE: Final = 0.92  # the lag machine joins before the lead machine is at its rating
_MOST: Final = 1.1
_INTERLOCK_PERCENT: Final = 90.5  # product below this is blown off
_DRY_C: Final = -58.0
# ---- Liquid ----
_PURE_PERCENT: Final = 99.6
_BOIL_OFF_A_DAY: Final = 0.003  # share of the tank's capacity
_ECONOMISER_A_DAY: Final = 0.012
_ECONOMISER_MPA, _RELIEF_MPA = 1.05, 1.62
_USUAL_SHARE: Final = 0.65  # of the capacity, for the thermal mass
_ORDER_SHARE, _FULL_SHARE = 0.45, 0.92  # the lorry is called at 45 % and fills to 92 %
_PUMPED_KGH: Final = 15_000.0  # a lorry's pump
_HEIGHT_M: Final = 4.0
_BANK_US: Final = 8 * 3600 * 1_000_000
_TRICKLE: Final = 0.2  # a source that gives less of the flow than this is not called active
# ---- Reserve ----
_EMPTY_MPA: Final = 0.8
_FULL_MPA: Final = 14.0
_EXCHANGE_S: Final = 3600.0
_MANIFOLD_KPA: Final = 500.0
_AIR_PERCENT: Final = 20.9


@dataclass(slots=True)
class Sources:
    """The machines that feed one station."""

    generators: list[Equipment] = field(default_factory=list)
    tanks: list[Equipment] = field(default_factory=list)
    manifolds: list[Equipment] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Supply:
    """
    What the sources give together.

    Attributes
    ----------
    share : of what is drawn, so much can be given [-]
    purity : oxygen content of the mixture [% V/V]
    source : code of the active source, as the class `oxygen_outlet_station` has it
    reserve_mpa : pressure of the fuller bank of the reserve [MPa]
    plant_fault : 1 while a generator's interlock has tripped
    """

    share: Array
    purity: Array
    source: Array
    reserve_mpa: Array
    plant_fault: Array


def supply(scene: Scene, station: Equipment | None, sources: Sources, drawn_nm3h: Array) -> Supply:
    """Share what is drawn among the sources, show them all, and return what comes of it."""
    shut, air = scene.zeros(), scene.zeros()
    if station is not None:
        shut = shut + scene.fault("MG-F05", station)
        air = air + 0.4 * np.asarray(scene.fault("MG-F20", station))
    oxygen = drawn_nm3h * (1.0 - air)
    main = oxygen * (1.0 - shut)
    gas, vented = _boil(scene, sources.tanks, main)
    pushed = _pushed(scene, sources.tanks, main - gas)
    made, made_oxygen, tripped = _generate(scene, sources.generators, main - gas - pushed)
    left = main - made - gas
    liquid = left if sources.tanks else scene.zeros()
    _show_tanks(scene, sources.tanks, liquid + gas, vented)
    asked = oxygen - made - gas - liquid
    # What differs by no more than rounding is not asked of the reserve.
    asked = np.where(asked > 1e-9 * oxygen, asked, 0.0)
    cylinders, reserve_mpa = _cylinders(scene, sources.manifolds, asked)
    whole = np.maximum(drawn_nm3h, 1e-9)
    share = 1.0 - np.maximum(asked - cylinders, 0.0) / whole
    given = made + gas + liquid + cylinders
    mixture = (made_oxygen + _PURE_PERCENT * (gas + liquid + cylinders)) / np.maximum(given, 1e-9)
    source = np.select(
        [share < 0.1, cylinders > _TRICKLE * whole, gas + liquid > _TRICKLE * whole],
        [NO_SOURCE, RESERVE, SECONDARY if sources.generators else PRIMARY],
        PRIMARY,
    )
    return Supply(share, mixture * (1.0 - air) + _AIR_PERCENT * air, source, reserve_mpa, tripped)


def _pushed(scene: Scene, tanks: Sequence[Equipment], main: Array) -> Array:
    """Return what tanks press into the line before the generators' turn, their regulators set too high. [Nm³/h]"""
    most = scene.zeros()
    for item in tanks:
        most = np.maximum(most, np.asarray(scene.fault("MG-F06", item)))
    return 0.3 * most * main


def _generate(scene: Scene, machines: Sequence[Equipment], drawn: Array) -> tuple[Array, Array, Array]:
    """
    Share the flow among the generators.

    Returns what they deliver [Nm³/h], that times its oxygen content [% V/V · Nm³/h], and whether an interlock tripped.
    """
    if not machines:
        return scene.zeros(), scene.zeros(), scene.zeros()
    rated = [item.rating.get("flow", 30.0) for item in machines]
    # The number at work follows the flow of the last half hour, so that no machine starts for a minute; but one more
    # starts at once before those at work pass their rating.
    mean = scene.lag(f"{machines[0].id}/duty", drawn, 1800.0)
    one = float(np.mean(rated))
    needed = np.clip(np.ceil(np.maximum(mean / _LEAD_SHARE, drawn) / one), 1, len(machines))
    made = [scene.zeros() for _ in machines]
    delivered = [scene.zeros() for _ in machines]
    content = [scene.zeros() for _ in machines]
    left = drawn
    for place in range(len(machines)):
        for rank, item in enumerate(machines):
            # Duty and standby change over every week.
            turn = (rank - scene.span.week) % len(machines) == place
            turn = turn & (np.asarray(scene.alive(item)) > 0.5)
            flow = np.where(turn, np.minimum(left / np.maximum(needed - place, 1.0), _MOST * rated[rank]), 0.0)
            health = 1.0 - 0.6 * np.asarray(scene.fault("MG-F09", item))
            purity = psa.purity(flow / rated[rank], health)
            # The interlock blows off what is too weak and lets the next source take over.
            good = np.where(purity >= _INTERLOCK_PERCENT, flow, 0.0)
            made[rank] = made[rank] + flow
            delivered[rank] = delivered[rank] + good
            content[rank] = np.where(flow > 0.0, purity, content[rank])
            left = left - good
    tripped = scene.zeros()
    for rank, item in enumerate(machines):
        bad = np.where(made[rank] > delivered[rank] + 1e-9, 1.0, 0.0)
        _show_generator(scene, item, made[rank], delivered[rank], content[rank], bad)
        tripped = np.maximum(tripped, bad)
    mixed = sum((d * c for d, c in zip(delivered, content, strict=True)), scene.zeros())
    return sum(delivered, scene.zeros()), mixed, tripped


def _show_generator(
    scene: Scene, item: Equipment, made: Array, delivered: Array, content: Array, tripped: Array
) -> None:
    rated = item.rating.get("flow", 30.0)
    load = made / rated
    on = made > 0.02 * rated
    moisture, venting = np.asarray(scene.fault("MG-F09", item)), scene.fault("MG-F10", item)
    exhaust = np.asarray(scene.fault("MG-F12", item))
    air = psa.feed_air(load, rated)
    capacity = _COMPRESSOR_MARGIN * float(psa.feed_air(np.ones(1), rated)[0])
    full_kw = compressor.specific_work(_FEED_KPA) * capacity
    duty = air / capacity * (1.0 + 0.6 * np.asarray(venting))
    power = _power(duty, full_kw) * on
    if not isinstance(venting, float):
        scene.waste("MG-F10", item, power - _power(air / capacity, full_kw) * on)
    scene.draw(item, power, _POWER_FACTOR)
    # A stopped machine's analyser sees the buffer vessel, which stays as it was.
    purity = np.where(on, content, 94.6) + 0.08 * scene.wander(f"{item.id}|purity", 900.0)
    scene.put(item, "oxygen_purity", purity, 0.02)
    scene.put(item, "outlet_pressure", 0.52 - 0.03 * load + 0.004 * scene.wander(f"{item.id}|buffer", 60.0), 0.001)
    scene.put(item, "outlet_flow", delivered, 0.004 * rated * (delivered > 0.0))
    scene.count(item, "oxygen_total", delivered)
    room_c = 20.0 + 0.35 * (scene.outdoor_c - 16.0)
    dry = _DRY_C + 1.5 * scene.wander(f"{item.id}|dew", 3600.0)
    scene.put(item, "dew_point", compressor.dried(dry, room_c + 10.0, 0.025 * moisture), 0.3)
    # The sieve holds back most of what exhaust in the intake brings: carbon dioxide better than the monoxide.
    scene.put(item, "co", 0.8 + 0.2 * scene.wander(f"{item.id}|co", 3600.0) + 12.0 * exhaust, 0.05)
    scene.put(item, "co2", 60.0 + 10.0 * scene.wander(f"{item.id}|co2", 3600.0) + 45.0 * exhaust, 2.0)
    feed_mpa = np.where(on, 0.72 - 0.05 * load, 0.70) - 0.15 * np.maximum(duty - 1.0, 0.0)
    feed_mpa = feed_mpa + 0.01 * scene.wander(f"{item.id}|feed", 90.0)
    towers = psa.tower_pressures(scene.span.time_us / 1e6, _CYCLE_S, feed_mpa)
    for name, tower in zip("ab", towers, strict=True):
        scene.put(item, f"tower_pressure_{name}", np.where(on, tower, 0.02), 0.003)
    scene.put(item, "cycle_time", _CYCLE_S)
    scene.put(item, "compressor_running", on)
    warm = room_c + on * (38.0 + 24.0 * np.clip(duty, 0.0, 1.3))
    scene.put(item, "compressor_temperature", scene.lag(f"{item.id}/compressor", warm, 900.0), 0.2)
    rated_a = full_kw * 1.85
    scene.put(item, "compressor_current", rated_a * np.hypot(0.3 * on, 0.95 * power / full_kw), 0.004 * rated_a)
    scene.put(item, "feed_air_pressure", feed_mpa, 0.002)
    scene.put(item, "active_power", power, 0.003 * full_kw * on)
    scene.count(item, "energy_import", power)
    scene.count(item, "run_hours", on.astype(np.float64))
    scene.put(item, "running", on)
    scene.put(item, "fault", tripped)
    scene.put(item, "room_oxygen", 20.9, 0.03)


def _power(duty: Array, full_kw: float) -> Array:
    return compressor.load_unload_power(duty, full_kw) * (1.0 + _DRYER_SHARE)


def _boil(scene: Scene, tanks: Sequence[Equipment], main: Array) -> tuple[Array, list[Array]]:
    """Let heat into the tanks; return the gas that the line takes first [Nm³/h], and what each tank vents [kg/h]."""
    gas, vents = scene.zeros(), []
    for item in tanks:
        capacity = item.rating.get("capacity", 5000.0)
        jacket = 1.0 + 14.0 * np.asarray(scene.fault("MG-F17", item))
        heat_kw = tank.heat_leak(capacity, _BOIL_OFF_A_DAY) * jacket + scene.zeros()
        pressure, passed, vented = tank.pressure_walk(
            scene.memory.get(f"{item.id}/pressure", _ECONOMISER_MPA + 0.016),
            heat_kw,
            main / tank.NM3_PER_KG / len(tanks),
            scene.span.dt_s,
            _USUAL_SHARE * capacity,
            _ECONOMISER_MPA,
            _RELIEF_MPA,
            _ECONOMISER_A_DAY * capacity / 24.0,
        )
        scene.memory[f"{item.id}/pressure"] = float(pressure[-1])
        scene.put(item, "pressure", pressure + 0.012 * scene.wander(f"{item.id}|pressure", 6 * 3600.0), 0.002)
        gas = gas + passed * tank.NM3_PER_KG
        vents.append(vented)
    return gas, vents


def _show_tanks(scene: Scene, tanks: Sequence[Equipment], drawn_nm3h: Array, vented: Sequence[Array]) -> None:
    """Liquid oxygen covers what the generators cannot give, boils off a little, and is filled up when it is low."""
    for item, vents in zip(tanks, vented, strict=True):
        capacity = item.rating.get("capacity", 5000.0)
        drawn = drawn_nm3h / len(tanks)
        mass, filling = tank.contents_walk(
            scene.memory.get(f"{item.id}/mass", scene.own(f"{item.id}|mass", 0.62, 0.8) * capacity),
            drawn / tank.NM3_PER_KG + vents,
            scene.span.dt_s,
            (scene.span.hour >= 8.0) & (scene.span.hour < 18.0),
            _ORDER_SHARE * capacity,
            _FULL_SHARE * capacity,
            _PUMPED_KGH,
            scene.memory.get(f"{item.id}/filling", 0.0) > 0.0,
        )
        scene.memory[f"{item.id}/mass"], scene.memory[f"{item.id}/filling"] = float(mass[-1]), float(filling)
        iced_line = np.asarray(scene.fault("MG-F18", item))
        false_kpa = iced_line * (9.0 + 1.5 * scene.wander(f"{item.id}|ice", 1800.0))
        level = tank.level_by_differential(mass, capacity, _HEIGHT_M, false_kpa)
        scene.put(item, "level", level, 0.05)
        scene.put(item, "mass", level * capacity / 100.0, 2.0)
        _show_vaporiser(scene, item, drawn / (0.01 * capacity))
        scene.put(item, "outlet_pressure", 0.62 + 0.005 * scene.wander(f"{item.id}|outlet", 600.0), 0.001)
        scene.put(item, "yard_oxygen", 20.9, 0.03)


def _show_vaporiser(scene: Scene, item: Equipment, flow_share: Array) -> None:
    """Two banks in turn, eight hours each: the one at work gathers frost, the other thaws."""
    frost = 0.25 * (scene.span.time_us % _BANK_US) / _BANK_US * np.minimum(flow_share, 1.0)
    stuck = np.asarray(scene.fault("MG-F16", item))
    surface = (1.0 - frost) * (1.0 - 0.8 * stuck)
    outlet = tank.vaporiser_outlet(scene.outdoor_c - 1.0, flow_share, surface)
    scene.put(item, "vaporiser_outlet_temperature", scene.lag(f"{item.id}/vaporiser", outlet, 1200.0), 0.2)
    bank = 1.0 + (scene.span.time_us // _BANK_US) % 2
    scene.put(item, "vaporiser_in_use", np.where(stuck > 0.0, 1.0, bank))


def _cylinders(scene: Scene, manifolds: Sequence[Equipment], asked_nm3h: Array) -> tuple[Array, Array]:
    """Draw on the reserve; return what it gives [Nm³/h] and the pressure of its fuller bank [MPa]."""
    celsius = 20.0 + 0.35 * (scene.outdoor_c - 16.0)
    if not manifolds:
        # A bank that the site does not list as a machine of its own: it is seen, and cannot be drawn on.
        return scene.zeros(), 13.2 + 0.02 * (scene.outdoor_c - 15.0)
    given, fullest = scene.zeros(), scene.zeros()
    for item in manifolds:
        cylinders = item.rating.get("cylinders", 10.0)
        part = asked_nm3h / len(manifolds)
        banks = manifold.Banks(
            _remembered(scene, item, "left", cylinders),
            _remembered(scene, item, "right", cylinders),
            int(scene.memory.get(f"{item.id}/side", manifold.LEFT)),
            scene.memory.get(f"{item.id}/empty_s", 0.0),
        )
        left, right, side, gives = manifold.walk(
            banks,
            part,
            scene.span.dt_s,
            manifold.contents(_FULL_MPA, cylinders),
            manifold.contents(_EMPTY_MPA, cylinders),
            _EXCHANGE_S,
        )
        scene.memory[f"{item.id}/left"], scene.memory[f"{item.id}/right"] = banks.left, banks.right
        scene.memory[f"{item.id}/side"], scene.memory[f"{item.id}/empty_s"] = float(banks.side), banks.empty_s
        pressures = [manifold.bank_pressure(bank, cylinders, celsius) for bank in (left, right)]
        scene.put(item, "bank_pressure_left", pressures[0], 0.01)
        scene.put(item, "bank_pressure_right", pressures[1], 0.01)
        holds = np.where(part > 0.0, gives / np.maximum(part, 1e-9), 1.0)
        outlet = _MANIFOLD_KPA * holds**2 + 2.0 * scene.wander(f"{item.id}|outlet", 600.0)
        scene.put(item, "outlet_pressure", outlet, 0.5)
        scene.put(item, "active_side", side + 1.0)
        scene.put(item, "fault", 0.0)
        scene.put(item, "room_oxygen", 20.9, 0.03)
        given = given + gives
        fullest = np.maximum(fullest, np.maximum(*pressures))
    return given, fullest


def _remembered(scene: Scene, item: Equipment, side: str, cylinders: float) -> float:
    usual = manifold.contents(scene.own(f"{item.id}|{side}", 13.0, 14.0), cylinders)
    return scene.memory.get(f"{item.id}/{side}", usual)
