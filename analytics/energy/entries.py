"""What people enter into the energy accounts: registers read by hand, and meters exchanged.

Nothing is deleted: an entry that was wrong is withdrawn, stays on record, and counts no more. Who may enter is the
caller's to check, and the audit trail the caller's to write.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from analytics.desk import NoSuchRecord, no_such
from analytics.energy.entry_checks import EntryRefused, plain_note
from analytics.energy.reading_tables import NewReading
from analytics.energy.tables import HandReadingRow, MeterExchangeRow
from facility import database
from facility.names import Names
from facility.spreadsheet import Mistake, TableRefused

HAND_READING: Final = Names(zh="人工抄表", en="hand reading")


@dataclass(frozen=True, slots=True)
class HandReading:
    """A register as a person read it. Times in µs UTC; `value` in the register's counts."""

    id: int
    register: str
    at_us: int
    value: float
    note: str
    entered_us: int
    entered_by: str
    withdrawn_us: int | None
    withdrawn_by: str | None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class EnteredExchange:
    """A meter exchanged, as a person entered it: the old register's end and the new one's start, in its counts."""

    id: int
    register: str
    at_us: int
    end_value: float
    start_value: float
    note: str
    entered_us: int
    entered_by: str
    withdrawn_us: int | None
    withdrawn_by: str | None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {name: getattr(self, name) for name in self.__slots__}


def take_turn(session: Session) -> None:
    """Let no other transaction enter or withdraw anything until this one ends: what is found then still stands."""
    database.take_turn(session, "energy.entries")


def hand_readings(
    session: Session, registers: Iterable[str] | None = None, *, withdrawn: bool = False
) -> dict[str, list[HandReading]]:
    """Return the readings by hand of some registers (of all, if None), oldest first; withdrawn ones only if asked."""
    row = HandReadingRow
    query = select(row).order_by(row.at_us, row.id)
    if registers is not None:
        query = query.where(row.register.in_(list(registers)))
    if not withdrawn:
        query = query.where(row.withdrawn_us.is_(None))
    found: dict[str, list[HandReading]] = {}
    for each in session.scalars(query):
        found.setdefault(each.register, []).append(HandReading(**_fields(each, HandReading)))
    return found


def exchanges(
    session: Session, registers: Iterable[str] | None = None, *, withdrawn: bool = False
) -> dict[str, list[EnteredExchange]]:
    """Return the exchanges that people entered, oldest first; withdrawn ones only if asked."""
    row = MeterExchangeRow
    query = select(row).order_by(row.at_us, row.id)
    if registers is not None:
        query = query.where(row.register.in_(list(registers)))
    if not withdrawn:
        query = query.where(row.withdrawn_us.is_(None))
    found: dict[str, list[EnteredExchange]] = {}
    for each in session.scalars(query):
        found.setdefault(each.register, []).append(EnteredExchange(**_fields(each, EnteredExchange)))
    return found


def newest_us(session: Session) -> int:
    """Return when somebody last entered or withdrew something; 0 if nobody ever did. [µs UTC]"""
    times = [
        session.scalar(select(func.max(column)))
        for row in (HandReadingRow, MeterExchangeRow)
        for column in (row.entered_us, row.withdrawn_us)
    ]
    return max((t for t in times if t is not None), default=0)


def add_hand_reading(
    session: Session, register: str, at_us: int, value: float, who: str, note: str, now_us: int
) -> tuple[HandReading, bool]:
    """
    Keep a reading; return it, and whether it is new: the same one again changes nothing and returns the first.

    EntryRefused if another value stands for the same moment.
    """
    row = session.scalars(
        select(HandReadingRow).where(
            HandReadingRow.register == register, HandReadingRow.at_us == at_us, HandReadingRow.withdrawn_us.is_(None)
        )
    ).first()
    if row is not None and row.value != value:
        raise EntryRefused(_other_stands(row.value))
    fresh = row is None
    if row is None:
        row = HandReadingRow(
            register=register, at_us=at_us, value=value, note=plain_note(note), entered_us=now_us,
            entered_by=who, withdrawn_us=None, withdrawn_by=None,
        )  # fmt: skip
        session.add(row)
        session.flush()
    return HandReading(**_fields(row, HandReading)), fresh


