"""Transactions that must come one after another, because each acts on what it finds."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session


def take_turn(session: Session, name: str) -> None:
    """
    Wait until no other transaction that took its turn under this name is open; the turn ends with the transaction.

    SQLite lets one writer in at a time by itself. Take it before the first question of the transaction.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})
