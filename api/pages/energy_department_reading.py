"""Which part of a period's bills departments bear, and how their own meters stand against what was expected of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np

from analytics.energy.intervals import Floats
from api.pages.caches import PageCaches
from api.pages.energy_accounts import DepartmentAccount, Departments
from api.pages.energy_expected import outlook
from api.pages.energy_shown import OUTLOOK_FRESH_S, Shown, statements_of
from api.pages.sources import Sources
from api.pages.words import Words
from facility.equipment_classes import Carrier
from facility.metering import BookedRegister
from facility.site import Site


def own_registers(
    site: Site, registers: Mapping[str, BookedRegister], carrier: Carrier, day: date
) -> dict[str, list[str]]:
    """Return the registers that count a carrier for one department alone, by department; none below another of them."""
    found: dict[str, dict[str, str]] = {}
    for r in registers.values():
        served = r.equipment.serves.on(day)
        if r.carrier == carrier and r.flow == "in" and len(served) == 1:
            found.setdefault(served[0], {})[r.equipment.id] = r.key
    return {
        department: [key for machine, key in own.items() if not set(site.upstream(machine)) & set(own)]
        for department, own in found.items()
    }


def departments_of(
    sources: Sources, caches: PageCaches, shown: Shown, months: Sequence[date], words: Words
) -> Departments:
    """Return what departments bear in a period, and how their own meters stand against what was expected of them."""
    books, site, period = sources.context.books, sources.site, shown.period
    allocations = [s.figures for s in statements_of(books, "allocation", months)]
    if not allocations:
        why = "" if months else words("Departments are worked out by month.")
        return Departments(why_not=why)
    cents: dict[str | None, int] = {}
    measured: dict[str | None, list[tuple[float, float]]] = {}
    price = _mean_price(allocations)
    for figures in allocations:
        for row in figures["rows"]:
            who = row["department"]
            cents[who] = cents.get(who, 0) + int(row["cents"])
            measured.setdefault(who, []).append((float(row["measured"]), abs(int(row["cents"])) + 1.0))
    indices: dict[str, tuple[float, float]] = {}
    if period.span == "month":
        first, end, today = period.first, period.end, shown.today
        indices = (
            caches.work.get(
                ("departments", first, end, today),
                lambda: department_indices(sources, shown.registers, first, end, today),
                4 * OUTLOOK_FRESH_S,
            ).result
            or {}
        )
    known = site.departments
    rows = tuple(
        DepartmentAccount(
            id=who,
            name=known[who].name,
            cents=own,
            index=indices[who][0] if who in indices else None,
            comparable_cents=round(indices[who][1] * price) if who in indices and price is not None else None,
            measured=_weighted(measured[who]),
        )
        for who, own in cents.items()
        if who is not None and who in known
    )
    total = sum(int(f["total_cents"]) for f in allocations)
    return Departments(
        rows=rows,
        compared_with="expected" if indices else "money",
        total_cents=total,
        allocated_cents=sum(r.cents for r in rows),
        unallocated_cents=sum(own for who, own in cents.items() if who is None or who not in known),
    )


def _weighted(shares: Sequence[tuple[float, float]]) -> float:
    weight = sum(w for _, w in shares)
    return sum(s * w for s, w in shares) / weight if weight else math.nan


def _mean_price(allocations: Sequence[Mapping[str, Any]]) -> float | None:
    """Return what a unit of electricity cost on the average. [cents]"""
    own = [f for f in allocations if f["carrier"] == "electricity"]
    amount = sum(float(f["bought"]) for f in own)
    return sum(int(f["total_cents"]) for f in own) / amount if amount > 0 else None


def department_indices(
    sources: Sources, registers: Mapping[str, BookedRegister], first: date, end: date, today: date
) -> dict[str, tuple[float, float]]:
    """
    Return actual ÷ expected of each department's own electricity meters, and what they counted [kWh].

    Only days count of which both are known; a department without a meter of its own, or without a past, is left out.
    """
    books = sources.context.books
    found: dict[str, tuple[float, float]] = {}
    for department, keys in own_registers(sources.site, registers, "electricity", first).items():
        own = outlook(books, sources.store, keys, first, end, today)
        daily = books.daily(keys, first, end - timedelta(days=1))
        used: Floats = np.zeros(len(own.expected))
        for each in daily.values():
            used += np.where(each.missing <= 0.02, each.amount, np.nan)
        used[[first + timedelta(days=i) >= today for i in range(used.size)]] = np.nan
        both = np.isfinite(used) & np.isfinite(own.expected)
        expected = float(own.expected[both].sum())
        if both.any() and expected > 0:
            found[department] = (float(used[both].sum()) / expected, float(used[both].sum()))
    return found
