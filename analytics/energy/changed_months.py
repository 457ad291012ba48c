"""Months of which a figure has changed since their statements were made: on record until the statements are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

from sqlalchemy.orm import Session

from analytics.energy.ledger import Cause
from facility.database import read_setting, write_setting

_SETTING: Final = "energy.changed_months"


def note(session: Session, months: Mapping[date, Cause]) -> None:
    """Put months on record, in the transaction that changes their figures; why the first of those did stands."""
    known = changed(session)
    if months.keys() - known.keys():
        _write(session, {**months, **known})


def changed(session: Session) -> dict[date, Cause]:
    """Return the first days of the months that are on record, and why a figure of theirs changed."""
    return {date.fromisoformat(day): cause for day, cause in read_setting(session, _SETTING, {}).items()}


def settle(session: Session, month: date) -> None:
    """Take a month off the record, in the transaction that keeps its statements."""
    known = changed(session)
    if known.pop(month, None) is not None:
        _write(session, known)


def _write(session: Session, months: Mapping[date, Cause]) -> None:
    write_setting(session, _SETTING, {day.isoformat(): cause for day, cause in sorted(months.items())})
