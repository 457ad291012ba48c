"""Messages that could not be understood."""

from __future__ import annotations

import base64
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel

from api.context import Context, context_of
from api.errors import ApiError
from collector.quarantine import QuarantineEntry

router = APIRouter(prefix="/api/v1/quarantine", tags=["quarantine"])

Here = Annotated[Context, Depends(context_of)]


class QuarantineOut(BaseModel):
    """One topic with one reason; `payload_text` is the beginning of the newest such payload, as far as it is text."""

    id: int
    topic: str
    reason: str
    detail: str
    payload_text: str
    payload_size: int
    first_us: int
    last_us: int
    count: int
    gateway: str | None


class QuarantineSampleOut(QuarantineOut):
    """The same, with all that was kept of the payload: 64 KiB at most, in base 64."""

    payload_base64: str


class QuarantineListOut(BaseModel):
    """Entries, the most recent first, and how many messages and values each reason has cost."""

    by_reason: dict[str, int]
    entries: list[QuarantineOut]


@router.get("")
def entries(
    here: Here,
    reason: Annotated[str | None, Query(description="only of this reason", max_length=100)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> QuarantineListOut:
    """List what could not be understood, the most recent first."""
    return QuarantineListOut(
        by_reason=dict(here.quarantine.by_reason()),
        entries=[QuarantineOut(**_fields(e)) for e in here.quarantine.entries(limit, offset, reason)],
    )


@router.get("/{entry}")
def entry(here: Here, entry: Annotated[int, Path(ge=1, le=2**63 - 1)]) -> QuarantineSampleOut:
    """Give one entry with its sample."""
    found = here.quarantine.entry(entry)
    if found is None:
        raise ApiError(
            404, "unknown-entry", f"There is no quarantine entry {entry}.", "GET /api/v1/quarantine lists them."
        )
    return QuarantineSampleOut(**_fields(found), payload_base64=base64.b64encode(found.payload).decode())


def _fields(entry: QuarantineEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "topic": entry.topic,
        "reason": entry.reason,
        "detail": entry.detail,
        "payload_text": entry.text(),
        "payload_size": entry.payload_size,
        "first_us": entry.first_us,
        "last_us": entry.last_us,
        "count": entry.count,
        "gateway": entry.gateway,
    }
