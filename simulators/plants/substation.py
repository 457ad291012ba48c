"""Distribution transformers with their capacitor banks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from facility.site import Equipment
from simulators.physics import capacitor, feeder, harmonics
from simulators.physics import transformer as physics
from simulators.plants.flow import ACTIVE, HARMONIC, REACTIVE, Net, active, balanced, power_factor, reactive
from simulators.scene import Array, Scene

TAP_RATIO: Final = 0.4 / 10.45
_SHORT_CIRCUIT: Final = (0.009, 0.059)  # resistance and reactance of 10 kV dry type, as shares
_NO_LOAD_CURRENT: Final = 0.006
_SQRT3: Final = float(np.sqrt(3.0))
_PHASES: Final = ("a", "b", "c")
_PAIRS: Final = ("ab", "bc", "ca")
_DETUNING, _SHORTED = 0.07, 0.03  # of the banks' reactors, sound and with most turns shorted
_DAMPING: Final = 0.15
_AIM: Final = 0.14  # tan phi that the controller leaves: a power factor of 0.99
_BLOWN: Final = 0.6  # share of the steps that lose a fuse, at full severity
_BANK_ORDERS: Final = harmonics.ORDERS[1:, None]  # the third cannot enter a delta


@dataclass(frozen=True, slots=True)
class _Bank:
    """What a capacitor bank does: steps on [-], reactive power [kvar], and what it makes of each harmonic [-]."""

    steps: Array
    kvar: Array
    onward: Array
    inward: Array


def run_transformer(scene: Scene, net: Net, item: Equipment) -> None:
    """Show a transformer and its bank, and let the incomer give what they take."""
    rated = item.rating.get("power", 1000.0)
    extra = scene.fault("EL-F03", item)
    if not isinstance(extra, float):
        kw = 0.7 * rated * extra * scene.grid.alive(item.id)
        net.flow[item.id] = net.flow[item.id] + balanced(0.9 * kw, 0.43 * kw, "lights and offices")
    flow = net.flow[item.id].copy()
    unloaded = net.hv_kv * 1000.0 * TAP_RATIO * scene.grid.alive(item.id)
    for bank_id in net.tree.children(item.id):
        bank = scene.site.equipment[bank_id]
        if bank.cls.id == "capacitor_bank":
            flow = _run_bank(scene, bank, item, flow, 0.985 * unloaded)
    net.volts[item.id] = unloaded / _SQRT3 * feeder.voltage_share(flow[ACTIVE], flow[REACTIVE], rated, *_SHORT_CIRCUIT)
    load, losses = _load_and_losses(item, flow)
    losses = losses * scene.grid.alive(item.id)
    amperes = _show(scene, net, item, flow)
    _show_windings(scene, item, amperes, losses)
    up = flow.copy()
    # A line of the delta carries two windings; the third harmonic runs round in it and does not come out.
    up[ACTIVE] = 0.5 * (flow[ACTIVE] + np.roll(flow[ACTIVE], -1, axis=0)) + losses / 3.0
    taken = physics.reactive_losses(load, rated, _NO_LOAD_CURRENT, _SHORT_CIRCUIT[1]) * scene.grid.alive(item.id)
    up[REACTIVE] = 0.5 * (flow[REACTIVE] + np.roll(flow[REACTIVE], -1, axis=0)) + taken / 3.0
    up[HARMONIC.start] = 0.0
    net.pass_up(item.id, up)


def _load_and_losses(item: Equipment, flow: Array) -> tuple[Array, Array]:
    """Return load [-] and losses [kW] of a transformer that carries a flow; harmonics count with their r.m.s."""
    rated = item.rating.get("power", 1000.0)
    fundamental = np.hypot(active(flow), reactive(flow))
    load = np.sqrt(fundamental**2 + np.sum(flow[HARMONIC] ** 2, axis=0)) / rated
    no_load_kw, load_kw = item.rating.get("no_load_loss", 0.0013 * rated), item.rating.get("load_loss", 0.0075 * rated)
    return load, physics.losses(load, no_load_kw, load_kw)


def _show(scene: Scene, net: Net, item: Equipment, flow: Array) -> Array:
    """Show what the transformer's meter measures; return its currents. [A]"""
    rated, volts = item.rating.get("power", 1000.0), net.volts[item.id]
    kw, kvar = active(flow), reactive(flow)
    kva = np.hypot(kw, kvar)
    distorted = harmonics.distortion(flow[HARMONIC], kva)
    amperes = feeder.phase_currents(flow[ACTIVE], flow[REACTIVE], volts, distorted)
    lines = feeder.line_voltages(volts)
    live = scene.grid.alive(item.id)
    noise = 1.0 if isinstance(live, float) else (live > 0.5).astype(np.float64)
    for i, pair in enumerate(_PAIRS):
        scene.put(
            item, f"voltage_{pair}", lines[i] * (1.0 + scene.own(f"{item.id}|{pair}", -0.002, 0.002)), 0.3 * noise
        )
        scene.put(item, f"current_{_PHASES[i]}", amperes[i], 0.002 * rated * noise)
    triplen = flow[HARMONIC.start] * 1000.0 / np.maximum(volts[0], 1.0)
    scene.put(item, "current_n", feeder.neutral_current(amperes, triplen), 0.5 * noise)
    scene.put(item, "active_power", kw, 0.0008 * rated * noise)
    scene.put(item, "reactive_power", kvar, 0.0008 * rated * noise)
    scene.put(item, "apparent_power", kva, 0.0008 * rated * noise)
    scene.put(item, "power_factor", power_factor(kw, kvar), 0.001 * noise)
    scene.put(item, "thd_voltage", 100.0 * bus_thd(scene, item, flow), 0.02 * noise)
    scene.put(item, "thd_current", 100.0 * distorted, 0.05 * noise)
    grid = 0.45 + 0.06 * scene.wander(f"{item.id}|unbalance", 1800.0)
    scene.put(item, "unbalance_voltage", np.hypot(grid, 100.0 * feeder.voltage_unbalance(volts)) * noise, 0.01 * noise)
    scene.count(item, "energy_import", kw)
    scene.count(item, "reactive_energy_import", np.maximum(kvar, 0.0))
    scene.put(item, "door", 0.0)
    scene.put(item, "controller_fault", 0.0)
    return amperes


