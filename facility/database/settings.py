"""Small state that must survive a restart, such as how far a job has come: one JSON value a key."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON
from sqlalchemy.orm import Mapped, Session, mapped_column

from facility.database.base import Base


class Setting(Base):
    """One value by its key."""

    __tablename__ = "settings"

    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[Any] = mapped_column(JSON, nullable=False)


def read_setting(session: Session, key: str, default: Any = None) -> Any:
    """Return the value kept under `key`, or `default` if there is none."""
    row = session.get(Setting, key)
    return default if row is None else row.value


def write_setting(session: Session, key: str, value: Any) -> None:
    """Keep a value that JSON can hold under `key`, in place of the one before."""
    row = session.get(Setting, key)
    if row is None:
        session.add(Setting(key=key, value=value))
    else:
        row.value = value
