"""The audit trail: each line carries a hash over itself and the line before, so that no line can be changed unseen.

A chain alone cannot show that its end was cut off, so the newest hash is also kept among the settings and written to
the log. Who can rewrite the whole database can rewrite the whole chain: a hash noted elsewhere (a printed report, a log
server) is what that person cannot reach, and `check_chain` takes it as `anchor`.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from api.security.tables import AuditEntry
from facility.database import Database, read_setting, write_setting

log = logging.getLogger(__name__)

_START: Final = "0" * 64
_HEAD: Final = "audit.head"
# Any fixed number: it names the lock that keeps two writers from continuing the chain at the same line.
_CHAIN_LOCK: Final = 0x57_61_41_75
_PAGE: Final = 5_000


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """
    Whether the trail is as it was written.

    Attributes
    ----------
    sound : False if a line was changed, removed or put in
    entries : lines that were read and are in order
    broken_at : id of the first line that does not fit; None if none, or if the end is missing
    why : what does not fit, in one sentence; empty if sound
    head : hash of the last line read, to be noted elsewhere
    """

    sound: bool
    entries: int
    broken_at: int | None
    why: str
    head: str


def record(
    session: Session, at_us: int, who: str, action: str, subject: str, detail: Mapping[str, Any] | None = None
) -> None:
    """
    Add a line within the session's transaction: it stands if and only if what it tells of does.

    Parameters
    ----------
    who : the user's name; `command` for the command line, empty for nobody
    action : stable code, `alert-acknowledged`
    subject : what it was done to, `alert 17`
    detail : what else a reader will want to know; never a secret
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CHAIN_LOCK})
    session.flush()
    previous = session.scalar(select(AuditEntry.hash).order_by(AuditEntry.id.desc()).limit(1)) or _START
    entry = AuditEntry(
        at_us=at_us, who=who, action=action, subject=subject, detail=dict(detail or {}), previous_hash=previous
    )
    entry.hash = _hash_of(entry)
    session.add(entry)
    session.flush()
    write_setting(session, _HEAD, {"id": entry.id, "hash": entry.hash})
    log.info("audit", extra={"who": who, "action": action, "subject": subject, "entry": entry.id, "hash": entry.hash})


def entries(database: Database, limit: int = 100, before: int | None = None) -> Sequence[AuditEntry]:
    """Return lines, newest first; those with an id below `before`, if given."""
    query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
    if before is not None:
        query = query.where(AuditEntry.id < before)
    with database.reading() as session:
        return session.scalars(query).all()


def check_chain(database: Database, anchor: str | None = None) -> ChainCheck:
    """
    Read the whole trail and check that nothing was changed, removed or put in.

    Parameters
    ----------
    anchor : a hash that was noted elsewhere; it must be in the chain
    """
    previous, count, last_id, anchored = _START, 0, 0, anchor is None
    with database.reading() as session:
        while page := session.scalars(
            select(AuditEntry).where(AuditEntry.id > last_id).order_by(AuditEntry.id).limit(_PAGE)
        ).all():
            for entry in page:
                if entry.previous_hash != previous:
                    why = f"line {entry.id} does not follow the line before it: one was removed, changed or put in"
                    return ChainCheck(False, count, entry.id, why, previous)
                if entry.hash != _hash_of(entry):
                    why = f"line {entry.id} was changed after it was written"
                    return ChainCheck(False, count, entry.id, why, previous)
                previous, last_id, count = entry.hash, entry.id, count + 1
                anchored = anchored or entry.hash == anchor
            session.expunge_all()
        head = read_setting(session, _HEAD)
    if head is not None and head["hash"] != previous:
        return ChainCheck(
            False, count, None, f"the newest lines are missing: line {head['id']} was once written", previous
        )
    if head is None and count:
        return ChainCheck(False, count, None, "the note of the newest line is missing from the settings", previous)
    if not anchored:
        return ChainCheck(False, count, None, "the hash that was noted elsewhere is not in the trail", previous)
    return ChainCheck(True, count, None, "", previous)


def _hash_of(entry: AuditEntry) -> str:
    told = [entry.at_us, entry.who, entry.action, entry.subject, entry.detail, entry.previous_hash]
    return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()
