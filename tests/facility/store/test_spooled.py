"""The spooled store: a keeper that is away costs nobody a reading, and nobody waits for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from facility.errors import ConfigurationError, Problem, StoreHeld, StoreUnavailable
from facility.readings import PointTable, ReadingBatch
from facility.store.contract import PointsRefused
from facility.store.duckdb import DuckDBStore
from facility.store.opening import open_store
from facility.store.spool import SpoolSettings
from facility.store.spooled import SpooledSettings, SpooledStore

ROOT = Path(__file__).parents[3]
T0 = 1_735_689_600_000_000
EVER = (0, 2**62)
KIB = 1024
TABLE = PointTable.of_keys(["tx1/load_kw", "tx1/hot_spot_c"])
LOAD = "tx1/load_kw"
QUICK = SpooledSettings(
    first_retry_s=0.01, longest_retry_s=0.05,
    spool=SpoolSettings(bound_bytes=256 * KIB, reserved_bytes=0, segment_bytes=16 * KIB, spare_bytes=0),
)  # fmt: skip


def batch(first: int, count: int = 1) -> ReadingBatch:
    numbers = np.arange(first, first + count)
    return ReadingBatch.of(TABLE, np.zeros(count, int), T0 + numbers, numbers.astype(float))


class Door(DuckDBStore):
    """A real keeper behind a door that can be shut: none can be made to fail and to mend on command."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.why: Exception | None = None
        self.opened = threading.Event()
        self.opened.set()
        self.writes: list[int] = []

    def write(self, batch: ReadingBatch) -> None:
        self.opened.wait(60)
        if self.why is not None:
            raise self.why
        super().write(batch)
        self.writes.append(len(batch))


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path / "telemetry.duckdb")


