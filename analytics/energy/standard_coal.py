"""What a month's energy is in standard coal, by its heat and by the fuel that was burnt for it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from analytics.energy.bought_energy import (
    COAL_RATE,
    ELECTRICITY,
    ELECTRICITY_NAME,
    GJ_A_TONNE,
    STEAM,
    STEAM_NAME,
    Amount,
    activity_of,
    factor_json,
    factor_of_year,
    unknown_energy,
)
from analytics.energy.reasons import Reason
from facility.factor_library import CarbonSettings, Factor, FactorLibrary, load_factors
from facility.names import Names


@dataclass(frozen=True, slots=True)
class CoalRow:
    """
    One energy in standard coal.

    Attributes
    ----------
    calorific, equivalent : by the heat that it holds (当量值), by the fuel burnt to make it (等价值) [kgce]
    calorific_factor, equivalent_factor : [kgce/factor_unit]; of fuels the same
    counted : False for a working medium, which the comprehensive energy of a building's quota leaves out
    """

    energy: str
    name: Names
    amount: float
    unit: str
    activity: float
    factor_unit: str
    calorific: float
    equivalent: float
    calorific_factor: Factor
    equivalent_factor: Factor
    counted: bool
    missing: float


@dataclass(frozen=True, slots=True)
class StandardCoal:
    """A period's energy in standard coal; the rows that count add up to `calorific` and `equivalent`. [kgce]"""

    rows: tuple[CoalRow, ...]
    calorific: float
    equivalent: float
    notes: tuple[Reason, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the sums as plain values."""
        return {
            "calorific_kgce": self.calorific,
            "equivalent_kgce": self.equivalent,
            "rows": [
                {
                    "energy": r.energy,
                    "name": {"zh": r.name.zh, "en": r.name.en},
                    "amount": r.amount,
                    "unit": r.unit,
                    "activity": r.activity,
                    "factor_unit": r.factor_unit,
                    "calorific_kgce": r.calorific,
                    "equivalent_kgce": r.equivalent,
                    "calorific_factor": factor_json(r.calorific_factor),
                    "equivalent_factor": factor_json(r.equivalent_factor),
                    "counted": r.counted,
                    "missing": round(r.missing, 4),
                }
                for r in self.rows
            ],
            "notes": [n.as_json() for n in self.notes],
        }


def standard_coal(
    day: date,
    amounts: Mapping[str, Amount],
    settings: CarbonSettings | None = None,
    library: FactorLibrary | None = None,
) -> StandardCoal:
    """
    Return bought energy in standard coal, by heating value (当量值) and by the fuel burnt for it (等价值).

    Parameters are those of `carbon`. Working media (water, oxygen, compressed air) have a row that does not count.

    References
    ----------
    GB/T 2589-2020, 综合能耗计算通则.
    """
    settings, library = settings or CarbonSettings(), library or load_factors()
    rows: list[CoalRow] = []
    notes: list[Reason] = []
    for energy, amount in amounts.items():
        spec = library.energies.get("heat" if energy == STEAM else energy)
        if energy == ELECTRICITY:
            name, unit, counted = ELECTRICITY_NAME, "kWh", True
            own = library.electricity_coal
            burnt = settings.electricity_coal or factor_of_year(
                library.electricity_coal_burnt, day.year, COAL_RATE, notes
            )
        elif spec is None:
            notes.append(unknown_energy(energy, library))
            continue
        else:
            name, unit, counted = (STEAM_NAME if energy == STEAM else spec.name), spec.unit, not spec.medium
            own = burnt = settings.gas_coal if settings.gas_coal and energy == settings.gas else spec.coal
        per_tonne = settings.steam_enthalpy * GJ_A_TONNE if energy == STEAM else None
        activity = activity_of(name, amount, unit, spec, per_tonne, notes)
        if activity is not None:
            rows.append(
                CoalRow(
                    energy=energy,
                    name=name,
                    amount=amount.amount,
                    unit=amount.unit,
                    activity=activity,
                    factor_unit=unit,
                    calorific=round(activity * own.value, 3),
                    equivalent=round(activity * burnt.value, 3),
                    calorific_factor=own,
                    equivalent_factor=burnt,
                    counted=counted,
                    missing=amount.missing,
                )
            )
    counted_rows = [r for r in rows if r.counted]
    return StandardCoal(
        tuple(rows),
        round(math.fsum(r.calorific for r in counted_rows), 3),
        round(math.fsum(r.equivalent for r in counted_rows), 3),
        tuple(notes),
    )
