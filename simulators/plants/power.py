"""The power room: loads summed up from departments and machines, through feeders and transformers, to 10 kV."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facility.site import Department, Equipment
from simulators.physics import battery, feeder, harmonics
from simulators.plants.departments import profile_of
from simulators.plants.flow import (
    ACTIVE,
    HARMONIC,
    REACTIVE,
    Net,
    active,
    balanced,
    current_distortion,
    empty,
    power_factor,
    reactive,
    tilt,
)
from simulators.plants.substation import run_transformer
from simulators.plants.voltage import BOARDS, minutes_at_full, rated_kw, second_source
from simulators.rhythm import SCHEDULES, shift
from simulators.scene import Array, Scene

_SQRT3: Final = float(np.sqrt(3.0))
_PHASES: Final = ("a", "b", "c")
_DEMAND_WINDOW_S: Final = 15 * 60.0
_CITY_KVA: Final = 150_000.0  # short-circuit power where the city feeds in
_CABLE: Final = (0.014, 0.006)  # voltage drop of a feeder at its rated current: resistance and reactance, as shares
_TILT: Final = 0.055  # how unequally a department loads the phases
_SINGLE_PHASE_TILT: Final = 0.45  # of that, what hangs between one phase and the neutral
_CHARGING: Final = 0.85  # efficiency of charging a battery
_SET_VOLTS: Final = 400.0 / _SQRT3
_INVERTER_VOLTS: Final = 380.0 / _SQRT3
# What is switched over to phase A, and non-linear load that is added, at full severity.
_SHIFTED: Final = np.array([[0.45], [-0.225], [-0.225]])
_NON_LINEAR: Final = np.array([[0.45], [0.20], [0.10], [0.05], [0.03]])
_NIGHT_LOAD: Final = 0.10  # of a board's rated power
_DEFAULT_AREA_M2: Final = 800.0
# The first word that stands in a department's id says what its loads send out.
_KINDS: Final = {
    "imaging": "imaging", "laboratory": "laboratories", "kitchen": "kitchens and laundries",
    "laundry": "kitchens and laundries", "sterile": "kitchens and laundries", "ward": "wards", "icu": "wards",
    "air-conditioning": "motors and drives",
}  # fmt: skip


def run(scene: Scene) -> None:
    """Work out the flow of power, from the leaves up, and the voltages, from the top down."""
    day = np.sin((scene.span.hour - 9.0) * np.pi / 12.0)
    hv_kv = 10.12 + 0.07 * scene.wander("grid|voltage", 3 * 3600.0) - 0.06 * day
    frequency = 50.0 + 0.018 * scene.wander("grid|frequency", 60.0)
    tree = scene.tree(BOARDS)
    net = Net(tree, scene.grid, hv_kv, frequency, {name: empty(len(scene)) for name in tree.order})
    _find_lost_phases(scene, net)
    _add_departments(scene, net)
    _add_machines(scene, net)
    for name in tree.order:
        item = scene.site.equipment[name]
        match item.cls.id:
            case "dry_type_transformer":
                run_transformer(scene, net, item)
            case "hv_incomer":
                _show_incomer(scene, net, item)
            case "transfer_switch":
                _split(scene, net, item)
            case "ups":
                _feed_ups(scene, net, item)
            case _:
                _disturb(scene, net, item)
                net.pass_up(name, net.flow[name])
    for name in reversed(tree.order):
        item = scene.site.equipment[name]
        if item.cls.id in ("lv_feeder", "electricity_meter"):
            _show_board(scene, net, item)
        elif item.cls.id == "transfer_switch":
            net.volts[name] = _switched_volts(scene, net, item)
        elif item.cls.id == "ups":
            net.volts[name] = np.broadcast_to(_INVERTER_VOLTS * scene.grid.alive(name), (3, len(scene)))


def _find_lost_phases(scene: Scene, net: Net) -> None:
    for name in reversed(net.tree.order):
        above = net.tree.parent.get(name)
        if above is not None and above in net.phases:
            net.phases[name] = net.phases[above]
        lost = scene.fault("EL-F07", scene.site.equipment[name])
        if not isinstance(lost, float):
            left = np.array(np.broadcast_to(net.phases.get(name, 1.0), (3, len(scene))))
            left[2] *= 1.0 - lost
            net.phases[name] = left


def _add_departments(scene: Scene, net: Net) -> None:
    for department, holders in net.tree.share.items():
        demand = scene.demand[department]
        kind = next((k for word, k in _KINDS.items() if word in department), "lights and offices")
        strength = 1.0 + 0.06 * scene.wander(f"{department}|harmonics", 1800.0)
        flow = balanced(demand.power_kw / len(holders), demand.reactive_kvar / len(holders), kind, strength)
        angle = scene.own(f"{department}|phase", 0.0, 2.0 * np.pi) + 0.3 * scene.wander(f"{department}|phases", 900.0)
        # Motors load the phases alike.
        flow = tilt(flow, 0.2 * _TILT if kind == "motors and drives" else _TILT, angle)
        for holder in holders:
            net.add(holder, flow)


def _add_machines(scene: Scene, net: Net) -> None:
    drawn: dict[str, tuple[Array, Array]] = {}
    for name, (kw, kvar) in scene.power.items():
        board = net.tree.parent.get(name)
        if board is not None:
            before = drawn.get(board, (0.0, 0.0))
            drawn[board] = (before[0] + kw, before[1] + kvar)
    for board, (kw, kvar) in drawn.items():
        net.add(board, balanced(kw, kvar, "motors and drives"))


def _split(scene: Scene, net: Net, item: Equipment) -> None:
    """Let a transfer switch take what it gives from the source on which it stands."""
    flow = net.flow[item.id]
    scene.grid.load[item.id] = (active(flow), reactive(flow))
    second, source = scene.grid.second.get(item.id), second_source(scene, item)
    if second is None or source is None:
        net.pass_up(item.id, flow)
        return
    from_second = flow * (second / np.maximum(scene.grid.alive(item.id), 1e-9))
    net.pass_up(item.id, flow - from_second)
    if source in net.flow:
        net.flow[source] = net.flow[source] + from_second
    else:
        kw, kvar = scene.grid.load.get(source, (scene.zeros(), scene.zeros()))
        scene.grid.load[source] = (kw + active(from_second), kvar + reactive(from_second))


def _feed_ups(scene: Scene, net: Net, item: Equipment) -> None:
    """Let an uninterruptible supply take what it gives, its losses, and what its battery charges."""
    grid, flow = scene.grid, net.flow[item.id]
    kw = active(flow)
    grid.load[item.id] = (kw, reactive(flow))
    losses = battery.ups_losses(kw, rated_kw(item)) * grid.alive(item.id)
    stored_kwh = rated_kw(item) * minutes_at_full(scene, item) / 60.0
    charging = grid.filled.get(item.id, 0.0) * stored_kwh / _CHARGING * 3600.0 / np.maximum(scene.span.dt_s, 1e-6)
    above = net.tree.parent.get(item.id)
    taken = (kw + losses) * (grid.alive(above) if above is not None else 1.0) + charging
    net.pass_up(item.id, balanced(taken, 0.14 * taken, "rectifiers with filter"))


def _disturb(scene: Scene, net: Net, item: Equipment) -> None:
    """Change what a board gives by what is wrong behind it."""
    extra = scene.zeros()
    left_on, no_holiday = scene.fault("EL-F16", item), scene.fault("EL-F17", item)
    if not isinstance(left_on, float):
        closed = 1.0 - np.where(scene.span.workday, shift(scene.span.hour, 7.0, 19.0), 0.0)
        more = left_on * closed * _NIGHT_LOAD * _rated_kva(item) * scene.grid.alive(item.id)
        scene.waste("EL-F16", item, more)
        extra = extra + more
    if not isinstance(no_holiday, float):
        more = no_holiday * _day_off_saving(scene, net, item) * scene.grid.alive(item.id)
        scene.waste("EL-F17", item, more)
        extra = extra + more
    if extra.any():
        net.flow[item.id] = net.flow[item.id] + balanced(extra, 0.5 * extra, "lights and offices")
    shifted, distorted = scene.fault("EL-F09", item), scene.fault("EL-F10", item)
    if not isinstance(shifted, float):
        flow = net.flow[item.id].copy()
        flow[ACTIVE] += shifted * _SHIFTED * active(flow) / 3.0
        flow[REACTIVE] += shifted * _SHIFTED * reactive(flow) / 3.0
        net.flow[item.id] = flow
    if not isinstance(distorted, float):
        flow = net.flow[item.id].copy()
        flow[HARMONIC] += distorted * _NON_LINEAR * np.hypot(active(flow), reactive(flow))
        net.flow[item.id] = flow


def _rated_kva(item: Equipment) -> float:
    return _SQRT3 * 0.4 * item.rating.get("current", 400.0)


def _day_off_saving(scene: Scene, net: Net, item: Equipment) -> Array:
    """Return how much less the departments of a board draw on a day off than on a workday. [kW]"""
    worked = replace(scene.span, workday=np.ones(len(scene), dtype=np.bool_))
    saving = scene.zeros()
    for department, holders in net.tree.share.items():
        if item.id in holders:
            place: Department = scene.site.departments[department]
            profile, area = profile_of(place), place.floor_area_m2.on(scene.today) or _DEFAULT_AREA_M2
            schedule, (rest, peak) = SCHEDULES[profile.schedule], profile.power
            busier = schedule.activity(worked) - schedule.activity(scene.span)
            saving = saving + area / 1000.0 * (peak - rest) * busier / len(holders)
    return saving


def _switched_volts(scene: Scene, net: Net, item: Equipment) -> Array:
    above, source = net.tree.parent.get(item.id), second_source(scene, item)
    volts = np.broadcast_to(net.volts[above] if above is not None else 0.0, (3, len(scene)))
    second = scene.grid.second.get(item.id)
    if second is not None and source is not None:
        volts = np.where(second > 0.5, net.volts.get(source, np.full((3, 1), _SET_VOLTS)), volts)
    return volts * (np.asarray(scene.grid.alive(item.id)) > 0.5)


def _demand(scene: Scene, item: Equipment, kw: Array) -> Array:
    """Return the mean power of the last 15 minutes (with what was seen of them so far). [kW]"""
    # A first-order mean with the window's centre of gravity: within 2 % of the sliding mean for a building's load.
    return scene.lag(f"{item.id}/demand", kw, _DEMAND_WINDOW_S / 2.0)


def _board_volts(scene: Scene, net: Net, item: Equipment) -> tuple[Array, Array]:
    """Return the voltages to neutral behind a board's cable, as its load feels them and as they are. [V]"""
    above = net.tree.parent.get(item.id)
    flow = net.flow[item.id]
    volts = net.volts[above] if above is not None else np.full((3, len(scene)), _SET_VOLTS)
    volts = volts * feeder.voltage_share(flow[ACTIVE], flow[REACTIVE], _rated_kva(item), *_CABLE)
    felt = volts
    if item.id in net.phases and net.phases.get(above or "") is not net.phases[item.id]:
        # Motors that still turn feed a little back into the dead phase.
        volts = volts * (0.1 + 0.9 * net.phases[item.id])
    broken = scene.fault("EL-F08", item)
    if not isinstance(broken, float):
        lightest = scene.own(f"{item.id}|lightest", -0.3, 0.3) + np.arange(3) * 2.0 * np.pi / 3.0
        conductance = 1.0 - _SINGLE_PHASE_TILT * np.cos(lightest)
        left = np.sum(conductance) * (1.0 - broken) / np.maximum(broken, 1e-3)
        volts = np.where(broken > 0.0, feeder.floating_star(volts, conductance, left), volts)
    there = np.asarray(scene.grid.alive(item.id)) > 0.5
    return felt * there, volts * there


