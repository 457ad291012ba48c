"""What people do on the pages: plain forms, answered by a page that shows the new state once the server has it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form
from starlette.responses import RedirectResponse, Response

from analytics.desk import ActionRefused
from api import actions
from api.context import Context, context_of
from api.pages.caches import From
from api.pages.reading import alert_of, ticket_of
from api.security.access import require
from api.security.logins import Identity
from api.security.routes import safe_next
from facility.names import Names
from facility.wording import quoted_zh

router = APIRouter(include_in_schema=False)

Here = Annotated[Context, Depends(context_of)]
Operator = Annotated[Identity, Depends(require("operator"))]
Line = Annotated[str, Form()]


def _to(path: str) -> Response:
    # 303: the browser loads the page anew, so that going back or loading again sends nothing twice.
    return RedirectResponse(path, 303)


@router.post("/alerts/{alert}/acknowledge")
def acknowledge(here: Here, user: Operator, sources: From, alert: int) -> Response:
    """Take an alert: the reader's name and the time stand beside it from now on."""
    actions.acknowledge(here, user, alert_of(sources, alert).id)
    return _to(f"/alerts/{alert}")


@router.post("/tickets/new")
def new_ticket(
    here: Here, user: Operator, equipment: Line = "", title: Line = "", priority: Line = "P3", text: Line = ""
) -> Response:
    """Open a ticket for something that was seen."""
    made = actions.new_ticket(here, user, equipment, title, priority, text)
    return _to(f"/tickets/{made.id}")


@router.post("/tickets/{ticket}/assign")
def assign(here: Here, user: Operator, sources: From, ticket: int, assignee: Line = "") -> Response:
    """Give a ticket to somebody who can log in and may act."""
    if assignee not in {p.name for p in sources.desk.people() if p.role != "viewer"}:
        raise ActionRefused(
            Names(
                zh=f"没有名为{quoted_zh(assignee[:80])}的可办理人员；请从列表中选择",
                en=f"nobody who may act is called {assignee[:80]!r}; choose a name from the list",
            )
        )
    actions.assign(here, user, ticket_of(sources, ticket).id, assignee)
    return _to(f"/tickets/{ticket}")


@router.post("/tickets/{ticket}/comment")
def comment(here: Here, user: Operator, sources: From, ticket: int, text: Line = "") -> Response:
    """Write a line into a ticket's history."""
    actions.comment(here, user, ticket_of(sources, ticket).id, text)
    return _to(f"/tickets/{ticket}")


@router.post("/tickets/{ticket}/steps/{step}")
def check_step(
    here: Here, user: Operator, sources: From, ticket: int, step: int, done: Line = "1", back: Line = ""
) -> Response:
    """Tick a step of the check-list, or take the tick away."""
    actions.check_step(here, user, ticket_of(sources, ticket).id, step, done == "1")
    return _to(safe_next(back) if back else f"/tickets/{ticket}")


@router.post("/tickets/{ticket}/close")
def close(here: Here, user: Operator, sources: From, ticket: int, resolution: Line = "") -> Response:
    """Close a ticket with what was done."""
    actions.close(here, user, ticket_of(sources, ticket).id, resolution)
    return _to(f"/tickets/{ticket}")
