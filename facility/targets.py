"""What an energy committee plans: how much of a carrier, how much money or carbon, in which year and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from facility.equipment_classes import Carrier

# What a plan limits: use in the carrier's own unit, money, carbon dioxide, or standard coal.
Measure = Literal["use", "cost", "carbon", "coal"]
# How a year's plan is spread over its months where they are not given.
Shape = Literal["even", "last_year", "degree_days"]

# The unit in which the accounts keep each carrier that is bought.
CARRIER_UNITS: Final[dict[Carrier, str]] = {
    "electricity": "kWh",
    "gas": "Nm³",
    "water": "m³",
    "heat": "GJ",
    "steam": "t",
    "oxygen": "Nm³",
}


@dataclass(frozen=True, slots=True)
class Target:
    """
    The plan of one year.

    Attributes
    ----------
    year : calendar year at the site
    carrier : what is planned; None for everything that is bought, in money, carbon or coal
    department : whose; None for the whole site
    measure : what the amounts are
    unit : of the amounts: the carrier's (kWh, Nm³, m³, GJ, t), the currency, kgCO₂ or kgce
    annual : plan of the year [unit]
    monthly : plan of each month, January first; None where `shape` spreads the year [unit]
    shape : how the year is spread where the months are not given
    """

    year: int
    carrier: Carrier | None
    department: str | None
    measure: Measure
    unit: str
    annual: float
    monthly: tuple[float, ...] | None
    shape: Shape

    @property
    def key(self) -> str:
        """Return what names the plan within the site, such as `2026/electricity/icu/use` or `2026/all/site/carbon`."""
        return f"{self.year}/{self.carrier or 'all'}/{self.department or 'site'}/{self.measure}"
