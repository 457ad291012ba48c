"""The bill of a month among the departments: what each line is shared by, and the price of each step of the month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from analytics.energy.allocation import Allocation, Charge, allocate, rules_on
from analytics.energy.bill_lines import Bill
from analytics.energy.intervals import Intervals, Times
from analytics.energy.meter_use import meter_uses
from facility.allocation_rules import ChargeBasis
from facility.calendar import at_us, day_of
from facility.equipment_classes import Carrier
from facility.metering import BookedRegister
from facility.site import Site
from facility.tariff import NO_DAYS, bands_at, unit_prices
from facility.tariff_model import Contract

_DEAR: Final = frozenset({"sharp", "peak"})

ENERGY: Final = "energy"
BASIC: Final = "basic"
OTHER: Final = "other"  # power factor, minimum charge, tax: they follow the money


def charges_of(bills: Sequence[Bill], basic: ChargeBasis = "cost") -> tuple[Charge, ...]:
    """
    Return the parts of a carrier's bills that are shared alike: energy, basic charge, and what follows from both.

    The power-factor adjustment, the minimum charge and tax are shared as the energy's cost is.
    """
    sums: dict[str, int] = {}
    for bill in bills:
        for line in bill.lines:
            head = line.code.partition(".")[0]
            part = ENERGY if head in ("energy", "tier") else BASIC if head == "basic" else OTHER
            sums[part] = sums.get(part, 0) + line.amount_cents
    return tuple(Charge(part, cents, basic if part == BASIC else "cost") for part, cents in sums.items())


def step_prices(
    contract: Contract, begins_us: Times, zone: ZoneInfo, hot_days: Set[date] = NO_DAYS
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """
    Return the price of a unit in each of (n,) steps [currency/unit], and which steps are in the sharp and peak bands.

    Steps before the first tariff cost nothing.
    """
    prices = np.zeros(begins_us.shape)
    dear = np.zeros(begins_us.shape, dtype=np.bool_)
    if not begins_us.size:
        return prices, dear
    first, last = day_of(int(begins_us[0]), zone), day_of(int(begins_us[-1]), zone)
    for start, end, tariff in contract.segments(first, last + timedelta(days=1)):
        here = (begins_us >= at_us(start, 0, zone)) & (begins_us < at_us(end, 0, zone))
        if tariff is None or not here.any():
            continue
        prices[here] = unit_prices(tariff, begins_us[here], zone, hot_days)
        named = np.array([*(b.name in _DEAR for b in tariff.bands), False])
        dear[here] = named[bands_at(tariff, begins_us[here], zone, hot_days)]
    return prices, dear


def allocate_month(
    site: Site,
    registers: Mapping[str, BookedRegister],
    carrier: Carrier,
    first: date,
    last: date,
    intervals: Mapping[str, Intervals],
    bills: Sequence[Bill] = (),
    running_hours: Mapping[str, float] | None = None,
    hot_days: Set[date] = NO_DAYS,
) -> Allocation:
    """
    Share out a carrier's use and its bills.

    Parameters
    ----------
    first, last : days of the period
    intervals : by register; those of the carrier, and those that a rule shares by
    bills : of all contracts of the carrier; none: amounts only
    running_hours : by machine [h]

    Returns
    -------
    Allocation. What was bought is what the meters of supply counted, on which the bills rest too.
    """
    zone = site.time_zone
    start, end = at_us(first, 0, zone), at_us(last + timedelta(days=1), 0, zone)
    held = {key: steps.window(start, end) for key, steps in intervals.items()}
    contract = next((site.contracts[b.contract] for b in bills if b.contract in site.contracts), None)
    own = {k: s for k, s in held.items() if k in registers and registers[k].carrier == carrier}
    prices = dear = None
    if contract is not None and own:
        prices, dear = step_prices(contract, next(iter(own.values())).begins_us, zone, hot_days)
        # Where no band is dear, what was used then says nothing about the basic charge.
        dear = dear if dear.any() else None
    uses = meter_uses(own, prices, dear)
    uses |= meter_uses({k: s for k, s in held.items() if k not in own})
    charges = charges_of(bills, rules_on(site, carrier, first).basic_charge)
    return allocate(site, registers, carrier, first, last, uses, charges, running_hours=running_hours)
