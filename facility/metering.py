"""Which registers of a site are booked: what each counts, in what unit, and where it stands in the supply tree.

A register is named by its point, `equipment/point`. Every counter of a machine whose class names a carrier is one, be
the machine a meter by trade or a boiler that counts its gas.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from facility.equipment_classes import METER_REGISTERS, Carrier, Flow
from facility.names import Names
from facility.site import Equipment, Register, Site

# Carriers that are bought, in the order in which pages list them.
BOUGHT: Final[tuple[Carrier, ...]] = ("electricity", "gas", "water", "heat", "steam", "oxygen")

_BY_TRADE: Final = frozenset({*METER_REGISTERS, "hv_incomer"})

CARRIER_NAMES: Final[Mapping[Carrier, Names]] = {
    "electricity": Names(zh="电", en="Electricity"),
    "gas": Names(zh="天然气", en="Natural gas"),
    "water": Names(zh="水", en="Water"),
    "heat": Names(zh="热", en="Heat"),
    "steam": Names(zh="蒸汽", en="Steam"),
    "oxygen": Names(zh="医用氧", en="Medical oxygen"),
    "reactive": Names(zh="无功电能", en="Reactive energy"),
    "cooling": Names(zh="冷量", en="Cooling"),
    "air": Names(zh="医用空气", en="Medical air"),
    "hot_water": Names(zh="生活热水", en="Hot water"),
    "sewage": Names(zh="污水", en="Sewage"),
}


@dataclass(frozen=True, slots=True)
class BookedRegister:
    """
    A register whose consumption is booked.

    Attributes
    ----------
    key : its point, `equipment/point`
    carrier : what it counts
    flow : into the machine or through the meter, or out of the machine that makes it
    unit : of its readings and of what is booked
    register : digits, ratio and exchanges, as the site file has them
    """

    key: str
    equipment: Equipment
    carrier: Carrier
    flow: Flow
    unit: str
    register: Register


def booked_registers(site: Site) -> dict[str, BookedRegister]:
    """Return every register of the site that is booked, by its key, in the order of the site file."""
    found: dict[str, BookedRegister] = {}
    for item in site.equipment.values():
        for name, point in item.points.items():
            if point.carrier is None:
                continue
            named = item.register if item.register is not None and item.register.point == name else None
            register = named or Register(name, point.unit)
            key = f"{item.id}/{name}"
            found[key] = BookedRegister(key, item, point.carrier, point.flow, register.unit, register)
    return found


def of_carrier(registers: Iterable[BookedRegister], carrier: Carrier, flow: Flow = "in") -> list[BookedRegister]:
    """Return the registers that count a carrier, one way."""
    return [r for r in registers if r.carrier == carrier and r.flow == flow]


def points_of_supply(site: Site, registers: Mapping[str, BookedRegister], carrier: Carrier) -> list[BookedRegister]:
    """
    Return the registers through which a carrier comes into the hospital.

    That is meters by trade with no register of the carrier above them. A heat exchanger that steam feeds has none above
    it either, but its heat is made here, not bought. Of machines that feed each other nobody knows which is the first.
    """
    unclear = frozenset[str]().union(*site.circles)
    counted = {r.equipment.id for r in registers.values() if r.carrier == carrier}
    return [
        r
        for r in of_carrier(registers.values(), carrier)
        if r.equipment.cls.id in _BY_TRADE
        and r.equipment.id not in unclear
        and counted.isdisjoint(site.upstream(r.equipment.id))
    ]
