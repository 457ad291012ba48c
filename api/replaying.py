"""Replay and discarding of the quarantine, with their lines in the audit trail: for API, pages and command alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from api.security import audit
from api.security.logins import Identity
from collector.quarantine import Quarantine
from collector.replay_orders import Order, Orders
from facility.database import Database

if TYPE_CHECKING:
    # Brings FastAPI along, which a process without pages does without.
    from api.context import Context

COMMAND = "command"


def orders_of(database: Database, quarantine: Quarantine) -> Orders:
    """Return the book of orders; whoever finishes one leaves a line in the audit trail."""

    def finished(session: Session, order: Order) -> None:
        audit.record(
            session, order.finished_us or order.at_us, order.who, "quarantine-replayed", f"replay {order.id}",
            {
                "messages": order.done, "understood": order.understood, "moved": order.moved, "still": order.still,
                "readings": order.readings,
            },
        )  # fmt: skip

    return Orders(database, quarantine, finished)


def give_order(
    database: Database, quarantine: Quarantine, entries: Sequence[int] | None, now_us: int, who: str, by: str
) -> Order:
    """Order a replay of these rows (None: all), and note who did."""

    def also(session: Session, order: Order) -> None:
        what = {"messages": order.total, "rows": len(entries) if entries is not None else "all", "by": by}
        audit.record(session, now_us, who, "quarantine-replay-ordered", f"replay {order.id}", what)

    return orders_of(database, quarantine).give(who, entries, now_us, also)


def replay(here: Context, user: Identity, entries: Sequence[int] | None) -> Order:
    """Order a replay for a person or a program that is logged in."""
    order = give_order(here.database, here.quarantine, entries, here.clock(), user.name, user.by)
    if here.replays is not None:
        here.replays.wake()
    return order


def discard(
    database: Database, quarantine: Quarantine, entries: Sequence[int], clock: Callable[[], int], who: str, by: str
) -> int:
    """Delete rows with their messages and note who did, and what they were; return how many there were."""
    known = [entry for entry in map(quarantine.entry, entries) if entry is not None]
    done = quarantine.discard([entry.id for entry in known])
    if known:
        what = {
            "rows": [{"topic": e.topic[:200], "reason": e.reason, "count": e.count} for e in known[:50]],
            "count": sum(e.count for e in known), "by": by,
        }  # fmt: skip
        with database.session() as session:
            audit.record(session, clock(), who, "quarantine-discarded", f"quarantine, {len(known)} rows", what)
    return done
