"""Keep the energy accounts: daily figures, statements, restatements, hand readings and meter exchanges."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _identity() -> sa.Column[int]:
    return sa.Column("id", _ID, primary_key=True, autoincrement=True)


def _text(name: str, *, null: bool = False, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null, primary_key=key)


def _time(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=null)


def _number(name: str, *, null: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Double(), nullable=null)


def _json(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.JSON(), nullable=False)


def upgrade() -> None:
    """Create the tables."""
    _create_ledger()
    _create_statements()
    for table, values in (
        ("energy_hand_readings", ["value"]),
        ("energy_exchanges", ["end_value", "start_value"]),
    ):
        op.create_table(
            table,
            _identity(),
            _text("register"),
            _time("at_us"),
            *[_number(name) for name in values],
            _text("note"),
            _time("entered_us"),
            _text("entered_by"),
            _time("withdrawn_us", null=True),
            _text("withdrawn_by", null=True),
        )
        op.create_index(f"ix_{table}_register_at_us", table, ["register", "at_us"])


def _create_ledger() -> None:
    op.create_table(
        "energy_registers",
        _text("register", key=True),
        _text("unit"),
        _text("definition"),
        _time("booked_us"),
        _json("events"),
    )
    op.create_table(
        "energy_days",
        _text("register", key=True),
        _text("day", key=True),
        _number("amount", null=True),
        _number("measured"),
        _number("estimated"),
        _number("missing"),
        sa.Column("readings", sa.Integer(), nullable=False),
        _time("signature"),
        _time("booked_us"),
    )
    op.create_index("ix_energy_days_day", "energy_days", ["day"])
    op.create_table(
        "energy_restatements",
        _identity(),
        _text("kind"),
        _text("subject"),
        _text("first_day"),
        _text("last_day"),
        _number("old", null=True),
        _number("new", null=True),
        _text("unit"),
        _text("cause"),
        _time("found_us"),
        _json("days"),
    )
    op.create_index("ix_energy_restatements_found_us", "energy_restatements", ["found_us"])
    op.create_index("ix_energy_restatements_kind_subject", "energy_restatements", ["kind", "subject"])


def _create_statements() -> None:
    op.create_table(
        "energy_statements",
        _identity(),
        _text("kind"),
        _text("subject"),
        _text("month"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("provisional", sa.Boolean(), nullable=False),
        _time("made_us"),
        _text("cause"),
        _json("figures"),
        _json("problems"),
        sa.UniqueConstraint("kind", "subject", "month", "version"),
    )
    op.create_table(
        "energy_reports",
        _identity(),
        _text("month"),
        _time("published_us"),
        _text("published_by"),
        _json("versions"),
    )
    op.create_index("ix_energy_reports_month", "energy_reports", ["month"])


def downgrade() -> None:
    """Drop the tables."""
    for table in (
        "energy_exchanges", "energy_hand_readings", "energy_reports", "energy_statements", "energy_restatements",
        "energy_days", "energy_registers",
    ):  # fmt: skip
        op.drop_table(table)
