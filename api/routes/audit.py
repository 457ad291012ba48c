"""The audit trail, for administrators."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict

from api.context import Context, context_of
from api.security import audit
from api.security.access import require

router = APIRouter(prefix="/api/v1/audit", tags=["audit"], dependencies=[Depends(require("admin"))])

Here = Annotated[Context, Depends(context_of)]


class AuditOut(BaseModel):
    """One line of the trail; `hash` covers it and the line before."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    at_us: int
    who: str
    action: str
    subject: str
    detail: dict[str, Any]
    hash: str


class AuditListOut(BaseModel):
    """Lines, newest first."""

    entries: list[AuditOut]


class ChainOut(BaseModel):
    """Whether the trail is as it was written; note `head` elsewhere, and give it as `anchor` another day."""

    model_config = ConfigDict(from_attributes=True)

    sound: bool
    entries: int
    broken_at: int | None
    why: str
    head: str


@router.get("")
def entries(
    here: Here,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    before: Annotated[int | None, Query(description="only lines with a lower id", ge=1, le=2**63 - 1)] = None,
) -> AuditListOut:
    """List who did what, newest first."""
    return AuditListOut(entries=[AuditOut.model_validate(line) for line in audit.entries(here.database, limit, before)])


@router.get("/check")
def check(
    here: Here,
    anchor: Annotated[
        str | None, Query(description="a `head` that was noted earlier", pattern="^[0-9a-f]{64}$")
    ] = None,
) -> ChainOut:
    """Check that no line was changed, removed or put in."""
    return ChainOut.model_validate(audit.check_chain(here.database, anchor))
