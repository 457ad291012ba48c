"""What is particular to roll-ups in a DuckDB file: an older file, crashes, what is stored and what is read."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pytest

from facility.errors import StoreUnavailable
from facility.readings import PointAddress, PointTable, ReadingBatch
from facility.store import Level, Retention, duckdb_asking, duckdb_reading, duckdb_rollups
from facility.store.duckdb import DuckDBStore
from facility.store.duckdb_file import DuckDBSettings
from facility.store.duckdb_reading import Look
from facility.store.levels import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from tests.facility.store.naive import NaiveStore
from tests.facility.store.test_rollups import EVER, KEYS, T0, TABLE, ZONE, check_all, check_sums, readings

STORING = DuckDBSettings(rolled_from=0, fan_in=2, compact_in_background=False)
BY_HAND = DuckDBSettings(compact_in_background=False)

# The tables as version 1 made them, word for word.
VERSION_1 = """
CREATE TABLE schema_version (version INTEGER NOT NULL);
CREATE TABLE points (id INTEGER NOT NULL, key VARCHAR NOT NULL, equipment VARCHAR, point VARCHAR,
    equipment_class VARCHAR, unit VARCHAR, site VARCHAR, building VARCHAR, room VARCHAR, kind VARCHAR);
CREATE TABLE hot (seq BIGINT, point INTEGER, time_us BIGINT, value DOUBLE, quality UTINYINT);
CREATE TABLE cold (run INTEGER, point INTEGER, time_s BIGINT, ms SMALLINT, us SMALLINT, value DOUBLE, quality UTINYINT);
CREATE TABLE cold_points (point INTEGER, readings BIGINT, first_us BIGINT, last_us BIGINT, value DOUBLE,
    quality UTINYINT);
CREATE TABLE runs (run INTEGER, readings BIGINT);
INSERT INTO schema_version VALUES (1);
INSERT INTO points VALUES
    (0, 'pump-1/running', 'pump-1', 'running', 'pump', '', '', '', '', 'state'),
    (1, 'pump-1/power_kw', 'pump-1', 'power_kw', 'pump', '', '', '', '', 'gauge');
