"""What could not be understood, kept for a person: by topic and reason, counted, with the raw messages to replay."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import ColumnElement, Update, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from collector.quarantine_shares import MESSAGE_COST, Share, fair_cuts
from collector.quarantine_tables import QuarantineMessage, QuarantineRow
from collector.rejections import KEPT_BYTES, RawMessage, Rejection, Rejections
from facility.database import Database
from facility.errors import StoreUnavailable

__all__ = [
    "KEPT_BYTES", "OVERFLOW_TOPIC", "KeptMessage", "Quarantine", "QuarantineEntry", "RawMessage", "Rejection",
    "Rejections", "Verdict",
]  # fmt: skip

log = logging.getLogger(__name__)

MAX_ROWS: Final = 10_000
MAX_SAMPLE_BYTES: Final = 64 * 1024 * 1024  # of all samples together; then only beginnings are kept
# Of all raw messages together; each costs 512 besides its topic and payload, so at most half a million are held.
MAX_MESSAGE_BYTES: Final = 256 * 1024 * 1024
OVERFLOW_TOPIC: Final = "(more topics)"
_BEGINNING = 256
_MAX_TOPIC = 1024
# When the bound is passed, so much more goes that the next batches have room: making room reads every row's share.
_ROOM: Final = 0.05
# Of messages whose readings are stored but for the values that nobody has mapped, or that their own gateway does not
# believe, counts and messages are written every few seconds, and so many messages at most: a busy gateway with one key
# too many, or with one dead sensor, must not wear the disk out.
_LATER: Final = frozenset({"unknown-key", "bad-quality", "sparkplug-bad-quality"})
_LATER_S = 5.0
_LATER_EACH = 200
_LATER_BYTES = 1024 * 1024
_CHUNK = 500  # ids in one statement


@dataclass(frozen=True, slots=True)
class QuarantineEntry:
    """
    One topic with one reason, as pages and API show it.

    Attributes
    ----------
    detail : what is wrong with the newest such message and what to do, in English
    facts : the same as a code under `case` with its parameters; None in rows that were written without
    payload : the beginning of the newest such payload, at most 64 KiB
    payload_size : its full size [bytes]
    first_us, last_us : when the first and the newest came [µs UTC]
    count : messages and values refused, those replayed since included
    kept, kept_bytes : raw messages that are held to be decoded again
    replayed, replayed_us : messages that were decoded since and have left; when the last did
    """

    id: int
    topic: str
    reason: str
    detail: str
    payload: bytes
    payload_size: int
    first_us: int
    last_us: int
    count: int
    gateway: str | None
    facts: Mapping[str, Any] | None = None
    kept: int = 0
    kept_bytes: int = 0
    replayed: int = 0
    replayed_us: int | None = None

    @property
    def waiting(self) -> int:
        """Return how many still wait to be understood."""
        return max(0, self.count - self.replayed)

    @property
    def lost(self) -> int:
        """Return how many are counted but not kept any more: pushed out, too large, or from before they were kept."""
        return max(0, self.count - self.replayed - self.kept)

    def text(self, limit: int = 2000) -> str:
        """Return the payload's beginning as text, with what is not UTF-8 shown as an escape."""
        return self.payload[:limit].decode("utf-8", "backslashreplace")


@dataclass(frozen=True, slots=True)
class KeptMessage:
    """A raw message with the row that holds it."""

    id: int
    entry_id: int
    reason: str
    message: RawMessage


@dataclass(slots=True)
class Verdict:
    """
    What came of decoding messages again.

    Attributes
    ----------
    understood : messages that leave
    moved : messages that are refused for another reason now, and for which
    still : for the rows of messages that stay, what is wrong with the newest now
    """

    understood: list[int] = field(default_factory=list)
    moved: list[tuple[int, Rejection]] = field(default_factory=list)
    still: dict[int, Rejection] = field(default_factory=dict)


