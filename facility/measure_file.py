"""The section `measures` of a site file: what was done to save energy, and which days are compared with which."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import date
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from facility.documents import KeyPath
from facility.equipment_classes import Carrier
from facility.measures import Measure, Period
from facility.names import Id, Names
from facility.site import Equipment
from facility.wording import nearest

# A mistake: where in the entry, and what to write instead.
Told = tuple[KeyPath, str]

_MONEY: Final = re.compile(r"\s*([0-9][0-9., ]*)\s*(万?)\s*([A-Z]{3})\s*")


def _day(value: Any) -> date:
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"{value!r} is not a date; write it as 2026-03-02") from None


# A day as people write it: 2026-03-02.
CalendarDay = Annotated[date, BeforeValidator(_day)]


class _BaselineFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    from_: CalendarDay = Field(alias="from")
    to: CalendarDay

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> _BaselineFile:
        if self.to <= self.from_:
            raise ValueError(f"it ends on {self.to}, not after {self.from_}; let `to` be its last day")
        return self


class _ReportingFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    from_: CalendarDay = Field(alias="from")
    to: CalendarDay | None = None

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> _ReportingFile:
        if self.to is not None and self.to <= self.from_:
            raise ValueError(f"it ends on {self.to}, not after {self.from_}; leave `to` out while it runs")
        return self


class MeasureFile(BaseModel):
    """One measure, exactly as it stands in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Id
    name: Names
    meter: str | None = None
    carrier: Carrier | None = None
    baseline: _BaselineFile
    reporting: _ReportingFile
    drivers: tuple[str, ...] = ()
    cost: str | None = None
    owner: str | None = None
    source: str | None = None

    @model_validator(mode="after")
    def _says_what_it_changes(self) -> MeasureFile:
        if self.meter is None and self.carrier is None:
            raise ValueError("name the meter that counts what it changes, or the carrier of the whole hospital")
        if self.reporting.from_ <= self.baseline.to:
            raise ValueError(
                f"the reporting period begins on {self.reporting.from_}, inside the baseline, which ends on "
                f"{self.baseline.to}; leave the days of the work itself out of both"
            )
        return self

    def measure(
        self, equipment: Mapping[str, Equipment], virtual: Collection[str], currency: str
    ) -> tuple[Measure | None, list[Told]]:
        """
        Return the measure, None if it cannot be; and every mistake.

        Parameters
        ----------
        equipment : the site's, by id
        virtual : ids of its virtual meters
        currency : the site's
        """
        told = [*self._meter_mistakes(equipment, virtual), *self._driver_mistakes(equipment)]
        cost, mistake = self._cost(currency)
        told += mistake
        if told:
            return None, told
        return (
            Measure(
                id=self.id,
                name=self.name,
                meter=self.meter,
                carrier=self.carrier,
                baseline=Period(self.baseline.from_, self.baseline.to),
                reporting=Period(self.reporting.from_, self.reporting.to),
                drivers=self.drivers,
                cost=cost,
                owner=self.owner,
                source=self.source,
            ),
            [],
        )

    def _meter_mistakes(self, equipment: Mapping[str, Equipment], virtual: Collection[str]) -> list[Told]:
        if self.meter is None or self.meter in virtual:
            return []
        item = equipment.get(self.meter)
        if item is None:
            return [(("meter",), f"no meter is called {self.meter!r}{nearest(self.meter, [*equipment, *virtual])}")]
        counted = sorted({point.carrier for point in item.points.values() if point.carrier is not None})
        if not counted:
            return [(("meter",), f"{self.meter!r} counts nothing; name a meter, or a machine that has a counter")]
        # Reactive energy is no use of its own: it is never what a measure saves unless it is named.
        told_apart = [carrier for carrier in counted if carrier != "reactive"] or counted
        if self.carrier is None and len(told_apart) > 1:
            return [(("carrier",), f"{self.meter!r} counts {', '.join(told_apart)}; say which of them")]
        if self.carrier is not None and self.carrier not in counted:
            return [(("carrier",), f"{self.meter!r} does not count {self.carrier}{nearest(self.carrier, counted)}")]
        return []

    def _driver_mistakes(self, equipment: Mapping[str, Equipment]) -> list[Told]:
        told: list[Told] = []
        for i, key in enumerate(self.drivers):
            machine, _, name = key.partition("/")
            item = equipment.get(machine)
            if item is None or not name:
                told.append(
                    (("drivers", i), f"{key!r} names no point; write machine/point{nearest(machine, equipment)}")
                )
            elif name not in item.points:
                told.append((("drivers", i), f"{machine!r} has no point {name!r}{nearest(name, item.points)}"))
            elif i == 0 and item.points[name].unit != "°C":
                told.append(
                    (("drivers", i), f"{key!r} is in {item.points[name].unit or 'no unit'}; put the outdoor "
                     "temperature first, the others after it")
                )  # fmt: skip
        return told

    def _cost(self, currency: str) -> tuple[float | None, list[Told]]:
        if self.cost is None:
            return None, []
        match = _MONEY.fullmatch(self.cost)
        if match is None or match[3] != currency:
            return None, [(("cost",), f"{self.cost!r} is no amount of money here; write such as '86000 {currency}'")]
        try:
            amount = float(match[1].replace(",", "").replace(" ", ""))
        except ValueError:
            return None, [(("cost",), f"{self.cost!r} is no amount of money here; write such as '86000 {currency}'")]
        return amount * (10_000 if match[2] else 1), []