"""


def version_1_file(path: Path) -> NaiveStore:
    """Make a file of version 1 with readings of four days: sorted, recent, late and rewritten ones."""
    naive = NaiveStore()
    with duckdb.connect(path) as file:
        file.execute(VERSION_1)
        for point in (0, 1):
            for n in range(96):
                seconds = T0 // SECOND_US + n * 3600 + 7
                file.execute("INSERT INTO cold VALUES (1, ?, ?, 250, 0, ?, 0)", [point, seconds, float(n % 5)])
                naive.held[KEYS[point], seconds * SECOND_US + 250_000] = (float(n % 5), 0)
            last_us = (T0 // SECOND_US + 95 * 3600 + 7) * SECOND_US + 250_000
            first_us = T0 + 7_250_000
            file.execute("INSERT INTO cold_points VALUES (?, 96, ?, ?, 0.0, 0)", [point, first_us, last_us])
        file.execute("INSERT INTO runs VALUES (1, 192)")
        for seq, (point, time_us, value) in enumerate([(1, T0 + 7_250_000, 9.0), (0, T0 + DAY_US + 1, 1.0)], start=1):
            file.execute("INSERT INTO hot VALUES (?, ?, ?, ?, 0)", [seq, point, time_us, value])
            naive.held[KEYS[point], time_us] = (value, 0)
    return naive


def test_a_file_of_version_1_is_brought_up_to_date_and_its_roll_ups_follow(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    naive = version_1_file(path)
    content = path.read_bytes()
    with DuckDBStore(path, read_only=True) as store:
        check_all(store, naive, "UTC")
        assert [size.rows for size in store.levels()][1:] == [0, 0, 0, 0]
    assert path.read_bytes() == content
    with DuckDBStore(path, zone=ZONE, settings=STORING) as store:
        check_all(store, naive)
        assert store.levels()[3].rows == 0
        store.compact()
        assert store.levels()[3].rows == 2 * (24 + 24 + 23)  # the last day is not yet settled
        check_all(store, naive)
    with DuckDBStore(path, read_only=True) as store:
        check_all(store, naive)


def hours_of(store: DuckDBStore, days: int, start: int = 0) -> None:
    """Write a reading of each point every ten minutes."""
    for day in range(start, start + days):
        batch = [(p, T0 + day * DAY_US + k * 10 * MINUTE_US, float(k)) for k in range(144) for p in range(3)]
        store.write(readings(*batch))


def test_a_level_is_stored_only_where_a_step_holds_many_readings(tmp_path: Path) -> None:
    with DuckDBStore(tmp_path / "t.duckdb", zone=ZONE, settings=BY_HAND) as store:
        hours_of(store, 5)
        store.compact()
        stored = {size.level: size.rows for size in store.levels() if size.level is not None}
    # The last of the six local days has just begun, and of the fifth it is too early to say.
    assert stored == {Level.MINUTE: 0, Level.QUARTER: 0, Level.HOUR: 0, Level.DAY: 3 * 4}


def test_a_dense_point_goes_by_hours(tmp_path: Path) -> None:
    with DuckDBStore(tmp_path / "t.duckdb", zone=ZONE, settings=BY_HAND) as store:
        times = T0 + np.arange(4 * 3600) * SECOND_US
        store.write(ReadingBatch.of(TABLE, np.ones(times.shape), times, np.arange(times.shape[0])))
        store.compact()
        stored = {size.level: size.rows for size in store.levels() if size.level is not None}
    assert stored == {Level.MINUTE: 180, Level.QUARTER: 12, Level.HOUR: 3, Level.DAY: 0}


def test_a_long_question_at_hourly_steps_reads_hardly_any_readings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    whole = Look.read

    def counting(look: Look, *arguments: object) -> object:
        rows = whole(look, *arguments)  # type: ignore[arg-type]
        read.append(len(rows))
        return rows

    with DuckDBStore(tmp_path / "t.duckdb", zone=ZONE, settings=STORING) as store:
        hours_of(store, 40)
        store.compact()
        before = store.aggregate(KEYS, T0 + 1, T0 + 40 * DAY_US, 7 * MINUTE_US)
        monkeypatch.setattr(Look, "read", counting)
        found = store.aggregate(KEYS, T0, T0 + 40 * DAY_US, HOUR_US)
        assert sum(read) <= 2 * 144 * 3
        assert found[KEYS[0]].count.sum() == before[KEYS[0]].count.sum() + 1 == 40 * 144


def test_a_long_question_of_stored_steps_goes_by_slices_and_comes_out_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    naive = NaiveStore()
    with DuckDBStore(tmp_path / "t.duckdb", zone=ZONE, settings=STORING) as store:
        for n in range(6):
            batch = readings(*((p, T0 + n * DAY_US + k * HOUR_US, float(k)) for k in range(24) for p in range(3)))
            store.write(batch)
            naive.write(batch)
        monkeypatch.setattr(duckdb_reading, "SLICE_READINGS", 50)
        monkeypatch.setattr(duckdb_asking, "SLICE_READINGS", 50)
        monkeypatch.setattr(duckdb_rollups, "_PART_READINGS", 30)
        store.compact()
        check_all(store, naive)
        for step_us in (HOUR_US, DAY_US, 2 * HOUR_US):
            check_sums(store, naive, *EVER, step_us)
        assert store.levels()[3].rows == 3 * (23 + 24 * 4)


def test_late_readings_of_many_points_are_summed_up_again_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb_rollups, "_PART_POINTS", 2)
    naive = NaiveStore()
    with DuckDBStore(tmp_path / "t.duckdb", zone=ZONE, settings=STORING) as store:
        for value, minute in ((1.0, 0), (2.0, 30)):
            batch = readings(*((p, T0 + k * HOUR_US + minute * MINUTE_US, value) for k in range(72) for p in range(3)))
            store.write(batch)
            naive.write(batch)
            check_all(store, naive)
            store.compact()
            check_all(store, naive)
        assert not store._rollups.book.again


@pytest.mark.parametrize("calls", range(12))
def test_what_is_cut_short_anywhere_leaves_the_roll_ups_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    naive, path, left = NaiveStore(), tmp_path / "t.duckdb", [calls]
    put = duckdb_rollups.put_steps

    def failing(*arguments: object) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise StoreUnavailable("no room")
        put(*arguments)  # type: ignore[arg-type]

    with DuckDBStore(path, zone=ZONE, settings=STORING) as store:
        store.write(readings(*((p, T0 + k * HOUR_US, float(k)) for k in range(72) for p in range(3))))
        naive.write(readings(*((p, T0 + k * HOUR_US, float(k)) for k in range(72) for p in range(3))))
        monkeypatch.setattr(duckdb_rollups, "put_steps", failing)
        for attempt in range(2):
            late = readings(*((p, T0 + k * HOUR_US + attempt + 1, 7.0) for k in range(5) for p in range(3)))
            store.write(late)
            naive.write(late)
            try:
                store.compact()
            except StoreUnavailable:
                check_all(store, naive)
        try:
            store.expire(Retention(DAY_US, None, None, None, None), T0 + 3 * DAY_US)
        except StoreUnavailable:
            check_all(store, naive)
        monkeypatch.undo()
    with DuckDBStore(path, zone=ZONE, settings=STORING) as store:
        check_all(store, naive)
        store.compact()
        check_all(store, naive)


def test_a_file_remembers_the_zone_of_its_days(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    for zone in (ZONE, None):
        with DuckDBStore(path, zone=zone, settings=STORING) as store:
            store.write(readings(*((1, T0 + k * HOUR_US, 1.0) for k in range(96))))
            store.compact()
            assert store.rollup(KEYS, Level.DAY, *EVER)[KEYS[1]].count.tolist() == [24, 24, 23, 24, 1]


def test_days_whose_readings_have_expired_are_made_from_hours_when_the_zone_changes(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    naive = NaiveStore()
    batch = readings(*((p, T0 + k * 15 * MINUTE_US, float(k)) for k in range(8 * 96) for p in range(3)))
    naive.write(batch)
    with DuckDBStore(path, zone=ZONE, settings=STORING) as store:
        store.write(batch)
        store.expire(Retention(2 * DAY_US, None, None, None, None), T0 + 8 * DAY_US)
    for zone in ("Asia/Shanghai", "Asia/Kolkata", ZONE):
        with DuckDBStore(path, zone=zone, settings=STORING) as store:
            check_all(store, naive, zone)
            store.compact()
            check_all(store, naive, zone)


def test_many_runs_of_roll_ups_become_few(tmp_path: Path) -> None:
    table = PointTable((PointAddress("m", "p", "meter"),))
    with DuckDBStore(tmp_path / "t.duckdb", settings=STORING) as store:
        for day in range(30):
            store.write(ReadingBatch.of(table, [0, 0], [day * DAY_US, day * DAY_US + 7 * HOUR_US], [1.0, 2.0]))
            store.compact()
        for level in Level:
            assert len(store._rollups._runs[level]) <= 6
        assert store.rollup(["m/p"], Level.DAY, *EVER)["m/p"].count.tolist() == [2] * 30


def test_storing_steps_while_a_question_is_under_way_puts_off_no_checkpoint(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with DuckDBStore(tmp_path / "t.duckdb", zone=ZONE, settings=STORING) as store:
        hours_of(store, 3)
        with store._look() as look:
            assert len(look.read(np.arange(3, dtype=np.int32), *EVER)) == 3 * 3 * 144
            store.compact()
            hours_of(store, 3, 3)
            store.compact()
        assert store.levels()[3].rows
    assert "checkpoint put off" not in caplog.text


def test_late_readings_of_expired_days_count_once_however_often_they_come(tmp_path: Path) -> None:
    retention = Retention(DAY_US, None, None, None, None)
    with DuckDBStore(tmp_path / "t.duckdb", zone=ZONE, settings=BY_HAND) as store:
        hours_of(store, 4)
        store.expire(retention, T0 + 4 * DAY_US)

        def days() -> list[int]:
            found = store.rollup([KEYS[1]], Level.DAY, *EVER)[KEYS[1]].count.tolist()
            assert sum(found) == store.aggregate([KEYS[1]], *EVER, HOUR_US, T0)[KEYS[1]].count.sum()
            return found[:3]

        assert days() == [144, 144, 138]
        # The one is new; the other of the hour before what is kept, whose readings are still there.
        for value in (7.0, 7.0, 8.0):
            store.write(readings((1, T0 + 5, value), (1, T0 + 71 * HOUR_US - 10 * MINUTE_US, value)))
            assert days() == [145, 144, 138]
            store.compact()
            assert days() == [145, 144, 138]
        store.expire(retention, T0 + 4 * DAY_US)
        assert days() == [145, 144, 138]


def test_a_deletion_forgets_no_late_reading_whose_steps_wait_to_be_summed_up_again(tmp_path: Path) -> None:
    naive = NaiveStore()
    with DuckDBStore(tmp_path / "t.duckdb", zone=ZONE, settings=STORING) as store:
        hours_of(store, 4)
        store.compact()
        store.write(readings((1, T0 + 2 * DAY_US + 1, 99.0)))
        store.delete_before(T0 + DAY_US)
        for key, series in store.series(KEYS, *EVER).items():
            naive.held |= {
                (key, t): (v, 0) for t, v in zip(series.time_us.tolist(), series.value.tolist(), strict=True)
            }
        check_all(store, naive)
        store.compact()
        check_all(store, naive)