class Quarantine:
    """
    The quarantine's tables. Safe to use from several threads and several processes.

    However many topics and payloads a publisher invents, it holds at most `max_rows` rows, half of them of unknown
    topics (what comes beyond is counted in one row a reason), about `max_sample_bytes` of samples and
    `max_message_bytes` of raw messages; of these the oldest of the greediest topic go first.
    """

    def __init__(
        self,
        database: Database,
        *,
        max_rows: int = MAX_ROWS,
        max_sample_bytes: int = MAX_SAMPLE_BYTES,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        self._database = database
        self._insert = sqlite.insert if database.sqlite else postgresql.insert
        self._max_rows = max_rows
        self._max_sample_bytes = max_sample_bytes
        self._max_message_bytes = max_message_bytes
        self._lock = threading.Lock()
        self._sizes: dict[str, int] | None = None  # sample_key -> bytes of sample kept
        self._used = self._kept_bytes = 0
        self._later: dict[str, Rejection] = {}
        self._later_bytes = 0
        self._written_s = 0.0
        self._told_s = 0.0

    # What the collector writes ------------------------------------------------------------------------------------

    def record(self, rejections: Iterable[Rejection]) -> None:
        """
        Add a batch of rejections; when this returns they are durable, with their raw messages.

        Only what concerns keys that nobody has mapped, or values that the gateway itself calls bad, in messages whose
        other values are stored, may be up to five seconds behind, and at most 200 such messages a topic are kept of
        each five seconds: one such value in every message would otherwise cost a disk flush a batch. With the database
        away they wait in memory, bounded, and nobody waits for them.

        Raises
        ------
        StoreUnavailable
            If the database cannot be written; nothing was added, try again.
        """
        now: dict[str, Rejection] = {}
        later: list[Rejection] = []
        with self._lock:
            for item in rejections:
                if item.reason in _LATER and item.stored:
                    later.append(item)
                else:
                    copy = replace(item)  # a retry finds the item as it was
                    key = self._place(copy, now)
                    now[key] = _joined(now.get(key), copy)
            if now:
                self._write(now)
            for item in later:
                self._hold(item)
            if self._later and time.monotonic() - self._written_s >= _LATER_S:
                try:
                    self._write_later()
                except StoreUnavailable as error:
                    self._tell_later(error)

    def flush(self) -> None:
        """Write what may be behind; StoreUnavailable if the database cannot be written."""
        with self._lock:
            if self._later:
                self._write_later()

    def _place(self, item: Rejection, pending: Mapping[str, Rejection]) -> str:
        """Return the key of the row that an item goes to; without room for one more, the item gets the common topic."""
        sizes, key = self._known(), _sample_key(item.topic, item.reason)
        # Topics can be invented without end; what the site's own machines send wrong keeps its place.
        most = self._max_rows // 2 if item.reason == "unknown-topic" else self._max_rows
        if key in sizes or key in pending or len(sizes) + len(pending) < most:
            return key
        item.topic = OVERFLOW_TOPIC
        return _sample_key(OVERFLOW_TOPIC, item.reason)

    def _hold(self, item: Rejection) -> None:
        key = _sample_key(item.topic, item.reason)
        if key not in self._later and len(self._later) >= self._max_rows:
            key, item = _sample_key(OVERFLOW_TOPIC, item.reason), replace(item, topic=OVERFLOW_TOPIC)
        before = self._later.get(key)
        held = before.messages if before is not None else []
        room = _LATER_EACH - len(held)
        for message in item.messages[:room]:
            cost = len(message.payload) + len(message.topic)
            if self._later_bytes + cost > _LATER_BYTES:
                break
            held.append(message)
            self._later_bytes += cost
        self._later[key] = _joined(before, replace(item, messages=[]))
        self._later[key].messages = held

    def _write_later(self) -> None:
        rows: dict[str, Rejection] = {}
        for item in self._later.values():
            # A retry finds the same items: only copies are renamed here.
            copy = replace(item)
            key = self._place(copy, rows)
            rows[key] = _joined(rows.get(key), copy)
        self._write(rows)
        self._later = {}
        self._later_bytes = 0
        self._written_s = time.monotonic()

    def _tell_later(self, error: StoreUnavailable) -> None:
        self._written_s = time.monotonic()  # the next attempt in some seconds, not with the next batch
        if self._written_s - self._told_s > 60.0:
            self._told_s = self._written_s
            log.warning("counts of unknown keys were not written yet", extra={"why": str(error)})

    def _write(self, rows: Mapping[str, Rejection]) -> None:
        self._known()
        with self._database.session() as session:
            sizes, used, kept_bytes = self._write_in(session, rows)
        if self._sizes is not None:
            self._sizes.update(sizes)
        self._used, self._kept_bytes = used, kept_bytes

    def _write_in(self, session: Session, rows: Mapping[str, Rejection]) -> tuple[dict[str, int], int, int]:
        """Add rows and messages; return the sizes of these rows' samples, and of all samples and all messages."""
        sizes, used, kept_bytes = self._known(), self._used, self._kept_bytes
        new_sizes: dict[str, int] = {}
        values: list[dict[str, Any]] = []
        # In one order everywhere, so that two processes on one database do not wait for each other's rows.
        for key in sorted(rows):
            item = rows[key]
            old = sizes.get(key, 0)
            payload = item.payload[: max(self._max_sample_bytes - used + old, _BEGINNING)]
            used += len(payload) - old
            new_sizes[key] = len(payload)
            cost = sum(map(_cost, item.messages))
            kept_bytes += cost
            values.append(
                {
                    "sample_key": key, "topic": _shortened(item.topic), "reason": item.reason, "detail": item.detail,
                    "facts": dict(item.facts) if item.facts is not None else None, "payload": payload,
                    "payload_size": item.payload_size, "first_us": item.first_us, "last_us": item.last_us,
                    "count": item.count, "gateway": item.gateway, "kept": len(item.messages), "kept_bytes": cost,
                    "replayed": 0,
                }
            )  # fmt: skip
        self._upsert(session, values)
        ids = _ids(session, [v["sample_key"] for v in values if v["kept"]])
        messages = [
            {
                "entry_id": ids[key], "topic": m.topic, "payload": m.payload, "arrival_us": m.arrival_us,
                "retained": m.retained, "cost": _cost(m),
            }
            for key, item in rows.items() for m in item.messages
        ]  # fmt: skip
        if messages:
            session.execute(insert(QuarantineMessage), messages)
        if kept_bytes > self._max_message_bytes:
            kept_bytes = self._make_room(session)
        return new_sizes, used, kept_bytes

    def _upsert(self, session: Session, values: Sequence[dict[str, Any]]) -> None:
        statement = self._insert(QuarantineRow)
        new = statement.excluded
        session.connection().execute(
            statement.on_conflict_do_update(
                index_elements=[QuarantineRow.sample_key],
                set_={
                    "count": QuarantineRow.count + new["count"],
                    "kept": QuarantineRow.kept + new["kept"],
                    "kept_bytes": QuarantineRow.kept_bytes + new["kept_bytes"],
                    "last_us": new["last_us"],
                    "detail": new["detail"],
                    "facts": new["facts"],
                    "payload": new["payload"],
                    "payload_size": new["payload_size"],
                    "gateway": new["gateway"],
                },
            ),
            values,
        )

    def _make_room(self, session: Session) -> int:
        """Let the oldest messages of the greediest go until the bound holds with some room; return what is held."""
        session.flush()
        rows = session.execute(
            select(QuarantineRow.id, QuarantineRow.reason, QuarantineRow.kept_bytes).where(QuarantineRow.kept_bytes > 0)
        )
        shares = {int(entry): Share(reason, int(size)) for entry, reason, size in rows}
        held = sum(share.bytes for share in shares.values())
        need = held - round(self._max_message_bytes * (1 - _ROOM))
        gone = 0
        for entry, cut in fair_cuts(shares, need).items() if held > self._max_message_bytes else ():
            gone += _drop_oldest(session, entry, cut)
        return held - gone

    def _known(self) -> dict[str, int]:
        if self._sizes is None:
            with self._database.reading() as session:
                rows = session.execute(select(QuarantineRow.sample_key, func.length(QuarantineRow.payload)))
                sizes = {str(key): int(size) for key, size in rows}
                self._kept_bytes = int(
                    session.scalar(select(func.coalesce(func.sum(QuarantineRow.kept_bytes), 0))) or 0
                )
            self._used, self._sizes = sum(sizes.values()), sizes
        return self._sizes

    # What people read ---------------------------------------------------------------------------------------------

    def entries(
        self, limit: int = 200, offset: int = 0, reason: str | None = None, topic: str | None = None
    ) -> Sequence[QuarantineEntry]:
        """Return rows, the most recent first; only those of one reason or one topic, if given."""
        query = select(QuarantineRow).order_by(QuarantineRow.last_us.desc(), QuarantineRow.id.desc())
        query = query.where(*_chosen(reason, topic))
        with self._database.reading() as session:
            return [_entry(row) for row in session.scalars(query.limit(limit).offset(offset))]

    def entry(self, entry_id: int) -> QuarantineEntry | None:
        """Return one row, or None if there is none of this id."""
        with self._database.reading() as session:
            row = session.get(QuarantineRow, entry_id)
            return _entry(row) if row is not None else None

    def choose(self, reason: str | None = None, topic: str | None = None) -> Sequence[int]:
        """Return the ids of the rows of a reason, a topic, or both; of all rows if neither is given."""
        with self._database.reading() as session:
            return list(session.scalars(select(QuarantineRow.id).where(*_chosen(reason, topic))))

    def total(self) -> int:
        """Return how many messages and values wait to be understood, as the rows count them."""
        with self._database.reading() as session:
            return int(session.scalar(select(func.sum(_WAITING))) or 0)

    def by_reason(self) -> Mapping[str, int]:
        """Return how many wait for each reason, the most frequent first; what was all replayed is left out."""
        total = func.sum(_WAITING)
        query = select(QuarantineRow.reason, total).group_by(QuarantineRow.reason).order_by(total.desc())
        with self._database.reading() as session:
            return {reason: int(count) for reason, count in session.execute(query) if count > 0}

    def held(self) -> tuple[int, int]:
        """Return how many raw messages are held, and how much they cost of the bound. [bytes]"""
        query = select(
            func.coalesce(func.sum(QuarantineRow.kept), 0), func.coalesce(func.sum(QuarantineRow.kept_bytes), 0)
        )
        with self._database.reading() as session:
            kept, size = session.execute(query).one()
        return int(kept), int(size)

    def newest_message(self) -> int:
        """Return the id of the newest raw message, 0 if there is none; later ones have greater ids."""
        with self._database.reading() as session:
            return int(session.scalar(select(func.coalesce(func.max(QuarantineMessage.id), 0))) or 0)

    def count_messages(self, entries: Sequence[int] | None, after: int = 0, up_to: int | None = None) -> int:
        """Return how many raw messages the rows hold (None: all rows) with ids in (after, up_to]."""
        with self._database.reading() as session:
            return sum(
                int(session.scalar(select(func.count()).select_from(QuarantineMessage).where(*where)) or 0)
                for where in _span(entries, after, up_to)
            )

    def messages(
        self, entries: Sequence[int] | None, after: int = 0, up_to: int | None = None, limit: int = 1000
    ) -> Sequence[KeptMessage]:
        """Return raw messages of these rows (None: all rows) with ids in (after, up_to], oldest first."""
        found: list[KeptMessage] = []
        with self._database.reading() as session:
            for where in _span(entries, after, up_to):
                query = (
                    select(QuarantineMessage, QuarantineRow.reason)
                    .join(QuarantineRow, QuarantineRow.id == QuarantineMessage.entry_id)
                    .where(*where)
                    .order_by(QuarantineMessage.id)
                    .limit(limit)
                )
                found += [
                    KeptMessage(m.id, m.entry_id, reason, RawMessage(m.topic, m.payload, m.arrival_us, m.retained))
                    for m, reason in session.execute(query)
                ]
        return sorted(found, key=lambda kept: kept.id)[:limit]

    def newest(self, entry_id: int, count: int = 20) -> Sequence[RawMessage]:
        """Return the newest raw messages of a row, the newest first."""
        query = (
            select(QuarantineMessage)
            .where(QuarantineMessage.entry_id == entry_id)
            .order_by(QuarantineMessage.id.desc())
            .limit(count)
        )
        with self._database.reading() as session:
            return [RawMessage(m.topic, m.payload, m.arrival_us, m.retained) for m in session.scalars(query)]

    def walk(self, entries: Sequence[int] | None = None, chunk: int = 500) -> Iterator[Sequence[KeptMessage]]:
        """Yield all raw messages of these rows as they stood at the beginning, some at a time, oldest first."""
        after, up_to = 0, self.newest_message()
        while found := self.messages(entries, after, up_to, chunk):
            yield found
            after = found[-1].id

    # What people and replays change -------------------------------------------------------------------------------

    def settle(self, verdict: Verdict, now_us: int, also: Callable[[Session], None] = lambda _session: None) -> None:
        """
        Note what came of decoding messages again; `also` writes in the same transaction.

        Messages that are gone meanwhile (discarded, pushed out) are passed over.

        Raises
        ------
        StoreUnavailable
            If the database cannot be written; nothing was noted.
        """
        # The lock comes before the transaction, as in `record`: the other way round the two would wait for each other.
        with self._lock, self._database.session() as session:
            self._sizes = None  # read anew at the next record, whatever becomes of this transaction
            left = _take(session, verdict.understood)
            for entry, (count, size) in _summed(left.values()).items():
                session.execute(
                    _shrunk(entry, count, size, replayed=QuarantineRow.replayed + count, replayed_us=now_us)
                )
            moving = dict(verdict.moved)
            away = _take(session, list(moving))
            for entry, (count, size) in _summed(away.values()).items():
                session.execute(_shrunk(entry, count, size, count=QuarantineRow.count - count))
            rows: dict[str, Rejection] = {}
            for message in away:
                item = replace(moving[message])
                key = self._place(item, rows)
                rows[key] = _joined(rows.get(key), item)
            if rows:
                self._write_in(session, rows)
            for entry, item in verdict.still.items():
                session.execute(
                    update(QuarantineRow).where(QuarantineRow.id == entry).values(detail=item.detail, facts=item.facts)
                )
            also(session)
            self._sizes = None

    def discard(self, ids: Sequence[int]) -> int:
        """Delete rows with their messages, for instance of a gateway that is gone; return how many rows there were."""
        with self._lock:
            keys: list[str] = []
            with self._database.session() as session:
                for some in _chunks(ids):
                    session.execute(delete(QuarantineMessage).where(QuarantineMessage.entry_id.in_(some)))
                    keys += session.scalars(
                        delete(QuarantineRow).where(QuarantineRow.id.in_(some)).returning(QuarantineRow.sample_key)
                    )
            for key in keys:
                self._later.pop(key, None)
            self._sizes = None  # read anew at the next record
        return len(keys)


_WAITING = QuarantineRow.count - QuarantineRow.replayed


def _chosen(reason: str | None, topic: str | None) -> list[ColumnElement[bool]]:
    wanted = []
    if reason is not None:
        wanted.append(QuarantineRow.reason == reason)
    if topic is not None:
        wanted.append(QuarantineRow.topic == _shortened(topic))
    return wanted


def _span(entries: Sequence[int] | None, after: int, up_to: int | None) -> Iterator[list[ColumnElement[bool]]]:
    """Yield conditions that together choose the messages; several, since one statement takes only so many ids."""
    where = [QuarantineMessage.id > after]
    if up_to is not None:
        where.append(QuarantineMessage.id <= up_to)
    if entries is None:
        yield where
        return
    for some in _chunks(entries):
        yield [*where, QuarantineMessage.entry_id.in_(some)]


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _CHUNK):
        yield list(ids[start : start + _CHUNK])


