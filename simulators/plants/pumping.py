"""
Pump groups: pumps of one kind and size in one room, in parallel behind check valves, with drives and a standby.

A group is asked for a flow and gives it against its system's head; the staging says how many run, the week which ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facility.site import Equipment
from simulators.physics import motor
from simulators.physics import pump as physics
from simulators.plants import booster, pump_signs
from simulators.plants.pump_signs import Running
from simulators.plants.staging import staged
from simulators.scene import Array, Scene

_POWER_FACTOR: Final = 0.88
_BOOST_KPA: Final = 400.0

# What a pump's own `fed_by` names tells its work: water that carries heat or cold (and where its flow stands), or the
# towers' water.
_HYDRONIC: Final = {
    "chiller": "chilled_water_flow",
    "heat_exchanger": "secondary_flow",
    "gas_hot_water_boiler": "water_flow",
}
_CONDENSER: Final = frozenset({"cooling_tower"})
_SUPPLY: Final = frozenset({"water_meter", "booster_set", "water_tank"})
_SUCTION_KPA: Final = {"circulation": 150.0, "hydronic": 150.0, "condenser": 60.0, "booster": 190.0}
_LEAST_FLOW: Final = 0.3  # of a pump's rated flow, which the bypass valve keeps up

# Faults that waste electricity: what the group draws with them is compared with what it would draw without.
_WASTEFUL: Final = ("PU-F04", "PU-F05", "PU-F12", "PU-F13", "PU-F14", "PU-F15", "PU-F16")
_HYDRAULIC: Final = ("PU-F01", "PU-F02", "PU-F03", "PU-F07", "PU-F20", *_WASTEFUL)

Ills = Mapping[tuple[str, str], Array]


@dataclass(frozen=True, slots=True)
class Group:
    """
    Pumps that work together.

    Attributes
    ----------
    kind : circulation (of an air conditioning whose plant is not simulated), hydronic, condenser or booster
    members : in the order of the site file
    curve : of each of them
    """

    kind: str
    members: Sequence[Equipment]
    curve: physics.PumpCurve

    @property
    def design_m3h(self) -> float:
        """Return the flow for which the system is made: that of all pumps but the standby. [m³/h]"""
        return max(1, len(self.members) - 1) * self.curve.flow_m3h


@dataclass(frozen=True, slots=True)
class Asked:
    """
    What a group is asked for over a stretch, and what it finds.

    Attributes
    ----------
    flow : [m³/h]
    needed : pumps that this takes [-]
    dark : of each member, whether its board is without voltage
    suction_kpa : pressure before the strainers [kPa]
    water_c : temperature of the water [°C]
    """

    flow: Array
    needed: Array
    dark: Sequence[NDArray[np.bool_]]
    suction_kpa: Array
    water_c: Array


def run(scene: Scene) -> None:
    """Work out every pump group of every room, and the booster sets."""
    booster.run(scene)
    for group in _groups(scene):
        _run_group(scene, group)


def _groups(scene: Scene) -> list[Group]:
    found: dict[tuple[str, str, float], list[Equipment]] = {}
    for item in scene.each("pump"):
        key = (item.room or "", _kind(scene, item), item.rating.get("flow", 100.0))
        found.setdefault(key, []).append(item)
    return [
        Group(kind, members, physics.PumpCurve(flow, members[0].rating.get("head", 30.0)))
        for (_, kind, flow), members in found.items()
    ]


def _kind(scene: Scene, item: Equipment) -> str:
    machines = scene.site.equipment
    sources = {machines[s].cls.id for s in item.fed_by if s in machines}
    if any(machines[below].cls.id in _SUPPLY for below in scene.site.feeds(item.id)):
        return "booster"
    return "hydronic" if sources & _HYDRONIC.keys() else "condenser" if sources & _CONDENSER else "circulation"


def circulation_share(outdoor_c: Array) -> Array:
    """Return the flow that air conditioning asks for, as a share of what the duty pumps give. [-]"""
    cooling, heating = np.maximum(outdoor_c - 20.0, 0.0), np.maximum(15.0 - outdoor_c, 0.0)
    return np.clip(0.38 + 0.045 * cooling + 0.030 * heating, 0.0, 1.0)


def _run_group(scene: Scene, group: Group) -> None:
    flow = _asked_flow(scene, group)
    needed = staged(scene, group.members[0].id, flow, group.curve.flow_m3h, len(group.members))
    dark = [np.asarray(scene.alive(m)) < 0.5 for m in group.members]
    asked = Asked(flow, needed, dark, _suction(scene, group), _water_temperature(scene, group))
    # Duty and standby change over every week, so that all of them wear alike.
    turn = np.stack([(rank - scene.span.week) % len(group.members) for rank in range(len(group.members))])
    ills = {
        (fault, item.id): severity
        for item in group.members
        for fault in _HYDRAULIC
        if not isinstance(severity := scene.fault(fault, item), float)
    }
    now = _work(group, asked, turn, ills)
    for fault, machine in ills:
        if fault in _WASTEFUL:
            without = _work(group, asked, turn, {k: s for k, s in ills.items() if k != (fault, machine)})
            wasted = np.sum([a.power - b.power for a, b in zip(now, without, strict=True)], axis=0)
            # A fault that comes or has gone within the stretch wastes nothing outside its time.
            scene.waste(fault, scene.site.equipment[machine], np.where(ills[fault, machine] > 0.0, wasted, 0.0))
    for item, running in zip(group.members, now, strict=True):
        scene.draw(item, running.power, _POWER_FACTOR)
        pump_signs.show(scene, item, running)


def _asked_flow(scene: Scene, group: Group) -> Array:
    """Return the flow that is asked of a group; no flow where its plant stands still. [m³/h]"""
    first = group.members[0]
    if group.kind == "booster":
        flow: Array = np.sum([scene.water.get(m.id, scene.zeros()) for m in group.members], axis=0)
        return flow
    through = _through_plant(scene, first, group.kind)
    if through is not None:
        rated = group.curve.flow_m3h
        return np.where(through > 0.03 * rated, np.maximum(through, _LEAST_FLOW * rated), 0.0)
    busy = 1.0 + 0.06 * np.sin((scene.span.hour - 9.0) * np.pi / 12.0)
    share = circulation_share(scene.outdoor_c) * busy
    return group.design_m3h * share * (1.0 + 0.015 * scene.wander(f"{first.id}|circulation", 400.0))


def _through_plant(scene: Scene, pump: Equipment, kind: str) -> Array | None:
    """Return the water that runs through the machines on which a pump hangs, None if none of them tells. [m³/h]"""
    machines = scene.site.equipment
    if kind == "condenser":
        rooms = {machines[s].room for s in pump.fed_by if s in machines and machines[s].cls.id == "cooling_tower"}
        keys = [f"{c.id}/condenser_water_flow" for c in scene.each("chiller") if c.room in rooms]
    else:
        keys = [f"{s}/{_HYDRONIC.get(machines[s].cls.id)}" for s in pump.fed_by if s in machines]
    told = [scene.circulated.get(key, scene.values[key]) for key in keys if key in scene.values]
    return np.sum(told, axis=0) if told else None


def _suction(scene: Scene, group: Group) -> Array:
    """Return the pressure before the strainers: of the expansion vessel, the basin, the city, or the tank. [kPa]"""
    first = group.members[0]
    tank_kpa = booster.tank_pressure(scene, first)
    if tank_kpa is not None:
        return tank_kpa
    return _SUCTION_KPA[group.kind] + 4.0 * scene.wander(f"{first.id}|suction", 1800.0)


def _water_temperature(scene: Scene, group: Group) -> Array:
    if group.kind == "booster":
        return scene.mains_c
    if group.kind == "condenser":
        return np.maximum(scene.wet_bulb_c + 4.0, 12.0)
    plants = {scene.site.equipment[s].cls.id for s in group.members[0].fed_by if s in scene.site.equipment}
    if group.kind == "hydronic" and "chiller" not in plants:
        return np.interp(scene.outdoor_c, [0.0, 18.0], [52.0, 40.0])
    if group.kind == "hydronic" and not plants & (_HYDRONIC.keys() - {"chiller"}):
        return 11.5 + 0.3 * scene.wander(f"{group.members[0].id}|return", 3600.0)
    # Chilled water in summer, warm water in winter, something between in spring and autumn.
    return np.interp(scene.outdoor_c, [0.0, 14.0, 20.0, 24.0], [48.0, 42.0, 20.0, 8.0])


def _work(group: Group, asked: Asked, turn: NDArray[np.int64], ills: Ills) -> list[Running]:
    """Return what each pump of a group does, with some faults."""
    nothing = np.zeros(len(asked.flow))

    def ill(fault: str) -> list[Array]:
        return [ills.get((fault, m.id), nothing) for m in group.members]

    dry, stuck, idle = ill("PU-F02"), ill("PU-F13"), ill("PU-F16")
    kept_on = [np.maximum(s, i) > 0.0 for s, i in zip(stuck, idle, strict=True)]
    needed = asked.needed
    if any(key[0] == "PU-F15" for key in ills):
        surplus = np.max(ill("PU-F15"), axis=0)
        extra = np.ceil(surplus * (len(group.members) - 1)) + 1.0
        needed = np.where((surplus > 0.0) & (needed > 0.0), np.maximum(needed, extra), needed)
    if ills:
        # What runs in manual, or by an order that never changes, is counted first.
        first = [np.maximum(s, a) > 0.0 for s, a in zip(stuck, ill("PU-F20"), strict=True)]
        turn = np.where(np.stack(first), -1, turn)
    # What gives nothing, for want of water or of voltage, is not counted: the next in turn is called.
    lost = [np.maximum(d, dark) for d, dark in zip(dry, asked.dark, strict=True)]
    on = [(_its_turn(i, turn, lost, needed) | kept_on[i]) & ~asked.dark[i] for i in range(len(group.members))]
    able = [np.where(o, 1.0 - d, 0.0) for o, d in zip(on, dry, strict=True)]
    together = np.sum(able, axis=0)

    flow = np.where(together > 0.0, asked.flow, 0.0)
    if group.kind != "booster":
        flow = np.where(together > 0.0, np.maximum(flow, _LEAST_FLOW * group.curve.flow_m3h), 0.0)
    head = _system_head(group, asked, flow, np.max(ill("PU-F14"), axis=0))
    back = [
        physics.leak_back(head, group.curve.head_m, group.curve.flow_m3h, 0.18 * b) * (together > 0.0) * ~o
        for b, o in zip(ill("PU-F05"), on, strict=True)
    ]
    flow = flow + np.sum(back, axis=0)
    return [
        _one(
            group, item, asked, np.where(on[i], 1.0, 0.0), flow * able[i] / np.maximum(together, 1e-6), head, back[i],
            {fault: severity for (fault, machine), severity in ills.items() if machine == item.id},
        )
        for i, item in enumerate(group.members)
    ]  # fmt: skip


def _its_turn(rank: int, turn: NDArray[np.int64], lost: Sequence[Array], needed: Array) -> NDArray[np.bool_]:
    """Return whether a pump is called: whether those before it in the order give too little."""
    ahead = np.sum([(turn[j] < turn[rank]) * (1.0 - share) for j, share in enumerate(lost)], axis=0)
    called: NDArray[np.bool_] = ahead < needed - 1e-9
    return called


def _system_head(group: Group, asked: Asked, flow: Array, too_high: Array) -> Array:
    """Return the head that the control keeps up: a floor at no flow, and the pipes' friction. [m]"""
    if group.kind == "booster":
        return np.maximum(_BOOST_KPA + 10.0 - asked.suction_kpa, 0.0) / physics.KPA_PER_M
    floor = 0.45 + 0.35 * too_high
    head: Array = group.curve.head_m * (floor + (1.0 - floor) * np.minimum(flow / group.design_m3h, 1.2) ** 2)
    return head