def _show_board(scene: Scene, net: Net, item: Equipment) -> None:
    """Show an LV feeder or an electricity meter."""
    flow = net.flow[item.id]
    felt, volts = _board_volts(scene, net, item)
    net.volts[item.id] = volts
    distorted = current_distortion(flow)
    amperes = feeder.phase_currents(flow[ACTIVE], flow[REACTIVE], felt, distorted)
    rated_a = item.rating.get("current", 400.0)
    live = scene.grid.alive(item.id)
    noise = 1.0 if isinstance(live, float) else (live > 0.5).astype(np.float64)
    for i, phase in enumerate(_PHASES):
        own = 1.0 + scene.own(f"{item.id}|u{phase}", -0.004, 0.004)
        scene.put(item, f"voltage_{phase}", volts[i] * own, 0.2 * noise)
        scene.put(item, f"current_{phase}", amperes[i], 0.001 * rated_a * noise)
    triplen = flow[HARMONIC.start] * 1000.0 / np.maximum(felt[0], 100.0)
    scene.put(item, "current_n", feeder.neutral_current(amperes, triplen), 0.001 * rated_a * noise)
    kw, kvar, factor = _metered(scene, item, flow)
    scene.put(item, "active_power", kw, 0.0005 * rated_a * noise)
    scene.put(item, "reactive_power", kvar, 0.0005 * rated_a * noise)
    scene.put(item, "power_factor", factor, 0.001 * noise)
    scene.put(item, "frequency", net.frequency, 0.003)
    scene.put(item, "demand", _demand(scene, item, kw))
    scene.put(item, "thd_current", 100.0 * distorted, 0.05 * noise)
    scene.count(item, "energy_import", np.maximum(kw, 0.0))
    scene.count(item, "reactive_energy_import", np.maximum(kvar, 0.0))
    scene.count(item, "energy_export", np.maximum(-kw, 0.0))
    scene.count(item, "reactive_energy_export", np.maximum(-kvar, 0.0))
    if item.cls.id == "lv_feeder":
        _show_breaker(scene, item, amperes, rated_a)


