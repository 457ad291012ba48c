"""From an address that only forms are sent to, to the page that shows what it is about."""

from __future__ import annotations

from fastapi import Request
from starlette.routing import Match


def page_above(request: Request) -> str:
    """
    Return the nearest address with a page: `/tickets/9` for a form sent to `/tickets/9/close`, at worst `/`.

    What was asked for as a page is not meant itself.
    """
    path = request.url.path
    if request.method in ("GET", "HEAD"):
        path = path.rpartition("/")[0]
    while path:
        scope = {"type": "http", "method": "GET", "path": path, "headers": []}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes):
            return path
        path = path.rpartition("/")[0]
    return "/"