def _ids(session: Session, keys: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(keys), _CHUNK):
        query = select(QuarantineRow.sample_key, QuarantineRow.id)
        rows = session.execute(query.where(QuarantineRow.sample_key.in_(keys[start : start + _CHUNK])))
        found |= {str(key): int(entry) for key, entry in rows}
    return found


def _take(session: Session, messages: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Delete messages; return row and cost of each that was still there."""
    taken: dict[int, tuple[int, int]] = {}
    for some in _chunks(messages):
        gone = session.execute(
            delete(QuarantineMessage)
            .where(QuarantineMessage.id.in_(some))
            .returning(QuarantineMessage.id, QuarantineMessage.entry_id, QuarantineMessage.cost)
        )
        taken |= {int(message): (int(entry), int(cost)) for message, entry, cost in gone}
    return taken


def _summed(taken: Iterable[tuple[int, int]]) -> dict[int, tuple[int, int]]:
    """Return how many messages, and how many bytes, each row has lost."""
    totals: dict[int, tuple[int, int]] = {}
    for entry, cost in taken:
        count, size = totals.get(entry, (0, 0))
        totals[entry] = (count + 1, size + cost)
    return totals


def _shrunk(entry: int, messages: int, size: int, **values: Any) -> Update:
    return (
        update(QuarantineRow)
        .where(QuarantineRow.id == entry)
        .values(kept=QuarantineRow.kept - messages, kept_bytes=QuarantineRow.kept_bytes - size, **values)
    )


def _drop_oldest(session: Session, entry: int, cut: int) -> int:
    """Delete a row's oldest messages until `cut` bytes are gone, and return how many went. [bytes]"""
    gone = count = 0
    while gone < cut:
        oldest = session.execute(
            select(QuarantineMessage.id, QuarantineMessage.cost)
            .where(QuarantineMessage.entry_id == entry)
            .order_by(QuarantineMessage.id)
            .limit(1000)
        ).all()
        last = 0
        for message, cost in oldest:
            last, gone, count = int(message), gone + int(cost), count + 1
            if gone >= cut:
                break
        if not last:
            break
        session.execute(
            delete(QuarantineMessage).where(QuarantineMessage.entry_id == entry, QuarantineMessage.id <= last)
        )
    session.execute(_shrunk(entry, count, gone))
    return gone


def _joined(before: Rejection | None, item: Rejection) -> Rejection:
    if before is None:
        return item
    return replace(
        item, first_us=min(before.first_us, item.first_us), count=before.count + item.count,
        messages=[*before.messages, *item.messages],
    )  # fmt: skip


def _cost(message: RawMessage) -> int:
    return len(message.payload) + len(message.topic.encode("utf-8", "replace")) + MESSAGE_COST


def _entry(row: QuarantineRow) -> QuarantineEntry:
    return QuarantineEntry(
        row.id, row.topic, row.reason, row.detail, row.payload, row.payload_size, row.first_us, row.last_us, row.count,
        row.gateway, row.facts, row.kept, row.kept_bytes, row.replayed, row.replayed_us,
    )  # fmt: skip


def _shortened(topic: str) -> str:
    return topic if len(topic) <= _MAX_TOPIC else topic[:_MAX_TOPIC] + "…"


def _sample_key(topic: str, reason: str) -> str:
    # A topic may be 64 KiB long: its digest is the key.
    return f"{reason}:{hashlib.blake2b(topic.encode('utf-8', 'replace'), digest_size=16).hexdigest()}"
