"""
The catalogue of faults: what can go wrong with which machine, by the IDs of the project's domain sheet.

It is data, one YAML file a plant family in `simulators/catalogue/`: an engineer adds a fault by adding an entry and the
physics that acts on it. An entry says what the fault does, on which points it shows, and what it truly wastes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, model_validator

from facility.documents import read_folder
from facility.equipment_classes import Kind
from facility.errors import ConfigurationError
from facility.names import Names
from facility.site import Equipment
from facility.units import parse_duration
from facility.wording import nearest

CATALOGUE_FOLDER: Final = Path(__file__).parent / "catalogue"

Seconds = Annotated[float, BeforeValidator(parse_duration)]
Move = Literal["up", "down", "changes", "gone"]
Target = Literal["machine", "point", "gateway"]
ANY: Final = "*"
OnsetKind = Literal["sudden", "creeping", "intermittent"]


_DATA: Final = "DA-"
_MEDICAL_GASES: Final = "MG-"
PLANTS: Final[Mapping[str, Names]] = {
    "EL": Names(zh="供配电", en="Power"),
    "BO": Names(zh="锅炉与蒸汽", en="Boilers and steam"),
    "MG": Names(zh="医用气体", en="Medical gases"),
    "PU": Names(zh="水泵", en="Pumps"),
    "WS": Names(zh="给水", en="Water supply"),
    "HS": Names(zh="换热站与热水", en="Heat and hot water"),
    "CH": Names(zh="中央空调", en="Central air conditioning"),
    "AC": Names(zh="分体空调", en="Split air conditioners"),
    "SW": Names(zh="污水处理", en="Sewage"),
    "DA": Names(zh="数据", en="Data"),
}
_CARRIERS: Final = {"kWh": "electricity", "m³": "water", "t": "steam"}


class UnknownFault(ValueError):
    """A fault that is not in the catalogue, or that this machine cannot have; the text says which ones there are."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Onset(_Strict):
    """
    How a fault comes.

    Attributes
    ----------
    kind : sudden (within minutes), creeping (a line over `over`), or intermittent (it comes and goes)
    over : time from the start to full severity; 0 is at once [s]
    on, every : an intermittent fault is there for `on` out of `every` [s]
    """

    kind: OnsetKind
    over: Seconds = Field(default=0.0, ge=0.0)
    on: Seconds = Field(default=0.0, ge=0.0)
    every: Seconds = Field(default=0.0, ge=0.0)

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Onset:
        comes_and_goes = self.on > 0.0 or self.every > 0.0
        if self.kind == "intermittent" and not 0.0 < self.on < self.every:
            raise ValueError("an intermittent onset needs `on` and a longer `every`, such as on: 20 min, every: 2 h")
        if self.kind != "intermittent" and comes_and_goes:
            raise ValueError(f"`on` and `every` belong to an intermittent onset; this one is {self.kind}")
        if self.kind == "creeping" and self.over <= 0.0:
            raise ValueError("a creeping onset needs `over`, such as over: 10 d")
        return self


def _one_or_more(value: object) -> object:
    return (value,) if isinstance(value, str) else value


class Waste(_Strict):
    """
    What a fault truly wastes, and whose register counts it.

    `meter` is a point of the faulty machine (`energy_import`), or a class and its point (`hv_incomer/energy_import`):
    then the registers of all machines of that class count it together. Several of them add up.
    """

    unit: Literal["kWh", "m³", "Nm³", "t", "CNY"]
    meter: Annotated[tuple[str, ...], BeforeValidator(_one_or_more)]


class Repair(Names):
    """What ends the fault, in both languages; a closing note that holds one of the `words` says that it was done."""

    words: tuple[str, ...] = Field(min_length=1)


