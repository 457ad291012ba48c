"""The live board while devices are offline: no old value stands for a present one."""

from __future__ import annotations

import numpy as np
import pytest

from api.live import LiveBoard
from facility.readings import HISTORICAL, Latest, PointTable, ReadingBatch, StaleNotice

TABLE = PointTable.of_keys(["tx1/load", "tx1/winding", "tx2/load"])


def read(point: int, time_us: int, quality: int = 0) -> ReadingBatch:
    return ReadingBatch.of(TABLE, [point], [time_us], [1.0], quality)


def offline(at_us: int, *points: int) -> StaleNotice:
    return StaleNotice(np.array(points, dtype=np.int32), at_us, "Hospital/edge-1", None)


@pytest.fixture
def board() -> LiveBoard:
    """A board on which two of three points have been read."""
    board = LiveBoard(TABLE)
    board(read(0, 100))
    board(read(1, 100))
    return board


def test_a_point_is_offline_from_the_notice_on(board):
    seen = board.revision
    board.mark_stale(offline(150, 0, 2))
    assert board.latest("tx1/load") == Latest(100, 1.0, 0, 150)
    assert board.latest("tx1/winding") == Latest(100, 1.0, 0)
    assert board.changed_since(seen).tolist() == [0]  # what was never read does not change
    assert board.snapshot().offline_us.tolist() == [150, 0, 150]


@pytest.mark.parametrize("time_us", [200, 120, 90])
def test_the_next_reading_ends_it_whatever_the_gateways_clock_says(board, time_us):
    board.mark_stale(offline(150, 0))
    board(read(0, time_us))
    assert board.latest("tx1/load").offline_us is None


def test_history_does_not_end_it(board):
    board.mark_stale(offline(150, 0))
    board(read(0, 120, HISTORICAL))
    assert board.latest("tx1/load").offline_us == 150


def test_what_the_store_holds_does_not_end_it(board):
    board.mark_stale(offline(150, 0))
    board.seed({"tx1/load": Latest(100, 1.0, 0)})
    assert board.latest("tx1/load").offline_us == 150


def test_all_that_is_offline_may_be_told_at_once(board):
    board.replace_stale([offline(150, 0)])
    board.replace_stale([offline(160, 1)])
    assert board.latest("tx1/load").offline_us is None
    assert board.latest("tx1/winding").offline_us == 160
    seen = board.revision
    board.replace_stale([offline(160, 1)])
    assert board.revision == seen
