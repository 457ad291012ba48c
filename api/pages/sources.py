"""What the pages read: the site, the newest readings, the desk, the quarantine, and how the collector fares."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeVar, cast
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from analytics.data_health.plan import fresh_with_inputs
from analytics.desk import Desk
from analytics.maintenance.tickets import SYSTEM
from analytics.records import Alert, StoredFinding, Ticket
from api.context import Context
from api.health_state import plan_of
from api.live import Snapshot
from api.security.users import Person
from collector.quarantine import Quarantine
from collector.status import CollectorStatus
from facility.database import Database, read_setting
from facility.equipment_classes import PointSpec
from facility.readings import Latest, PointTable
from facility.site import Site
from facility.store import TelemetryStore
from facility.store.spooled import SpoolStatus

PRIORITIES: Final = ("P1", "P2", "P3", "P4")
# Priorities that interrupt somebody; P4 is advice, and stands outside every count of alarms.
ALARMS: Final = ("P1", "P2", "P3")
_MOST_LISTED: Final = 500
# A point may miss two of its intervals before its value counts as stale; heartbeats of a few seconds get a floor.
STALE_INTERVALS: Final = 3.0
STALE_FLOOR_S: Final = 30.0
SIMULATION_SETTING: Final = "simulation.history_written"  # set by api.simulation
SIMULATION: Final = "simulation"  # as which api.simulation enters what a person would

T = TypeVar("T")


class Desktop:
    """
    The desk as pages read it: the lists that stand on every page, kept for a second or until the desk changes.

    Many readers with a live page would otherwise ask the database for the same lists each second.
    """

    def __init__(
        self,
        desk: Desk,
        people: Callable[[], Sequence[Person]],
        simulated: Callable[[], bool] = lambda: False,
        hold_s: float = 1.0,
    ) -> None:
        self.desk = desk
        self._read_people = people
        self._read_simulated = simulated
        self._hold_s = hold_s
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, Any]] = {}
        desk.subscribe(lambda _change: self.forget())

    def forget(self) -> None:
        """Read everything anew at the next question."""
        with self._lock:
            self._kept.clear()

    def _held(self, name: str, read: Callable[[], T]) -> T:
        with self._lock:
            kept = self._kept.get(name)
        if kept is not None and time.monotonic() - kept[0] < self._hold_s:
            return cast(T, kept[1])
        found = read()
        with self._lock:
            self._kept[name] = (time.monotonic(), found)
        return found

    def open_alerts(self) -> Sequence[Alert]:
        """Return what still wants attention, P1 that is over but was never acknowledged included."""
        return self._held("alerts", self.desk.open_alerts)

    def recent_alerts(self) -> Sequence[Alert]:
        """Return the newest alerts, open and over."""
        return self._held("recent", lambda: self.desk.alerts(limit=_MOST_LISTED))

    def open_tickets(self) -> Sequence[Ticket]:
        """Return the tickets that are not closed, newest first."""
        return self._held("tickets", self._read_open_tickets)

    def _read_open_tickets(self) -> Sequence[Ticket]:
        found = [t for state in ("open", "assigned") for t in self.desk.tickets(state=state, limit=_MOST_LISTED)]
        return sorted(found, key=lambda t: -t.created_us)

    def open_findings(self) -> Sequence[StoredFinding]:
        """Return the findings that have not ended."""
        return self._held("findings", lambda: self.desk.findings(active=True, limit=_MOST_LISTED))

    def people(self) -> Sequence[Person]:
        """Return everybody to whom work may be given."""
        return self._held("people", self._read_people)

    def simulated(self) -> bool:
        """Return True if the hospital is one in software: no page may let it pass for real."""
        return self._held("simulated", self._read_simulated)

    def called(self, who: str | None) -> str:
        """Return what a person is called on pages; a name that is no user's stands as it is."""
        return next((p.display_name for p in self.people() if p.name == who), who or "")


