"""A service that is killed and started again: no alert lost, none told twice. The store and the database are real."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analytics.desk import Desk
from analytics.live import LiveRules
from facility.database import Database
from facility.readings import ReadingBatch
from facility.site import Site
from facility.store.duckdb import DuckDBStore

S = 1_000_000
T0 = 1_795_140_000 * S
WINDING = "tx1/winding_temperature_a"


class Service:
    """Store, rules and desk of one run of the service; what it has not written is gone when it is killed."""

    def __init__(self, site: Site, store: DuckDBStore, database: Database, now_s: float) -> None:
        self.site, self.store, self.now_us = site, store, T0 + round(now_s * S)
        self.desk = Desk(database, site, lambda: self.now_us)
        self.rules = LiveRules(site)
        self.desk.take_events(self.rules.resume(store, self.desk.open_tiers(), self.now_us))

    def read(self, second: float, value: float, *, killed_before_telling: bool = False) -> None:
        self.now_us = T0 + round(second * S)
        batch = ReadingBatch.of(self.site.points, [self.site.points.index[WINDING]], [self.now_us], [value])
        self.store.write(batch)
        events = self.rules.evaluate(batch, self.now_us)
        if not killed_before_telling:
            self.desk.take_events(events)


def story(desk: Desk) -> list[tuple[str, str, int | None]]:
    return [
        (a.limit_id, a.state, None if a.resolved_us is None else (a.resolved_us - T0) // S)
        for a in reversed(desk.alerts())
    ]  # fmt: skip


# The winding is at 121 °C from 0 to 200 s and cool after; the limit is 120 °C for 60 s.
READINGS = [(s, 121.0 if s <= 200 else 90.0) for s in range(0, 300, 10)]


@pytest.mark.parametrize("killed_after", [-1, 0, 30, 50, 60, 70, 190, 200, 210, 220, 290])
@pytest.mark.parametrize("before_telling", [False, True])
def test_a_kill_at_any_moment_changes_nothing(
    site: Site, tmp_path: Path, database: Database, killed_after: int, before_telling: bool
) -> None:
    with DuckDBStore(tmp_path / "t.duckdb") as store:
        service = Service(site, store, database, -10)
        for second, value in READINGS:
            service.read(second, value, killed_before_telling=before_telling and second == killed_after)
            if second == killed_after:
                service = Service(site, store, database, second + 1)
        # An episode that was over before anybody could tell it may stay untold, but never half told.
        assert story(service.desk) == [("EL-L16/warn", "resolved", 210)]
        assert len(service.desk.tickets()) == len(service.desk.findings()) == 1
        events = [e.kind for e in service.desk.ticket_events(service.desk.tickets()[0].id)]
        assert events == ["opened", "cleared"]


def test_readings_that_came_while_the_service_was_down_are_judged(
    site: Site, tmp_path: Path, database: Database
) -> None:
    with DuckDBStore(tmp_path / "t.duckdb") as store:
        seconds = np.arange(0, 120, 10)
        index = site.points.index[WINDING]
        store.write(ReadingBatch.of(site.points, np.full(12, index), T0 + seconds * S, np.full(12, 121.0)))
        service = Service(site, store, database, 125)
        assert story(service.desk) == [("EL-L16/warn", "firing", None)]
        assert service.desk.open_alerts()[0].fired_us == T0 + 60 * S
