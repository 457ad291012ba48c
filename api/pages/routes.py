"""Routes of the pages: thin handlers that ask a view function and fill in its template."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import FileResponse, RedirectResponse, Response

from api.errors import ApiError, unknown
from api.pages import (
    alerts,
    data_health,
    energy_forms,
    energy_measure_routes,
    energy_meter_routes,
    energy_routes,
    forms,
    live_routes,
    quarantine_routes,
    reading,
    tickets,
)
from api.pages.alert import alert_page
from api.pages.caches import Caches, From
from api.pages.data_state import as_show, page_number
from api.pages.energy_measure_form import meter_of
from api.pages.energy_measure_routes import MEASURE_ROLE
from api.pages.frame import THEMES, NavLink
from api.pages.machine import machine
from api.pages.machine_charts import companions, series_csv
from api.pages.marks import priority_words
from api.pages.overview import overview
from api.pages.plant import system_name, systems_present
from api.pages.rail import plant_page, rail
from api.pages.sources import PRIORITIES
from api.pages.templates import STATIC_FOLDER
from api.pages.trends import range_of, start_of
from api.pages.visit import LANGUAGE_COOKIE, THEME_COOKIE, Visit, framed, visit_of
from api.pages.words import Words
from api.security.access import require
from api.security.logins import Identity
from api.security.roles import may
from api.security.routes import safe_next
from facility.names import LANGUAGES

router = APIRouter(include_in_schema=False)
public = APIRouter(include_in_schema=False)

_A_YEAR_S: Final = 365 * 86_400

Reader = Annotated[Identity, Depends(require("viewer"))]
Visiting = Annotated[Visit, Depends(visit_of)]


@router.get("/")
def overview_route(sources: From, _reader: Reader, visit: Visiting, caches: Caches) -> Response:
    """Show the whole hospital."""
    live = sources.live()
    return framed(
        sources,
        visit,
        "overview.html",
        place="overview",
        title=visit.words("Overview"),
        live=live,
        live_page="overview",
        page=overview(sources, visit.words, live, caches.day_curves(sources, live)),
    )


# --- plant ------------------------------------------------------------------------------------------------------------


@router.get("/plant")
def plant_route(sources: From, _reader: Reader, visit: Visiting, system: str = "") -> Response:
    """Show the machines of a system."""
    live = sources.live()
    present = systems_present(sources.site)
    if not present:
        raise ApiError(404, "no-equipment", "The site has no equipment.", "Add some to the site file.")
    chosen = next((s for s in present if s == system), next(iter(present)))
    return framed(
        sources,
        visit,
        "plant.html",
        place="plant",
        title=visit.words("Plant"),
        live=live,
        live_page=f"plant:{chosen}",
        page=plant_page(sources, visit.words, live, chosen),
        rail=rail(sources, visit.words, live, chosen, None),
    )


@router.get("/plant/{equipment}")
def machine_route(
    sources: From, _reader: Reader, visit: Visiting, equipment: str, point: str | None = None, range: str | None = None
) -> Response:
    """Show a machine."""
    live, item, chosen = sources.live(), reading.equipment_of(sources, equipment), range_of(range)
    subject = reading.subject_of(sources, item, point, live)
    readings = reading.machine_readings(sources, item, subject, chosen, live.now_us)
    page = machine(sources, item, visit.words, live, chosen, subject, readings)
    system = item.cls.spec.system
    return framed(
        sources,
        visit,
        "machine.html",
        place="plant",
        title=page.name,
        live=live,
        live_page=f"machine:{item.id}:{chosen.key}:{point if point in item.points else ''}",
        back=NavLink("plant", f"/plant?system={system}", system_name(system, visit.words), False),
        page=page,
        rail=rail(sources, visit.words, live, system, item.id),
    )


@router.get("/plant/{equipment}/{point}.csv")
def series_route(sources: From, _reader: Reader, equipment: str, point: str, range: str | None = None) -> Response:
    """Send the table behind a chart."""
    item, chosen, now_us = reading.equipment_of(sources, equipment), range_of(range), sources.now_us()
    if point not in item.points:
        raise unknown("point", point, item.points, f"/plant/{item.id}")
    keys = [f"{item.id}/{name}" for name in companions(item, point)]
    readings = sources.store.aggregate(keys, start_of(chosen, now_us), now_us, chosen.step_us)
    return Response(
        # A spreadsheet takes UTF-8 for what it is only with the mark at its beginning.
        "\ufeff" + series_csv(sources.site, item, point, readings),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{item.id}-{point}-{chosen.key}.csv"'},
    )


# --- alerts and tickets -----------------------------------------------------------------------------------------------


@router.get("/alerts")
def alerts_route(sources: From, reader: Reader, visit: Visiting, show: str | None = None) -> Response:
    """List alerts."""
    live, chosen = sources.live(), alerts.as_show(show)
    return framed(
        sources,
        visit,
        "alerts.html",
        place="alerts",
        title=visit.words("Alerts"),
        live=live,
        live_page=f"alerts:{chosen}",
        page=alerts.alerts_page(sources, visit.words, live, chosen, reader.name),
    )


@router.get("/alerts/{alert}")
def alert_route(sources: From, _reader: Reader, visit: Visiting, alert: int) -> Response:
    """Show an alert."""
    live, found = sources.live(), reading.alert_of(sources, alert)
    readings = reading.alert_readings(sources, found, live)
    page = alert_page(sources, visit.words, live, found, readings)
    return framed(
        sources,
        visit,
        "alert.html",
        place="alerts",
        title=page.headline,
        live=live,
        live_page=f"alert:{found.id}",
        own_alert=found.id,
        back=NavLink("alerts", "/alerts", visit.words("Alerts"), False),
        page=page,
    )


@router.get("/tickets")
def tickets_route(sources: From, reader: Reader, visit: Visiting, show: str | None = None) -> Response:
    """List tickets."""
    live, chosen = sources.live(), tickets.as_show(show)
    return framed(
        sources,
        visit,
        "tickets.html",
        place="tickets",
        title=visit.words("Tickets"),
        live=live,
        live_page=f"tickets:{chosen}",
        page=tickets.tickets_page(sources, visit.words, live, chosen, reader.name),
    )


@router.get("/tickets/new")
def new_ticket_route(sources: From, _reader: Reader, visit: Visiting, equipment: str = "") -> Response:
    """Show the form for a new ticket."""
    words = visit.words
    return framed(
        sources,
        visit,
        "ticket_new.html",
        place="tickets",
        title=words("New ticket"),
        live=sources.live(),
        live_page="frame",
        back=NavLink("tickets", "/tickets", words("Tickets"), False),
        machines=[{"id": item.id, "name": words.name(item.name)} for item in sources.site.equipment.values()],
        chosen=equipment,
        priorities=[(p, f"{p} {priority_words(p, words)}") for p in PRIORITIES],
    )


@router.get("/tickets/{ticket}")
def ticket_route(sources: From, reader: Reader, visit: Visiting, ticket: int) -> Response:
    """Show a ticket."""
    live, found = sources.live(), reading.ticket_of(sources, ticket)
    page = tickets.ticket_page(sources, visit.words, live, found, reader.name)
    return framed(
        sources,
        visit,
        "ticket.html",
        place="tickets",
        title=f"{page.number} {page.title}",
        live=live,
        live_page="frame",
        back=NavLink("tickets", "/tickets", visit.words("Tickets"), False),
        page=page,
        prove=may(reader.role, MEASURE_ROLE)
        and meter_of(sources.site, sources.context.books.registers(), found.equipment) is not None,
    )


# --- data, help, settings ---------------------------------------------------------------------------------------------


@router.get("/data")
def data_route(
    sources: From, _reader: Reader, visit: Visiting, show: str = "", page: str = "", rows: str = ""
) -> Response:
    """Show how the data fare."""
    live, chosen, first, second = sources.live(), as_show(show), page_number(page), page_number(rows)
    return framed(
        sources,
        visit,
        "data.html",
        place="data",
        title=visit.words("Data health"),
        live=live,
        live_page=f"data:{chosen}:{first}:{second}",
        back=NavLink("more", "/more", visit.words("More"), False),
        page=data_health.data_page(sources, visit.words, live, chosen, first, second),
    )


@router.get("/help")
def help_route(sources: From, _reader: Reader, visit: Visiting) -> Response:
    """Say how to read the pages, and where more is written."""
    words, site = visit.words, sources.site
    return framed(
        sources,
        visit,
        "help.html",
        place="help",
        title=words("Help"),
        live=sources.live(),
        back=NavLink("more", "/more", words("More"), False),
        about={
            "version": _version(),
            "site": site.id,
            "zone": str(site.time_zone),
            "plant": words(
                "%(machines)s machines, %(points)s points",
                machines=f"{len(site.equipment):,}",
                points=f"{len(site.points):,}",
            ),
        },
    )


@router.get("/more")
def more_route(sources: From, reader: Reader, visit: Visiting) -> Response:
    """Show settings and the pages that a phone's navigation has no room for."""
    words = visit.words
    return framed(
        sources,
        visit,
        "more.html",
        place="more",
        title=words("More"),
        live=sources.live(),
        themes=[("auto", words("as the device")), ("light", words("Light")), ("dark", words("Dark"))],
        role=_role_words(reader.role, words),
    )