def _metered(scene: Scene, item: Equipment, flow: Array) -> tuple[Array, Array, Array]:
    """Return what a meter makes of a flow: real power [kW], reactive power [kvar], power factor [-]."""
    kw, kvar = active(flow), reactive(flow)
    factor = power_factor(kw, kvar)
    reversed_ct = scene.fault("EL-F19", item)
    if not isinstance(reversed_ct, float):
        # The current of phase A is measured backwards: its power is taken off instead of added.
        backwards = 2.0 * (reversed_ct > 0.0)
        kva = np.sum(np.hypot(flow[ACTIVE], flow[REACTIVE]), axis=0)
        kw, kvar = kw - backwards * flow[ACTIVE.start], kvar - backwards * flow[REACTIVE.start]
        factor = np.where(kva > 1e-3, kw / np.maximum(kva, 1e-3), 1.0)
    return kw, kvar, factor


def _show_breaker(scene: Scene, item: Equipment, amperes: Array, rated_a: float) -> None:
    leakage = scene.own(f"{item.id}|leakage", 40.0, 140.0) * (1.0 + 0.06 * scene.wander(f"{item.id}|leakage", 3600.0))
    # Damp gets into a cable whose insulation is going.
    decline = np.asarray(scene.fault("EL-F20", item)) * 450.0 * (0.6 + 0.6 * scene.humidity / 100.0)
    scene.put(item, "residual_current", (leakage + decline) * scene.grid.alive(item.id), 1.5)
    _show_joints(scene, item, amperes, rated_a)
    tripped = np.asarray(scene.fault("EL-F24", item)) > 0.0
    scene.put(item, "breaker_closed", np.where(tripped, 0.0, 1.0))
    scene.put(item, "breaker_trip", np.where(tripped, 1.0, 0.0))


