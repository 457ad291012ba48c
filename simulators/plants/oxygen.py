"""The oxygen station: PSA generators, liquid oxygen on standby, the outlet, and the pipeline's zones."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from facility.site import Equipment
from simulators.physics import oxygen as physics
from simulators.scene import Array, Scene

_ZONES: Final = frozenset({"oxygen_pipeline_zone"})
_SET_KPA: Final = 445.0  # the station's regulator
_STATION_DROP_KPA: Final = 10.0  # regulator and riser at the design flow
_ZONE_DROP_KPA: Final = 8.0
_LARGEST_LEAK_MM: Final = 1.53  # loses 4 Nm³/h at 400 kPa
_POWER_FACTOR: Final = 0.86
_HALF_CYCLE_S: Final = 30.0
_UNMETERED: Final = 1.015  # some terminals hang on the riser itself and show in no zone
_INTERLOCK_PERCENT: Final = 90.5  # product below this is blown off
_LIQUID_PERCENT: Final = 99.6
_NM3_PER_KG: Final = 0.700  # a kilogram of liquid oxygen
_BOIL_OFF_A_DAY: Final = 0.003  # share of the tank's capacity
_ORDER_SHARE, _FILL_SHARE = 0.45, 0.47  # the tank is filled at 45 %, to 92 %
_PRIMARY, _SECONDARY = 1.0, 2.0
_LEAD_SHARE: Final = 0.92  # the lag machine joins before the lead machine is at its rating


def run(scene: Scene) -> None:
    """Work out zones, the machines that feed them, and the station's outlet between the two."""
    outlet_kpa = _outlet_pressure(scene)
    drawn = _zones(scene, outlet_kpa) * _UNMETERED
    from_tank, purity = _generate(scene, drawn)
    _show_tanks(scene, from_tank)
    for item in scene.each("oxygen_outlet_station"):
        _show_outlet(scene, item, outlet_kpa, drawn, from_tank, purity)
    for item in scene.each("oxygen_meter"):
        scene.put(item, "flow", drawn, 0.08)
        scene.count(item, "oxygen_total", drawn)
        scene.put(item, "pressure", outlet_kpa, 0.6)


def _outlet_pressure(scene: Scene) -> Array:
    stuck = scene.zeros()
    for item in scene.each("oxygen_outlet_station"):
        stuck = np.maximum(stuck, np.asarray(scene.fault("MG-F01", item)))
    busy = np.clip(np.sin((scene.span.hour - 5.0) * np.pi / 14.0), 0.0, 1.0)
    drop = _STATION_DROP_KPA * (0.25 + 0.5 * busy) ** 2
    regulator = _SET_KPA + 1.5 * scene.wander("oxygen|regulator", 1200.0) - drop
    return regulator * (1.0 - 0.4 * stuck)


def _zones(scene: Scene, outlet_kpa: Array) -> Array:
    """Show every zone and return what all of them draw. [Nm³/h]"""
    tree = scene.tree(_ZONES)
    wanted = {name: scene.zeros() for name in tree.order}
    for department, holders in tree.share.items():
        for holder in holders:
            wanted[holder] = wanted[holder] + scene.demand[department].oxygen_lmin / len(holders)
    drawn = scene.zeros()
    for name in tree.order:
        item = scene.site.equipment[name]
        design = 60.0 + 14.0 * item.rating.get("beds", 30.0)
        closing = np.asarray(scene.fault("MG-F02", item))
        valve = np.broadcast_to(physics.valve_opening(closing), (len(scene),))
        leak = scene.fault("MG-F07", item)
        hole_mm = _LARGEST_LEAK_MM * np.sqrt(np.asarray(leak))
        leak_lmin = physics.leak_flow(hole_mm, np.asarray(physics.NOMINAL_KPA)) * 1000.0 / 60.0
        pressure, share = physics.zone_pressure(outlet_kpa, (wanted[name] + leak_lmin) / design, _ZONE_DROP_KPA, valve)
        flow_lmin = share * design
        if not isinstance(leak, float):
            scene.waste("MG-F07", item, leak_lmin * np.sqrt(pressure / physics.NOMINAL_KPA) * 60.0 / 1000.0)
        scene.put(item, "pressure", pressure, 0.5)
        scene.put(item, "flow", flow_lmin, 0.004 * design)
        scene.count(item, "oxygen_total", flow_lmin * 60.0 / 1000.0)
        scene.put(item, "room_oxygen", 20.9, 0.03)
        scene.put(item, "valve", np.where(valve > 0.03, 1.0, 0.0))
        scene.put(item, "sensor_fault", 0.0)
        drawn = drawn + flow_lmin * 60.0 / 1000.0
    return drawn


