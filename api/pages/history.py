"""What has happened at a machine: its alerts and tickets, newest first."""

from __future__ import annotations

from dataclasses import dataclass

from analytics.records import Alert, Ticket
from api.pages import times
from api.pages.marks import Mark
from api.pages.sources import Sources
from api.pages.wording import mark_of, state_of, what_of
from api.pages.words import Words
from facility.formats import duration


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """An alert, a ticket or a finding of this machine."""

    mark: Mark
    when: str
    what: str
    number: str
    detail: str
    href: str


def ticket_mark(words: Words) -> Mark:
    """Return the mark of a ticket."""
    return Mark("tk", words("ticket"))


@dataclass(frozen=True, slots=True)
class Entry:
    """An alert or a ticket in a machine's history: one of the two is set."""

    at_us: int
    alert: Alert | None = None
    ticket: Ticket | None = None


def history_of(sources: Sources, equipment: str) -> list[Entry]:
    """Return a machine's alerts and tickets, newest first."""
    entries = [Entry(a.started_us, alert=a) for a in sources.desk.desk.alerts(equipment=equipment, limit=200)]
    entries += [Entry(t.created_us, ticket=t) for t in sources.desk.desk.tickets(equipment=equipment, limit=50)]
    return sorted(entries, key=lambda e: e.at_us, reverse=True)


def history_line(sources: Sources, entry: Entry, now_us: int, words: Words) -> HistoryLine:
    """Return one line of a machine's history."""
    when = times.when(entry.at_us, now_us, sources.site.time_zone)
    if entry.ticket is not None:
        t = entry.ticket
        title = words.either(t.title_zh, t.title_en)
        return HistoryLine(
            ticket_mark(words), when, title, t.number, ticket_state(sources, t, words), f"/tickets/{t.id}"
        )
    alert = entry.alert
    assert alert is not None
    if alert.resolved_us is not None:
        detail = words("cleared after %(time)s", time=duration(alert.resolved_us - alert.started_us, words.language))
    else:
        detail = state_of(sources, alert, now_us, words)
    mark = mark_of(alert, words)
    return HistoryLine(mark, when, what_of(sources, alert, words), "", detail, f"/alerts/{alert.id}")


def ticket_state(sources: Sources, ticket: Ticket, words: Words) -> str:
    """Return how far a ticket is, in words."""
    if ticket.state == "closed":
        return words("closed")
    return words("with %(who)s", who=sources.desk.called(ticket.assignee)) if ticket.assignee else words("nobody on it")