def _show_joints(scene: Scene, item: Equipment, amperes: Array, rated_a: float) -> None:
    """Joints warm with the square of the current and with their contact resistance."""
    room = 21.0 + 0.30 * (scene.outdoor_c - 15.0)
    loose = np.asarray(scene.fault("EL-F06", item))
    for i, phase in enumerate(_PHASES):
        resistance = scene.own(f"{item.id}|joint{phase}", 0.85, 1.15) * (1.0 + 10.0 * loose if phase == "a" else 1.0)
        target = room + 4.0 + 24.0 * resistance * (amperes[i] / rated_a) ** 2
        scene.put(item, f"joint_temperature_{phase}", scene.lag(f"{item.id}/joint_{phase}", target, 1200.0), 0.15)
    cable = room + 2.0 + 28.0 * (np.max(amperes, axis=0) / rated_a) ** 2
    scene.put(item, "cable_temperature", scene.lag(f"{item.id}/cable", cable, 2400.0), 0.15)


def _show_incomer(scene: Scene, net: Net, item: Equipment) -> None:
    flow, alive = net.flow[item.id], scene.grid.alive(item.id)
    kw, kvar = active(flow), reactive(flow)
    there = np.asarray(alive) > 0.5
    volts = net.hv_kv * there
    amperes = np.hypot(flow[ACTIVE], flow[REACTIVE]) * _SQRT3 / net.hv_kv
    for i, pair in enumerate(("ab", "bc", "ca")):
        scene.put(item, f"voltage_{pair}", volts * (1.0 + scene.own(f"{item.id}|{pair}", -0.002, 0.002)), 0.004 * there)
        scene.put(item, f"current_{_PHASES[i]}", amperes[i], 0.1 * there)
    scene.put(item, "active_power", kw, 1.0 * there)
    scene.put(item, "reactive_power", kvar, 1.0 * there)
    scene.put(item, "power_factor", power_factor(kw, kvar), 0.001 * there)
    scene.put(item, "frequency", net.frequency, 0.002)
    city = 1.5 + 0.12 * scene.wander(f"{item.id}|thd", 1800.0)
    own = 100.0 * harmonics.bus_distortion(flow[HARMONIC], _CITY_KVA, 1.0, np.ones((5, 1)))
    scene.put(item, "thd_voltage", np.hypot(city, own) * there, 0.02)
    scene.put(item, "thd_current", 100.0 * current_distortion(flow), 0.05)
    scene.put(item, "unbalance_voltage", (0.4 + 0.06 * scene.wander(f"{item.id}|unbalance", 1800.0)) * there, 0.01)
    demand = _demand(scene, item, kw)
    scene.put(item, "demand", demand)
    scene.put(item, "max_demand", _highest_of_month(scene, item, demand))
    scene.count(item, "energy_import", kw)
    scene.count(item, "energy_export", 0.0)
    scene.count(item, "reactive_energy_import", np.maximum(kvar, 0.0))
    scene.count(item, "reactive_energy_export", np.maximum(-kvar, 0.0))
    healthy = {"breaker_closed": 1.0, "breaker_trip": 0.0, "spring_charged": 1.0, "protection": 0.0}
    for point, state in healthy.items():
        scene.put(item, point, state)
    scene.put(item, "voltage_present", there)
    # Without its charger the panel's battery falls from float to rest and then slowly further.
    float_v = 224.0 + 0.8 * scene.wander(f"{item.id}|dc", 3600.0)
    on_battery = scene.lag(f"{item.id}/dc", 1.0 - np.asarray(alive) + scene.zeros(), 1800.0)
    scene.put(item, "control_voltage", float_v - 13.0 * on_battery, 0.1)


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
