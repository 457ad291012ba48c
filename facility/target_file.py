"""The section `targets` of a site file: plans as an engineer writes them, with their units, checked against themselves.

A year's plan may give its twelve months, or a shape by which the year is spread over them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from facility.equipment_classes import Carrier
from facility.targets import CARRIER_UNITS, Measure, Shape, Target
from facility.units import Quantity, canonical_unit, parse_quantity

# Twelve rounded months may miss the rounded year by this share.
ROUNDING: Final = 0.002

_MEASURE_UNITS: Final[tuple[tuple[Measure, str], ...]] = (("carbon", "kgCO₂"), ("coal", "kgce"))
_CARRIERS: Final = (*CARRIER_UNITS, "all")


@dataclass(frozen=True, slots=True)
class Planned:
    """An amount as it is written: `14.2 GWh`, or `1420 万kWh`, where `times` is ten thousand."""

    value: float
    unit: str
    times: int = 1

    def to(self, unit: str) -> float:
        """Return the amount in `unit`; ValueError if the two do not measure the same thing."""
        value = self.value * self.times
        # Any currency is written; the registry of units knows but one.
        return value if unit == self.unit else Quantity(value, self.unit).to(unit)

    def __str__(self) -> str:
        return f"{self.value:g} {'万' if self.times > 1 else ''}{self.unit}"


def _read(value: Any, example: str) -> Planned:
    """Read a number with its unit, if it has one; an amount of money may be in any currency here."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"write a number with a unit, such as '{example}'")
    match = re.fullmatch(r"\s*([0-9.,_eE+-]+)\s*(万?)\s*(\S+)\s*", value) if isinstance(value, str) else None
    if match is None:
        quantity = parse_quantity(value)
        return Planned(quantity.value, quantity.unit)
    unit = match[3] if re.fullmatch(r"[A-Z]{3}", match[3]) else canonical_unit(match[3])
    return Planned(parse_quantity(match[1]).value, unit, 10_000 if match[2] else 1)


def _amount(value: Any) -> Planned:
    planned = value if isinstance(value, Planned) else _read(value, "14.2 GWh")
    if planned.unit == "":
        raise ValueError(f"{value!r} has no unit; write it with one, such as '{planned.value:g} MWh'")
    if planned.value <= 0:
        raise ValueError(f"{value!r} is not above zero; leave a plan out that you do not have")
    return planned


def _month(value: Any) -> Planned:
    """Read a month's plan; a bare number is in the unit of the year's."""
    planned = value if isinstance(value, Planned) else _read(value, "1.2 GWh")
    if planned.value < 0:
        raise ValueError(f"{value!r} is below zero; a month in which nothing is planned is 0")
    return planned


def _years(value: Any) -> tuple[int, int]:
    """Read 2026, or 2025-2030 for a plan that is the same each year."""
    match = re.fullmatch(r"(\d{4})(?:\s*[-–]\s*(\d{4}))?", str(value))
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 2000 <= first <= last <= 2100:
        raise ValueError(f"{value!r} is no year of a plan; write it as 2026, or as 2025-2030 for the same each year")
    return first, last


def _twelve(months: tuple[Planned, ...]) -> tuple[Planned, ...]:
    if len(months) != 12:
        raise ValueError(f"{len(months)} months stand here; give twelve, January first")
    return months


class TargetFile(BaseModel):
    """One plan, exactly as it stands in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    year: Annotated[tuple[int, int], BeforeValidator(_years)]
    carrier: Literal[_CARRIERS]  # type: ignore[valid-type]
    department: str | None = None
    amount: Annotated[Planned, BeforeValidator(_amount)]
    monthly: Annotated[
        tuple[Annotated[Planned, BeforeValidator(_month)], ...] | None, AfterValidator(lambda m: m and _twelve(m))
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
                monthly = tuple(self._own(m).to(unit) for m in self.monthly)
            except ValueError as error:
                return [], [*problems, ("monthly", str(error))]
            off = sum(monthly) - annual
            if abs(off) > ROUNDING * annual:
                total = replace(self.amount, value=sum(monthly) * self.amount.value / annual)
                problems.append(("monthly", f"the months come to {total}, the year to {self.amount}; make them agree"))
        carrier: Carrier | None = None if self.carrier == "all" else self.carrier
        shape = self.shape or "last_year"
        first, last = self.year
        years = range(first, last + 1)
        return [Target(y, carrier, self.department, measure, unit, annual, monthly, shape) for y in years], problems

    def _own(self, month: Planned) -> Planned:
        return month if month.unit else Planned(month.value, self.amount.unit, self.amount.times)

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
