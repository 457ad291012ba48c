"""A tariff as data: bands, what the price is made of, basic charge, tiers; and the contract that it stands in.

`facility.tariff_file` reads it from the site file, `facility.tariff` looks prices up, `analytics.energy.bill` makes the
bill.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from typing import Final, Literal, get_args

from facility.equipment_classes import Carrier
from facility.names import Names

BandName = Literal["sharp", "peak", "flat", "valley", "deep"]
BAND_NAMES: Final[Mapping[str, Names]] = {
    "sharp": Names(zh="尖峰", en="Sharp peak"),
    "peak": Names(zh="高峰", en="Peak"),
    "flat": Names(zh="平段", en="Flat"),
    "valley": Names(zh="低谷", en="Valley"),
    "deep": Names(zh="深谷", en="Deep valley"),
}

ComponentCode = Literal[
    "energy", "purchase", "line_loss", "transmission", "system_operation", "funds", "commodity", "supply", "sewage",
    "resource_fee", "other",
]  # fmt: skip
COMPONENT_NAMES: Final[Mapping[str, Names]] = {
    "energy": Names(zh="电度电费", en="Energy charge"),
    "purchase": Names(zh="上网购电费", en="Energy purchase"),
    "line_loss": Names(zh="上网环节线损费", en="Line loss"),
    "transmission": Names(zh="输配电费", en="Transmission and distribution"),
    "system_operation": Names(zh="系统运行费", en="System operation"),
    "funds": Names(zh="政府性基金及附加", en="Government funds"),
    "commodity": Names(zh="用量费", en="Commodity"),
    "supply": Names(zh="供应服务费", en="Supply service"),
    "sewage": Names(zh="污水处理费", en="Sewage treatment"),
    "resource_fee": Names(zh="水资源费", en="Water resource fee"),
    "other": Names(zh="其他费用", en="Other charge"),
}

BasicCharge = Literal["capacity", "demand", "contract_demand"]
BASIC_CHARGES: Final[tuple[BasicCharge, ...]] = get_args(BasicCharge)

# Which days a band holds on: words beside those of holidays. `hot` are days that reach the temperature of the rule.
DAY_WORDS: Final = ("workdays", "rest_days", "weekdays", "holidays", "hot")
# Words for single holidays, and how the calendar calls them.
HOLIDAYS: Final[Mapping[str, str]] = {
    "new_year": "New Year's Day",
    "spring_festival": "Spring Festival",
    "tomb_sweeping_day": "Tomb-sweeping Day",
    "labour_day": "Labour Day",
    "dragon_boat_festival": "Dragon Boat Festival",
    "mid_autumn_festival": "Mid-autumn Festival",
    "national_day": "National Day",
}
ALL_MONTHS: Final = frozenset(range(1, 13))


@dataclass(frozen=True, slots=True)
class TariffBand:
    """
    A stretch of the day (minutes after midnight; an end at or before the start runs past midnight).

    Attributes
    ----------
    name : sharp, peak, flat, valley or deep
    price : in it [currency/unit]; None: by the ratios of the tariff
    months : in which it holds, by the wall clock: after midnight it is the next day, and perhaps the next month
    days : on which it holds, any of `DAY_WORDS` and `HOLIDAYS`; empty: every day
    """

    name: str
    price: float | None
    start_minute: int
    end_minute: int
    months: frozenset[int]
    days: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class BandRatios:
    """What the floating part of a price is multiplied by in a band, in some months; flat is 1."""

    months: frozenset[int]
    ratios: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Component:
    """
    A part of the price of a unit.

    Attributes
    ----------
    code : what it is, by which its lines of the bill are called
    price : the same every month [currency/unit]; None: by month
    prices : by month, `(2026, 3)`, as the utility publishes them [currency/unit]
    floats : it is multiplied by the ratios of the bands
    adjusted : the power-factor adjustment is applied to it
    share : of the amount that is charged; sewage is charged on nine tenths of the water in many cities
    """

    code: str
    name: Names
    price: float | None
    prices: Mapping[tuple[int, int], float] = field(default_factory=dict)
    floats: bool = False
    adjusted: bool = True
    share: float = 1.0

    def in_month(self, year: int, month: int) -> float | None:
        """Return the price of a month; None if none is known. [currency/unit]"""
        return self.price if self.price is not None else self.prices.get((year, month))

    def nearest(self, year: int, month: int) -> float:
        """Return the price of a month, or the last one known before it, or else the first: an estimate."""
        found = self.in_month(year, month)
        if found is not None:
            return found
        before = [m for m in self.prices if m <= (year, month)]
        return self.prices[max(before) if before else min(self.prices)]


@dataclass(frozen=True, slots=True)
class TierStep:
    """A tier: a price up to an amount, counted from the period's begin; the last has no end."""

    up_to: float | None
    price: float


