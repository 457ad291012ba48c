"""What could not be understood, kept for a person: by topic and reason, counted, with a sample of the payload."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.orm import Mapped, mapped_column

from facility.database import Base, Database, Identity, Microseconds

KEPT_BYTES: Final = 64 * 1024  # of a payload
MAX_ROWS: Final = 10_000
MAX_SAMPLE_BYTES: Final = 64 * 1024 * 1024  # of all samples together; then only beginnings are kept
OVERFLOW_TOPIC: Final = "(more topics)"
_BEGINNING = 256
_LATER: Final = frozenset({"unknown-key"})
_LATER_S = 5.0
_MAX_TOPIC = 1024
_MAX_DETAIL = 2000


class QuarantineRow(Base):
    """One topic with one reason."""

    __tablename__ = "quarantine"

    id: Mapped[Identity]
    topic: Mapped[str]
    reason: Mapped[str] = mapped_column(index=True)
    detail: Mapped[str]
    payload: Mapped[bytes]
    payload_size: Mapped[int]
    sample_key: Mapped[str] = mapped_column(unique=True)
    first_us: Mapped[Microseconds]
    last_us: Mapped[Microseconds] = mapped_column(index=True)
    count: Mapped[int]
    gateway: Mapped[str | None]
    replayed_us: Mapped[Microseconds | None]


@dataclass(frozen=True, slots=True)
class QuarantineEntry:
    """
    One topic with one reason, as pages and API show it.

    `payload` holds the beginning of the newest such payload (at most 64 KiB), `payload_size` its full size [bytes];
    `detail` says what is wrong with it and what to do.
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

    def text(self, limit: int = 2000) -> str:
        """Return the payload's beginning as text, with what is not UTF-8 shown as an escape."""
        return self.payload[:limit].decode("utf-8", "backslashreplace")


@dataclass(slots=True)
class Rejection:
    """What is to be added to one row."""

    topic: str
    reason: str
    detail: str
    payload: bytes
    payload_size: int
    first_us: int
    last_us: int
    count: int
    gateway: str | None


class Rejections:
    """The rejections of one batch, added up; `bytes` is about the memory they hold."""

    __slots__ = ("bytes", "count", "rows")

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Rejection] = {}
        self.count = 0
        self.bytes = 0

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Rejection]:
        return iter(self.rows.values())

    def add(
        self,
        topic: str,
        reason: str,
        detail: str | Callable[[], str],
        payload: bytes,
        size: int,
        at_us: int,
        gateway: str | None = None,
    ) -> None:
        """Count one message or value; detail and payload of the first one in the batch stand for all."""
        self.count += 1
        row = self.rows.get((topic, reason))
        if row is not None:
            row.count += 1
            row.last_us = at_us
            return
        text = detail if isinstance(detail, str) else detail()
        self.rows[topic, reason] = Rejection(
            topic, reason, text[:_MAX_DETAIL], bytes(payload[:KEPT_BYTES]), size, at_us, at_us, 1, gateway
        )
        self.bytes += min(size, KEPT_BYTES) + len(topic) + len(text) + 500


