"""Findings, alerts and tickets: lists for everybody, actions for operators."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from analytics.desk import ALERT, FINDING, TICKET, no_such
from analytics.records import Alert, StoredFinding, Ticket, TicketEvent
from api import actions
from api.context import Context, context_of
from api.errors import bad_request
from api.routes.plant import find_equipment
from api.security.access import require
from api.security.logins import Identity
from facility.equipment_classes import Priority
from facility.names import Names

router = APIRouter(prefix="/api/v1", tags=["desk"])

Here = Annotated[Context, Depends(context_of)]
Operator = Annotated[Identity, Depends(require("operator"))]
Id = Annotated[int, Path(ge=1, le=2**63 - 1)]
Limit = Annotated[int, Query(ge=1, le=1000, description="how many at most")]
OfEquipment = Annotated[str | None, Query(description="only of this equipment")]


class FindingOut(BaseModel):
    """A finding: what was found on which evidence, and what to do. Times in µs UTC."""

    id: int
    cause: str
    code: str
    equipment: str
    points: list[str]
    verdict: str
    summary: Names
    evidence: dict[str, Any]
    since_us: int
    found_us: int
    last_seen_us: int
    ended_us: int | None
    confidence: float
    cost_per_day: float | None
    waste: dict[str, Any] | None
    advice: list[Names]
    priority: str
    source: str
    standard: str


class FindingsOut(BaseModel):
    """Findings, newest first."""

    findings: list[FindingOut]


class AlertOut(BaseModel):
    """An alert as it stands. Times in µs UTC, those of the data for started, fired and resolved."""

    id: int
    finding_id: int
    cause: str
    equipment: str
    limit_id: str
    priority: str
    life_safety: bool
    state: str
    title: Names
    place: dict[str, Any]
    value: float | None
    unit: str
    threshold: float | None
    peak: float | None
    started_us: int
    fired_us: int
    unknown_us: int | None
    acknowledged_us: int | None
    acknowledged_by: str | None
    acknowledged_name: str | None
    resolved_us: int | None
    resolved_value: float | None


class AlertsOut(BaseModel):
    """Alerts; the open ones worst first, else newest first."""

    alerts: list[AlertOut]


class StepOut(BaseModel):
    """One step of a check-list, and who has done it when."""

    text: Names
    done_us: int | None
    done_by: str | None


class TicketOut(BaseModel):
    """A ticket as it stands. Times in µs UTC; `occurred_us` is the time of the trouble in the data."""

    id: int
    number: str
    cause: str
    finding_id: int | None
    alert_id: int | None
    equipment: str
    title: Names
    priority: str
    state: str
    assignee: str | None
    created_us: int
    created_by: str
    closed_us: int | None
    closed_by: str | None
    resolution: str | None
    occurred_us: int
    checklist: list[StepOut]
    former: str | None


class TicketsOut(BaseModel):
    """Tickets, newest first."""

    tickets: list[TicketOut]


class TicketEventOut(BaseModel):
    """One line of a ticket's history."""

    model_config = ConfigDict(from_attributes=True)

    at_us: int
    who: str
    kind: str
    text: str


class TicketWithHistoryOut(TicketOut):
    """A ticket with its history, oldest line first."""

    history: list[TicketEventOut]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewTicketIn(_In):
    """A ticket for a finding, or for something that a person has seen: then `equipment` and `title`."""

    finding: int | None = Field(default=None, ge=1, le=2**63 - 1)
    equipment: str | None = Field(default=None, max_length=200)
    title: str | None = Field(default=None, max_length=200)
    priority: Priority = "P3"
    text: str = Field(default="", max_length=4000)


class AssignIn(_In):
    """Who is to do it."""

    assignee: str = Field(min_length=1, max_length=200)


class CommentIn(_In):
    """What to write into the history."""

    text: str = Field(min_length=1, max_length=4000)


class CloseIn(_In):
    """What was done."""

    resolution: str = Field(min_length=1, max_length=4000)


class StepIn(_In):
    """Whether the step is done."""

    done: bool = True


