"""Dated, sourced factors: what energy emits, and what it is in standard coal. The data stand in `factors/`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, model_validator

from facility.documents import Document, KeyPath, read_document, validate
from facility.equipment_classes import Unit
from facility.errors import ConfigurationError, Problem
from facility.names import Names
from facility.wording import nearest

FACTORS_FOLDER: Final = Path(__file__).parent / "factors"

Scope = Literal[1, 2]

# Enthalpy of saturated steam of 0.7 MPa above atmosphere [kJ/kg] (IAPWS-IF97, 0.8 MPa absolute), and what the water of
# 20 °C held from which it was made: 公共建筑运营企业温室气体排放核算方法和报告指南（试行）.
STEAM_ENTHALPY_KJ_KG: Final = 2768.3
FEED_WATER_KJ_KG: Final = 83.74


@dataclass(frozen=True, slots=True)
class Factor:
    """
    A number with its origin.

    Attributes
    ----------
    year : that it is for; None for one that does not change with the years
    published : year, month or day, if known
    checked : False for a figure that was not compared with its source
    """

    value: float
    source: str
    year: int | None = None
    published: str | None = None
    checked: bool = True
    note: str = ""


@dataclass(frozen=True, slots=True)
class Energy:
    """
    A fuel, bought heat, or a working medium.

    Attributes
    ----------
    unit : that the factors are for
    scope : 1: burnt here, 2: made elsewhere for us; None: it emits nothing that is counted
    carbon : [kgCO₂/unit]
    coal : [kgce/unit]
    medium : a working medium, which a building's quota leaves out
    density : [kg/L], of liquid fuels
    """

    id: str
    name: Names
    unit: str
    scope: Scope | None
    carbon: Factor | None
    coal: Factor
    medium: bool = False
    density: float | None = None


@dataclass(frozen=True, slots=True)
class Grid:
    """What a kWh from one grid emits [kgCO₂/kWh], oldest year first."""

    id: str
    name: Names
    values: tuple[Factor, ...]


@dataclass(frozen=True, slots=True)
class FactorLibrary:
    """
    All factors.

    Attributes
    ----------
    electricity_coal : what a kWh holds [kgce/kWh]
    electricity_coal_burnt : what power stations burn for a kWh [kgce/kWh], oldest year first
    """

    grids: Mapping[str, Grid]
    energies: Mapping[str, Energy]
    electricity_coal: Factor
    electricity_coal_burnt: tuple[Factor, ...]


@dataclass(frozen=True, slots=True)
class CarbonSettings:
    """
    Which factors a site takes.

    Attributes
    ----------
    electricity : id of its grid
    electricity_factor : instead of the grid's: its supplier's own factor [kgCO₂/kWh]
    gas : what comes in by its gas meters, an id of the library's energies
    gas_coal : instead of the library's [kgce/Nm³]
    electricity_coal : instead of the year's: a fixed one that an authority prescribes [kgce/kWh]
    steam_enthalpy : of bought steam [kJ/kg]
    """

    electricity: str = "national"
    electricity_factor: Factor | None = None
    gas: str = "natural_gas"
    gas_coal: Factor | None = None
    electricity_coal: Factor | None = None
    steam_enthalpy: float = STEAM_ENTHALPY_KJ_KG


def of_year(values: tuple[Factor, ...], year: int) -> tuple[Factor, bool]:
    """
    Return the factor of a year and True, or the nearest published one and False.

    The nearest is the latest of the years before; of a year before all of them, the first.
    """
    if not values:
        raise ValueError("no factor is given for any year")
    before = [v for v in values if v.year is None or v.year <= year]
    chosen = before[-1] if before else values[0]
    return chosen, chosen.year in (None, year)


def _published(value: Any) -> str:
    if not re.fullmatch(r"(19|20)\d\d(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?", str(value)):
        raise ValueError(f"{value!r} is no date; write it as 2024, 2024-12 or 2024-12-20")
    return str(value)


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _SourceFile(_Strict):
    name: Annotated[str, Field(min_length=3)]
    published: Annotated[str, BeforeValidator(_published)] | None = None


class _FactorFile(_Strict):
    value: Annotated[float, Field(ge=0)]
    source: str
    year: Annotated[int, Field(ge=1990, le=2100)] | None = None
    checked: bool = True
    note: str = ""


class _YearFile(_FactorFile):
    year: Annotated[int, Field(ge=1990, le=2100)]


class _GridFile(_Strict):
    name: Names
    values: tuple[_YearFile, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _years_rise(self) -> _GridFile:
        years = [v.year for v in self.values]
        if years != sorted(set(years)):
            raise ValueError(f"the years {years} must rise, each once")
        return self


class _EnergyFile(_Strict):
    name: Names
    unit: Unit
    scope: Scope | None = None
    carbon: _FactorFile | None = None
    coal: _FactorFile
    medium: bool = False
    density: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _what_emits_has_a_scope(self) -> _EnergyFile:
        if (self.scope is None) != (self.carbon is None):
            raise ValueError("carbon and scope go together; give both, or neither")
        return self


class _ElectricityFile(_Strict):
    coal: _FactorFile
    coal_burnt: tuple[_YearFile, ...] = Field(min_length=1)


class _GridsFile(_Strict):
    sources: Mapping[str, _SourceFile]
    grids: Mapping[str, _GridFile]


class _EnergiesFile(_Strict):
    sources: Mapping[str, _SourceFile]
    electricity: _ElectricityFile
    energies: Mapping[str, _EnergyFile]


@cache
def load_factors(folder: Path = FACTORS_FOLDER) -> FactorLibrary:
    """
    Read and check the factors.

    Raises
    ------
    ConfigurationError
        With every mistake: file, line, place, value, and what to write instead.
    """
    problems: list[Problem] = []
    grids_read = _read(folder / "electricity.yaml", TypeAdapter(_GridsFile), problems)
    energies_read = _read(folder / "energies.yaml", TypeAdapter(_EnergiesFile), problems)
    if grids_read is None or energies_read is None:
        raise ConfigurationError(problems)
    (grid_file, grid_document), (energy_file, energy_document) = grids_read, energies_read

    def of_grids(spec: _FactorFile, *path: str | int) -> Factor:
        return _factor(spec, grid_file.sources, grid_document, ("grids", *path), problems)

    def of_energies(spec: _FactorFile, *path: str | int) -> Factor:
        return _factor(spec, energy_file.sources, energy_document, path, problems)

    grids = {
        k: Grid(k, g.name, tuple(of_grids(v, k, "values", i) for i, v in enumerate(g.values)))
        for k, g in grid_file.grids.items()
    }
    energies = {
        k: Energy(
            id=k,
            name=e.name,
            unit=e.unit,
            scope=e.scope,
            carbon=None if e.carbon is None else of_energies(e.carbon, "energies", k, "carbon"),
            coal=of_energies(e.coal, "energies", k, "coal"),
            medium=e.medium,
            density=e.density,
        )
        for k, e in energy_file.energies.items()
    }
    electric = energy_file.electricity
    library = FactorLibrary(
        grids=grids,
        energies=energies,
        electricity_coal=of_energies(electric.coal, "electricity", "coal"),
        electricity_coal_burnt=tuple(
            of_energies(v, "electricity", "coal_burnt", i) for i, v in enumerate(electric.coal_burnt)
        ),
    )
    if problems:
        raise ConfigurationError(problems)
    return library


def _read(path: Path, adapter: TypeAdapter[Any], problems: list[Problem]) -> tuple[Any, Document] | None:
    document = read_document(path)
    problems += document.problems
    if document.data is None:
        return None
    value, found = validate(adapter, document.data, document, ())
    problems += found
    return None if value is None else (value, document)


def _factor(
    spec: _FactorFile, sources: Mapping[str, _SourceFile], document: Document, path: KeyPath, problems: list[Problem]
) -> Factor:
    source = sources.get(spec.source)
    if source is None:
        told = f"no source is called {spec.source!r}{nearest(spec.source, sources)}"
        problems.append(document.problem((*path, "source"), told))
        return Factor(spec.value, spec.source, spec.year)
    return Factor(spec.value, source.name, spec.year, source.published, spec.checked, spec.note)


class _OwnFactor(_Strict):
    value: Annotated[float, Field(ge=0)]
    source: Annotated[str, Field(min_length=3)]
    year: Annotated[int, Field(ge=1990, le=2100)] | None = None


def _own(spec: _OwnFactor | None) -> Factor | None:
    return None if spec is None else Factor(spec.value, spec.source, spec.year)


def _grid_id(value: Any) -> str:
    known = load_factors().grids
    if value not in known:
        raise ValueError(f"{value!r} is no grid of the factor library{nearest(str(value), known)}")
    return str(value)


def _gas_id(value: Any) -> str:
    known = [e.id for e in load_factors().energies.values() if e.unit == "Nm³" and e.scope == 1]
    if value not in known:
        raise ValueError(f"{value!r} is no gas of the factor library{nearest(str(value), known)}")
    return str(value)


class CarbonFile(_Strict):
    """The `carbon` section of a site file: which factors the site takes."""

    electricity: Annotated[str, BeforeValidator(_grid_id)] = "national"
    electricity_factor: _OwnFactor | None = None
    gas: Annotated[str, BeforeValidator(_gas_id)] = "natural_gas"
    gas_coal: _OwnFactor | None = None
    electricity_coal: _OwnFactor | None = None
    steam_enthalpy: Annotated[float, Field(gt=1000, lt=4000)] = STEAM_ENTHALPY_KJ_KG

    def settings(self) -> CarbonSettings:
        """Return the choices as the accounts take them."""
        return CarbonSettings(
            electricity=self.electricity,
            electricity_factor=_own(self.electricity_factor),
            gas=self.gas,
            gas_coal=_own(self.gas_coal),
            electricity_coal=_own(self.electricity_coal),
            steam_enthalpy=self.steam_enthalpy,
        )
