"""The tables of people, their logins and tokens, and the audit trail."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from facility.database import Base, Identity, Microseconds
from facility.database.base import IDENTITY_TYPE


class User(Base):
    """A person who may log in. Never deleted, since the audit trail names them; disabled instead."""

    __tablename__ = "users"

    id: Mapped[Identity]
    name: Mapped[str] = mapped_column(unique=True)
    display_name: Mapped[str]
    password_hash: Mapped[str]
    role: Mapped[str]
    language: Mapped[str]
    created_us: Mapped[Microseconds]
    disabled: Mapped[bool]
    must_change: Mapped[bool]


class LoginSession(Base):
    """One browser that is logged in. The token itself is only in the browser's cookie."""

    __tablename__ = "login_sessions"
    __table_args__ = (Index(None, "user_id"),)

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(IDENTITY_TYPE, ForeignKey("users.id"))
    csrf: Mapped[str]
    created_us: Mapped[Microseconds]
    last_seen_us: Mapped[Microseconds]
    expires_us: Mapped[Microseconds]
    user_agent: Mapped[str]


class ApiToken(Base):
    """A token by which a program acts for a person, with that person's role or a lower one."""

    __tablename__ = "api_tokens"
    __table_args__ = (Index(None, "user_id"),)

    id: Mapped[Identity]
    user_id: Mapped[int] = mapped_column(IDENTITY_TYPE, ForeignKey("users.id"))
    name: Mapped[str]
    token_hash: Mapped[str] = mapped_column(unique=True)
    prefix: Mapped[str]
    role: Mapped[str]
    created_us: Mapped[Microseconds]
    last_used_us: Mapped[Microseconds | None]
    revoked_us: Mapped[Microseconds | None]


class AuditEntry(Base):
    """One line of the audit trail; `hash` covers the line and the hash of the line before it."""

    __tablename__ = "audit"
    __table_args__ = (Index(None, "at_us"),)

    id: Mapped[Identity]
    at_us: Mapped[Microseconds]
    who: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[dict[str, Any]]
    previous_hash: Mapped[str]
    hash: Mapped[str]
