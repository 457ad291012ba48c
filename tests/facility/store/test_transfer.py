"""Readings moved between real keepers: everything arrives, twice changes nothing, and what differs is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from facility.errors import StoreUnavailable
from facility.readings import OUT_OF_RANGE, PointAddress, PointTable, ReadingBatch
from facility.store import TelemetryStore, transfer
from facility.store.contract import PointsRefused
from facility.store.duckdb import DuckDBStore
from facility.store.duckdb_file import DuckDBSettings
from facility.store.influxdb import open_influxdb
from facility.store.transfer import Selection, copy, counts_of, fingerprints, select, slices
from tests.facility.store.influxd import SHARED

T0 = 1_735_689_600_000_000
MINUTE = 60_000_000
POINTS = [
    PointAddress(f"tx{i}", name, "dry_type_transformer", unit, "riverside", "main", f"power-{i % 2}", kind)
    for i in range(6)
    for name, unit, kind in (("load", "%", "gauge"), ("fan_running", "", "state"))
]
TABLE = PointTable((*POINTS, PointAddress("p1", "flow", "", "m³/h", kind="gauge")))


def a_site(rows: int = 1500) -> ReadingBatch:
    """Return readings of all points, a thousand minutes of them, some impossible, some with odd microseconds."""
    chance = np.random.default_rng(7)
    return ReadingBatch.of(
        TABLE,
        chance.integers(0, len(TABLE), rows),
        T0 + chance.integers(0, 1000, rows) * MINUTE + chance.integers(0, 3, rows),
        np.round(chance.normal(40, 15, rows), 2),
        chance.choice([0, 0, 16, OUT_OF_RANGE], rows),
    )


@pytest.fixture(autouse=True)
def _small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "_SLICE_READINGS", 300)
    monkeypatch.setattr(transfer, "_SLICE_POINTS", 4)


@pytest.fixture
def source(tmp_path: Path) -> Iterator[TelemetryStore]:
    with DuckDBStore(tmp_path / "source.duckdb", settings=DuckDBSettings(hot_readings=1000)) as store:
        store.write(a_site())
        yield store


def test_a_site_goes_from_duckdb_to_influxdb_and_back_with_all_that_is_known_of_its_points(
    source: TelemetryStore, tmp_path: Path
) -> None:
    with open_influxdb(SHARED.server().url(tmp_path.name)) as server, DuckDBStore(tmp_path / "back.duckdb") as back:
        there = copy(source, server, select(source))
        assert (there.differences, there.refused) == ([], {})
        again = copy(server, back, select(server))
        assert again.differences == []
        assert there.source == there.target == again.source == again.target
        assert dict(back.addresses()) == dict(source.addresses())
        measurements = SHARED.server().ask("SHOW MEASUREMENTS", tmp_path.name)
        assert "dry_type_transformer" in str(measurements)


def test_copying_again_writes_nothing(source: TelemetryStore, tmp_path: Path) -> None:
    with DuckDBStore(tmp_path / "target.duckdb") as target:
        first = copy(source, target, select(source))
        assert first.written == source.size().readings == target.size().readings
        assert copy(source, target, select(source)).written == 0


def test_a_copy_cut_short_goes_on_where_it_stood(source: TelemetryStore, tmp_path: Path) -> None:
    class Cut(Exception):
        pass

    def stop(done: int, total: int, _what: str) -> None:
        if done > total / 2:
            raise Cut

    with DuckDBStore(tmp_path / "target.duckdb") as target:
        with pytest.raises(Cut):
            copy(source, target, select(source), stop)
        held = target.size().readings
        assert 0 < held < source.size().readings
        done = copy(source, target, select(source))
        assert done.differences == []
        assert done.written == source.size().readings - held


def test_points_whose_readings_differ_are_named_with_both_counts(source: TelemetryStore, tmp_path: Path) -> None:
    with DuckDBStore(tmp_path / "target.duckdb") as target:
        copy(source, target, select(source))
        target.write(ReadingBatch.of(TABLE, [0], [T0 + 77], [1.0]))  # one that the source does not have
        done = copy(source, target, select(source))
        (difference,) = done.differences
        assert difference.key == "tx0/load"
        assert str(difference) == (
            f"tx0/load: {difference.source.count} readings against {difference.source.count + 1}"
        )
        assert done.source != done.target


def test_other_values_are_replaced_by_those_of_the_source(source: TelemetryStore, tmp_path: Path) -> None:
    with DuckDBStore(tmp_path / "target.duckdb") as target:
        series = source.series(["tx0/load"], T0, 2 * T0)["tx0/load"]
        target.write(ReadingBatch.of(TABLE, np.zeros(len(series)), series.time_us, series.value + 1))
        assert copy(source, target, select(source)).differences == []


def test_what_the_target_refuses_is_told_and_everything_else_copied(source: TelemetryStore, tmp_path: Path) -> None:
    class Choosy(DuckDBStore):
        def write(self, batch: ReadingBatch) -> None:
            wrong = batch.point == batch.table.index["p1/flow"]
            super().write(batch.take(~wrong))
            if wrong.any():
                raise PointsRefused(["p1/flow"], "it is an integer there")

    with Choosy(tmp_path / "target.duckdb") as target:
        done = copy(source, target, select(source))
        assert done.refused == {"p1/flow": "it is an integer there"}
        assert [difference.key for difference in done.differences] == ["p1/flow"]
        assert done.written == target.size().readings


def test_a_target_that_is_away_for_a_moment_is_waited_for(
    source: TelemetryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer.time, "sleep", lambda _s: None)

    class Shaky(DuckDBStore):
        calls = 0

        def write(self, batch: ReadingBatch) -> None:
            self.calls += 1
            if self.calls % 3:
                raise StoreUnavailable("away")
            super().write(batch)

    with Shaky(tmp_path / "target.duckdb") as target:
        assert copy(source, target, select(source)).differences == []


def test_slices_are_bounded_however_dense_a_point_is_and_hold_everything_once(tmp_path: Path) -> None:
    with DuckDBStore(tmp_path / "dense.duckdb") as store:
        # A year with a reading a day, and one second with thousands of them.
        days = T0 + np.arange(365) * 86_400_000_000
        burst = T0 + 200 * 86_400_000_000 + np.arange(4000) * 250
        time_us = np.concatenate([days, burst])
        store.write(ReadingBatch.of(TABLE, np.zeros(len(time_us)), time_us, np.ones(len(time_us))))
        selection = select(store)
        parts = list(slices(store, selection))
        assert max(part.readings for part in parts) <= 300
        assert sum(part.readings for part in parts) == store.size().readings
        read = [t for part in parts for t in store.series(part.keys, part.start_us, part.end_us)["tx0/load"].time_us]
        assert read == sorted(set(time_us.tolist()))


def test_points_and_times_may_be_chosen(source: TelemetryStore) -> None:
    chosen = select(source, ["tx1", "tx*/fan_running"], T0 + 10 * MINUTE, T0 + 20 * MINUTE)
    assert set(chosen.keys) == {"tx1/load", *(f"tx{i}/fan_running" for i in range(6))}
    counted = counts_of(source, chosen)
    found = fingerprints(source, chosen)
    assert {key: one.count for key, one in found.items()} == {key: n for key, n in counted.items() if n}
    everything = source.series(chosen.keys, T0, 2 * T0)
    for key, series in everything.items():
        inside = (series.time_us >= T0 + 10 * MINUTE) & (series.time_us < T0 + 20 * MINUTE)
        assert counted[key] == int(inside.sum())


def test_a_pattern_that_fits_nothing_and_a_time_that_ends_before_it_begins_are_told(source: TelemetryStore) -> None:
    with pytest.raises(ValueError, match=r"--points 'tx9/load' fits no point of the store; did you mean 'tx\d/load'"):
        select(source, ["tx9/load"])
    with pytest.raises(ValueError, match="swap them, or leave out one"):
        select(source, (), T0, T0)


def test_an_empty_store_is_copied_to_an_empty_store(tmp_path: Path) -> None:
    with DuckDBStore(tmp_path / "a.duckdb") as empty, DuckDBStore(tmp_path / "b.duckdb") as target:
        done = copy(empty, target, select(empty))
        assert (done.points, done.written, done.differences) == (0, 0, [])
        assert isinstance(select(empty), Selection)
