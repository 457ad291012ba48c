"""What a month's energy emitted, with the factors' years and sources.

Only what was bought counts: steam that the hospital's own boilers made is in their gas already, chilled water in the
chillers' electricity.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from analytics.energy.bought_energy import (
    ELECTRICITY,
    ELECTRICITY_NAME,
    EMISSION,
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
from facility.factor_library import (
    FEED_WATER_KJ_KG,
    CarbonSettings,
    Factor,
    FactorLibrary,
    Scope,
    load_factors,
)
from facility.names import Names


@dataclass(frozen=True, slots=True)
class CarbonRow:
    """
    What one energy emitted.

    Attributes
    ----------
    energy : electricity, steam, or an id of the factor library
    amount, unit : as counted
    factor : [kgCO₂/factor_unit], with its year and source
    activity : the amount in the factor's unit, from which `kg` follows by the factor alone
    kg : carbon dioxide [kg]
    scope : 1: burnt here, 2: made elsewhere for us
    missing : share of the time that is missing in the amount
    """

    energy: str
    name: Names
    amount: float
    unit: str
    activity: float
    factor: Factor
    factor_unit: str
    kg: float
    scope: Scope
    missing: float


@dataclass(frozen=True, slots=True)
class Carbon:
    """A period's emissions; `kg` of the rows add up to `kg`, to 0.001 kg."""

    rows: tuple[CarbonRow, ...]
    kg: float
    notes: tuple[Reason, ...]

    def scope(self, scope: Scope) -> float:
        """Return what one scope emitted. [kg]"""
        return math.fsum(r.kg for r in self.rows if r.scope == scope)

    @property
    def tonnes(self) -> float:
        """Return the total. [t]"""
        return self.kg / 1000.0

    def to_json(self) -> dict[str, Any]:
        """Return the emissions as plain values."""
        return {
            "kg": self.kg,
            "scope1_kg": round(self.scope(1), 3),
            "scope2_kg": round(self.scope(2), 3),
            "rows": [
                {
                    "energy": r.energy,
                    "name": {"zh": r.name.zh, "en": r.name.en},
                    "amount": r.amount,
                    "unit": r.unit,
                    "activity": r.activity,
                    "factor": factor_json(r.factor),
                    "factor_unit": r.factor_unit,
                    "kg": r.kg,
                    "scope": r.scope,
                    "missing": round(r.missing, 4),
                }
                for r in self.rows
            ],
            "notes": [n.as_json() for n in self.notes],
        }


def carbon(
    day: date,
    amounts: Mapping[str, Amount],
    settings: CarbonSettings | None = None,
    library: FactorLibrary | None = None,
) -> Carbon:
    """
    Return what bought energy emitted.

    Parameters
    ----------
    day : of the period; its year picks the factor of electricity
    amounts : by energy: `electricity`, `steam`, or an id of the factor library such as `natural_gas` and `diesel`
    settings : which factors the site takes
    library : None: the one that is built in

    Returns
    -------
    Carbon. An energy without a factor for carbon, such as water, has no row. What is not known, has a unit that does
    not fit, or takes a factor of another year is told in the notes; the rest is counted.
    """
    settings, library = settings or CarbonSettings(), library or load_factors()
    rows: list[CarbonRow] = []
    notes: list[Reason] = []
    for energy, amount in amounts.items():
        found = _carbon_factor(energy, day.year, settings, library, notes)
        if found is None:
            continue
        name, factor, unit, scope, per_tonne = found
        activity = activity_of(name, amount, unit, library.energies.get(energy), per_tonne, notes)
        if activity is not None:
            kg = round(activity * factor.value, 3)
            rows.append(
                CarbonRow(energy, name, amount.amount, amount.unit, activity, factor, unit, kg, scope, amount.missing)
            )
    return Carbon(tuple(rows), round(math.fsum(r.kg for r in rows), 3), tuple(notes))


def _carbon_factor(
    energy: str, year: int, settings: CarbonSettings, library: FactorLibrary, notes: list[Reason]
) -> tuple[Names, Factor, str, Scope, float | None] | None:
    """Return name, factor, its unit, scope, and GJ a tonne for steam; None for what emits nothing that is counted."""
    if energy == ELECTRICITY:
        grid = library.grids[settings.electricity]
        factor = settings.electricity_factor or factor_of_year(grid.values, year, EMISSION, notes)
        return ELECTRICITY_NAME, factor, "kWh", 2, None
    spec = library.energies.get("heat" if energy == STEAM else energy)
    if spec is None:
        notes.append(unknown_energy(energy, library))
        return None
    if spec.carbon is None or spec.scope is None:
        return None
    if energy == STEAM:
        # The guideline takes off what the water held from which the steam was made.
        return STEAM_NAME, spec.carbon, spec.unit, 2, (settings.steam_enthalpy - FEED_WATER_KJ_KG) * GJ_A_TONNE
    return spec.name, spec.carbon, spec.unit, spec.scope, None
