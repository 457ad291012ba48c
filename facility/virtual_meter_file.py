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
from facility.names import Id, Names
from facility.site import Equipment
from facility.virtual_meters import STEP_HOURS, Input, VirtualMeter, compile_meter, in_order


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
    problems: Sequence[tuple[int, KeyPath, str]]


def resolve(entries: Sequence[VirtualMeterFile], equipment: Sequence[Equipment]) -> Resolved:
    """Check and compile virtual meters; each entry is judged by itself, and circles by all of them."""
    problems: list[tuple[int, KeyPath, str]] = []
    registers = {f"{e.id}/{name}": i for e in equipment for name, i in _registers(e).items()}
    points = {
        f"{e.id}/{name}": Input("point", f"{e.id}/{name}", p.unit)
        for e in equipment
        for name, p in e.points.items()
        if p.kind != "total_increasing"
    }
    machines = {e.id: e for e in equipment}
    virtual: dict[str, Input] = {}
    for n, entry in enumerate(entries):
        if entry.id in machines:
            problems.append((n, ("id",), f"{entry.id!r} is a machine already; choose another id"))
        elif entry.id == STEP_HOURS:
            problems.append((n, ("id",), "'h' is the length of a step in formulas; choose another id"))
        virtual.setdefault(entry.id, Input("virtual", entry.id, entry.unit))

    sound: dict[str, VirtualMeter] = {}
    place = {e.id: n for n, e in reversed(list(enumerate(entries)))}
    uses: dict[str, list[str]] = {}
    for n, entry in enumerate(entries):
        if place[entry.id] != n:
            continue
        known = {**points, **registers, **_main_registers(equipment, entry.carrier), **virtual}
        try:
            formula = compile_meter(entry.formula, entry.unit, known)
            _refuse_vague(entry, formula.points, known, machines)
        except (ExpressionError, ValueError) as error:
            problems.append((n, ("formula",), str(error)))
            continue
        inputs = {p: known.get(p, Input("hours", STEP_HOURS, "h")) for p in formula.points}
        meter = VirtualMeter(entry.id, entry.name, entry.carrier, entry.unit, formula, inputs, entry.since)
        sound[entry.id] = meter
        uses[entry.id] = list(meter.keys("virtual"))
    order, circles = in_order(uses)
    for circle in circles:
        told = f"the formula runs in a circle: {' -> '.join(circle)}; take one link out"
        problems.append((place[circle[0]], ("formula",), told))
    told_of = {entries[n].id for n, _, _ in problems} | {name for circle in circles for name in circle}
    for name in sound:
        if name not in order and name not in told_of:
            broken = ", ".join(u for u in uses[name] if u not in order)
            problems.append((place[name], ("formula",), f"it uses {broken}, which cannot be computed; mend that first"))
    return Resolved({name: sound[name] for name in order}, problems)


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
            raise ValueError(
                f"{entry.formula!r}: {name!r} has no main register of {entry.carrier}; write one of {which}"
            )
