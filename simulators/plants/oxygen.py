"""Oxygen: the station's outlet with its choice of source, and the pipeline with its zones, meters and leaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from facility.site import Equipment
from simulators.physics import pipeline
from simulators.plants.oxygen_sources import Sources, Supply, supply
from simulators.scene import Array, Scene
from simulators.supply import Tree

_STATION: Final = "oxygen_outlet_station"
_ZONE: Final = "oxygen_pipeline_zone"
_PIPES: Final = frozenset({_STATION, "oxygen_meter", _ZONE})
_SET_KPA: Final = 445.0  # the station's regulator
_STATION_DROP_KPA: Final = 10.0  # regulator and riser at the design flow
_DESIGN_NM3H_A_BED: Final = 0.12
_ZONE_DROP_KPA: Final = 8.0
_NOMINAL_KPA: Final = 400.0  # at the terminals (GB 50751-2012)
_ENOUGH_KPA: Final = 300.0  # ventilators and flowmeters hold what was set down to here
_INLET_MPA: Final = {0.0: 0.0, 1.0: 0.515, 2.0: 0.62, 3.0: 0.50}  # before the regulator, by active source
_LARGEST_LEAK_MM: Final = 1.53  # loses 4 Nm³/h at 400 kPa
_RISER_LEAK_MM: Final = 1.33
_VALVE_BOX_LEAK_MM: Final = 0.7
_ROOM_AIR_M3H: Final = 12.0  # what comes into a valve box's niche by itself
_ROOM_TAU_S: Final = 900.0
_ON_THE_RISER: Final = 0.015  # some terminals hang on the riser itself and show in no zone
_NM3H_PER_LMIN: Final = 0.06


@dataclass(slots=True)
class _Network:
    """One station, what feeds it, and the pipes behind it: (name, wanted flow of its own [L/min]), leaves first."""

    station: Equipment | None
    sources: Sources
    own: dict[str, Array]
    leak: dict[str, Array]


def run(scene: Scene) -> None:
    """Work out every network: what its zones want, what its sources give, and what then passes where."""
    tree = scene.tree(_PIPES)
    for network in _networks(scene, tree):
        _run_network(scene, network, tree)


def _networks(scene: Scene, tree: Tree) -> list[_Network]:
    stations: Sequence[Equipment | None] = list(scene.each(_STATION)) or [None]
    networks = [_Network(station, Sources(), {}, {}) for station in stations]

    def of(item: Equipment) -> _Network:
        """What a station does not name belongs to the station of its room; failing that, to the first."""
        for network in networks:
            if network.station is not None and item.id in network.station.fed_by:
                return network
        same = (n for n in networks if n.station is not None and n.station.room == item.room)
        return next(same, networks[0])

    for item in scene.each("psa_oxygen_generator"):
        of(item).sources.generators.append(item)
    for item in scene.each("liquid_oxygen_tank"):
        of(item).sources.tanks.append(item)
    for item in scene.each("oxygen_manifold"):
        of(item).sources.manifolds.append(item)
    by_station = {network.station.id: network for network in networks if network.station is not None}
    for name in tree.order:
        top = name
        while top not in by_station and top in tree.parent:
            top = tree.parent[top]
        by_station.get(top, networks[0]).own[name] = scene.zeros()
    for department, holders in tree.share.items():
        for holder in holders:
            own = next(n.own for n in networks if holder in n.own)
            own[holder] = own[holder] + scene.demand[department].oxygen_lmin / len(holders)
    return networks


def _run_network(scene: Scene, network: _Network, tree: Tree) -> None:
    items = {name: scene.site.equipment[name] for name in network.own}
    for name, item in items.items():
        if item.cls.id == _ZONE and not isinstance(severity := scene.fault("MG-F07", item), float):
            hole_mm = _LARGEST_LEAK_MM * np.sqrt(severity)
            leak = pipeline.leak_flow(hole_mm, np.asarray(_NOMINAL_KPA + pipeline.ATMOSPHERE_KPA)) / _NM3H_PER_LMIN
            network.leak[name] = leak
            network.own[name] = network.own[name] + leak
    wanted = _added_up(network.own, tree)
    riser_leak, room_leaks = _riser_leaks(scene, network, items)
    tops = [name for name in network.own if tree.parent.get(name) not in network.own]
    on_riser = 1.0 + _ON_THE_RISER
    asked = _NM3H_PER_LMIN * on_riser * sum((wanted[n] for n in tops), scene.zeros()) + riser_leak
    outlet_kpa = _outlet_pressure(scene, network, asked)
    pressure, share = _pressures(scene, items, wanted, outlet_kpa, tree)
    passed = _added_up({name: own * share[name] for name, own in network.own.items()}, tree)
    drawn = _NM3H_PER_LMIN * on_riser * sum((passed[n] for n in tops), scene.zeros()) + riser_leak
    given = supply(scene, network.station, network.sources, drawn)
    # With too little for all, each terminal gives the same share of what it would; the pressure goes with its square.
    for name, item in items.items():
        if item.cls.id != _STATION:
            _show_pipe(scene, item, pressure[name] * given.share**2, passed[name] * given.share, room_leaks)
    for name, leak in network.leak.items():
        scene.waste("MG-F07", items[name], leak * share[name] * given.share * _NM3H_PER_LMIN)
    for name, leak in room_leaks.items():
        scene.waste("MG-F19", scene.site.equipment[name], leak * given.share)
    if network.station is not None:
        if not isinstance(scene.fault("MG-F08", network.station), float):
            scene.waste("MG-F08", network.station, _hidden_leak(scene, network.station) * given.share)
        outlet_kpa = outlet_kpa * given.share**2
        _show_outlet(scene, network.station, outlet_kpa, drawn * given.share, given, room_leaks)


def _added_up(own: dict[str, Array], tree: Tree) -> dict[str, Array]:
    """Return what flows through each pipe: its own and that of all behind it."""
    total: dict[str, Array] = dict(own)
    for name in total:  # leaves first
        above = tree.parent.get(name)
        if above in total:
            total[above] = total[above] + total[name]
    return total


def _hidden_leak(scene: Scene, station: Equipment) -> Array:
    hole_mm = _RISER_LEAK_MM * np.sqrt(np.asarray(scene.fault("MG-F08", station)))
    return pipeline.leak_flow(hole_mm, np.asarray(_SET_KPA + pipeline.ATMOSPHERE_KPA)) + scene.zeros()


def _riser_leaks(scene: Scene, network: _Network, items: dict[str, Equipment]) -> tuple[Array, dict[str, Array]]:
    """Return what escapes between the main meter and the zones' meters [Nm³/h], and of that what gathers in rooms."""
    total, rooms = scene.zeros(), {}
    for name, item in items.items():
        if item.cls.id in (_STATION, _ZONE) and not isinstance(severity := scene.fault("MG-F19", item), float):
            hole_mm = _VALVE_BOX_LEAK_MM * np.sqrt(severity)
            rooms[name] = pipeline.leak_flow(hole_mm, np.asarray(_SET_KPA + pipeline.ATMOSPHERE_KPA))
            total = total + rooms[name]
    if network.station is not None:
        total = total + _hidden_leak(scene, network.station)
    return total, rooms


