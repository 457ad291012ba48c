"""What the energy pages list as a meter: a register of a machine, or a virtual meter that a formula makes of others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from analytics.energy.virtual_booking import PREFIX
from facility.equipment_classes import Carrier
from facility.metering import BookedRegister
from facility.names import Names
from facility.site import Site
from facility.virtual_meters import VirtualMeter


@dataclass(frozen=True, slots=True)
class CountedMeter:
    """
    A meter, real or virtual.

    Attributes
    ----------
    key : `equipment/point`, or `virtual/id`
    point : what its point is called; None for a virtual meter
    room : where it stands; None: nowhere in particular
    register, virtual : the one that it is; the other is None
    """

    key: str
    name: Names
    point: Names | None
    carrier: Carrier
    unit: str
    room: str | None
    register: BookedRegister | None = None
    virtual: VirtualMeter | None = None


def counted_meters(site: Site, registers: Mapping[str, BookedRegister]) -> dict[str, CountedMeter]:
    """Return all meters of a site: registers in the order of the site file, then virtual meters."""
    found: dict[str, CountedMeter] = {}
    for key, r in registers.items():
        point = r.equipment.points.get(key.partition("/")[2])
        found[key] = CountedMeter(
            key, r.equipment.name, point.name if point is not None else None, r.carrier, r.unit, r.equipment.room, r
        )
    for id_, virtual in site.virtual_meters.items():
        key = f"{PREFIX}{id_}"
        found[key] = CountedMeter(key, virtual.name, None, virtual.carrier, virtual.unit, None, None, virtual)
    return found
