"""Tables of findings, alerts and tickets; `facility.database` has the migrations that make them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from facility.database import Base, Identity, Microseconds
from facility.database.base import IDENTITY_TYPE


class FindingRow(Base):
    """One episode of a finding: from when it was first found to when it was last seen."""

    __tablename__ = "findings"

    id: Mapped[Identity]
    cause: Mapped[str] = mapped_column(index=True)
    code: Mapped[str]
    equipment: Mapped[str]
    points: Mapped[list[str]]
    verdict: Mapped[str]
    summary_zh: Mapped[str]
    summary_en: Mapped[str]
    evidence: Mapped[dict[str, Any]]
    since_us: Mapped[Microseconds]
    found_us: Mapped[Microseconds] = mapped_column(index=True)
    last_seen_us: Mapped[Microseconds]
    ended_us: Mapped[Microseconds | None]
    confidence: Mapped[float]
    cost_per_day: Mapped[float | None]
    waste: Mapped[dict[str, Any] | None]
    advice_zh: Mapped[list[str]]
    advice_en: Mapped[list[str]]
    priority: Mapped[str]
    source: Mapped[str]
    standard: Mapped[str]

    __table_args__ = (Index(None, "equipment", "found_us"),)


class AlertRow(Base):
    """One episode of a limit, all its tiers: from firing to resolved, and who has seen it."""

    __tablename__ = "alerts"

    id: Mapped[Identity]
    finding_id: Mapped[int] = mapped_column(IDENTITY_TYPE, ForeignKey("findings.id"))
    cause: Mapped[str]
    equipment: Mapped[str]
    limit_id: Mapped[str]
    priority: Mapped[str]
    life_safety: Mapped[bool]
    state: Mapped[str]
    title_zh: Mapped[str]
    title_en: Mapped[str]
    place: Mapped[dict[str, Any]]
    tiers: Mapped[list[dict[str, Any]]]
    value: Mapped[float | None]
    unit: Mapped[str]
    threshold: Mapped[float | None]
    peak: Mapped[float | None]
    started_us: Mapped[Microseconds]
    fired_us: Mapped[Microseconds] = mapped_column(index=True)
    unknown_us: Mapped[Microseconds | None]
    acknowledged_us: Mapped[Microseconds | None]
    acknowledged_by: Mapped[str | None]
    acknowledged_name: Mapped[str | None]
    resolved_us: Mapped[Microseconds | None]
    resolved_value: Mapped[float | None]

    __table_args__ = (
        Index(
            "uq_alerts_open_cause", "cause", unique=True,
            sqlite_where=text("resolved_us IS NULL"), postgresql_where=text("resolved_us IS NULL"),
        ),
        Index(None, "equipment", "fired_us"),
    )  # fmt: skip


class TicketRow(Base):
    """Work on one cause, until a person says how it was resolved."""

    __tablename__ = "tickets"

    id: Mapped[Identity]
    number: Mapped[str] = mapped_column(unique=True)
    cause: Mapped[str]
    finding_id: Mapped[int | None] = mapped_column(IDENTITY_TYPE, ForeignKey("findings.id"))
    alert_id: Mapped[int | None] = mapped_column(IDENTITY_TYPE, ForeignKey("alerts.id"))
    equipment: Mapped[str]
    title_zh: Mapped[str]
    title_en: Mapped[str]
    priority: Mapped[str]
    state: Mapped[str]
    assignee: Mapped[str | None]
    created_us: Mapped[Microseconds] = mapped_column(index=True)
    created_by: Mapped[str]
    closed_us: Mapped[Microseconds | None]
    closed_by: Mapped[str | None]
    resolution: Mapped[str | None]
    occurred_us: Mapped[Microseconds]
    checklist: Mapped[list[dict[str, Any]]]

    __table_args__ = (
        Index(
            "uq_tickets_open_cause", "cause", unique=True,
            sqlite_where=text("closed_us IS NULL"), postgresql_where=text("closed_us IS NULL"),
        ),
        Index(None, "equipment", "created_us"),
    )  # fmt: skip


class TicketEventRow(Base):
    """One line of a ticket's history; lines are added, never changed."""

    __tablename__ = "ticket_events"

    id: Mapped[Identity]
    ticket_id: Mapped[int] = mapped_column(IDENTITY_TYPE, ForeignKey("tickets.id"), index=True)
    at_us: Mapped[Microseconds]
    who: Mapped[str]
    kind: Mapped[str]
    text: Mapped[str]
