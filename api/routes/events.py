"""What changes, as it changes: one stream of server-sent events."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import Response

from api.context import Context, context_of
from api.errors import ApiError
from api.routes.readings import chosen_points, readings_of
from api.security.access import identify, require
from api.security.logins import Identity
from api.streams import EventStream, Streams

router = APIRouter(prefix="/api/v1", tags=["events"])


@router.get("/events", response_class=Response, responses={200: {"content": {"text/event-stream": {}}}})
async def events(
    request: Request,
    here: Annotated[Context, Depends(context_of)],
    user: Annotated[Identity, Depends(require("viewer"))],
    point: Annotated[list[str] | None, Query(description="values only of these points")] = None,
    equipment: Annotated[list[str] | None, Query(description="values only of this equipment")] = None,
    room: Annotated[list[str] | None, Query(description="values only of what stands in this room")] = None,
    last_event_id: Annotated[str | None, Header(description="where a browser takes up again")] = None,
) -> EventStream:
    """
    Tell of changed values (at most twice a second), alerts and tickets until the client goes.

    Events: `hello`, `values`, `alert`, `ticket`, `resync` (events were missed: load the lists again), `heartbeat`,
    `goodbye`.
    """
    chosen = chosen_points(here, point, equipment, room)
    streams: Streams = request.app.state.streams
    streams.check_room(user.name)

    def values(told: int) -> dict[str, Any]:
        changed = here.live.changed_since(told)
        mine = np.intersect1d(chosen, changed, assume_unique=True)
        return readings_of(here, mine) if mine.size else {}

    def still_welcome() -> bool:
        try:
            return identify(request) is not None
        except ApiError:
            return False

    return EventStream(streams, user.name, values, still_welcome, here.clock, last_event_id)
