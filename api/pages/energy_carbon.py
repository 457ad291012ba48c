"""Carbon dioxide and standard coal of a month: amount × factor, with each factor's year and source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from api.pages.energy_figures import few_decimals
from api.pages.energy_head import Note
from api.pages.energy_statements import names_of, problem_notes
from api.pages.words import Words
from facility.formats import number

Figures = Mapping[str, Any]

_NO_CARBON: Final[Figures] = {"rows": (), "kg": 0.0, "scope1_kg": 0.0, "scope2_kg": 0.0}
_NO_COAL: Final[Figures] = {"rows": (), "calorific_kgce": 0.0, "equivalent_kgce": 0.0}


@dataclass(frozen=True, slots=True)
class EmissionRow:
    """What one energy emitted."""

    name: str
    amount: str
    unit: str
    factor: str
    factor_unit: str
    year: str
    source: str
    tonnes: str
    scope: str


@dataclass(frozen=True, slots=True)
class CoalRow:
    """One energy in standard coal."""

    name: str
    amount: str
    unit: str
    calorific: str
    equivalent: str
    source: str
    counted: bool


@dataclass(frozen=True, slots=True)
class CarbonPage:
    """Everything of the page."""

    rows: tuple[EmissionRow, ...]
    total: str
    scopes: str
    coal: tuple[CoalRow, ...]
    calorific: str
    equivalent: str
    notes: tuple[Note, ...]
    empty: str


def carbon_page(words: Words, figures: Figures | None) -> CarbonPage:
    """Build the page; `figures` of the month's statement, None where there is none."""
    carbon: Figures = _NO_CARBON if figures is None else figures["carbon"]
    coal: Figures = _NO_COAL if figures is None else figures["coal"]
    notes = (*carbon.get("notes", ()), *coal.get("notes", ()))
    return CarbonPage(
        rows=tuple(_row(words, r) for r in carbon["rows"]),
        total=_tonnes(carbon["kg"]),
        scopes=words(
            "burnt here %(first)s, made elsewhere for us %(second)s tCO₂",
            first=_tonnes(carbon["scope1_kg"]),
            second=_tonnes(carbon["scope2_kg"]),
        ),
        coal=tuple(_coal(words, r) for r in coal["rows"]),
        calorific=_tonnes(coal["calorific_kgce"]),
        equivalent=_tonnes(coal["equivalent_kgce"]),
        notes=problem_notes(notes, words),
        empty=words("Nothing is known of this month. Factors and regions are under carbon: in the site file."),
    )


def _tonnes(kg: Any) -> str:
    return number(float(kg) / 1000.0, 2)


def _amount(value: Any, unit: str) -> str:
    return number(float(value), few_decimals(float(value), unit))


def _row(words: Words, row: Figures) -> EmissionRow:
    factor = row["factor"]
    sign = "≥" if float(row.get("missing") or 0.0) > 0.0005 else ""
    return EmissionRow(
        name=names_of(row["name"], words),
        amount=f"{sign}{_amount(row['amount'], row['unit'])}",
        unit=str(row["unit"]),
        factor=f"{float(factor['value']):g}",
        factor_unit=f"kgCO₂/{row['factor_unit']}",
        year=str(factor["year"] or ""),
        source=_source(factor, words),
        tonnes=f"{sign}{_tonnes(row['kg'])}",
        scope=words("burnt here") if row["scope"] == 1 else words("made elsewhere"),
    )


def _source(factor: Figures, words: Words) -> str:
    parts = [str(factor["source"]), names_of(factor.get("note"), words)]
    if not factor.get("checked", True):
        parts.append(words("not checked"))
    return " · ".join(p for p in parts if p)


def _coal(words: Words, row: Figures) -> CoalRow:
    return CoalRow(
        name=names_of(row["name"], words),
        amount=_amount(row["amount"], row["unit"]),
        unit=str(row["unit"]),
        calorific=_tonnes(row["calorific_kgce"]),
        equivalent=_tonnes(row["equivalent_kgce"]),
        source=_source(row["equivalent_factor"], words),
        counted=bool(row["counted"]),
    )
