"""What stands at the head of every page of the accounts: period and neighbours, tabs, progress, what is missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal

from api.pages.energy_period import SPANS, Period, period_words, span_words
from api.pages.words import Words

EnergyTab = Literal[
    "accounts", "bill", "balance", "departments", "meters", "savings", "indicators", "carbon", "restatements"
]
_ADDRESS: Final = {"accounts": "/energy"}


@dataclass(frozen=True, slots=True)
class Link:
    """A link with its words."""

    href: str
    text: str
    current: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long computation has come; `share` in per cent, None where nobody can tell."""

    words: str
    share: float | None


@dataclass(frozen=True, slots=True)
class Note:
    """What is missing or wrong, and how it is mended."""

    what: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a page."""

    tabs: tuple[Link, ...]
    note: str = ""
    before: Link | None = None
    after: Link | None = None
    spans: tuple[Link, ...] = ()
    csv: str = ""
    progress: Progress | None = None
    reloads: bool = True  # while there is progress; not where somebody may be filling in a form
    notes: tuple[Note, ...] = field(default=())


def tabs(current: EnergyTab, words: Words) -> tuple[Link, ...]:
    """Return the pages of the accounts."""
    names: tuple[tuple[EnergyTab, str], ...] = (
        ("accounts", words("Accounts")),
        ("bill", words.in_context("energy", "Bill")),
        ("balance", words.in_context("energy", "Balance")),
        ("departments", words("Departments")),
        ("meters", words("Meters")),
        ("savings", words("Savings")),
        ("indicators", words("Indicators and targets")),
        ("carbon", words("Carbon")),
        ("restatements", words("Restatements")),
    )
    return tuple(Link(_ADDRESS.get(key, f"/energy/{key}"), text, key == current) for key, text in names)


def neighbours(
    period: Period, today: date, address: Callable[[Period], str], words: Words
) -> tuple[Link | None, Link | None]:
    """Return links to the period before and after; none after the one with today in it, or before the year 2000."""
    before, after = period.before() if period.first.year > 2000 else None, period.after()
    return (
        Link(address(before), period_words(before, words)) if before is not None else None,
        Link(address(after), period_words(after, words)) if after.first <= today else None,
    )


def span_links(period: Period, today: date, address: Callable[[Period], str], words: Words) -> tuple[Link, ...]:
    """Return the switch from day to year."""
    return tuple(
        Link(address(period.as_span(span, today)), span_words(span, words), span == period.span) for span in SPANS
    )