@router.get("/findings")
def findings(
    here: Here,
    equipment: OfEquipment = None,
    verdict: Literal["fault", "healthy", "cannot_tell"] | None = None,
    active: Annotated[bool | None, Query(description="only those that have not ended, or only those that have")] = None,
    limit: Limit = 100,
) -> FindingsOut:
    """List findings, newest first."""
    _check_equipment(here, equipment)
    found = here.desk.findings(equipment=equipment, verdict=verdict, active=active, limit=limit)
    return FindingsOut(findings=[finding_out(f) for f in found])


@router.get("/findings/{finding}")
def finding(here: Here, finding: Id) -> FindingOut:
    """Give one finding with its evidence."""
    found = here.desk.finding(finding)
    if found is None:
        raise no_such(FINDING, finding)
    return finding_out(found)


@router.get("/alerts")
def alerts(
    here: Here,
    state: Annotated[
        Literal["open", "firing", "acknowledged", "resolved"] | None,
        Query(description="open: all that still want attention, however old; worst first"),
    ] = None,
    equipment: OfEquipment = None,
    limit: Limit = 100,
) -> AlertsOut:
    """List alerts."""
    _check_equipment(here, equipment)
    if state == "open":
        found = [a for a in here.desk.open_alerts() if equipment in (None, a.equipment)][:limit]
    else:
        found = here.desk.alerts(equipment=equipment, state=state, limit=limit)
    return AlertsOut(alerts=[alert_out(a) for a in found])


@router.get("/alerts/{alert}")
def alert(here: Here, alert: Id) -> AlertOut:
    """Give one alert."""
    found = here.desk.alert(alert)
    if found is None:
        raise no_such(ALERT, alert)
    return alert_out(found)


@router.post("/alerts/{alert}/acknowledge")
def acknowledge(here: Here, user: Operator, alert: Id) -> AlertOut:
    """Say that I have seen an alert and take care of it; a second time changes nothing."""
    return alert_out(actions.acknowledge(here, user, alert))


@router.get("/tickets")
def tickets(
    here: Here,
    state: Literal["open", "assigned", "closed"] | None = None,
    equipment: OfEquipment = None,
    limit: Limit = 100,
) -> TicketsOut:
    """List tickets, newest first."""
    _check_equipment(here, equipment)
    found = here.desk.tickets(equipment=equipment, state=state, limit=limit)
    return TicketsOut(tickets=[ticket_out(t) for t in found])


@router.get("/tickets/{ticket}")
def ticket(here: Here, ticket: Id) -> TicketWithHistoryOut:
    """Give one ticket with its history."""
    found = here.desk.ticket(ticket)
    if found is None:
        raise no_such(TICKET, ticket)
    return _with_history(here, found)


@router.post("/tickets", status_code=201)
def open_ticket(here: Here, user: Operator, wanted: NewTicketIn) -> TicketWithHistoryOut:
    """Open a ticket for a finding (if its cause has one already, that one is returned), or for what I have seen."""
    if (wanted.finding is None) == (wanted.equipment is None or wanted.title is None):
        raise bad_request(
            "bad-ticket",
            "A ticket is for a finding, or for something seen at a machine.",
            'Send {"finding": 17}, or {"equipment": "tx1", "title": "…"}.',
        )
    if wanted.finding is not None:
        return _with_history(here, actions.open_ticket(here, user, wanted.finding))
    equipment = find_equipment(here.site, wanted.equipment or "")
    made = actions.new_ticket(here, user, equipment.id, wanted.title or "", wanted.priority, wanted.text)
    return _with_history(here, made)


@router.post("/tickets/{ticket}/assign")
def assign(here: Here, user: Operator, ticket: Id, wanted: AssignIn) -> TicketWithHistoryOut:
    """Give a ticket to somebody."""
    return _with_history(here, actions.assign(here, user, ticket, wanted.assignee))


@router.post("/tickets/{ticket}/comment")
def comment(here: Here, user: Operator, ticket: Id, wanted: CommentIn) -> TicketWithHistoryOut:
    """Write a line into a ticket's history, closed or not."""
    return _with_history(here, actions.comment(here, user, ticket, wanted.text))


