"""
Chillers and cooling towers: chilled water for what is cooled centrally.

Chillers and towers of one room are one plant: the chillers share its load, the towers its heat. Which chiller leads
changes every week. Pumps are machines of their own; here every running chiller has the water that it needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from facility.site import Equipment
from simulators.physics import chiller as physics
from simulators.physics.duty_cycle import duty_cycle
from simulators.plants import towers
from simulators.plants.towers import Heat, Rejected
from simulators.scene import Array, Scene
from simulators.twin import Twin, cases, there, without

_POWER_FACTOR: Final = 0.89
_WASTEFUL: Final = ("CH-F01", "CH-F02", "CH-F03", "CH-F16", "CH-F17", "CH-F22")
_STANDBY_KW: Final = 0.4  # oil heater and controls

_LOAD_TAU_S: Final = 600.0
_WATER_TAU_S: Final = 300.0
# One more chiller comes above the first share of what those running can cool, and goes below the second of the rest.
_ADD, _DROP = 0.92, 0.78
_START, _STOP = 0.06, 0.03  # of one chiller
_LEAST: Final = 0.2  # below this share a chiller goes on and off
_CYCLE_S: Final = 1800.0
_SHORT_CYCLE_S: Final = 600.0
_LEAST_WATER: Final = 0.45  # of the rated chilled water, which the bypass keeps up
_LOAD_AIR_C: Final = 26.0  # coils that get too warm water cool less: in proportion to its distance from the air


@dataclass(frozen=True, slots=True)
class _Plant:
    """Chillers and towers of one room."""

    room: str
    chillers: Sequence[Equipment]
    models: Sequence[physics.Chiller]
    towers: Sequence[Equipment]


@dataclass(frozen=True, slots=True)
class _Work:
    """
    What one chiller does in one stretch.

    `chosen` : whether it is its turn; `on` : the part of each step in which its compressor runs; `load_kw` : on
    average; `at_work_kw` : while its compressor runs; `starts` : by going on and off
    """

    chosen: Array
    on: Array
    starts: Array
    load_kw: Array
    at_work_kw: Array
    chilled_m3h: Array
    condenser_m3h: Array
    setpoint_c: Array
    supply_c: Array
    running: physics.Running

    @property
    def power_kw(self) -> Array:
        """Return the mean power of its compressor. [kW]"""
        return self.on * self.running.power_kw


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a plant does in one stretch."""

    works: Sequence[_Work]
    rejected: Rejected
    power_kw: Array


def run(scene: Scene) -> None:
    """Work out every chiller plant: those of the site's chillers, and towers that stand alone."""
    plants = _plants(scene)
    for plant in plants:
        _run_plant(scene, plant)


def _plants(scene: Scene) -> list[_Plant]:
    rooms: dict[str, list[Equipment]] = {}
    for item in scene.each("chiller"):
        rooms.setdefault(item.room or "", []).append(item)
    plants = []
    for room, chillers in rooms.items():
        models = [
            physics.Chiller(cooling := c.rating.get("cooling", 1000.0), c.rating.get("power", cooling / 5.5))
            for c in chillers
        ]
        plants.append(_Plant(room, chillers, models, [t for t in scene.each("cooling_tower") if t.room == room]))
    return plants


def _run_plant(scene: Scene, plant: _Plant) -> None:
    mine = {c.id for c in plant.chillers}
    taken = scene.zeros()
    consumers = []
    for name, kw in scene.cooling.items():
        source = next((s for s in scene.site.equipment[name].fed_by if _is_chiller(scene, s)), None)
        if source in mine:
            taken = taken + kw
            consumers.append(name)
    asked = {case: kw for case, kw in scene.needless.items() if _air_handler(scene, case[1], consumers)}
    present = cases(scene, _WASTEFUL, plant.chillers) + cases(scene, towers.WASTEFUL, plant.towers) + list(asked)
    twins, _ = without(scene, plant.room, present)
    blind = {c: _work_out(t, plant, np.maximum(taken - asked.get(c, 0.0), 0.0)) for c, t in twins.items()}
    real = _work_out(Twin(scene), plant, taken)
    for case, other in blind.items():
        on = there(scene, case)
        scene.waste(case[0], scene.site.equipment[case[1]], on * (real.power_kw - other.power_kw))
    for item, model, work in zip(plant.chillers, plant.models, real.works, strict=True):
        _show(scene, item, model, work, real.rejected.supply_c)
    towers.show(scene, plant.towers, real.rejected)


