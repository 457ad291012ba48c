"""Whether the service runs, and how its parts fare."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel
from starlette.responses import Response

from api.context import Context, context_of
from api.metrics import Metrics
from api.security.access import require
from api.store_size import size_of
from facility.errors import StoreUnavailable
from facility.store.spooled import SPOOL_WARNING

public = APIRouter(tags=["health"])
router = APIRouter(tags=["health"])

Here = Annotated[Context, Depends(context_of)]


class LivenessOut(BaseModel):
    """Whether the process answers, and can do its work."""

    status: Literal["ok", "degraded"]


class CollectorOut(BaseModel):
    """How the collector fares; counts since the service started."""

    connected: bool
    state: str
    detail: str
    protocol: str
    received: int
    stored: int
    quarantined: int
    batches: int
    waiting: int
    store_available: bool
    watching: bool
    last_message_us: int | None
    last_error: str
    sink_failures: int


class SpoolOut(BaseModel):
    """Readings that wait on this machine's disk for their store."""

    state: Literal["direct", "away", "draining", "full"]
    bytes: int
    bound_bytes: int
    share: float
    readings: int
    oldest_us: int | None
    away_since_us: int | None
    last_error: str
    refused: int
    damaged: int


class StoreOut(BaseModel):
    """What the telemetry store holds."""

    readings: int
    points: int
    bytes: int
    first_us: int | None
    last_us: int | None


class PointsHealthOut(BaseModel):
    """How many of the site's points are read."""

    all: int
    ever_read: int
    newest_us: int | None


class HealthOut(BaseModel):
    """How the parts fare; `problems` says in words what is wrong, and is empty while `status` is ok."""

    status: Literal["ok", "degraded"]
    problems: list[str]
    now_us: int
    collector: CollectorOut | None
    store: StoreOut | None
    spool: SpoolOut | None
    points: PointsHealthOut


@public.get("/healthz")
def liveness(here: Here, response: Response) -> LivenessOut:
    """
    Say that the process answers and keeps what comes in, and nothing else.

    503 if it cannot keep it; `degraded`, but 200, while readings wait on disk because their store is away.
    """
    status, spool = here.collector_state(), here.spool_state()
    if status is not None and not status.store_available:
        response.status_code = 503
        return LivenessOut(status="degraded")
    return LivenessOut(status="degraded" if spool is not None and spool.away_since_us is not None else "ok")


@router.get("/api/v1/health", dependencies=[Depends(require("viewer"))])
def health(here: Here) -> HealthOut:
    """Tell how the parts fare."""
    problems: list[str] = []
    status = here.collector_state()
    if status is None:
        problems.append("No collector runs in this process.")
    else:
        if not status.connected:
            problems.append(f"The broker is not connected: {status.detail or status.state}.")
        if not status.store_available:
            problems.append(f"Readings cannot be written: {status.last_error}")
        if status.sink_failures:
            problems.append(f"Live rules or pages have failed {status.sink_failures} times; see the log.")
    spool = here.spool_state()
    if spool is not None and spool.away_since_us is not None:
        problems.append(
            f"The store is away, readings wait on disk ({spool.share:.0%} of the room is used): {spool.last_error}"
        )
    elif spool is not None and spool.share >= SPOOL_WARNING:
        problems.append(f"Many readings wait on disk for the store: {spool.share:.0%} of the room is used.")
    store = None
    try:
        size = size_of(here.store)
        store = StoreOut(
            readings=size.readings,
            points=size.points,
            bytes=size.bytes,
            first_us=size.first_us,
            last_us=size.last_us,
        )
    except StoreUnavailable as error:
        problems.append(f"The store cannot be read: {error}")
    board = here.live.snapshot()
    read = board.time_us > 0
    return HealthOut(
        status="degraded" if problems else "ok",
        problems=problems,
        now_us=here.clock(),
        collector=CollectorOut.model_validate(status, from_attributes=True) if status is not None else None,
        store=store,
        spool=SpoolOut.model_validate(spool, from_attributes=True) if spool is not None else None,
        points=PointsHealthOut(
            all=len(read),
            ever_read=int(np.count_nonzero(read)),
            newest_us=int(board.time_us.max()) if np.any(read) else None,
        ),
    )


@router.get("/metrics", dependencies=[Depends(require("metrics"))], response_class=Response)
def metrics(request: Request) -> Response:
    """Give the metrics as Prometheus reads them; needs a token with the role metrics, or any login."""
    kept: Metrics = request.app.state.metrics
    return Response(kept.text(), media_type=kept.content_type)
