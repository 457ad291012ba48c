"""The rail beside the plant pages, and the page of a system: its machines with their key values."""

from __future__ import annotations

from dataclasses import dataclass

from api.pages.marks import Mark, alert_mark, is_acknowledged, stale_mark, worst
from api.pages.plant import arrivals, by_equipment, machine_mark, running_word, system_name, systems_present
from api.pages.sources import Live, Sources
from api.pages.values import ValueView, alerts_by_point, value_view
from api.pages.words import Words
from facility.equipment_classes import System


@dataclass(frozen=True, slots=True)
class RailMachine:
    """A machine in the rail."""

    id: str
    name: str
    mark: Mark | None
    word: str
    current: bool


@dataclass(frozen=True, slots=True)
class RailSystem:
    """A system in the rail, open where its machines are listed."""

    system: str
    name: str
    mark: Mark | None
    current: bool
    machines: tuple[RailMachine, ...]


@dataclass(frozen=True, slots=True)
class MachineCard:
    """A machine on its system's page."""

    id: str
    name: str
    class_name: str
    place: str
    mark: Mark | None
    tone: str
    word: str
    values: tuple[ValueView, ...]


@dataclass(frozen=True, slots=True)
class PlantPage:
    """A system with its machines."""

    system: str
    name: str
    machines: tuple[MachineCard, ...]


def rail(sources: Sources, words: Words, live: Live, system: str | None, machine: str | None) -> tuple[RailSystem, ...]:
    """Return the rail, with the machines of the current system listed."""
    of_machine = by_equipment(sources.desk.open_alerts())
    found: list[RailSystem] = []
    for name, machines in systems_present(sources.site).items():
        heard = {m.id: arrivals(m, live) for m in machines}
        first = worst(a for m in machines for a in of_machine.get(m.id, ()))
        mark: Mark | None = None
        if first is not None:
            mark = alert_mark(first.priority, is_acknowledged(first), words)
        elif any(h.silent for h in heard.values()):
            mark = stale_mark(words)
        listed = tuple(
            RailMachine(
                m.id,
                words.name(m.name),
                machine_mark(m, of_machine.get(m.id, ()), heard[m.id], words),
                running_word(m, live, words),
                m.id == machine,
            )
            for m in machines
        )
        found.append(RailSystem(name, system_name(name, words), mark, name == system, listed if name == system else ()))
    return tuple(found)


def plant_page(sources: Sources, words: Words, live: Live, system: System) -> PlantPage:
    """Build the page of a system."""
    site = sources.site
    of_machine = by_equipment(sources.desk.open_alerts())
    cards: list[MachineCard] = []
    for item in systems_present(site)[system]:
        alerts = of_machine.get(item.id, ())
        by_point = alerts_by_point(item, alerts, live)
        first = worst(alerts)
        points = list(dict.fromkeys([*by_point, *item.cls.spec.key_points, *item.points]))[:3]
        room = site.rooms.get(item.room or "")
        cards.append(
            MachineCard(
                id=item.id,
                name=words.name(item.name),
                class_name=words.name(item.cls.spec.name),
                place=words.name(room.name) if room is not None else "",
                mark=machine_mark(item, alerts, arrivals(item, live), words),
                tone=first.priority.lower() if first is not None and first.priority != "P4" else "",
                word=running_word(item, live, words),
                values=tuple(value_view(site, item, p, live, words, by_point) for p in points if p in item.points),
            )
        )
    return PlantPage(system, system_name(system, words), tuple(cards))