def _is_chiller(scene: Scene, name: str) -> bool:
    return name in scene.site.equipment and scene.site.equipment[name].cls.id == "chiller"


def _air_handler(scene: Scene, machine: str, consumers: Sequence[str]) -> bool:
    """Return whether a machine, or the unit that supplies it, takes cold from the plant."""
    return machine in consumers or any(s in consumers for s in scene.site.equipment[machine].fed_by)


def _work_out(twin: Twin, plant: _Plant, taken_kw: Array) -> _Outcome:
    scene = twin.scene
    able = [m.cooling_kw * (1.0 - 0.3 * np.asarray(twin.fault("CH-F04", c))) for c, m in _each(plant)]
    stages = _stages(twin, plant, twin.lag(f"{plant.room}/load", taken_kw, _LOAD_TAU_S), sum(able, scene.zeros()))
    outdoor_c = twin.lag(f"{plant.room}/outdoor", scene.outdoor_c, 21600.0)
    chosen = [_chosen(twin, plant, rank, stages) for rank in range(len(plant.chillers))]
    together = sum((on * kw for on, kw in zip(chosen, able, strict=True)), scene.zeros())
    share = taken_kw / np.maximum(together, 1e-6)
    bypassed = np.max([np.asarray(twin.fault("CH-F06", c)) * np.ones(len(scene)) for c in plant.chillers], axis=0)
    wanted = [_asked(twin, item, outdoor_c) for item in plant.chillers]
    # Water that the towers are to make decides the power, and that the heat that they must give off: two rounds.
    supply_c = towers.setpoint(scene.wet_bulb_c)
    most: list[Array] = [np.asarray(kw * 1.1) for kw in able]
    rejected = None
    works: list[_Work] = []
    for _ in range(2):
        works = [
            _work(twin, c, m, chosen[i], np.minimum(share * able[i], most[i]) * chosen[i], share * able[i] / most[i],
                  wanted[i], supply_c, bypassed)
            for i, (c, m) in enumerate(_each(plant))
        ]  # fmt: skip
        most = [work.running.most_kw for work in works]
        heat = sum((w.load_kw * (1.0 + w.running.power_kw / w.at_work_kw) for w in works), scene.zeros())
        water = sum((w.chosen * w.condenser_m3h for w in works), scene.zeros())
        if rejected is None:
            rejected = towers.work_out(twin, plant.room, plant.towers, Heat(heat, water))
            supply_c = rejected.supply_c
        else:
            rejected = rejected.after(Heat(heat, water))
    assert rejected is not None
    return _Outcome(works, rejected, sum((w.power_kw for w in works), scene.zeros()) + rejected.fan_kw)


def _each(plant: _Plant) -> list[tuple[Equipment, physics.Chiller]]:
    return list(zip(plant.chillers, plant.models, strict=True))


def _stages(twin: Twin, plant: _Plant, load_kw: Array, able_kw: Array) -> Array:
    """Return how many chillers run, with the hysteresis that keeps them from changing with every breeze."""
    name = twin.name(f"{plant.room}/stages")
    count, most = int(twin.scene.memory.get(name, 0.0)), len(plant.chillers)
    found = np.empty_like(load_kw)
    for i, load in enumerate((load_kw * most / able_kw).tolist()):
        while count < most and load > (_ADD * count if count > 0 else _START):
            count += 1
        while count > 0 and load < (_DROP * (count - 1) if count > 1 else _STOP):
            count -= 1
        found[i] = count
    twin.scene.memory[name] = float(count)
    return found


def _chosen(twin: Twin, plant: _Plant, rank: int, stages: Array) -> Array:
    place = (rank - twin.scene.span.week) % len(plant.chillers)
    left_on = np.asarray(twin.fault("CH-F16", plant.chillers[rank])) > 0.0
    alive = np.asarray(twin.scene.alive(plant.chillers[rank])) > 0.5
    return (((place < stages) | (left_on & (stages > 0.0))) & alive).astype(np.float64)


