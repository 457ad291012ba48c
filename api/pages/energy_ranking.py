"""The ranking of departments: each against its own expectation, and all of them against the bill."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from api.pages.energy_accounts import DepartmentAccount, PeriodAccounts
from api.pages.energy_charts import (
    RatioBar,
    ratio_bar,
    ratio_x,
)
from api.pages.energy_figures import (
    money_unit,
    share_text,
    whole_money,
)
from api.pages.energy_head import Link
from api.pages.words import Words
from facility.formats import MISSING, number

# A department's use is as expected within so much of it.
BAND: Final = 0.05
_DEPARTMENTS_SHOWN: Final = 14
_RATIO_TICKS: Final = (0.9, 1.0, 1.1, 1.2)


@dataclass(frozen=True, slots=True)
class DepartmentRow:
    """A department in the ranking."""

    name: str
    href: str
    bar: RatioBar | None
    index: str
    money: str
    measured: str


@dataclass(frozen=True, slots=True)
class DepartmentCard:
    """The ranking of departments, and that it adds up to the bill."""

    by: str
    index_words: str
    money_words: str
    has_index: bool
    rows: tuple[DepartmentRow, ...]
    note: str
    ticks: tuple[tuple[float, str], ...]
    band: tuple[float, float]
    one: float
    more: Link


def department_card(accounts: PeriodAccounts, words: Words, currency: str) -> DepartmentCard:
    """Return the ranking of a period's departments."""
    d = accounts.departments
    unit = money_unit(currency, words)
    has_index = any(row.index is not None for row in d.rows)
    by = {
        "expected": words("actual ÷ own expected, highest first"),
        "plan": words("actual ÷ own plan, highest first"),
        "past": words("actual ÷ own months before, highest first"),
        "money": words("by money; no department has a plan or a past to compare with"),
    }[d.compared_with]
    rows = sorted(d.rows, key=lambda r: (r.index is None, -(r.index or 0.0), -r.cents))
    return DepartmentCard(
        by=by if d.rows else "",
        index_words=words.in_context("departments", "Index") if has_index else "",
        money_words=words("Extra %(unit)s", unit=unit) if has_index else words("Cost %(unit)s", unit=unit),
        has_index=has_index,
        rows=tuple(_department_row(row, accounts, words, has_index) for row in rows[:_DEPARTMENTS_SHOWN]),
        note=_department_note(accounts, words),
        ticks=tuple((ratio_x(v), number(v, 1)) for v in _RATIO_TICKS),
        band=(ratio_x(1 - BAND), ratio_x(1 + BAND)),
        one=ratio_x(1.0),
        more=Link(
            f"/energy/departments?month={accounts.period.first:%Y-%m}",
            words.plural("All %(n)s department", "All %(n)s departments", len(rows))
            if rows
            else words("Departments of the month"),
        ),
    )


def _department_row(row: DepartmentAccount, accounts: PeriodAccounts, words: Words, has_index: bool) -> DepartmentRow:
    extra = None if row.index is None or row.index <= 0 else round(row.cents - row.cents / row.index)
    if row.comparable_cents is not None and row.index:
        extra = round(row.comparable_cents - row.comparable_cents / row.index)
    return DepartmentRow(
        name=words.name(row.name),
        href=f"/energy/departments/{row.id}?month={accounts.period.first:%Y-%m}" if row.id else "",
        bar=ratio_bar(row.index, BAND) if row.index is not None else None,
        index=number(row.index, 2, limits=(1 + BAND,)) if row.index is not None else (MISSING if has_index else ""),
        money=whole_money(extra, signed=True) if has_index else whole_money(row.cents),
        measured=share_text(row.measured, 0) if math.isfinite(row.measured) else MISSING,
    )


def _department_note(accounts: PeriodAccounts, words: Words) -> str:
    d = accounts.departments
    if not d.rows:
        return d.why_not or words("Departments get their share once a month has a bill.")
    if d.total_cents == 0:
        return words("Nothing was bought.")
    parts = {
        "allocated": share_text(d.allocated_cents / d.total_cents),
        "rest": share_text(d.unallocated_cents / d.total_cents),
    }
    told = words("%(allocated)s to departments, %(rest)s unallocated", **parts)
    if d.adds_up:
        return words("%(shares)s: adds up to the bill.", shares=told)
    return words("%(shares)s: does NOT add up to the bill.", shares=told)
