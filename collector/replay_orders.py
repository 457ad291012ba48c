"""Replay orders: who wants what decoded again, and how far it has come. They lie in the database.

So an order goes on after a crash where it stood, and the command line reaches the service that holds the store.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from collector.quarantine import Quarantine
from collector.quarantine_tables import QuarantineOrder
from facility.database import Database

State = Literal["waiting", "running", "done"]
# An order whose process has not been heard of for so long is taken over: that process is dead. [µs]
ABANDONED_US: Final = 20_000_000
_REMEMBERED: Final = 50

Note = Callable[[Session, "Order"], None]


@dataclass(frozen=True, slots=True)
class Order:
    """
    One order.

    Attributes
    ----------
    entries : the rows whose messages are decoded again; None: all
    state : `waiting` for a service, `running`, `done`
    total, done : messages to decode, and decoded so far
    understood, moved : of these, how many left the quarantine, and how many are refused for another reason now
    readings : values written
    cursor, up_to : id of the last message that is done, and of the last that belongs to the order
    error : what stands in the way, in words; empty if nothing does
    """

    id: int
    at_us: int
    who: str
    entries: tuple[int, ...] | None
    state: State
    total: int
    done: int
    understood: int
    moved: int
    readings: int
    cursor: int
    up_to: int
    finished_us: int | None
    error: str

    @property
    def still(self) -> int:
        """Return how many messages were decoded again and are refused as before."""
        return self.done - self.understood - self.moved

    def advanced(self, *, cursor: int, done: int, understood: int, moved: int, readings: int, error: str) -> Order:
        """Return the order after so much more was done."""
        return replace(
            self, cursor=cursor, done=self.done + done, understood=self.understood + understood,
            moved=self.moved + moved, readings=self.readings + readings, error=error,
        )  # fmt: skip


def _nothing(_session: Session, _order: Order) -> None:
    return None


class Orders:
    """
    The book of orders. Safe to use from several threads and processes.

    `finished` is called within the transaction in which an order becomes done, for the audit trail.
    """

    def __init__(self, database: Database, quarantine: Quarantine, finished: Note = _nothing) -> None:
        self._database = database
        self._quarantine = quarantine
        self._finished = finished

    def give(self, who: str, entries: Sequence[int] | None, now_us: int, also: Note = _nothing) -> Order:
        """
        Write down an order for what these rows hold now (None: all rows); `also` writes in the same transaction.

        One for the same rows that nobody has begun yet takes this one in: a button that is pressed again makes no work.
        """
        up_to = self._quarantine.newest_message()
        total = self._quarantine.count_messages(entries, 0, up_to)
        with self._database.session() as session:
            same = _widened(session, list(entries) if entries is not None else None, up_to, total)
            if same is not None:
                order = _order(same)
                also(session, order)
                return order
            row = QuarantineOrder(
                at_us=now_us, who=who, entries=list(entries) if entries is not None else None, state="waiting",
                total=total, done=0, understood=0, moved=0, readings=0, cursor=0, up_to=up_to, heartbeat_us=now_us,
                finished_us=None, error="",
            )  # fmt: skip
            session.add(row)
            session.flush()
            order = _order(row)
            also(session, order)
            old = session.scalars(
                select(QuarantineOrder).where(QuarantineOrder.state == "done").order_by(QuarantineOrder.id.desc())
                .offset(_REMEMBERED)
            )  # fmt: skip
            for one in old:
                session.delete(one)
        return order

    def claim(self, now_us: int) -> Order | None:
        """Take the oldest order that nobody is at work on; None if there is none."""
        free = or_(
            QuarantineOrder.state == "waiting",
            (QuarantineOrder.state == "running") & (QuarantineOrder.heartbeat_us < now_us - ABANDONED_US),
        )
        with self._database.reading() as session:
            if session.scalar(select(QuarantineOrder.id).where(free).limit(1)) is None:
                return None
        with self._database.session() as session:
            first = select(QuarantineOrder.id).where(free).order_by(QuarantineOrder.id).limit(1)
            taken = session.scalars(
                update(QuarantineOrder)
                .where(QuarantineOrder.id == first.with_for_update(skip_locked=True).scalar_subquery())
                .values(state="running", heartbeat_us=now_us)
                .returning(QuarantineOrder)
            ).one_or_none()
            return _order(taken) if taken is not None else None

    def note(self, session: Session, order: Order, now_us: int) -> None:
        """Write down how far an order has come, within the caller's transaction."""
        session.execute(
            update(QuarantineOrder)
            .where(QuarantineOrder.id == order.id)
            .values(
                done=order.done, understood=order.understood, moved=order.moved, readings=order.readings,
                cursor=order.cursor, error=order.error, heartbeat_us=now_us,
            )
        )  # fmt: skip

    def release(self, order_id: int) -> None:
        """Let another process go on with an order, or this one after its restart."""
        with self._database.session() as session:
            session.execute(update(QuarantineOrder).where(QuarantineOrder.id == order_id).values(state="waiting"))

    def note_error(self, order_id: int, words: str, now_us: int) -> None:
        """Write down what stands in the way; the order waits to be taken up again."""
        with self._database.session() as session:
            session.execute(
                update(QuarantineOrder)
                .where(QuarantineOrder.id == order_id)
                .values(error=words[:2000], state="waiting", heartbeat_us=now_us)
            )

    def finish(self, order: Order, now_us: int) -> Order:
        """Note that an order is done."""
        done = replace(order, state="done", finished_us=now_us)
        with self._database.session() as session:
            session.execute(
                update(QuarantineOrder)
                .where(QuarantineOrder.id == order.id)
                .values(state="done", finished_us=now_us, heartbeat_us=now_us)
            )
            self._finished(session, done)
        return done

    def order(self, order_id: int) -> Order | None:
        """Return an order, or None if there is none of this id."""
        with self._database.reading() as session:
            row = session.get(QuarantineOrder, order_id)
            return _order(row) if row is not None else None

    def newest(self, limit: int = 5) -> Sequence[Order]:
        """Return orders, the newest first."""
        with self._database.reading() as session:
            query = select(QuarantineOrder).order_by(QuarantineOrder.id.desc()).limit(limit)
            return [_order(row) for row in session.scalars(query)]


def _widened(session: Session, entries: list[int] | None, up_to: int, total: int) -> QuarantineOrder | None:
    """Let an order for the same rows that is not begun reach up to `up_to`, and return it; None if there is none."""
    fresh = (QuarantineOrder.state == "waiting") & (QuarantineOrder.done == 0) & (QuarantineOrder.cursor == 0)
    for row in session.scalars(select(QuarantineOrder).where(fresh).order_by(QuarantineOrder.id)):
        if row.entries == entries:
            return session.scalars(
                update(QuarantineOrder)
                .where(QuarantineOrder.id == row.id, fresh)
                .values(up_to=up_to, total=total)
                .returning(QuarantineOrder)
            ).one_or_none()
    return None


def _order(row: QuarantineOrder) -> Order:
    return Order(
        row.id, row.at_us, row.who, tuple(row.entries) if row.entries is not None else None, row.state,  # type: ignore[arg-type]
        row.total, row.done, row.understood, row.moved, row.readings, row.cursor, row.up_to, row.finished_us, row.error,
    )  # fmt: skip
