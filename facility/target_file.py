"""The section `targets` of a site file: plans as an engineer writes them, with their units, checked against themselves.

A year's plan may give its twelve months, or a shape by which the year is spread over them.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from facility.equipment_classes import Carrier
from facility.targets import CARRIER_UNITS, Measure, Shape, Target
from facility.units import Quantity, canonical_unit, parse_quantity

# Twelve rounded months may miss the rounded year by this share.
ROUNDING: Final = 0.002

_MEASURE_UNITS: Final[tuple[tuple[Measure, str], ...]] = (("carbon", "kgCO₂"), ("coal", "kgce"))
_CARRIERS: Final = (*CARRIER_UNITS, "all")


def _quantity(value: str | int | float) -> Quantity:
    """Read `14.2 GWh`, `1420 万kWh` or `980000 EUR`: an amount of money may be in any currency here."""
    match = re.fullmatch(r"\s*([0-9.,_eE+-]+)\s*(万?)\s*(\S+)\s*", value) if isinstance(value, str) else None
    if match is None:
        return parse_quantity(value)
    number = parse_quantity(match[1]).value * (10_000 if match[2] else 1)
    unit = match[3]
    return Quantity(number, unit if re.fullmatch(r"[A-Z]{3}", unit) else canonical_unit(unit))


def _amount(value: Any) -> Quantity:
    if isinstance(value, Quantity):
        return value
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise ValueError("write a number with a unit, such as '14.2 GWh'")
    quantity = _quantity(value)
    if quantity.unit == "":
        raise ValueError(f"{value!r} has no unit; write it with one, such as '{quantity.value:g} MWh'")
    if quantity.value <= 0:
        raise ValueError(f"{value!r} is not above zero; leave a plan out that you do not have")
    return quantity


def _month(value: Any) -> Quantity:
    """Read a month's plan; a bare number is in the unit of the year's."""
    if isinstance(value, Quantity):
        return value
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise ValueError("write a number, with its unit or in that of the year's amount")
    quantity = _quantity(value)
    if quantity.value < 0:
        raise ValueError(f"{value!r} is below zero; a month in which nothing is planned is 0")
    return quantity


def _years(value: Any) -> tuple[int, int]:
    """Read 2026, or 2025-2030 for a plan that is the same each year."""
    match = re.fullmatch(r"(\d{4})(?:\s*[-–]\s*(\d{4}))?", str(value))
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 2000 <= first <= last <= 2100:
        raise ValueError(f"{value!r} is no year of a plan; write it as 2026, or as 2025-2030 for the same each year")
    return first, last


def _twelve(months: tuple[Quantity, ...]) -> tuple[Quantity, ...]:
    if len(months) != 12:
        raise ValueError(f"{len(months)} months stand here; give twelve, January first")
    return months


class TargetFile(BaseModel):
    """One plan, exactly as it stands in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    year: Annotated[tuple[int, int], BeforeValidator(_years)]
    carrier: Literal[_CARRIERS]  # type: ignore[valid-type]
    department: str | None = None
    amount: Annotated[Quantity, BeforeValidator(_amount)]
    monthly: Annotated[
        tuple[Annotated[Quantity, BeforeValidator(_month)], ...] | None, AfterValidator(lambda m: m and _twelve(m))
    ] = None
    shape: Shape | None = Field(default=None)

    def targets(self, currency: str) -> tuple[list[Target], list[tuple[str, str]]]:
        """
        Return the plan of each year in the units of the accounts, none if that cannot be; and every mistake as
        (key, message).

        `currency` is the site's.
        """
        problems: list[tuple[str, str]] = []
        if self.monthly is not None and self.shape is not None:
            problems.append(("shape", "the months are given, so nothing is left to spread; take shape or monthly out"))
        try:
            measure, unit = self._measure(currency)
            annual = self.amount.to(unit)
        except ValueError as error:
            return [], [*problems, ("amount", str(error))]
        monthly: tuple[float, ...] | None = None
        if self.monthly is not None:
            try:
                monthly = tuple((m if m.unit else Quantity(m.value, self.amount.unit)).to(unit) for m in self.monthly)
            except ValueError as error:
                return [], [*problems, ("monthly", str(error))]
            off = sum(monthly) - annual
            if abs(off) > ROUNDING * annual:
                total = Quantity(sum(monthly) * self.amount.value / annual, self.amount.unit)
                problems.append(("monthly", f"the months come to {total}, the year to {self.amount}; make them agree"))
        carrier: Carrier | None = None if self.carrier == "all" else self.carrier
        shape = self.shape or "last_year"
        first, last = self.year
        years = range(first, last + 1)
        return [Target(y, carrier, self.department, measure, unit, annual, monthly, shape) for y in years], problems

    def _measure(self, currency: str) -> tuple[Measure, str]:
        given = self.amount.unit
        if given == currency:
            return "cost", currency
        for measure, unit in _MEASURE_UNITS:
            if _fits(given, unit):
                return measure, unit
        if self.carrier == "all":
            raise ValueError(
                f"{self.amount} is of one carrier; a plan of all is in {currency}, tCO₂ or tce, or names its carrier"
            )
        unit = CARRIER_UNITS[self.carrier]
        if not _fits(given, unit):
            raise ValueError(
                f"{self.amount} does not measure {self.carrier}; give it in {unit}, or in {currency}, tCO₂ or tce"
            )
        return "use", unit


def _fits(given: str, unit: str) -> bool:
    """
    Return whether an amount in one unit can be one in another.

    Coal equivalent is energy by dimension, but a plan in kWh is no plan in coal.
    """
    coal = ("kgce", "tce")
    if (given in coal) != (unit in coal):
        return False
    try:
        Quantity(1.0, canonical_unit(given)).to(unit)
    except ValueError:
        return False
    return True
