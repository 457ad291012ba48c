"""The bill of a contract of the site: its registers, what stands behind them, which basic charge, and the outlook."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analytics.energy.basic_charge import cheaper_basic_charge
from analytics.energy.bill import bill
from analytics.energy.bill_lines import Bill
from analytics.energy.intervals import MEASURED, Intervals, Total, added
from analytics.energy.peak_outlook import peak_outlook
from facility.calendar import at_us
from facility.contracts import billed_registers, capacity_kva, deducted_registers, reactive_registers
from facility.metering import BookedRegister
from facility.site import Site
from facility.tariff_model import Contract
from facility.units import conversion

Read = Callable[[Sequence[str], int, int], Mapping[str, Intervals]]

# So far back the peaks of days are looked at for the outlook.
OUTLOOK_DAYS: Final = 90


def contract_bill(
    site: Site, contract: Contract, registers: Mapping[str, BookedRegister], first: date, end: date, read: Read, *,
    used_before: Total | None = None, hot_days: Mapping[date, bool] | None = None,
) -> Bill | None:  # fmt: skip
    """
    Make the bill of a contract for a month, or for its days that have passed.

    Parameters
    ----------
    first, end : first day of the month, and the day after the last one that has passed
    read : the booked steps of registers by their keys, in [start, end) [µs]
    used_before : since the year began, in the unit of the first register that is billed

    Returns
    -------
    None if the contract bills nothing of the site: it only says what a unit would cost.
    """
    billed = billed_registers(site, registers, contract)
    if not billed:
        return None
    start_us, end_us = at_us(first, 0, site.time_zone), at_us(end, 0, site.time_zone)
    reactive = reactive_registers(registers, billed) if contract.carrier == "electricity" else []
    deducted = deducted_registers(site, registers, contract)
    used = read([r.key for r in (*billed, *deducted, *reactive)], start_us, end_us)
    whole = _sum(site, billed, used, billed[0].unit)
    return bill(
        contract,
        first,
        added([whole, _sum(site, deducted, used, billed[0].unit)], [1.0, -1.0]) if deducted else whole,
        through_meters=whole,
        zone=site.time_zone,
        unit=billed[0].unit,
        currency=site.currency,
        reactive=_sum(site, reactive, used, "kvarh") if reactive else None,
        silent=[r.key for r in reactive if not used[r.key].total.known],
        capacity_kva=capacity_kva(site, billed),
        used_before=used_before,
        hot_days=hot_days,
        through=end,
    )


def _sum(site: Site, registers: Sequence[BookedRegister], used: Mapping[str, Intervals], unit: str) -> Intervals:
    """
    Return what several registers counted together; registers of a carrier count units that become each other.

    Nothing went through a meter on days on which it was not there, as long as another one was.
    """
    parts = [used[r.key].scaled(conversion(r.unit, unit)[0]) for r in registers]
    there = np.array([_was_there(site, r, p) for r, p in zip(registers, parts, strict=True)])
    some = there.any(axis=0)
    return added(
        [
            Intervals(p.start_us, np.where(some & ~own, 0.0, p.used), np.where(some & ~own, MEASURED, p.grade))
            for p, own in zip(parts, there, strict=True)
        ]
    )


def _kwh(figures: Mapping[str, Any]) -> float:
    """Return the energy of a bill, by which the load rate goes. [kWh]"""
    return float(figures.get("used") or 0.0) * conversion(str(figures.get("unit", "kWh")), "kWh")[0]


def _was_there(site: Site, register: BookedRegister, steps: Intervals) -> NDArray[np.bool_]:
    """Return in which steps a machine was in service, by the days of the site file: (n,)."""
    machine, zone, begins = register.equipment, site.time_zone, steps.begins_us
    there = np.ones(len(steps), dtype=np.bool_)
    if machine.since is not None:
        there &= begins >= at_us(machine.since, 0, zone)
    if machine.until is not None:
        there &= begins < at_us(machine.until + timedelta(days=1), 0, zone)
    return there


def contract_figures(
    site: Site, contract: Contract, registers: Mapping[str, BookedRegister], made: Bill,
    past: Sequence[Mapping[str, Any]], read: Read, now_us: int | None = None,
    temperature_c: Mapping[date, float] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """
    Return a bill for programs, with the comparison of basic charges and, while the month runs, the outlook on its peak.

    Parameters
    ----------
    past : the figures of earlier bills, oldest first; eleven are enough
    now_us : for the outlook; None: the month has ended
    temperature_c : of each day, past and foreseen, if known [°C]
    """
    figures = made.to_json() | {"headline": {"value": made.total_cents / 100.0, "unit": made.currency}}
    tariff = contract.on(made.through - timedelta(days=1))
    basic = tariff.basic if tariff else None
    if basic is None or made.peak_kw is None:
        return figures
    billed = billed_registers(site, registers, contract)
    capacity = basic.capacity_kva or capacity_kva(site, billed)
    months = [f for f in (*past, figures) if f.get("peak_kw") is not None]
    if capacity is not None:
        choice = cheaper_basic_charge(
            [float(f["peak_kw"]) for f in months],
            capacity,
            capacity_price=basic.capacity_price,
            demand_price=basic.demand_price,
            energy_kwh=[_kwh(f) for f in months],
            now=basic.by,
        )
        if choice is not None:
            figures["basic_charge"] = choice.to_json() | {"now": basic.by}
    if now_us is not None and made.provisional:
        back_us = at_us(made.month - timedelta(days=OUTLOOK_DAYS), 0, site.time_zone)
        used = read([r.key for r in billed], back_us, now_us)
        outlook = peak_outlook(_sum(site, billed, used, "kWh"), now_us, site.time_zone, temperature_c)
        if outlook is not None:
            figures["peak_forecast"] = outlook.to_json()
    return figures
