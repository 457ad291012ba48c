"""The `virtual_meters` section of a site file: checked for names, units and circles, the sound ones compiled.

A formula that cannot be computed takes nothing else with it: those that are sound are returned beside the problems.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from facility.documents import KeyPath
from facility.equipment_classes import Carrier, Unit
from facility.expressions import ExpressionError
from facility.metering import CARRIER_NAMES
from facility.names import Id, Names
from facility.site import Equipment
from facility.virtual_meters import STEP_HOURS, Input, VirtualMeter, compile_meter, in_order
from facility.wording import quoted_zh


def _day(value: Any) -> date:
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"{value!r} is not a date; write it as 2026-03-02") from None


class VirtualMeterFile(BaseModel):
    """One entry of the section."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Id
    name: Names
    carrier: Carrier
    unit: Unit
    formula: Annotated[str, Field(min_length=1)]
    since: Annotated[date, BeforeValidator(_day)] | None = None


@dataclass(frozen=True, slots=True)
class Resolved:
    """
    The virtual meters of a site.

    Attributes
    ----------
    meters : those that can be computed, each after those that it uses
    problems : the entry's place in the list, the place within it, and what to write instead
    """

    meters: Mapping[str, VirtualMeter]
    problems: Sequence[tuple[int, KeyPath, Names]]


def resolve(entries: Sequence[VirtualMeterFile], equipment: Sequence[Equipment]) -> Resolved:
    """Check and compile virtual meters; each entry is judged by itself, and circles by all of them."""
    problems: list[tuple[int, KeyPath, Names]] = []
    registers = {f"{e.id}/{name}": i for e in equipment for name, i in _registers(e).items()}
    points = {
        f"{e.id}/{name}": Input("point", f"{e.id}/{name}", p.unit)
        for e in equipment
        for name, p in e.points.items()
        if p.kind != "total_increasing"
    }
    machines = {e.id: e for e in equipment}
    virtual: dict[str, Input] = {}
    place: dict[str, int] = {}
    for n, entry in enumerate(entries):
        taken = _taken(entry.id, machines)
        if taken is None and entry.id in virtual:
            taken = Names(
                zh=f"“{entry.id}”已用于另一虚拟表；请另选", en=f"{entry.id!r} stands twice; choose another id"
            )
        if taken is not None:
            problems.append((n, ("id",), taken))
        else:
            virtual[entry.id] = Input("virtual", entry.id, entry.unit)
            place[entry.id] = n

    sound: dict[str, VirtualMeter] = {}
    uses: dict[str, list[str]] = {}
    by_carrier: dict[Carrier, dict[str, Input]] = {}
    for name, n in place.items():
        entry = entries[n]
        if entry.carrier not in by_carrier:
            by_carrier[entry.carrier] = {
                **points, **registers, **_main_registers(equipment, entry.carrier), **virtual,
            }  # fmt: skip
        known = by_carrier[entry.carrier]
        try:
            formula = compile_meter(entry.formula, entry.unit, known)
            _refuse_vague(entry, formula.points, known, machines)
        except ExpressionError as error:
            problems.append((n, ("formula",), Names(zh=error.zh, en=str(error))))
            continue
        inputs = {p: known.get(p, Input("hours", STEP_HOURS, "h")) for p in formula.points}
        meter = VirtualMeter(entry.id, entry.name, entry.carrier, entry.unit, formula, inputs, entry.since)
        sound[name] = meter
        uses[name] = list(meter.keys("virtual"))
    order, circles = in_order(uses)
    for circle in circles:
        way = " -> ".join(circle)
        told = Names(
            zh=f"公式成环：{way}；请去掉其中一条", en=f"the formula runs in a circle: {way}; take one link out"
        )
        problems.append((place[circle[0]], ("formula",), told))
    told_of = {entries[n].id for n, _, _ in problems} | {name for circle in circles for name in circle}
    for name in sound:
        if name not in order and name not in told_of:
            broken = [u for u in uses[name] if u not in order]
            told = Names(
                zh=f"其中的{'、'.join(broken)}无法计算；请先改正",
                en=f"it uses {', '.join(broken)}, which cannot be computed; mend that first",
            )
            problems.append((place[name], ("formula",), told))
    return Resolved({name: sound[name] for name in order}, problems)


def _taken(name: str, machines: Mapping[str, Equipment]) -> Names | None:
    """Return why no virtual meter may have an id; None if it may."""
    if name in machines:
        return Names(zh=f"“{name}”已是一台设备；请另选", en=f"{name!r} is a machine already; choose another id")
    if name == STEP_HOURS:
        return Names(
            zh="“h”在公式中表示时段的长度；请另选",
            en="'h' is the length of a step in formulas; choose another id",
        )
    return None


def _registers(item: Equipment) -> dict[str, Input]:
    """Return the registers of a machine that are booked, by the names of their points."""
    found: dict[str, Input] = {}
    for name, point in item.points.items():
        if point.kind == "total_increasing" and point.carrier is not None:
            own = item.register is not None and item.register.point == name
            unit = item.register.unit if own and item.register is not None else point.unit
            found[name] = Input("register", f"{item.id}/{name}", unit)
    return found


def _main_registers(equipment: Sequence[Equipment], carrier: Carrier) -> dict[str, Input]:
    """Return what a machine's bare id stands for: its register, else the only one by which it takes the carrier."""
    found: dict[str, Input] = {}
    for item in equipment:
        registers = _registers(item)
        taken = [
            name for name, p in item.points.items() if name in registers and p.carrier == carrier and p.flow == "in"
        ]
        if item.register is not None and item.register.point in registers:
            found[item.id] = registers[item.register.point]
        elif len(taken) == 1:
            found[item.id] = registers[taken[0]]
        elif registers:
            found[item.id] = Input("register", "", next(iter(registers.values())).unit)
    return found


def _refuse_vague(
    entry: VirtualMeterFile, names: Sequence[str], known: Mapping[str, Input], machines: Mapping[str, Equipment]
) -> None:
    for name in names:
        if name in machines and known[name].key == "":
            which = ", ".join(f"{name}/{point}" for point in _registers(machines[name]))
            raise ExpressionError(
                f"{entry.formula!r}: {name!r} has no main register of {entry.carrier}; write one of {which}",
                f"{quoted_zh(entry.formula)}：“{name}”没有{CARRIER_NAMES[entry.carrier].zh}的主计数器；请写{which}之一",
            )