def _show_outlet(
    scene: Scene, item: Equipment, outlet_kpa: Array, drawn: Array, from_tank: Array, purity: Array
) -> None:
    scene.put(item, "outlet_pressure", outlet_kpa, 0.6)
    scene.put(item, "inlet_pressure", 0.515 + 0.003 * scene.wander(f"{item.id}|inlet", 90.0), 0.001)
    scene.put(item, "flow", drawn, 0.08)
    scene.count(item, "oxygen_total", drawn)
    scene.put(item, "oxygen_purity", purity, 0.02)
    # The change-over looks at the tank's own flow; a trickle of boil-off is not a change of source.
    scene.put(item, "active_source", np.where(from_tank > 0.2 * drawn, _SECONDARY, _PRIMARY))
    scene.put(item, "reserve_pressure", 13.2 + 0.02 * (scene.outdoor_c - 15.0), 0.02)
    scene.put(item, "plant_fault", 0.0)
    scene.put(item, "room_oxygen", 20.9, 0.03)


def _generate(scene: Scene, drawn_nm3h: Array) -> tuple[Array, Array]:
    """
    Share the flow among the generators, lead first.

    Returns what is left for the tank [Nm³/h] and the oxygen content of the mixture [% V/V].
    """
    machines = list(scene.each("psa_oxygen_generator"))
    made = {item.id: scene.zeros() for item in machines}
    delivered = {item.id: scene.zeros() for item in machines}
    content = {item.id: scene.zeros() for item in machines}
    left = drawn_nm3h
    for place in range(len(machines)):
        for rank, item in enumerate(machines):
            # Lead and lag change over every week.
            turn = (rank - scene.span.week) % len(machines) == place
            rated = item.rating.get("flow", 30.0)
            flow = np.where(turn, np.minimum(left, rated * (_LEAD_SHARE if place < len(machines) - 1 else 1.1)), 0.0)
            health = np.broadcast_to(1.0 - 0.45 * np.asarray(scene.fault("MG-F09", item)), flow.shape)
            purity = physics.purity(flow / rated, health)
            # The interlock blows off what is too weak and lets the next source take over.
            good = np.where(purity >= _INTERLOCK_PERCENT, flow, 0.0)
            made[item.id] = made[item.id] + flow
            delivered[item.id] = delivered[item.id] + good
            content[item.id] = np.where(flow > 0.0, purity, content[item.id])
            left = left - good
    for item in machines:
        _show_generator(scene, item, made[item.id], delivered[item.id], content[item.id])
    mixture = left * _LIQUID_PERCENT + np.sum([delivered[m.id] * content[m.id] for m in machines], axis=0)
    return left, mixture / np.maximum(drawn_nm3h, 1e-6)


