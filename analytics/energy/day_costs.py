"""What energy cost and emitted by the day: cost from the bills on record, carbon from the amounts of the day."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from analytics.energy.bought_energy import bought_amounts
from analytics.energy.carbon import Carbon, carbon
from analytics.energy.day_charges import BandCharge, DayCharge
from analytics.energy.intervals import Totals
from analytics.energy.statements import Statement
from facility.metering import BOUGHT, BookedRegister, points_of_supply
from facility.site import Site


@dataclass(frozen=True, slots=True)
class DayCost:
    """
    What the energy of a day cost under a contract: only what is charged by the unit.

    Attributes
    ----------
    unit : of what was used
    provisional : the month is not closed yet
    """

    contract: str
    carrier: str
    unit: str
    charge: DayCharge
    provisional: bool

    def to_json(self) -> dict[str, Any]:
        """Return it for programs; hours only where they were worked out."""
        hours = {"hours": list(self.charge.hours)} if self.charge.hours else {}
        return {
            "contract": self.contract,
            "carrier": self.carrier,
            "unit": self.unit,
            "provisional": self.provisional,
            **self.charge.to_json(),
            **hours,
        }


def costs_on_record(bills: Iterable[Statement], first: date, last: date) -> list[DayCost]:
    """Return what each day of [first, last] cost by the bills that are on record, oldest first, without hours."""
    found = [
        DayCost(s.subject, str(s.figures["carrier"]), str(s.figures["unit"]), _charge(entry), s.provisional)
        for s in bills
        if first.replace(day=1) <= s.month <= last
        for entry in s.figures.get("days", ())
    ]
    return sorted((c for c in found if first <= c.charge.day <= last), key=lambda c: c.charge.day)


def _charge(entry: Mapping[str, Any]) -> DayCharge:
    return DayCharge(
        day=date.fromisoformat(entry["day"]),
        used=math.nan if entry["used"] is None else float(entry["used"]),
        cents=entry["cents"],
        missing=float(entry["missing"]),
        unpriced=bool(entry["at_least"]),
        bands=tuple(BandCharge(name, float(b["used"]), int(b["cents"])) for name, b in entry["bands"].items()),
    )


def supply_keys(site: Site, registers: Mapping[str, BookedRegister]) -> list[str]:
    """Return the registers through which energy is bought."""
    return [r.key for c in BOUGHT for r in points_of_supply(site, registers, c)]


def carbon_by_day(
    site: Site, registers: Mapping[str, BookedRegister], days: Mapping[str, Totals], first: date
) -> list[tuple[date, Carbon]]:
    """
    Return what the energy of each day emitted.

    `days` : of the registers of supply, by consecutive days from the first on. A day's kilograms are rounded to 0.001
    by themselves, so that a month may differ from the sum of its days by as much a day.
    """
    count = min((len(t) for t in days.values()), default=0)
    return [
        (day, carbon(day, bought_amounts(site, registers, {k: t[i] for k, t in days.items()}, day, day), site.carbon))
        for i, day in ((i, first + timedelta(days=i)) for i in range(count))
    ]
