"""How much of each energy was bought, and how amounts meet factors: units, years, what is not known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from analytics.energy.intervals import Total
from analytics.energy.reasons import Reason
from facility.equipment_classes import Carrier
from facility.factor_library import Energy, Factor, FactorLibrary, of_year
from facility.metering import BookedRegister, points_of_supply
from facility.names import Names
from facility.site import Site
from facility.units import conversion

ELECTRICITY: Final = "electricity"
ELECTRICITY_NAME: Final = Names(zh="外购电力", en="Bought electricity")
STEAM: Final = "steam"
STEAM_NAME: Final = Names(zh="外购蒸汽", en="Bought steam")
GJ_A_TONNE: Final = 0.001  # of 1 kJ/kg


@dataclass(frozen=True, slots=True)
class Amount:
    """
    How much of an energy was bought.

    Attributes
    ----------
    missing : share of the time of which nothing is known; what is missing is not in the amount
    """

    amount: float
    unit: str
    missing: float = 0.0


def bought_amounts(
    site: Site, registers: Mapping[str, BookedRegister], totals: Mapping[str, Total], first: date, last: date
) -> dict[str, Amount]:
    """
    Return what came in through the meters of supply, by energy: what `carbon` and `standard_coal` take.

    A carrier that has no meter of supply is made here and left out. What flows back to the grid is not taken off: it
    was sold, not saved. Of several meters one that was not in service on any day of [first, last] misses nothing.
    """
    found: dict[str, Amount] = {}
    carriers: tuple[Carrier, ...] = ("electricity", "gas", "water", "heat", "steam", "oxygen", "air")
    for carrier in carriers:
        every = points_of_supply(site, registers, carrier)
        supply = [r for r in every if r.equipment.in_service(first, last)] or every
        if not supply:
            continue
        unit = supply[0].unit
        known = [(r, totals[r.key]) for r in supply if r.key in totals]
        amounts = [t.amount * conversion(r.unit, unit)[0] for r, t in known if t.known]
        missing = (math.fsum(t.missing for _, t in known) + len(supply) - len(known)) / len(supply)
        energy = site.carbon.gas if carrier == "gas" else carrier
        found[energy] = Amount(math.fsum(amounts) if amounts else math.nan, unit, missing)
    return found


EMISSION: Final = Names(zh="电力排放因子", en="emission factor of electricity")
COAL_RATE: Final = Names(zh="供电煤耗", en="coal that power stations burn for a kWh")


def factor_of_year(values: tuple[Factor, ...], year: int, what: Names, notes: list[Reason]) -> Factor:
    """Return the factor of a year, or the nearest published one, which a note then tells."""
    factor, own = of_year(values, year)
    if not own:
        words = Names(
            zh=f"{year} 年的{what.zh}尚未发布，采用 {factor.year} 年的值",
            en=f"The {what.en} for {year} is not published yet; that of {factor.year} is taken.",
        )
        notes.append(Reason("factor-of-another-year", words, value=factor.year, limit=year, blocking=False))
    return factor


def activity_of(
    name: Names, amount: Amount, unit: str, spec: Energy | None, per_tonne: float | None, notes: list[Reason]
) -> float | None:
    """Return an amount in the factor's unit, or None if it is not known or does not convert."""
    if not math.isfinite(amount.amount):
        notes.append(
            Reason(
                "amount-unknown",
                Names(
                    zh=f"{name.zh} 本期没有用量数据，未计入", en=f"Nothing is known of {name.en}; it is not counted."
                ),
            )
        )
        return None
    if amount.missing > 0:
        notes.append(
            Reason(
                "amount-incomplete",
                Names(
                    zh=f"{name.zh} 缺 {amount.missing:.1%} 的时间，数值为下限",
                    en=f"{amount.missing:.1%} of the time is missing for {name.en}: at least so much was used.",
                ),
                value=amount.missing,
                blocking=False,
            )
        )
    try:
        if per_tonne is not None:
            return amount.amount * conversion(amount.unit, "t")[0] * per_tonne
        if spec is not None and spec.density is not None and amount.unit == "L":
            return amount.amount * spec.density
        return amount.amount * conversion(amount.unit, unit)[0]
    except ValueError:
        notes.append(
            Reason(
                "unit-does-not-fit",
                Names(
                    zh=f"{name.zh} 的单位 {amount.unit} 不能换算为 {unit}，未计入",
                    en=f"{name.en} is in {amount.unit}, which does not convert to {unit}; it is not counted.",
                ),
            )
        )
        return None


def factor_json(factor: Factor) -> dict[str, Any]:
    """Return a factor as plain values."""
    return {
        "value": factor.value,
        "year": factor.year,
        "source": factor.source,
        "published": factor.published,
        "checked": factor.checked,
        "note": factor.note,
    }


def unknown_energy(energy: str, library: FactorLibrary) -> Reason:
    """Return that no factor is known for an energy, with those for which one is."""
    known = ", ".join([ELECTRICITY, "steam", *library.energies])
    return Reason(
        "energy-unknown",
        Names(
            zh=f"因子库中没有能源 {energy}；可用：{known}",
            en=f"No factor is known for {energy!r}; the library has {known}.",
        ),
    )
