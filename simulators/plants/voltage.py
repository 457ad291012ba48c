"""Which boards have voltage: incomers, tripped breakers, generators, transfer switches, batteries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from facility.site import Equipment
from simulators.grid import all_the_time
from simulators.physics import battery, generator
from simulators.physics import transfer as switching
from simulators.scene import Array, Scene
from simulators.supply import Tree

Live = Array | float

BOARDS: Final = frozenset(
    {"hv_incomer", "dry_type_transformer", "lv_feeder", "electricity_meter", "ups", "transfer_switch"}
)
# The set runs on for five minutes until the switches have gone back, and for five more to cool down.
_SEQUENCE: Final = generator.Sequence(cool_s=600.0)
_DELAYS: Final = switching.Delays()
# Mondays at ten without load; every fourth time for half an hour under load (NFPA 110), the switches moved over.
_TEST_START_H, _TEST_MINUTES, _LOAD_TEST_MINUTES, _LOAD_TEST_EVERY = 10.0, 15.0, 30.0, 4
_RECHARGE_S: Final = 8 * 3600.0
_BATTERY_AGE_COUNTS_FROM_US: Final = 1_735_689_600_000_000  # 2025-01-01
_YEAR_US: Final = 365.25 * 86400e6
_BATTERY_LIFE_YEARS: Final = 8.0
_LOST: Final = 0.75  # of a weak battery's capacity, at full severity


def run(scene: Scene) -> None:
    """Work out what has voltage, from the incomers down."""
    tree = scene.tree(BOARDS)
    mains = _sweep(scene, tree, switched=False)
    for item in scene.each("diesel_generator"):
        _run_generator(scene, item, mains)
    live = _sweep(scene, tree, switched=True)
    boards = {name: np.asarray(share) for name, share in live.items() if not all_the_time(share)}
    scene.grid.live |= boards
    scene.grid.dark = {
        child: boards[above] for child, above in tree.parent.items() if above in boards and child not in live
    }
    scene.grid.live |= scene.grid.dark


def minutes_at_full(scene: Scene, item: Equipment) -> float:
    """Return how long the new battery of an uninterruptible supply carries its rated load. [min]"""
    return scene.own(f"{item.id}|minutes", 24.0, 30.0)


def battery_capacity(scene: Scene, item: Equipment) -> Array:
    """Return what a battery has left of its rated capacity. [-]"""
    age = scene.own(f"{item.id}|age", 1.0, 3.0)
    years = np.maximum(age + (scene.span.time_us - _BATTERY_AGE_COUNTS_FROM_US) / _YEAR_US, 0.0)
    left = battery.capacity_left(years, _BATTERY_LIFE_YEARS, 25.0)
    return left * (1.0 - _LOST * np.asarray(scene.fault("EL-F22", item)))


def _sweep(scene: Scene, tree: Tree, switched: bool) -> dict[str, Live]:
    """Return the voltage of every board: with `switched` as it is, else as the mains alone would give it."""
    live: dict[str, Live] = {}
    for name in reversed(tree.order):
        item = scene.site.equipment[name]
        share = live[tree.parent[name]] if name in tree.parent else 1.0
        for fault in ("EL-F01", "EL-F02", "EL-F24"):
            bad = scene.fault(fault, item)
            if not isinstance(bad, float):
                share = share * np.where(bad > 0.0, 0.0, 1.0)
        if switched and item.cls.id == "transfer_switch":
            share = _run_switch(scene, item, share, live)
        elif switched and item.cls.id == "ups":
            share = _run_ups(scene, tree, item, share)
        live[name] = share
    return live


def _run_generator(scene: Scene, item: Equipment, mains: Mapping[str, Live]) -> None:
    span, grid = scene.span, scene.grid
    switches = [s.id for s in scene.each("transfer_switch") if item.id in s.fed_by]
    watched = switches or [i.id for i in scene.each("hv_incomer")]
    there: Live = 1.0
    for name in watched:
        there = np.minimum(there, mains[name])
    off = scene.fault("EL-F23", item)
    minute = (span.hour - _TEST_START_H) * 60.0
    loaded = (span.week % _LOAD_TEST_EVERY == 0) & (minute < _LOAD_TEST_MINUTES)
    tested = (span.weekday == 0) & (minute >= 0.0) & ((minute < _TEST_MINUTES) | loaded)
    called = (tested | (np.asarray(there) < 1.0)).astype(np.float64)
    state = (scene.memory.get(f"{item.id}/called", 0.0), scene.memory.get(f"{item.id}/cooling", 0.0))
    if called.any() or state[1] > 0.0:
        able = np.broadcast_to(np.where(np.asarray(off) > 0.0, 0.0, 1.0), (len(scene),))
        turning, voltage, state = generator.start_and_stop(called, able, span.dt_s, state, _SEQUENCE)
        scene.memory[f"{item.id}/called"], scene.memory[f"{item.id}/cooling"] = state
    else:
        turning = voltage = scene.zeros()
    grid.mains[item.id] = there
    grid.turning[item.id] = turning
    grid.live[item.id] = voltage
    grid.tested[item.id] = (tested & loaded).astype(np.float64)


def _run_switch(scene: Scene, item: Equipment, first: Live, live: Mapping[str, Live]) -> Live:
    grid = scene.grid
    source = second_source(scene, item)
    second = grid.live.get(source, live.get(source, 0.0)) if source is not None else 0.0
    tested = grid.tested.get(source or "", scene.zeros())
    place = switching.Place(
        scene.memory.get(f"{item.id}/second", 0.0) > 0.5, scene.memory.get(f"{item.id}/waited", 0.0)
    )
    if all_the_time(first) and place == switching.Place() and not tested.any():
        return 1.0
    shape = (len(scene),)
    able = np.where(np.asarray(scene.fault("EL-F02", item)) > 0.0, 0.0, 1.0)
    share, grid.second[item.id], place = switching.transfer(
        np.broadcast_to(first, shape),
        np.broadcast_to(second, shape),
        np.broadcast_to(able, shape),
        tested,
        scene.span.dt_s,
        place,
        _DELAYS,
    )
    scene.memory[f"{item.id}/second"], scene.memory[f"{item.id}/waited"] = float(place.second), place.waited_s
    return share


def second_source(scene: Scene, item: Equipment) -> str | None:
    """Return the second source of a transfer switch: the next board or generator in `fed_by`, or None."""
    known = [s for s in item.fed_by if scene.site.equipment[s].cls.id in BOARDS | {"diesel_generator"}]
    return known[1] if len(known) > 1 else None


def _run_ups(scene: Scene, tree: Tree, item: Equipment, supply: Live) -> Live:
    name = f"{item.id}/charge"
    start = scene.memory.get(name, 1.0)
    if all_the_time(supply) and start >= 1.0:
        return 1.0
    share = _load_below(scene, tree, item.id) / rated_kw(item)
    minutes = battery.endurance(share, minutes_at_full(scene, item), battery_capacity(scene, item))
    dark = np.broadcast_to(1.0 - np.asarray(supply), (len(scene),))
    left, carried, filled = battery.charge(dark, 60.0 / minutes, scene.span.dt_s, start, _RECHARGE_S)
    scene.memory[name] = float(left[-1])
    scene.grid.charge[item.id], scene.grid.filled[item.id] = left, filled
    return carried


def rated_kw(item: Equipment) -> float:
    """Return the real power that an uninterruptible supply can give. [kW]"""
    return 0.9 * item.rating.get("power", 40.0)


def _load_below(scene: Scene, tree: Tree, name: str) -> Array:
    """Return what departments and machines below a board draw. [kW]"""
    total = scene.zeros()
    for department, holders in tree.share.items():
        total = total + scene.demand[department].power_kw * (holders.count(name) / len(holders))
    for child in tree.children(name):
        if child in scene.power:
            total = total + scene.power[child][0]
        total = total + _load_below(scene, tree, child)
    return total
