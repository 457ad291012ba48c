"""The steam network: what is drawn from the boilers' header, the meters of its branches, traps, and condensate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from facility.site import Equipment
from simulators.physics import steam as physics
from simulators.physics import trap
from simulators.scene import Array, Scene

SET_MPA: Final = 0.70
NODES: Final = ("steam_meter", "gas_steam_boiler")
# Whatever brings heat to a department by water; without one of them its heaters take steam.
WATER: Final = ("heat_exchanger", "heat_meter", "gas_hot_water_boiler")
# What the network draws from the header and gives back, among the machines in `scene.steam` and `scene.heat`.
HEADER: Final = "steam|header"
CONDENSATE: Final = "steam|condensate"

_PROCESS_RETURN: Final = 0.78  # share of the steam of sterilisers, kitchens and laundries that comes back
_PROCESS_C: Final = 85.0
_HEATER_C: Final = 85.0  # condensate of a department's own heaters
_HEADER_LOSS: Final = 0.012  # share of the boilers' rating that the header's pipes condense, day and night
_BRANCH_LOSS_TH: Final = 0.02
_BRANCH_TH: Final = 4.0  # for which a branch is laid
_DROP_MPA: Final = 0.03  # along a branch at that flow
_TRAPS_OPEN: Final = 4.0  # traps of a branch that stay open at full severity
_TRAP_HOLE_MM: Final = 4.5
_NONE: Final = np.zeros(1)


def run(scene: Scene) -> None:
    """Add up what is drawn through every meter and from the header, and what comes back as condensate."""
    boilers = list(scene.each("gas_steam_boiler"))
    meters = {m.id: m for m in scene.each("steam_meter")}
    if not boilers and not meters:
        return
    flow = {name: scene.zeros() for name in meters}
    header = scene.zeros() + _HEADER_LOSS * sum(b.rating.get("steam", 4.0) for b in boilers)
    back = header
    warmth = header * physics.water_enthalpy(100.0)  # of the condensate [MJ/h]
    per_kw = 3.6 / float(physics.steam_enthalpy(SET_MPA) - physics.WATER_KJ_KG_K * _HEATER_C)
    served = _Served(_served(scene, *NODES), _served(scene, *WATER), _served(scene, "hot_water_station"))
    serves = {m.id: m.serves.on(scene.today) for m in meters.values()}
    for department, demand in scene.demand.items():
        own = served.own_heater_kw(scene, department) * per_kw
        back = back + _PROCESS_RETURN * demand.steam_th + own
        warmth = warmth + physics.WATER_KJ_KG_K * (_PROCESS_RETURN * demand.steam_th * _PROCESS_C + own * _HEATER_C)
        holders = [name for name, departments in serves.items() if department in departments]
        for holder in holders:
            flow[holder] = flow[holder] + (demand.steam_th + own) / len(holders)
        if not holders:
            header = header + demand.steam_th + own
    for name, drawn in list(scene.steam.items()):
        if name in scene.heat:
            # A heater gives back all that it takes, less warm by the heat that it has passed on.
            back = back + drawn
            warmth = warmth + np.maximum(drawn * physics.steam_enthalpy(SET_MPA) - 3.6 * scene.heat[name], 0.0)
        source = next((s for s in scene.site.equipment[name].fed_by if s in meters), None)
        if source is None:
            header = header + drawn
        else:
            flow[source] = flow[source] + drawn
    # The meters farthest from the boilers first.
    for name in sorted(meters, key=lambda n: len(scene.site.upstream(n)), reverse=True):
        leak = _leak(scene, meters[name])
        flow[name] = flow[name] + _BRANCH_LOSS_TH + leak
        back = back + _BRANCH_LOSS_TH + leak
        warmth = warmth + _BRANCH_LOSS_TH * physics.water_enthalpy(100.0) + leak * physics.steam_enthalpy(SET_MPA)
        above = next((s for s in meters[name].fed_by if s in meters), None)
        if above is None:
            header = header + flow[name]
        else:
            flow[above] = flow[above] + flow[name]
        scene.steam[name] = flow[name]
    scene.steam[HEADER], scene.steam[CONDENSATE], scene.heat[CONDENSATE] = header, back, warmth
    if not boilers:
        show_meters(scene, np.full(len(scene), SET_MPA))


@dataclass(frozen=True, slots=True)
class _Served:
    """Which departments steam, hot water for heating, and hot water for washing reach."""

    steam: frozenset[str]
    heat: frozenset[str]
    hot_water: frozenset[str]

    def own_heater_kw(self, scene: Scene, department: str) -> Array:
        """Return the heat that a department makes from steam itself, since no other plant brings it. [kW]"""
        demand, heat = scene.demand[department], _NONE
        if department in self.steam and department not in self.heat:
            heat = heat + demand.heating_kw
        if department in self.steam and department not in self.hot_water:
            heat = heat + physics.WATER_KWH_M3_K * demand.hot_water_m3h * (55.0 - scene.mains_c)
        return heat


def _served(scene: Scene, *classes: str) -> frozenset[str]:
    return frozenset(d for item in scene.each(*classes) for d in item.serves.on(scene.today))


def _leak(scene: Scene, meter: Equipment) -> Array:
    """Return the steam that blows through the traps of a branch into its condensate. [t/h]"""
    leak = np.asarray(scene.fault("BO-F13", meter)) * _TRAPS_OPEN * trap.napier(_TRAP_HOLE_MM, SET_MPA) / 1000.0
    scene.waste("BO-F13", meter, leak)
    return leak


def show_meters(scene: Scene, header_mpa: Array) -> None:
    """Show the meters of all branches, once the pressure in the header is known."""
    for meter in scene.each("steam_meter"):
        flow = scene.steam[meter.id]
        pressure = np.maximum(header_mpa - _DROP_MPA * (flow / _BRANCH_TH) ** 2, 0.0)
        scene.put(meter, "flow", flow, 0.003 * _BRANCH_TH)
        scene.count(meter, "steam_total", flow)
        scene.put(meter, "pressure", pressure, 0.001)
        scene.put(meter, "temperature", physics.saturation_temperature(pressure), 0.1)
