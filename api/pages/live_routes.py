"""The stream behind every live page: parts of the page, drawn by its own templates, as they change."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from api.errors import ApiError, shown
from api.pages import alerts, data_health, quarantine, reading, tickets
from api.pages.alert import alert_page
from api.pages.caches import Caches, From, PageCaches
from api.pages.data_state import as_show, page_number
from api.pages.frame import Place, build_frame, may_act
from api.pages.live_pages import Parts, packed, stream
from api.pages.machine import machine
from api.pages.overview import overview
from api.pages.plant import systems_present
from api.pages.rail import plant_page, rail
from api.pages.sources import Live, Sources
from api.pages.templates import fill, version
from api.pages.trends import range_of
from api.pages.visit import Visit, frame_parts, visit_of
from api.pages.words import Words
from api.security.access import identify, require
from api.security.logins import Identity

router = APIRouter(include_in_schema=False)

_WELCOME_EACH_S: Final = 15.0
# How long an open chart stands before the store is asked again: an alert's is looked at while it moves.
CHART_HOLDS_S: Final = 30.0
ALERT_HOLDS_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Ask:
    """One live page: whose, in which language, and what its address says."""

    sources: Sources
    caches: PageCaches
    words: Words
    live: Live
    user: Identity
    rest: tuple[str, ...]

    def fill(self, template: str, **values: object) -> str:
        """Draw one part."""
        return fill(self.words.language, f"parts/{template}.html", **values)


def _overview(ask: Ask) -> dict[str, str]:
    page = overview(ask.sources, ask.words, ask.live, ask.caches.day_curves(ask.sources, ask.live))
    parts = {name: ask.fill(name.replace("-", "_"), page=page) for name in ("life", "open-alerts", "waste", "rooms")}
    for row in page.rows:
        parts[f"row-{row.system}"] = ask.fill("row", row=row, patch=True)
        parts[f"spark-{row.system}"] = ask.fill("row_spark", row=row)
    return parts


def _plant(ask: Ask) -> dict[str, str]:
    present = systems_present(ask.sources.site)
    chosen = next((s for s in present if s == ask.rest[0]), next(iter(present)))
    return {
        "rail": ask.fill("rail", rail=rail(ask.sources, ask.words, ask.live, chosen, None)),
        "machine-cards": ask.fill("machine_cards", page=plant_page(ask.sources, ask.words, ask.live, chosen)),
    }


def _machine(ask: Ask) -> dict[str, str]:
    item, chosen = reading.equipment_of(ask.sources, ask.rest[0]), range_of(ask.rest[1])
    subject = reading.subject_of(ask.sources, item, ask.rest[2] or None, ask.live)
    chart = ("machine", item.id, subject, chosen.key)
    readings = ask.caches.hold(
        chart,
        CHART_HOLDS_S,
        lambda: reading.machine_readings(ask.sources, item, subject, chosen, ask.live.now_us),
    )
    page = machine(ask.sources, item, ask.words, ask.live, chosen, subject, readings)
    rails = rail(ask.sources, ask.words, ask.live, item.cls.spec.system, item.id)
    frame = build_frame(ask.sources, ask.words, place="plant", title="", path="/", user=ask.user, live=ask.live)
    parts = {"rail": ask.fill("rail", rail=rails)}
    for name in ("machine-head", "machine-values", "machine-points"):
        parts[name] = ask.fill(name.replace("-", "_"), page=page, frame=frame)
    # A chart moves by a hair a second; the numbers beside its small curves are sent by themselves.
    language = ask.words.language
    parts["trend"] = ask.caches.hold((*chart, language), CHART_HOLDS_S, lambda: ask.fill("trend", page=page))
    for small in page.small:
        parts[f"small-{small.value.dom_id}"] = ask.fill("small_value", value=small.value)
    return parts


def _alerts(ask: Ask) -> dict[str, str]:
    show = alerts.as_show(ask.rest[0])
    return {
        "alert-list": ask.fill(
            "alert_list", page=alerts.alerts_page(ask.sources, ask.words, ask.live, show, ask.user.name)
        )
    }


def _alert(ask: Ask) -> dict[str, str]:
    found = reading.alert_of(ask.sources, int(ask.rest[0]))
    readings = ask.caches.hold(
        ("alert", found.id, found.resolved_us),
        ALERT_HOLDS_S,
        lambda: reading.alert_readings(ask.sources, found, ask.live),
    )
    page = alert_page(ask.sources, ask.words, ask.live, found, readings)
    frame = build_frame(ask.sources, ask.words, place="alerts", title="", path="/", user=ask.user, live=ask.live)
    parts = {name: ask.fill(name.replace("-", "_"), page=page) for name in ("alert-hero", "alert-now")}
    if page.acknowledged:
        # Until then the form with its word stands there; it is never drawn for several readers at once.
        parts["alert-dock"] = ask.fill("alert_dock", page=page, frame=replace(frame, csrf=""))
    return parts


def _tickets(ask: Ask) -> dict[str, str]:
    show = tickets.as_show(ask.rest[0])
    return {
        "ticket-list": ask.fill(
            "ticket_list", page=tickets.tickets_page(ask.sources, ask.words, ask.live, show, ask.user.name)
        )
    }


def _data(ask: Ask) -> dict[str, str]:
    show, page, rows = as_show(ask.rest[0]), page_number(ask.rest[1]), page_number(ask.rest[2])
    view = data_health.data_page(ask.sources, ask.words, ask.live, show, page, rows)
    parts = ("data-figures", "data-problems", "data-gateways", "data-machines", "data-points")
    return {name: ask.fill(name.replace("-", "_"), page=view) for name in parts}


def _quarantine(ask: Ask) -> dict[str, str]:
    orders = quarantine.order_views(ask.sources, ask.live, ask.words)
    return {"quarantine-orders": ask.fill("quarantine_orders", page={"orders": orders})}


def _frame_only(_ask: Ask) -> dict[str, str]:
    return {}


Draw = Callable[[Ask], dict[str, str]]

# The number of a record: digits, and no more than a database counts.
_RECORD: Final = re.compile(r"[0-9]{1,18}")

# Each live page: its place, how many words follow its name, whether it differs from reader to reader, and its parts.
PAGES: Final[dict[str, tuple[Place, int, bool, Draw]]] = {
    "overview": ("overview", 0, False, _overview),
    "plant": ("plant", 1, False, _plant),
    "machine": ("plant", 3, True, _machine),
    "alerts": ("alerts", 1, True, _alerts),
    "alert": ("alerts", 1, True, _alert),
    "tickets": ("tickets", 1, True, _tickets),
    "data": ("data", 3, False, _data),
    "quarantine": ("data", 0, False, _quarantine),
    "frame": ("none", 0, False, _frame_only),
}


def parts_of(name: str, ask: Ask) -> Parts:
    """Draw all parts of a live page: its own, and those of the frame around it."""
    place, _, _, draw = PAGES[name]
    own_alert = int(ask.rest[0]) if name == "alert" else None
    frame = build_frame(ask.sources, ask.words, place=place, title="", path="/", live=ask.live, own_alert=own_alert)
    return {**frame_parts(frame), **draw(ask)}


@router.get("/live")
async def live_route(
    request: Request,
    sources: From,
    caches: Caches,
    reader: Annotated[Identity, Depends(require("viewer"))],
    visit: Annotated[Visit, Depends(visit_of)],
    page: str,
) -> Response:
    """Send the parts of a page that change, as long as somebody looks at it."""
    name, *rest = page.split(":")
    if name not in PAGES or len(rest) != PAGES[name][1] or (name == "alert" and not _RECORD.fullmatch(rest[0])):
        raise ApiError(404, "unknown-page", f"There is no live page {shown(page)}.", "Load the page again.")
    language = visit.words.language
    key = (page, language, reader.name if PAGES[name][2] else "", may_act(reader))
    streams = request.app.state.streams
    streams.check_room(reader.name)

    def draw() -> Parts:
        return parts_of(name, Ask(sources, caches, visit.words, sources.live(), reader, tuple(rest)))

    # Once before the answer begins, so that a page that is not there is told as an error, not as a broken stream.
    await run_in_threadpool(caches.parts.get, key, draw)

    async def send() -> AsyncIterator[bytes]:
        checked, welcome = time.monotonic(), True

        def gone() -> bool:
            return bool(streams.closed) or not welcome

        with streams.place(reader.name):
            async for part in stream(lambda: caches.parts.get(key, draw), version(), gone):
                yield part
                if time.monotonic() - checked > _WELCOME_EACH_S:
                    checked = time.monotonic()
                    welcome = await run_in_threadpool(_still_welcome, request)

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Vary": "Accept-Encoding"}
    events = send()
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"
        events = packed(events)
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


def _still_welcome(request: Request) -> bool:
    try:
        return identify(request) is not None
    except ApiError:
        return False
