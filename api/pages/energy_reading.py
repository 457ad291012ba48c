"""What the page of a period reads: the ledger's figures, the month's statements, and what was worked out beside."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final

import numpy as np

from analytics.energy.books import Books
from analytics.energy.day_costs import DayCost
from analytics.energy.intervals import Total, Totals
from analytics.energy.statements import Statement
from api.pages.caches import PageCaches
from api.pages.energy_accounts import Carbon, CarrierAccount, PeriodAccounts, Savings
from api.pages.energy_costs import carbon_shown, carrier_cost, cost_parts, costs_shown
from api.pages.energy_department_reading import departments_of
from api.pages.energy_expected import Outlook, outlook
from api.pages.energy_head import Note
from api.pages.energy_measures import prove_measure
from api.pages.energy_period import Period
from api.pages.energy_savings import MeasureAccount
from api.pages.energy_shown import OUTLOOK_FRESH_S, Shown, months_of, statements_of
from api.pages.energy_work import Worked
from api.pages.sources import Sources
from api.pages.words import Words
from facility.calendar import day_of
from facility.equipment_classes import Carrier
from facility.formats import moment, number
from facility.measures import Measure
from facility.metering import BOUGHT, points_of_supply
from facility.names import Names

_HEATING_MONTHS: Final = frozenset({11, 12, 1, 2, 3})
_MEASURE_FRESH_S: Final = 6 * 3600.0
_LIKELY: Final = 0.8
_UNDER_WAY: Final = Names(zh="正在计算", en="is being worked out")


def part_totals(books: Books, keys: Sequence[str], period: Period) -> dict[str, Totals]:
    """
    Return what registers counted by the hours, days or months of a period.

    The shares of a part that runs are of its time that has passed and is booked: what is to come is no hole.
    """
    zone = books.site.time_zone
    match period.span:
        case "day":
            found = books.hourly(keys, *period.bounds_us(zone))
            booked = books.booked_until_us
            return found if booked is None else {key: _until(own, booked) for key, own in found.items()}
        case "year":
            return books.monthly(keys, period.first, period.last)
        case _:
            return books.daily(keys, period.first, period.last)


def _until(parts: Totals, until_us: int) -> Totals:
    """Return parts with the shares of the one that runs at a time cut to what lies before it."""
    share = np.clip((until_us - parts.edges_us[:-1]) / np.diff(parts.edges_us), 0.0, 1.0)
    running = (share > 0.0) & (share < 1.0)
    passed = np.where(running, share, 1.0)
    missing = np.where(running, np.maximum(0.0, parts.missing - (1.0 - passed)) / passed, parts.missing)
    return replace(parts, measured=parts.measured / passed, estimated=parts.estimated / passed, missing=missing)


def summed(parts: Sequence[Totals]) -> Totals:
    """
    Return the sum of several registers' parts: NaN only where nothing is known of any of them.

    Raises
    ------
    ValueError
        If there is none.
    """
    if not parts:
        raise ValueError("there are no parts to sum up")
    amounts = np.array([p.amount for p in parts])
    known = np.isfinite(amounts)
    amount = np.where(known.any(axis=0), np.where(known, amounts, 0.0).sum(axis=0), np.nan)
    shares = [np.mean([getattr(p, name) for p in parts], axis=0) for name in ("measured", "estimated", "missing")]
    return Totals(parts[0].edges_us, amount, *shares)


def whole(parts: Totals, now_us: int) -> Total:
    """Return the total of the parts that have begun; shares are of the time that has passed."""
    length = np.diff(parts.edges_us).astype(float)
    passed = np.clip(now_us - parts.edges_us[:-1], 0, length)
    time = float(passed.sum())
    known = np.isfinite(parts.amount) & (passed > 0)
    if time <= 0 or not known.any():
        return Total(math.nan, 0.0, 0.0, 1.0)
    measured, estimated, missing = (
        float((share * passed).sum()) / time for share in (parts.measured, parts.estimated, parts.missing)
    )
    return Total(float(parts.amount[known].sum()), measured, estimated, missing)


def begun_parts(parts: Totals, now_us: int) -> int:
    """Return how many parts have begun."""
    return int((parts.edges_us[:-1] < now_us).sum())


def until_text(books: Books, period: Period, now_us: int) -> str:
    """Return how far the figures of a period go, `07-15 24:00`: up to when the books go, or its end."""
    zone = books.site.time_zone
    until = min(period.bounds_us(zone)[1], known_until(books, now_us))
    local = moment(until, zone)
    if local.hour == 0 and local.minute == 0:
        return f"{moment(until - 1, zone):%m-%d} 24:00"
    return f"{local:%m-%d %H:%M}"


def known_until(books: Books, now_us: int) -> int:
    """Return up to when figures can be known: up to when the books go, or now."""
    booked = books.booked_until_us
    return now_us if booked is None else min(booked, now_us)


def period_accounts(sources: Sources, words: Words, caches: PageCaches, period: Period) -> PeriodAccounts:
    """
    Gather what the page of a period shows.

    Raises
    ------
    StoreUnavailable
        If store or database cannot be reached.
    """
    books, now_us, zone = sources.context.books, sources.now_us(), sources.site.time_zone
    shown = Shown(period, day_of(now_us, zone), now_us, books.registers())
    running = period.bounds_us(zone)[1] > now_us
    months = months_of(period)
    bills, plans = statements_of(books, "bill", months), _plans(books, months)
    costs = costs_shown(books, shown)
    carriers = tuple(
        _with_cost(account, costs) if not months else account
        for carrier in BOUGHT
        if (account := _carrier(books, caches, sources, shown, carrier, bills, plans, running)) is not None
    )
    begun = max((begun_parts(c.parts, known_until(books, now_us)) for c in carriers), default=0)
    priced = [c for c in carriers if c.cost_cents is not None]
    unpriced = tuple(c.carrier for c in carriers if c.cost_cents is None and c.total.known and c.total.amount > 0)
    accounts = PeriodAccounts(
        period=period,
        running=running,
        begun=begun,
        until_words=until_text(books, period, now_us),
        carriers=carriers,
        cost_cents=sum(c.cost_cents or 0 for c in priced) if priced else None,
        cost_at_least=any(c.cost_at_least for c in priced),
        cost_parts=cost_parts(period, costs, zone),
        cost_plan_cents=_cents(_plan(plans, None, period).get("plan_to_date")),
        cost_plan_whole_cents=_cents(_plan(plans, None, period).get("plan")),
        without_cost=unpriced if priced else (),
        no_tariff=bool(carriers) and not any(c.priced for c in carriers),
        carbon=_carbon(books, months, words) if months else carbon_shown(books, shown, words),
        savings=_savings(sources, caches),
        departments=departments_of(sources, caches, shown, months, words),
        notes=_notes(books, months, words),
    )
    if running and (end := _plan(plans, None, period).get("at_end")) is not None:
        half = _plan(plans, None, period)["half_width"]
        return replace(accounts, end_cents=_cents(end), end_half_width_cents=_cents(half), end_level=_LIKELY)
    return _with_cost_at_end(accounts)


# --- carriers ---------------------------------------------------------------------------------------------------------


def _carrier(
    books: Books,
    caches: PageCaches,
    sources: Sources,
    shown: Shown,
    carrier: Carrier,
    bills: Sequence[Statement],
    plans: Sequence[Mapping[str, Any]],
    running: bool,
) -> CarrierAccount | None:
    supply = points_of_supply(sources.site, shown.registers, carrier)
    if not supply:
        return None
    keys = [r.key for r in supply]
    parts = summed(list(part_totals(books, keys, shown.period).values()))
    total = whole(parts, known_until(books, shown.now_us))
    n = len(parts)
    none = np.full(n, np.nan)
    own = [b for b in bills if b.figures.get("carrier") == carrier]
    cents = [int(b.figures["total_cents"]) for b in own if b.figures.get("total_cents") is not None]
    account = CarrierAccount(
        carrier=carrier,
        unit=supply[0].unit,
        total=total,
        parts=parts,
        expected=none,
        forecast=none,
        priced=any(c.carrier == carrier and not c.resold for c in sources.site.contracts.values()),
        cost_cents=sum(cents) if cents else None,
        cost_at_least=any(bool(b.figures.get("at_least")) for b in own),
        billed=sum(float(b.figures.get("used") or 0.0) for b in own) if cents else None,
        off=_out_of_season(carrier, total, shown.period),
        **_plan(plans, carrier, shown.period),
    )
    if shown.period.span not in ("week", "month") or account.off:
        return account
    first, end, today = shown.period.first, shown.period.end, shown.today
    work = caches.work.get(
        ("outlook", carrier, first, end, today),
        lambda: outlook(books, sources.store, keys, first, end, today),
        OUTLOOK_FRESH_S if running else 6 * 3600.0,
    )
    worked = work.result
    if worked is None:
        return replace(account, no_forecast=work.failed or _UNDER_WAY) if running else account
    # A part that is not over is no match for what is expected of all of it.
    over = parts.edges_us[1:] <= shown.now_us
    return _with_outlook(account, replace(worked, expected=np.where(over, worked.expected, np.nan)), running)


def _with_cost(account: CarrierAccount, costs: Sequence[DayCost]) -> CarrierAccount:
    cents, least, billed = carrier_cost(costs, account.carrier)
    return replace(account, cost_cents=cents, cost_at_least=least, billed=billed)


def _plans(books: Books, months: Sequence[date]) -> list[Mapping[str, Any]]:
    """Return how the site's plans stand: in the month, or in the newest month of the year that has figures."""
    found = statements_of(books, "targets", months)
    return list(found[-1].figures["rows"]) if found else []


