"""What people do to alerts and tickets, with its line in the audit trail: for the API and the pages alike."""

from __future__ import annotations

from typing import Any

from analytics.records import Alert, Ticket
from api.context import Context
from api.security import audit
from api.security.logins import Identity


def acknowledge(here: Context, user: Identity, alert_id: int) -> Alert:
    """Note that a person has seen an alert; NoSuchRecord. A second time changes nothing: the first stands."""
    before = here.desk.alert(alert_id)
    alert = here.desk.acknowledge(alert_id, user.name, user.display_name)
    if before is not None and before.acknowledged_us is None:
        _note(here, user, "alert-acknowledged", f"alert {alert_id}", {"cause": alert.cause, "priority": alert.priority})
    return alert


def open_ticket(here: Context, user: Identity, finding_id: int) -> Ticket:
    """Open a ticket for a finding, or return the one that is open for its cause; NoSuchRecord."""
    ticket = here.desk.open_ticket(finding_id, user.name)
    _note(here, user, "ticket-opened", f"ticket {ticket.number}", {"finding": finding_id})
    return ticket


def new_ticket(here: Context, user: Identity, equipment: str, title: str, priority: str, text: str) -> Ticket:
    """Open a ticket for something that a person has seen; ActionRefused."""
    ticket = here.desk.new_ticket(equipment, title, user.name, priority=priority, text=text)
    _note(here, user, "ticket-opened", f"ticket {ticket.number}", {"equipment": equipment, "title": title})
    return ticket


def assign(here: Context, user: Identity, ticket_id: int, assignee: str) -> Ticket:
    """Give a ticket to somebody; NoSuchRecord, ActionRefused."""
    ticket = here.desk.assign(ticket_id, assignee, user.name)
    _note(here, user, "ticket-assigned", f"ticket {ticket.number}", {"assignee": ticket.assignee})
    return ticket


def comment(here: Context, user: Identity, ticket_id: int, text: str) -> Ticket:
    """Write a line into a ticket's history; NoSuchRecord, ActionRefused."""
    ticket = here.desk.comment(ticket_id, text, user.name)
    _note(here, user, "ticket-commented", f"ticket {ticket.number}", {"text": text.strip()})
    return ticket


def check_step(here: Context, user: Identity, ticket_id: int, step: int, done: bool) -> Ticket:
    """Tick a step of a ticket's check-list, counted from 0, or take the tick away; NoSuchRecord, ActionRefused."""
    ticket = here.desk.check_step(ticket_id, step, user.name, done=done)
    _note(here, user, "ticket-step", f"ticket {ticket.number}", {"step": step, "done": done})
    return ticket


def close(here: Context, user: Identity, ticket_id: int, resolution: str) -> Ticket:
    """Close a ticket with what was done; NoSuchRecord, ActionRefused. The first resolution stands."""
    before = here.desk.ticket(ticket_id)
    ticket = here.desk.close(ticket_id, resolution, user.name)
    if before is not None and before.closed_us is None:
        _note(here, user, "ticket-closed", f"ticket {ticket.number}", {"resolution": ticket.resolution})
    return ticket


def _note(here: Context, user: Identity, action: str, subject: str, detail: dict[str, Any]) -> None:
    with here.database.session() as session:
        audit.record(session, here.clock(), user.name, action, subject, detail | {"by": user.by})