@dataclass(frozen=True, slots=True)
class Tiers:
    """Prices that rise with what was used since the month or the year began."""

    period: Literal["month", "year"]
    steps: tuple[TierStep, ...]


@dataclass(frozen=True, slots=True)
class Basic:
    """
    The basic charge of a two-part tariff.

    Attributes
    ----------
    by : capacity of the transformers, actual maximum demand, or demand by contract
    capacity_price, demand_price : [currency/(kVA·month)], [currency/(kW·month)]; None where not known
    capacity_kva : of the contract; None: that of the transformers behind the meters
    contract_kw : the demand declared for a month, `(2026, 3)`; the month (0, 0) is the one for all others
    load_rate_discount : a demand price of nine tenths in months of 260 kWh and more a kVA
    """

    by: BasicCharge
    capacity_price: float | None = None
    demand_price: float | None = None
    capacity_kva: float | None = None
    contract_kw: Mapping[tuple[int, int], float] = field(default_factory=dict)
    load_rate_discount: bool = True

    def declared_kw(self, year: int, month: int) -> float | None:
        """Return the demand declared for a month. [kW]"""
        return self.contract_kw.get((year, month), self.contract_kw.get((0, 0)))


@dataclass(frozen=True, slots=True)
class Tariff:
    """
    The price of one carrier, from a day on.

    Attributes
    ----------
    carrier : electricity, water, gas, heat, oxygen, steam
    price : price a unit outside all bands, all components together as far as they do not change by month
        [currency/unit]
    unit : what the price is for (kWh, m³, Nm³, GJ, t)
    bands : time-of-use bands; the first that fits counts
    power_factor_target : 0.90, 0.85 or 0.80 by contract; None: no adjustment
    demand_price, capacity_price : basic charge [currency/(kW·month)], [currency/(kVA·month)]
    source : where the figures stand
    plan : id of the plan in the library that the bands are from; "": the site's own
    ratios : of the bands, by month; empty: the bands have prices
    components : what the price is made of; empty: `price` as a whole
    tiers : prices by the amount used; the price is then that of the first tier
    basic : basic charge; None: none
    standing_charge : of a month, whatever is used [currency]
    minimum_charge : what a month costs at least [currency]
    tax : share of the charges that comes on top; 0: the prices hold it
    """

    carrier: str
    price: float
    unit: str
    bands: tuple[TariffBand, ...] = ()
    power_factor_target: float | None = None
    demand_price: float | None = None
    capacity_price: float | None = None
    source: str = ""
    plan: str = ""
    ratios: tuple[BandRatios, ...] = ()
    components: tuple[Component, ...] = ()
    tiers: Tiers | None = None
    basic: Basic | None = None
    standing_charge: float = 0.0
    minimum_charge: float = 0.0
    tax: float = 0.0

    @property
    def parts(self) -> tuple[Component, ...]:
        """Return what the price is made of; the whole price, if that is not told apart."""
        if self.components:
            return self.components
        name = COMPONENT_NAMES["energy" if self.carrier == "electricity" else "commodity"]
        code = "energy" if self.carrier == "electricity" else "commodity"
        return (Component(code, name, self.price, floats=bool(self.ratios)),)

    def ratio(self, band: str, month: int) -> float:
        """Return what floating parts are multiplied by in a band of a month (1 to 12)."""
        return next((r.ratios.get(band, 1.0) for r in self.ratios if month in r.months), 1.0)

    @property
    def needs_hot_days(self) -> bool:
        """Return True if some band holds only on hot days."""
        return any("hot" in b.days for b in self.bands)


@dataclass(frozen=True, slots=True)
class Contract:
    """
    An agreement with a supplier: which meters it bills, and its tariffs, each from a day on.

    Attributes
    ----------
    id : as the site file names it; else the carrier
    meters : ids of the meters, or keys `equipment/point` of their registers; empty: all points of supply
    resold : the hospital sells on what these meters counted; it pays nothing by it
    since, tariffs : (n,) each; a tariff holds from its day until the next one begins
    """

    id: str
    carrier: Carrier
    name: Names
    meters: tuple[str, ...]
    since: tuple[date, ...]
    tariffs: tuple[Tariff, ...]
    resold: bool = False

    def on(self, day: date) -> Tariff | None:
        """Return the tariff that holds on a day; None before the first."""
        return next((t for s, t in zip(reversed(self.since), reversed(self.tariffs), strict=True) if s <= day), None)

    def segments(self, start: date, end: date) -> list[tuple[date, date, Tariff | None]]:
        """Return [first day, day after the last, tariff] of each stretch of [start, end), oldest first."""
        edges = [start, *(s for s in self.since if start < s < end), end]
        return [(a, b, self.on(a)) for a, b in pairwise(edges)]
