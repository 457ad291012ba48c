"""Small hospitals of meters and departments, made without a site file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final
from zoneinfo import ZoneInfo

from facility.circles import cut
from facility.equipment_classes import load_library
from facility.metering import BookedRegister, booked_registers
from facility.names import Names
from facility.site import Dated, Department, Equipment, Register, Site, Size

LIBRARY: Final = load_library()
DAYS: Final = tuple(date(2026, 3, d) for d in range(1, 32))


@dataclass(frozen=True, repr=False)
class Hospital:
    """A site and its registers."""

    site: Site
    registers: Mapping[str, BookedRegister]

    def _repr_pretty_(self, printer: Any, _: bool) -> None:
        """Show a failing example as what hangs on what, not as the whole class library."""
        printer.text(str({e.id: (e.cls.id, e.fed_by, e.serves.values) for e in self.site.equipment.values()}))


def names(text: str) -> Names:
    """Return one word in both languages."""
    return Names(zh=text, en=text)


def department(
    name: str,
    area: float | None = None,
    beds: float | None = None,
    staff: float | None = None,
    centre: str | None = None,
) -> Department:
    """Return a department."""
    return Department(
        name, names(name), centre, None, Dated.always(area), Dated.always(beds), staff=Dated.always(staff)
    )


def meter(
    name: str,
    kind: str = "electricity_meter",
    fed_by: Iterable[str] = (),
    serves: Iterable[str] | Dated[tuple[str, ...]] = (),
    rating: Mapping[str, float] | None = None,
    export: bool = False,
    unit: str | None = None,
    since: date | None = None,
    until: date | None = None,
) -> Equipment:
    """Return a machine of a class of the library; without `export` it counts one way only."""
    cls = LIBRARY[kind]
    points = {n: p for n, p in cls.points.items() if export or not (p.flow == "out" and p.through)}
    counters = [n for n, p in points.items() if p.carrier is not None]
    return Equipment(
        id=name,
        name=names(name),
        cls=cls,
        room=None,
        criticality="B",
        rating=rating or {},
        choices={},
        fed_by=tuple(fed_by),
        serves=serves if isinstance(serves, Dated) else Dated.always(tuple(serves)),
        points=points,
        limits=(),
        telemetry=None,
        register=Register(counters[0], unit or points[counters[0]].unit) if counters else None,
        anomaly=None,
        since=since,
        until=until,
    )


def hospital(machines: Iterable[Equipment], departments: Iterable[Department] = (), **more: Any) -> Hospital:
    """Return a hospital of these machines and departments; links in a circle are cut, as a site file's are."""
    known = {m.id: m for m in machines}
    links, circles = cut({m.id: m.fed_by for m in known.values()})
    site = Site(
        id="test",
        name=names("test"),
        time_zone=ZoneInfo("Asia/Shanghai"),
        currency="CNY",
        sizes=Dated.always(Size()),
        buildings={},
        rooms={},
        departments={d.id: d for d in departments},
        equipment={m.id: replace(m, fed_by=links[m.id]) for m in known.values()},
        circles=circles,
        tariffs={},
        patterns=(),
        library=LIBRARY,
        **more,
    )
    return Hospital(site, booked_registers(site))