def bus_thd(scene: Scene, item: Equipment, flow: Array) -> Array:
    """Return the voltage distortion at a transformer's bus: the city's and its own. [-]"""
    rated = item.rating.get("power", 1000.0)
    city = 0.012 + 0.001 * scene.wander(f"{item.id}|thd", 1800.0)
    own = harmonics.bus_distortion(flow[HARMONIC], rated, _SHORT_CIRCUIT[1], np.ones((5, 1)))
    together: Array = np.hypot(city, own) * scene.grid.alive(item.id)
    return together


def _show_windings(scene: Scene, item: Equipment, amperes: Array, losses: Array) -> None:
    model = physics.WindingModel()
    blocked = np.asarray(scene.fault("EL-F04", item))
    loose = np.asarray(scene.fault("EL-F05", item))
    rated_a = item.rating.get("power", 1000.0) / (_SQRT3 * 0.4)
    rise = physics.winding_rise(amperes.T / rated_a, model) * (1.0 + 0.9 * blocked)[..., None]
    rise[:, 1] *= 1.0 + 0.6 * loose
    alive = scene.grid.alive(item.id)
    rise = rise * np.asarray(alive)[..., None]
    # The room is ventilated: it follows the outdoors weakly and warms with the losses, more where no fan moves its air.
    warmed = 21.0 + 0.30 * (scene.outdoor_c - 15.0) + 0.35 * losses + 6.0 * blocked
    room = scene.lag(f"{item.id}/room", warmed, 5400.0)
    settled = [float(room[0] + each) for each in rise[0]]
    begin = [scene.memory.get(f"{item.id}/winding_{p}", settled[i]) for i, p in enumerate(_PHASES)]
    fans_work = np.broadcast_to((1.0 - np.minimum(blocked, 1.0)) * alive, (len(scene),))
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
    load = np.mean(amperes, axis=0) / rated_a
    core = scene.lag(f"{item.id}/core", room + (38.0 + 9.0 * load) * (1.0 + 0.5 * blocked) * alive, 7200.0)
    scene.put(item, "core_temperature", core, 0.15)
    scene.put(item, "ambient_temperature", room, 0.1)
    # The controller calls for the fans; with a failed fan supply the contactor reports that they stand.
    scene.put(item, "fan_running", fan * (fans_work > 0.5))


