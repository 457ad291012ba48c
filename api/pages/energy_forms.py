"""What people enter on the energy pages: readings by hand, exchanges of meters, a spreadsheet of readings."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Path, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.responses import RedirectResponse, Response

from analytics.energy.entry_checks import EntryRefused
from api import energy_actions
from api.context import Context, context_of
from api.pages.caches import Caches, From
from api.pages.energy_meter import Filled
from api.pages.energy_meter_routes import EXCHANGE_ROLE, READING_ROLE, meter_response, meters_response, register_of
from api.pages.visit import Visit, visit_of
from api.security.access import require
from api.security.logins import Identity
from facility.spreadsheet import NotATable, TableRefused

router = APIRouter(include_in_schema=False)

Here = Annotated[Context, Depends(context_of)]
Operator = Annotated[Identity, Depends(require(READING_ROLE))]
Engineer = Annotated[Identity, Depends(require(EXCHANGE_ROLE))]
Visiting = Annotated[Visit, Depends(visit_of)]
Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
# Whatever is too long is told by the check that knows the field, beside the form.
Line = Annotated[str, Form()]


def _to(key: str, part: str) -> Response:
    # 303: the browser loads the page anew, so that going back or loading again sends nothing twice.
    return RedirectResponse(f"/energy/meters/{quote(key)}#{part}", 303)


@router.post("/energy/meters/{equipment}/{point}/readings")
def add_reading(
    here: Here,
    user: Operator,
    sources: From,
    visit: Visiting,
    caches: Caches,
    equipment: str,
    point: str,
    at: Line = "",
    value: Line = "",
    note: Line = "",
    confirmed: Line = "",
) -> Response:
    """Enter a reading; one that is refused is shown again with what is wrong."""
    key = register_of(sources, f"{equipment}/{point}").key
    try:
        energy_actions.add_reading(here, user, key, at, value, note, confirmed=confirmed == "1")
    except EntryRefused as refused:
        filled = Filled(
            "reading", visit.words.name(refused.words), refused.confirmable, {"at": at, "value": value, "note": note}
        )
        return meter_response(sources, user, visit, caches, key, filled=filled)
    return _to(key, "readings")


@router.post("/energy/meters/{equipment}/{point}/readings/{number}/withdraw")
def withdraw_reading(here: Here, user: Operator, sources: From, equipment: str, point: str, number: Number) -> Response:
    """Let a reading count no more."""
    key = register_of(sources, f"{equipment}/{point}").key
    energy_actions.withdraw_reading(here, user, key, number)
    return _to(key, "readings")


@router.post("/energy/meters/{equipment}/{point}/exchanges")
def add_exchange(
    here: Here,
    user: Engineer,
    sources: From,
    visit: Visiting,
    caches: Caches,
    equipment: str,
    point: str,
    at: Line = "",
    end: Line = "",
    start: Line = "",
    note: Line = "",
    confirmed: Line = "",
) -> Response:
    """Enter an exchange; one that is refused is shown again with what is wrong."""
    key = register_of(sources, f"{equipment}/{point}").key
    try:
        energy_actions.add_exchange(here, user, key, at, end, start, note, confirmed=confirmed == "1")
    except EntryRefused as refused:
        values = {"at": at, "end": end, "start": start, "note": note}
        filled = Filled("exchange", visit.words.name(refused.words), refused.confirmable, values)
        return meter_response(sources, user, visit, caches, key, filled=filled)
    return _to(key, "exchanges")


@router.post("/energy/meters/{equipment}/{point}/exchanges/{number}/withdraw")
def withdraw_exchange(
    here: Here, user: Engineer, sources: From, equipment: str, point: str, number: Number
) -> Response:
    """Let an exchange count no more."""
    key = register_of(sources, f"{equipment}/{point}").key
    energy_actions.withdraw_exchange(here, user, key, number)
    return _to(key, "exchanges")


@router.post("/energy/meters/import")
async def import_readings(
    here: Here, user: Operator, sources: From, visit: Visiting, caches: Caches, request: Request
) -> Response:
    """Bring in a table of readings, whole or not at all; every mistake is shown with its row and its mend."""
    # A parameter would have the form read before anybody has asked who sends it; and a table may be large.
    form = await request.form()
    file = form.get("file")
    if not isinstance(file, UploadFile) or not file.filename:
        why = visit.words("No file was chosen.")
        return await run_in_threadpool(meters_response, sources, user, visit, caches, why=why, status=422)
    content, confirmed = await file.read(), form.get("confirmed") == "1"

    def bring_in(name: str) -> Response:
        try:
            fresh = energy_actions.import_readings(here, user, name, content, confirmed=confirmed)
        except TableRefused as refused:
            return meters_response(sources, user, visit, caches, mistakes=refused.mistakes, status=422)
        except NotATable as refused:
            return meters_response(sources, user, visit, caches, why=visit.words.name(refused.words), status=422)
        return RedirectResponse(f"/energy/meters?taken={fresh}", 303)

    return await run_in_threadpool(bring_in, file.filename[-200:])
