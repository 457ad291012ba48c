"""The power room: loads summed up from departments and machines, through feeders and transformers, to 10 kV."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from facility.site import Equipment
from simulators.physics import transformer as physics
from simulators.scene import Array, Scene
from simulators.supply import Tree

BOARDS: Final = frozenset(
    {"hv_incomer", "dry_type_transformer", "lv_feeder", "electricity_meter", "ups", "transfer_switch"}
)
_TAP_RATIO: Final = 0.4 / 10.45
_SHORT_CIRCUIT: Final = (0.009, 0.059)  # resistance and reactance of 10 kV dry type, as shares
_NO_LOAD_CURRENT: Final = 0.006
_DEMAND_WINDOW_US: Final = 15 * 60 * 1_000_000
_SQRT3: Final = float(np.sqrt(3.0))
_PHASES: Final = ("a", "b", "c")


def run(scene: Scene) -> None:
    """Work out the flow of power, from the leaves up."""
    tree = scene.tree(BOARDS)
    active = {name: scene.zeros() for name in tree.order}
    reactive = {name: scene.zeros() for name in tree.order}
    for department, holders in tree.share.items():
        demand = scene.demand[department]
        for holder in holders:
            active[holder] = active[holder] + demand.power_kw / len(holders)
            reactive[holder] = reactive[holder] + demand.reactive_kvar / len(holders)
    for name, (kw, kvar) in scene.power.items():
        if name in tree.parent:
            active[tree.parent[name]] = active[tree.parent[name]] + kw
            reactive[tree.parent[name]] = reactive[tree.parent[name]] + kvar
    day = np.sin((scene.span.hour - 9.0) * np.pi / 12.0)
    hv_kv = 10.12 + 0.07 * scene.wander("grid|voltage", 3 * 3600.0) - 0.06 * day
    frequency = 50.0 + 0.018 * scene.wander("grid|frequency", 60.0)
    for name in tree.order:
        item = scene.site.equipment[name]
        losses = np.zeros(1)
        if item.cls.id == "dry_type_transformer":
            losses = _run_transformer(scene, tree, item, active, reactive, hv_kv)
        elif item.cls.id == "hv_incomer":
            _show_incomer(scene, item, active[name], reactive[name], hv_kv, frequency)
        else:
            _show_board(scene, item, active[name], reactive[name], hv_kv, frequency)
        above = tree.parent.get(name)
        if above is not None:
            active[above] = active[above] + active[name] + losses
            reactive[above] = reactive[above] + reactive[name]


def _power_factor(kw: Array, kvar: Array) -> Array:
    return kw / np.maximum(np.hypot(kw, kvar), 1e-6)


def _unbalance(scene: Scene, item: Equipment, spread: float) -> list[Array]:
    """Return three factors about 1 by which the phases of a board differ; they keep their mean."""
    own = [scene.own(f"{item.id}|{phase}", -spread, spread) for phase in _PHASES]
    live = [own[i] + 0.25 * spread * scene.wander(f"{item.id}|{p}", 900.0) for i, p in enumerate(_PHASES)]
    mean = (live[0] + live[1] + live[2]) / 3.0
    return [1.0 + each - mean for each in live]


def _neutral(currents: list[Array], triplen: float) -> Array:
    """Return the neutral current: what the phases do not cancel, and the third harmonics, which add up. [A]"""
    a, b, c = currents
    fundamental = np.sqrt(np.maximum(a**2 + b**2 + c**2 - a * b - b * c - c * a, 0.0))
    return np.hypot(fundamental, triplen * (a + b + c))


def _demand(scene: Scene, item: Equipment, kw: Array) -> Array:
    """Return the mean power of the last 15 minutes (with what was seen of them so far). [kW]"""
    name = f"{item.id}/demand"
    # A first-order mean with the window's centre of gravity: within 2 % of the sliding mean for a building's load.
    return scene.lag(name, kw, _DEMAND_WINDOW_US / 2e6)


def _run_transformer(
    scene: Scene,
    tree: Tree,
    item: Equipment,
    active: dict[str, Array],
    reactive: dict[str, Array],
    hv_kv: Array,
) -> Array:
    """Show a transformer and its capacitor bank; return its losses [kW] and leave its reactive power in `reactive`."""
    rated = item.rating.get("power", 1000.0)
    active[item.id] = active[item.id] + 0.7 * rated * np.asarray(scene.fault("EL-F03", item)) * 0.9
    reactive[item.id] = reactive[item.id] + 0.7 * rated * np.asarray(scene.fault("EL-F03", item)) * 0.43
    kw = active[item.id]
    for bank_id in tree.children(item.id):
        bank = scene.site.equipment[bank_id]
        if bank.cls.id == "capacitor_bank":
            reactive[item.id] = reactive[item.id] - _run_bank(scene, bank, kw, reactive[item.id], hv_kv)
    kvar = reactive[item.id]
    kva = np.hypot(kw, kvar)
    load = kva / rated
    share = np.maximum(kw, 1e-6) / np.maximum(kva, 1e-6)
    volts = hv_kv * 1000.0 * _TAP_RATIO * (1.0 - physics.voltage_drop(load, share, *_SHORT_CIRCUIT))
    phases = _unbalance(scene, item, 0.025)
    amperes = [kva * 1000.0 / (_SQRT3 * volts) * factor for factor in phases]
    no_load_kw, load_kw = item.rating.get("no_load_loss", 0.0013 * rated), item.rating.get("load_loss", 0.0075 * rated)
    losses = physics.losses(load, no_load_kw, load_kw)
    _show_windings(scene, item, load, losses, phases)
    for i, pair in enumerate(("ab", "bc", "ca")):
        scene.put(item, f"voltage_{pair}", volts * (1.0 + scene.own(f"{item.id}|{pair}", -0.002, 0.002)), 0.3)
        scene.put(item, f"current_{_PHASES[i]}", amperes[i], 0.002 * rated)
    scene.put(item, "current_n", _neutral(amperes, 0.02), 0.5)
    scene.put(item, "active_power", kw, 0.0008 * rated)
    scene.put(item, "reactive_power", kvar, 0.0008 * rated)
    scene.put(item, "apparent_power", kva, 0.0008 * rated)
    scene.put(item, "power_factor", share, 0.001)
    scene.put(item, "thd_voltage", 2.0 + 0.6 * load + 0.15 * scene.wander(f"{item.id}|thd", 1800.0), 0.02)
    scene.put(item, "thd_current", 8.0 + 3.0 * (1.0 - load) + 0.5 * scene.wander(f"{item.id}|thdi", 1800.0), 0.05)
    scene.put(item, "unbalance_voltage", 0.5 + 0.08 * scene.wander(f"{item.id}|unbalance", 1800.0), 0.01)
    scene.count(item, "energy_import", kw)
    scene.count(item, "reactive_energy_import", np.maximum(kvar, 0.0))
    scene.put(item, "door", 0.0)
    scene.put(item, "controller_fault", 0.0)
    reactive[item.id] = kvar + physics.reactive_losses(load, rated, _NO_LOAD_CURRENT, _SHORT_CIRCUIT[1])
    return losses


def _show_windings(scene: Scene, item: Equipment, load: Array, losses: Array, phases: list[Array]) -> None:
    model = physics.WindingModel()
    blocked = np.asarray(scene.fault("EL-F04", item))
    loose = np.asarray(scene.fault("EL-F05", item))
    rise = (
        np.stack([physics.winding_rise(load * factor, model) for factor in phases], axis=1)
        * (1.0 + 0.9 * blocked)[..., None]
    )
    rise[:, 1] *= 1.0 + 0.6 * loose
    # The room is ventilated: it follows the outdoors weakly and warms with the losses.
    room = scene.lag(f"{item.id}/room", 21.0 + 0.30 * (scene.outdoor_c - 15.0) + 0.35 * losses, 5400.0)
    room = room + 6.0 * blocked
    settled = [float(room[0] + each) for each in rise[0]]
    begin = [scene.memory.get(f"{item.id}/winding_{p}", settled[i]) for i, p in enumerate(_PHASES)]
    fans_work = np.broadcast_to(1.0 - np.minimum(blocked, 1.0), (len(scene),))
    windings, fan = physics.winding_temperatures(
        rise,
        room,
        scene.span.dt_s,
        fans_work,
        (begin[0], begin[1], begin[2]),
        scene.memory.get(f"{item.id}/fan", 0.0) > 0.5,
        model,
    )
    scene.memory[f"{item.id}/fan"] = float(fan[-1])
    for i, phase in enumerate(_PHASES):
        scene.memory[f"{item.id}/winding_{phase}"] = float(windings[-1, i])
        scene.put(item, f"winding_temperature_{phase}", windings[:, i], 0.15)
    core = scene.lag(f"{item.id}/core", room + (38.0 + 9.0 * load) * (1.0 + 0.5 * blocked), 7200.0)
    scene.put(item, "core_temperature", core, 0.15)
    scene.put(item, "ambient_temperature", room, 0.1)
    # The controller calls for the fans; with a failed fan supply the contactor reports that they stand.
    scene.put(item, "fan_running", fan * (fans_work > 0.5))


def _run_bank(scene: Scene, item: Equipment, kw: Array, kvar: Array, hv_kv: Array) -> Array:
    """Switch the steps of a capacitor bank and return what it gives. [kvar]"""
    steps = max(1.0, item.rating.get("steps", 10.0))
    rated = item.rating.get("reactive_power", 300.0)
    # The controller aims at 0.99 and switches by whole steps; a step more than needed is never taken.
    missing = np.maximum(kvar - 0.14 * kw, 0.0)
    wanted = np.clip(np.floor(missing / (rated / steps)), 0.0, steps)
    off = scene.fault("EL-F13", item)
    on = np.floor(wanted * (1.0 - np.asarray(off)) + 1e-9)
    volts = hv_kv * 1000.0 * _TAP_RATIO * 0.985
    health = scene.own(f"{item.id}|health", 0.93, 1.0)
    given = on * rated / steps * health * (volts / 400.0) ** 2
    if not isinstance(off, float):
        scene.waste("EL-F13", item, wanted * rated / steps * health * (volts / 400.0) ** 2 - given)
    amperes = given * 1000.0 / (_SQRT3 * volts)
    scene.put(item, "steps_on", on)
    for phase in _PHASES:
        scene.put(item, f"current_{phase}", amperes * (1.0 + scene.own(f"{item.id}|{phase}", -0.01, 0.01)), 0.2)
    scene.put(item, "reactive_power", given, 0.2)
    scene.put(item, "voltage", volts, 0.3)
    scene.put(item, "power_factor", _power_factor(kw, kvar - given), 0.001)
    warm = 22.0 + 0.3 * (scene.outdoor_c - 15.0) + 13.0 * given / rated
    scene.put(item, "temperature", scene.lag(f"{item.id}/case", warm, 2400.0), 0.1)
    scene.put(item, "thd_voltage", 2.1 + 0.15 * scene.wander(f"{item.id}|thd", 1800.0), 0.02)
    scene.put(item, "thd_current", 9.0 + 0.5 * scene.wander(f"{item.id}|thdi", 1800.0), 0.05)
    scene.put(item, "auto", np.where(np.asarray(off) > 0.0, 0.0, 1.0))
    scene.put(item, "fault", 0.0)
    return given


def _show_board(scene: Scene, item: Equipment, kw: Array, kvar: Array, hv_kv: Array, frequency: Array) -> None:
    """Show an LV feeder or an electricity meter."""
    kva = np.hypot(kw, kvar)
    volts = hv_kv * 1000.0 * _TAP_RATIO * 0.978 / _SQRT3
    phases = _unbalance(scene, item, 0.05)
    amperes = [kva * 1000.0 / (3.0 * volts) * factor for factor in phases]
    rated_a = item.rating.get("current", 400.0)
    for i, phase in enumerate(_PHASES):
        scene.put(item, f"voltage_{phase}", volts * (1.0 + scene.own(f"{item.id}|u{phase}", -0.004, 0.004)), 0.2)
        scene.put(item, f"current_{phase}", amperes[i], 0.001 * rated_a)
    scene.put(item, "current_n", _neutral(amperes, 0.03), 0.001 * rated_a)
    scene.put(item, "active_power", kw, 0.0005 * rated_a)
    scene.put(item, "reactive_power", kvar, 0.0005 * rated_a)
    scene.put(item, "power_factor", _power_factor(kw, kvar), 0.001)
    scene.put(item, "frequency", frequency, 0.003)
    scene.put(item, "demand", _demand(scene, item, kw))
    scene.put(item, "thd_current", 11.0 + 1.5 * scene.wander(f"{item.id}|thdi", 1800.0), 0.05)
    scene.count(item, "energy_import", kw)
    scene.count(item, "reactive_energy_import", np.maximum(kvar, 0.0))
    scene.count(item, "energy_export", 0.0)
    scene.count(item, "reactive_energy_export", np.maximum(-kvar, 0.0))
    leakage = scene.own(f"{item.id}|leakage", 40.0, 140.0) * (1.0 + 0.06 * scene.wander(f"{item.id}|leakage", 3600.0))
    scene.put(item, "residual_current", leakage, 1.5)
    _show_joints(scene, item, amperes, rated_a)
    scene.put(item, "breaker_closed", 1.0)
    scene.put(item, "breaker_trip", 0.0)


def _show_joints(scene: Scene, item: Equipment, amperes: list[Array], rated_a: float) -> None:
    """Joints warm with the square of the current and with their contact resistance."""
    room = 21.0 + 0.30 * (scene.outdoor_c - 15.0)
    loose = np.asarray(scene.fault("EL-F06", item))
    for i, phase in enumerate(_PHASES):
        resistance = scene.own(f"{item.id}|joint{phase}", 0.85, 1.15) * (1.0 + 10.0 * loose if phase == "a" else 1.0)
        target = room + 4.0 + 24.0 * resistance * (amperes[i] / rated_a) ** 2
        scene.put(item, f"joint_temperature_{phase}", scene.lag(f"{item.id}/joint_{phase}", target, 1200.0), 0.15)
    hottest = np.max(np.stack(amperes), axis=0)
    cable = room + 2.0 + 28.0 * (hottest / rated_a) ** 2
    scene.put(item, "cable_temperature", scene.lag(f"{item.id}/cable", cable, 2400.0), 0.15)


def _show_incomer(scene: Scene, item: Equipment, kw: Array, kvar: Array, hv_kv: Array, frequency: Array) -> None:
    phases = _unbalance(scene, item, 0.015)
    amperes = np.hypot(kw, kvar) / (_SQRT3 * hv_kv)
    for i, pair in enumerate(("ab", "bc", "ca")):
        scene.put(item, f"voltage_{pair}", hv_kv * (1.0 + scene.own(f"{item.id}|{pair}", -0.002, 0.002)), 0.004)
        scene.put(item, f"current_{_PHASES[i]}", amperes * phases[i], 0.1)
    scene.put(item, "active_power", kw, 1.0)
    scene.put(item, "reactive_power", kvar, 1.0)
    scene.put(item, "power_factor", _power_factor(kw, kvar), 0.001)
    scene.put(item, "frequency", frequency, 0.002)
    scene.put(item, "thd_voltage", 1.5 + 0.15 * scene.wander(f"{item.id}|thd", 1800.0), 0.02)
    scene.put(item, "thd_current", 6.0 + 0.5 * scene.wander(f"{item.id}|thdi", 1800.0), 0.05)
    scene.put(item, "unbalance_voltage", 0.4 + 0.06 * scene.wander(f"{item.id}|unbalance", 1800.0), 0.01)
    demand = _demand(scene, item, kw)
    scene.put(item, "demand", demand)
    scene.put(item, "max_demand", _highest_of_month(scene, item, demand))
    scene.count(item, "energy_import", kw)
    scene.count(item, "energy_export", 0.0)
    scene.count(item, "reactive_energy_import", np.maximum(kvar, 0.0))
    scene.count(item, "reactive_energy_export", np.maximum(-kvar, 0.0))
    healthy = {
        "breaker_closed": 1.0,
        "breaker_trip": 0.0,
        "spring_charged": 1.0,
        "protection": 0.0,
        "voltage_present": 1.0,
    }
    for point, state in healthy.items():
        scene.put(item, point, state)
    scene.put(item, "control_voltage", 224.0 + 0.8 * scene.wander(f"{item.id}|dc", 3600.0), 0.1)


def _highest_of_month(scene: Scene, item: Equipment, demand: Array) -> Array:
    """Return the highest demand since the month began. [kW]"""
    highest = np.empty_like(demand)
    months: NDArray[np.int64] = scene.span.month
    for month in np.unique(months):
        mine = months == month
        highest[mine] = np.maximum.accumulate(demand[mine])
        if scene.memory.get(f"{item.id}/month") == float(month):
            highest[mine] = np.maximum(highest[mine], scene.memory[f"{item.id}/max_demand"])
    scene.memory[f"{item.id}/month"] = float(months[-1])
    scene.memory[f"{item.id}/max_demand"] = float(highest[-1])
    return highest
