"""The section `tariffs` of a site file: prices and contracts as an engineer writes them, checked against themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from facility.band_file import BandFile, Price, RatiosFile, Strict
from facility.equipment_classes import Carrier, Unit
from facility.metering import CARRIER_NAMES
from facility.names import Id, Names
from facility.site import Equipment
from facility.tariff_library import LibraryPlan, library_plan
from facility.tariff_model import (
    COMPONENT_NAMES,
    Basic,
    BasicCharge,
    Component,
    Contract,
    Tariff,
    Tiers,
    TierStep,
)
from facility.units import parse_quantity
from facility.when_file import Day, MonthOfAYear
from facility.wording import nearest

CARRIERS: Final = ("electricity", "water", "gas", "heat", "oxygen", "steam")
# A demand that is declared must be at least this share of the capacity (发改办价格〔2016〕1583号).
LEAST_DECLARED: Final = 0.4


def _power_factor_target(value: float) -> float:
    if value not in (0.9, 0.85, 0.8):
        raise ValueError(f"{value} is no power-factor target; the contract says 0.90, 0.85 or 0.80")
    return value


def _quantity_in(unit: str, example: str) -> BeforeValidator:
    def read(value: Any) -> float:
        if not isinstance(value, str | int | float) or isinstance(value, bool):
            raise ValueError(f"write a number with its unit, such as '{example}'")
        quantity = parse_quantity(value)
        amount = quantity.value if quantity.unit == "" else quantity.to(unit)
        if not amount > 0:
            raise ValueError(f"{value!r} is not above zero; write it such as '{example}'")
        return amount

    return BeforeValidator(read)


Finite = Annotated[float, Field(allow_inf_nan=False)]
KilovoltAmperes = Annotated[float, _quantity_in("kVA", "6300 kVA")]
Kilowatts = Annotated[float, _quantity_in("kW", "4000 kW")]


class ComponentFile(Strict):
    """A part of the price: the same every month, or a table by month."""

    code: Literal[tuple(COMPONENT_NAMES)]  # type: ignore[valid-type]
    name: Names | None = None
    # A refund, or the price difference of earlier months, lies below zero.
    price: Finite | None = None
    prices: dict[MonthOfAYear, Finite] = Field(default_factory=dict)
    floats: bool | None = None
    adjusted: bool | None = None
    share: Annotated[float, Field(gt=0, le=1)] = 1.0

    @model_validator(mode="after")
    def _one_price(self) -> ComponentFile:
        if (self.price is None) == (not self.prices):
            raise ValueError(f"{self.code} needs either price or prices (by month, such as {{2026-03: 0.4123}})")
        return self

    def component(self, plan: LibraryPlan | None) -> Component:
        """Return it as data; whether it floats is what the plan's document says, if it is not said here."""
        floats = self.floats if self.floats is not None else plan is not None and self.code in plan.floats
        # Funds are left out of the power-factor adjustment, unless the contract says otherwise.
        adjusted = self.code != "funds" if self.adjusted is None else self.adjusted
        name = self.name or COMPONENT_NAMES[self.code]
        return Component(self.code, name, self.price, self.prices, floats, adjusted, self.share)


class StepFile(Strict):
    """A tier; the last has no `up_to`."""

    up_to: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    price: Price


class TiersFile(Strict):
    """Prices by what was used since the month or the year began."""

    period: Literal["month", "year"]
    steps: Annotated[list[StepFile], Field(min_length=1)]

    @model_validator(mode="after")
    def _rising(self) -> TiersFile:
        ends = [s.up_to for s in self.steps]
        if ends[-1] is not None:
            raise ValueError(f"the last tier ends at {ends[-1]:g}; leave its up_to out, so that it holds for the rest")
        known = [e for e in ends[:-1] if e is not None]
        if len(known) < len(ends) - 1:
            raise ValueError("a tier before the last has no end; give it up_to: ...")
        if any(b <= a for a, b in pairwise(known)):
            raise ValueError("the ends of the tiers do not rise; write the smallest first")
        return self

    def tiers(self) -> Tiers:
        """Return them as data."""
        return Tiers(self.period, tuple(TierStep(s.up_to, s.price) for s in self.steps))