class Fault(_Strict):
    """
    One kind of fault.

    Attributes
    ----------
    id : ID of the domain sheet, such as MG-F02
    name : what a person calls it
    target : what has it: a machine; of data faults also a point, or a gateway
    classes : equipment classes that can have it; `*`: all
    kinds : of a point's fault, the kinds of points that can have it
    onset : how it usually comes
    effect : what it changes in the physics, at full severity
    shows : points on which it shows, and which way each moves; of other machines than the faulty one as `class/point`;
        of a data fault `*` stands for all points that have it
    same : what it leaves alone though it is near: points of the faulty machine, or of those upstream as `class/point`;
        of a data fault `*` stands for everything else
    waste : what it truly wastes; None: nothing that is counted
    beside : other faults without which it does not show
    repair : what ends it
    life_safety : whether patients depend on it
    """

    id: str = Field(pattern=r"^[A-Z]{2}-F[0-9]{2}$")
    name: Names
    target: Target = "machine"
    classes: tuple[str, ...] = Field(min_length=1)
    kinds: tuple[Kind, ...] = ()
    onset: Onset
    effect: str = Field(min_length=10)
    shows: Mapping[str, Move] = Field(min_length=1)
    same: tuple[str, ...] = ()
    waste: Waste | None = None
    beside: tuple[str, ...] = ()
    repair: Repair
    life_safety: bool = False

    @property
    def points(self) -> tuple[str, ...]:
        """Return the points on which it shows."""
        return tuple(self.shows)

    @property
    def plant(self) -> Names:
        """Return the plant family to which its ID belongs."""
        return PLANTS.get(self.id[:2], Names(zh=self.id[:2], en=self.id[:2]))

    @property
    def carrier(self) -> str:
        """Return what it wastes, as tariffs call it; empty if it wastes nothing that a tariff prices."""
        unit = self.waste.unit if self.waste is not None else ""
        if unit == "Nm³":
            return "oxygen" if self.id.startswith(_MEDICAL_GASES) else "gas"
        return _CARRIERS.get(unit, "")

    @property
    def of_data(self) -> bool:
        """Return True if the plant is well, and only what is told of it is wrong."""
        return self.id.startswith(_DATA)

    def fits(self, class_id: str) -> bool:
        """Return True if machines of an equipment class can have it."""
        return class_id in self.classes or ANY in self.classes

    def is_mended_by(self, note: str) -> bool:
        """Return True if a note on what was done holds one of the words of the right repair."""
        told = note.casefold()
        return any(word.casefold() in told for word in self.repair.words)

    @model_validator(mode="after")
    def _kinds_are_of_points(self) -> Fault:
        if (self.target == "point") != bool(self.kinds):
            raise ValueError("a point's fault needs kinds, such as [gauge]; the others have none")
        return self


class _CatalogueFile(_Strict):
    faults: tuple[Fault, ...]


_FILE: Final = TypeAdapter(_CatalogueFile)


def read_catalogue(folder: Path) -> Mapping[str, Fault]:
    """
    Read and check all files of a catalogue, by ID, in the order of the IDs.

    Raises
    ------
    ConfigurationError
        With every mistake in every file.
    """
    problems, found = [], {}
    for document, file, mistakes in read_folder(folder, _FILE):
        problems += mistakes
        for number, fault in enumerate(file.faults if file is not None else ()):
            if fault.id in found:
                problems.append(document.problem(("faults", number, "id"), f"{fault.id} stands here a second time"))
            found[fault.id] = fault
    if problems:
        raise ConfigurationError(problems)
    return dict(sorted(found.items()))


@lru_cache(maxsize=1)
def catalogue() -> Mapping[str, Fault]:
    """Return the catalogue that comes with Wardwatt, read once a process."""
    return read_catalogue(CATALOGUE_FOLDER)


def find_fault(fault_id: str) -> Fault:
    """Return a fault of the catalogue; `UnknownFault` names the nearest one."""
    fault = catalogue().get(fault_id.strip().upper())
    if fault is None:
        raise UnknownFault(f"fault {fault_id!r} is not in the catalogue{nearest(fault_id.upper(), catalogue())}")
    return fault


def faults_of(equipment: Equipment) -> tuple[Fault, ...]:
    """Return the faults that a machine, or one of its points, can have."""
    kinds = {spec.kind for spec in equipment.points.values()}
    return tuple(
        fault
        for fault in catalogue().values()
        if fault.fits(equipment.cls.id)
        and (fault.target == "machine" or (fault.target == "point" and kinds & set(fault.kinds)))
    )
