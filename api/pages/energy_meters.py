"""The meters of the accounts: what each counted this month, how good that is, and which of them want looking after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlencode

from analytics.energy.intervals import Total
from api.pages.data_state import Pager, paged
from api.pages.energy_charts import Quality, quality
from api.pages.energy_counted import CountedMeter
from api.pages.energy_figures import amount_text, share_text, shares_label
from api.pages.energy_period import Period
from api.pages.words import Words
from facility.metering import CARRIER_NAMES
from facility.names import Names
from facility.site import Site
from facility.spreadsheet import Mistake

Grade = Literal["all", "whole", "estimated", "missing", "nothing"]
GRADES: Final[tuple[Grade, ...]] = ("all", "whole", "estimated", "missing", "nothing")
_NOTICED: Final = 0.0005
_MISTAKES_SHOWN: Final = 100
_COLUMNS: Final = {
    "register": Names(zh="表计", en="register"),
    "time": Names(zh="时间", en="time"),
    "value": Names(zh="读数", en="value"),
    "unit": Names(zh="单位", en="unit"),
    "note": Names(zh="备注", en="note"),
}


@dataclass(frozen=True, slots=True)
class MeterFigures:
    """What one register counted in a period, and the newest event in it that wants a person, if any."""

    total: Total
    before: Total
    event: Names | None = None


@dataclass(frozen=True, slots=True)
class MeterRow:
    """A register in the list."""

    name: str
    point: str
    key: str
    href: str
    carrier: str
    place: str
    amount: str
    before: str
    unit: str
    quality: Quality
    problem: str


@dataclass(frozen=True, slots=True)
class MistakeLine:
    """What is wrong in a row of a table that was refused."""

    row: int
    column: str
    value: str
    mend: str


@dataclass(frozen=True, slots=True)
class MetersPage:
    """Everything of the page."""

    carrier_options: tuple[tuple[str, str], ...]
    chosen_carrier: str
    grade_options: tuple[tuple[str, str], ...]
    chosen_grade: str
    search: str
    at: str
    rows: tuple[MeterRow, ...]
    pager: Pager | None
    count: str
    empty: str
    may_read: bool
    mistakes: tuple[MistakeLine, ...]
    mistakes_note: str


def grade_of(total: Total) -> Grade:
    """Return how good a total is: the worst that can be said of it."""
    if not total.known:
        return "nothing"
    if total.missing > _NOTICED:
        return "missing"
    return "estimated" if total.estimated > _NOTICED else "whole"


def meters_page(
    site: Site,
    words: Words,
    meters: Mapping[str, CountedMeter],
    figures: Mapping[str, MeterFigures],
    period: Period,
    *,
    carrier: str = "",
    grade: str = "all",
    search: str = "",
    page: int = 1,
    may_read: bool = False,
    mistakes: Sequence[Mistake] = (),
) -> MetersPage:
    """
    Build the page.

    Parameters
    ----------
    figures : by the meters' keys; one that has none is shown as not known
    carrier, grade, search : which of them; what is not known chooses all
    page : which part, counted from 1
    may_read : the reader may bring in readings
    mistakes : of a table of readings that was refused
    """
    grade = grade if grade in GRADES else "all"
    present = list(dict.fromkeys(m.carrier for m in meters.values()))
    carrier = carrier if carrier in present else ""
    found = [
        r
        for r in meters.values()
        if (not carrier or r.carrier == carrier)
        and (grade == "all" or grade_of(_figures(figures, r).total) == grade)
        and _fits(r, search)
    ]

    def address(**changed: object) -> str:
        asked = {"month": period.at, "carrier": carrier, "grade": grade, "q": search, **changed}
        return "/energy/meters?" + urlencode({k: v for k, v in asked.items() if v and v != "all"})

    shown, pager = paged(found, page, lambda n: address(page=n), words)
    return MetersPage(
        carrier_options=(
            ("", words.in_context("meters", "All")),
            *((c, words.name(CARRIER_NAMES[c])) for c in present),
        ),
        chosen_carrier=carrier,
        grade_options=tuple((g, _grade_words(g, words)) for g in GRADES),
        chosen_grade=grade,
        search=search,
        at=period.at,
        rows=tuple(_row(site, r, _figures(figures, r), period, words) for r in shown),
        pager=pager,
        count=words.plural("%(n)s register", "%(n)s registers", len(found)),
        empty=words("No register fits. Choose another carrier or quality, or search for less.")
        if meters
        else words("The site has no register. Give meters in the site file (docs/site-file.md)."),
        may_read=may_read,
        mistakes=tuple(_mistake(m, words) for m in mistakes[:_MISTAKES_SHOWN]),
        mistakes_note=words("the first %(n)s of %(all)s", n=min(len(mistakes), _MISTAKES_SHOWN), all=len(mistakes)),
    )


def _mistake(own: Mistake, words: Words) -> MistakeLine:
    column = words.name(_COLUMNS[own.column]) if own.column in _COLUMNS else own.column
    return MistakeLine(own.row, column, own.value, words.name(own.mend))


def _figures(figures: Mapping[str, MeterFigures], meter: CountedMeter) -> MeterFigures:
    nothing = Total(float("nan"), 0.0, 0.0, 1.0)
    return figures.get(meter.key, MeterFigures(nothing, nothing))


def _fits(meter: CountedMeter, search: str) -> bool:
    told = f"{meter.key} {meter.name.zh} {meter.name.en}".lower()
    return all(part in told for part in search.lower().split())


def _grade_words(grade: Grade, words: Words) -> str:
    return {
        "all": words.in_context("meters", "All"),
        "whole": words("wholly measured"),
        "estimated": words("with estimates"),
        "missing": words("with gaps"),
        "nothing": words("nothing known"),
    }[grade]


def _row(site: Site, meter: CountedMeter, own: MeterFigures, period: Period, words: Words) -> MeterRow:
    room = site.rooms.get(meter.room or "")
    return MeterRow(
        name=words.name(meter.name),
        point=words.name(meter.point) if meter.point is not None else words("by formula"),
        key=meter.key,
        href=f"/energy/meters/{meter.key}?span={period.span}&at={period.at}",
        carrier=words.name(CARRIER_NAMES[meter.carrier]),
        place=words.name(room.name) if room is not None else "",
        amount=amount_text(own.total, meter.unit),
        before=amount_text(own.before, meter.unit),
        unit=meter.unit,
        quality=quality(own.total, shares_label(own.total, words)),
        problem=problem_words(own, words),
    )


def problem_words(own: MeterFigures, words: Words) -> str:
    """Return what is wrong with a register's figure, the worst first; empty if nothing is."""
    if not own.total.known:
        return words("nothing is known")
    told: list[str] = []
    if own.event is not None:
        told.append(words.name(own.event))
    if own.total.missing > _NOTICED:
        told.append(words("%(share)s of the time is missing.", share=share_text(own.total.missing)))
    return " ".join(told)