@router.post("/tickets/{ticket}/steps/{step}")
def check_step(
    here: Here, user: Operator, ticket: Id, step: Annotated[int, Path(ge=0, le=1000)], wanted: StepIn
) -> TicketWithHistoryOut:
    """Tick a step of the check-list, counted from 0, or take the tick away."""
    return _with_history(here, actions.check_step(here, user, ticket, step, wanted.done))


@router.post("/tickets/{ticket}/close")
def close(here: Here, user: Operator, ticket: Id, wanted: CloseIn) -> TicketWithHistoryOut:
    """Close a ticket with what was done; the first resolution stands."""
    return _with_history(here, actions.close(here, user, ticket, wanted.resolution))


def finding_out(found: StoredFinding) -> FindingOut:
    """Return a finding as it is sent."""
    return FindingOut(
        id=found.id,
        cause=found.cause,
        code=found.code,
        equipment=found.equipment,
        points=list(found.points),
        verdict=found.verdict,
        summary=Names(zh=found.summary_zh, en=found.summary_en),
        evidence=dict(found.evidence),
        since_us=found.since_us,
        found_us=found.found_us,
        last_seen_us=found.last_seen_us,
        ended_us=found.ended_us,
        confidence=found.confidence,
        cost_per_day=found.cost_per_day,
        waste=dict(found.waste) if found.waste is not None else None,
        advice=[Names(zh=zh, en=en) for zh, en in zip(found.advice_zh, found.advice_en, strict=True)],
        priority=found.priority,
        source=found.source,
        standard=found.standard,
    )


def alert_out(found: Alert) -> AlertOut:
    """Return an alert as it is sent."""
    return AlertOut(
        id=found.id,
        finding_id=found.finding_id,
        cause=found.cause,
        equipment=found.equipment,
        limit_id=found.limit_id,
        priority=found.priority,
        life_safety=found.life_safety,
        state=found.state,
        title=Names(zh=found.title_zh, en=found.title_en),
        place=dict(found.place),
        value=found.value,
        unit=found.unit,
        threshold=found.threshold,
        peak=found.peak,
        started_us=found.started_us,
        fired_us=found.fired_us,
        unknown_us=found.unknown_us,
        acknowledged_us=found.acknowledged_us,
        acknowledged_by=found.acknowledged_by,
        acknowledged_name=found.acknowledged_name,
        resolved_us=found.resolved_us,
        resolved_value=found.resolved_value,
    )


def ticket_out(found: Ticket) -> TicketOut:
    """Return a ticket as it is sent."""
    return TicketOut(**_ticket_fields(found))


def _with_history(here: Context, found: Ticket) -> TicketWithHistoryOut:
    history: list[TicketEvent] = here.desk.ticket_events(found.id)
    return TicketWithHistoryOut(
        **_ticket_fields(found), history=[TicketEventOut.model_validate(line) for line in history]
    )


def _ticket_fields(found: Ticket) -> dict[str, Any]:
    return {
        "id": found.id,
        "number": found.number,
        "cause": found.cause,
        "finding_id": found.finding_id,
        "alert_id": found.alert_id,
        "equipment": found.equipment,
        "title": Names(zh=found.title_zh, en=found.title_en),
        "priority": found.priority,
        "state": found.state,
        "assignee": found.assignee,
        "created_us": found.created_us,
        "created_by": found.created_by,
        "closed_us": found.closed_us,
        "closed_by": found.closed_by,
        "resolution": found.resolution,
        "occurred_us": found.occurred_us,
        "checklist": [
            StepOut(text=Names(zh=step.zh, en=step.en), done_us=step.done_us, done_by=step.done_by)
            for step in found.checklist
        ],
        "former": found.former,
    }


def _check_equipment(here: Context, equipment: str | None) -> None:
    # A machine that was taken off the site may still have its records, but a slip of the pen has none.
    if equipment is not None and equipment not in here.site.equipment:
        known = here.desk.findings(equipment=equipment, limit=1) or here.desk.tickets(equipment=equipment, limit=1)
        if not known:
            find_equipment(here.site, equipment)
