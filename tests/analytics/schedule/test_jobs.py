"""Jobs run by themselves, survive what fails, and stop when told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from analytics.desk import Desk
from analytics.schedule import Jobs
from facility.database import Database
from facility.errors import StoreUnavailable
from facility.readings import Latest, ReadingBatch
from facility.site import Site
from facility.store import Level, TelemetryStore
from facility.store.duckdb import DuckDBStore

S = 1_000_000
NOW = 1_795_140_000 * S


def eventually(condition: Callable[[], bool], seconds: float = 30) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def test_jobs_begin_at_once_and_stop(site: Site, tmp_path: Path, database: Database) -> None:
    rng = np.random.default_rng(5)
    with DuckDBStore(tmp_path / "t.duckdb") as store:
        for point in ("pressure", "flow", "current"):
            values = rng.normal(100, 1, 900)
            values[700:] += 15
            index = site.points.index[f"p1/{point}"]
            times = NOW - 900 * S + np.arange(900) * S
            store.write(ReadingBatch.of(site.points, np.full(900, index), times, values))
        desk = Desk(database, site, lambda: NOW)
        jobs = Jobs(site, store, desk, database, lambda: NOW)
        jobs.start()
        codes = {"machine.unusual", "water.night_flow", "power.low_factor"}
        assert eventually(lambda: codes <= {f.code for f in desk.findings()})
        jobs.stop()
        jobs.stop()
        assert not any(t.name.startswith("APScheduler") for t in threading.enumerate() if t.is_alive())


def test_readings_older_than_the_site_keeps_them_go_and_their_roll_ups_stay(
    site: Site, tmp_path: Path, database: Database
) -> None:
    with DuckDBStore(tmp_path / "t.duckdb") as store:
        old_us, day_us = NOW - 500 * 86_400 * S, 86_400 * S
        index = site.points.index["p1/flow"]
        store.write(ReadingBatch.of(site.points, [index, index], [old_us, NOW], [3.0, 4.0]))
        Jobs(site, store, Desk(database, site, lambda: NOW), database, lambda: NOW).expire()
        assert store.series(["p1/flow"], 0, NOW + 1)["p1/flow"].value.tolist() == [4.0]
        assert store.rollup(["p1/flow"], Level.DAY, old_us - day_us, NOW)["p1/flow"].mean.tolist() == [3.0, 4.0]


def test_a_clock_that_has_jumped_ahead_deletes_nothing(site: Site, tmp_path: Path, database: Database) -> None:
    with DuckDBStore(tmp_path / "t.duckdb") as store:
        index = site.points.index["p1/flow"]
        store.write(ReadingBatch.of(site.points, [index, index], [NOW - 86_400 * S, NOW], [3.0, 4.0]))
        ahead_us = NOW + 10 * 365 * 86_400 * S
        Jobs(site, store, Desk(database, site, lambda: NOW), database, lambda: ahead_us).expire()
        assert store.size().readings == 2


class AwayStore:
    """A store that cannot be reached for a while."""

    def __init__(self, store: TelemetryStore) -> None:
        self._store, self.away = store, True

    def __getattr__(self, name: str) -> object:
        if self.away and name in ("aggregate", "series"):
            raise StoreUnavailable("the store is away")
        return getattr(self._store, name)

    def latest(self, keys: Sequence[str] | None = None) -> Mapping[str, Latest]:
        return self._store.latest(keys)


def test_a_store_that_is_away_is_waited_for(site: Site, tmp_path: Path, database: Database) -> None:
    now = [NOW]
    with DuckDBStore(tmp_path / "t.duckdb") as real:
        for point in ("pressure", "flow", "current"):
            index = site.points.index[f"p1/{point}"]
            values = np.random.default_rng(index).normal(100, 1, 900)
            values[700:] += 15
            real.write(ReadingBatch.of(site.points, np.full(900, index), NOW - 900 * S + np.arange(900) * S, values))
        store = AwayStore(real)
        desk = Desk(database, site, lambda: now[0])
        jobs = Jobs(site, store, desk, database, lambda: now[0])  # type: ignore[arg-type]
        jobs.run_waste_rules()
        jobs.judge_machines()
        assert desk.findings() == []
        store.away = False
        now[0] += 61 * S
        jobs.judge_machines()
        assert [f.code for f in desk.findings()] == ["machine.unusual"]


def test_machines_take_turns(site_of: Callable[[str], Site], tmp_path: Path, database: Database) -> None:
    head = "site: {id: x, name: {zh: 院, en: H}}\nequipment:\n"
    many = site_of(head + "".join(f"  - {{id: p{i}, class: pump, anomaly: {{learn: 100 s}}}}\n" for i in range(7)))
    with DuckDBStore(tmp_path / "t.duckdb") as store:
        rng = np.random.default_rng(1)
        for i, address in enumerate(many.points.addresses):
            times = NOW - 200 * S + np.arange(200) * S
            store.write(ReadingBatch.of(many.points, np.full(200, i), times, rng.normal(size=200)))
            assert address
        desk = Desk(database, many, lambda: NOW)
        jobs = Jobs(many, store, desk, database, lambda: NOW)
        assert [jobs.judge_machines() for _ in range(3)] == [4, 3, 0]


def test_a_site_with_nothing_to_watch_has_nothing_due(
    site_of: Callable[[str], Site], tmp_path: Path, database: Database
) -> None:
    machine = "{id: t, class: transformer, anomaly: {off: true}}"
    bare = site_of(f"site: {{id: x, name: {{zh: 院, en: H}}}}\nequipment:\n  - {machine}\n")
    with DuckDBStore(tmp_path / "t.duckdb") as store:
        assert Jobs(bare, store, Desk(database, bare, lambda: NOW), database, lambda: NOW).judge_machines() == 0