class Quarantine:
    """
    The quarantine's table. Safe to use from several threads of one process.

    However many topics and payloads a publisher invents, it holds at most `max_rows` rows, half of them of unknown
    topics (what comes beyond is counted in one row a reason), and about `max_sample_bytes` of payloads.
    """

    def __init__(
        self, database: Database, *, max_rows: int = MAX_ROWS, max_sample_bytes: int = MAX_SAMPLE_BYTES
    ) -> None:
        self._database = database
        self._max_rows = max_rows
        self._max_sample_bytes = max_sample_bytes
        self._lock = threading.Lock()
        self._sizes: dict[str, int] | None = None  # sample_key -> bytes of payload kept
        self._used = 0
        self._later: dict[str, Rejection] = {}
        self._written_s = 0.0

    def record(self, rejections: Iterable[Rejection]) -> None:
        """
        Add a batch of rejections; when this returns they are durable.

        Only the counts of keys that nobody has mapped may be up to five seconds behind: a gateway that sends one such
        key with every message would otherwise cost a disk flush a batch, and its readings are stored anyway.

        Raises
        ------
        StoreUnavailable
            If the database cannot be written; nothing was added, try again.
        """
        with self._lock:
            sizes = self._known()
            now: dict[str, Rejection] = {}
            later = dict(self._later)
            for item in rejections:
                topic, key = item.topic, _sample_key(item.topic, item.reason)
                # Topics can be invented without end; what the site's own machines send wrong keeps its place.
                most = self._max_rows // 2 if item.reason == "unknown-topic" else self._max_rows
                if key not in sizes and key not in now and len(sizes) + len(now) >= most:
                    topic, key = OVERFLOW_TOPIC, _sample_key(OVERFLOW_TOPIC, item.reason)
                into = later if item.reason in _LATER and key in sizes else now
                before = into.get(key)
                into[key] = replace(item, topic=topic) if before is None else replace(
                    item, topic=topic, first_us=before.first_us, count=before.count + item.count
                )  # fmt: skip
            if now:
                self._write(now)
            self._later = later
            if later and time.monotonic() - self._written_s >= _LATER_S:
                self._write(later)
                self._later = {}

    def flush(self) -> None:
        """Write the counts that may be behind; StoreUnavailable if the database cannot be written."""
        with self._lock:
            if self._later:
                self._write(self._later)
                self._later = {}

    def _write(self, rows: Mapping[str, Rejection]) -> None:
        sizes, used = self._known(), self._used
        kept: dict[str, int] = {}
        values: dict[bool, list[dict[str, object]]] = {True: [], False: []}
        for key, item in rows.items():
            old = sizes.get(key, 0)
            payload = item.payload[: max(self._max_sample_bytes - used + old, _BEGINNING)]
            used += len(payload) - old
            kept[key] = len(payload)
            values[key in sizes].append(
                {
                    "key": key, "topic": _shortened(item.topic), "reason": item.reason, "detail": item.detail,
                    "payload": payload, "payload_size": item.payload_size, "first_us": item.first_us,
                    "last_us": item.last_us, "count": item.count, "gateway": item.gateway,
                }
            )  # fmt: skip
        with self._database.session() as session:
            connection = session.connection()
            if values[True]:
                connection.execute(_UPDATE, [{f"new_{k}": v for k, v in row.items()} for row in values[True]])
            if values[False]:
                connection.execute(
                    insert(QuarantineRow), [{("sample_key" if k == "key" else k): v for k, v in row.items()}
                                            for row in values[False]]
                )  # fmt: skip
        sizes.update(kept)
        self._used = used
        self._written_s = time.monotonic()

    def _known(self) -> dict[str, int]:
        if self._sizes is None:
            with self._database.reading() as session:
                rows = session.execute(select(QuarantineRow.sample_key, func.length(QuarantineRow.payload)))
                self._sizes = {str(key): int(size) for key, size in rows}
            self._used = sum(self._sizes.values())
        return self._sizes

    def entries(self, limit: int = 200, offset: int = 0, reason: str | None = None) -> Sequence[QuarantineEntry]:
        """Return rows, the most recent first; only those of one reason, if it is given."""
        query = select(QuarantineRow).order_by(QuarantineRow.last_us.desc(), QuarantineRow.id.desc())
        if reason is not None:
            query = query.where(QuarantineRow.reason == reason)
        with self._database.reading() as session:
            return [_entry(row) for row in session.scalars(query.limit(limit).offset(offset))]

    def entry(self, entry_id: int) -> QuarantineEntry | None:
        """Return one row, or None if there is none of this id."""
        with self._database.reading() as session:
            row = session.get(QuarantineRow, entry_id)
            return _entry(row) if row is not None else None

    def total(self) -> int:
        """Return how many messages and values were rejected, as the rows still count them."""
        with self._database.reading() as session:
            return int(session.scalar(select(func.coalesce(func.sum(QuarantineRow.count), 0))) or 0)

    def by_reason(self) -> Mapping[str, int]:
        """Return how many were rejected for each reason, the most frequent first."""
        total = func.sum(QuarantineRow.count)
        query = select(QuarantineRow.reason, total).group_by(QuarantineRow.reason).order_by(total.desc())
        with self._database.reading() as session:
            return {reason: int(count) for reason, count in session.execute(query)}

    def samples(self, ids: Sequence[int]) -> Sequence[QuarantineEntry]:
        """Return the named rows whose sample is the whole payload, so that it can be decoded again."""
        query = select(QuarantineRow).where(QuarantineRow.id.in_(list(ids)), QuarantineRow.topic != OVERFLOW_TOPIC)
        with self._database.reading() as session:
            found = [_entry(row) for row in session.scalars(query)]
        return [entry for entry in found if len(entry.payload) == entry.payload_size]

    def discard(self, ids: Sequence[int]) -> int:
        """Delete rows, for instance once the mapping is mended; return how many there were."""
        with self._lock:
            with self._database.session() as session:
                keys = list(session.scalars(delete(QuarantineRow).where(QuarantineRow.id.in_(list(ids)))
                                            .returning(QuarantineRow.sample_key)))  # fmt: skip
            for key in keys:
                self._used -= self._known().pop(key, 0)
                self._later.pop(key, None)
        return len(keys)


_UPDATE = (
    update(QuarantineRow)
    .where(QuarantineRow.sample_key == bindparam("new_key"))
    .values(
        count=QuarantineRow.count + bindparam("new_count"),
        last_us=bindparam("new_last_us"),
        detail=bindparam("new_detail"),
        payload=bindparam("new_payload"),
        payload_size=bindparam("new_payload_size"),
        gateway=bindparam("new_gateway"),
        replayed_us=None,
    )
)


def _entry(row: QuarantineRow) -> QuarantineEntry:
    return QuarantineEntry(
        row.id, row.topic, row.reason, row.detail, row.payload, row.payload_size, row.first_us, row.last_us, row.count,
        row.gateway,
    )  # fmt: skip


def _shortened(topic: str) -> str:
    return topic if len(topic) <= _MAX_TOPIC else topic[:_MAX_TOPIC] + "…"


def _sample_key(topic: str, reason: str) -> str:
    # A topic may be 64 KiB long: its digest is the key.
    return f"{reason}:{hashlib.blake2b(topic.encode('utf-8', 'replace'), digest_size=16).hexdigest()}"
