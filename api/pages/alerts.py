"""Alerts: the list by priority, and the page on which somebody decides at three in the morning what to do first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from analytics.records import Alert, StoredFinding, Ticket
from api.pages import times
from api.pages.marks import Mark, is_acknowledged, plain_mark, priority_words, unknown_mark
from api.pages.overview import sort_alerts
from api.pages.sources import ALARMS, Live, Sources
from api.pages.wording import (
    affected_by,
    limit_of,
    machine_href,
    machine_name,
    mark_of,
    money_a_day,
    place_of,
    state_of,
    value_of,
    what_of,
    without_machine,
)
from api.pages.words import Words
from facility.formats import duration, number

Show = Literal["open", "mine", "cleared", "advice"]
SHOWS: Final[tuple[Show, ...]] = ("open", "mine", "cleared", "advice")
CLEARED_SHOWN: Final = 200
DEPARTMENTS_LISTED: Final = 2


@dataclass(frozen=True, slots=True)
class Tab:
    """One list to choose."""

    text: str
    count: int | None
    href: str
    current: bool


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert in the list."""

    id: int
    mark: Mark
    title: str
    where: str
    affects: str
    number: str
    unit: str
    plate: str
    limit: str
    since: str
    age: str
    state: str
    loud: bool
    quiet: bool
    ticket: str
    ticket_href: str

    @property
    def href(self) -> str:
        """Return the alert's page."""
        return f"/alerts/{self.id}"


@dataclass(frozen=True, slots=True)
class AlertGroup:
    """The alerts of one priority."""

    priority: str
    name: str
    rows: tuple[AlertRow, ...]


@dataclass(frozen=True, slots=True)
class AdviceRow:
    """Advice: a finding of priority 4, which interrupts nobody."""

    mark: Mark
    title: str
    where: str
    detail: str
    money: str
    money_unit: str
    href: str


@dataclass(frozen=True, slots=True)
class AlertsPage:
    """The list of alerts."""

    show: Show
    tabs: tuple[Tab, ...]
    groups: tuple[AlertGroup, ...]
    advice: tuple[AdviceRow, ...]
    held_back: tuple[AdviceRow, ...]
    empty: str
    empty_detail: str


def as_show(text: str | None) -> Show:
    """Return the list that an address names; the open ones if it names none."""
    return next((s for s in SHOWS if s == text), "open")


def alerts_page(sources: Sources, words: Words, live: Live, show: Show, who: str | None) -> AlertsPage:
    """Build the list; `who` is the reader's name, for the list of what they have taken."""
    opened = sources.desk.open_alerts()
    mine = [a for a in opened if who is not None and a.acknowledged_by == who]
    advice = [f for f in sources.desk.open_findings() if f.priority == "P4" and f.verdict == "fault"]
    tickets = {t.alert_id: t for t in sources.desk.open_tickets() if t.alert_id is not None}
    listed: Sequence[Alert] = {"open": opened, "mine": mine}.get(show, ())
    if show == "cleared":
        listed = [a for a in sources.desk.recent_alerts() if a.resolved_us is not None][:CLEARED_SHOWN]
    names = {
        "open": (words.in_context("alerts", "Open"), len(opened)),
        "mine": (words("Mine"), len(mine)),
        "cleared": (words("Cleared"), None),
        "advice": (words("Advice"), len(advice)),
    }
    return AlertsPage(
        show=show,
        tabs=tuple(
            Tab(text, count, "/alerts" if key == "open" else f"/alerts?show={key}", key == show)
            for key, (text, count) in names.items()
        ),
        groups=_groups(sources, listed, tickets, live, words, by_priority=show != "cleared"),
        advice=tuple(_advice_row(sources, f, live.now_us, words) for f in advice) if show == "advice" else (),
        held_back=_held_back(sources, live.now_us, words) if show == "open" else (),
        empty=_empty(show, words),
        empty_detail=words("%(points)s points are watched, day and night.", points=f"{len(sources.site.points):,}"),
    )


def _empty(show: Show, words: Words) -> str:
    return {
        "open": words("No open alerts"),
        "mine": words("You have taken no alert that is still open"),
        "cleared": words("No alert has cleared yet"),
        "advice": words("No advice at the moment"),
    }[show]


def _groups(
    sources: Sources,
    alerts: Sequence[Alert],
    tickets: Mapping[int, Ticket],
    live: Live,
    words: Words,
    *,
    by_priority: bool,
) -> tuple[AlertGroup, ...]:
    if not by_priority:
        rows = tuple(_row(sources, a, tickets.get(a.id), live, words) for a in alerts)
        return (AlertGroup("", "", rows),) if rows else ()
    groups: list[AlertGroup] = []
    for priority in ALARMS:
        chosen = sort_alerts([a for a in alerts if a.priority == priority])
        if chosen:
            rows = tuple(_row(sources, a, tickets.get(a.id), live, words) for a in chosen)
            groups.append(AlertGroup(priority, priority_words(priority, words), rows))
    return tuple(groups)


def _row(sources: Sources, alert: Alert, ticket: Ticket | None, live: Live, words: Words) -> AlertRow:
    text, unit, plate = value_of(sources, alert, live, words)
    machine = machine_name(sources, alert.equipment, words)
    over = alert.resolved_us is not None
    lasted = (
        duration((alert.resolved_us or 0) - alert.started_us, words.language)
        if over
        else times.age(alert.started_us, live.now_us, words)
    )
    return AlertRow(
        id=alert.id,
        mark=mark_of(alert, words),
        title=what_of(sources, alert, words),
        where=" · ".join(p for p in (machine, place_of(sources, alert.equipment, words)) if p),
        affects=affected_by(sources, alert, words, most=DEPARTMENTS_LISTED),
        number=text,
        unit=unit,
        plate="" if over else plate,
        limit=limit_of(sources, alert, words),
        since=times.when(alert.started_us, live.now_us, sources.site.time_zone),
        age=words("lasted %(time)s", time=lasted) if over else lasted,
        state=state_of(sources, alert, live.now_us, words),
        loud=alert.priority == "P1" and not is_acknowledged(alert),
        quiet=is_acknowledged(alert),
        ticket=ticket.number if ticket is not None else "",
        ticket_href=f"/tickets/{ticket.id}" if ticket is not None else "",
    )


def _advice_row(sources: Sources, finding: StoredFinding, now_us: int, words: Words) -> AdviceRow:
    since = words("since %(time)s", time=times.when(finding.since_us, now_us, sources.site.time_zone))
    machine = machine_name(sources, finding.equipment, words)
    return AdviceRow(
        mark=plain_mark("P4"),
        title=without_machine(words.either(finding.summary_zh, finding.summary_en), machine),
        where=machine,
        detail=since,
        money=number(finding.cost_per_day, 0) if finding.cost_per_day else "",
        money_unit=money_a_day(sources.site, words),
        href=machine_href(sources, finding.equipment),
    )


def _held_back(sources: Sources, now_us: int, words: Words) -> tuple[AdviceRow, ...]:
    """Return what is not judged, with the reason: unknown must never look like normal."""
    rows: list[AdviceRow] = []
    for finding in sources.desk.open_findings():
        if finding.verdict == "cannot_tell":
            since = words("since %(time)s", time=times.when(finding.since_us, now_us, sources.site.time_zone))
            machine = machine_name(sources, finding.equipment, words)
            said = without_machine(words.either(finding.summary_zh, finding.summary_en), machine)
            rows.append(AdviceRow(unknown_mark(words), said, machine, since, "", "", f"/plant/{finding.equipment}"))
    return tuple(rows)