def _asked(twin: Twin, item: Equipment, outdoor_c: Array) -> Array:
    """Return the chilled water that a chiller is to make: warmer when it is cool outdoors. [°C]"""
    reset = np.interp(outdoor_c, [20.0, 28.0], [10.0, 7.0])
    return reset + np.asarray(twin.fault("CH-F17", item)) * (7.0 - reset)


def _work(
    twin: Twin,
    item: Equipment,
    model: physics.Chiller,
    chosen: Array,
    load_kw: Array,
    strain: Array,
    asked_c: Array,
    condenser_c: Array,
    bypassed: Array,
) -> _Work:
    scene = twin.scene
    stuck = np.asarray(twin.fault("CH-F23", item))
    least_kw = model.cooling_kw * (_LEAST + 0.6 * stuck)
    duty = np.where(chosen > 0.0, np.minimum(load_kw / least_kw, 1.0), 0.0)
    # A machine that cannot unload trips on cold water and starts again as soon as its timer lets it.
    period_s = np.where(stuck > 0.0, _SHORT_CYCLE_S, _CYCLE_S)
    time_s = scene.span.time_us / 1e6
    on, starts = duty_cycle(time_s, scene.span.dt_s, duty, period_s, scene.own(f"{item.id}|cycle", 0.0, _CYCLE_S))
    at_work_kw = np.maximum(load_kw, least_kw)
    chilled = model.chilled_m3h * np.maximum(load_kw / model.cooling_kw, _LEAST_WATER) * (1.0 + 1.2 * bypassed)
    condenser = model.condenser_m3h * (1.0 - 0.5 * np.asarray(twin.fault("CH-F02", item)))
    supply_c = _LOAD_AIR_C - (_LOAD_AIR_C - asked_c) / np.maximum(strain, 1.0)
    low = np.asarray(twin.fault("CH-F04", item))
    condition = physics.Condition(
        evaporator=1.0 - 0.55 * low,
        condenser=1.0 - 0.6 * np.asarray(twin.fault("CH-F01", item)),
        gas_k=4.0 * np.asarray(twin.fault("CH-F03", item)),
        losses=(1.0 + 0.12 * np.asarray(twin.fault("CH-F22", item)))
        * (1.0 + 0.04 * np.asarray(twin.fault("CH-F05", item))),
        capacity=1.0 - 0.3 * low,
    )
    flow = np.maximum(chilled, at_work_kw / (physics.KWH_M3_K * 2.0 * physics.RATED_RANGE_K))
    running = physics.run(model, at_work_kw, supply_c, flow, condenser_c, condenser * np.ones(len(scene)), condition)
    return _Work(chosen, on, starts, load_kw, at_work_kw, chilled, condenser, asked_c, supply_c, running)


