"""What the months on record say to a month whose statements are made: prices, shares, and the accounts of a year."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final, Protocol

import numpy as np

from analytics.energy.bill_lines import Bill
from analytics.energy.indicator_accounts import MonthAccounts
from analytics.energy.intervals import Intervals, Total, Totals
from analytics.energy.standings import Rates
from analytics.energy.statements import Draft, Statement
from analytics.energy.supply_totals import together
from facility.equipment_classes import Carrier
from facility.metering import BOUGHT, BookedRegister, points_of_supply
from facility.site import Site
from facility.targets import Measure
from facility.tariff_model import Contract

MONTHS_COMPARED: Final = 12
_TOLD: Final = ("bill", "allocation", "carbon")  # kinds of statements that say what a month used, cost and emitted


class Accounts(Protocol):
    """What the statements are made of; `Books` has it."""

    def registers(self) -> dict[str, BookedRegister]: ...

    def intervals(self, keys: Sequence[str], start_us: int, end_us: int) -> dict[str, Intervals]: ...

    def daily(self, keys: Sequence[str], first_day: date, last_day: date) -> dict[str, Totals]: ...

    def monthly(self, keys: Sequence[str], first_month: date, last_month: date) -> dict[str, Totals]: ...

    def statements(
        self, *, kind: str | None = None, subject: str | None = None, month: date | None = None
    ) -> list[Statement]: ...


@dataclass
class Month:
    """What is known of a month while its statements are made; intervals are read once and shared."""

    first: date
    end: date  # day after the last that is over
    start_us: int
    end_us: int
    registers: dict[str, BookedRegister]
    hot_days: dict[date, bool]  # of those that are known
    used: dict[str, Intervals] = field(default_factory=dict)
    bills: list[tuple[Contract, Bill]] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)


class MonthRecord:
    """
    Reads what is on record, and of the month itself what has just been made.

    Parameters
    ----------
    site, accounts : the hospital and its books
    """

    def __init__(self, site: Site, accounts: Accounts) -> None:
        self._site, self._accounts, self._zone = site, accounts, site.time_zone

    def months(self, own: Month) -> list[MonthAccounts]:
        """Return the accounts of up to twelve consecutive months that end with this one, oldest first."""
        return [self._month_accounts(own, month) for month in self._months_behind(own)]

    def rates(self, own: Month) -> Rates:
        """Return what a unit of each carrier costs and emits, and how departments share it."""
        by_unit: dict[tuple[Carrier, Measure], float] = {}
        for carrier in BOUGHT:
            bills = [made for contract, made in own.bills if contract.carrier == carrier and math.isfinite(made.used)]
            used = math.fsum(made.used for made in bills)
            if used > 0:
                by_unit[carrier, "cost"] = math.fsum(made.total_cents / 100.0 for made in bills) / used
        for draft in own.drafts:
            if draft.kind == "carbon":
                for row in draft.figures["carbon"]["rows"]:
                    _rate(by_unit, self._carrier_of(row["energy"]), "carbon", row["kg"], row["amount"])
                for row in draft.figures["coal"]["rows"]:
                    _rate(by_unit, self._carrier_of(row["energy"]), "coal", row["equivalent_kgce"], row["amount"])
        by_month: dict[tuple[date, Carrier, Measure], float] = {
            (month, carrier, "cost"): rate for (month, carrier), rate in self._past_prices(own).items()
        }
        shares: dict[tuple[date, Carrier], Mapping[str, float]] = {}
        for month, carrier, figures in self._allocated(own, own.first.replace(month=1)):
            amount = float(figures["amount"])
            if amount > 0:
                shares[month, carrier] = {
                    row["department"]: float(row["amount"]) / amount
                    for row in figures["rows"]
                    if row["department"] is not None
                }
        return Rates(by_unit, shares, by_month)

    def _past_prices(self, own: Month) -> dict[tuple[date, Carrier], float]:
        """Return what a unit of each carrier cost in the months before, by the bills on record."""
        sums: dict[tuple[date, Carrier], tuple[float, float]] = {}
        for kept in self._accounts.statements(kind="bill"):
            used, cents = kept.figures.get("used"), kept.figures.get("total_cents")
            if used and cents is not None and kept.month < own.first:
                before = sums.get((kept.month, kept.figures["carrier"]), (0.0, 0.0))
                sums[kept.month, kept.figures["carrier"]] = (before[0] + cents / 100.0, before[1] + used)
        return {key: cost / used for key, (cost, used) in sums.items()}

    def _carrier_of(self, energy: str) -> Carrier | None:
        if energy == self._site.carbon.gas:
            return "gas"
        return next((c for c in BOUGHT if c == energy), None)

    def _allocated(self, own: Month, since: date) -> list[tuple[date, Carrier, Mapping[str, Any]]]:
        """Return the allocations from a month on: those on record, and of this month the fresh ones."""
        found = [
            (s.month, s.subject, s.figures)
            for s in self._accounts.statements(kind="allocation")
            if since <= s.month < own.first
        ]
        found += [(d.month, d.subject, d.figures) for d in own.drafts if d.kind == "allocation"]
        return [(month, c, figures) for month, subject, figures in found for c in BOUGHT if c == subject]

    def _months_behind(self, own: Month) -> list[date]:
        """Return up to twelve consecutive months that end with this one, as far back as they are on record."""
        known = {s.month for s in self._accounts.statements(kind="carbon")}
        months = [own.first]
        while len(months) < MONTHS_COMPARED and (before := (months[0] - timedelta(days=1)).replace(day=1)) in known:
            months.insert(0, before)
        return months

    def _month_accounts(self, own: Month, month: date) -> MonthAccounts:
        """Return what a month's accounts say: of this month the fresh drafts, of others what is on record."""
        fresh = month == own.first
        drafts: dict[tuple[str, str], Mapping[str, Any]] = {(d.kind, d.subject): d.figures for d in own.drafts}
        if not fresh:
            kept = [s for kind in _TOLD for s in self._accounts.statements(kind=kind, month=month)]
            drafts = {(s.kind, s.subject): s.figures for s in kept}
        last = own.end - timedelta(days=1) if fresh else (month + timedelta(days=32)).replace(day=1) - timedelta(days=1)
        amounts: dict[Any, Total] = {}
        supply = [(c, r) for c in BOUGHT for r in points_of_supply(self._site, own.registers, c)]
        held = self._accounts.daily([r.key for _, r in supply], month, last)
        for carrier in dict.fromkeys(c for c, _ in supply):
            mine = [r for c, r in supply if c == carrier]
            amounts[carrier] = whole(together(mine, held, self._zone))
        # A contract for what does not come in, such as oxygen that is made here, leaves no gap in the cost.
        bills = [
            f
            for (kind, _), f in drafts.items()
            if kind == "bill" and f.get("total_cents") is not None and f["carrier"] in amounts
        ]
        if bills:
            worst = max(bills, key=lambda f: float(f["missing"]))
            cost = math.fsum(int(f["total_cents"]) / 100.0 for f in bills)
            amounts["cost"] = Total(cost, worst["measured"], worst["estimated"], worst["missing"])
        climate = drafts.get(("carbon", "site"))
        if climate is not None:
            missing = max((float(r["missing"]) for r in climate["carbon"]["rows"]), default=1.0)
            amounts["carbon"] = Total(float(climate["carbon"]["kg"]), 1.0 - missing, 0.0, missing)
            amounts["coal"] = Total(float(climate["coal"]["equivalent_kgce"]), 1.0 - missing, 0.0, missing)
        departments: dict[str, dict[Any, Total]] = {}
        for (kind, subject), figures in drafts.items():
            for row in figures["rows"] if kind == "allocation" else ():
                mine_ = departments.setdefault(row["department"], {}) if row["department"] is not None else None
                if mine_ is not None:
                    shares = (row["measured"], row["estimated"], row["missing"])
                    mine_[subject] = Total(float(row["amount"]), *shares)
                    before = mine_.get("cost")
                    cents = int(row["cents"]) / 100.0
                    mine_["cost"] = Total(cents + (before.amount if before else 0.0), *shares)
        return MonthAccounts(month, last, amounts, departments)


def whole(days: Totals) -> Total:
    """Return consecutive sums as one."""
    length = np.diff(days.edges_us).astype(np.float64)
    known = np.isfinite(days.amount)
    shares = [float(np.average(share, weights=length)) for share in (days.measured, days.estimated, days.missing)]
    return Total(float(days.amount[known].sum()) if known.any() else math.nan, *shares)


def _rate(
    rates: dict[tuple[Carrier, Measure], float], carrier: Carrier | None, measure: Measure, total: float, amount: float
) -> None:
    if carrier is not None and amount > 0:
        rates[carrier, measure] = total / amount