def _one(
    group: Group,
    item: Equipment,
    asked: Asked,
    running: Array,
    wanted: Array,
    head_m: Array,
    back: Array,
    mine: Mapping[str, Array],
) -> Running:
    """Return what one pump does that is to give a flow against a head."""
    curve, sound = group.curve, np.zeros(1)
    dry, worn = mine.get("PU-F02", sound), mine.get("PU-F04", sound)
    stuck, throttled = mine.get("PU-F13", sound), mine.get("PU-F12", sound)
    # No pump gives more than its curve reaches, nor anything without water in it.
    wanted = np.minimum(wanted, 1.35 * curve.flow_m3h * (1.0 - dry))
    # Air in the suction holds the water back.
    suction = asked.suction_kpa * (1.0 - dry) + 4.0 * dry
    flow, inlet_kpa, drop_kpa = _suction_side(
        curve, wanted, suction, asked.water_c, mine.get("PU-F01", sound), mine.get("PU-F03", sound)
    )
    weakness = 1.0 - 0.12 * worn
    before_valve = head_m + 0.6 * curve.head_m * throttled * (flow / curve.flow_m3h) ** 2
    speed = np.clip(physics.speed_for_head(curve, flow, before_valve / weakness), 0.5, 1.0)
    # In manual at 50 Hz it gives more head than is asked for, which control valves then take away.
    speed = speed + (stuck > 0.0) * (1.0 - speed)
    # A worn impeller slips: the same hydraulic work from fewer points of efficiency.
    slip = curve.efficiency / np.maximum(curve.efficiency - 0.15 * worn, 0.1)
    # A bent coupling takes a little; a casing full of air next to nothing.
    shaft = curve.shaft_power(flow, speed) * slip * (1.0 + 0.015 * mine.get("PU-F07", sound)) * (1.0 - 0.8 * dry)
    rated_kw = item.rating.get("power", 30.0)
    heat = motor.losses(shaft, speed, rated_kw)
    power = shaft + heat + motor.drive_losses(shaft + heat, rated_kw)
    npshr = curve.npshr_m * np.maximum(flow / curve.flow_m3h, 0.3) ** 2
    vapour = physics.cavitation(physics.npsh_available(inlet_kpa, asked.water_c), npshr) * running * (1.0 - dry)
    given = curve.head(flow, speed) * weakness * (1.0 - 0.25 * vapour) * (1.0 - 0.95 * dry)
    # Where the check valve leaks, the system's pressure stands on the pump.
    outlet_kpa = inlet_kpa + physics.KPA_PER_M * np.where(back > 0.0, head_m, given * running)
    return Running(
        running=running,
        flow=flow * running - back,
        speed=speed * running,
        shaft_kw=shaft * running,
        heat_kw=heat * running,
        power=power * running,
        inlet_kpa=inlet_kpa,
        outlet_kpa=outlet_kpa,
        drop_kpa=drop_kpa * running,
        vapour=vapour,
        water_c=asked.water_c,
        rated_kw=rated_kw,
        load=flow / (curve.flow_m3h * np.maximum(speed, 0.05)),
    )


def _suction_side(
    curve: physics.PumpCurve, wanted: Array, suction_kpa: Array, water_c: Array, shut: Array, clogged: Array
) -> tuple[Array, Array, Array]:
    """Return flow [m³/h], inlet pressure [kPa] and strainer drop [kPa]; a narrow suction chokes the flow."""
    valve, strainer = 3200.0 * shut**2, 7.0 + 55.0 * clogged
    vapour_kpa = -physics.npsh_available(np.zeros(1), water_c) * physics.KPA_PER_M
    # No more can pass than brings the inlet to the vapour pressure.
    most = np.sqrt(np.maximum(suction_kpa - vapour_kpa, 0.0) / (valve + strainer)) * curve.flow_m3h
    flow = np.minimum(wanted, most)
    passed = (flow / curve.flow_m3h) ** 2
    return flow, suction_kpa - (valve + strainer) * passed, strainer * passed