class TariffFile(Strict):
    """One entry: a tariff of a carrier or of one contract, from a day on."""

    id: Id | None = None
    name: Names | None = None
    carrier: Literal[CARRIERS]  # type: ignore[valid-type]
    meters: tuple[str, ...] = ()
    resold: bool = False
    from_: Day = Field(alias="from")
    price: Price | None = None
    unit: Unit
    bands: list[BandFile] = Field(default_factory=list)
    time_of_use: str | None = None
    ratios: list[RatiosFile] = Field(default_factory=list)
    components: list[ComponentFile] = Field(default_factory=list)
    tiers: TiersFile | None = None
    power_factor_target: Annotated[float, AfterValidator(_power_factor_target)] | None = None
    basic_charge: BasicCharge | None = None
    demand_price: Price | None = None
    capacity_price: Price | None = None
    capacity: KilovoltAmperes | None = None
    contract_demand: Kilowatts | dict[MonthOfAYear, Kilowatts] | None = None
    load_rate_discount: bool = True
    standing_charge: Price = 0.0
    minimum_charge: Price = 0.0
    tax: Annotated[float, Field(ge=0, lt=1)] = 0.0
    source: Annotated[str, Field(min_length=3)]

    @model_validator(mode="after")
    def _has_a_price(self) -> TariffFile:
        ways = [w for w in ("price", "components", "tiers") if getattr(self, w) not in (None, [])]
        if not ways:
            raise ValueError("the tariff has no price; give price, components or tiers")
        if "price" in ways and len(ways) > 1:
            raise ValueError(f"price and {ways[1]} both say what a unit costs; keep one")
        if len({c.code for c in self.components}) < len(self.components):
            raise ValueError("two components have one code; put them together, or call one of them other")
        return self

    @model_validator(mode="after")
    def _resold_names_whose(self) -> TariffFile:
        if self.resold and not (self.id and self.meters):
            raise ValueError("what is resold needs an id of its own and the meters of whoever buys it; add them")
        return self

    @model_validator(mode="after")
    def _bands_have_prices(self) -> TariffFile:
        if self.time_of_use is not None and self.bands:
            raise ValueError("time_of_use and bands both say when which band holds; keep one")
        if self.tiers is not None and (self.bands or self.time_of_use):
            raise ValueError("prices by tier and by time of use are not known together; keep one")
        priced = [b for b in self.bands if b.price is not None]
        if priced and (len(priced) < len(self.bands) or self.ratios or self.components):
            raise ValueError("the bands have prices, and so cannot have ratios or components; take the prices out")
        plan = self._plan()
        if plan is not None and plan.ratios == () and not self.ratios:
            raise ValueError(
                f"the ratios of {self.time_of_use!r} are not in the library; give your own from {plan.document}, "
                "such as ratios: [{peak: 1.6, valley: 0.4}]"
            )
        if (self.bands and not priced) or plan is not None:
            self._check_ratios(plan)
        return self

    def _plan(self) -> LibraryPlan | None:
        if self.time_of_use is None:
            return None
        if self.carrier != "electricity":
            raise ValueError(f"the plans of the library are for electricity, not {self.carrier}; give bands instead")
        return library_plan(self.time_of_use)

    def _check_ratios(self, plan: LibraryPlan | None) -> None:
        bands = plan.bands if plan else tuple(b.band() for b in self.bands)
        ratios = tuple(r.ratios() for r in self.ratios) or (plan.ratios if plan else ())
        for band in bands:
            for month in sorted(band.months):
                held = next((r.ratios for r in ratios if month in r.months), {})
                if band.name != "flat" and band.name not in held:
                    raise ValueError(
                        f"there is a {band.name} band in month {month}, but no ratio for it; add it to ratios"
                    )
        if self.components and not any(c.component(plan).floats for c in self.components):
            raise ValueError("no component floats, so the bands change nothing; mark those that do with floats: true")

    @model_validator(mode="after")
    def _basic_charge_is_whole(self) -> TariffFile:
        needed = {"capacity": self.capacity_price, "demand": self.demand_price, "contract_demand": self.demand_price}
        if self.basic_charge is not None and needed[self.basic_charge] is None:
            price = "capacity_price" if self.basic_charge == "capacity" else "demand_price"
            raise ValueError(f"basic_charge: {self.basic_charge} needs {price}; add it")
        if self.basic_charge == "contract_demand" and self.contract_demand is None:
            raise ValueError("basic_charge: contract_demand needs contract_demand; add it, such as '4000 kW'")
        return self

    def basic(self) -> Basic | None:
        """Return the basic charge as data."""
        by = self.basic_charge
        if by is None and self.demand_price is not None:
            by = "demand" if self.contract_demand is None else "contract_demand"
        elif by is None and self.capacity_price is not None:
            by = "capacity"
        if by is None:
            return None
        declared = self.contract_demand
        by_month = declared if isinstance(declared, dict) else {} if declared is None else {(0, 0): declared}
        return Basic(by, self.capacity_price, self.demand_price, self.capacity, by_month, self.load_rate_discount)

    def tariff(self) -> Tariff:
        """Return it as data; `price` is that of a flat unit, as far as it is the same every month."""
        plan = self._plan()
        components = tuple(c.component(plan) for c in self.components)
        first_tier = self.tiers.steps[0].price if self.tiers else 0.0
        price = (
            self.price if self.price is not None else first_tier + sum((c.price or 0.0) * c.share for c in components)
        )
        return Tariff(
            carrier=self.carrier,
            price=price,
            unit=self.unit,
            bands=plan.bands if plan else tuple(b.band() for b in self.bands),
            power_factor_target=self.power_factor_target,
            demand_price=self.demand_price,
            capacity_price=self.capacity_price,
            source=self.source,
            plan=self.time_of_use or "",
            ratios=tuple(r.ratios() for r in self.ratios) or (plan.ratios if plan else ()),
            components=components,
            tiers=self.tiers.tiers() if self.tiers else None,
            basic=self.basic(),
            standing_charge=self.standing_charge,
            minimum_charge=self.minimum_charge,
            tax=self.tax,
        )


