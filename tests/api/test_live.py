from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest

from api.live import Bell, LiveBoard, Wake
from facility.readings import OUT_OF_RANGE, Latest, PointTable, ReadingBatch

TABLE = PointTable.of_keys(["tx1/load", "tx1/winding", "tx2/load"])


def batch(*readings: tuple[int, int, float]) -> ReadingBatch:
    points, times, values = zip(*readings, strict=True)
    return ReadingBatch.of(TABLE, points, times, values)


def test_a_point_that_was_never_read_has_no_latest_and_is_nan_in_the_snapshot():
    board = LiveBoard(TABLE)
    assert board.latest("tx1/load") is None
    assert np.isnan(board.snapshot().value).all()


def test_the_newest_time_stands_whatever_the_order_of_arrival():
    board = LiveBoard(TABLE)
    board(batch((0, 200, 2.0), (0, 100, 1.0), (1, 150, 9.0)))
    board(batch((0, 150, 1.5)))
    assert board.latest("tx1/load") == Latest(200, 2.0, 0)
    assert board.latest("tx1/winding") == Latest(150, 9.0, 0)


def test_of_two_readings_with_the_same_time_the_last_write_stands():
    board = LiveBoard(TABLE)
    board(batch((0, 100, 1.0), (0, 100, 2.0)))
    assert board.latest("tx1/load") == Latest(100, 2.0, 0)
    board(batch((0, 100, 3.0)))
    assert board.latest("tx1/load") == Latest(100, 3.0, 0)


def test_the_quality_comes_with_the_value():
    board = LiveBoard(TABLE)
    board(ReadingBatch.of(TABLE, [2], [100], [999.0], OUT_OF_RANGE))
    assert board.latest("tx2/load") == Latest(100, 999.0, OUT_OF_RANGE)


def test_only_what_changed_after_a_revision_is_named():
    board = LiveBoard(TABLE)
    board(batch((0, 100, 1.0)))
    seen = board.revision
    board(batch((2, 100, 1.0)))
    assert board.changed_since(seen).tolist() == [2]
    assert board.changed_since(0).tolist() == [0, 2]
    assert board.changed_since(board.revision).tolist() == []


def test_an_older_reading_is_no_change():
    board = LiveBoard(TABLE)
    board(batch((0, 100, 1.0)))
    seen = board.revision
    board(batch((0, 50, 7.0)))
    assert board.changed_since(seen).tolist() == []


def test_a_seed_fills_the_board_and_leaves_out_points_that_the_site_no_longer_has():
    board = LiveBoard(TABLE)
    board.seed({"tx2/load": Latest(100, 4.0, 0), "gone/load": Latest(100, 5.0, 0)})
    assert board.latest("tx2/load") == Latest(100, 4.0, 0)
    assert board.latest("gone/load") is None


def test_a_seed_does_not_push_aside_what_has_arrived_meanwhile():
    board = LiveBoard(TABLE)
    board(batch((0, 200, 2.0)))
    board.seed({"tx1/load": Latest(100, 1.0, 0)})
    assert board.latest("tx1/load") == Latest(200, 2.0, 0)


def test_a_batch_of_another_table_is_refused():
    other = PointTable.of_keys(["tx1/load"])
    with pytest.raises(ValueError, match="another table"):
        LiveBoard(TABLE)(ReadingBatch.of(other, [0], [100], [1.0]))


def test_a_listener_on_the_loop_hears_of_what_another_thread_writes():
    async def run() -> tuple[bool, list[int]]:
        board, wake = LiveBoard(TABLE), Wake()
        with board.bell.heard_by(wake):
            writer = threading.Thread(target=board, args=(batch((1, 100, 1.0)),))
            writer.start()
            heard = await wake.wait(30)
            writer.join()
            return heard, board.changed_since(0).tolist()

    assert asyncio.run(run()) == (True, [1])


def test_many_rings_before_the_listener_looks_are_one():
    async def run() -> tuple[bool, bool]:
        bell, wake = Bell(), Wake()
        with bell.heard_by(wake):
            for _ in range(1000):
                bell.ring()
            return await wake.wait(30), await wake.wait(0)

    assert asyncio.run(run()) == (True, False)


def test_a_closed_bell_wakes_those_that_wait_and_those_that_come():
    async def run() -> list[bool]:
        bell, first, late = Bell(), Wake(), Wake()
        with bell.heard_by(first):
            bell.close()
            heard = await first.wait(30)
        with bell.heard_by(late):
            return [heard, await late.wait(30)]

    assert asyncio.run(run()) == [True, True]


def test_a_listener_whose_loop_is_gone_harms_nobody():
    bell = Bell()

    async def listen() -> None:
        bell.heard_by(Wake()).__enter__()

    asyncio.run(listen())
    bell.ring()


def test_no_ring_is_lost_when_threads_write_while_a_listener_looks():
    last = 2000

    async def run() -> None:
        board, wake = LiveBoard(TABLE), Wake()

        def write() -> None:
            for t in range(1, last + 1):
                board(batch((0, t, float(t))))

        with board.bell.heard_by(wake):
            writer = threading.Thread(target=write)
            writer.start()
            while (reading := board.latest("tx1/load")) is None or reading.time_us < last:
                # A lost ring would let this wait run out.
                assert await wake.wait(60)
            writer.join()

    asyncio.run(run())
