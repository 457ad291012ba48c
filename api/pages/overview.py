"""The overview: one row a system in an order that never changes, life safety in a strip of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from analytics.records import Alert, StoredFinding, Ticket
from api.pages import times
from api.pages.curves import Spark
from api.pages.life_safety import LifeCard, life_cards
from api.pages.marks import RANK, Mark, is_acknowledged
from api.pages.plant import arrivals, by_equipment, by_machine_behind, machine_mark, systems_present, total
from api.pages.sources import Live, Sources
from api.pages.system_rows import SystemRow, system_row
from api.pages.values import (
    ValueView,
    alerts_by_point,
    scale_of,
    value_view,
)
from api.pages.wording import machine_name, mark_of, money_a_day, state_of, title_of, value_of, without_machine
from api.pages.words import Words
from facility.formats import money, number
from facility.site import Equipment, Site

WASTE_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class AlertLine:
    """An alert in the side card."""

    id: int
    mark: Mark
    title: str
    detail: str
    number: str
    unit: str
    plate: str
    age: str
    loud: bool  # a P1 that nobody has taken

    @property
    def href(self) -> str:
        """Return the alert's page."""
        return f"/alerts/{self.id}"


@dataclass(frozen=True, slots=True)
class WasteLine:
    """A finding that costs money every day."""

    id: int
    title: str
    where: str
    who: str
    nobody: bool
    money: str
    unit: str
    href: str


@dataclass(frozen=True, slots=True)
class RoomLine:
    """A machine in its room, with its first value."""

    name: str
    mark: Mark | None
    value: ValueView | None
    href: str


@dataclass(frozen=True, slots=True)
class RoomCard:
    """A plant room with its machines."""

    id: str
    name: str
    place: str
    lines: tuple[RoomLine, ...]


@dataclass(frozen=True, slots=True)
class OverviewPage:
    """Everything of the overview."""

    rooms: tuple[RoomCard, ...]
    life: tuple[LifeCard, ...]
    rows: tuple[SystemRow, ...]
    alerts: tuple[AlertLine, ...]
    alerts_note: str
    alerts_empty: str
    waste: tuple[WasteLine, ...]
    waste_note: str
    waste_empty: str


def overview(sources: Sources, words: Words, live: Live, sparks: Mapping[str, Spark]) -> OverviewPage:
    """
    Build the overview.

    `sparks` holds the curves that `day_curves` drew, by `equipment/point`; they change by the minute, the rest by the
    second.
    """
    site = sources.site
    alerts = sources.desk.open_alerts()
    of_machine, of_gateway = by_equipment(alerts), by_machine_behind(alerts, site)
    tickets = sources.desk.open_tickets()
    wasting = _wasting(sources)
    return OverviewPage(
        rooms=_rooms(sources, live, words, of_machine),
        life=life_cards(sources, live, words, of_machine),
        rows=tuple(
            system_row(sources, system, machines, live, words, of_machine, of_gateway, sparks)
            for system, machines in systems_present(site).items()
        ),
        alerts=tuple(alert_line(sources, a, live, words) for a in sort_alerts(alerts)),
        alerts_note=_alerts_note(alerts, words),
        alerts_empty=_nothing_open(sources, live, words),
        waste=tuple(_waste_line(sources, f, tickets, words) for f in wasting[:WASTE_SHOWN]),
        waste_note=_waste_note(sources.site, wasting, words),
        waste_empty=words("No waste found so far. Waste rules judge a day when it is over."),
    )


def sort_alerts(alerts: Sequence[Alert]) -> list[Alert]:
    """Sort alerts as lists show them: by priority, what goes on first, then what nobody has taken, then the newest."""
    return sorted(
        alerts,
        key=lambda a: (RANK.get(a.priority, 9), a.resolved_us is not None, is_acknowledged(a), -a.started_us),
    )


