"""What the live rules know of a site before the first reading: one plan a class of equipment, made once.

All machines of a class share their formulas and, but for their own changes, their limits; so a batch is judged class by
class, however many machines it touches. Nameplate values are arrays over the machines, read like points.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facility.equipment_classes import EquipmentClass, Limit
from facility.expressions import Condition, Formula, Symbols, compile_condition, compile_formula
from facility.liveness import alive_for
from facility.site import Equipment, Site

_US: Final = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class DerivedPlan:
    """
    A derived point of a class.

    Attributes
    ----------
    formula : over points and `rating.*`
    inputs : (i,) slots of the measured points that it reads
    point : (machines,) index of the derived point of each machine in the site's table, -1 where it has none
    """

    name: str
    formula: Formula
    inputs: NDArray[np.intp]
    point: NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class LimitPlan:
    """
    One condition, and the machines of a class that are held to it.

    Attributes
    ----------
    condition : over points and `rating.*`
    limits : limit of each machine, None where it has another one or none
    member : (machines,) True where `limits` has one
    clear : (machines,) value of the first comparison at which it clears, NaN: at the limit itself
    hold_us : (machines,) [µs]
    needed : (k,) slots of the measured points that the condition rests on
    """

    condition: Condition
    limits: tuple[Limit | None, ...]
    member: NDArray[np.bool_]
    clear: NDArray[np.float64]
    hold_us: NDArray[np.int64]
    needed: NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class ClassPlan:
    """
    All machines of one class.

    Attributes
    ----------
    slots : names of the measured points, in the order in which arrays hold them
    point : (machines, slots) index of each point in the site's table, -1 where a machine lacks it
    every_us : (machines, slots) sampling interval [µs]
    by_exception : (machines, slots) True where a value is sent only when it changes
    rating : nameplate values by `rating.name`, each (machines,), NaN where not given
    """

    cls: EquipmentClass
    machines: tuple[Equipment, ...]
    slots: tuple[str, ...]
    point: NDArray[np.int32]
    every_us: NDArray[np.int64]
    by_exception: NDArray[np.bool_]
    rating: dict[str, NDArray[np.float64]]
    derived: tuple[DerivedPlan, ...]
    limits: tuple[LimitPlan, ...]


def make_plans(site: Site) -> tuple[ClassPlan, ...]:
    """Return a plan for each class that the site has equipment of, in the order of the site file."""
    by_class: dict[str, list[Equipment]] = {}
    for machine in site.equipment.values():
        by_class.setdefault(machine.cls.id, []).append(machine)
    return tuple(_plan(site, machines[0].cls, tuple(machines)) for machines in by_class.values())


def _plan(site: Site, cls: EquipmentClass, machines: tuple[Equipment, ...]) -> ClassPlan:
    index = site.points.index
    slots = tuple(name for name, spec in cls.points.items() if spec.kind != "derived")
    slot_of = {name: i for i, name in enumerate(slots)}
    symbols = _symbols(cls)

    def points(name: str) -> NDArray[np.int32]:
        return np.array([index.get(f"{m.id}/{name}", -1) for m in machines], dtype=np.int32)

    def measured(names: Sequence[str]) -> NDArray[np.intp]:
        found: dict[int, None] = {}
        for name in names:
            inner = cls.formulas[name].points if name in cls.formulas else (name,)
            found.update(dict.fromkeys(slot_of[p] for p in inner if p in slot_of))
        return np.array(list(found), dtype=np.intp)

    derived = tuple(
        DerivedPlan(name, compile_formula(formula.text, symbols, formula.unit), measured([name]), points(name))
        for name, formula in cls.formulas.items()
    )
    every = [[m.points[s].every if s in m.points else cls.points[s].every for s in slots] for m in machines]
    return ClassPlan(
        cls=cls,
        machines=machines,
        slots=slots,
        point=np.stack([points(s) for s in slots], axis=1) if slots else np.empty((len(machines), 0), dtype=np.int32),
        every_us=(np.array(every, dtype=float).reshape(len(machines), len(slots)) * _US).astype(np.int64),
        by_exception=np.repeat([[alive_for(site, m) is not None] for m in machines], len(slots), axis=1),
        rating={
            f"rating.{key}": np.array([m.rating.get(key, np.nan) for m in machines])
            for key, spec in cls.spec.rating.items()
            if spec.unit is not None
        },
        derived=derived,
        limits=tuple(
            _limit_plan(text, limits, symbols, measured) for text, limits in _by_condition(machines).items()
        ),
    )  # fmt: skip


def _symbols(cls: EquipmentClass) -> Symbols:
    """Return the class's names with nameplate values as points, since they differ from machine to machine."""
    own = cls.symbols({})
    return Symbols(
        units={**own.units, **{name: unit for name, (_, unit) in own.constants.items()}},
        constants={},
        states=own.states,
    )


def _by_condition(machines: Sequence[Equipment]) -> dict[tuple[str, str], list[Limit | None]]:
    # A limit's id belongs to the key: two limits of one machine may watch the same condition with different holds.
    found: dict[tuple[str, str], list[Limit | None]] = {}
    for i, machine in enumerate(machines):
        for limit in machine.limits:
            key = (f"{limit.id} {limit.subject}", limit.condition.text)
            found.setdefault(key, [None] * len(machines))[i] = limit
    return found


def _limit_plan(
    key: tuple[str, str],
    limits: Sequence[Limit | None],
    symbols: Symbols,
    measured: Callable[[Sequence[str]], NDArray[np.intp]],
) -> LimitPlan:
    condition = compile_condition(key[1], symbols)
    return LimitPlan(
        condition=condition,
        limits=tuple(limits),
        member=np.array([limit is not None for limit in limits]),
        clear=np.array([np.nan if limit is None or limit.clear is None else limit.clear for limit in limits]),
        hold_us=np.array([0 if limit is None else round(limit.spec.hold * _US) for limit in limits], dtype=np.int64),
        needed=measured(condition.points),
    )