def _outlet_pressure(scene: Scene, network: _Network, asked_nm3h: Array) -> Array:
    """Return what the regulator makes of its inlet: it droops with the flow, and a worn seat lets more through."""
    steady = _SET_KPA + 1.5 * scene.wander("oxygen|regulator", 1200.0)
    station = network.station
    if station is None:
        return steady
    share = asked_nm3h / (_DESIGN_NM3H_A_BED * station.rating.get("beds", 300.0))
    regulated = steady - _STATION_DROP_KPA * share**2
    most_kpa = (1000.0 * _INLET_MPA[1.0 if network.sources.generators else 2.0]) - 5.0
    creep = np.asarray(scene.fault("MG-F03", station))
    regulated = regulated + creep * (most_kpa - regulated)
    if not isinstance(worn := scene.fault("MG-F04", station), float):
        # A worn seat does not close when little flows, and hunts.
        idle = np.maximum(1.0 - share, 0.0)
        regulated = regulated + worn * (0.75 * idle * (most_kpa - regulated) + 9.0 * scene.wander("oxygen|hunt", 25.0))
    return regulated * (1.0 - 0.4 * np.asarray(scene.fault("MG-F01", station)))


def _pressures(
    scene: Scene, items: dict[str, Equipment], wanted: dict[str, Array], outlet_kpa: Array, tree: Tree
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return the pressure behind each pipe [kPa] and which share of its own wanted flow it lets pass [-]."""
    pressure: dict[str, Array] = {}
    share: dict[str, Array] = {}
    _, at_outlet = pipeline.behind(outlet_kpa, scene.zeros(), _ENOUGH_KPA)
    for name in reversed(list(items)):
        above = tree.parent.get(name, "")
        source, passes = pressure.get(above, outlet_kpa), share.get(above, at_outlet)
        if items[name].cls.id == _ZONE:
            design = 60.0 + 14.0 * items[name].rating.get("beds", 30.0)
            drop = _ZONE_DROP_KPA * (wanted[name] / design) ** 2 * pipeline.resistance(_valve(scene, items[name]))
            pressure[name], share[name] = pipeline.behind(source, drop, _ENOUGH_KPA)
        else:
            pressure[name], share[name] = source, passes
    return pressure, share


def _valve(scene: Scene, item: Equipment) -> Array:
    return pipeline.valve_opening(np.asarray(scene.fault("MG-F02", item)))


def _show_pipe(scene: Scene, item: Equipment, pressure: Array, flow_lmin: Array, room_leaks: dict[str, Array]) -> None:
    scene.put(item, "pressure", pressure, 0.5)
    if item.cls.id == "oxygen_meter":
        flow_nm3h = flow_lmin * _NM3H_PER_LMIN
        scene.put(item, "flow", flow_nm3h, 0.005 * np.maximum(flow_nm3h, 1.0))
        scene.count(item, "oxygen_total", flow_nm3h)
        return
    scene.put(item, "flow", flow_lmin, 0.004 * (60.0 + 14.0 * item.rating.get("beds", 30.0)))
    scene.count(item, "oxygen_total", flow_lmin * _NM3H_PER_LMIN)
    scene.put(item, "valve", np.where(_valve(scene, item) > 0.03, 1.0, 0.0))
    scene.put(item, "sensor_fault", 0.0)
    _show_room(scene, item, room_leaks)


def _show_room(scene: Scene, item: Equipment, room_leaks: dict[str, Array]) -> None:
    settled = pipeline.room_oxygen(room_leaks.get(item.id, scene.zeros()), _ROOM_AIR_M3H)
    scene.put(item, "room_oxygen", scene.lag(f"{item.id}/room", settled, _ROOM_TAU_S), 0.03)


def _show_outlet(
    scene: Scene, item: Equipment, outlet_kpa: Array, drawn: Array, given: Supply, room_leaks: dict[str, Array]
) -> None:
    scene.put(item, "outlet_pressure", outlet_kpa, 0.6)
    inlet = np.select([given.source == code for code in _INLET_MPA], list(_INLET_MPA.values()))
    scene.put(item, "inlet_pressure", inlet + 0.003 * scene.wander(f"{item.id}|inlet", 90.0), 0.001)
    scene.put(item, "flow", drawn, 0.08)
    scene.count(item, "oxygen_total", drawn)
    scene.put(item, "oxygen_purity", given.purity, 0.02)
    scene.put(item, "active_source", given.source)
    scene.put(item, "reserve_pressure", given.reserve_mpa, 0.02)
    scene.put(item, "plant_fault", given.plant_fault)
    _show_room(scene, item, room_leaks)