def alert_line(sources: Sources, alert: Alert, live: Live, words: Words) -> AlertLine:
    """Return an alert as one entry of a list."""
    text, unit, plate = value_of(sources, alert, live, words)
    return AlertLine(
        id=alert.id,
        mark=mark_of(alert, words),
        title=title_of(sources, alert, words),
        detail=state_of(sources, alert, live.now_us, words),
        number=text,
        unit=unit,
        plate=plate if alert.resolved_us is None else "",
        age=times.age(alert.started_us, live.now_us, words),
        loud=alert.priority == "P1" and not is_acknowledged(alert),
    )


def _alerts_note(alerts: Sequence[Alert], words: Words) -> str:
    taken = sum(is_acknowledged(a) for a in alerts)
    return words("%(n)s acknowledged", n=taken) if taken else ""


def _nothing_open(sources: Sources, live: Live, words: Words) -> str:
    heard = total(arrivals(item, live) for item in sources.site.equipment.values())
    watched = words(
        "%(systems)s systems and %(points)s points are watched.",
        systems=len(systems_present(sources.site)),
        points=f"{heard.points:,}",
    )
    past = [a for a in sources.desk.recent_alerts() if a.resolved_us is not None]
    if not past:
        return watched
    last = max(a.resolved_us or 0 for a in past)
    closed = words("The last alert cleared at %(time)s.", time=times.when(last, live.now_us, sources.site.time_zone))
    return words.in_context("sentences", "%(first)s %(second)s", first=watched, second=closed)


def _telling_point(item: Equipment, alerts: Mapping[str, Alert]) -> str | None:
    """Return the one value that stands for a machine: the one in alarm, else a key point that can be drawn."""
    known = [p for p in (*alerts, *item.cls.spec.key_points, *item.points) if p in item.points]
    return next((p for p in known if p in alerts or scale_of(item, p) is not None), next(iter(known), None))


def _rooms(
    sources: Sources, live: Live, words: Words, of_machine: Mapping[str, Sequence[Alert]]
) -> tuple[RoomCard, ...]:
    site = sources.site
    cards: list[RoomCard] = []
    for room in site.rooms.values():
        machines = site.in_room(room.id)
        if not machines:
            continue
        building = site.buildings.get(room.building or "")
        lines: list[RoomLine] = []
        for item in machines:
            alerts = of_machine.get(item.id, ())
            by_point = alerts_by_point(item, alerts, live)
            point = _telling_point(item, by_point)
            lines.append(
                RoomLine(
                    name=words.name(item.name),
                    mark=machine_mark(item, alerts, arrivals(item, live), words),
                    value=value_view(site, item, point, live, words, by_point) if point is not None else None,
                    href=f"/plant/{item.id}",
                )
            )
        place = words.name(building.name) if building is not None else ""
        cards.append(RoomCard(room.id, words.name(room.name), place, tuple(lines)))
    return tuple(cards)


def _wasting(sources: Sources) -> list[StoredFinding]:
    found = [f for f in sources.desk.open_findings() if f.cost_per_day and f.verdict == "fault"]
    return sorted(found, key=lambda f: -(f.cost_per_day or 0.0))


def _waste_line(sources: Sources, finding: StoredFinding, tickets: Sequence[Ticket], words: Words) -> WasteLine:
    ticket = next((t for t in tickets if t.finding_id == finding.id and t.state != "closed"), None)
    where = machine_name(sources, finding.equipment, words)
    if ticket is not None and ticket.assignee:
        who, nobody = words("%(who)s is on it", who=sources.desk.called(ticket.assignee)), False
    else:
        who, nobody = words("nobody on it"), True
    return WasteLine(
        id=finding.id,
        title=without_machine(words.either(finding.summary_zh, finding.summary_en), where),
        where=where,
        who=who,
        nobody=nobody,
        money=number(finding.cost_per_day or 0.0, 0),
        unit=money_a_day(sources.site, words),
        href=f"/tickets/{ticket.id}" if ticket is not None else f"/plant/{finding.equipment}",
    )


def _waste_note(site: Site, wasting: Sequence[StoredFinding], words: Words) -> str:
    if not wasting:
        return ""
    total_a_day = money(sum(f.cost_per_day or 0.0 for f in wasting), site.currency, words.language, per_day=True)
    return words.plural("%(n)s finding, %(money)s", "%(n)s findings, %(money)s", len(wasting), money=total_a_day)
