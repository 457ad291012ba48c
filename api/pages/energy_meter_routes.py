"""Routes of the meters: the list, and one register with its forms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from analytics.energy.intervals import Total
from api.errors import unknown
from api.pages.caches import Caches, From, PageCaches
from api.pages.data_state import page_number
from api.pages.energy_counted import CountedMeter, counted_meters
from api.pages.energy_framing import framed_energy, head_of, month_asked, titled, today_at
from api.pages.energy_head import Note, span_links
from api.pages.energy_meter import Filled, MeterAccount, meter_page
from api.pages.energy_meters import MeterFigures, meters_page
from api.pages.energy_period import Period, asked_period, period_of, period_words
from api.pages.energy_reading import begun_parts, known_until, part_totals, whole
from api.pages.frame import NavLink
from api.pages.sources import Sources
from api.pages.visit import Visit, visit_of
from api.pages.words import Words
from api.security.access import require
from api.security.logins import Identity
from api.security.roles import Role, may
from facility.metering import BookedRegister
from facility.spreadsheet import MOST_ROWS, Mistake

router = APIRouter(include_in_schema=False)

Reader = Annotated[Identity, Depends(require("viewer"))]
Visiting = Annotated[Visit, Depends(visit_of)]
Asked = Annotated[str, Query()]


READING_ROLE: Final[Role] = "operator"
EXCHANGE_ROLE: Final[Role] = "engineer"


@router.get("/energy/meters")
def meters_route(
    sources: From,
    reader: Reader,
    visit: Visiting,
    caches: Caches,
    month: Asked = "",
    carrier: Asked = "",
    grade: Asked = "",
    q: Annotated[str, Query()] = "",
    page: Asked = "",
    taken: Annotated[int | None, Query(ge=0, le=MOST_ROWS)] = None,
) -> Response:
    """List the meters; after a table of readings with how many were `taken`."""
    notes = () if taken is None else (taken_note(taken, visit.words),)
    return meters_response(
        sources,
        reader,
        visit,
        caches,
        month,
        notes=notes,
        carrier=carrier,
        grade=grade,
        search=q.strip(),
        page=page_number(page),
    )


def taken_note(taken: int, words: Words) -> Note:
    """Return what is told once a table of readings has been brought in."""
    told = words.plural("%(n)s reading was entered.", "%(n)s readings were entered.", taken)
    return Note(told if taken else words("All readings of the table were on record already."))


def meters_response(
    sources: Sources,
    reader: Identity,
    visit: Visit,
    caches: PageCaches,
    month: str = "",
    *,
    notes: tuple[Note, ...] = (),
    mistakes: Sequence[Mistake] = (),
    why: str = "",
    status: int = 200,
    carrier: str = "",
    grade: str = "",
    search: str = "",
    page: int = 1,
) -> Response:
    """Return the list of meters; with what was wrong with a table of readings, if one was refused."""
    words, books, period = visit.words, sources.context.books, month_asked(sources, month)
    meters = counted_meters(sources.site, books.registers())
    totals = books.monthly(list(meters), period.before().first, period.first)
    nothing = Total(float("nan"), 0.0, 0.0, 1.0)
    figures = {
        key: MeterFigures(totals[key][1], totals[key][0]) if key in totals else MeterFigures(nothing, nothing)
        for key in meters
    }
    shown = meters_page(
        sources.site,
        words,
        meters,
        figures,
        period,
        may_read=may(reader.role, READING_ROLE),
        mistakes=mistakes,
        carrier=carrier,
        grade=grade,
        search=search,
        page=page,
    )
    if mistakes or why:
        notes = (Note(words("The table was not taken: nothing of it is entered."), why),)
    head = head_of(
        sources, caches, words, "meters", period, lambda p: f"/energy/meters?month={p.at}", notes=notes, reloads=False
    )
    title = titled(words("Meters"), period, words)
    return framed_energy(sources, visit, "energy_meters.html", title, head, shown, status=status)


@router.get("/energy/meters/{equipment}/{point}")
def meter_route(
    sources: From,
    reader: Reader,
    visit: Visiting,
    caches: Caches,
    equipment: str,
    point: str,
    span: Asked = "",
    at: Asked = "",
) -> Response:
    """Show a register."""
    return meter_response(sources, reader, visit, caches, f"{equipment}/{point}", span, at)


def meter_response(
    sources: Sources,
    reader: Identity,
    visit: Visit,
    caches: PageCaches,
    key: str,
    span: str = "",
    at: str = "",
    filled: Filled | None = None,
) -> Response:
    """Return the page of a register; with a form as it was sent, if that was refused."""
    words, books, now_us = visit.words, sources.context.books, sources.now_us()
    meter = meter_of(sources, key)
    period, today = asked_period(span, at, now_us, sources.site.time_zone), today_at(sources)
    parts, until_us = part_totals(books, [key], period)[key], known_until(books, now_us)
    own = MeterAccount(
        total=whole(parts, until_us),
        parts=parts,
        begun=begun_parts(parts, until_us),
        events=books.events(key),
        readings=books.hand_readings(key, withdrawn=True),
        exchanges=books.exchanges(key, withdrawn=True),
    )

    def address(p: Period) -> str:
        return f"/energy/meters/{key}?span={p.span}&at={p.at}"

    page = meter_page(
        sources.site,
        words,
        meter,
        own,
        period,
        now_us,
        may_read=may(reader.role, READING_ROLE),
        may_exchange=may(reader.role, EXCHANGE_ROLE),
        filled=filled,
    )
    head = head_of(
        sources,
        caches,
        words,
        "meters",
        period,
        address,
        spans=span_links(period, today, address, words),
        note=period_words(period, words),
        reloads=False,
        notes=() if filled is None else (Note(words("The form was not taken; see below.")),),
    )
    back = NavLink("energy", f"/energy/meters?month={period_of('month', period.first).at}", words("Meters"), False)
    status = 200 if filled is None else 422
    return framed_energy(sources, visit, "energy_meter.html", page.name, head, page, back, status)


def meter_of(sources: Sources, key: str) -> CountedMeter:
    """Return a meter, real or virtual; ApiError `unknown-register` with the nearest name."""
    meters = counted_meters(sources.site, sources.context.books.registers())
    if key not in meters:
        raise unknown("register", key, meters, "/energy/meters")
    return meters[key]


def register_of(sources: Sources, key: str) -> BookedRegister:
    """Return a register; ApiError `unknown-register` with the nearest name."""
    registers = sources.context.books.registers()
    if key not in registers:
        raise unknown("register", key, registers, "/energy/meters")
    return registers[key]
