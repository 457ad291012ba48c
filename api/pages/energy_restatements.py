"""Figures that had been closed and were changed: old, new, by how much, and why."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analytics.energy.ledger import Restatement
from api.pages import times
from api.pages.data_state import Pager, paged
from api.pages.energy_departments import department_name
from api.pages.energy_figures import few_decimals, unit_text
from api.pages.words import Words
from facility.formats import MISSING, number
from facility.metering import CARRIER_NAMES, BookedRegister
from facility.site import Site


@dataclass(frozen=True, slots=True)
class RestatementRow:
    """One line of the record."""

    found: str
    what: str
    href: str
    code: str
    period: str
    old: str
    new: str
    difference: str
    unit: str
    cause: str


@dataclass(frozen=True, slots=True)
class RestatementsPage:
    """Everything of the page."""

    rows: tuple[RestatementRow, ...]
    pager: Pager | None


def restatements_page(
    site: Site,
    words: Words,
    registers: Mapping[str, BookedRegister],
    found: Sequence[Restatement],
    now_us: int,
    page: int = 1,
) -> RestatementsPage:
    """Build the page; `found` is newest first, `page` is counted from 1."""
    shown, pager = paged(found, page, lambda n: f"/energy/restatements?page={n}", words)
    return RestatementsPage(tuple(_row(site, registers, r, now_us, words) for r in shown), pager)


def cause_words(cause: str, words: Words) -> str:
    """Return why a figure was changed."""
    return {
        "late data": words("late data"),
        "hand reading": words("reading by hand"),
        "exchange": words("exchange of a meter"),
        "correction": words("correction"),
        "tariff": words("tariff"),
    }.get(cause, cause)


def kind_words(kind: str, words: Words) -> str:
    """Return what a statement is called."""
    return {
        "register": words("Meter"),
        "bill": words.in_context("energy", "Bill"),
        "resale": words("Energy sold on"),
        "balance": words.in_context("energy", "Balance"),
        "allocation": words("Departments"),
        "carbon": words("Carbon"),
        "targets": words("Targets"),
        "indicators": words("Indicators"),
    }.get(kind, kind)


def _row(
    site: Site, registers: Mapping[str, BookedRegister], own: Restatement, now_us: int, words: Words
) -> RestatementRow:
    register = registers.get(own.subject)
    what = words.name(register.equipment.name) if register is not None else kind_words(own.kind, words)
    href = f"/energy/meters/{own.subject}?span=day&at={own.first_day.isoformat()}" if register is not None else ""
    days = own.first_day.isoformat()
    if own.last_day != own.first_day:
        days = words("%(first)s to %(last)s", first=days, last=own.last_day.strftime("%m-%d"))
    places = max((few_decimals(v, own.unit) for v in (own.old, own.new) if math.isfinite(v)), default=0)
    if _is_money(site, own.unit):
        places = 2
    known = math.isfinite(own.old) and math.isfinite(own.new)
    return RestatementRow(
        found=times.when(own.found_us, now_us, site.time_zone),
        what=what,
        href=href,
        code=_subject(site, own, words),
        period=days,
        old=number(own.old, places),
        new=number(own.new, places),
        difference=number(own.new - own.old, places, signed=True) if known else MISSING,
        unit=unit_text(own.unit, site.currency, words),
        cause=cause_words(own.cause, words),
    )


def _subject(site: Site, own: Restatement, words: Words) -> str:
    contract = site.contracts.get(own.subject) if own.kind in ("bill", "resale") else None
    if contract is not None:
        return words.name(contract.name)
    if own.kind == "register":
        return own.subject
    subject, _, department = own.subject.partition("/")
    carrier = next((names for carrier, names in CARRIER_NAMES.items() if carrier == subject), None)
    if carrier is None:
        return own.subject
    borne_by = f" · {department_name(site, department or None, words)}" if subject != own.subject else ""
    return f"{words.name(carrier)}{borne_by}"


def _is_money(site: Site, unit: str) -> bool:
    return unit == site.currency