def _plan(plans: Sequence[Mapping[str, Any]], carrier: Carrier | None, period: Period) -> dict[str, Any]:
    """Return plan, plan to date and whether it will be passed, of a carrier's use or (None) of all cost."""
    measure = "use" if carrier is not None else "cost"
    own = next((p for p in plans if (p["carrier"], p["department"], p["measure"]) == (carrier, None, measure)), None)
    standing = own["year_so_far" if period.span == "year" else "month"] if own is not None else None
    if standing is None:
        return {}
    return {
        "plan": float(standing["planned"]),
        "plan_to_date": float(standing["expected"]) if standing["expected"] is not None else None,
        "will_exceed": standing["verdict"] in ("will_exceed", "exceeded"),
        "at_end": _finite(standing["forecast"]),
        "half_width": None
        if _finite(standing["high"]) is None or _finite(standing["low"]) is None
        else (float(standing["high"]) - float(standing["low"])) / 2.0,
    }


def _finite(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(float(value)) else None


def _cents(money: float | None) -> int | None:
    return None if money is None else round(100.0 * money)


def _with_outlook(account: CarrierAccount, own: Outlook, running: bool) -> CarrierAccount:
    # A day that has begun is no forecast any more.
    account = replace(account, expected=own.expected, forecast=own.forecast)
    if not running or account.at_end is not None:
        return account
    # The forecast knows whole days only; late in the last one more may have been counted than it expects.
    at_end = max(own.total, account.total.amount) if own.total is not None and account.total.known else own.total
    return replace(account, at_end=at_end, half_width=own.half_width, no_forecast=own.reason)


def _out_of_season(carrier: Carrier, total: Total, period: Period) -> bool:
    """Return True for bought heat of which nothing came in months outside the heating season."""
    if carrier != "heat" or (total.known and total.amount > 0):
        return False
    return not any(day.month in _HEATING_MONTHS for day in (period.first, period.last))


def _with_cost_at_end(accounts: PeriodAccounts) -> PeriodAccounts:
    """Return the accounts with the cost to the period's end: each carrier's forecast at its mean price so far."""
    if not accounts.running or accounts.cost_cents is None:
        return accounts
    total, spread = 0.0, 0.0
    for c in accounts.carriers:
        if c.cost_cents is None or not c.billed:
            continue
        if c.at_end is None:
            return accounts
        price = c.cost_cents / c.billed
        total += price * c.at_end
        spread = math.hypot(spread, price * (c.half_width or 0.0))
    if total <= 0:
        return accounts
    return replace(accounts, end_cents=round(total), end_half_width_cents=round(spread), end_level=_LIKELY)


# --- savings ----------------------------------------------------------------------------------------------------------


def measure_account(sources: Sources, caches: PageCaches, measure: Measure) -> Worked[MeasureAccount]:
    """Return what a measure saved, as far as that has been worked out."""
    books, store, now_us = sources.context.books, sources.store, sources.now_us()
    booked = books.booked()
    own = [us for key, us in booked.items() if key.split("/")[0] == measure.meter]
    return caches.work.get(
        # A proof from before the past of its meters was booked must not stand for hours.
        ("measure", measure, all(booked.values()), *(day_of(us, sources.site.time_zone) for us in own)),
        lambda: prove_measure(sources.site, books, store, measure, now_us),
        _MEASURE_FRESH_S,
    )


def _savings(sources: Sources, caches: PageCaches) -> Savings | None:
    """Return what the measures that are proven have saved together; None if the site has none."""
    measures = sources.context.measure_book.measures()
    if not measures:
        return None
    found = [w.result for m in measures.values() if (w := measure_account(sources, caches, m)).result is not None]
    proven = [a.money for a in found if a is not None and a.saving is not None and a.saving.acceptable and a.money]
    if not proven:
        return Savings(len(measures), None, None)
    return Savings(
        len(measures),
        round(100 * sum(money for money, _ in proven)),
        round(100 * math.hypot(*(half for _, half in proven))),
        len(proven),
    )


# --- carbon and what is missing ---------------------------------------------------------------------------------------


def _carbon(books: Books, months: Sequence[date], words: Words) -> Carbon | None:
    found = [s.figures for s in statements_of(books, "carbon", months)]
    if not found:
        return None
    by_energy: dict[str, float] = {}
    names: dict[str, Names] = {}
    factors: list[str] = []
    at_least = False
    for figures in found:
        for row in figures["carbon"]["rows"] if "carbon" in figures else figures["rows"]:
            by_energy[row["energy"]] = by_energy.get(row["energy"], 0.0) + float(row["kg"]) / 1000.0
            names[row["energy"]] = Names(**row["name"])
            at_least = at_least or float(row.get("missing") or 0.0) > 0.0005
            if row["energy"] == "electricity":
                factor = row["factor"]
                factors.append(f"{number(float(factor['value']), 4)} ({factor['year']})")
    note = words("factor %(factor)s", factor=factors[-1]) if factors else ""
    ordered = sorted(by_energy.items(), key=lambda each: -each[1])
    return Carbon(
        tonnes=sum(by_energy.values()),
        by_energy=tuple((names[energy], tonnes) for energy, tonnes in ordered),
        note=note,
        at_least=at_least,
    )


def _notes(books: Books, months: Sequence[date], words: Words) -> tuple[Note, ...]:
    if books.booked_until_us is None:
        return (
            Note(
                words("Nothing has been booked yet."),
                words("The first booking begins within a minute of the start; a year of readings takes some minutes."),
            ),
        )
    found: dict[str, Note] = {}
    for month in months[-1:]:
        for statement in books.statements(month=month):
            for told in statement.problems:
                note = Note(words.name(told.words), told.place)
                found.setdefault(note.what, note)
    return tuple(found.values())


# --- departments ------------------------------------------------------------------------------------------------------
