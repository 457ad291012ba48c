"""Births and deaths in the relational database, so that they outlast the collector."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from collector.mapping import TopicMap
from collector.sparkplug.changes import BirthRecord, Mark, Owner, notices_of
from facility.database import Base, Database, Microseconds
from facility.readings import StaleNotice
from facility.site import Site


class SparkplugBirthRow(Base):
    """The last birth of one edge node or device."""

    __tablename__ = "sparkplug_births"

    group_id: Mapped[str] = mapped_column(primary_key=True)
    node_id: Mapped[str] = mapped_column(primary_key=True)
    device_id: Mapped[str] = mapped_column(primary_key=True)
    bd_seq: Mapped[Microseconds | None]
    born_us: Mapped[Microseconds]
    died_us: Mapped[Microseconds | None]
    payload: Mapped[bytes]


class Births:
    """The table of births. Safe to use from several threads and processes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self) -> Sequence[BirthRecord]:
        """Return all that is known; StoreUnavailable if the database cannot be read."""
        with self._database.reading() as session:
            return [
                BirthRecord(
                    Owner(row.group_id, row.node_id, row.device_id), row.bd_seq, row.born_us, row.died_us, row.payload
                )
                for row in session.scalars(select(SparkplugBirthRow))
            ]

    def save(self, records: Iterable[BirthRecord]) -> None:
        """Keep records in place of those before; when this returns they are durable. StoreUnavailable: try again."""
        rows = [
            {
                "group_id": record.owner.group, "node_id": record.owner.node, "device_id": record.owner.device,
                "bd_seq": record.bd_seq, "born_us": record.born_us, "died_us": record.died_us,
                "payload": record.payload,
            }
            for record in records
        ]  # fmt: skip
        # Several collectors may hear the same birth at once: one statement, not a look and then a write.
        insert = (sqlite if self._database.sqlite else postgresql).insert(SparkplugBirthRow)
        told = {name: insert.excluded[name] for name in ("bd_seq", "born_us", "died_us", "payload")}
        upsert = insert.on_conflict_do_update(index_elements=["group_id", "node_id", "device_id"], set_=told)
        with self._database.session() as session:
            session.execute(upsert, rows)


def offline_points(site: Site, births: Births) -> Sequence[StaleNotice]:
    """
    Return which points are offline by what gateways said last: for processes that serve pages and collect nothing.

    Raises
    ------
    StoreUnavailable
        If the database cannot be read.
    """
    topics = TopicMap(site)
    plans = {Owner(t.group, t.node, t.device): plan for t, plan in topics.sparkplug_plans().items()}
    if not plans:
        return ()
    points = {owner: topics.points_of(plan) for owner, plan in plans.items()}
    return notices_of(stale_by(births.load(), points))


def living_points(site: Site, births: Births) -> NDArray[np.int32]:
    """
    Return the points whose devices were born and have not died, by what gateways said last: for the same processes.

    Raises
    ------
    StoreUnavailable
        If the database cannot be read.
    """
    topics = TopicMap(site)
    alive = {record.owner for record in births.load() if record.died_us is None}
    found = [
        topics.points_of(plan)
        for t, plan in topics.sparkplug_plans().items()
        if {Owner(t.group, t.node, ""), Owner(t.group, t.node, t.device)} <= alive
    ]
    return np.array([point for points in found for point in points], dtype=np.int32)


def stale_by(records: Iterable[BirthRecord], points: Mapping[Owner, Sequence[int]]) -> dict[int, Mark]:
    """Return the points that the deaths on record make stale; a node's death is that of all its devices."""
    stale: dict[int, Mark] = {}
    for record in sorted(records, key=lambda r: bool(r.owner.device)):
        if record.died_us is None:
            continue
        mark = Mark(record.died_us, record.owner)
        for owner, mine in points.items():
            if owner == record.owner or (not record.owner.device and owner[:2] == record.owner[:2]):
                for point in mine:
                    # The node's death came first in this order, but the device may have died before it.
                    stale[point] = min(stale.get(point, mark), mark)
    return stale