@pytest.fixture
def spooled(tmp_path: Path) -> Iterator[Callable[..., SpooledStore]]:
    made: list[SpooledStore] = []

    def make(store, settings=QUICK, **more):
        made.append(SpooledStore(store, tmp_path / "spool", settings, table=TABLE, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def eventually(condition: Callable[[], object], seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.01)


def values(store) -> list[float]:
    return store.series([LOAD], *EVER)[LOAD].value.tolist()


def test_a_keeper_that_is_there_gets_everything_at_once(spooled, door):
    store = spooled(door)
    store.write(batch(0, 5))
    assert values(door) == [0.0, 1.0, 2.0, 3.0, 4.0]
    status = store.spool_status()
    assert (status.state, status.readings, status.bytes, status.oldest_us) == ("direct", 0, 0, None)


def test_while_the_keeper_is_away_readings_wait_in_order_and_then_go_to_it_in_few_writes(spooled, door):
    store = spooled(door)
    store.write(batch(0))
    door.why = StoreUnavailable("influxd does not answer")
    for i in range(1, 500):
        store.write(batch(i))
    status = store.spool_status()
    assert (status.state, status.readings) == ("away", 499)
    assert "influxd does not answer" in status.last_error
    assert status.away_since_us is not None
    assert 0 < status.share < 1
    assert store.newest_spooled()[LOAD].value == 499.0
    assert store.latest([LOAD])[LOAD].value == 499.0
    door.why = None
    eventually(lambda: store.spool_status().state == "direct")
    assert values(store) == [float(i) for i in range(500)]
    assert len(door.writes) < 20
    assert store.newest_spooled() == {}


def test_the_last_write_of_a_key_stands_also_when_it_went_through_the_spool(spooled, door):
    store = spooled(door)
    door.why = StoreUnavailable("away")
    for value in (1.0, 2.0, 3.0):
        store.write(ReadingBatch.of(TABLE, [0], [T0], [value]))
    door.why = None
    store.write(ReadingBatch.of(TABLE, [0], [T0], [4.0]))
    eventually(lambda: store.spool_status().readings == 0)
    assert values(store) == [4.0]


def test_what_waits_survives_a_restart_with_the_keeper_still_away(spooled, tmp_path):
    away = True

    def opener():
        if away:
            raise StoreUnavailable("the disk is full")
        return DuckDBStore(tmp_path / "late.duckdb")

    first = spooled(opener)
    first.write(batch(0, 3))
    with pytest.raises(StoreUnavailable, match="the disk is full"):
        first.latest()
    first.close()
    second = spooled(opener)
    assert second.spool_status().readings == 3
    assert second.newest_spooled()[LOAD].value == 2.0
    second.write(batch(3))
    away = False
    eventually(lambda: second.spool_status().state == "direct")
    assert values(second) == [0.0, 1.0, 2.0, 3.0]


def test_a_wrong_setting_stops_the_start_and_so_does_a_file_of_another_process(spooled, tmp_path):
    def wrong():
        raise ConfigurationError([Problem("", 0, "store", "the password is wrong")])

    with pytest.raises(ConfigurationError, match="the password is wrong"):
        spooled(wrong)
    holder = subprocess.Popen(
        [sys.executable, "-c", "import sys; from facility.store.opening import open_store\n"
         "store = open_store(sys.argv[1]); print('open', flush=True); sys.stdin.read()", tmp_path / "x.duckdb"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    holder.stdout.readline()
    try:
        with pytest.raises(StoreHeld, match="belongs to one process"):
            spooled(lambda: open_store(tmp_path / "x.duckdb"))
    finally:
        holder.communicate()
    spooled(lambda: open_store(tmp_path / "x.duckdb")).write(batch(0))


def test_a_keeper_that_hangs_holds_nobody_up(spooled, door):
    store = spooled(door, SpooledSettings(patience_s=0.05, first_retry_s=0.01, spool=QUICK.spool))
    door.opened.clear()
    for i in range(20):
        store.write(batch(i))
    assert store.spool_status().readings == 20
    door.opened.set()
    eventually(lambda: store.spool_status().readings == 0)
    assert values(store) == [float(i) for i in range(20)]


def test_with_a_full_spool_writing_fails_says_so_and_goes_on_by_itself(spooled, door):
    store = spooled(door)
    door.why = StoreUnavailable("away")
    random, taken = np.random.default_rng(1), 0

    def one() -> None:
        nonlocal taken
        store.write(ReadingBatch.of(TABLE, np.zeros(100, int), T0 + taken + np.arange(100), random.uniform(size=100)))
        taken += 100

    def fill() -> None:
        while True:
            one()

    with pytest.raises(StoreUnavailable, match="the spool is full"):
        fill()
    status = store.spool_status()
    assert status.state == "full"
    assert status.share > 0.8
    door.why = None
    eventually(lambda: store.spool_status().readings == 0)
    one()
    assert store.spool_status().state == "direct"
    assert len(values(store)) == taken


def test_points_that_are_refused_are_told_once_and_hold_nothing_up(spooled, door):
    told: list[tuple[tuple[str, ...], list[float]]] = []
    database_away = True

    def on_refused(part: ReadingBatch, error: PointsRefused) -> None:
        if database_away:
            raise StoreUnavailable("the quarantine cannot be written")
        told.append((error.keys, part.value.tolist()))

    store = spooled(door, on_refused=on_refused)
    both = ReadingBatch.of(TABLE, [0, 1, 1], [T0, T0, T0 + 1], [1.0, 2.0, 3.0])
    door.why = PointsRefused(["tx1/hot_spot_c"], "already an integer")
    store.write(both)
    assert store.spool_status().readings == 3  # not lost: neither stored nor told of yet
    database_away = False
    eventually(lambda: told)
    assert told[0] == (("tx1/hot_spot_c",), [2.0, 3.0])
    eventually(lambda: store.spool_status().readings == 0)
    told.clear()
    store.write(both)
    assert told == [(("tx1/hot_spot_c",), [2.0, 3.0])]
    assert store.spool_status().refused == 4


def test_without_somebody_to_tell_refused_points_are_raised_and_never_spooled(spooled, door):
    store = spooled(door)
    door.why = PointsRefused([LOAD], "already an integer")
    with pytest.raises(PointsRefused, match="already an integer"):
        store.write(batch(0))
    assert store.spool_status().readings == 0


def test_what_no_try_would_store_is_refused_at_once_also_while_the_keeper_is_away(spooled, door):
    store = spooled(door)
    door.why = StoreUnavailable("away")
    with pytest.raises(ValueError, match=LOAD):
        store.write(ReadingBatch.of(TABLE, [0], [T0], [float("nan")]))
    assert store.spool_status().readings == 0


def test_a_keeper_that_is_to_be_left_alone_is_left_alone(spooled, door):
    why = "the disk has hardly any room"
    store = spooled(door, hold=lambda: why)
    store.write(batch(0))
    assert (store.spool_status().readings, door.writes) == (1, [])
    assert store.spool_status().last_error == "the disk has hardly any room"
    why = ""
    eventually(lambda: values(store) == [0.0])


def test_several_writers_lose_nothing_while_the_keeper_comes_and_goes(spooled, door):
    store = spooled(door, SpooledSettings(first_retry_s=0.001, longest_retry_s=0.002, drain_readings=50))
    table = PointTable.of_keys([f"m{i}/x" for i in range(4)])

    def write(point: int) -> None:
        for i in range(200):
            store.write(ReadingBatch.of(table, [point], [T0 + i], [float(i)]))
            if point == 0 and i % 20 == 0:
                door.why = StoreUnavailable("away") if i % 40 else None

    threads = [threading.Thread(target=write, args=(p,)) for p in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    door.why = None
    eventually(lambda: store.spool_status().state == "direct")
    found = store.series([f"m{i}/x" for i in range(4)], *EVER)
    assert [s.value.tolist() for s in found.values()] == [[float(i) for i in range(200)]] * 4


def test_closing_stores_what_waits_if_the_keeper_takes_it(spooled, door, tmp_path):
    store = spooled(door)
    door.why = StoreUnavailable("away")
    store.write(batch(0, 100))
    door.why = None
    eventually(lambda: store.spool_status().away_since_us is None)
    store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        store.write(batch(100))
    with open_store(tmp_path / "telemetry.duckdb") as kept:
        assert len(values(kept)) == 100


def test_closing_ends_also_while_the_keeper_hangs_and_what_waits_is_stored_after_the_next_start(spooled, door, caplog):
    store = spooled(door, SpooledSettings(patience_s=0.05, stop_s=0.05, spool=QUICK.spool))
    door.opened.clear()
    for i in range(3):
        store.write(batch(i))
    store.close()
    assert not door.opened.is_set()
    assert "hangs in a write" in caplog.text
    door.opened.set()
    eventually(lambda: not store._thread.is_alive())
    again = spooled(door)
    eventually(lambda: again.spool_status().readings == 0)
    assert values(door) == [0.0, 1.0, 2.0]


def test_a_process_killed_again_and_again_while_it_drains_loses_nothing(tmp_path):
    child = Path(__file__).with_name("drainer.py")
    safe = 0
    for _ in range(4):
        with subprocess.Popen(
            [sys.executable, str(child), str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        ) as process:  # fmt: skip
            drains = 0
            for line in process.stdout:
                word, count = line.split()
                safe = int(count) if word == "safe" else safe
                drains += word == "drained"
                if drains == 3:
                    break
            process.send_signal(signal.SIGKILL)
            for line in process.stdout:
                if line.startswith("safe ") and line.endswith("\n"):
                    safe = int(line.split()[1])
    with SpooledStore(lambda: open_store(tmp_path / "x.duckdb"), tmp_path / "spool", table=TABLE) as store:
        eventually(lambda: store.spool_status().state == "direct")
        found = values(store)
        assert found == [float(i) for i in range(len(found))]
        assert len(found) >= safe
        assert store.size().readings == len(found)
