"""Create the first tables: findings, alerts, tickets, quarantine, people, audit and settings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _identity() -> sa.Column[int]:
    return sa.Column("id", _ID, primary_key=True, autoincrement=True)


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def _time(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=null)


def _number(name: str, *, null: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Double(), nullable=null)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def _json(name: str, *, null: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.JSON(), nullable=null)


def _link(name: str, target: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, _ID, sa.ForeignKey(target), nullable=null)


def upgrade() -> None:
    """Create all tables."""
    _create_findings()
    _create_alerts()
    _create_tickets()
    _create_quarantine()
    _create_people()
    op.create_table("settings", sa.Column("key", sa.Text(), primary_key=True), _json("value"))


def _create_findings() -> None:
    op.create_table(
        "findings",
        _identity(),
        _text("cause"),
        _text("code"),
        _text("equipment"),
        _json("points"),
        _text("verdict"),
        _text("summary_zh"),
        _text("summary_en"),
        _json("evidence"),
        _time("since_us"),
        _time("found_us"),
        _time("last_seen_us"),
        _time("ended_us", null=True),
        _number("confidence"),
        _number("cost_per_day", null=True),
        _json("waste", null=True),
        _json("advice_zh"),
        _json("advice_en"),
        _text("priority"),
        _text("source"),
        _text("standard"),
    )
    op.create_index("ix_findings_cause", "findings", ["cause"])
    op.create_index("ix_findings_equipment_found_us", "findings", ["equipment", "found_us"])
    op.create_index("ix_findings_found_us", "findings", ["found_us"])


def _create_alerts() -> None:
    op.create_table(
        "alerts",
        _identity(),
        _link("finding_id", "findings.id"),
        _text("cause"),
        _text("equipment"),
        _text("limit_id"),
        _text("priority"),
        _flag("life_safety"),
        _text("state"),
        _text("title_zh"),
        _text("title_en"),
        _json("place"),
        _json("tiers"),
        _number("value", null=True),
        _text("unit"),
        _number("threshold", null=True),
        _number("peak", null=True),
        _time("started_us"),
        _time("fired_us"),
        _time("unknown_us", null=True),
        _time("acknowledged_us", null=True),
        _text("acknowledged_by", null=True),
        _text("acknowledged_name", null=True),
        _time("resolved_us", null=True),
        _number("resolved_value", null=True),
    )
    op.create_index(
        "uq_alerts_open_cause",
        "alerts",
        ["cause"],
        unique=True,
        sqlite_where=sa.text("resolved_us IS NULL"),
        postgresql_where=sa.text("resolved_us IS NULL"),
    )
    op.create_index("ix_alerts_equipment_fired_us", "alerts", ["equipment", "fired_us"])
    op.create_index("ix_alerts_fired_us", "alerts", ["fired_us"])


def _create_tickets() -> None:
    op.create_table(
        "tickets",
        _identity(),
        sa.Column("number", sa.Text(), nullable=False, unique=True),
        _text("cause"),
        _link("finding_id", "findings.id", null=True),
        _link("alert_id", "alerts.id", null=True),
        _text("equipment"),
        _text("title_zh"),
        _text("title_en"),
        _text("priority"),
        _text("state"),
        _text("assignee", null=True),
        _time("created_us"),
        _text("created_by"),
        _time("closed_us", null=True),
        _text("closed_by", null=True),
        _text("resolution", null=True),
        _time("occurred_us"),
        _json("checklist"),
    )
    op.create_index(
        "uq_tickets_open_cause",
        "tickets",
        ["cause"],
        unique=True,
        sqlite_where=sa.text("closed_us IS NULL"),
        postgresql_where=sa.text("closed_us IS NULL"),
    )
    op.create_index("ix_tickets_equipment_created_us", "tickets", ["equipment", "created_us"])
    op.create_index("ix_tickets_created_us", "tickets", ["created_us"])
    op.create_table(
        "ticket_events",
        _identity(),
        _link("ticket_id", "tickets.id"),
        _time("at_us"),
        _text("who"),
        _text("kind"),
        _text("text"),
    )
    op.create_index("ix_ticket_events_ticket_id", "ticket_events", ["ticket_id"])


def _create_quarantine() -> None:
    op.create_table(
        "quarantine",
        _identity(),
        _text("topic"),
        _text("reason"),
        _text("detail"),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        _count("payload_size"),
        sa.Column("sample_key", sa.Text(), nullable=False, unique=True),
        _time("first_us"),
        _time("last_us"),
        _count("count"),
        _text("gateway", null=True),
        _time("replayed_us", null=True),
    )
    op.create_index("ix_quarantine_last_us", "quarantine", ["last_us"])
    op.create_index("ix_quarantine_reason", "quarantine", ["reason"])


def _create_people() -> None:
    op.create_table(
        "users",
        _identity(),
        sa.Column("name", sa.Text(), nullable=False, unique=True),
        _text("display_name"),
        _text("password_hash"),
        _text("role"),
        _text("language"),
        _time("created_us"),
        _flag("disabled"),
        _flag("must_change"),
    )
    op.create_table(
        "login_sessions",
        sa.Column("token_hash", sa.Text(), primary_key=True),
        _link("user_id", "users.id"),
        _text("csrf"),
        _time("created_us"),
        _time("last_seen_us"),
        _time("expires_us"),
        _text("user_agent"),
    )
    op.create_index("ix_login_sessions_user_id", "login_sessions", ["user_id"])
    op.create_table(
        "api_tokens",
        _identity(),
        _link("user_id", "users.id"),
        _text("name"),
        sa.Column("token_hash", sa.Text(), nullable=False, unique=True),
        _text("prefix"),
        _text("role"),
        _time("created_us"),
        _time("last_used_us", null=True),
        _time("revoked_us", null=True),
    )
    op.create_index("ix_api_tokens_user_id", "api_tokens", ["user_id"])
    op.create_table(
        "audit",
        _identity(),
        _time("at_us"),
        _text("who"),
        _text("action"),
        _text("subject"),
        _json("detail"),
        _text("previous_hash"),
        _text("hash"),
    )
    op.create_index("ix_audit_at_us", "audit", ["at_us"])


def downgrade() -> None:
    """Drop all tables."""
    for table in (
        "audit", "api_tokens", "login_sessions", "users", "quarantine", "ticket_events", "tickets", "alerts",
        "findings", "settings",
    ):  # fmt: skip
        op.drop_table(table)
