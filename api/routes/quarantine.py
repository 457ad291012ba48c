"""Messages that could not be understood: list, look, decode again, discard."""

from __future__ import annotations

import base64
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field

from api import replaying
from api.context import Context, context_of
from api.errors import ApiError, bad_request
from api.security.access import require
from api.security.logins import Identity
from collector.quarantine import QuarantineEntry
from collector.replay_orders import Order

router = APIRouter(prefix="/api/v1/quarantine", tags=["quarantine"])

Here = Annotated[Context, Depends(context_of)]
Engineer = Annotated[Identity, Depends(require("engineer"))]
Admin = Annotated[Identity, Depends(require("admin"))]
EntryId = Annotated[int, Path(ge=1, le=2**63 - 1)]


class QuarantineOut(BaseModel):
    """
    One topic with one reason; `payload_text` is the beginning of the newest such payload, as far as it is text.

    `count` messages or values were refused, `replayed` of them have been decoded since; `kept` are held to be decoded
    again, `lost` are not kept any more. `facts` say what is wrong as a code (`case`) with its parameters.
    """

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
    facts: dict[str, Any] | None
    kept: int
    kept_bytes: int
    replayed: int
    replayed_us: int | None
    lost: int
    understood_now: int | None = Field(
        description="of the kept messages, those that the mapping understands that the service was started with"
    )


class QuarantineSampleOut(QuarantineOut):
    """The same, with all that was kept of the payload: 64 KiB at most, in base 64."""

    payload_base64: str


class QuarantineListOut(BaseModel):
    """Entries, the most recent first, and how many messages and values wait for each reason."""

    by_reason: dict[str, int]
    entries: list[QuarantineOut]


@router.get("")
def entries(
    here: Here,
    reason: Annotated[str | None, Query(description="only of this reason", max_length=100)] = None,
    topic: Annotated[str | None, Query(description="only of this topic", max_length=65_535)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> QuarantineListOut:
    """List what could not be understood, the most recent first."""
    return QuarantineListOut(
        by_reason=dict(here.quarantine.by_reason()),
        entries=[QuarantineOut(**_fields(here, e)) for e in here.quarantine.entries(limit, offset, reason, topic)],
    )


class ReplayIn(BaseModel, extra="forbid"):
    """What to decode again: rows by id, or all of a reason or a topic (or both); nothing named: everything."""

    entries: list[Annotated[int, Field(ge=1, le=2**63 - 1)]] | None = Field(default=None, max_length=10_000)
    reason: Annotated[str, Field(max_length=100)] | None = None
    topic: Annotated[str, Field(max_length=65_535)] | None = None


class ReplayOut(BaseModel):
    """
    How far a replay has come: `done` of `total` messages.

    Of these `understood` have left, `moved` are refused for another reason now, `still` as before; `readings` values
    were written. `state` is waiting, running or done; `error` says what stands in the way.
    """

    id: int
    at_us: int
    who: str
    state: str
    total: int
    done: int
    understood: int
    moved: int
    still: int
    readings: int
    finished_us: int | None
    error: str


class DiscardedOut(BaseModel):
    """How many rows were discarded."""

    discarded: int


@router.post("/replay", status_code=202)
def replay(here: Here, user: Engineer, body: ReplayIn) -> ReplayOut:
    """Decode again by the mapping as it is now; what is understood is stored and leaves. Ask for progress by its id."""
    entries = body.entries
    if body.reason is not None or body.topic is not None:
        if entries is not None:
            raise bad_request("invalid-request", "Rows are named by id and by reason or topic.", "Name them one way.")
        entries = list(here.quarantine.choose(body.reason, body.topic))
    return _replay_out(replaying.replay(here, user, entries))


@router.get("/replay")
def replays(here: Here) -> list[ReplayOut]:
    """List the newest replays."""
    return [_replay_out(order) for order in replaying.orders_of(here.database, here.quarantine).newest(20)]


@router.get("/replay/{order}")
def one_replay(here: Here, order: EntryId) -> ReplayOut:
    """Say how far a replay has come."""
    found = replaying.orders_of(here.database, here.quarantine).order(order)
    if found is None:
        raise ApiError(
            404, "unknown-entry", f"There is no replay {order}.", "GET /api/v1/quarantine/replay lists the newest."
        )
    return _replay_out(found)


@router.get("/{entry}")
def entry(here: Here, entry: EntryId) -> QuarantineSampleOut:
    """Give one entry with its sample."""
    found = _entry(here, entry)
    return QuarantineSampleOut(**_fields(here, found), payload_base64=base64.b64encode(found.payload).decode())


@router.delete("/{entry}")
def discard(here: Here, user: Admin, entry: EntryId) -> DiscardedOut:
    """Delete an entry with its messages, for good."""
    found = _entry(here, entry)
    done = replaying.discard(here.database, here.quarantine, [found.id], here.clock, user.name, user.by)
    return DiscardedOut(discarded=done)


def _entry(here: Context, entry: int) -> QuarantineEntry:
    found = here.quarantine.entry(entry)
    if found is None:
        raise ApiError(
            404, "unknown-entry", f"There is no quarantine entry {entry}.", "GET /api/v1/quarantine lists them."
        )
    return found


def _replay_out(order: Order) -> ReplayOut:
    return ReplayOut(
        id=order.id, at_us=order.at_us, who=order.who, state=order.state, total=order.total, done=order.done,
        understood=order.understood, moved=order.moved, still=order.still, readings=order.readings,
        finished_us=order.finished_us, error=order.error,
    )  # fmt: skip


def _fields(here: Context, entry: QuarantineEntry) -> dict[str, Any]:
    outlook = here.replays.outlook if here.replays is not None else None
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
        "facts": dict(entry.facts) if entry.facts is not None else None,
        "kept": entry.kept,
        "kept_bytes": entry.kept_bytes,
        "replayed": entry.replayed,
        "replayed_us": entry.replayed_us,
        "lost": entry.lost,
        "understood_now": outlook.rows.get(entry.id, 0) if outlook is not None and outlook.complete else None,
    }
