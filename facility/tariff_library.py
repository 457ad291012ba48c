"""The library of time-of-use plans: when which band holds in a province, and how prices float. Data in `tariffs/`.

A file a plan, called by the plan's id, with the document that it is from. Prices of a unit are no part of it: the
utility publishes them by month and voltage, and they stand in the site file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter, model_validator

from facility.band_file import BandFile, RatiosFile, Strict
from facility.documents import read_folder
from facility.errors import ConfigurationError, Problem
from facility.names import Names
from facility.tariff_model import COMPONENT_NAMES, BandRatios, TariffBand
from facility.when_file import Day
from facility.wording import nearest

TARIFFS_FOLDER: Final = Path(__file__).parent / "tariffs"


@dataclass(frozen=True, slots=True)
class LibraryPlan:
    """
    When which band holds, by a document of a province.

    Attributes
    ----------
    id : as a site file picks it, `shanghai-two-part`
    document : its number
    since : from when it holds; None: not captured
    checked : True if bands and ratios were transcribed from what was published; False: see `verify`
    floats : codes of the components that float by the document; empty: not captured
    verify : what is to be checked before a bill rests on it; "": nothing
    bands : the first that fits counts; outside all it is flat
    ratios : by month; empty: not captured, the site gives its own
    """

    id: str
    name: Names
    document: str
    since: date | None
    checked: bool
    verify: str
    bands: tuple[TariffBand, ...]
    ratios: tuple[BandRatios, ...]
    floats: frozenset[str] = frozenset()


class _PlanFile(Strict):
    name: Names
    document: Annotated[str, Field(min_length=3)]
    since: Day | None = None
    checked: bool
    verify: str = ""
    floats: frozenset[Literal[tuple(COMPONENT_NAMES)]] = frozenset()  # type: ignore[valid-type]
    bands: Annotated[list[BandFile], Field(min_length=1)]
    ratios: list[RatiosFile] = Field(default_factory=list)

    @model_validator(mode="after")
    def _says_what_to_check(self) -> _PlanFile:
        if not self.checked and not self.verify:
            raise ValueError("a plan that is not checked says what to verify; add verify: ...")
        if any(b.price is not None for b in self.bands):
            raise ValueError("bands of the library have no prices; give ratios")
        return self


_ADAPTER: Final = TypeAdapter(_PlanFile)


def load_plans(folder: Path) -> dict[str, LibraryPlan]:
    """
    Read every plan of a folder, by its id.

    Raises
    ------
    ConfigurationError
        With every mistake: file, line, place, value, and what to write instead.
    """
    plans: dict[str, LibraryPlan] = {}
    problems: list[Problem] = []
    for document, value, found in read_folder(folder, _ADAPTER):
        problems += found
        if value is not None:
            name = Path(document.file).stem
            plans[name] = LibraryPlan(
                name, value.name, value.document, value.since, value.checked, value.verify,
                tuple(b.band() for b in value.bands), tuple(r.ratios() for r in value.ratios), value.floats,
            )  # fmt: skip
    if problems:
        raise ConfigurationError(problems)
    return plans


@cache
def library() -> Mapping[str, LibraryPlan]:
    """Return the plans that come with Wardwatt, by their ids."""
    return load_plans(TARIFFS_FOLDER)


def library_plan(name: str) -> LibraryPlan:
    """Return a plan of the library; ValueError, with the nearest, if there is none of that name."""
    plans = library()
    if name not in plans:
        raise ValueError(f"{name!r} is no plan of the library{nearest(name, plans)}; `wardwatt tariffs` lists them")
    return plans[name]
