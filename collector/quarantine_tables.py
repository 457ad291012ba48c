"""The quarantine's tables: what was refused, the raw messages of it, and the orders to decode them again."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from facility.database import Base, Identity, Microseconds
from facility.database.base import IDENTITY_TYPE


class QuarantineRow(Base):
    """One topic with one reason. `kept` messages of `kept_bytes` are held; `replayed` ones have left."""

    __tablename__ = "quarantine"

    id: Mapped[Identity]
    topic: Mapped[str]
    reason: Mapped[str] = mapped_column(index=True)
    detail: Mapped[str]
    facts: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    payload: Mapped[bytes]
    payload_size: Mapped[int]
    sample_key: Mapped[str] = mapped_column(unique=True)
    first_us: Mapped[Microseconds]
    last_us: Mapped[Microseconds] = mapped_column(index=True)
    count: Mapped[int] = mapped_column(BigInteger)
    kept: Mapped[int]
    kept_bytes: Mapped[int] = mapped_column(BigInteger)
    replayed: Mapped[int] = mapped_column(BigInteger)
    gateway: Mapped[str | None]
    replayed_us: Mapped[Microseconds | None]


class QuarantineMessage(Base):
    """One message as it came. Ids grow with arrival; `cost` is what it counts against the bound [bytes]."""

    __tablename__ = "quarantine_messages"
    __table_args__ = (Index("ix_quarantine_messages_entry_id_id", "entry_id", "id"),)

    id: Mapped[Identity]
    entry_id: Mapped[int] = mapped_column(IDENTITY_TYPE, ForeignKey("quarantine.id"))
    topic: Mapped[str]
    payload: Mapped[bytes]
    arrival_us: Mapped[Microseconds]
    retained: Mapped[bool]
    cost: Mapped[int]


class QuarantineOrder(Base):
    """
    Somebody's order to decode what is held once more, and how far it has come.

    It lies in the database, so that it goes on after a crash, and so that the command line reaches the service that
    holds the store. `cursor` is the last message that is done; messages after `up_to` came later than the order.
    """

    __tablename__ = "quarantine_orders"

    id: Mapped[Identity]
    at_us: Mapped[Microseconds]
    who: Mapped[str]
    entries: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    state: Mapped[str]
    total: Mapped[int]
    done: Mapped[int]
    understood: Mapped[int]
    moved: Mapped[int]
    readings: Mapped[int] = mapped_column(BigInteger)
    cursor: Mapped[int] = mapped_column(BigInteger)
    up_to: Mapped[int] = mapped_column(BigInteger)
    heartbeat_us: Mapped[Microseconds]
    finished_us: Mapped[Microseconds | None]
    error: Mapped[str]
