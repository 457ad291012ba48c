"""The web application: routes, one shape for errors, and what every answer carries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from sqlalchemy.exc import DataError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from analytics.desk import DeskChange, NoSuchRecord, Refusal
from api.context import Context
from api.errors import ApiError, shown
from api.heads import Heads
from api.invalid import invalid_request
from api.metrics import Measured, Metrics
from api.pages import routes as pages
from api.pages.way_up import page_above
from api.responses import Json
from api.routes import (
    account,
    audit,
    data_health,
    desk,
    energy,
    energy_costs,
    events,
    health,
    openapi,
    plant,
    quarantine,
    readings,
    store,
)
from api.security import routes as login
from api.security.access import require
from api.security.guard import Guard, too_large
from api.security.logins import Logins
from api.storage import newest
from api.streams import Streams
from facility.errors import StoreUnavailable
from facility.spreadsheet import MOST_BYTES

# What anybody may call. Everything else asks for a login: a test walks all routes.
PUBLIC: Final = (health.public, login.public, pages.public)
ROUTERS: Final = (
    plant.router,
    readings.router,
    data_health.router,
    energy.router,
    energy_costs.router,
    desk.router,
    quarantine.router,
    events.router,
    account.router,
    audit.router,
    pages.router,
)
# A table comes inside a form, with the form's other fields. [bytes]
TAKE_TABLES: Final = dict.fromkeys(("/energy/meters/import", "/api/v1/energy/readings/import"), MOST_BYTES + 65_536)
ROUTERS_WITH_THEIR_OWN_ROLES: Final = (health.router, login.router, openapi.router, store.router)


def create_app(context: Context) -> FastAPI:
    """
    Return the application that serves this context.

    `app.state` holds `context`, `logins`, `metrics` and `streams`; the server must call `streams.close()` before it
    waits for connections to end (`api.serving.Server` does).
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        # What the store holds stands on the board before the first message arrives.
        await run_in_threadpool(lambda: context.live.seed(newest(context.store)))
        stop = context.desk.subscribe(lambda change: streams.events.add(change.kind, _told(context, change)))
        yield
        stop()
        streams.close()

    # The interactive pages of FastAPI load scripts from the internet; hospitals' networks are closed.
    app = FastAPI(title="Wardwatt", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    streams = Streams(context.live, most=context.settings.max_streams)
    metrics = Metrics(context, streams)
    app.state.context = context
    app.state.streams = streams
    app.state.metrics = metrics
    app.state.logins = Logins(context.database, context.settings.session_idle_s, context.settings.session_s)
    for router in PUBLIC + ROUTERS_WITH_THEIR_OWN_ROLES:
        app.include_router(router)
    for router in ROUTERS:
        app.include_router(router, dependencies=[Depends(require("viewer"))])
    app.add_exception_handler(ApiError, _answer_api_error)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(StoreUnavailable, _answer_unavailable)
    app.add_exception_handler(DataError, _answer_unkeepable)
    app.add_exception_handler(Refusal, _answer_refused)
    app.add_middleware(
        Guard,
        hosts=context.settings.hosts,
        max_body_bytes=context.settings.max_body_bytes,
        larger=TAKE_TABLES,
        answer=answer,
    )
    app.add_middleware(Measured, metrics=metrics)
    app.add_middleware(Heads)
    return app


def _told(context: Context, change: DeskChange) -> dict[str, Any]:
    """Return what streams tell of a change: the record as it stands, or only its number while it cannot be read."""
    try:
        match change.kind:
            case "alert":
                found: BaseModel | None = desk.alert_out(a) if (a := context.desk.alert(change.id)) else None
            case "ticket":
                found = desk.ticket_out(t) if (t := context.desk.ticket(change.id)) else None
            case "finding":
                found = desk.finding_out(f) if (f := context.desk.finding(change.id)) else None
    except StoreUnavailable:
        found = None
    return {"id": change.id} if found is None else found.model_dump(mode="json")


async def answer(request: Request, error: ApiError) -> Response:
    """Return the response that tells of an error: JSON for programs, a page or the login form for people."""
    path = request.url.path
    for_people = not path.startswith(("/api/", "/metrics", "/healthz")) and "text/html" in request.headers.get(
        "Accept", ""
    )
    if for_people:
        if error.code == "login-needed":
            return RedirectResponse(login.login_address(request), 303)
        if error.code == "new-password-needed":
            return RedirectResponse("/account/password", 303)
        if error.code == "method-not-allowed" and request.method == "GET":
            # The address of a form that was refused: another language, a login or loading it again asks for it.
            return RedirectResponse(page_above(request), 303)
        return await run_in_threadpool(login.error_page, request, error)
    return Json(error.body, error.status, error.headers)


async def _answer_api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return await answer(request, error)


async def _answer_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = shown(request.url.path)
    match error.status_code:
        case 404:
            told = ApiError(404, "unknown-path", f"There is nothing at {path}.", "docs/api.md lists the paths.")
        case 405:
            told = ApiError(
                405,
                "method-not-allowed",
                f"{path} does not take {request.method}.",
                "docs/api.md lists the methods of each path.",
            )
        case 413:
            told = too_large()
        case status:
            told = ApiError(status, "refused", f"{error.detail}.", "docs/api.md says what each path takes.")
    told.headers.update(error.headers or {})
    return await answer(request, told)


async def _answer_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return await answer(request, invalid_request(error.errors()))


async def _answer_unavailable(request: Request, error: Exception) -> Response:
    return await answer(
        request,
        ApiError(503, "store-unavailable", str(error), "Nothing is lost; try again shortly.", {"Retry-After": "5"}),
    )


async def _answer_unkeepable(request: Request, _error: Exception) -> Response:
    # PostgreSQL keeps no NUL character in text, which SQLite does.
    mend = "Send text without control characters."
    return await answer(request, ApiError(400, "bad-text", "A value holds what the database cannot keep.", mend))


async def _answer_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    # What is wrong and what would do are one sentence.
    message, _, mend = str(error).partition("; ")
    status, code = (404, "unknown-record") if isinstance(error, NoSuchRecord) else (409, "action-refused")
    return await answer(request, ApiError(status, code, _sentence(message), _sentence(mend), zh=error.words.zh))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
