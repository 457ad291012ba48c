"""Routes of the pages: thin handlers that ask a view function and fill in its template."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Final, cast

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, RedirectResponse, Response, StreamingResponse

from api.context import context_of
from api.errors import ApiError, shown, unknown
from api.pages.curves import Spark
from api.pages.frame import THEMES, NavLink, build_frame, may_act
from api.pages.live_pages import Parts, SharedParts, stream
from api.pages.machine import (
    MachinePage,
    companions,
    machine,
    series_csv,
    subject_point,
    wanted_keys,
)
from api.pages.overview import day_curves, overview, spark_points
from api.pages.plant import system_name, systems_present
from api.pages.rail import plant_page, rail
from api.pages.rendering import STATIC_FOLDER, fill, version
from api.pages.sources import Live, Sources
from api.pages.trends import TrendRange, range_of, start_of
from api.pages.values import alerts_by_point
from api.pages.visit import LANGUAGE_COOKIE, THEME_COOKIE, Visit, frame_parts, framed, visit_of
from api.pages.words import Words, words_of
from api.security.access import identify, require
from api.security.logins import Identity
from api.security.routes import safe_next
from facility.errors import StoreUnavailable
from facility.names import LANGUAGES, Language
from facility.readings import Aggregates
from facility.site import Equipment

router = APIRouter(include_in_schema=False)
public = APIRouter(include_in_schema=False)

_A_YEAR_S: Final = 365 * 86_400
_CURVES_HOLD_S: Final = 60.0
_CHART_HOLDS_S: Final = 30.0
_WELCOME_EACH_S: Final = 15.0


@dataclass
class PageCaches:
    """What all readers of pages share, kept with the application: parts drawn this second, curves of this minute."""

    parts: SharedParts = field(default_factory=SharedParts)
    _curves: dict[str, tuple[float, Spark]] = field(default_factory=dict)
    _readings: dict[object, tuple[float, Mapping[str, Aggregates] | None]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def readings(
        self, key: object, read: Callable[[], Mapping[str, Aggregates] | None]
    ) -> Mapping[str, Aggregates] | None:
        """Return the readings of an open chart, read from the store at most twice a minute."""
        now = time.monotonic()
        with self._lock:
            self._readings = {k: kept for k, kept in self._readings.items() if now - kept[0] < _CHART_HOLDS_S}
            if key in self._readings:
                return self._readings[key][1]
        found = read()
        with self._lock:
            self._readings[key] = (now, found)
        return found

    def day_curves(self, sources: Sources, live: Live) -> Mapping[str, Spark]:
        """Return the overview's curves, read from the store once a minute; without them while the store is away."""
        wanted = spark_points(sources, live, words_of("zh"))
        now = time.monotonic()
        with self._lock:
            missing = [
                (item, point)
                for item, point in wanted
                if now - self._curves.get(f"{item.id}/{point}", (-1e9, None))[0] > _CURVES_HOLD_S
            ]
            if missing:
                try:
                    drawn = day_curves(sources, missing, live.now_us)
                except StoreUnavailable:
                    drawn = {}
                self._curves.update({key: (now, curve) for key, curve in drawn.items()})
            return {
                key: self._curves[key][1]
                for key in (f"{item.id}/{point}" for item, point in wanted)
                if key in self._curves
            }


def sources_of(request: Request) -> Sources:
    """Return what pages read."""
    return cast(Sources, context_of(request))


def caches_of(request: Request) -> PageCaches:
    """Return the caches of the application, made at the first request."""
    state = request.app.state
    if not hasattr(state, "page_caches"):
        state.page_caches = PageCaches()
    return cast(PageCaches, state.page_caches)


def _live(sources: Sources) -> Live:
    return Live(sources.site, sources.snapshot(), sources.now_us())


Reader = Annotated[Identity, Depends(require("viewer"))]
From = Annotated[Sources, Depends(sources_of)]
Visiting = Annotated[Visit, Depends(visit_of)]
Caches = Annotated[PageCaches, Depends(caches_of)]


@router.get("/")
def overview_route(sources: From, _reader: Reader, visit: Visiting, caches: Caches) -> Response:
    """Show the whole hospital."""
    live = _live(sources)
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


@router.get("/plant")
def plant_route(sources: From, _reader: Reader, visit: Visiting, system: str = "") -> Response:
    """Show the machines of a system."""
    live = _live(sources)
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


def _equipment(sources: Sources, equipment: str) -> Equipment:
    item = sources.site.equipment.get(equipment)
    if item is None:
        raise unknown("equipment", equipment, sources.site.equipment, "/plant")
    return item


def _readings(
    sources: Sources, keys: Sequence[str], chosen: TrendRange, now_us: int
) -> Mapping[str, Aggregates] | None:
    try:
        return sources.store.aggregate(keys, start_of(chosen, now_us), now_us, chosen.step_us) if keys else {}
    except StoreUnavailable:
        return None


def _machine_page(
    sources: Sources, item: Equipment, words: Words, live: Live, chosen: TrendRange, point: str | None
) -> MachinePage:
    alerts = [a for a in sources.desk.open_alerts() if a.equipment == item.id]
    subject = subject_point(item, point, alerts_by_point(item, alerts, live))
    readings = _readings(sources, wanted_keys(item, subject), chosen, live.now_us)
    return machine(sources, item, words, live, chosen, subject, readings)


