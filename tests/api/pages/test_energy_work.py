"""Figures that take longer than a page may: made beside the request, kept, made anew, and never silently lost."""

from __future__ import annotations

import threading
import time

import pytest

from api.pages.energy_work import Work


def settled(work: Work) -> None:
    """Wait until nothing is under way."""
    end = time.monotonic() + 5.0
    while work.standing() is not None:
        assert time.monotonic() < end, "the work does not end"
        time.sleep(0.005)


def test_a_page_does_not_wait_for_what_is_being_worked_out() -> None:
    work, go = Work(), threading.Event()

    def make() -> int:
        assert go.wait(5.0)
        return 7

    assert work.get("a", make, 60.0).waiting
    assert work.standing() == (0, 1)
    go.set()
    settled(work)
    assert work.get("a", make, 60.0).result == 7


def test_what_is_fresh_is_not_made_again() -> None:
    work, made = Work(inline=True), []

    def make() -> int:
        made.append(1)
        return len(made)

    assert [work.get("a", make, 60.0).result for _ in range(3)] == [1, 1, 1]
    assert work.get("a", make, -1.0).result == 2


def test_an_old_result_stands_while_the_new_one_is_made() -> None:
    work, go = Work(), threading.Event()
    go.set()
    work.get("a", lambda: 1, 60.0)
    settled(work)
    go.clear()

    def slowly() -> int:
        assert go.wait(5.0)
        return 2

    assert work.get("a", slowly, -1.0).result == 1
    go.set()
    settled(work)
    assert work.get("a", slowly, 60.0).result == 2


@pytest.mark.parametrize("error", [ValueError("no data"), RuntimeError()])
def test_what_fails_says_why_and_does_not_stop_the_rest(error: Exception) -> None:
    work = Work(inline=True)

    def fail() -> int:
        raise error

    failed = work.get("a", fail, 60.0)
    assert failed.result is None
    assert failed.failed is not None
    why = str(error) or type(error).__name__
    assert (failed.failed.zh, failed.failed.en) == (
        f"无法计算，原因见服务日志（{why}）",
        f"it cannot be worked out; the service's log has more ({why})",
    )
    assert work.get("b", lambda: 1, 60.0).result == 1


def test_better_an_old_result_than_none_when_the_new_one_fails() -> None:
    work = Work(inline=True)
    work.get("a", lambda: 1, 60.0)

    def fail() -> int:
        raise ValueError("the store is away")

    assert work.get("a", fail, -1.0).result == 1