def contract_of(name: str, entries: Sequence[TariffFile]) -> Contract:
    """Return the contract of its entries, oldest first; what one of them does not say, the one before said."""
    meters: tuple[str, ...] = next((e.meters for e in reversed(entries) if e.meters), ())
    carrier: Carrier = entries[-1].carrier
    named = next((e.name for e in reversed(entries) if e.name), None)
    return Contract(
        name, carrier, named or _usual_name(name, carrier), meters,
        tuple(e.from_ for e in entries), tuple(e.tariff() for e in entries), any(e.resold for e in entries),
    )  # fmt: skip


def _usual_name(name: str, carrier: Carrier) -> Names:
    usual = CARRIER_NAMES[carrier]
    return usual if name == carrier else Names(zh=f"{usual.zh} {name}", en=f"{usual.en} {name}")


def other_meters(entries: Sequence[TariffFile]) -> list[tuple[int, Names]]:
    """Return the entries of a contract, by their places, that name other meters than one before, with what to do."""
    named = [i for i, e in enumerate(entries) if e.meters]
    found = []
    for before, here in pairwise(named):
        old = ", ".join(entries[before].meters)
        if set(entries[here].meters) != set(entries[before].meters):
            zh = (
                f"此前该合同的计量表为 {old}，而最新的 meters 对全部日期有效；"
                "请只写一次，后来的表用 since、撤去的表用 until 注明日期"
            )
            en = (
                f"the contract named {old} before, and its newest meters hold for all its days; name all of them once, "
                "and give a meter that came later its since, one that went its until"
            )
            found.append((here, Names(zh=zh, en=en)))
    return found


def wrong_meter(meter: str, carrier: str, equipment: Mapping[str, Equipment]) -> str | None:
    """Return what is wrong with a meter that a contract names; None if it counts the carrier."""
    name, _, point = meter.partition("/")
    if name not in equipment:
        return f"no equipment is called {name!r}{nearest(name, equipment)}"
    counters = [n for n, p in equipment[name].points.items() if p.carrier == carrier and p.flow == "in"]
    if not counters:
        return f"{name!r} counts no {carrier}; name a meter that does"
    if point and point not in counters:
        return f"{point!r} of {name!r} counts no {carrier}{nearest(point, counters)}"
    return None


def billed_twice(contracts: Iterable[Contract]) -> list[tuple[str, str]]:
    """Return contracts that bill what another of the same carrier bills too, each with what is wrong."""
    owner: dict[tuple[str, str], str] = {}
    found: list[tuple[str, str]] = []
    for contract in contracts:
        # Without meters it bills the points of supply that no other names: only one can do so.
        if contract.resold:
            continue
        for meter in contract.meters or ("",):
            first = owner.setdefault((contract.carrier, meter.partition("/")[0]), contract.id)
            if first == contract.id:
                continue
            what = f"meter {meter!r} is" if meter else "all points of supply are"
            found.append((contract.id, f"{what} billed by contract {first!r} already; give each contract its meters"))
    return found
