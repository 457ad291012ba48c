"""The section `measures` of a site file: what was done to save energy, and which days are compared with which."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from facility.documents import KeyPath
from facility.equipment_classes import Carrier
from facility.measures import Measure, Period
from facility.metering import CARRIER_NAMES
from facility.names import CannotStand, Id, Names
from facility.site import Equipment
from facility.wording import nearest, nearest_zh, quoted_zh

# A mistake: where in the entry, and what to write instead.
Told = tuple[KeyPath, Names]

# A comma or a space sets off thousands and nothing else: 10,5 read as 105 would cost ten times as much.
_MONEY: Final = re.compile(r"\s*((?:[0-9]{1,3}(?:[, ][0-9]{3})+|[0-9]+)(?:\.[0-9]+)?)\s*(万?)\s*([A-Z]{3})\s*")


def _day(value: Any) -> date:
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise CannotStand(
            Names(
                zh=f"{quoted_zh(value)}不是日期；请写成 2026-03-02",
                en=f"{value!r} is not a date; write it as 2026-03-02",
            )
        ) from None


# A day as people write it: 2026-03-02.
CalendarDay = Annotated[date, BeforeValidator(_day)]


class _BaselineFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    from_: CalendarDay = Field(alias="from")
    to: CalendarDay

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> _BaselineFile:
        if self.to <= self.from_:
            raise CannotStand(
                Names(
                    zh=f"结束日期 {self.to} 不在开始日期 {self.from_} 之后；`to` 应为最后一天",
                    en=f"it ends on {self.to}, not after {self.from_}; let `to` be its last day",
                )
            )
        return self


class _ReportingFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    from_: CalendarDay = Field(alias="from")
    to: CalendarDay | None = None

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> _ReportingFile:
        if self.to is not None and self.to <= self.from_:
            raise CannotStand(
                Names(
                    zh=f"结束日期 {self.to} 不在开始日期 {self.from_} 之后；仍在进行时请不写 `to`",
                    en=f"it ends on {self.to}, not after {self.from_}; leave `to` out while it runs",
                )
            )
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
            raise CannotStand(
                Names(
                    zh="请指明计量受影响用能的表计，或全院的能源种类",
                    en="name the meter that counts what it changes, or the carrier of the whole hospital",
                )
            )
        if self.reporting.from_ <= self.baseline.to:
            raise CannotStand(
                Names(
                    zh=f"报告期自 {self.reporting.from_} 开始，仍在 {self.baseline.to} 结束的基准期之内；"
                    "施工的日子不要计入这两个时期",
                    en=f"the reporting period begins on {self.reporting.from_}, inside the baseline, which ends on "
                    f"{self.baseline.to}; leave the days of the work itself out of both",
                )
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
            known = [*equipment, *virtual]
            zh = f"没有名为{quoted_zh(self.meter)}的表计{nearest_zh(self.meter, known)}"
            return [(("meter",), Names(zh=zh, en=f"no meter is called {self.meter!r}{nearest(self.meter, known)}"))]
        counted = sorted({point.carrier for point in item.points.values() if point.carrier is not None})
        if not counted:
            zh = f"{quoted_zh(self.meter)}不计量任何能源；请选表计，或带计数器的设备"
            en = f"{self.meter!r} counts nothing; name a meter, or a machine that has a counter"
            return [(("meter",), Names(zh=zh, en=en))]
        # Reactive energy is no use of its own: it is never what a measure saves unless it is named.
        told_apart = [carrier for carrier in counted if carrier != "reactive"] or counted
        if self.carrier is None and len(told_apart) > 1:
            zh = f"{quoted_zh(self.meter)}计量多种能源（{_carriers_zh(told_apart)}）；请指明是哪一种"
            en = f"{self.meter!r} counts {', '.join(told_apart)}; say which of them"
            return [(("carrier",), Names(zh=zh, en=en))]
        if self.carrier is not None and self.carrier not in counted:
            zh = f"{quoted_zh(self.meter)}不计量{_carriers_zh([self.carrier])}；它计量的是：{_carriers_zh(counted)}"
            en = f"{self.meter!r} does not count {self.carrier}{nearest(self.carrier, counted)}"
            return [(("carrier",), Names(zh=zh, en=en))]
        return []

    def _driver_mistakes(self, equipment: Mapping[str, Equipment]) -> list[Told]:
        told: list[Told] = []
        for i, key in enumerate(self.drivers):
            machine, _, name = key.partition("/")
            item = equipment.get(machine)
            if item is None or not name:
                words = Names(
                    zh=f"{quoted_zh(key)}不是测点；请写成“设备/测点”{nearest_zh(machine, equipment)}",
                    en=f"{key!r} names no point; write machine/point{nearest(machine, equipment)}",
                )
                told.append((("drivers", i), words))
            elif name not in item.points:
                words = Names(
                    zh=f"{quoted_zh(machine)}没有测点{quoted_zh(name)}{nearest_zh(name, item.points)}",
                    en=f"{machine!r} has no point {name!r}{nearest(name, item.points)}",
                )
                told.append((("drivers", i), words))
            elif i == 0 and item.points[name].unit != "°C":
                unit = item.points[name].unit
                words = Names(
                    zh=f"{quoted_zh(key)}的单位是 {unit or '无'}；请把室外温度放在首位，其他排在后面",
                    en=f"{key!r} is in {unit or 'no unit'}; put the outdoor temperature first, the others after it",
                )
                told.append((("drivers", i), words))
        return told

    def _cost(self, currency: str) -> tuple[float | None, list[Told]]:
        if self.cost is None:
            return None, []
        match = _MONEY.fullmatch(self.cost)
        words = Names(
            zh=f"{quoted_zh(self.cost)}不是此处可用的金额；请写成例如 86000 {currency}",
            en=f"{self.cost!r} is no amount of money here; write such as '86000 {currency}'",
        )
        if match is None or match[3] != currency:
            return None, [(("cost",), words)]
        amount = float(match[1].replace(",", "").replace(" ", ""))
        return amount * (10_000 if match[2] else 1), []


def _carriers_zh(carriers: Iterable[Carrier]) -> str:
    return "、".join(CARRIER_NAMES[carrier].zh for carrier in carriers)
