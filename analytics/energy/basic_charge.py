"""The basic charge of two-part tariffs: by capacity, by maximum demand, by contract demand; and which is cheaper.

Sources: 发改办价格〔2016〕1583号 (three ways, 105 % and 40 % rules), 发改价格〔2023〕526号 (load-rate discount).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np

from analytics.energy.bill_lines import DEMAND_DECIMALS, BillLine, line
from facility.names import Names
from facility.tariff_model import Basic, BasicCharge

# Beyond this share of the declared demand the excess is charged twice.
TOLERANCE: Final = 1.05
# The demand that is declared must be at least this share of the capacity.
LEAST_DECLARED: Final = 0.40
# From so many kWh a kVA and month, the demand price is this share of itself.
LOAD_RATE_KWH_PER_KVA: Final = 260.0
LOAD_RATE_SHARE: Final = 0.90

_NAMES: Final = {
    "capacity": Names(zh="基本电费（按容量）", en="Basic charge by capacity"),
    "demand": Names(zh="基本电费（按实际最大需量）", en="Basic charge by maximum demand"),
    "contract_demand": Names(zh="基本电费（按合约需量）", en="Basic charge by contract demand"),
    "excess": Names(
        zh="基本电费（超合约需量105%部分，加倍）", en="Basic charge, demand above 105 % of contract, doubled"
    ),
}

_LOAD_RATE: Final = Names(zh="负荷率达标，需量电价按90%执行", en="90 % of the demand price, for the load rate")


def earns_load_rate(energy_kwh: float, capacity_kva: float | None) -> bool:
    """Return True if a month's energy earns the lower demand price; False too if the capacity is not known."""
    return capacity_kva is not None and capacity_kva > 0 and energy_kwh >= LOAD_RATE_KWH_PER_KVA * capacity_kva


def basic_lines(
    basic: Basic, *, capacity_kva: float | None, peak_kw: float | None, declared_kw: float | None, discount: bool,
    share: Fraction = Fraction(1),
) -> list[BillLine]:  # fmt: skip
    """
    Return the lines of the basic charge of a month, or of a share of it; none if what it rests on is not known.

    Parameters
    ----------
    capacity_kva : of the contract
    peak_kw : maximum demand of the month
    declared_kw : demand declared for the month
    discount : the demand price is lowered for a good load rate
    """
    if basic.by == "capacity":
        if capacity_kva is None or basic.capacity_price is None:
            return []
        name = _NAMES["capacity"]
        return [line("basic.capacity", name, capacity_kva, "kVA", basic.capacity_price, share=share, adjusted=True)]
    if peak_kw is None or basic.demand_price is None:
        return []
    price = basic.demand_price * (LOAD_RATE_SHARE if discount else 1.0)
    detail = (
        Names(zh="负荷率达标，需量电价按90%执行", en="90 % of the demand price, for its load rate")
        if discount
        else None
    )
    if basic.by == "demand":
        return [_demand_line("demand", peak_kw, price, share, detail)]
    if declared_kw is None:
        return []
    lines = [_demand_line("contract_demand", declared_kw, price, share, detail)]
    excess = peak_kw - TOLERANCE * declared_kw
    # Half a watt is the meter's rounding, not an excess.
    if excess > 5e-4:
        detail = Names(zh=f"实际最大需量 {peak_kw:.1f} kW", en=f"maximum demand was {peak_kw:.1f} kW")
        lines.append(_demand_line("excess", excess, 2 * price, share, detail))
    return lines


def _demand_line(code: str, kw: float, price: float, share: Fraction, detail: Names | None) -> BillLine:
    name = _NAMES[code]
    return line(
        f"basic.{code}", name, kw, "kW", price, share=share, adjusted=True, detail=detail, decimals=DEMAND_DECIMALS
    )


@dataclass(frozen=True, slots=True)
class BasicChargeChoice:
    """
    What the basic charge would have been by each way.

    Attributes
    ----------
    cost_cents : by way, over the months given; ways without a price are left out
    cheapest : the way that would have cost least
    declared_kw : the one demand that would have been cheapest to declare [kW]; None: no demand price
    break_even_kw : monthly maximum demand at which capacity and demand cost the same [kW]; None: a price is missing
    saving_cents : against `now`, over the months; 0 if `now` is the cheapest or is not known
    months : how many months it rests on
    """

    cost_cents: dict[BasicCharge, int]
    cheapest: BasicCharge
    declared_kw: float | None
    break_even_kw: float | None
    saving_cents: int
    months: int

    def to_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "cents": self.cost_cents,
            "cheapest": self.cheapest,
            "declared_kw": self.declared_kw,
            "break_even_kw": self.break_even_kw,
            "saving_cents": self.saving_cents,
            "months": self.months,
        }


def cheaper_basic_charge(
    peaks_kw: Sequence[float], capacity_kva: float, *, capacity_price: float | None, demand_price: float | None,
    energy_kwh: Sequence[float] | None = None, now: BasicCharge | None = None,
) -> BasicChargeChoice | None:  # fmt: skip
    """
    Compare the ways of the basic charge over past months.

    Parameters
    ----------
    peaks_kw : (n,) maximum demand of each month; months that are not known (NaN) are left out [kW]
    capacity_kva : of the contract
    capacity_price, demand_price : [currency/(kVA·month)], [currency/(kW·month)]; None: that way has no price
    energy_kwh : (n,) energy of each month, by which the demand price is lowered for a good load rate [kWh]
    now : the way that holds

    Returns
    -------
    None if no month is known, or there is no price at all.

    Raises
    ------
    ValueError
        If energies are given and are not as many as the peaks.
    """
    energies = [0.0] * len(peaks_kw) if energy_kwh is None else list(energy_kwh)
    if len(energies) != len(peaks_kw):
        raise ValueError(f"{len(energies)} energies for {len(peaks_kw)} months; give one of each a month")
    months = [(p, e) for p, e in zip(peaks_kw, energies, strict=True) if np.isfinite(p)]
    costs: dict[BasicCharge, int] = {}
    declared = None
    if months and capacity_price is not None:
        basic = Basic("capacity", capacity_price=capacity_price)
        costs["capacity"] = _cost(basic, months, capacity_kva, None)
    if months and demand_price is not None:
        costs["demand"] = _cost(Basic("demand", demand_price=demand_price), months, capacity_kva, None)
        basic = Basic("contract_demand", demand_price=demand_price)
        # The cost is linear between the months' kinks, so the least lies on one of them, or at the least allowed.
        least = LEAST_DECLARED * capacity_kva
        kinks = sorted({least, *(max(least, p / TOLERANCE) for p, _ in months)})
        tried = [(_cost(basic, months, capacity_kva, kw), kw) for kw in kinks]
        costs["contract_demand"], declared = min(tried)
    if not costs:
        return None
    cheapest = min(costs, key=lambda way: (costs[way], way != now))
    saving = costs[now] - costs[cheapest] if now in costs else 0
    both = capacity_price is not None and demand_price
    break_even = capacity_kva * capacity_price / demand_price if both and capacity_price and demand_price else None
    return BasicChargeChoice(costs, cheapest, declared, break_even, saving, len(months))


def _cost(basic: Basic, months: Sequence[tuple[float, float]], capacity_kva: float, declared: float | None) -> int:
    total = 0
    for peak, energy in months:
        lines = basic_lines(
            basic, capacity_kva=capacity_kva, peak_kw=peak, declared_kw=declared,
            discount=earns_load_rate(energy, capacity_kva),
        )  # fmt: skip
        total += sum(x.amount_cents for x in lines)
    return total