def _switch(
    scene: Scene, item: Equipment, above: Equipment, flow: Array, volts: Array, off: Array, stuck: Array, shorted: Array
) -> _Bank:
    """Return what a bank does: its controller `off`, its steps `stuck`, its reactors `shorted`, each as a severity."""
    steps = max(1.0, item.rating.get("steps", 10.0))
    health = scene.own(f"{item.id}|health", 0.93, 1.0)
    blown = np.asarray(scene.fault("EL-F11", item))
    left, _, _ = capacitor.blown_fuse(_BLOWN * blown)
    step_kvar = item.rating.get("reactive_power", 300.0) / steps * health * left
    missing = np.maximum(reactive(flow) - _AIM * active(flow), 0.0)
    wanted = capacitor.steps_on(missing, np.broadcast_to(step_kvar, missing.shape), steps)
    on = np.maximum(np.floor(wanted * (1.0 - off) + 1e-9), np.floor(stuck * steps + 1e-9))
    on = on * (volts > 100.0)
    kvar = on * step_kvar * (volts / 400.0) ** 2
    rated = above.rating.get("power", 1000.0)
    onward, inward = capacitor.resonance(
        _BANK_ORDERS, kvar, rated, _SHORT_CIRCUIT[1], _DETUNING + (_SHORTED - _DETUNING) * shorted, _DAMPING
    )
    return _Bank(on, kvar, onward, inward)


def _compensated(flow: Array, bank: _Bank) -> Array:
    """Return what is left of a flow for the transformer to carry."""
    left = flow.copy()
    left[REACTIVE] -= bank.kvar / 3.0
    left[HARMONIC.start + 1 : HARMONIC.stop] *= bank.onward
    return left


def _run_bank(scene: Scene, item: Equipment, above: Equipment, flow: Array, volts: Array) -> Array:
    """Show a capacitor bank and return what is left of a flow for the transformer to carry."""
    off, stuck = scene.fault("EL-F13", item), scene.fault("EL-F14", item)
    shorted = np.asarray(scene.fault("EL-F12", item))
    bank = _switch(scene, item, above, flow, volts, np.asarray(off), np.asarray(stuck), shorted)
    left = _compensated(flow, bank)
    for fault, severity in (("EL-F13", off), ("EL-F14", stuck)):
        if not isinstance(severity, float):
            others = (np.asarray(off) * (fault != "EL-F13"), np.asarray(stuck) * (fault != "EL-F14"))
            without = _compensated(flow, _switch(scene, item, above, flow, volts, *others, shorted))
            more = _load_and_losses(above, left)[1] - _load_and_losses(above, without)[1]
            scene.waste(fault, item, more * scene.grid.alive(above.id))
    _show_bank(scene, item, flow, left, bank, volts)
    scene.put(item, "thd_voltage", 100.0 * bus_thd(scene, above, left), 0.02)
    scene.put(item, "auto", np.where(np.maximum(np.asarray(off), np.asarray(stuck)) > 0.0, 0.0, 1.0))
    return left


def _show_bank(scene: Scene, item: Equipment, flow: Array, left: Array, bank: _Bank, volts: Array) -> None:
    rated = item.rating.get("reactive_power", 300.0)
    distorted = harmonics.distortion(bank.inward * flow[HARMONIC.start + 1 : HARMONIC.stop], bank.kvar)
    blown = np.asarray(scene.fault("EL-F11", item))
    power, outer, middle = capacitor.blown_fuse(_BLOWN * blown)
    # Of sound steps; a blown fuse takes current from the lines unequally.
    amperes = bank.kvar / power * 1000.0 / (_SQRT3 * np.maximum(volts, 100.0)) * np.sqrt(1.0 + distorted**2)
    for phase, share in zip(_PHASES, (outer, middle, outer), strict=True):
        own = 1.0 + scene.own(f"{item.id}|{phase}", -0.01, 0.01)
        scene.put(item, f"current_{phase}", amperes * share * own, 0.2)
    scene.put(item, "steps_on", bank.steps)
    scene.put(item, "reactive_power", bank.kvar, 0.2)
    scene.put(item, "voltage", volts, 0.3)
    scene.put(item, "power_factor", power_factor(active(left), reactive(left)), 0.001)
    # Harmonic currents heat the capacitors more than their size says.
    heat = bank.kvar / rated * (1.0 + 4.0 * distorted**2)
    warm = 22.0 + 0.3 * (scene.outdoor_c - 15.0) + 13.0 * heat
    scene.put(item, "temperature", scene.lag(f"{item.id}/case", warm, 2400.0), 0.1)
    scene.put(item, "thd_current", 100.0 * distorted, 0.05)
    scene.put(item, "fault", 0.0)
