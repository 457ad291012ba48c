"""Routes of the measures: what they saved, the form by which an engineer enters one, and its withdrawal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Query
from starlette.responses import RedirectResponse, Response

from analytics.energy.measure_book import MeasureRefused
from api import energy_actions
from api.context import Context, context_of
from api.errors import unknown
from api.pages.caches import Caches, From, PageCaches
from api.pages.energy_framing import framed_energy, head_of, today_at
from api.pages.energy_head import Note
from api.pages.energy_measure_form import entered_line, entry_of, from_ticket, measure_form
from api.pages.energy_reading import measure_account
from api.pages.energy_savings import measure_page, savings_page
from api.pages.frame import NavLink
from api.pages.reading import ticket_of
from api.pages.sources import SIMULATION, Sources
from api.pages.visit import Visit, visit_of
from api.security.access import require
from api.security.logins import Identity
from api.security.roles import Role, may
from facility.measure_entry import EntryMistake

router = APIRouter(include_in_schema=False)

MEASURE_ROLE: Final[Role] = "engineer"

Here = Annotated[Context, Depends(context_of)]
Reader = Annotated[Identity, Depends(require("viewer"))]
Engineer = Annotated[Identity, Depends(require(MEASURE_ROLE))]
Visiting = Annotated[Visit, Depends(visit_of)]
Line = Annotated[str, Form()]


@router.get("/energy/savings")
def savings_route(sources: From, reader: Reader, visit: Visiting, caches: Caches) -> Response:
    """List the measures and what they saved."""
    words, book = visit.words, sources.context.measure_book
    worked = [(m, measure_account(sources, caches, m)) for m in book.measures().values()]
    accounts = [w.result for _, w in worked if w.result is not None]
    waiting = [m for m, w in worked if w.waiting]
    page = savings_page(words, sources.site.currency, accounts, waiting, may_enter=may(reader.role, MEASURE_ROLE))
    failed = tuple(Note(words.name(m.name), words.name(w.failed)) for m, w in worked if w.failed and w.result is None)
    failed += tuple(Note(e.id, words.name(e.unfit)) for e in book.entered() if e.unfit is not None)
    head = head_of(sources, caches, words, "savings", notes=failed)
    return framed_energy(sources, visit, "energy_savings.html", words("Savings"), head, page)


@router.get("/energy/savings/{measure}")
def measure_route(sources: From, reader: Reader, visit: Visiting, caches: Caches, measure: str) -> Response:
    """Show a measure: baseline, fit, saving, what speaks against it."""
    words, book = visit.words, sources.context.measure_book
    known = book.measures()
    if measure not in known:
        raise unknown("measure", measure, known, "/energy/savings")
    worked = measure_account(sources, caches, known[measure])
    head = head_of(sources, caches, words, "savings", notes=(Note(words.name(worked.failed)),) if worked.failed else ())
    back = NavLink("energy", "/energy/savings", words("Savings"), False)
    title = words.name(known[measure].name)
    if worked.result is None:
        return framed_energy(sources, visit, "energy_waiting.html", title, head, None, back)
    page = measure_page(words, sources.site.currency, worked.result)
    own = next((e for e in book.entered() if e.id == measure and e.measure is not None), None)
    if own is not None:
        simulated, may_withdraw = own.entered_by == SIMULATION, may(reader.role, MEASURE_ROLE)
        who = words("the simulation") if simulated else sources.desk.called(own.entered_by)
        line = entered_line(sources.site, words, own, who, sources.now_us(), may_withdraw)
        page = replace(page, entered=line)
    return framed_energy(sources, visit, "energy_measure.html", title, head, page, back)


@router.get("/energy/measures/new")
def measure_form_route(
    _user: Engineer, sources: From, visit: Visiting, caches: Caches, ticket: Annotated[int | None, Query()] = None
) -> Response:
    """Show the form by which a measure is entered, filled in from a ticket if one is named."""
    values = {}
    if ticket is not None:
        values = from_ticket(sources.site, sources.context.books.registers(), ticket_of(sources, ticket))
    return _form(sources, visit, caches, values)


@router.post("/energy/measures")
def add_measure(
    here: Here,
    user: Engineer,
    sources: From,
    visit: Visiting,
    caches: Caches,
    name_zh: Line = "",
    name_en: Line = "",
    meter: Line = "",
    from_: Annotated[str, Form(alias="from")] = "",
    to: Line = "",
    cost: Line = "",
    owner: Line = "",
    source: Line = "",
    ticket: Line = "",
) -> Response:
    """Enter a measure; one that is refused is shown again, each mistake at its field."""
    values = {
        "name_zh": name_zh, "name_en": name_en, "meter": meter, "from": from_, "to": to, "cost": cost, "owner": owner,
        "source": source, "ticket": ticket,
    }  # fmt: skip
    try:
        own = energy_actions.enter_measure(here, user, entry_of(values), ticket.strip() or None)
    except MeasureRefused as refused:
        return _form(sources, visit, caches, values, refused.mistakes)
    return RedirectResponse(f"/energy/savings/{own.id}", 303)


@router.post("/energy/measures/{measure}/withdraw")
def withdraw_measure(here: Here, user: Engineer, measure: str) -> Response:
    """Let a measure be judged no more."""
    energy_actions.withdraw_measure(here, user, measure)
    return RedirectResponse("/energy/savings", 303)


def _form(
    sources: Sources,
    visit: Visit,
    caches: PageCaches,
    values: Mapping[str, str],
    mistakes: Sequence[EntryMistake] = (),
) -> Response:
    words = visit.words
    page = measure_form(sources.site, words, sources.context.books.registers(), values, today_at(sources), mistakes)
    head = head_of(sources, caches, words, "savings", reloads=False)
    back = NavLink("energy", "/energy/savings", words("Savings"), False)
    status = 422 if mistakes else 200
    return framed_energy(sources, visit, "energy_measure_new.html", words("Enter a measure"), head, page, back, status)
