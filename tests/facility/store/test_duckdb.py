"""What is particular to the DuckDB keeper: kill -9, a full disk, a held or damaged file, compaction."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import duckdb
import numpy as np
import pytest

from facility.errors import ConfigurationError, StoreUnavailable
from facility.readings import PointAddress, PointTable, ReadingBatch
from facility.store import duckdb_reading
from facility.store.duckdb import DuckDBStore
from facility.store.duckdb_file import DuckDBSettings
from facility.store.duckdb_runs import due
from tests.facility.store import writer

TABLE = PointTable.of_keys(["tx1/load_kw", "tx1/hot_spot_c", "ahu-3/supply_temp_c"])
KEYS = [TABLE.key(i) for i in range(3)]
MANY = PointTable.of_keys([f"m{i}/energy_import_used" for i in range(20)])
BY_HAND = DuckDBSettings(compact_in_background=False)
EVER = (-(2**62), 2**62)


def batch(start: int, rows: int, value: float = 1.0) -> ReadingBatch:
    """One reading of each point a second, from second `start` on."""
    time_us = np.repeat(np.arange(start, start + rows), 3) * 1_000_000
    return ReadingBatch.of(TABLE, np.arange(3 * rows) % 3, time_us, np.full(3 * rows, value))


@contextmanager
def writing(*arguments: object) -> Iterator[IO[str]]:
    """Run the writer process and kill it at the end, as kill -9 does."""
    command = [sys.executable, "-m", "tests.facility.store.writer", *map(str, arguments)]
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout
        finally:
            process.kill()


def check_everything_acknowledged_is_there(path: Path, acknowledged: int) -> None:
    """Batches after the last acknowledged one may be there too, but each in whole, or not at all."""
    with DuckDBStore(path) as store:
        found = store.series([writer.TABLE.key(i) for i in range(writer.POINTS)], *EVER)
        written = len(found["pump-0/flow_m3h"]) // writer.ROWS - 1
        assert written >= acknowledged
        # A batch rewrites the readings of the one before, so all but the last hold the number of the next batch.
        expected = np.minimum(np.repeat(np.arange(written + 1), writer.ROWS) + 1, written).astype(float)
        for series in found.values():
            assert series.time_us.tolist() == (np.arange((written + 1) * writer.ROWS) * 1_000_000).tolist()
            assert series.value.tolist() == expected.tolist()
        assert store.size().readings == (written + 1) * writer.ROWS * writer.POINTS


@pytest.mark.parametrize("kill_after", [1, 7, 30])
@pytest.mark.parametrize("hot_readings", [1_000_000, 4_000])
def test_what_write_returned_for_survives_kill_9(tmp_path: Path, hot_readings: int, kill_after: int) -> None:
    path = tmp_path / "t.duckdb"
    for _ in range(2):  # what the first killed process left is gone on with by the second, which is killed too
        with writing(path, hot_readings) as told:
            for _ in range(kill_after):
                acknowledged = int(told.readline().split()[1])
        check_everything_acknowledged_is_there(path, acknowledged)


@pytest.mark.parametrize("room", [300_000, 1_500_000])
def test_a_full_disk_is_told_and_writing_goes_on_by_itself_once_there_is_room(tmp_path: Path, room: int) -> None:
    path, acknowledged, failures = tmp_path / "t.duckdb", -1, []
    with writing(path, 20_000, room) as told:
        for line in told:
            word, number, *rest = line.split(maxsplit=2)
            if word == "failed":
                failures.append(rest[0])
            else:
                acknowledged = int(number)
            if failures and acknowledged > 60:
                break
    assert failures
    assert str(path) in failures[0]
    check_everything_acknowledged_is_there(path, acknowledged)


def test_a_file_held_by_another_process_is_named_with_the_process_and_the_mend(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    with writing(path, 1000) as told:
        told.readline()
        for read_only in (False, True):
            with pytest.raises(StoreUnavailable, match=r"t\.duckdb: held by process \d+ .*API, or stop it"):
                DuckDBStore(path, read_only=read_only)


def test_a_file_held_by_this_process_is_refused_too(tmp_path: Path) -> None:
    with DuckDBStore(tmp_path / "t.duckdb"), pytest.raises(StoreUnavailable, match="held by this process"):
        DuckDBStore(tmp_path / "t.duckdb")


def test_a_file_is_free_again_after_closing(tmp_path: Path) -> None:
    for _ in range(2):
        with DuckDBStore(tmp_path / "t.duckdb") as store:
            store.write(batch(0, 5))
    assert {p.name for p in tmp_path.iterdir()} == {"t.duckdb"}


@pytest.mark.parametrize("content", [b"", b"no database at all" * 1000, b"SQLite format 3\0" + bytes(5000)])
def test_a_file_that_is_no_duckdb_file_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.duckdb"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"t\.duckdb.*not a DuckDB file, or damaged.*backup"):
        DuckDBStore(path)
    assert path.read_bytes() == content


def test_a_damaged_file_is_refused_with_the_mend(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    with DuckDBStore(path) as store:
        store.write(batch(0, 5))
    content = bytearray(path.read_bytes())
    content[12_288:] = bytes(byte ^ 0x55 for byte in content[12_288:])
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"damaged.*backup"):
        DuckDBStore(path)


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    with duckdb.connect(path) as other:
        other.execute("CREATE TABLE invoices (id INTEGER)")
    with pytest.raises(ConfigurationError, match=r"holds other tables .*invoices.*file of its own"):
        DuckDBStore(path)


def test_a_file_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    DuckDBStore(path).close()
    with duckdb.connect(path) as other:
        other.execute("UPDATE schema_version SET version = 99")
    with pytest.raises(ConfigurationError, match="version 99, this program knows 2"):
        DuckDBStore(path)


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="check the path"):
        DuckDBStore(tmp_path)


def test_a_path_may_hold_quotes_spaces_and_chinese_and_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "o'brien's 数据" / "x" / "t.duckdb"
    with DuckDBStore(path) as store:
        store.write(batch(0, 1))
        store.compact()
    assert path.exists()


def test_reading_only_needs_a_file_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    with pytest.raises(ConfigurationError, match="no such file"):
        DuckDBStore(path, read_only=True)
    with DuckDBStore(path, settings=BY_HAND) as store:
        store.write(batch(0, 5))
        store.compact()
        store.write(batch(3, 5, 2.0))
    before = path.read_bytes()
    with DuckDBStore(path, read_only=True) as store:
        assert store.series(KEYS, *EVER)[KEYS[0]].value.tolist() == [1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0]
        assert store.size().readings == 24
        for change in (lambda: store.write(batch(0, 1)), store.compact, lambda: store.delete_before(0)):
            with pytest.raises(PermissionError, match="reading only"):
                change()
    assert path.read_bytes() == before


def test_compaction_keeps_what_queries_see_and_each_key_once(tmp_path: Path) -> None:
    with DuckDBStore(tmp_path / "t.duckdb", settings=BY_HAND) as store:
        for n in (5, 0, 3):  # in order, late, and over both
            store.write(batch(n, 6, float(n)))
            before = {key: series.value.tolist() for key, series in store.series(KEYS, *EVER).items()}
            store.compact()
            assert {key: series.value.tolist() for key, series in store.series(KEYS, *EVER).items()} == before
        assert before[KEYS[0]] == [0.0] * 3 + [3.0] * 6 + [5.0] * 2
        assert store.size().readings == 33


def test_many_runs_are_merged_into_few(tmp_path: Path) -> None:
    with DuckDBStore(tmp_path / "t.duckdb", settings=DuckDBSettings(fan_in=3, compact_in_background=False)) as store:
        for n in range(30):
            store.write(batch(n * 10, 10, float(n)))
            store.compact()
        assert len(store._runs) <= 6
        assert sum(store._runs.values()) == 900
        assert store.series(KEYS, *EVER)[KEYS[2]].value.tolist() == np.repeat(np.arange(30.0), 10).tolist()


def history(point: int, rows: int, value: float = 1.0) -> ReadingBatch:
    """A reading a second of one point of a table of many."""
    return ReadingBatch.of(MANY, np.full(rows, point), np.arange(rows) * 1_000_000, np.full(rows, value))


def test_the_history_of_one_point_after_the_other_makes_one_run_and_nothing_to_merge(tmp_path: Path) -> None:
    settings = DuckDBSettings(fan_in=3, compact_in_background=False)
    with DuckDBStore(tmp_path / "t.duckdb", settings=settings) as store:
        for value in (1.0, 2.0):
            for point in range(20):
                store.write(history(point, 100, value))
                store.compact()
        # The values that stand now begin a run of their own, for it begins again with the first point.
        assert len(store._runs) == 2
        store.write(history(19, 150, 3.0))
        store.compact()
        assert len(store._runs) == 3
        found = store.series([MANY.key(i) for i in range(20)], *EVER)
        assert [series.value.tolist() for series in found.values()] == [[2.0] * 100] * 19 + [[3.0] * 150]


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_written_in_whatever_order_each_key_holds_its_last_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr("facility.store.duckdb_runs._PART_READINGS", 300)
    rng = np.random.default_rng(seed)
    settings = DuckDBSettings(fan_in=2, longest_run=2_000, compact_in_background=False)
    path, truth = tmp_path / "t.duckdb", np.full((20, 200), np.nan)
    for _ in range(2):
        with DuckDBStore(path, settings=settings) as store:
            for turn in range(30):
                first, last = np.sort(rng.integers(0, 20, 2)).tolist()
                begin, end = np.sort(rng.integers(0, 201, 2)).tolist()
                point = np.repeat(np.arange(first, last + 1), end - begin)
                time_s = np.tile(np.arange(begin, end), last + 1 - first)
                store.write(ReadingBatch.of(MANY, point, time_s * 1_000_000, np.full(point.size, float(turn))))
                truth[first : last + 1, begin:end] = turn
                step = rng.integers(3)
                if step == 1:
                    store._move_hot()
                    store._merge_some()
                elif step == 2:
                    store.compact()
            for i in range(20):
                series = store.series([MANY.key(i)], *EVER)[MANY.key(i)]
                held = np.flatnonzero(~np.isnan(truth[i]))
                assert (series.time_us // 1_000_000).tolist() == held.tolist()
                assert series.value.tolist() == truth[i, held].tolist()
            assert store.size().readings == np.count_nonzero(~np.isnan(truth))
            store.compact()
    with duckdb.connect(str(path), read_only=True) as file:
        runs = dict(file.execute("SELECT run, readings FROM runs").fetchall())
        held_in = dict(file.execute("SELECT run, count(*) FROM cold GROUP BY run").fetchall())
    # What was written anew has gone from its run, which is counted only when that is merged.
    assert all(runs[number] >= count for number, count in held_in.items())


def test_late_data_rewrites_a_run_in_small_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facility.store.duckdb_runs._PART_ROW_GROUPS", 2)
    monkeypatch.setattr("facility.store.duckdb_file.DuckDBFile.ROW_GROUP", 2048)
    path = tmp_path / "t.duckdb"
    with DuckDBStore(path, settings=BY_HAND) as store:
        store.write(batch(0, 50))
        store.compact()
        store.write(batch(10, 60, 2.0))
        store.compact()
        assert store.size().readings == 210
    with DuckDBStore(path, settings=BY_HAND) as store:
        assert store.size().readings == 210
        for key in KEYS:
            assert store.series([key], *EVER)[key].value.tolist() == [1.0] * 10 + [2.0] * 60


def test_what_was_merely_sent_again_makes_no_new_run(tmp_path: Path) -> None:
    with DuckDBStore(tmp_path / "t.duckdb", settings=BY_HAND) as store:
        for _ in range(3):
            store.write(batch(0, 50))
            store.compact()
        assert len(store._runs) == 1
        store.write(batch(49, 2))
        store.compact()
        assert sorted(store._runs.values()) == [3, 150]
        assert store.size().readings == 153


def test_late_data_may_rewrite_a_run_while_a_merge_is_half_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facility.store.duckdb_runs._PART_READINGS", 10)
    with DuckDBStore(tmp_path / "t.duckdb", settings=DuckDBSettings(fan_in=2, compact_in_background=False)) as store:
        for n in range(2):
            store.write(batch(n * 10, 10))
            store._move_hot()
        assert store._merge_some()
        assert store._merge is not None
        store.write(batch(5, 10, 2.0))
        store._move_hot()
        store.compact()
        assert store._merge is None
        for key in KEYS:
            series = store.series([key], *EVER)[key]
            assert series.value.tolist() == [1.0] * 5 + [2.0] * 10 + [1.0] * 5
        assert store.size().readings == 60


def test_a_writer_that_waits_for_room_is_told_when_moving_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with DuckDBStore(tmp_path / "t.duckdb", settings=DuckDBSettings(hot_readings=30)) as store:

        def fail() -> None:
            raise StoreUnavailable("no room")

        monkeypatch.setattr(store, "_move_hot", fail)
        store.write(batch(0, 25))
        with pytest.raises(StoreUnavailable, match="no room"):
            store.write(batch(100, 1))
        monkeypatch.undo()
        store.write(batch(100, 1))
        assert store.size().readings == 78


def test_a_full_hot_part_is_moved_in_the_background(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    with DuckDBStore(path, settings=DuckDBSettings(hot_readings=30)) as store:
        for n in range(40):
            store.write(batch(n * 10, 10, float(n)))
            assert store._hot_readings <= 60 + 30
        assert store.size().readings == 1200


@pytest.mark.parametrize(
    ("runs", "chosen"),
    [
        ({}, []),
        ({1: 100, 2: 120}, []),
        ({1: 100, 2: 120, 3: 90}, [1, 2, 3]),
        ({1: 100, 2: 100_000, 3: 90, 4: 110}, [1, 3, 4]),
        ({1: 100, 2: 120, 3: 90, 4: 1, 5: 1, 6: 1}, [4, 5, 6]),  # the small ones first
        ({1: 400_000, 2: 400_000, 3: 400_000}, [1, 2]),  # no longer than the longest
        ({1: 900_000, 2: 900_000, 3: 900_000}, []),
    ],
)
def test_runs_of_one_size_are_merged_when_there_are_enough_of_them(runs: dict[int, int], chosen: list[int]) -> None:
    assert list(due(runs, fan_in=3, longest=1_000_000)) == chosen


def test_a_long_aggregate_is_cut_into_parts_and_comes_out_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(7)
    with DuckDBStore(tmp_path / "t.duckdb", settings=BY_HAND) as store:
        time_us = np.repeat(np.arange(500), 3) * 1_000_003
        store.write(ReadingBatch.of(TABLE, np.arange(1500) % 3, time_us, rng.normal(size=1500)))
        store.compact()
        whole = store.aggregate(KEYS, *EVER, 7_000_000, 13)
        monkeypatch.setattr(duckdb_reading, "SLICE_READINGS", 100)
        with store._look(EVER[1]) as look:
            assert len(look.slices(np.arange(3, dtype=np.int32), *EVER)) > 10
        cut = store.aggregate(KEYS, *EVER, 7_000_000, 13)
    for key in KEYS:
        assert cut[key].mean == pytest.approx(whole[key].mean, rel=1e-12, abs=1e-12)
        for name in ("time_us", "min", "max", "last", "count"):
            assert getattr(cut[key], name).tolist() == getattr(whole[key], name).tolist()


def test_room_of_deleted_readings_is_used_again(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    with DuckDBStore(tmp_path / "t.duckdb", settings=BY_HAND) as store:
        sizes = []
        for n in range(6):
            noise = ReadingBatch.of(TABLE, np.zeros(40_000), np.arange(40_000) + n * 10**9, rng.normal(size=40_000))
            store.write(noise)
            store.delete_before(n * 10**9)
            sizes.append(store.size().bytes)
        assert sizes[-1] < 2 * sizes[1]


def test_a_long_deletion_goes_by_parts_of_points_and_of_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facility.store.duckdb_runs._PART_READINGS", 10)
    path = tmp_path / "t.duckdb"
    with DuckDBStore(path, settings=BY_HAND) as store:
        store.write(batch(0, 100))
        store.compact()
        store.write(batch(50, 40, 2.0))
        assert store.delete_before(70_000_000) == 210
        assert store.delete_before(70_000_000) == 0
        for _ in range(2):
            assert (store.size().readings, store.size().first_us) == (90, 70_000_000)
            assert store.series(KEYS, *EVER)[KEYS[1]].value.tolist() == [2.0] * 20 + [1.0] * 10
            store = DuckDBStore(path) if store.close() is None else store


def test_addresses_are_kept_and_follow_the_site_file_but_not_a_bare_key(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    first = PointAddress("tx1", "load_kw", "transformer", "kW", "hospital", "B2", "distribution room")
    moved = PointAddress("tx1", "load_kw", "transformer", "kW", "hospital", "B3", "new room")
    with DuckDBStore(path) as store:
        for address in (first, moved, PointAddress("tx1", "load_kw")):
            store.write(ReadingBatch.of(PointTable((address,)), [0], [0], [1.0]))
    with duckdb.connect(path, read_only=True) as file:
        assert file.execute("SELECT key, unit, building, room FROM points").fetchall() == [
            ("tx1/load_kw", "kW", "B3", "new room")
        ]
