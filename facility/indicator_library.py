"""Which energy indicators there are, of what, and what is usual: `indicators.yaml`, checked when it is read."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from facility.documents import read_checked
from facility.equipment_classes import Band, ClassLibrary, Identifier, load_library
from facility.errors import ConfigurationError, Problem
from facility.names import Names
from facility.wording import nearest

INDICATORS_FILE: Final = Path(__file__).parent / "indicators.yaml"

Better = Literal["lower", "higher"]
Amount = Literal["electricity", "gas", "water", "heat", "steam", "oxygen", "cost", "coal", "carbon"]
Per = Literal[
    "area", "beds", "bed_days", "visits", "surgeries", "staff", "heating_degree_days", "cooling_degree_days"
]  # fmt: skip
Conversion = Literal["steam_heat", "gas_heat"]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Benchmark(_Strict):
    """What is usual: at `good` or better is good, beyond `poor` is poor, what lies between is usual."""

    good: float
    poor: float
    source: Annotated[str, Field(min_length=3)]
    checked: bool = True


class Spec(_Strict):
    """What every indicator has."""

    id: Identifier
    name: Names
    unit: str
    times: Annotated[float, Field(gt=0)] = 1.0
    better: Better = "lower"
    least: Annotated[float, Field(ge=0)] = 0.0
    plausible: Band | None = None
    month: Benchmark | None = None
    year: Benchmark | None = None

    @model_validator(mode="after")
    def _benchmarks_lie_the_right_way_round(self) -> Spec:
        for benchmark in (self.month, self.year):
            if benchmark is not None and (benchmark.good < benchmark.poor) != (self.better == "lower"):
                raise ValueError(
                    f"good {benchmark.good:g} and poor {benchmark.poor:g} do not fit better: {self.better}; swap them"
                )
        return self


class HospitalIndicator(Spec):
    """An indicator of the whole hospital, and of its departments where `departments` says so."""

    of: Amount
    over: Per
    departments: bool = False


class RegisterSide(_Strict):
    """A register of the machine, as it is counted or converted."""

    point: Identifier
    as_: Conversion | None = Field(default=None, alias="as")


class MachineIndicator(Spec):
    """An indicator of each machine of a class."""

    class_: Identifier = Field(alias="class")
    of: RegisterSide
    over: RegisterSide


class PlantSide(_Strict):
    """The registers of that name of all machines of some classes."""

    classes: Annotated[tuple[Identifier, ...], Field(min_length=1)]
    point: Identifier


class PlantIndicator(Spec):
    """An indicator of all machines in the rooms of one kind together."""

    room_kind: Identifier
    of: PlantSide
    over: PlantSide


Indicator = HospitalIndicator | MachineIndicator | PlantIndicator


class IndicatorLibrary(_Strict):
    """All indicators."""

    hospital: tuple[HospitalIndicator, ...] = ()
    machines: tuple[MachineIndicator, ...] = ()
    plants: tuple[PlantIndicator, ...] = ()

    @property
    def all(self) -> tuple[Indicator, ...]:
        """Return every indicator, the hospital's first."""
        return (*self.hospital, *self.machines, *self.plants)


def read_indicators(file: Path, classes: ClassLibrary) -> IndicatorLibrary:
    """
    Read indicators and check them against the classes that they look at.

    Raises
    ------
    ConfigurationError
        With every mistake in the file.
    """
    found = read_checked(file, TypeAdapter(IndicatorLibrary))
    problems = list(found.problems)
    if found.value is not None:
        problems += [found.document.problem(path, message) for path, message in _mistakes(found.value, classes)]
    if problems or found.value is None:
        raise ConfigurationError(problems or [Problem(str(file), 0, "", "no indicator stands here")])
    return found.value


def _mistakes(library: IndicatorLibrary, classes: ClassLibrary) -> list[tuple[tuple[str | int, ...], str]]:
    told: list[tuple[tuple[str | int, ...], str]] = []

    def counts(path: tuple[str | int, ...], class_id: str, point: str) -> None:
        if class_id not in classes:
            told.append((path, f"class {class_id!r} is not in the library{nearest(class_id, classes.classes)}"))
            return
        counters = [name for name, p in classes[class_id].points.items() if p.carrier is not None]
        if point not in counters:
            told.append((path, f"{point!r} is no register of {class_id!r}{nearest(point, counters)}"))

    for i, machine in enumerate(library.machines):
        for side in ("of", "over"):
            counts(("machines", i, side), machine.class_, getattr(machine, side).point)
    for i, plant in enumerate(library.plants):
        for side in ("of", "over"):
            for class_id in getattr(plant, side).classes:
                counts(("plants", i, side), class_id, getattr(plant, side).point)
    seen: set[str] = set()
    for section in ("hospital", "machines", "plants"):
        for i, spec in enumerate(getattr(library, section)):
            if spec.id in seen:
                told.append(((section, i, "id"), f"{spec.id!r} stands twice; give the second another id"))
            seen.add(spec.id)
    return told


@cache
def load_indicators() -> IndicatorLibrary:
    """Load the indicators that come with Wardwatt, once a process."""
    return read_indicators(INDICATORS_FILE, load_library())
