"""Keep the births of Sparkplug's edge nodes and devices over a restart."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "sparkplug_births",
        sa.Column("group_id", sa.Text(), primary_key=True),
        sa.Column("node_id", sa.Text(), primary_key=True),
        sa.Column("device_id", sa.Text(), primary_key=True),
        sa.Column("bd_seq", sa.BigInteger(), nullable=True),
        sa.Column("born_us", sa.BigInteger(), nullable=False),
        sa.Column("died_us", sa.BigInteger(), nullable=True),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("sparkplug_births")
