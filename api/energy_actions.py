"""What people enter into the energy accounts, with its line in the audit trail: for the API and the pages alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from analytics.energy import reading_tables
from analytics.energy.entries import EnteredExchange, HandReading
from analytics.energy.entry_checks import NEW_START, OLD_END, READING, EntryRefused
from analytics.energy.measure_book import EnteredMeasure
from analytics.energy.statements import Report
from api.context import Context
from api.security import audit
from api.security.logins import Identity
from facility.calendar import to_us
from facility.names import Names
from facility.site import Site
from facility.wording import quoted_zh

_FORMS: Final = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M")


def read_time(site: Site, text: str) -> int:
    """Return a time that a person wrote, in the site's zone. [µs UTC] EntryRefused if it is none."""
    for form in _FORMS:
        try:
            return to_us(datetime.strptime(text.strip(), form).replace(tzinfo=site.time_zone))
        except (ValueError, OverflowError):
            continue
    if not text.strip():
        raise EntryRefused(
            Names(
                zh="缺少时间；请按本院当地时间填写，例如 2026-07-16 08:00",
                en="the time is missing; write the site's time, such as 2026-07-16 08:00",
            )
        )
    raise EntryRefused(
        Names(
            zh=f"{quoted_zh(text[:40])}不是时间；请按本院当地时间填写，例如 2026-07-16 08:00",
            en=f"{text[:40]!r} is no time; write the site's time, such as 2026-07-16 08:00",
        )
    )


def read_value(text: str, what: Names) -> float:
    """Return a number that a person wrote, thousands set off or not. EntryRefused if it is none."""
    value = reading_tables.read_value(text)
    if value is None and not text.strip():
        raise EntryRefused(
            Names(
                zh=f"缺少{what.zh}；请填写表上的示数，例如 10452.7",
                en=f"{what.en} is missing; write what the register shows, such as 10452.7",
            )
        )
    if value is None:
        raise EntryRefused(
            Names(
                zh=f"{what.zh}{quoted_zh(text[:40])}不是数字；请填写表上的示数，例如 10452.7",
                en=f"{what.en} {text[:40]!r} is no number; write what the register shows, such as 10452.7",
            )
        )
    return value


def add_reading(
    here: Context, user: Identity, key: str, at: str, value: str, note: str, *, confirmed: bool = False
) -> HandReading:
    """Enter a reading as a person wrote it into a form; EntryRefused, NoSuchRecord."""
    shown = read_value(value, READING)
    return enter_reading(here, user, key, read_time(here.site, at), shown, note, confirmed=confirmed)


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
    at_us = read_time(here.site, at)
    old, new = read_value(end, OLD_END), read_value(start, NEW_START)
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
