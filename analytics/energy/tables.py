"""Tables of the energy accounts; `facility.database` has the migration that makes them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from facility.database import Base, Identity, Microseconds


class EnergyRegisterRow(Base):
    """How a register stood when it was booked last: `definition` is a fingerprint of its digits, ratio, exchanges."""

    __tablename__ = "energy_registers"

    register: Mapped[str] = mapped_column(primary_key=True)
    unit: Mapped[str]
    definition: Mapped[str]
    booked_us: Mapped[Microseconds]
    events: Mapped[list[dict[str, Any]]]


class EnergyDayRow(Base):
    """
    What a register counted on a day of the site.

    `day` is the date as 2026-03-01; `amount` is null where nothing is known; the shares are of the time that had
    passed. `readings` and `signature` tell of which readings the figure was made.
    """

    __tablename__ = "energy_days"

    register: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[str] = mapped_column(primary_key=True)
    amount: Mapped[float | None]
    measured: Mapped[float]
    estimated: Mapped[float]
    missing: Mapped[float]
    readings: Mapped[int]
    signature: Mapped[int] = mapped_column(BigInteger)
    booked_us: Mapped[Microseconds]

    __table_args__ = (Index(None, "day"),)


class EnergyRestatementRow(Base):
    """
    A figure that had been closed and was changed: lines are added, never changed.

    `old` and `new` are of all days together, `days` holds the date, the old and the new figure of each.
    """

    __tablename__ = "energy_restatements"

    id: Mapped[Identity]
    kind: Mapped[str]
    subject: Mapped[str]
    first_day: Mapped[str]
    last_day: Mapped[str]
    old: Mapped[float | None]
    new: Mapped[float | None]
    unit: Mapped[str]
    cause: Mapped[str]
    found_us: Mapped[Microseconds] = mapped_column(index=True)
    days: Mapped[list[Any]]

    __table_args__ = (Index(None, "kind", "subject"),)


class EnergyStatementRow(Base):
    """One version of a monthly document; a provisional one is replaced in place, a closed one never changes."""

    __tablename__ = "energy_statements"

    id: Mapped[Identity]
    kind: Mapped[str]
    subject: Mapped[str]
    month: Mapped[str]
    version: Mapped[int]
    provisional: Mapped[bool]
    made_us: Mapped[Microseconds]
    cause: Mapped[str]
    figures: Mapped[dict[str, Any]]
    problems: Mapped[list[dict[str, Any]]]

    __table_args__ = (UniqueConstraint("kind", "subject", "month", "version"),)


class EnergyReportRow(Base):
    """A month that was published, and the versions that it used: `versions` holds `kind/subject` and version."""

    __tablename__ = "energy_reports"

    id: Mapped[Identity]
    month: Mapped[str] = mapped_column(index=True)
    published_us: Mapped[Microseconds]
    published_by: Mapped[str]
    versions: Mapped[dict[str, Any]]


class HandReadingRow(Base):
    """A register as a person read it; withdrawn ones stay on record and do not count."""

    __tablename__ = "energy_hand_readings"

    id: Mapped[Identity]
    register: Mapped[str]
    at_us: Mapped[Microseconds]
    value: Mapped[float]
    note: Mapped[str]
    entered_us: Mapped[Microseconds]
    entered_by: Mapped[str]
    withdrawn_us: Mapped[Microseconds | None]
    withdrawn_by: Mapped[str | None]

    __table_args__ = (Index(None, "register", "at_us"),)


class MeterExchangeRow(Base):
    """A meter replaced, as a person entered it; withdrawn ones stay on record and do not count."""

    __tablename__ = "energy_exchanges"

    id: Mapped[Identity]
    register: Mapped[str]
    at_us: Mapped[Microseconds]
    end_value: Mapped[float]
    start_value: Mapped[float]
    note: Mapped[str]
    entered_us: Mapped[Microseconds]
    entered_by: Mapped[str]
    withdrawn_us: Mapped[Microseconds | None]
    withdrawn_by: Mapped[str | None]

    __table_args__ = (Index(None, "register", "at_us"),)


class EnteredMeasureRow(Base):
    """
    An efficiency measure as a person entered it; withdrawn ones stay on record and are judged no more.

    `measure` is its id; `entry` is what an entry of a site file's `measures` would hold; `ticket` is a ticket's number.
    """

    __tablename__ = "energy_measures"

    id: Mapped[Identity]
    measure: Mapped[str] = mapped_column(index=True)
    entry: Mapped[dict[str, Any]]
    ticket: Mapped[str | None]
    entered_us: Mapped[Microseconds]
    entered_by: Mapped[str]
    withdrawn_us: Mapped[Microseconds | None]
    withdrawn_by: Mapped[str | None]
