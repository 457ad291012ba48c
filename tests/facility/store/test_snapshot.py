"""A DuckDB file copied while it is written to: one moment, whole batches, nothing that was stored before is lacking."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from facility.errors import StoreUnavailable
from facility.readings import PointTable, ReadingBatch
from facility.store import duckdb_snapshot
from facility.store.duckdb import DuckDBStore
from facility.store.duckdb_file import DuckDBSettings
from facility.store.fingerprint import fingerprint

T0 = 1_735_689_600_000_000
TABLE = PointTable.of_keys([f"m{i}/load" for i in range(40)])
BUSY = DuckDBSettings(hot_readings=4_000, fan_in=3)


def batch(number: int, rows: int = 400) -> ReadingBatch:
    """Return the readings of a tenth of a second, all with the batch's number."""
    at_us = T0 + number * 100_000 + np.arange(rows)
    return ReadingBatch.of(TABLE, np.arange(rows) % len(TABLE), at_us, np.full(rows, float(number)))


def held_batches(path: Path) -> list[int]:
    """Return how many readings of each batch a file holds."""
    with DuckDBStore(path, read_only=True) as store:
        values = np.concatenate([s.value for s in store.series(list(TABLE.index), T0, 2 * T0).values()])
        assert store.size().readings == len(values)
    return np.bincount(values.astype(int)).tolist()


def test_copies_made_under_load_hold_whole_batches_and_all_that_was_stored_before(tmp_path: Path) -> None:
    stored, ended, failures = [0], threading.Event(), []

    def write() -> None:
        try:
            while not ended.is_set():
                store.write(batch(stored[0]))
                stored[0] += 1
                ended.wait(0.02)  # 20,000 readings a second
        except Exception as error:
            failures.append(error)

    with DuckDBStore(tmp_path / "live.duckdb", settings=BUSY) as store:
        for number in range(100):
            store.write(batch(number))
        stored[0] = 100
        writer = threading.Thread(target=write)
        writer.start()
        for copy in range(5):
            before = stored[0]
            store.snapshot(tmp_path / f"copy-{copy}.duckdb")
            counts = held_batches(tmp_path / f"copy-{copy}.duckdb")
            assert set(counts) == {400}
            assert before <= len(counts) <= stored[0] + 1
        ended.set()
        writer.join()
        assert failures == []
        assert store.size().readings == 400 * stored[0]


def test_writers_go_on_while_the_file_is_copied(tmp_path: Path) -> None:
    with DuckDBStore(tmp_path / "live.duckdb", settings=DuckDBSettings(hot_readings=1_000)) as store:
        store.write(batch(0))
        seen: list[int] = []

        def progress(_share: float) -> None:
            # Called in the middle of the copy, from the thread that holds what it holds.
            wrote = threading.Thread(target=lambda: store.write(batch(len(seen) + 1, 100)))
            wrote.start()
            wrote.join(20)
            seen.append(int(wrote.is_alive()))

        store.snapshot(tmp_path / "copy.duckdb", progress)
        assert seen
        assert not any(seen)
        assert held_batches(tmp_path / "copy.duckdb") == [400]
        assert store.size().readings == 400 + 100 * len(seen)


def test_a_copy_is_a_store_of_its_own(tmp_path: Path) -> None:
    with DuckDBStore(tmp_path / "live.duckdb") as store:
        store.write(batch(0))
        store.snapshot(tmp_path / "copy.duckdb")
        store.write(batch(1))
        with DuckDBStore(tmp_path / "copy.duckdb") as copy:
            copy.write(batch(1))
            keys = list(TABLE.index)
            ours, theirs = store.series(keys, T0, 2 * T0), copy.series(keys, T0, 2 * T0)
            assert {k: fingerprint(s) for k, s in ours.items()} == {k: fingerprint(s) for k, s in theirs.items()}


def test_a_name_that_is_taken_is_not_overwritten_and_writing_goes_on(tmp_path: Path) -> None:
    (tmp_path / "copy.duckdb").write_text("mine")
    with DuckDBStore(tmp_path / "live.duckdb") as store:
        store.write(batch(0))
        with pytest.raises(FileExistsError):
            store.snapshot(tmp_path / "copy.duckdb")
        store.write(batch(1))
        store.compact()
        assert store.size().readings == 800
    assert (tmp_path / "copy.duckdb").read_text() == "mine"


def test_where_the_system_cannot_copy_between_files_bytes_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(*_: object) -> int:
        raise OSError("not here")

    monkeypatch.setattr(duckdb_snapshot.os, "copy_file_range", cannot)
    (tmp_path / "a").write_bytes(bytes(range(256)) * 100_000)
    duckdb_snapshot.copy_synced(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == (tmp_path / "a").read_bytes()
    assert (tmp_path / "b").stat().st_mode & 0o077 == 0


def test_a_closed_store_gives_no_copy(tmp_path: Path) -> None:
    store = DuckDBStore(tmp_path / "live.duckdb")
    store.close()
    with pytest.raises(StoreUnavailable):
        store.snapshot(tmp_path / "copy.duckdb")
