"""The spool: what it has taken comes out again, in order, whatever happens to the process, the file or the disk."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facility.errors import ConfigurationError, StoreUnavailable
from facility.readings import OUT_OF_RANGE, PointAddress, PointTable, ReadingBatch
from facility.store.spool import Spool, SpoolFull, SpoolSettings
from facility.store.waiting import WaitingReadings

T0 = 1_735_689_600_000_000
KIB = 1024
SMALL = SpoolSettings(bound_bytes=160 * KIB, reserved_bytes=32 * KIB, segment_bytes=16 * KIB, spare_bytes=0)
TABLE = PointTable.of_keys(["tx1/load_kw", "tx1/hot_spot_c", "ahu-3/supply_temp_c"])
Row = tuple[str, int, float, int]


def batch(first: int, count: int = 1, table: PointTable = TABLE) -> ReadingBatch:
    """Readings `first` to `first + count`: the value is the number, so that order and loss can be seen."""
    numbers = np.arange(first, first + count)
    return ReadingBatch.of(table, numbers % len(table), T0 + numbers, numbers.astype(float))


def rows(batches: tuple[ReadingBatch, ...]) -> list[Row]:
    return [
        (b.table.key(int(p)), int(t), float(v), int(q))
        for b in batches
        for p, t, v, q in zip(b.point, b.time_us, b.value, b.quality, strict=True)
    ]


def drained(spool: Spool, most: int = 100_000) -> list[float]:
    """Take everything out; return the values in the order in which they come."""
    values: list[float] = []
    while (chunk := spool.oldest(most)) is not None:
        values += [row[2] for row in rows(chunk.batches)]
        spool.taken(chunk)
    return values


def last_segment(folder: Path) -> Path:
    return max(folder.glob("[0-9]*.spool"))


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Spool]]:
    made: list[Spool] = []

    def open_(settings: SpoolSettings = SMALL, table: PointTable | None = TABLE) -> Spool:
        for earlier in made:
            earlier.close()
        made.append(Spool(tmp_path / "spool", settings, table))
        return made[-1]

    yield open_
    for spool in made:
        spool.close()


def test_readings_come_out_as_they_went_in_oldest_first(opened):
    spool = opened()
    spool.append(ReadingBatch.of(TABLE, [2, 0], [T0 + 5, -7], [0.1, -0.0], [0, OUT_OF_RANGE]))
    spool.append(batch(0, 2))
    assert spool.readings == 4
    chunk = spool.oldest()
    assert rows(chunk.batches) == [
        ("ahu-3/supply_temp_c", T0 + 5, 0.1, 0),
        ("tx1/load_kw", -7, -0.0, OUT_OF_RANGE),
        ("tx1/load_kw", T0, 0.0, 0),
        ("tx1/hot_spot_c", T0 + 1, 1.0, 0),
    ]
    assert all(b.table is TABLE for b in chunk.batches)
    spool.taken(chunk)
    assert spool.empty
    assert spool.oldest() is None
    assert spool.oldest_us is None


def test_the_same_readings_come_until_they_are_taken(opened):
    spool = opened()
    spool.append(batch(0))
    first = spool.oldest()
    spool.append(batch(1))
    assert spool.oldest() is first
    spool.taken(first)
    assert drained(spool) == [1.0]


def test_what_waits_is_there_after_a_restart_and_what_was_taken_is_not(opened):
    spool = opened()
    for i in range(50):
        spool.append(batch(10 * i, 10))
    chunk = spool.oldest(200)
    spool.taken(chunk)
    oldest = spool.oldest_us
    spool = opened()
    assert (spool.readings, spool.oldest_us) == (300, oldest)
    assert drained(spool) == [float(i) for i in range(200, 500)]
    spool = opened()
    assert spool.empty
    spool.append(batch(500))
    assert drained(spool) == [500.0]


def test_a_spool_many_segments_long_comes_out_in_order_and_its_files_are_used_again(opened, tmp_path):
    spool = opened()
    for turn in range(4):
        random = np.random.default_rng(turn)
        noise = random.uniform(size=4000)
        for i in range(0, 4000, 100):
            spool.append(ReadingBatch.of(TABLE, np.zeros(100, int), T0 + np.arange(i, i + 100), noise[i : i + 100]))
        assert len(list((tmp_path / "spool").glob("[0-9]*.spool"))) > 2
        spool = opened()
        assert spool.readings == 4000
        assert drained(spool, 700) == noise.tolist()
    assert spool.bytes_at_rest <= SMALL.bound_bytes


def test_a_full_spool_says_so_and_takes_again_once_there_is_room(opened):
    spool = opened()
    random = np.random.default_rng(1)

    def fill() -> None:
        while True:
            spool.append(ReadingBatch.of(TABLE, np.zeros(100, int), T0 + np.arange(100), random.uniform(size=100)))

    with pytest.raises(SpoolFull, match=r"the spool is full .* bring the store back"):
        fill()
    assert spool.bytes_at_rest <= SMALL.bound_bytes
    assert spool.waiting_bytes > 0.8 * SMALL.bound_bytes
    with pytest.raises(SpoolFull):
        spool.append(batch(0, 400))
    before = spool.readings
    while spool.readings == before or spool.readings > before // 2:
        spool.taken(spool.oldest(1000))
    spool.append(batch(0))
    assert drained(spool)[-1] == 0.0


def test_a_batch_larger_than_a_segment_is_taken_whole(opened):
    spool = opened(SpoolSettings(bound_bytes=2048 * KIB, reserved_bytes=0, segment_bytes=16 * KIB, spare_bytes=0))
    values = np.random.default_rng(1).uniform(size=20_000)
    spool.append(ReadingBatch.of(TABLE, np.zeros(20_000, int), T0 + np.arange(20_000), values))
    assert drained(spool, 5000) == values.tolist()


def test_a_torn_last_record_is_cut_off_and_all_before_it_is_kept(opened, tmp_path):
    spool = opened()
    spool.append(batch(0, 5))
    end = spool._segments[-1].end
    spool.append(batch(5, 5))
    torn_end = spool._segments[-1].end
    spool.close()
    # As a power cut leaves it: the beginning of the record has reached the disk, its end has not.
    for cut in range(end, torn_end - 8, 3):
        path = last_segment(tmp_path / "spool")
        data = path.read_bytes()
        path.write_bytes(data[:cut] + b"\0" * (len(data) - cut))
        spool = opened()
        assert spool.readings == 5, cut
        assert spool.damaged == 0
        spool.close()
        path.write_bytes(data)
    spool = opened()
    path.write_bytes(data[: torn_end - 9] + b"\0" * (len(data) - torn_end + 9))
    spool = opened()
    spool.append(batch(100, 2))
    spool = opened()
    assert drained(spool) == [0.0, 1.0, 2.0, 3.0, 4.0, 100.0, 101.0]


def test_what_is_written_into_deleted_files_is_not_taken_for_safe_and_it_goes_on_in_new_ones(opened, tmp_path):
    spool = opened()
    spool.append(batch(0, 10))
    shutil.rmtree(tmp_path / "spool")
    with pytest.raises(StoreUnavailable, match="its files have been deleted"):
        spool.append(batch(10, 10))
    spool.append(batch(10, 10))
    assert drained(spool) == [*range(20)]
    spool.append(batch(20, 10))
    assert drained(opened())[-10:] == [*range(20, 30)]


def test_a_damaged_record_in_the_middle_is_set_aside_and_told_and_the_rest_comes(opened, tmp_path, caplog):
    spool = opened()
    ends = []
    for i in range(3):
        spool.append(batch(10 * i, 10))
        ends.append(spool._segments[-1].end)
    spool.close()
    with last_segment(tmp_path / "spool").open("r+b") as file:
        file.seek((ends[0] + ends[1]) // 2)
        file.write(b"rot")
    spool = opened()
    assert drained(spool) == [float(i) for i in [*range(10), *range(20, 30)]]
    assert (spool.damaged, spool.empty) == (1, True)
    (aside,) = (tmp_path / "spool").glob("damaged-*")
    assert b"rot" in aside.read_bytes()
    assert "a damaged stretch of the spool is left out" in caplog.text


def test_a_segment_with_a_damaged_head_is_set_aside(opened, tmp_path):
    spool = opened()
    while len(list((tmp_path / "spool").glob("[0-9]*.spool"))) < 3:
        noise = np.random.default_rng(spool.readings).uniform(size=100)
        spool.append(ReadingBatch.of(TABLE, np.zeros(100, int), T0 + np.arange(100), noise))
    everything = spool.readings
    spool.close()
    second = sorted((tmp_path / "spool").glob("[0-9]*.spool"))[1]
    with second.open("r+b") as file:
        file.write(b"rot")
    spool = opened()
    assert spool.damaged == 1
    assert 100 < spool.readings < everything
    assert len(drained(spool)) < everything
    assert spool.empty


@pytest.mark.parametrize("damage", [b"", b"rot", b"\xff" * 4096])
def test_a_lost_position_brings_readings_again_and_loses_none(opened, tmp_path, damage):
    spool = opened()
    for i in range(10):
        spool.append(batch(i))
    spool.taken(spool.oldest(4))
    spool.close()
    (tmp_path / "spool" / "position").write_bytes(damage)
    assert drained(opened()) == [float(i) for i in range(10)]


def test_points_come_back_by_their_names_when_the_site_file_has_changed(opened):
    spool = opened()
    spool.append(batch(0, 3))
    now = PointTable(
        (
            PointAddress("new", "power_kw"),
            PointAddress("ahu-3", "supply_temp_c", "air_handling_unit", "°C", room="plant-2"),
            PointAddress("tx1", "load_kw", "dry_type_transformer", "kW", room="power-1"),
        )
    )
    spool = opened(table=now)
    chunk = spool.oldest()
    assert [(r[0], r[2]) for r in rows(chunk.batches)] == [
        ("tx1/load_kw", 0.0), ("ahu-3/supply_temp_c", 2.0), ("tx1/hot_spot_c", 1.0),
    ]  # fmt: skip
    assert chunk.batches[0].table is now
    (gone,) = chunk.batches[1].table.addresses
    assert gone == TABLE.addresses[1]


def test_addresses_are_kept_whole(opened):
    address = PointAddress("氧气站", "压力/1", "oxygen", "MPa", "滨江", "main", "o2", "gauge")
    table = PointTable((address,))
    spool = opened(table=None)
    spool.append(ReadingBatch.of(table, [0], [T0], [0.4]))
    spool = opened(table=None)
    assert spool.oldest().batches[0].table.addresses == (address,)


def test_a_point_may_be_in_tables_of_several_shapes(opened):
    spool = opened()
    turned = PointTable.of_keys(["pump/flow", "tx1/load_kw"])
    spool.append(batch(0, 3))
    spool.append(ReadingBatch.of(turned, [0, 1], [T0, T0], [7.0, 8.0]))
    found = {(key, value) for key, _, value, _ in rows(spool.oldest().batches)}
    assert {("pump/flow", 7.0), ("tx1/load_kw", 8.0), ("tx1/load_kw", 0.0)} <= found


def test_what_waits_can_be_asked_for_the_newest_readings_and_for_the_last_minutes(opened):
    spool = opened()
    spool.append(batch(0, 6))
    spool.append(ReadingBatch.of(TABLE, [0, 0], [T0 - 5, T0 + 3], [99.0, 77.0]))
    waiting = WaitingReadings(opened().tail())
    assert {key: (n.time_us - T0, n.value) for key, n in waiting.latest().items()} == {
        "tx1/load_kw": (3, 77.0), "tx1/hot_spot_c": (4, 4.0), "ahu-3/supply_temp_c": (5, 5.0),
    }  # fmt: skip
    assert list(waiting.latest(["tx1/load_kw", "no/such"])) == ["tx1/load_kw"]
    found = waiting.series(["tx1/load_kw", "no/such"], T0 - 5, T0 + 4)
    assert (found["tx1/load_kw"].time_us - T0).tolist() == [-5, 0, 3]
    assert found["tx1/load_kw"].value.tolist() == [99.0, 0.0, 77.0]
    assert len(found["no/such"]) == 0


def test_a_reading_that_is_none_is_refused(opened):
    spool = opened()
    with pytest.raises(ValueError, match="tx1/load_kw"):
        spool.append(ReadingBatch.of(TABLE, [0], [T0], [float("nan")]))
    assert spool.empty


def test_a_folder_belongs_to_one_spool(opened, tmp_path):
    opened()
    with pytest.raises(StoreUnavailable, match=f"held by process {os.getpid()}"):
        Spool(tmp_path / "spool", SMALL)


def test_a_folder_that_cannot_be_used_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="the folder cannot be used"):
        Spool(tmp_path / "file" / "spool", SMALL)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"bound_bytes": 1024}, "too small"),
        ({"reserved_bytes": 1 << 40}, "reserve less"),
        ({"segment_bytes": 10}, "segments of 10 bytes"),
    ],
)
def test_settings_that_cannot_work_are_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        SpoolSettings(**wrong)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("append"), st.integers(1, 400)),
            st.tuples(st.just("take"), st.integers(1, 500)),
            st.just(("open", 0)),
            st.just(("tear", 0)),
        ),
        max_size=30,
    )
)
def test_whatever_is_done_nothing_is_lost_and_the_order_is_kept(tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("spool")
    roomy = SpoolSettings(bound_bytes=1024 * KIB, reserved_bytes=16 * KIB, segment_bytes=16 * KIB, spare_bytes=0)
    spool = Spool(folder, roomy, TABLE)
    written, out = 0, []
    try:
        for what, n in steps:
            if what == "append":
                spool.append(batch(written, n))
                written += n
            elif what == "take" and (chunk := spool.oldest(n)) is not None:
                out += sorted(row[2] for row in rows(chunk.batches))
                spool.taken(chunk)
            elif what in ("open", "tear"):
                end = spool._segments[-1].end if spool._segments else None
                spool.close()
                if what == "tear" and end is not None:
                    with last_segment(folder).open("r+b") as file:
                        file.seek(end)
                        file.write(b"WWRC" + os.urandom(40))
                spool = Spool(folder, roomy, TABLE)
            assert spool.readings == written - len(out)
        out += drained(spool)
    finally:
        spool.close()
    assert out == [float(i) for i in range(written)]


def test_a_process_killed_again_and_again_while_it_spools_loses_nothing_that_it_was_told_is_safe(tmp_path):
    child = Path(__file__).with_name("spooler.py")
    safe = 0
    for turn in range(4):
        with subprocess.Popen(
            [sys.executable, str(child), str(tmp_path / "spool")], stdout=subprocess.PIPE, text=True,
            cwd=Path(__file__).parents[3], env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        ) as process:  # fmt: skip
            for line in process.stdout:
                safe = int(line)
                if safe >= 150 * (turn + 1):
                    break
            process.send_signal(signal.SIGKILL)
            for line in process.stdout:
                if line.endswith("\n"):
                    safe = int(line)
        with Spooled(tmp_path) as spool:
            assert spool.readings >= 7 * safe
    with Spooled(tmp_path) as spool:
        assert spool.damaged == 0
        values = drained(spool)
    assert values == [float(i) for i in range(len(values))]
    assert len(values) >= 7 * safe


class Spooled:
    def __init__(self, folder: Path) -> None:
        self.spool = Spool(folder / "spool", table=TABLE)

    def __enter__(self) -> Spool:
        return self.spool

    def __exit__(self, *_: object) -> None:
        self.spool.close()
