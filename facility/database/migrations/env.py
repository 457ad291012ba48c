"""Run migrations on the connection that `Database.upgrade` hands over, inside its transaction."""

from __future__ import annotations

from alembic import context

from facility.database.base import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
)
# The caller's transaction holds all migrations or none.
context.run_migrations()
