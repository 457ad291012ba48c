"""What the desk hands out: findings, alerts and tickets as they stand, detached from the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

AlertState = Literal["firing", "acknowledged", "resolved"]
TicketState = Literal["open", "assigned", "closed"]
TicketEventKind = Literal[
    "opened", "assigned", "commented", "closed", "finding", "escalated", "eased", "cleared", "acknowledged", "step"
]


@dataclass(frozen=True, slots=True)
class StoredFinding:
    """A finding, and how long it has been seen; the fields are those of `Finding`. Times in µs UTC."""

    id: int
    cause: str
    code: str
    equipment: str
    points: tuple[str, ...]
    verdict: str
    summary_zh: str
    summary_en: str
    evidence: Mapping[str, Any]
    since_us: int
    found_us: int
    last_seen_us: int
    ended_us: int | None
    confidence: float
    cost_per_day: float | None
    waste: Mapping[str, Any] | None
    advice_zh: tuple[str, ...]
    advice_en: tuple[str, ...]
    priority: str
    source: str
    standard: str


@dataclass(frozen=True, slots=True)
class Alert:
    """
    An alert as it stands. Times in µs UTC; `started_us`, `fired_us` and `resolved_us` in the time of the data.

    Attributes
    ----------
    limit_id : the worst limit that it stands for, such as `EL-L16/alarm`
    place : building, room, ids of the departments that it affects, and their beds where known
    value, peak : when it fired (or rose to this limit), and the worst since; None for states
    unknown_us : since when nobody can tell whether it still holds, because readings are missing
    """

    id: int
    finding_id: int
    cause: str
    equipment: str
    limit_id: str
    priority: str
    life_safety: bool
    state: str
    title_zh: str
    title_en: str
    place: Mapping[str, Any]
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


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a ticket's check-list, and who has done it when."""

    zh: str
    en: str
    done_us: int | None
    done_by: str | None


@dataclass(frozen=True, slots=True)
class Ticket:
    """
    A ticket as it stands. Times in µs UTC.

    Attributes
    ----------
    occurred_us : when the trouble began, in the time of the data
    former : number of the ticket before, if the same cause had one
    """

    id: int
    number: str
    cause: str
    finding_id: int | None
    alert_id: int | None
    equipment: str
    title_zh: str
    title_en: str
    priority: str
    state: str
    assignee: str | None
    created_us: int
    created_by: str
    closed_us: int | None
    closed_by: str | None
    resolution: str | None
    occurred_us: int
    checklist: tuple[Step, ...]
    former: str | None


@dataclass(frozen=True, slots=True)
class TicketEvent:
    """One line of a ticket's history. What the system writes has no words to translate: numbers, ids and values."""

    id: int
    ticket_id: int
    at_us: int
    who: str
    kind: str
    text: str
