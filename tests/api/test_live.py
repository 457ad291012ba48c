from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest

from api.live import LiveBoard
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


def test_a_subscriber_hears_of_what_another_thread_writes():
    async def run() -> list[list[int]]:
        board = LiveBoard(TABLE)
        heard: list[list[int]] = []
        writer = threading.Thread(target=board, args=(batch((1, 100, 1.0)),))
        changes = board.subscribe(pace_s=0.0)
        waiting = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)
        writer.start()
        heard.append((await waiting).tolist())
        writer.join()
        await changes.aclose()
        return heard

    assert asyncio.run(run()) == [[1]]


def test_many_writes_between_two_turns_of_a_subscriber_are_one_change():
    async def run() -> list[int]:
        board = LiveBoard(TABLE)
        for t in range(1000):
            board(batch((0, t + 1, float(t)), (2, t + 1, float(t))))
        changes = board.subscribe(since=0, pace_s=0.0)
        first = (await anext(changes)).tolist()
        board.close()
        assert [c async for c in changes] == []
        return first

    assert asyncio.run(run()) == [0, 2]


def test_a_closed_board_ends_the_subscriptions_that_wait_and_those_that_come():
    async def run() -> tuple[list[int], list[int]]:
        board = LiveBoard(TABLE)

        async def count() -> list[int]:
            return [len(c) async for c in board.subscribe()]

        waiting = asyncio.ensure_future(count())
        await asyncio.sleep(0)
        board.close()
        return await waiting, await count()

    assert asyncio.run(run()) == ([], [])


def test_no_change_is_lost_when_threads_write_while_a_subscriber_reads():
    async def run() -> int:
        board = LiveBoard(TABLE)
        last = 2000

        def write() -> None:
            for t in range(1, last + 1):
                board(batch((0, t, float(t))))

        writer = threading.Thread(target=write)
        writer.start()
        async with asyncio.timeout(60):
            async for _ in board.subscribe(since=0, pace_s=0.0):
                reading = board.latest("tx1/load")
                if reading is not None and reading.time_us == last:
                    break
        writer.join()
        return last

    assert asyncio.run(run()) == 2000
