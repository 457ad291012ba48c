"""Work that is done one step behind: in its order, one piece at a time, and no piece after one that failed."""

from __future__ import annotations

import threading

import pytest

from analytics.energy.behind import Behind


def test_pieces_are_done_in_their_order_while_the_next_is_made_ready():
    done: list[int] = []
    free = threading.Event()
    with Behind("test") as behind:
        behind.do(lambda: (free.wait(60), done.append(1))[1])
        assert not done  # the caller goes on meanwhile
        free.set()
        behind.do(lambda: done.append(2))
        assert done[0] == 1  # the second waited for the first
        behind.do(lambda: done.append(3))
    assert done == [1, 2, 3]


@pytest.mark.parametrize("pieces_after", [0, 1])
def test_what_a_piece_raises_comes_out_and_nothing_is_begun_after_it(pieces_after: int):
    done: list[int] = []

    def fail() -> None:
        raise OSError("no room")

    def work() -> None:
        with Behind("test") as behind:
            behind.do(fail)
            for _ in range(pieces_after):
                behind.do(lambda: done.append(1))

    with pytest.raises(OSError, match="no room"):
        work()
    assert not done


def test_when_its_user_fails_the_piece_under_way_is_finished_first():
    done: list[int] = []
    free = threading.Event()

    def work() -> None:
        with Behind("test") as behind:
            behind.do(lambda: (free.wait(60), done.append(1))[1])
            threading.Timer(0.05, free.set).start()
            raise KeyError

    with pytest.raises(KeyError):
        work()
    assert done == [1]
