"""What the page of a period shows, as figures without words: carriers, cost, carbon, departments, savings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from analytics.energy.intervals import Floats, Total, Totals
from api.pages.energy_head import Note
from api.pages.energy_period import Period
from facility.equipment_classes import Carrier
from facility.names import Names

# A part with more of its time missing is not held against what was expected.
MISSING_ALLOWED = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class CarrierAccount:
    """
    One carrier in a period, through the points of supply.

    Attributes
    ----------
    total : of the period, so far
    parts : the same by hour, day or month
    expected : (parts,) float, what the days before let expect; NaN where that is not known
    forecast : (parts,) float, of the parts still to come; NaN where not known
    plan, plan_to_date : of the period and of its part that has passed; None: no plan
    at_end, half_width : forecast to the period's end with half its interval; None: not known
    no_forecast : why a week or a month that is not over has none
    will_exceed : the forecast lies above the plan by more than its interval, or the plan is used up
    priced : the site has a tariff for it
    cost_cents : by the bill; None: not known
    cost_at_least : energy is missing from the bill
    billed : what the bill is for, as a rule up to the last midnight
    off : a carrier of the heating season, outside of which nothing flows
    """

    carrier: Carrier
    unit: str
    total: Total
    parts: Totals
    expected: Floats
    forecast: Floats
    plan: float | None = None
    plan_to_date: float | None = None
    at_end: float | None = None
    half_width: float | None = None
    no_forecast: Names | None = None
    will_exceed: bool = False
    priced: bool = False
    cost_cents: int | None = None
    cost_at_least: bool = False
    billed: float | None = None
    off: bool = False

    @property
    def _both(self) -> np.ndarray:
        known = np.isfinite(self.parts.amount) & (self.parts.missing <= MISSING_ALLOWED)
        return known & np.isfinite(self.expected)

    @property
    def comparable(self) -> float | None:
        """Return what was used in the parts of which both use and expectation are known."""
        return float(self.parts.amount[self._both].sum()) if self._both.any() else None

    @property
    def expected_so_far(self) -> float | None:
        """Return what was expected in those parts."""
        return float(self.expected[self._both].sum()) if self._both.any() else None


@dataclass(frozen=True, slots=True)
class Carbon:
    """Carbon dioxide of a period; `note` tells whose factor counts."""

    tonnes: float
    by_energy: tuple[tuple[Names, float], ...]
    note: str
    at_least: bool = False


@dataclass(frozen=True, slots=True)
class Savings:
    """What measures have saved so far: of all of them, those that are `proven` count."""

    measures: int
    cents: int | None
    half_width_cents: int | None
    proven: int = 0


@dataclass(frozen=True, slots=True)
class DepartmentAccount:
    """
    What a department was allocated.

    Attributes
    ----------
    id : None for the common part and for what nobody serves
    index : actual ÷ what it is compared with; None: cannot be told
    comparable_cents : the part of `cents` that `index` is about; None: all of it
    measured : share of its energy that its own meters counted and measured; NaN: not known
    """

    id: str | None
    name: Names
    cents: int
    index: float | None = None
    comparable_cents: int | None = None
    measured: float = float("nan")


@dataclass(frozen=True, slots=True)
class Departments:
    """The allocation of a period, and whether it adds up to what was bought."""

    rows: tuple[DepartmentAccount, ...] = ()
    compared_with: Literal["expected", "plan", "past", "money"] = "money"
    total_cents: int = 0
    allocated_cents: int = 0
    unallocated_cents: int = 0
    why_not: str = ""

    @property
    def adds_up(self) -> bool:
        """Return True if the parts sum to the whole, to the cent."""
        return self.allocated_cents + self.unallocated_cents == self.total_cents


@dataclass(frozen=True, slots=True, eq=False)
class PeriodAccounts:
    """
    Everything that the page of a period shows.

    Attributes
    ----------
    running : the period has not ended
    begun : how many of its parts have begun
    until_words : how far the figures go, `07-15 24:00`
    cost_cents : of all carriers that have a bill
    cost_parts : what is charged by the unit, by hour or day [currency]; None: not known, or a year
    cost_plan_cents, cost_plan_whole_cents : the plan for the part that has passed, and for all of it
    end_cents, end_half_width_cents, end_level : forecast of the cost, and the share of outcomes that its interval holds
    without_cost : carriers that were used and have no bill
    facts : sentences to stand under the carriers
    notes : what is missing, and how it is mended
    """

    period: Period
    running: bool
    begun: int
    until_words: str
    carriers: tuple[CarrierAccount, ...]
    cost_cents: int | None = None
    cost_at_least: bool = False
    cost_parts: Totals | None = None
    cost_plan_cents: int | None = None
    cost_plan_whole_cents: int | None = None
    end_cents: int | None = None
    end_half_width_cents: int | None = None
    end_level: float = 0.8
    without_cost: tuple[Carrier, ...] = ()
    no_tariff: bool = False
    carbon: Carbon | None = None
    no_carbon: str = ""
    savings: Savings | None = None
    departments: Departments = field(default_factory=Departments)
    facts: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
