"""Keep the raw messages of the quarantine, and the orders to decode them again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables; what was kept as a whole sample becomes the first message of its row."""
    with op.batch_alter_table("quarantine") as table:
        table.alter_column("count", existing_type=sa.Integer(), type_=sa.BigInteger(), existing_nullable=False)
        table.add_column(sa.Column("facts", sa.JSON(), nullable=True))
        table.add_column(sa.Column("kept", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("kept_bytes", sa.BigInteger(), nullable=False, server_default="0"))
        table.add_column(sa.Column("replayed", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "quarantine_messages",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("entry_id", _ID, sa.ForeignKey("quarantine.id"), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("arrival_us", sa.BigInteger(), nullable=False),
        sa.Column("retained", sa.Boolean(), nullable=False),
        sa.Column("cost", sa.Integer(), nullable=False),
    )
    op.create_index("ix_quarantine_messages_entry_id_id", "quarantine_messages", ["entry_id", "id"])
    op.create_table(
        "quarantine_orders",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("entries", sa.JSON(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("total", "done", "understood", "moved")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("readings", "cursor", "up_to", "heartbeat_us")),
        sa.Column("finished_us", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
    )
    # Topics of a thousand characters and more were shortened, and "(more topics)" is none.
    whole = "length(payload) = payload_size AND payload_size > 0 AND topic <> '(more topics)' AND length(topic) <= 1000"
    op.execute(
        "INSERT INTO quarantine_messages (entry_id, topic, payload, arrival_us, retained, cost) "  # noqa: S608
        f"SELECT id, topic, payload, last_us, false, payload_size + length(topic) + 512 FROM quarantine WHERE {whole}"
    )
    op.execute(
        "UPDATE quarantine SET kept = 1, kept_bytes = payload_size + length(topic) + 512 "  # noqa: S608
        f"WHERE {whole}"
    )
