"""The web application: routes, one shape for errors, and what every answer carries."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api.context import Context
from api.errors import ApiError, shown
from api.responses import Json
from api.routes import plant, readings

ROUTERS = (plant.router, readings.router)


def create_app(context: Context) -> FastAPI:
    """Return the application that serves this context."""
    # The interactive pages of FastAPI load scripts from the internet; hospitals' networks are closed.
    app = FastAPI(title="Wardwatt", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.context = context
    for router in ROUTERS:
        app.include_router(router)
    app.add_exception_handler(ApiError, _answer_api_error)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    return app


def _answer_api_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return Json(error.body, error.status, error.headers)


def _answer_http_error(request: Request, error: Exception) -> Response:
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
        case status:
            told = ApiError(status, "refused", f"{error.detail}.", "docs/api.md says what each path takes.")
    told.headers.update(error.headers or {})
    return _answer_api_error(request, told)


def _answer_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = [
        f"{' '.join(str(part) for part in problem['loc'])}: {problem['msg']}, not {shown(problem.get('input'))}"
        for problem in error.errors()[:5]
    ]
    return _answer_api_error(
        request,
        ApiError(
            422, "invalid-request", f"{'; '.join(problems)}.", "Mend the values named and send the request again."
        ),
    )
