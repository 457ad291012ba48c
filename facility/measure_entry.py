"""
A measure as a person enters it: like an entry of a site file's `measures`, but the days of the work are enough.

Given `work: {from, to}`, the baseline is the year before it and the reporting period begins on the day after; without
drivers the outdoor temperature explains the use; a cost without its currency is in the site's.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from facility.documents import Document, KeyPath, place_of, validate
from facility.measure_file import CalendarDay, MeasureFile, Told
from facility.measures import Measure
from facility.names import Names
from facility.site import Site

BASELINE_DAYS: Final = 365
_STATION: Final = "weather_station"
_OUTDOOR: Final = "outdoor_temperature"
_EARLIEST: Final = date(2000, 1, 1)
_MOST_AHEAD: Final = timedelta(days=366)
_LONGEST: Final = {"name": 120, "owner": 200, "source": 200, "cost": 40, "meter": 100, "id": 63, "drivers": 100}
_MOST_DRIVERS: Final = 8


@dataclass(frozen=True, slots=True)
class EntryMistake:
    """What is wrong with an entry: at which field (`work.from`), and what to write instead, in both languages."""

    field: str
    words: Names

    @property
    def message(self) -> str:
        """The words in English."""
        return self.words.en

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


@dataclass(frozen=True, slots=True)
class ReadEntry:
    """
    An entry that was read.

    Attributes
    ----------
    measure : None if there are mistakes
    entry : as a site file would hold it, periods and drivers written out
    mistakes : all of them
    """

    measure: Measure | None
    entry: Mapping[str, Any]
    mistakes: tuple[EntryMistake, ...]


class _WorkFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    from_: CalendarDay = Field(alias="from")
    to: CalendarDay | None = None


_WORK: Final = TypeAdapter(_WorkFile)
_FILE: Final = TypeAdapter(MeasureFile)


def outdoor_point(site: Site) -> str | None:
    """Return the point that tells the outdoor temperature: a weather station's, else any that is called so."""
    candidates = [item for item in site.equipment.values() if _OUTDOOR in item.points]
    best = next((item for item in candidates if item.cls.id == _STATION), next(iter(candidates), None))
    return f"{best.id}/{_OUTDOOR}" if best is not None else None


def id_from(name: str, taken: Collection[str]) -> str:
    """Return an id that says what a name says, and is not taken: `New lamps` becomes `new-lamps`."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:50].strip("-") or "measure"
    found, n = plain, 1
    while found in taken:
        n += 1
        found = f"{plain}-{n}"
    return found


def read_entry(data: Mapping[str, Any], site: Site, today: date) -> ReadEntry:
    """
    Check an entry as the site file's are checked, and write out what it leaves to custom.

    Parameters
    ----------
    data : keys as in the site file, `work` instead of `baseline` and `reporting` or beside them
    today : at the site; work that has not begun proves nothing
    """
    own = {key: value for key, value in data.items() if value is not None and value != ""}
    document = Document("", own)
    told = _too_long(own)
    if told:
        return ReadEntry(None, {}, _named(told, own))
    work = own.pop("work", None)
    if work is not None:
        told = _with_work(own, work, document, today)
    elif "baseline" not in own or "reporting" not in own:
        told = [(("work",), Names(zh="请写明施工是在哪些日子进行的", en="say on which days the work was done"))]
    if not own.get("drivers") and (point := outdoor_point(site)) is not None:
        own["drivers"] = (point,)
    if re.fullmatch(r"[0-9][0-9., ]*万?", str(own.get("cost", "")).strip()):
        own["cost"] = f"{str(own['cost']).strip()} {site.currency}"
    if told:
        # Look at the rest of the entry too; its periods are not there to be missed.
        own.setdefault("baseline", {"from": "2000-01-01", "to": "2000-12-31"})
        own.setdefault("reporting", {"from": "2001-01-01"})
    file, problems = validate(_FILE, own, document, ())
    mistakes = [*_named(told, own), *(EntryMistake(p.place, p.words) for p in problems)]
    if file is None:
        return ReadEntry(None, {}, tuple(mistakes))
    if not told and not _EARLIEST <= file.baseline.from_ <= file.reporting.from_ <= today + _MOST_AHEAD:
        words = Names(
            zh="所写时期早于 2000 年或晚于明年；请更正",
            en="its periods lie before the year 2000 or after next year; correct",
        )
        mistakes.append(EntryMistake("reporting", words))
    measure, wrong = file.measure(site.equipment, site.virtual_meters, site.currency)
    mistakes += _named(wrong, own)
    if mistakes or measure is None:
        return ReadEntry(None, {}, tuple(mistakes))
    return ReadEntry(measure, file.model_dump(mode="json", by_alias=True, exclude_none=True), ())


def _too_long(own: Mapping[str, Any]) -> list[Told]:
    found: list[Told] = []
    for key, value in own.items():
        parts: list[tuple[KeyPath, Any]]
        if isinstance(value, Mapping):
            parts = [((key, str(name)), text) for name, text in value.items()]
        elif isinstance(value, list | tuple):
            if len(value) > _MOST_DRIVERS:
                words = Names(
                    zh=f"共有 {len(value)} 项；最多写 {_MOST_DRIVERS} 项",
                    en=f"there are {len(value)}; write {_MOST_DRIVERS} at most",
                )
                found.append(((key,), words))
            parts = [((key, str(i)), text) for i, text in enumerate(value)]
        else:
            parts = [((key,), value)]
        longest = _LONGEST.get(key, 40)
        for path, text in parts:
            if not isinstance(text, str):
                continue
            if len(text) > longest:
                words = Names(
                    zh=f"共有 {len(text)} 个字符；最多写 {longest} 个",
                    en=f"this has {len(text)} characters; write {longest} at most",
                )
                found.append((path, words))
            elif any(unicodedata.category(c) in ("Cc", "Cs") for c in text):
                words = Names(
                    zh="含有无法显示的字符；请重新输入", en="this holds characters that cannot be shown; type it anew"
                )
                found.append((path, words))
    return found


def _with_work(own: dict[str, Any], work: Any, document: Document, today: date) -> list[Told]:
    """Write out the periods that follow from the work; return what is wrong with its days."""
    file, problems = validate(_WORK, work, document, ("work",))
    if file is None:
        return [((p.place,), p.words) for p in problems]
    first, last = file.from_, file.to or file.from_
    if not _EARLIEST + timedelta(days=BASELINE_DAYS) <= first:
        words = Names(
            zh=f"{first} 过早；请更正施工开始的日期",
            en=f"{first} lies too far back; correct the day on which the work began",
        )
        return [(("work", "from"), words)]
    if last > today:
        key = "from" if first > today else "to"
        words = Names(
            zh=f"{last} 还没有到；请在完工之后登记",
            en=f"{last} is still to come; enter the measure once the work is done",
        )
        return [(("work", key), words)]
    if last < first:
        words = Names(
            zh=f"结束日期 {last} 早于开始日期 {first}；此处应为施工的最后一天",
            en=f"it ends on {last}, before {first}; let `to` be the last day of the work",
        )
        return [(("work", "to"), words)]
    own.setdefault(
        "baseline",
        {"from": str(first - timedelta(days=BASELINE_DAYS)), "to": str(first - timedelta(days=1))},
    )
    own.setdefault("reporting", {"from": str(last + timedelta(days=1))})
    return []


def _named(told: Collection[Told], own: Mapping[str, Any]) -> tuple[EntryMistake, ...]:
    return tuple(EntryMistake(place_of(path, own), words) for path, words in told)
