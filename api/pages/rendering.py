"""Pages without a frame: login, one's own password, errors. They must stand when everything else is away."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from starlette.responses import HTMLResponse, Response

from api.pages.problems import problem
from api.pages.templates import fill
from api.pages.visit import visit_of


def render(request: Request, template: str, *, status: int = 200, **values: Any) -> Response:
    """
    Return a page without a frame, in the reader's language.

    An error is told by `error` (its code), `message`, `mend` and, where there is Chinese, `zh`; the page says it in the
    reader's own words.
    """
    visit = visit_of(request)
    code, message, mend, zh = (str(values.get(name, "")) for name in ("error", "message", "mend", "zh"))
    told = problem(code, message, mend, visit.words, zh)
    context = getattr(request.app.state, "context", None)
    site_name = visit.words.name(context.site.name) if context is not None else ""
    around = {"problem": told, "visit": visit, "status": status, "site_name": site_name}
    html = fill(visit.words.language, template, **{**values, **around})
    return HTMLResponse(html, status)
