"""Routes of the pages: thin handlers that ask a view function and fill in its template."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final, cast

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, RedirectResponse, Response, StreamingResponse

from api.context import context_of
from api.errors import ApiError
from api.pages.curves import Spark
from api.pages.frame import THEMES, build_frame
from api.pages.live_pages import Parts, SharedParts, stream
from api.pages.overview import day_curves, overview, spark_points
from api.pages.rendering import STATIC_FOLDER, fill, version
from api.pages.sources import Live, Sources
from api.pages.visit import LANGUAGE_COOKIE, THEME_COOKIE, Visit, frame_parts, framed, visit_of
from api.pages.words import words_of
from api.security.access import identify, require
from api.security.logins import Identity
from api.security.routes import safe_next
from facility.errors import StoreUnavailable
from facility.names import LANGUAGES, Language

router = APIRouter(include_in_schema=False)
public = APIRouter(include_in_schema=False)

_A_YEAR_S: Final = 365 * 86_400
_CURVES_HOLD_S: Final = 60.0
_WELCOME_EACH_S: Final = 15.0


@dataclass
class PageCaches:
    """What all readers of pages share, kept with the application: parts drawn this second, curves of this minute."""

    parts: SharedParts = field(default_factory=SharedParts)
    _curves: dict[str, tuple[float, Spark]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

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


@router.get("/live")
async def live_route(
    request: Request, sources: From, reader: Reader, visit: Visiting, caches: Caches, page: str
) -> Response:
    """Send the parts of a page that change, as long as somebody looks at it."""
    language = visit.words.language
    streams = request.app.state.streams
    streams.check_room(reader.name)

    def draw() -> Parts:
        if page != "overview":
            raise ApiError(404, "unknown-page", "There is no such live page.", "Load the page again.")
        return overview_parts(sources, language, caches)

    def shared() -> Parts:
        return caches.parts.get((page, language), draw)

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
