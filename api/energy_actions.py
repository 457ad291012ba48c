"""What people enter into the energy accounts, with its line in the audit trail: for the API and the pages alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from analytics.energy.entries import EnteredExchange, HandReading
from analytics.energy.entry_checks import NEW_START, OLD_END, READING
from analytics.energy.entry_texts import asked_time, asked_value
from analytics.energy.measure_book import EnteredMeasure
from analytics.energy.statements import Report
from api.context import Context
from api.security import audit
from api.security.logins import Identity


def add_reading(
    here: Context, user: Identity, key: str, at: str, value: str, note: str, *, confirmed: bool = False
) -> HandReading:
    """Enter a reading as a person wrote it into a form; EntryRefused, NoSuchRecord."""
    shown = asked_value(value, READING)
    return enter_reading(here, user, key, asked_time(at, here.site.time_zone), shown, note, confirmed=confirmed)


def enter_reading(
    here: Context, user: Identity, key: str, at_us: int, value: float, note: str, *, confirmed: bool = False
) -> HandReading:
    """Enter a reading by hand; EntryRefused, NoSuchRecord."""
    detail = {"at_us": at_us, "value": value, "note": note.strip(), "confirmed": confirmed}
    return here.books.add_hand_reading(
        key, at_us, value, user.name, note, confirmed=confirmed,
        audit=_note(here, user, "energy-reading-entered", f"register {key}", detail),
    )  # fmt: skip


def withdraw_reading(here: Context, user: Identity, key: str, number: int) -> HandReading:
    """Let a reading by hand count no more; NoSuchRecord."""
    note = _note(here, user, "energy-reading-withdrawn", f"reading {number}", {})
    return here.books.withdraw_hand_reading(number, user.name, audit=note, register=key)


def add_exchange(
    here: Context, user: Identity, key: str, at: str, end: str, start: str, note: str, *, confirmed: bool = False
) -> EnteredExchange:
    """Enter an exchange as a person wrote it into a form; EntryRefused, NoSuchRecord."""
    at_us = asked_time(at, here.site.time_zone)
    old, new = asked_value(end, OLD_END), asked_value(start, NEW_START)
    return enter_exchange(here, user, key, at_us, old, new, note, confirmed=confirmed)


def enter_exchange(
    here: Context, user: Identity, key: str, at_us: int, end: float, start: float, note: str, *, confirmed: bool = False
) -> EnteredExchange:
    """Enter an exchange of a meter; EntryRefused, NoSuchRecord."""
    detail = {"at_us": at_us, "end": end, "start": start, "note": note.strip(), "confirmed": confirmed}
    return here.books.add_exchange(
        key, at_us, end, start, user.name, note, confirmed=confirmed,
        audit=_note(here, user, "energy-exchange-entered", f"register {key}", detail),
    )  # fmt: skip


def withdraw_exchange(here: Context, user: Identity, key: str, number: int) -> EnteredExchange:
    """Let an exchange that was entered count no more; NoSuchRecord."""
    note = _note(here, user, "energy-exchange-withdrawn", f"exchange {number}", {})
    return here.books.withdraw_exchange(number, user.name, audit=note, register=key)


def import_readings(here: Context, user: Identity, name: str, content: bytes, *, confirmed: bool = False) -> int:
    """Bring in a table of readings by hand, whole or not at all; return how many are new. NotATable, TableRefused."""

    def write(session: Session, fresh: int) -> None:
        detail = {"file": name, "readings": fresh, "confirmed": confirmed, "by": user.by}
        audit.record(session, here.clock(), user.name, "energy-readings-imported", "readings", detail)

    return here.books.import_hand_readings(name, content, user.name, confirmed=confirmed, audit=write)


def publish(here: Context, user: Identity, month: date) -> Report:
    """Publish a month: its statements keep the versions that they have; ActionRefused."""
    note = _note(here, user, "energy-month-published", f"month {month:%Y-%m}", {})
    return here.books.publish(month, user.name, note)


def enter_measure(here: Context, user: Identity, entry: Mapping[str, Any], ticket: str | None) -> EnteredMeasure:
    """Enter an efficiency measure; MeasureRefused."""

    def write(session: Session, measure: str) -> None:
        detail = {"entry": dict(entry), "ticket": ticket, "by": user.by}
        audit.record(session, here.clock(), user.name, "energy-measure-entered", f"measure {measure}", detail)

    return here.measure_book.add(entry, user.name, ticket=ticket, audit=write)


def withdraw_measure(here: Context, user: Identity, measure: str) -> EnteredMeasure:
    """Let a measure that was entered be judged no more; NoSuchRecord, ActionRefused."""

    def write(session: Session, own: str) -> None:
        detail = {"by": user.by}
        audit.record(session, here.clock(), user.name, "energy-measure-withdrawn", f"measure {own}", detail)

    return here.measure_book.withdraw(measure, user.name, audit=write)


def _note(
    here: Context, user: Identity, action: str, subject: str, detail: dict[str, Any]
) -> Callable[[Session], None]:
    def write(session: Session) -> None:
        audit.record(session, here.clock(), user.name, action, subject, detail | {"by": user.by})

    return write
