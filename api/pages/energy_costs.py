"""What a day or a week cost and emitted: the days that are over from the bills on record, today from its steps."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import numpy as np

from analytics.energy.books import Books
from analytics.energy.day_costs import DayCost
from analytics.energy.intervals import Totals
from api.pages.energy_accounts import Carbon
from api.pages.energy_period import Period
from api.pages.energy_shown import Shown
from api.pages.words import Words
from facility.equipment_classes import Carrier
from facility.formats import number
from facility.names import Names

# Less than a quarter of an hour of a month.
_NOTICED = 0.0003


def costs_shown(books: Books, shown: Shown) -> list[DayCost]:
    """Return what the days of a period cost, today's so far among them, and of a day its hours; none for a year."""
    period = shown.period
    if period.span == "year" or period.first > shown.today:
        return []
    if period.span == "day":
        return books.costs_of(period.first)
    today = books.costs_of(shown.today) if period.holds(shown.today) else []
    return [*books.costs(period.first, period.last), *today]


def cost_parts(period: Period, costs: Sequence[DayCost], zone: ZoneInfo) -> Totals | None:
    """
    Return what is charged by the unit, by hours of a day or days of a week or month [currency]; None: nothing is known.

    A contract of which nothing is known in all the period does not count as missing.
    """
    known = {c.contract for c in costs if c.charge.cents is not None}
    if not known:
        return None
    edges = period.edges_us(zone)
    cents, found = np.zeros(len(edges) - 1), np.zeros(len(edges) - 1)
    for c in costs:
        place = (c.charge.day - period.first).days
        parts = enumerate(c.charge.hours) if period.span == "day" else [(place, c.charge.cents)]
        for i, part in parts:
            if c.contract in known and part is not None:
                cents[i] += part
                found[i] += 1.0 if period.span == "day" else 1.0 - c.charge.missing
    share = found / len(known)
    return Totals(edges, np.where(found > 0, cents / 100.0, np.nan), share, np.zeros_like(share), 1.0 - share)


def carrier_cost(costs: Sequence[DayCost], carrier: Carrier) -> tuple[int | None, bool, float | None]:
    """Return what a carrier cost, whether it is at least that, and for how much of it; None if none of it is known."""
    own = [c.charge for c in costs if c.carrier == carrier]
    known = [(c.cents, c.used) for c in own if c.cents is not None]
    if not known:
        return None, False, None
    least = len(known) < len(own) or any(c.at_least for c in own)
    return sum(cents for cents, _ in known), least, sum(used for _, used in known)


def carbon_shown(books: Books, shown: Shown, words: Words) -> Carbon | None:
    """Return what the days of a day or a week emitted, today's so far among them; None if nothing is known."""
    period = shown.period
    if period.first > shown.today:
        return None
    rows = [r for _, c in books.carbon(period.first, min(period.last, shown.today)) for r in c.rows]
    if not rows:
        return None
    by_energy: dict[str, float] = {}
    names: dict[str, Names] = {}
    for r in rows:
        by_energy[r.energy] = by_energy.get(r.energy, 0.0) + r.kg / 1000.0
        names[r.energy] = r.name
    grid = [r.factor for r in rows if r.energy == "electricity"]
    note = words("factor %(factor)s", factor=f"{number(grid[-1].value, 4)} ({grid[-1].year})") if grid else ""
    ordered = sorted(by_energy.items(), key=lambda each: -each[1])
    return Carbon(
        tonnes=sum(by_energy.values()),
        by_energy=tuple((names[energy], tonnes) for energy, tonnes in ordered),
        note=note,
        at_least=any(r.missing > _NOTICED for r in rows),
    )
