"""The telemetry store itself: what it holds, all its readings, and a copy of it while it is written to."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from api.context import Context, context_of
from api.errors import ApiError, bad_request
from api.responses import Json
from api.security import audit
from api.security.local_key import RequireHere
from api.security.logins import Identity
from api.store_info import info_of, keeper_of
from api.store_wire import MEDIA_TYPE, MOST_READINGS, pack_series, unpack_batch
from facility.store.contract import PointsRefused
from facility.store.duckdb import DuckDBStore
from facility.store.duckdb_snapshot import SnapshotKeeper

administrator: Final = RequireHere("admin")
router = APIRouter(prefix="/api/v1/store", tags=["store"])

Here = Annotated[Context, Depends(context_of)]
Who = Annotated[Identity, Depends(administrator)]

_SNAPSHOT: Final = ".snapshot-"
_PART_BYTES: Final = 1 << 20
_one_at_a_time: Final = threading.Lock()


class ChosenIn(BaseModel):
    """Points and a time: start <= time < end."""

    keys: list[str] = Field(max_length=2000)
    start_us: int = Field(ge=-(2**62), le=2**62)
    end_us: int = Field(ge=-(2**62), le=2**62)


@router.get("", response_class=Json)
def info(here: Here, _who: Who) -> Json:
    """Tell what the store is, what it holds, and from when on readings and roll-ups are kept."""
    return Json(info_of(here.store))


@router.get("/points", response_class=Json)
def points(here: Here, _who: Who) -> Json:
    """List every point of the store, also those that the site file no longer knows, with where it belongs."""
    return Json({"points": [list(astuple(address)) for address in here.store.addresses().values()]})


@router.post("/count", response_class=Json)
def count(here: Here, _who: Who, chosen: ChosenIn) -> Json:
    """Count the readings of points in a time."""
    return Json(dict(here.store.count(chosen.keys, chosen.start_us, chosen.end_us)))


@router.post("/readings", response_class=Response)
def readings(here: Here, _who: Who, chosen: ChosenIn) -> Response:
    """Give raw readings as an Arrow stream: point (its place among `keys`), time_us, value, quality."""
    counted = sum(here.store.count(chosen.keys, chosen.start_us, chosen.end_us).values())
    if counted > MOST_READINGS:
        raise bad_request(
            "too-many-values",
            f"The answer would hold {counted} readings; {MOST_READINGS} is the most.",
            "Ask for a shorter time, or for fewer points.",
        )
    found = here.store.series(chosen.keys, chosen.start_us, chosen.end_us)
    return Response(pack_series(chosen.keys, found), media_type=MEDIA_TYPE)


@router.post("/write", response_class=Json)
async def write(
    here: Here,
    who: Who,
    request: Request,
    transfer: Annotated[str, Query(pattern="^[0-9a-f]{1,32}$", description="the same for all parts of one import")],
    origin: Annotated[str, Query(max_length=200, description="what is imported, for the audit trail")] = "",
) -> Json:
    """Store readings of the past, sent as an Arrow stream; no live rule looks at them."""
    body = await request.body()
    return await run_in_threadpool(_write, here, who, body, transfer, origin)


def _write(here: Context, who: Identity, body: bytes, transfer: str, origin: str) -> Json:
    try:
        batch = unpack_batch(body)
        _note_once(here, who, transfer, origin)
        here.store.write(batch)
    except PointsRefused as error:
        return Json({"refused": list(error.keys), "words": error.words})
    except ValueError as error:
        raise bad_request("bad-readings", f"{error}.", "Send what wardwatt store import sends.") from None
    return Json({"refused": [], "words": ""})


_noted: set[str] = set()


def _note_once(here: Context, who: Identity, transfer: str, origin: str) -> None:
    # An import is thousands of requests, and one act.
    if transfer not in _noted:
        _noted.add(transfer)
        _note(here, who, "readings-imported", {"origin": origin})


@router.post("/compact", response_class=Json)
def compact(here: Here, who: Who) -> Json:
    """Sort and merge what has been written lately; returns when it is done."""
    keeper = keeper_of(here.store)
    if not isinstance(keeper, DuckDBStore):
        raise _not_a_file("compacts by itself", "There is nothing to do.")
    before = keeper.size().bytes
    keeper.compact()
    _note(here, who, "store-compacted", {})
    return Json({"bytes_before": before, "bytes": keeper.size().bytes})


@router.get("/snapshot", response_class=StreamingResponse)
def snapshot(here: Here, who: Who) -> StreamingResponse:
    """Give the DuckDB file as it stands at one moment; readings are stored meanwhile."""
    keeper = keeper_of(here.store)
    if not isinstance(keeper, SnapshotKeeper):
        raise _not_a_file("is a server", "Export its readings, or use its own backup.")
    if not _one_at_a_time.acquire(blocking=False):
        raise ApiError(503, "busy", "Another copy is being made.", "Try again when it is done.", {"Retry-After": "30"})
    try:
        file = _copied(keeper)
    finally:
        _one_at_a_time.release()
    _note(here, who, "store-copied", {"bytes": os.fstat(file.fileno()).st_size})
    headers = {"Content-Length": str(os.fstat(file.fileno()).st_size)}
    return StreamingResponse(_parts(file), media_type="application/octet-stream", headers=headers)


def _copied(keeper: SnapshotKeeper) -> BinaryIO:
    """Copy the store beside itself, so that a slow reader holds up nothing; the copy has no name any more."""
    folder, name = keeper.path.parent, keeper.path.name
    for left in folder.glob(f"{name}{_SNAPSHOT}*"):
        left.unlink(missing_ok=True)  # of a service that was killed in the middle
    needed, free = keeper.path.stat().st_size, _free_bytes(folder)
    if free < needed * 1.05 + (64 << 20):
        raise ApiError(
            507,
            "no-room",
            f"The copy needs {needed / 1e6:.0f} MB in {folder}, where {free / 1e6:.0f} MB are free.",
            "Make room there, or stop the service and back up the file itself.",
        )
    target = folder / f"{name}{_SNAPSHOT}{secrets.token_hex(4)}"
    try:
        keeper.snapshot(target)
        return target.open("rb")
    finally:
        target.unlink(missing_ok=True)


def _free_bytes(folder: Path) -> int:
    told = os.statvfs(folder)
    return told.f_bavail * told.f_frsize


def _parts(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while part := file.read(_PART_BYTES):
            yield part


def _note(here: Context, who: Identity, action: str, detail: dict[str, Any]) -> None:
    with here.database.session() as session:
        audit.record(session, here.clock(), who.name, action, "store", detail)


def _not_a_file(words: str, mend: str) -> ApiError:
    return ApiError(409, "action-refused", f"The store {words}.", mend)
