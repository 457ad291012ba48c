"""Which period a page shows, on which day, from which registers and statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from analytics.energy.books import Books
from analytics.energy.statements import Statement
from api.pages.energy_period import Period
from facility.metering import BookedRegister

OUTLOOK_FRESH_S: Final = 900.0


@dataclass(frozen=True, slots=True)
class Shown:
    """The period, today at the site, and the registers."""

    period: Period
    today: date
    now_us: int
    registers: Mapping[str, BookedRegister]


def statements_of(books: Books, kind: str, months: Sequence[date]) -> list[Statement]:
    """Return the newest statements of a kind of some months, oldest first."""
    if len(months) > 1:
        wanted = set(months)
        return [s for s in books.statements(kind=kind) if s.month in wanted]
    return [s for m in months for s in books.statements(kind=kind, month=m)]


def months_of(period: Period) -> tuple[date, ...]:
    """Return the months whose statements a period shows: its own; none for a day or a week."""
    if period.span == "month":
        return (period.first,)
    return period.parts if period.span == "year" else ()