def _show_generator(scene: Scene, item: Equipment, made: Array, delivered: Array, content: Array) -> None:
    rated = item.rating.get("flow", 30.0)
    load = made / rated
    on = made > 0.02 * rated
    moisture, venting = np.asarray(scene.fault("MG-F09", item)), np.asarray(scene.fault("MG-F10", item))
    power = physics.electric_power(np.where(on, load, 0.0), rated)
    if not isinstance(scene.fault("MG-F10", item), float):
        scene.waste("MG-F10", item, 0.45 * venting * power)
    power = power * (1.0 + 0.45 * venting)
    full_kw = float(physics.electric_power(np.ones(1), rated)[0])
    scene.draw(item, power, _POWER_FACTOR)
    # A stopped machine's analyser sees the buffer vessel, which stays as it was.
    purity = np.where(on, content, 94.6) + 0.08 * scene.wander(f"{item.id}|purity", 900.0)
    scene.put(item, "oxygen_purity", purity, 0.02)
    scene.put(item, "outlet_pressure", 0.52 - 0.03 * load + 0.004 * scene.wander(f"{item.id}|buffer", 60.0), 0.001)
    scene.put(item, "outlet_flow", delivered, 0.004 * rated * (delivered > 0.0))
    scene.count(item, "oxygen_total", delivered)
    scene.put(item, "dew_point", -58.0 + 40.0 * moisture + 1.5 * scene.wander(f"{item.id}|dew", 3600.0), 0.3)
    scene.put(item, "co", 0.8 + 0.2 * scene.wander(f"{item.id}|co", 3600.0), 0.05)
    scene.put(item, "co2", 60.0 + 10.0 * scene.wander(f"{item.id}|co2", 3600.0), 2.0)
    _show_towers(scene, item, on)
    scene.put(item, "cycle_time", 2.0 * _HALF_CYCLE_S)
    scene.put(item, "compressor_running", on)
    room_c = 20.0 + 0.35 * (scene.outdoor_c - 16.0)
    compressor_c = room_c + on * (38.0 + 24.0 * np.minimum(load, 1.3)) + 6.0 * venting * on
    scene.put(item, "compressor_temperature", scene.lag(f"{item.id}/compressor", compressor_c, 900.0), 0.2)
    rated_a = full_kw * 1.85
    scene.put(item, "compressor_current", rated_a * np.hypot(0.3 * on, 0.95 * power / full_kw), 0.004 * rated_a)
    feed = np.where(on, 0.72 - 0.05 * load, 0.70) + 0.01 * scene.wander(f"{item.id}|feed", 90.0)
    scene.put(item, "feed_air_pressure", feed, 0.002)
    scene.put(item, "active_power", power, 0.003 * full_kw * on)
    scene.count(item, "energy_import", power)
    scene.count(item, "run_hours", on.astype(np.float64))
    scene.put(item, "running", on)
    scene.put(item, "fault", 0.0)
    scene.put(item, "room_oxygen", 20.9, 0.03)


def _show_towers(scene: Scene, item: Equipment, on: NDArray[np.bool_]) -> None:
    """Two towers in turn: one adsorbs under pressure while the other is blown off and purged."""
    phase = (scene.span.time_us / 1e6 / (2.0 * _HALF_CYCLE_S)) % 1.0
    for tower, shift in (("a", 0.0), ("b", 0.5)):
        own = (phase + shift) % 1.0
        rise, fall = np.clip(own / 0.08, 0.0, 1.0), np.clip((own - 0.5) / 0.05, 0.0, 1.0)
        scene.put(item, f"tower_pressure_{tower}", np.where(on, 0.02 + 0.55 * (rise - fall), 0.02), 0.003)


def _show_tanks(scene: Scene, from_tank_nm3h: Array) -> None:
    """Liquid oxygen covers what the generators cannot give, boils off a little, and is filled up when it is low."""
    tanks = list(scene.each("liquid_oxygen_tank"))
    for item in tanks:
        capacity = item.rating.get("capacity", 5000.0)
        drawn = from_tank_nm3h / len(tanks)
        loss_kg = (drawn / _NM3_PER_KG + _BOIL_OFF_A_DAY * capacity / 24.0) * scene.span.dt_s / 3600.0
        mass = scene.memory.get(f"{item.id}/mass", scene.own(f"{item.id}|mass", 0.62, 0.8) * capacity) - np.cumsum(
            loss_kg
        )
        # The lorry comes in the stretch in which the tank falls to its order level.
        if mass[-1] < _ORDER_SHARE * capacity:
            mass = np.where(mass < _ORDER_SHARE * capacity, mass + _FILL_SHARE * capacity, mass)
        scene.memory[f"{item.id}/mass"] = float(mass[-1])
        scene.put(item, "level", 100.0 * mass / capacity, 0.05)
        scene.put(item, "mass", mass, 2.0)
        scene.put(item, "pressure", 1.05 + 0.03 * scene.wander(f"{item.id}|pressure", 6 * 3600.0), 0.002)
        chill = scene.lag(f"{item.id}/vaporiser", 4.0 + 18.0 * np.minimum(drawn / 30.0, 1.2), 1800.0)
        scene.put(item, "vaporiser_outlet_temperature", scene.outdoor_c - chill, 0.2)
        scene.put(item, "outlet_pressure", 0.62 + 0.005 * scene.wander(f"{item.id}|outlet", 600.0), 0.001)
        eight_hours = (scene.span.time_us // (8 * 3600 * 1_000_000)) % 2
        scene.put(item, "vaporiser_in_use", 1.0 + eight_hours)
        scene.put(item, "yard_oxygen", 20.9, 0.03)