def simulation_begun(database: Database) -> bool:
    """Return True if a hospital in software has written its past into this database."""
    with database.reading() as session:
        return read_setting(session, SIMULATION_SETTING) is not None


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything a page may read."""

    site: Site
    store: TelemetryStore
    desk: Desktop
    quarantine: Quarantine
    context: Context

    @classmethod
    def of(cls, context: Context, desktop: Desktop) -> Sources:
        """Return the sources of an application's context."""
        return cls(context.site, context.store, desktop, context.quarantine, context)

    def now_us(self) -> int:
        """Return the time now. [µs UTC]"""
        return self.context.now_us()

    def snapshot(self) -> Snapshot:
        """Return the newest reading of every point."""
        return self.context.snapshot()

    def collector_state(self) -> CollectorStatus | None:
        """Return how the collector fares; None where none runs in this process."""
        return self.context.collector_state()

    def spool_state(self) -> SpoolStatus | None:
        """Return how the spool and the store behind it stand; None where this process writes no readings."""
        return self.context.spool_state()

    def live(self) -> Live:
        """Return the newest readings at this moment."""
        return Live(self.site, self.snapshot(), self.now_us())


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """
    How a site's points lie in its table, worked out once a site.

    Attributes
    ----------
    stale_after_us : (points,) int64
        Age beyond which a point's last reading no longer speaks for now. [µs]
    measured : (points,) bool
        Whether a point is measured; the others are computed from those.
    of_machine : the points of each machine, which stand together
    """

    stale_after_us: NDArray[np.int64]
    measured: NDArray[np.bool_]
    of_machine: Mapping[str, slice]


_LAYOUTS: WeakKeyDictionary[PointTable, Layout] = WeakKeyDictionary()


def layout_of(site: Site) -> Layout:
    """Return the layout of a site's points."""
    table = site.points
    if table not in _LAYOUTS:
        ages: list[float] = []
        measured: list[bool] = []
        ranges: dict[str, slice] = {}
        for item in site.equipment.values():
            ranges[item.id] = slice(len(ages), len(ages) + len(item.points))
            ages += [stale_after_us(spec) for spec in item.points.values()]
            measured += [spec.kind != "derived" for spec in item.points.values()]
        _LAYOUTS[table] = Layout(np.array(ages, dtype=np.int64), np.array(measured, dtype=np.bool_), ranges)
    return _LAYOUTS[table]


def stale_after_us(spec: PointSpec) -> int:
    """Return the age beyond which a point's last reading is stale: some of its intervals, and a floor. [µs]"""
    return int(max(STALE_INTERVALS * spec.every, STALE_FLOOR_S) * 1e6)


@dataclass(frozen=True)
class Live:
    """The newest readings at one moment, asked for by `equipment/point`."""

    site: Site
    snapshot: Snapshot
    now_us: int

    def reading(self, key: str) -> Latest | None:
        """Return the newest reading of a point, or None if none has ever arrived."""
        index = self.site.points.index.get(key)
        if index is None or self.snapshot.time_us[index] <= 0:
            return None
        s = self.snapshot
        offline_us = int(s.offline_us[index]) or None
        return Latest(
            int(s.time_us[index]), float(s.value[index]), int(s.quality[index]), offline_us, int(s.held_us[index])
        )

    def speaks(self, key: str) -> bool:
        """Return True if a point speaks for now; a computed one does if all that it is made of does."""
        index = self.site.points.index.get(key)
        return index is not None and bool(self.fresh[index])

    @cached_property
    def fresh(self) -> NDArray[np.bool_]:
        """Return for each point of the table whether its last reading still speaks for now."""
        time_us = np.maximum(self.snapshot.time_us, self.snapshot.held_us)
        fresh: NDArray[np.bool_] = (time_us > 0) & (self.now_us - time_us <= layout_of(self.site).stale_after_us)
        # What a machine that stands still does not compute is not late: it is as fresh as what it is made of.
        return fresh_with_inputs(plan_of(self.site), fresh & (self.snapshot.offline_us == 0))


def is_system(who: str | None) -> bool:
    """Return True if the service itself did something, not a person."""
    return who == SYSTEM
