"""Cold water: meters of the buildings and the city's inlet, and what escapes between them."""

from __future__ import annotations

from typing import Final

import numpy as np

from facility.site import Equipment
from simulators.scene import Array, Scene

METERS: Final = frozenset({"water_meter"})
# What water runs through on its way: a meter may hang on a booster pump that hangs on the city's meter.
_PATH: Final = frozenset({"water_meter", "pump", "booster_set", "water_tank"})
_BOOSTED_MPA: Final = 0.40
_CITY_MPA: Final = 0.29


def run(scene: Scene) -> None:
    """Work out the flow through every water meter and pump, from the taps up to the city's inlet."""
    tree = scene.tree(_PATH)
    flow: dict[str, Array] = {name: scene.zeros() for name in tree.order}
    for department, holders in tree.share.items():
        for holder in holders:
            flow[holder] = flow[holder] + scene.demand[department].water_m3h / len(holders)
    for name, drawn in scene.water.items():
        if name in tree.parent:
            flow[tree.parent[name]] = flow[tree.parent[name]] + drawn
    for name in tree.order:
        item = scene.site.equipment[name]
        if item.cls.id in METERS:
            flow[name] = flow[name] + _escapes(scene, item)
        _pass_up(scene, item, flow)
        scene.water[name] = flow[name]
    for item in scene.each(*METERS):
        _show(scene, item, flow[item.id])


def _pass_up(scene: Scene, item: Equipment, flow: dict[str, Array]) -> None:
    sources = [s for s in item.fed_by if s in flow]
    for source in sources:
        # Several sources in parallel, such as two booster pumps, share the flow.
        flow[source] = flow[source] + flow[item.id] / len(sources)


def _escapes(scene: Scene, item: Equipment) -> Array:
    lost = scene.zeros()
    for fault, most_m3h in (("WS-F01", 25.0), ("WS-F02", 1.2), ("WS-F03", 0.9)):
        severity = scene.fault(fault, item)
        if isinstance(severity, float):
            continue
        # Pressure wanders a little, and what escapes with the square root of it (rigid pipe, N1 = 0.5).
        rate = most_m3h * severity * (1.0 + 0.01 * scene.wander(f"{item.id}|{fault}", 600.0))
        scene.waste(fault, item, rate)
        lost = lost + rate
    return lost


def _show(scene: Scene, item: Equipment, flow: Array) -> None:
    rated = item.rating.get("flow", 40.0)
    boosted = any(scene.site.equipment[s].cls.id != "water_meter" for s in item.fed_by if s in scene.site.equipment)
    supply = _BOOSTED_MPA if boosted else _CITY_MPA + 0.012 * scene.wander(f"{item.id}|city", 3600.0)
    burst = scene.fault("WS-F01", item)
    scene.put(item, "flow", flow, 0.004 * rated**0.5)
    scene.count(item, "volume_total", flow)
    scene.count(item, "reverse_total", 0.0)
    scene.put(item, "pressure", supply - 0.05 * (flow / rated) ** 2 - 0.09 * np.asarray(burst), 0.001)
    scene.put(item, "battery", 3.55 + 0.02 * scene.wander(f"{item.id}|battery", 86400.0))
