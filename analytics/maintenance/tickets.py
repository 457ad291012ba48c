"""Tickets in the database: one open ticket for one cause, and a history that is only added to."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from analytics.records import TicketEventKind
from analytics.tables import TicketEventRow, TicketRow
from facility.formats import moment
from facility.names import Names

# What the service does by itself stands under this name; no user may take it.
SYSTEM = "wardwatt"
_TRIES = 20


def add_event(session: Session, ticket: TicketRow, at_us: int, who: str, kind: TicketEventKind, text: str = "") -> None:
    """Write one line into a ticket's history."""
    session.add(TicketEventRow(ticket_id=ticket.id, at_us=at_us, who=who, kind=kind, text=text))


def open_ticket_of(session: Session, cause: str) -> TicketRow | None:
    """Return the open ticket of a cause, if there is one."""
    return session.scalar(select(TicketRow).where(TicketRow.cause == cause, TicketRow.closed_us.is_(None)))


def former_ticket_of(session: Session, cause: str, before_id: int | None = None) -> TicketRow | None:
    """Return the newest closed ticket of a cause, older than the ticket `before_id` if given."""
    query = select(TicketRow).where(TicketRow.cause == cause, TicketRow.closed_us.is_not(None))
    if before_id is not None:
        query = query.where(TicketRow.id < before_id)
    return session.scalar(query.order_by(TicketRow.id.desc()).limit(1))


def open_or_update(
    session: Session,
    *,
    cause: str,
    equipment: str,
    title: Names,
    priority: str,
    occurred_us: int,
    checklist: Sequence[Names],
    finding_id: int | None,
    alert_id: int | None,
    who: str,
    now_us: int,
    zone: ZoneInfo,
    note: str,
) -> tuple[TicketRow, bool]:
    """
    Return the open ticket of a cause and whether it is new.

    A ticket that is open already gets a line `finding` with `note`, and the higher of both priorities. A new one names
    the ticket before it, if the cause had one.
    """
    for _ in range(_TRIES):
        ticket = open_ticket_of(session, cause)
        if ticket is not None:
            add_event(session, ticket, now_us, who, "finding", note)
            ticket.priority = min(ticket.priority, priority)
            ticket.alert_id = alert_id or ticket.alert_id
            return ticket, False
        former = former_ticket_of(session, cause)
        ticket = TicketRow(
            number=_next_number(session, now_us, zone), cause=cause, finding_id=finding_id, alert_id=alert_id,
            equipment=equipment, title_zh=title.zh, title_en=title.en, priority=priority, state="open", assignee=None,
            created_us=now_us, created_by=who, closed_us=None, closed_by=None, resolution=None,
            occurred_us=occurred_us,
            checklist=[{"zh": s.zh, "en": s.en, "done_us": None, "done_by": None} for s in checklist],
        )  # fmt: skip
        try:
            # Another process may have taken the number, or opened the ticket, since we looked.
            with session.begin_nested():
                session.add(ticket)
        except IntegrityError:
            continue
        add_event(session, ticket, now_us, who, "opened", former.number if former else "")
        return ticket, True
    raise RuntimeError(f"no ticket number could be taken for {cause!r} in {_TRIES} tries")


def _next_number(session: Session, now_us: int, zone: ZoneInfo) -> str:
    prefix = moment(now_us, zone).strftime("WO-%y%m%d-")
    numbers = session.scalar(
        select(TicketRow.number)
        .where(TicketRow.number.startswith(prefix))
        # The thousandth ticket of a day has a digit more, and must not sort before the others.
        .order_by(func.length(TicketRow.number).desc(), TicketRow.number.desc())
        .limit(1)
    )
    return f"{prefix}{int(numbers[len(prefix) :]) + 1 if numbers else 1:03d}"
