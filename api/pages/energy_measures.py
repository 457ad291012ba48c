"""Proves the site's measures from the books: a meter's days and weather, baseline, saving, and what that is worth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Final

import numpy as np

from analytics.energy.books import Books
from analytics.energy.intervals import Floats
from analytics.energy.measures import Proof, prove
from analytics.energy.reasons import Reason
from analytics.energy.virtual_booking import PREFIX
from api.pages.energy_counted import CountedMeter, counted_meters
from api.pages.energy_expected import outdoor_means
from api.pages.energy_savings import MeasureAccount
from facility.calendar import at_us, day_kind, day_of
from facility.equipment_classes import Carrier
from facility.measures import Measure
from facility.metering import points_of_supply
from facility.names import Names
from facility.site import Site
from facility.store import Level, TelemetryStore

_MOST_MISSING: Final = 0.02  # of a day, for it to count
_PRICED_MONTHS: Final = 12


def measured_meters(site: Site, books: Books, measure: Measure) -> list[CountedMeter]:
    """Return the meters whose sum a measure changes; none if the site has no such meter."""
    registers = books.registers()
    meters = counted_meters(site, registers)
    if measure.meter is None:
        supply = points_of_supply(site, registers, measure.carrier) if measure.carrier is not None else []
        return [meters[r.key] for r in supply]
    virtual = meters.get(f"{PREFIX}{measure.meter}")
    if virtual is not None:
        return [virtual]
    own = [
        r
        for r in registers.values()
        if r.equipment.id == measure.meter and r.flow == "in" and measure.carrier in (None, r.carrier)
    ]
    return [meters[r.key] for r in own if measure.carrier is not None or r.carrier != "reactive"][:1]


def prove_measure(site: Site, books: Books, store: TelemetryStore, measure: Measure, now_us: int) -> MeasureAccount:
    """
    Work out what a measure saved up to yesterday.

    Raises
    ------
    StoreUnavailable
        If store or database cannot be reached.
    """
    found = measured_meters(site, books, measure)
    yesterday = day_of(now_us, site.time_zone) - timedelta(days=1)
    last = min(yesterday, measure.reporting.to or yesterday)
    subject = found[0].name if found else Names(zh=measure.meter or "", en=measure.meter or "")
    baseline_end = measure.baseline.to or measure.reporting.from_ - timedelta(days=1)
    account = MeasureAccount(
        id=measure.id,
        name=measure.name,
        subject=subject,
        unit=found[0].unit if found else "",
        baseline=(measure.baseline.from_, baseline_end),
        reporting=(measure.reporting.from_, max(last, measure.reporting.from_)),
        cost=measure.cost,
        owner=measure.owner or "",
        source=measure.source or "",
    )
    if not found:
        return replace(account, reasons=(_no_meter(measure),))
    end = max(last, baseline_end)
    days = [measure.baseline.from_ + timedelta(days=i) for i in range((end - measure.baseline.from_).days + 1)]
    used = daily_use(books, [m.key for m in found], days)
    times = np.array(days, dtype="datetime64[D]")
    drivers = daily_drivers(site, store, measure.drivers, days)
    rest = np.array([not day_kind(day, site.time_zone).workday for day in days])
    known_rest = dict(zip(times.astype(np.int64).tolist(), rest.tolist(), strict=True))

    def calendar(asked: np.ndarray) -> np.ndarray:
        numbers = asked.astype("datetime64[D]").astype(np.int64).tolist()
        return np.array([known_rest.get(n, (n + 3) % 7 >= 5) for n in numbers], dtype=bool)

    price = unit_price(books, found[0].carrier)
    proof = prove(measure, times, used, drivers, price=price, calendar=calendar)
    return _with_proof(account, measure, proof, times, used, drivers, price)


def _no_meter(measure: Measure) -> Reason:
    what = measure.meter or measure.carrier or ""
    words = Names(
        zh=f"没有可用的表计“{what}”：未登记，或其公式、上级关系有误而未计入；请在站点文件中改正",
        en=f"There is no meter {what!r} to count it: it is not in the site file, or its formula or what feeds it is "
        "wrong; mend that there.",
    )
    return Reason("no-meter", words)


def _with_proof(
    account: MeasureAccount,
    measure: Measure,
    proof: Proof,
    times: np.ndarray,
    used: Floats,
    drivers: Floats | None,
    price: float | None,
) -> MeasureAccount:
    before = times <= np.datetime64(account.baseline[1])
    after = (times >= np.datetime64(account.reporting[0])) & (times <= np.datetime64(account.reporting[1]))
    kept = before | after
    expected = None
    if proof.baseline is not None:
        expected = proof.baseline.predict(times[kept], None if drivers is None else drivers[kept])
    money = None
    saving = proof.saving
    if saving is not None and price is not None and math.isfinite(saving.saving):
        half = saving.uncertainty if math.isfinite(saving.uncertainty) else 0.0
        money = (saving.saving * price, half * price)
    return replace(
        account,
        saving=saving,
        model=proof.baseline,
        reasons=proof.reasons,
        money=money,
        payback_years=proof.payback_years,
        days=times[kept],
        used=used[kept],
        expected=expected,
        temperature=drivers[kept, 0] if drivers is not None else None,
        split=int(before.sum()),
    )


def daily_use(books: Books, keys: Sequence[str], days: Sequence[date]) -> Floats:
    """Return what registers counted together on consecutive days: (days,), NaN where one is not whole."""
    total = np.zeros(len(days))
    for own in books.daily(keys, days[0], days[-1]).values():
        total += np.where(own.missing <= _MOST_MISSING, own.amount, np.nan)
    return total


def daily_drivers(site: Site, store: TelemetryStore, drivers: Sequence[str], days: Sequence[date]) -> Floats | None:
    """
    Return the daily means of points: (days, drivers), NaN where not known; None if none is named or known.

    Without a name the outdoor temperature stands for itself.
    """
    if not drivers:
        found = outdoor_means(site, store, days)
        return None if found is None else found.reshape(-1, 1)
    edges = np.array([at_us(d, 0, site.time_zone) for d in (*days, days[-1] + timedelta(days=1))], dtype=np.int64)
    hours = store.rollup(list(drivers), Level.HOUR, int(edges[0]), int(edges[-1]))
    columns = []
    for key in drivers:
        own = hours[key]
        known = own.count > 0
        place = np.searchsorted(edges, own.time_us[known], side="right") - 1
        inside = (place >= 0) & (place < len(days))
        seen = np.bincount(place[inside], minlength=len(days))
        sums = np.bincount(place[inside], weights=own.mean[known][inside], minlength=len(days))
        columns.append(np.where(seen >= 18, sums / np.maximum(seen, 1), np.nan))
    table = np.column_stack(columns)
    return table if np.isfinite(table).any() else None


def unit_price(books: Books, carrier: Carrier) -> float | None:
    """Return what a unit cost on the average of the newest bills. [currency]"""
    bills = [s.figures for s in books.statements(kind="bill") if s.figures.get("carrier") == carrier]
    known = [f for f in bills if f.get("total_cents") is not None and f.get("used")][-_PRICED_MONTHS:]
    used = sum(float(f["used"]) for f in known)
    return sum(int(f["total_cents"]) for f in known) / 100.0 / used if used > 0 else None
