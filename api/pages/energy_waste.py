"""Waste by money a day: what was found, what it has cost this month, and who is on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from analytics.records import StoredFinding, Ticket
from api.pages.sources import Sources
from api.pages.wording import machine_name, without_machine
from api.pages.words import Words
from facility.calendar import day_of, month_bounds_us
from facility.formats import number

WASTE_SHOWN: Final = 12
_DAY_US: Final = 86_400_000_000


@dataclass(frozen=True, slots=True)
class WasteRow:
    """A finding that costs money."""

    title: str
    where: str
    href: str
    money: str
    share: float
    so_far: str
    sure: str
    who: str
    nobody: bool
    ticket: str
    ticket_href: str
    state: str


def wasting(sources: Sources) -> list[StoredFinding]:
    """Return the open findings that cost money, the costliest first."""
    found = [f for f in sources.desk.open_findings() if f.cost_per_day and f.verdict == "fault"]
    return sorted(found, key=lambda f: -(f.cost_per_day or 0.0))


def so_far(finding: StoredFinding, sources: Sources, now_us: int) -> float:
    """Return what a finding has cost this month, at its cost a day."""
    zone = sources.site.time_zone
    month_us, _ = month_bounds_us(day_of(now_us, zone), zone)
    return (finding.cost_per_day or 0.0) * max(0, now_us - max(finding.since_us, month_us)) / _DAY_US


def waste_rows(sources: Sources, words: Words, wasting: Sequence[StoredFinding], now_us: int) -> tuple[WasteRow, ...]:
    """Return the costliest findings as lines, each with who is on it."""
    tickets = sources.desk.open_tickets()
    most = max((f.cost_per_day or 0.0 for f in wasting), default=1.0)
    return tuple(_waste_row(sources, words, f, tickets, most, now_us) for f in wasting[:WASTE_SHOWN])


def _waste_row(
    sources: Sources, words: Words, finding: StoredFinding, tickets: Sequence[Ticket], most: float, now_us: int
) -> WasteRow:
    ticket = next((t for t in tickets if t.finding_id == finding.id and t.state != "closed"), None)
    where = machine_name(sources, finding.equipment, words)
    href = f"/tickets/{ticket.id}" if ticket is not None else f"/plant/{finding.equipment}"
    state = ""
    if ticket is not None:
        state = words("in work") if ticket.assignee else words("waits for somebody")
    return WasteRow(
        title=without_machine(words.either(finding.summary_zh, finding.summary_en), where),
        where=where,
        href=href,
        money=number(finding.cost_per_day or 0.0, 0),
        share=round(100 * (finding.cost_per_day or 0.0) / most, 1),
        so_far=number(so_far(finding, sources, now_us), 0),
        sure=number(finding.confidence, 2),
        who=sources.desk.called(ticket.assignee) if ticket is not None else "",
        nobody=ticket is None or not ticket.assignee,
        ticket=ticket.number if ticket is not None else "",
        ticket_href=f"/tickets/{ticket.id}" if ticket is not None else "",
        state=state,
    )