def _version() -> str:
    try:
        return installed_version("wardwatt")
    except PackageNotFoundError:
        return "–"


def _role_words(role: str, words: Words) -> str:
    return {
        "viewer": words("reads only"),
        "operator": words("operator"),
        "engineer": words("engineer"),
        "admin": words("administrator"),
    }.get(role, role)


@public.get("/settings")
def settings_route(request: Request, language: str = "", theme: str = "", back: str = "/") -> Response:
    """Remember language or theme in a cookie and go back; nothing else changes, so a link may do it."""
    response = RedirectResponse(safe_next(back), 303)
    https = request.app.state.context.settings.https or request.url.scheme == "https"
    for cookie, value, known in ((LANGUAGE_COOKIE, language, LANGUAGES), (THEME_COOKIE, theme, THEMES)):
        if value in known:
            response.set_cookie(cookie, value, max_age=_A_YEAR_S, httponly=True, samesite="lax", secure=https)
    return response


@public.get("/static/{name}")
def static_route(name: str) -> Response:
    """Serve our own style, script or icon; browsers may keep it, since its address carries its version."""
    known = {file.name: file for file in STATIC_FOLDER.iterdir() if file.is_file()}
    if name not in known:
        raise ApiError(404, "unknown-file", "There is no such file.", "Load the page again.")
    return FileResponse(known[name], headers={"Cache-Control": "public, max-age=31536000, immutable"})


router.include_router(forms.router)
router.include_router(live_routes.router)
router.include_router(quarantine_routes.router)
router.include_router(energy_routes.router)
router.include_router(energy_meter_routes.router)
router.include_router(energy_measure_routes.router)
router.include_router(energy_forms.router)
