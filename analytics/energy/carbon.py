"""What a month's energy emitted, and what it is in standard coal, with the factors' years and sources.

Only what was bought counts: steam that the hospital's own boilers made is in their gas already, chilled water in the
chillers' electricity.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

from analytics.energy.intervals import Total
from analytics.energy.reasons import Reason
from facility.equipment_classes import Carrier
from facility.factor_library import (
    FEED_WATER_KJ_KG,
    CarbonSettings,
    Energy,
    Factor,
    FactorLibrary,
    Scope,
    load_factors,
    of_year,
)
from facility.metering import BookedRegister, points_of_supply
from facility.names import Names
from facility.site import Site
from facility.units import conversion

ELECTRICITY: Final = "electricity"
_ELECTRICITY_NAME: Final = Names(zh="外购电力", en="Bought electricity")
_STEAM_NAME: Final = Names(zh="外购蒸汽", en="Bought steam")

# 1 GJ in standard coal [kgce/GJ] comes from the library; how much of a tonne of steam is heat, from its enthalpy.
_KJ_A_KG_IN_GJ_A_T: Final = 0.001


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
                    "factor": _factor_json(r.factor),
                    "factor_unit": r.factor_unit,
                    "kg": r.kg,
                    "scope": r.scope,
                    "missing": round(r.missing, 4),
                }
                for r in self.rows
            ],
            "notes": [n.as_json() for n in self.notes],
        }


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
                    "calorific_factor": _factor_json(r.calorific_factor),
                    "equivalent_factor": _factor_json(r.equivalent_factor),
                    "counted": r.counted,
                    "missing": round(r.missing, 4),
                }
                for r in self.rows
            ],
            "notes": [n.as_json() for n in self.notes],
        }


def _factor_json(factor: Factor) -> dict[str, Any]:
    return {
        "value": factor.value,
        "year": factor.year,
        "source": factor.source,
        "published": factor.published,
        "checked": factor.checked,
        "note": factor.note,
    }


def bought_amounts(
    site: Site, registers: Mapping[str, BookedRegister], totals: Mapping[str, Total]
) -> dict[str, Amount]:
    """
    Return what came in through the meters of supply, by energy: what `carbon` and `standard_coal` take.

    A carrier that has no meter of supply is made here and left out. What flows back to the grid is not taken off: it
    was sold, not saved.
    """
    found: dict[str, Amount] = {}
    carriers: tuple[Carrier, ...] = ("electricity", "gas", "water", "heat", "steam", "oxygen", "air")
    for carrier in carriers:
        supply = points_of_supply(site, registers, carrier)
        if not supply:
            continue
        unit = supply[0].unit
        known = [(r, totals[r.key]) for r in supply if r.key in totals]
        amounts = [t.amount * conversion(r.unit, unit)[0] for r, t in known if t.known]
        missing = (math.fsum(t.missing for _, t in known) + len(supply) - len(known)) / len(supply)
        energy = site.carbon.gas if carrier == "gas" else carrier
        found[energy] = Amount(math.fsum(amounts) if amounts else math.nan, unit, missing)
    return found


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
        activity = _activity(energy, amount, unit, library.energies.get(energy), per_tonne, notes)
        if activity is not None:
            kg = round(activity * factor.value, 3)
            rows.append(
                CarbonRow(energy, name, amount.amount, amount.unit, activity, factor, unit, kg, scope, amount.missing)
            )
    return Carbon(tuple(rows), round(math.fsum(r.kg for r in rows), 3), tuple(notes))


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
        spec = library.energies.get("heat" if energy == "steam" else energy)
        if energy == ELECTRICITY:
            name, unit, counted = _ELECTRICITY_NAME, "kWh", True
            own = library.electricity_coal
            burnt = settings.electricity_coal or _of_year(library.electricity_coal_burnt, day.year, energy, notes, 2)
        elif spec is None:
            notes.append(_unknown_energy(energy, library))
            continue
        else:
            name, unit, counted = (_STEAM_NAME if energy == "steam" else spec.name), spec.unit, not spec.medium
            own = burnt = settings.gas_coal if settings.gas_coal and energy == settings.gas else spec.coal
        per_tonne = settings.steam_enthalpy * _KJ_A_KG_IN_GJ_A_T if energy == "steam" else None
        activity = _activity(energy, amount, unit, spec, per_tonne, notes)
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


def _carbon_factor(
    energy: str, year: int, settings: CarbonSettings, library: FactorLibrary, notes: list[Reason]
) -> tuple[Names, Factor, str, Scope, float | None] | None:
    """Return name, factor, its unit, scope, and GJ a tonne for steam; None for what emits nothing that is counted."""
    if energy == ELECTRICITY:
        grid = library.grids[settings.electricity]
        factor = settings.electricity_factor or _of_year(grid.values, year, energy, notes, 1)
        return _ELECTRICITY_NAME, factor, "kWh", 2, None
    spec = library.energies.get("heat" if energy == "steam" else energy)
    if spec is None:
        notes.append(_unknown_energy(energy, library))
        return None
    if spec.carbon is None or spec.scope is None:
        return None
    if energy == "steam":
        # The guideline takes off what the water held from which the steam was made.
        return _STEAM_NAME, spec.carbon, spec.unit, 2, (settings.steam_enthalpy - FEED_WATER_KJ_KG) * _KJ_A_KG_IN_GJ_A_T
    return spec.name, spec.carbon, spec.unit, spec.scope, None


def _of_year(values: tuple[Factor, ...], year: int, energy: str, notes: list[Reason], what: Literal[1, 2]) -> Factor:
    factor, own = of_year(values, year)
    if not own:
        subject = Names(zh="排放因子", en="emission factor") if what == 1 else Names(zh="供电煤耗", en="coal rate")
        notes.append(
            Reason(
                "factor-of-another-year",
                Names(
                    zh=f"{year} 年的电力{subject.zh}尚未发布, 采用 {factor.year} 年的值",
                    en=f"The {subject.en} of {energy} for {year} is not published yet; that of {factor.year} is taken.",
                ),
                value=factor.year,
                limit=year,
                blocking=False,
            )
        )
    return factor


def _activity(
    energy: str, amount: Amount, unit: str, spec: Energy | None, per_tonne: float | None, notes: list[Reason]
) -> float | None:
    """Return an amount in the factor's unit, or None if it is not known or does not convert."""
    if not math.isfinite(amount.amount):
        notes.append(
            Reason(
                "amount-unknown",
                Names(zh=f"{energy} 本期没有用量数据, 未计入", en=f"Nothing is known of {energy}; it is not counted."),
            )
        )
        return None
    if amount.missing > 0:
        notes.append(
            Reason(
                "amount-incomplete",
                Names(
                    zh=f"{energy} 缺 {amount.missing:.1%} 的时间, 数值为下限",
                    en=f"{amount.missing:.1%} of the time is missing for {energy}: at least so much was used.",
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
                    zh=f"{energy} 的单位 {amount.unit} 不能换算为 {unit}, 未计入",
                    en=f"{energy} is in {amount.unit}, which does not convert to {unit}; it is not counted.",
                ),
            )
        )
        return None


def _unknown_energy(energy: str, library: FactorLibrary) -> Reason:
    known = ", ".join([ELECTRICITY, "steam", *library.energies])
    return Reason(
        "energy-unknown",
        Names(
            zh=f"因子库中没有能源 {energy}; 可用: {known}",
            en=f"No factor is known for {energy!r}; the library has {known}.",
        ),
    )
