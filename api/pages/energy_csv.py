"""Tables of the accounts for spreadsheets: every part of a period, with how good it is."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence

from analytics.energy.day_charges import DayCharge
from analytics.energy.day_costs import DayCost
from analytics.energy.intervals import Totals
from analytics.energy.statements import Statement
from api.pages.energy_counted import CountedMeter
from api.pages.energy_period import Period
from api.pages.words import Words
from facility.calendar import at_us
from facility.formats import moment
from facility.metering import CARRIER_NAMES
from facility.site import Site

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def cell(text: str) -> str:
    """Return text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _cost_parts(charge: DayCharge, period: Period, site: Site) -> Iterator[tuple[int, int | None, str]]:
    """Yield begin, cents and share missing of a day, or of each of its hours where the period is a day."""
    if period.span != "day":
        yield at_us(charge.day, 0, site.time_zone), charge.cents, f"{charge.missing:.4f}"
        return
    for start_us, cents in zip(period.edges_us(site.time_zone), charge.hours, strict=False):
        yield int(start_us), cents, ""


def period_csv(
    site: Site,
    words: Words,
    period: Period,
    meters: Mapping[str, CountedMeter],
    parts: Mapping[str, Totals],
    costs: Sequence[DayCost],
    bills: Sequence[Statement],
    now_us: int,
) -> str:
    """
    Return one line a register and part that has begun, and one a contract and day of `costs`, of a day and hour.

    Of a year the contracts have a line a month instead, with all of its bill.

    An unknown amount is an empty cell, never 0.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(
        [
            words("from"), words("meter"), words("name"), words("carrier"), words("amount"), words("unit"),
            words("measured"), words("estimated"), words("missing"),
        ]
    )  # fmt: skip
    form = "%Y-%m-%d %H:%M" if period.span == "day" else "%Y-%m" if period.span == "year" else "%Y-%m-%d"
    for key, own in parts.items():
        meter = meters[key]
        name, carrier = words.name(meter.name), words.name(CARRIER_NAMES[meter.carrier])
        for i in range(len(own)):
            start_us = int(own.edges_us[i])
            if start_us >= now_us:
                break
            amount = own.amount[i]
            writer.writerow(
                [
                    f"{moment(start_us, site.time_zone):{form}}",
                    key,
                    cell(name),
                    carrier,
                    f"{amount:.10g}" if math.isfinite(amount) else "",
                    meter.unit,
                    *(f"{share:.4f}" for share in (own.measured[i], own.estimated[i], own.missing[i])),
                ]
            )
    for cost in costs:
        contract = site.contracts.get(cost.contract)
        name = words.name(contract.name) if contract is not None else cost.contract
        for start_us, cents, missing in _cost_parts(cost.charge, period, site):
            if start_us < now_us:
                writer.writerow(
                    [
                        f"{moment(start_us, site.time_zone):{form}}",
                        f"cost/{cost.contract}",
                        cell(words("charged by the unit, %(contract)s", contract=name)),
                        words.name(CARRIER_NAMES[contract.carrier]) if contract is not None else cost.carrier,
                        "" if cents is None else f"{cents / 100:.2f}",
                        site.currency,
                        "",
                        "",
                        missing,
                    ]
                )
    for bill in bills:
        contract, cents = site.contracts.get(bill.subject), bill.figures.get("total_cents")
        if contract is not None and cents is not None:
            name = words("bill, %(contract)s", contract=words.name(contract.name))
            carrier = words.name(CARRIER_NAMES[contract.carrier])
            shares = (f"{float(bill.figures[share]):.4f}" for share in ("measured", "estimated", "missing"))
            writer.writerow(
                [
                    f"{bill.month:{form}}", f"bill/{bill.subject}", cell(name), carrier, f"{cents / 100:.2f}",
                    site.currency, *shares,
                ]
            )  # fmt: skip
    return out.getvalue()
