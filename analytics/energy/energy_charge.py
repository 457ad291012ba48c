"""What energy costs: the lines of a bill by component and band, and the cost of many meters at once."""

from __future__ import annotations

import math
from collections.abc import Set
from dataclasses import dataclass
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from analytics.energy.bill_lines import BillLine, line
from analytics.energy.intervals import MISSING, Floats, Intervals
from analytics.energy.tiers import tiered
from facility.calendar import at_us, day_of
from facility.names import Names
from facility.tariff import BANDS, NO_DAYS, bands_at, unit_prices
from facility.tariff_model import COMPONENT_NAMES, Component, Contract, Tariff, Tiers

_NO_BAND: Final = ""
_EARLIEST: Final = date(1970, 1, 1)


@dataclass(frozen=True, slots=True, eq=False)
class EnergyCharge:
    """A line of a bill, and what of its quantity falls into each step: (n,) float, 0 where nothing is known."""

    line: BillLine
    quantity: Floats


@dataclass(frozen=True, slots=True, eq=False)
class EnergyCharges:
    """
    What the energy of a stretch costs.

    Attributes
    ----------
    charges : in the order of the bill
    unpriced : components whose price of that month is unknown
    band : (n,) place of each step in `BANDS`; after the last, if the tariff has no bands
    """

    charges: tuple[EnergyCharge, ...]
    unpriced: tuple[Component, ...]
    band: NDArray[np.int64]


def energy_charges(
    tariff: Tariff, use: Intervals, zone: ZoneInfo, hot_days: Set[date] = NO_DAYS, used_before: float = 0.0
) -> EnergyCharges:
    """
    Return the lines of the energy in a stretch of one month.

    Parameters
    ----------
    use : steps of the stretch, in the tariff's unit; those that are missing are not charged, and each line tells their
        share
    used_before : since the tiers' period began [unit]
    """
    entry = bands_at(tariff, use.begins_us, zone, hot_days)
    # Outside all bands, the last entry's place, it is flat.
    places = [*(BANDS.index(b.name) for b in tariff.bands), BANDS.index("flat") if tariff.bands else len(BANDS)]
    band = np.array(places, dtype=np.int64)[entry]
    if not bool(np.any(use.grade != MISSING)):
        return EnergyCharges((), (), band)
    day = day_of(use.start_us, zone)
    unpriced = tuple(c for c in tariff.parts if c.in_month(day.year, day.month) is None)
    charges = _tier_charges(tariff.tiers, tariff, use, used_before) if tariff.tiers else []
    # A tariff of tiers alone has no other part of the price.
    for component in tariff.parts if tariff.components or not tariff.tiers else ():
        price = component.in_month(day.year, day.month)
        if price is not None:
            charges += _component_charges(tariff, component, price, use, entry, day.month)
    return EnergyCharges(tuple(charges), unpriced, band)


def _component_charges(
    tariff: Tariff, component: Component, price: float, use: Intervals, entry: NDArray[np.int16], month: int
) -> list[EnergyCharge]:
    own_prices = any(b.price is not None for b in tariff.bands)
    places: dict[tuple[str, float], NDArray[np.bool_]] = {}
    for i in np.unique(entry):
        band = tariff.bands[i] if i >= 0 else None
        name = band.name if band else "flat"
        if own_prices:
            charge = name, price if band is None or band.price is None else band.price
        elif component.floats and tariff.bands:
            charge = name, price * tariff.ratio(name, month)
        else:
            charge = _NO_BAND, price
        here = entry == i
        places[charge] = places[charge] | here if charge in places else here
    ordered = sorted(places, key=lambda c: (BANDS.index(c[0]) if c[0] else -1, -c[1]))
    charges = [_charge(tariff.unit, component, *c, use, places[c]) for c in ordered]
    return [x for x in charges if x is not None]


def _charge(
    unit: str, component: Component, band: str, price: float, use: Intervals, here: NDArray[np.bool_]
) -> EnergyCharge | None:
    known = here & (use.grade != MISSING)
    if not known.any():
        return None
    code = ".".join(x for x in ("energy", component.code if component.code != "energy" else "", band) if x)
    share, detail = component.share, None
    if share != 1.0:
        detail = Names(zh=f"按用量的{share:.0%}计", en=f"charged on {share:.0%} of the amount")
    made = line(
        code,
        component.name,
        float(use.used[known].sum()) * share,
        unit,
        price,
        band=band,
        adjusted=component.adjusted,
        missing=1.0 - float(known.sum() / here.sum()),
        detail=detail,
    )
    return EnergyCharge(made, np.where(known, use.used, 0.0) * share)


def _tier_charges(tiers: Tiers, tariff: Tariff, use: Intervals, used_before: float) -> list[EnergyCharge]:
    known = use.grade != MISSING
    missing = 1.0 - float(known.mean())
    name = COMPONENT_NAMES["energy" if tariff.carrier == "electricity" else "commodity"]
    reached = used_before + np.cumsum(np.where(known, np.maximum(use.used, 0.0), 0.0))
    charges = []
    for step, quantity in tiered(tiers, used_before, max(0.0, float(use.used[known].sum()))):
        number = tiers.steps.index(step) + 1
        named = Names(zh=f"{name.zh}（第{number}阶梯）", en=f"{name.en}, tier {number}")
        made = line(f"tier.{number}", named, quantity, tariff.unit, step.price, adjusted=True, missing=missing)
        low = max(used_before, tiers.steps[number - 2].up_to or 0.0) if number > 1 else used_before
        top = math.inf if step.up_to is None else step.up_to
        charges.append(EnergyCharge(made, np.diff(np.clip(reached, low, top), prepend=low)))
    return charges


def contract_prices(
    contract: Contract, begins_us: NDArray[np.int64], zone: ZoneInfo, hot_days: Set[date] = NO_DAYS
) -> Floats:
    """
    Return the price of a unit at each of (n,) rising times, tariffs changing with their days; NaN before the first.

    Of tiers the first counts, and a month without a price of its own takes the one before. [currency/unit]
    """
    prices = np.full(begins_us.shape, np.nan)
    # Nothing is booked before 1970, and the years of the first centuries cannot be told in every zone.
    edges = [at_us(max(d, _EARLIEST), 0, zone) for d in contract.since]
    for i, tariff in enumerate(contract.tariffs):
        here = begins_us >= edges[i]
        if i + 1 < len(edges):
            here &= begins_us < edges[i + 1]
        if here.any():
            prices[here] = unit_prices(tariff, begins_us[here], zone, hot_days)
    return prices


def energy_cost(use: Floats, prices: Floats) -> Floats:
    """
    Return what the energy of meters costs at the prices of its steps, basic charge and adjustments left out.

    Parameters
    ----------
    use : (n,) or (meters, n) float
        Energy by step, NaN where missing: what is not known costs nothing here, and the caller tells its share. [unit]
    prices : (n,) float
        [currency/unit], as `contract_prices` has them

    Returns
    -------
    () or (meters,) float [currency]; NaN for a meter of which nothing is known.

    Raises
    ------
    ValueError
        If there is not one price a step.
    """
    if prices.shape != use.shape[-1:]:
        raise ValueError(f"prices {prices.shape} and use {use.shape} differ in steps; give one price a step")
    known = np.isfinite(use)
    cost = np.where(known, use, 0.0) @ prices
    return np.where(known.any(axis=-1), cost, np.nan)