def add_hand_readings(session: Session, readings: Iterable[NewReading], who: str, now_us: int) -> int:
    """
    Keep the readings of a table; return how many are new: those that are on record already stay as they are.

    TableRefused, and nothing kept, if another value stands for the moment of any.
    """
    table = list(readings)
    standing = {
        (own.register, own.at_us): own.value
        for found in hand_readings(session, {r.register for r in table}).values()
        for own in found
    }
    others = [(r, standing.get((r.register, r.at_us), r.value)) for r in table]
    mistakes = [Mistake(r.row, "value", f"{r.value:.10g}", _other_stands(v)) for r, v in others if v != r.value]
    if mistakes:
        raise TableRefused(mistakes)
    fresh = [
        {
            "register": r.register, "at_us": r.at_us, "value": r.value, "note": r.note, "entered_us": now_us,
            "entered_by": who, "withdrawn_us": None, "withdrawn_by": None,
        }
        for r in table
        if (r.register, r.at_us) not in standing
    ]  # fmt: skip
    if fresh:
        # One statement: while it is written, nobody else writes, alarms neither.
        session.execute(insert(HandReadingRow), fresh)
    return len(fresh)


def add_exchange(
    session: Session, register: str, at_us: int, end: float, start: float, who: str, note: str, now_us: int
) -> EnteredExchange:
    """Keep an exchange."""
    row = MeterExchangeRow(
        register=register, at_us=at_us, end_value=end, start_value=start, note=plain_note(note), entered_us=now_us,
        entered_by=who, withdrawn_us=None, withdrawn_by=None,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return EnteredExchange(**_fields(row, EnteredExchange))


def withdraw_hand_reading(
    session: Session, number: int, who: str, now_us: int, register: str | None = None
) -> tuple[HandReading, bool]:
    """
    Let a reading (of this register) count no more; return it, and whether it counted: a second time changes nothing.

    NoSuchRecord if there is none.
    """
    row = session.get(HandReadingRow, number)
    if row is None or register not in (None, row.register):
        raise no_such(HAND_READING, number)
    counted = row.withdrawn_us is None
    if counted:
        row.withdrawn_us, row.withdrawn_by = now_us, who
    return HandReading(**_fields(row, HandReading)), counted


def withdraw_exchange(
    session: Session, number: int, who: str, now_us: int, register: str | None = None
) -> tuple[EnteredExchange, bool]:
    """
    Let an exchange that a person entered (for this register) count no more; return it, and whether it counted.

    NoSuchRecord if there is none.
    """
    row = session.get(MeterExchangeRow, number)
    if row is None or register not in (None, row.register):
        raise NoSuchRecord(
            Names(
                zh=f"没有编号为 {number} 的人工登记换表；写在站点文件中的请在该文件中修改",
                en=f"there is no exchange with number {number} that a person entered; "
                "those of the site file change there",
            )
        )
    counted = row.withdrawn_us is None
    if counted:
        row.withdrawn_us, row.withdrawn_by = now_us, who
    return EnteredExchange(**_fields(row, EnteredExchange)), counted


def _other_stands(value: float) -> Names:
    return Names(
        zh=f"同一时刻已登记读数 {value:,.10g}；请先撤销那一条，或更正时间",
        en=f"{value:,.10g} is on record for the same moment; withdraw that reading first, or correct the time",
    )


def _fields(row: HandReadingRow | MeterExchangeRow, record: type[Any]) -> Mapping[str, Any]:
    return {name: getattr(row, name) for name in record.__slots__}