@router.get("/plant/{equipment}")
def machine_route(
    sources: From,
    _reader: Reader,
    visit: Visiting,
    equipment: str,
    point: str | None = None,
    range: str | None = None,
) -> Response:
    """Show a machine."""
    live, item, chosen = _live(sources), _equipment(sources, equipment), range_of(range)
    page = _machine_page(sources, item, visit.words, live, chosen, point)
    system = item.cls.spec.system
    return framed(
        sources,
        visit,
        "machine.html",
        place="plant",
        title=page.name,
        live=live,
        live_page=f"machine:{item.id}:{chosen.key}:{point or ''}",
        back=NavLink("plant", f"/plant?system={system}", system_name(system, visit.words), False),
        page=page,
        rail=rail(sources, visit.words, live, system, item.id),
    )


@router.get("/plant/{equipment}/{point}.csv")
def series_route(
    sources: From,
    _reader: Reader,
    equipment: str,
    point: str,
    range: str | None = None,
) -> Response:
    """Send the table behind a chart."""
    item, chosen, now_us = _equipment(sources, equipment), range_of(range), sources.now_us()
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


# --- live -------------------------------------------------------------------------------------------------------------


def overview_parts(sources: Sources, language: Language, caches: PageCaches) -> Parts:
    """Draw the parts of the overview."""
    words, live = words_of(language), _live(sources)
    curves = caches.day_curves(sources, live)
    page = overview(sources, words, live, curves)
    frame = build_frame(sources, words, place="overview", title="", path="/", live=live)
    parts = frame_parts(frame)
    parts["life"] = fill(language, "parts/life.html", page=page)
    for row in page.rows:
        parts[f"row-{row.system}"] = fill(language, "parts/row.html", row=row, patch=True)
        parts[f"spark-{row.system}"] = fill(language, "parts/row_spark.html", row=row)
    parts["open-alerts"] = fill(language, "parts/open_alerts.html", page=page)
    parts["waste"] = fill(language, "parts/waste.html", page=page)
    return parts


def plant_parts(sources: Sources, language: Language, system: str) -> Parts:
    """Draw the parts of a system's page."""
    words, live = words_of(language), _live(sources)
    present = systems_present(sources.site)
    chosen = next((s for s in present if s == system), next(iter(present)))
    frame = build_frame(sources, words, place="plant", title="", path="/plant", live=live)
    parts = frame_parts(frame)
    parts["rail"] = fill(language, "parts/rail.html", rail=rail(sources, words, live, chosen, None))
    parts["machine-cards"] = fill(language, "parts/machine_cards.html", page=plant_page(sources, words, live, chosen))
    return parts


def machine_parts(
    sources: Sources, language: Language, caches: PageCaches, equipment: str, range_key: str, point: str, acts: bool
) -> Parts:
    """Draw the parts of a machine's page; its chart at most twice a minute."""
    words, live, item, chosen = words_of(language), _live(sources), _equipment(sources, equipment), range_of(range_key)
    alerts = [a for a in sources.desk.open_alerts() if a.equipment == item.id]
    subject = subject_point(item, point or None, alerts_by_point(item, alerts, live))
    readings = caches.readings(
        (item.id, subject, chosen.key),
        lambda: _readings(sources, wanted_keys(item, subject), chosen, live.now_us),
    )
    page = machine(sources, item, words, live, chosen, subject, readings)
    frame = build_frame(sources, words, place="plant", title="", path=f"/plant/{item.id}", live=live)
    frame = replace(frame, may_act=acts)
    parts = frame_parts(frame)
    rails = rail(sources, words, live, item.cls.spec.system, item.id)
    parts["rail"] = fill(language, "parts/rail.html", rail=rails)
    for name in ("machine-head", "machine-values", "machine-points", "trend"):
        parts[name] = fill(language, f"parts/{name.replace('-', '_')}.html", page=page, frame=frame)
    return parts


@router.get("/live")
async def live_route(
    request: Request, sources: From, reader: Reader, visit: Visiting, caches: Caches, page: str
) -> Response:
    """Send the parts of a page that change, as long as somebody looks at it."""
    language = visit.words.language
    streams = request.app.state.streams
    streams.check_room(reader.name)

    kind, *rest = page.split(":")
    acts = may_act(reader)
    if len(rest) != {"overview": 0, "plant": 1, "machine": 3}.get(kind, -1):
        raise ApiError(404, "unknown-page", f"There is no live page {shown(page)}.", "Load the page again.")
    if kind == "machine":
        _equipment(sources, rest[0])

    def draw() -> Parts:
        if kind == "overview":
            return overview_parts(sources, language, caches)
        if kind == "plant":
            return plant_parts(sources, language, rest[0])
        return machine_parts(sources, language, caches, rest[0], rest[1], rest[2], acts)

    def shared() -> Parts:
        return caches.parts.get((page, language, acts), draw)

    async def send() -> AsyncIterator[bytes]:
        checked = time.monotonic()
        welcome = True

        def gone() -> bool:
            return bool(streams.closed) or not welcome

        with streams.place(reader.name):
            async for part in stream(shared, version(), gone):
                yield part
                if time.monotonic() - checked > _WELCOME_EACH_S:
                    checked = time.monotonic()
                    welcome = await run_in_threadpool(_still_welcome, request)

    return StreamingResponse(
        send(), media_type="text/event-stream", headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )


def _still_welcome(request: Request) -> bool:
    try:
        return identify(request) is not None
    except ApiError:
        return False


# --- choices of the reader, and files ---------------------------------------------------------------------------------


@public.get("/settings")
def settings_route(request: Request, language: str = "", theme: str = "", back: str = "/") -> Response:
    """Remember language or theme in a cookie and go back; nothing else changes, so a link may do it."""
    response = RedirectResponse(safe_next(back), 303)
    https = request.url.scheme == "https"
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
