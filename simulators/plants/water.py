"""Cold water: from the taps up to the city's inlet, through meters, booster sets, pumps and tanks, and what escapes."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from facility.site import Equipment
from simulators.physics import leak
from simulators.plants import booster, tanks, water_quality
from simulators.plants.tanks import Sample
from simulators.scene import Array, Scene
from simulators.supply import Tree

METERS: Final = frozenset({"water_meter"})
# What water runs through on its way: a meter may hang on a booster pump that hangs on a tank, and so on to the city.
_PATH: Final = frozenset({"water_meter", "pump", "booster_set", "water_tank", "utility_supply"})
_BOOSTED_MPA: Final = 0.40
_CITY_MPA: Final = 0.29
_CITY_CHLORINE: Final = 0.45  # what the city's water brings along [mg/L]

# What escapes through a meter's pipes at full severity and the pressure of its part [m³/h], and how it goes with it.
_LEAKS: Final = {
    "WS-F01": (25.0, leak.RIGID),
    "WS-F02": (1.2, leak.PLASTIC),
    "WS-F03": (0.9, leak.RIGID),
    "WS-F04": (0.35, leak.RIGID),
}
_TO_THE_DRAIN: Final = ("WS-F03", "WS-F04")  # what bursts or weeps goes into the ground
_METER_RATIO: Final = 400.0  # of static meters, as hospitals put at their buildings
_UNMETERED_M3H: Final = 1.6
_BACK_M3H: Final = 0.8


def run(scene: Scene) -> None:
    """Work out the flow through everything that water runs through, from the taps up, and what the meters show."""
    tree = scene.tree(_PATH)
    city_mpa = _CITY_MPA + 0.012 * scene.wander("city|pressure", 3600.0)
    heads = _heads(scene, tree, city_mpa)
    city = Sample(_CITY_CHLORINE + 0.03 * scene.wander("city|chlorine", 43200.0), scene.mains_c, scene.zeros())
    flow: dict[str, Array] = {name: scene.zeros() for name in tree.order}
    for department, holders in tree.share.items():
        for holder in holders:
            flow[holder] = flow[holder] + scene.demand[department].water_m3h / len(holders)
    for name, drawn in scene.water.items():
        if name in tree.parent:
            flow[tree.parent[name]] = flow[tree.parent[name]] + drawn
    escapes: dict[tuple[str, str], Array] = {}
    supplied: dict[str, Array] = {}
    samples: dict[str, Sample] = {}
    for name in tree.order:
        item, passes = scene.site.equipment[name], flow[name]
        if item.cls.id in METERS:
            flow[name] = passes = passes + _through_the_meter(scene, item, heads[name], escapes)
        elif item.cls.id == "water_tank":
            tank = tanks.run(scene, item, passes, city)
            supplied[name], samples[name], passes = tank.supplied, tank.sample, tank.inlet_m3h
        _pass_up(item, flow, passes)
    _run_short(scene, tree, flow, escapes, supplied)
    for (fault, name), escaped in escapes.items():
        scene.waste(fault, scene.site.equipment[name], escaped)
        if fault in _TO_THE_DRAIN:
            scene.sewage[name] = scene.sewage.get(name, scene.zeros()) + escaped
    for name in tree.order:
        scene.water[name] = flow[name]
    for item in scene.each(*METERS):
        _show(scene, item, flow[item.id], heads[item.id].now)
    for item in scene.each("water_quality_station"):
        water_quality.show(scene, item, _water_at(scene, item, samples, city))
    _show_supplies(scene, city_mpa)


class Head(NamedTuple):
    """Pressure that is kept up at a place before friction, and what it usually is there by day. [MPa]"""

    now: Array
    usual: float


def _heads(scene: Scene, tree: Tree, city_mpa: Array) -> dict[str, Head]:
    """Return the pressure at each place, which the city keeps up, or what lifts the water there."""
    heads: dict[str, Head] = {}
    for name in reversed(tree.order):
        item = scene.site.equipment[name]
        if item.cls.id == "booster_set":
            set_mpa = booster.set_pressure(scene, item, scene.fault("WS-F12", item))
            heads[name] = Head(set_mpa, booster.day_pressure(item))
        elif item.cls.id in ("pump", "water_tank"):
            heads[name] = Head(np.full(len(scene), _BOOSTED_MPA), _BOOSTED_MPA)
        else:
            heads[name] = next((heads[s] for s in item.fed_by if s in heads), Head(city_mpa, _CITY_MPA))
    return heads


def _through_the_meter(scene: Scene, item: Equipment, head: Head, escapes: dict[tuple[str, str], Array]) -> Array:
    """Return what runs through a meter beside what its consumers draw; note what of it escapes. [m³/h]"""
    more = scene.zeros()
    for fault, (most_m3h, exponent) in _LEAKS.items():
        severity = scene.fault(fault, item)
        if isinstance(severity, float):
            continue
        # Pressure wanders a little, and what escapes with it.
        pressure = head.now * (1.0 + 0.02 * scene.wander(f"{item.id}|{fault}", 600.0))
        rate = most_m3h * severity * leak.pressure_factor(pressure, head.usual, exponent)
        escapes[fault, item.id] = rate
        more = more + rate
    branch = scene.fault("WS-F14", item)
    if not isinstance(branch, float):
        # A building site draws by day.
        draws = np.clip(np.sin((scene.span.hour - 6.0) * np.pi / 12.0), 0.1, 1.0)
        more = more + _UNMETERED_M3H * branch * draws * (1.0 + 0.1 * scene.wander(f"{item.id}|branch", 900.0))
    # A cross-connection to water of higher pressure pushes back.
    return more - _BACK_M3H * np.asarray(scene.fault("WS-F10", item))


def _pass_up(item: Equipment, flow: dict[str, Array], passes: Array) -> None:
    sources = [s for s in item.fed_by if s in flow]
    for source in sources:
        # Several sources in parallel, such as two booster pumps, share the flow.
        flow[source] = flow[source] + passes / len(sources)


def _run_short(
    scene: Scene,
    tree: Tree,
    flow: dict[str, Array],
    escapes: dict[tuple[str, str], Array],
    supplied: dict[str, Array],
) -> None:
    """Let everything below a tank that runs empty have only its share."""
    if not any((share < 1.0).any() for share in supplied.values()):
        return
    left: dict[str, Array] = {}
    for name in reversed(tree.order):
        above = [left[s] for s in scene.site.equipment[name].fed_by if s in left]
        reaches = np.mean(above, axis=0) if above else np.ones(len(scene))
        flow[name] = flow[name] * reaches
        left[name] = reaches * supplied.get(name, np.ones(1))
    for fault, name in escapes:
        escapes[fault, name] = escapes[fault, name] * left[name]


def _show(scene: Scene, item: Equipment, flow: Array, head_mpa: Array) -> None:
    rated = item.rating.get("flow", 40.0)
    # A worn or blocked wheel needs more flow to turn: in the end it stands.
    stuck = np.asarray(scene.fault("WS-F15", item))
    seen = leak.metered(flow, rated, _METER_RATIO) * (1.0 - stuck)
    scene.put(item, "flow", seen, np.where(seen == 0.0, 0.0, 0.004 * rated**0.5))
    scene.count(item, "volume_total", np.maximum(seen, 0.0))
    scene.count(item, "reverse_total", np.maximum(-seen, 0.0))
    burst = np.asarray(scene.fault("WS-F01", item))
    scene.put(item, "pressure", head_mpa - 0.05 * (flow / rated) ** 2 - 0.09 * burst, 0.001)
    scene.put(item, "battery", 3.55 + 0.02 * scene.wander(f"{item.id}|battery", 86400.0))


def _water_at(scene: Scene, item: Equipment, samples: dict[str, Sample], city: Sample) -> Sample:
    """Return the water at a machine: of the nearest tank above it, or the city's."""
    return next((samples[name] for name in scene.site.upstream(item.id) if name in samples), city)


def _show_supplies(scene: Scene, city_mpa: Array) -> None:
    for item in scene.each("utility_supply"):
        if item.choices.get("carrier") == "water":
            scene.put(item, "present", 1.0)
            scene.put(item, "pressure", city_mpa, 0.001)
            scene.put(item, "temperature", scene.mains_c, 0.05)
