"""Routes of the quarantine's pages: two pages, and the two forms on them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query
from starlette.responses import RedirectResponse, Response

from api import replaying
from api.context import Context, context_of
from api.errors import ApiError
from api.pages.caches import From
from api.pages.frame import NavLink
from api.pages.quarantine import DISCARD_ROLE, REPLAY_ROLE, entry_page, quarantine_page
from api.pages.sources import Sources
from api.pages.visit import Visit, framed, visit_of
from api.security.access import require
from api.security.logins import Identity
from collector.quarantine import QuarantineEntry

router = APIRouter(include_in_schema=False)

Here = Annotated[Context, Depends(context_of)]
Reader = Annotated[Identity, Depends(require("viewer"))]
Mender = Annotated[Identity, Depends(require(REPLAY_ROLE))]
Discarder = Annotated[Identity, Depends(require(DISCARD_ROLE))]
Visiting = Annotated[Visit, Depends(visit_of)]
EntryForm = Annotated[int, Form(ge=1, le=2**63 - 1)]


@router.get("/quarantine")
def quarantine_route(
    sources: From,
    reader: Reader,
    visit: Visiting,
    reason: Annotated[str | None, Query()] = None,
) -> Response:
    """List what could not be understood, by reason and topic."""
    live = sources.live()
    return framed(
        sources,
        visit,
        "quarantine.html",
        place="data",
        title=visit.words("Quarantine"),
        live=live,
        live_page="quarantine",
        back=NavLink("data", "/data", visit.words("Data health"), False),
        page=quarantine_page(sources, visit.words, live, reader.role, reason),
    )


@router.get("/quarantine/{entry}")
def entry_route(sources: From, reader: Reader, visit: Visiting, entry: int) -> Response:
    """Show one topic with one reason, and what would mend it."""
    live, found = sources.live(), _entry(sources, entry)
    page = entry_page(sources, visit.words, live, reader.role, found)
    return framed(
        sources,
        visit,
        "quarantine_entry.html",
        place="data",
        title=page.name,
        live=live,
        live_page="quarantine",
        back=NavLink("data", "/quarantine", visit.words("Quarantine"), False),
        page=page,
    )


@router.post("/quarantine/replay")
def replay(
    here: Here,
    user: Mender,
    entry: Annotated[int | None, Form(ge=1, le=2**63 - 1)] = None,
    reason: Annotated[str, Form()] = "",
) -> Response:
    """Decode again one line, all of a reason, or everything."""
    chosen = [entry] if entry is not None else here.quarantine.choose(reason) if reason else None
    replaying.replay(here, user, chosen)
    return RedirectResponse(f"/quarantine/{entry}" if entry is not None else "/quarantine", 303)


@router.post("/quarantine/discard")
def discard(here: Here, user: Discarder, entry: EntryForm) -> Response:
    """Delete one line with its messages."""
    replaying.discard(here.database, here.quarantine, [entry], here.clock, user.name, user.by)
    return RedirectResponse("/quarantine", 303)


def _entry(sources: Sources, entry: int) -> QuarantineEntry:
    found = sources.quarantine.entry(entry) if 0 < entry < 2**63 else None
    if found is None:
        raise ApiError(404, "unknown-entry", f"There is no quarantine entry {entry}.", "It was discarded, perhaps.")
    return found