def _show(scene: Scene, item: Equipment, model: physics.Chiller, work: _Work, condenser_c: Array) -> None:
    on = work.on > 0.5
    turn = work.chosen
    run = work.running
    still_c = 18.0 + 0.25 * (scene.outdoor_c - 18.0)

    def settle(name: str, at_work: Array, at_rest: Array) -> Array:
        return scene.lag(f"{item.id}/{name}", np.where(turn > 0.0, at_work, at_rest), _WATER_TAU_S)

    power = work.power_kw + _STANDBY_KW
    surging = np.asarray(scene.fault("CH-F05", item)) * work.on
    shake = 1.0 + 0.16 * surging * scene.wander(f"{item.id}|surge", 6.0)
    scene.draw(item, power, _POWER_FACTOR)
    scene.put(item, "running", on)
    scene.put(item, "fault", 0.0)
    scene.put(item, "remote", 1.0)
    scene.put(item, "motor_load", 100.0 * work.power_kw / model.power_kw * shake, 0.3 * on)
    scene.put(item, "active_power", power * (1.0 + 0.5 * (shake - 1.0)), 0.001 * model.power_kw * on)
    scene.count(item, "energy_import", power)
    # Chilled and condenser water. While the compressor rests its valves are shut, and the pumps' water goes past it.
    scene.circulated[f"{item.id}/chilled_water_flow"] = turn * work.chilled_m3h
    scene.circulated[f"{item.id}/condenser_water_flow"] = turn * work.condenser_m3h
    through = turn * work.on
    range_k = work.at_work_kw / (physics.KWH_M3_K * work.chilled_m3h)
    supply_c = settle("supply", work.supply_c + 0.08 * scene.wander(f"{item.id}|supply", 240.0), still_c)
    return_c = settle("return", work.supply_c + range_k, still_c)
    drifted_k = 2.0 * np.asarray(scene.fault("CH-F10", item))
    scene.put(item, "chilled_water_supply_temperature", supply_c, 0.03)
    scene.put(item, "chilled_water_return_temperature", return_c + drifted_k, 0.03)
    scene.put(item, "chilled_water_setpoint", work.setpoint_c)
    scene.put(item, "chilled_water_flow", through * work.chilled_m3h, 0.003 * model.chilled_m3h * through)
    heated_k = (work.at_work_kw + run.power_kw) / (physics.KWH_M3_K * work.condenser_m3h)
    scene.put(item, "condenser_water_inlet_temperature", settle("inlet", condenser_c, still_c), 0.03)
    scene.put(item, "condenser_water_outlet_temperature", settle("outlet", condenser_c + heated_k, still_c), 0.03)
    scene.put(item, "condenser_water_flow", through * work.condenser_m3h, 0.003 * model.condenser_m3h * through)
    # Refrigerant and oil.
    low, gas = np.asarray(scene.fault("CH-F04", item)), np.asarray(scene.fault("CH-F03", item))
    worn = np.asarray(scene.fault("CH-F22", item))
    evaporating = settle("evaporating", run.evaporating_c, still_c)
    condensing = settle("condensing", run.condensing_c, still_c + 2.0)
    overheat_k = 6.0 + 0.3 * scene.wander(f"{item.id}|superheat", 600.0) + 9.0 * low
    scene.put(item, "evaporating_temperature", evaporating, 0.05)
    scene.put(item, "condensing_temperature", condensing, 0.05)
    hot = run.condensing_c + 6.0 + 0.5 * (run.condensing_c - run.evaporating_c) + 1.2 * (overheat_k - 6.0) + 16.0 * worn
    scene.put(item, "discharge_temperature", settle("discharge", hot, still_c + 12.0), 0.2)
    scene.put(item, "superheat", overheat_k * turn, 0.1 * turn)
    undercool_k = 5.0 + 0.2 * scene.wander(f"{item.id}|subcooling", 600.0) - 4.0 * low + 3.0 * gas
    scene.put(item, "subcooling", undercool_k * turn, 0.1 * turn)
    pressure = 215.0 + 4.0 * scene.wander(f"{item.id}|oil", 1800.0) - 60.0 * worn
    scene.put(item, "oil_pressure_difference", pressure * on, 1.0 * on)
    oil_c = settle("oil", 46.0 + 6.0 * work.at_work_kw / model.cooling_kw + 15.0 * worn, np.full(len(scene), 44.0))
    scene.put(item, "oil_temperature", oil_c, 0.2)
    # What leaks spreads in the room, whose ventilation carries it off.
    ppm = scene.lag(f"{item.id}/leak", 620.0 * np.asarray(scene.fault("CH-F24", item)) * np.ones(len(scene)), 1200.0)
    scene.put(item, "refrigerant_leak", ppm + scene.own(f"{item.id}|trace", 4.0, 12.0), 1.0)
    scene.count(item, "cooling_total", work.on * work.at_work_kw)
    scene.count(item, "run_hours", work.on)
    _count_starts(scene, item, work)


def _count_starts(scene: Scene, item: Equipment, work: _Work) -> None:
    """Count a start when its turn comes, and whenever it goes on again while the load is below its least."""
    before = scene.memory.get(f"{item.id}/turn", float(work.chosen[0]))
    scene.memory[f"{item.id}/turn"] = float(work.chosen[-1])
    began = np.diff(work.chosen, prepend=before) > 0.5
    scene.count(
        item, "starts", (began + work.starts * (work.chosen > 0.0)) * 3600.0 / np.maximum(scene.span.dt_s, 1e-6)
    )
