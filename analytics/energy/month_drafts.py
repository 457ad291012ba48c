"""The statements of a month, worked out from the books: bills, allocation, balance, carbon, targets, indicators.

What one of them lacks is told in it, and the others are made all the same.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from typing import Any, Final

import numpy as np

from analytics.energy.activity import ActivityBook, ActivityRecord
from analytics.energy.allocation import Charge, allocate, rules_on
from analytics.energy.balance import balance
from analytics.energy.bill_lines import Bill
from analytics.energy.bought_energy import bought_amounts
from analytics.energy.carbon import carbon
from analytics.energy.contract_bill import contract_bill, contract_figures
from analytics.energy.day_charges import DayCharge
from analytics.energy.day_costs import DayCost
from analytics.energy.energy_charge import contract_prices, energy_cost
from analytics.energy.indicator_accounts import (
    Surroundings,
    intervals_wanted,
    month_indicators,
    registers_wanted,
)
from analytics.energy.intervals import STEP_US, Floats, Intervals, Total, Totals
from analytics.energy.machine_indicators import MachineFigures, gauges_wanted
from analytics.energy.meter_use import meter_uses
from analytics.energy.month_record import MONTHS_COMPARED, Accounts, Month, MonthRecord, whole
from analytics.energy.outdoor import Outdoor
from analytics.energy.restating import CLOSING_US
from analytics.energy.run_hours import counters_wanted, hours_of
from analytics.energy.standard_coal import standard_coal
from analytics.energy.standings import DailyUse, standings
from analytics.energy.statements import Draft, Told
from analytics.energy.supply_totals import together
from analytics.energy.weather import degree_days
from facility.allocation_rules import AllocationRules, Share
from facility.calendar import at_us, day_bounds_us, day_of
from facility.contracts import billed_registers, deducted_registers
from facility.equipment_classes import Carrier
from facility.errors import StoreUnavailable
from facility.metering import BOUGHT, CARRIER_NAMES, BookedRegister, points_of_supply
from facility.names import Names
from facility.site import Site
from facility.store import Level, TelemetryStore
from facility.tariff import bands_at
from facility.tariff_model import Contract
from facility.units import conversion

log = logging.getLogger(__name__)

# Plans are judged by what up to two years before let expect.
_BEHIND: Final = timedelta(days=730)
_DEAR: Final = frozenset({"sharp", "peak"})
_DEMAND_BEHIND: Final = timedelta(days=90)


class MonthDrafts:
    """
    Makes the statements of months.

    Parameters
    ----------
    site, store : the hospital, and its readings of the weather
    accounts : the books
    activity : what the hospital did
    clock : the time now [µs UTC]
    """

    def __init__(
        self, site: Site, store: TelemetryStore, accounts: Accounts, activity: ActivityBook, clock: Callable[[], int]
    ) -> None:
        self._site, self._store, self._accounts, self._activity = site, store, accounts, activity
        self._clock, self._zone = clock, site.time_zone
        self._outdoor, self._record = Outdoor(site, store), MonthRecord(site, accounts)

    def of(self, month: date) -> list[Draft]:
        """
        Return the statements of a month, named by any of its days, as they stand now; none before its first ends.

        StoreUnavailable if store or database cannot be reached. One that cannot be made for any other reason is left
        out, with those that rest on it.
        """
        first = month.replace(day=1)
        after = (first + timedelta(days=32)).replace(day=1)
        end = min(after, day_of(self._clock(), self._zone))
        if end <= first:
            return []
        start_us, end_us = at_us(first, 0, self._zone), at_us(end, 0, self._zone)
        own = Month(first, end, start_us, end_us, self._accounts.registers(), self._outdoor.hot_days(start_us, end_us))
        failed: set[str] = set()
        for kind, make, rests_on in (
            ("bill", self._bills, ()),
            ("allocation", self._allocations, ("bill",)),
            ("balance", self._balances, ()),
            ("carbon", self._carbon, ()),
            ("targets", self._targets, ("bill", "allocation", "carbon")),
            ("indicators", self._indicators, ("bill", "allocation", "carbon")),
        ):
            if failed.intersection(rests_on):
                failed.add(kind)
                continue
            try:
                make(own)
            except StoreUnavailable:
                raise
            except Exception:
                failed.add(kind)
                log.exception("the %s of %s cannot be made", kind, f"{first:%Y-%m}")
        return own.drafts

    # -- bills

    def _bills(self, own: Month) -> None:
        billed = {contract.carrier for contract in self._site.contracts.values() if not contract.resold}
        for contract in self._site.contracts.values():
            made = self._bill(own, contract)
            if made is not None and contract.resold:
                own.drafts.append(Draft("resale", contract.id, own.first, self._resale(own, contract, made)))
            elif made is not None:
                own.bills.append((contract, made))
        for contract, made in own.bills:
            before = self._accounts.statements(kind="bill", subject=contract.id)
            past = [s.figures for s in before if s.month < own.first][-(MONTHS_COMPARED - 1) :]
            figures = contract_figures(
                self._site,
                contract,
                own.registers,
                made,
                past,
                self._accounts.intervals,
                self._clock() if made.provisional else None,
                self._outdoor.known(own.first - _DEMAND_BEHIND, own.end - timedelta(days=1))
                if made.provisional
                else None,
            )
            own.drafts.append(Draft("bill", contract.id, own.first, figures))
        for carrier in BOUGHT:
            if carrier not in billed and points_of_supply(self._site, own.registers, carrier):
                own.drafts.append(Draft("bill", carrier, own.first, {"carrier": carrier}, (_no_tariff(carrier),)))

    def _bill(self, own: Month, contract: Contract) -> Bill | None:
        """Return the bill of a contract; None if it bills nothing of the site."""
        billed = billed_registers(self._site, own.registers, contract)
        return contract_bill(
            self._site,
            contract,
            own.registers,
            own.first,
            own.end,
            lambda keys, _start_us, _end_us: self._used(own, keys),
            used_before=self._used_this_year(own, contract, billed) if billed else None,
            hot_days=own.hot_days,
        )

    def _resale(self, own: Month, contract: Contract, made: Bill) -> dict[str, Any]:
        """Return what is charged for what is sold on, and what the hospital's own price of a unit makes of it."""
        bought: int | None = None
        prices, _ = self._prices(own, contract.carrier)
        if prices is not None:
            used = self._used(own, [])
            unit = self._site.tariffs[contract.carrier].on(own.first).unit
            registers = billed_registers(self._site, own.registers, contract)
            cost = [float(energy_cost(used[r.key].used, prices)) * _factor(r.unit, unit) for r in registers]
            bought = round(100.0 * math.fsum(cost)) if np.isfinite(cost).all() else None
        return made.to_json() | {
            "bought_cents": bought, "headline": {"value": made.total_cents / 100.0, "unit": made.currency},
        }  # fmt: skip

    def costs_of(self, day: date) -> list[DayCost]:
        """
        Return what the energy of a day cost by contract, by its hours too; of today what it cost so far.

        The days of its month that are over have a say in it, for tiers and for the cents of their lines.
        """
        today, first = day_of(self._clock(), self._zone), day.replace(day=1)
        after = (first + timedelta(days=32)).replace(day=1)
        end = min(after, max(today, day + timedelta(days=1)))
        start_us, end_us = at_us(first, 0, self._zone), at_us(end, 0, self._zone)
        own = Month(first, end, start_us, end_us, self._accounts.registers(), self._outdoor.hot_days(start_us, end_us))
        closed = end_us + CLOSING_US <= self._clock() and end == after
        contracts = [c for c in self._site.contracts.values() if not c.resold]
        bills = [(c, made) for c in contracts if (made := self._bill(own, c)) is not None]
        return [
            DayCost(c.id, c.carrier, made.unit, self._so_far(made.days[day.day - 1]), not closed) for c, made in bills
        ]

    def _so_far(self, charge: DayCharge) -> DayCharge:
        """Return the cost of a day with the share that is missing of the time that has passed."""
        start_us, end_us = day_bounds_us(charge.day, self._zone)
        passed = (min(max(self._clock() // STEP_US * STEP_US, start_us), end_us) - start_us) / (end_us - start_us)
        if not passed or charge.missing == 1.0:
            return charge
        return replace(charge, missing=max(0.0, 1.0 - (1.0 - charge.missing) / passed))

    def _used(self, own: Month, keys: Iterable[str]) -> Mapping[str, Intervals]:
        unread = [key for key in dict.fromkeys(keys) if key not in own.used]
        if unread:
            own.used |= self._accounts.intervals(unread, own.start_us, own.end_us)
        return own.used

    def _used_this_year(self, own: Month, contract: Contract, billed: Sequence[BookedRegister]) -> Total | None:
        """Return what was billed from January to the month before, in the unit of the first register that is billed."""
        if own.first.month == 1 or not any(t.tiers is not None and t.tiers.period == "year" for t in contract.tariffs):
            return None
        deducted = deducted_registers(self._site, own.registers, contract)
        every = [*billed, *deducted]
        keys = [r.key for r in every]
        found = self._accounts.monthly(keys, date(own.first.year, 1, 1), own.first - timedelta(days=1))
        return whole(together(every, found, self._zone, taken_off=len(deducted)))

    # -- allocation, balance

    def _allocations(self, own: Month) -> None:
        for carrier in self._carriers(own):
            if not points_of_supply(self._site, own.registers, carrier):
                continue
            rules = rules_on(self._site, carrier, own.first)
            shared_by = [key for s in (*rules.meters.values(), rules.rest) for key in _keys_of(s)]
            keys = [r.key for r in own.registers.values() if r.carrier == carrier]
            keys += [key for key in shared_by if key in own.registers and key not in keys]
            used = self._used(own, keys)
            prices, dear = self._prices(own, carrier)
            uses = meter_uses({key: used[key] for key in keys}, prices, dear)
            charges: dict[str, Charge] = {}
            for contract, made in own.bills:
                for line in made.lines if contract.carrier == carrier else ():
                    by = rules.basic_charge if line.code.startswith("basic") else "cost"
                    before = charges.get(line.code, Charge(line.code, 0, by))
                    charges[line.code] = replace(before, cents=before.cents + line.amount_cents)
            last = own.end - timedelta(days=1)
            hours = self._running_hours(own, rules)
            found = allocate(
                self._site, own.registers, carrier, own.first, last, uses, list(charges.values()), running_hours=hours
            )
            figures = found.to_json() | {"headline": {"value": found.total_cents / 100.0, "unit": self._site.currency}}
            own.drafts.append(Draft("allocation", carrier, own.first, figures))

    def _running_hours(self, own: Month, rules: AllocationRules) -> dict[str, float]:
        """Return how long the machines ran by which a rule shares."""
        counters = counters_wanted(rules)
        if not counters:
            return {}
        # The day before shows where the counters stood when the month began.
        first_us = at_us(own.first - timedelta(days=1), 0, self._zone)
        days = self._store.rollup(list(counters.values()), Level.DAY, first_us, own.end_us)
        return hours_of(counters, {key: d.last for key, d in days.items()})

    def _prices(self, own: Month, carrier: Carrier) -> tuple[Floats | None, Any]:
        """Return the price of each step of the month, and which are dear; by the first contract of a carrier."""
        contract = next((c for c in self._site.contracts.values() if c.carrier == carrier and not c.resold), None)
        if contract is None:
            return None, None
        begins = np.arange(own.start_us, own.end_us, 900_000_000, dtype=np.int64)
        hot = {day for day, is_hot in own.hot_days.items() if is_hot}
        prices = contract_prices(contract, begins, self._zone, hot)
        tariff = contract.on(own.first)
        if not np.isfinite(prices).all():
            return None, None
        if tariff is None or not tariff.bands:
            return prices, None
        dear_bands = np.array([*(b.name in _DEAR for b in tariff.bands), False])
        return prices, dear_bands[bands_at(tariff, begins, self._zone, hot)]

    def _balances(self, own: Month) -> None:
        last = own.end - timedelta(days=1)
        for carrier in self._carriers(own):
            keys = [r.key for r in own.registers.values() if r.carrier == carrier]
            found = balance(self._site, own.registers, carrier, own.first, self._accounts.daily(keys, own.first, last))
            if found.rows or found.problems:
                own.drafts.append(Draft("balance", carrier, own.first, found.to_json()))

    def _carriers(self, own: Month) -> list[Carrier]:
        present = {r.carrier for r in own.registers.values() if r.flow == "in"}
        return [c for c in BOUGHT if c in present]

    # -- carbon, targets, indicators

    def _carbon(self, own: Month) -> None:
        last = own.end - timedelta(days=1)
        amounts = bought_amounts(self._site, own.registers, self._supply_totals(own), own.first, last)
        emitted = carbon(own.first, amounts, self._site.carbon)
        coal = standard_coal(own.first, amounts, self._site.carbon)
        figures = {
            "carbon": emitted.to_json(), "coal": coal.to_json(), "headline": {"value": emitted.kg, "unit": "kgCO₂"},
        }  # fmt: skip
        own.drafts.append(Draft("carbon", "site", own.first, figures))

    def _supply_totals(self, own: Month) -> dict[str, Total]:
        keys = [r.key for c in BOUGHT for r in points_of_supply(self._site, own.registers, c)]
        used = self._used(own, keys)
        return {key: used[key].total for key in keys}

    def _targets(self, own: Month) -> None:
        if not any(t.year == own.first.year for t in self._site.targets):
            return
        begin, last = own.first - _BEHIND, own.end - timedelta(days=1)
        edges = np.array(
            [at_us(begin + timedelta(days=i), 0, self._zone) for i in range((last - begin).days + 2)], dtype=np.int64
        )
        totals: dict[Carrier, Totals] = {}
        for carrier in BOUGHT:
            supply = points_of_supply(self._site, own.registers, carrier)
            if supply:
                days = self._accounts.daily([r.key for r in supply], begin, last)
                totals[carrier] = together(supply, days, self._zone)
        use = DailyUse(begin, totals, self._outdoor.means(edges))
        found = standings(self._site.targets, use, self._record.rates(own), own.first, self._clock(), self._zone)
        rows = [standing.to_json() for standing in found]
        own.drafts.append(Draft("targets", "site", own.first, {"rows": rows}))

    def _indicators(self, own: Month) -> None:
        months = self._record.months(own)
        keys = registers_wanted(self._site)
        held = self._accounts.daily(keys, own.first, own.end - timedelta(days=1))
        totals = {key: whole(days) for key, days in held.items()}
        machines = MachineFigures(totals, self._means(own))
        intervals = {key: used for key in intervals_wanted(self._site) if (used := self._used(own, [key])[key])}
        # One question for each span, not one for each department.
        reported = cache(lambda a, b: ActivityRecord(self._activity.reported(a, b)))
        around = Surroundings(
            lambda kind, department, a, b: reported(a, b).total(kind, department, a, b),
            cache(lambda a, b: degree_days(self._outdoor.daily(a, b))),
        )
        found = month_indicators(self._site, months, machines, intervals, around)
        own.drafts.append(Draft("indicators", "site", own.first, found.to_json()))

    # -- machines

    def _means(self, own: Month) -> dict[str, float]:
        keys = gauges_wanted(self._site)
        if not keys:
            return {}
        found = self._store.rollup(keys, Level.DAY, own.start_us, own.end_us)
        return {key: float(np.average(r.mean, weights=r.count)) for key, r in found.items() if r.count.sum() > 0}


def _factor(unit: str, other: str) -> float:
    try:
        return conversion(unit, other)[0]
    except ValueError:
        return math.nan


def _keys_of(share: Share) -> tuple[str, ...]:
    return share.of if share.by == "meters" else ()


def _no_tariff(carrier: Carrier) -> Told:
    name = CARRIER_NAMES[carrier]
    return Told(
        "tariffs",
        Names(
            zh=f"没有{name.zh}的价格，无法出账；请在站点文件的 tariffs 中增加 carrier: {carrier}",
            en=f"{name.en} is bought, but has no tariff, so there is no bill; add one with carrier: {carrier} under "
            "tariffs in the site file",
        ),
    )
