"""The way of batches to the rules: nothing is lost, however fast they come and whatever is away."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence

import pytest

from analytics.live import LimitEvent, LiveFeed, LiveRules
from facility.errors import StoreUnavailable
from facility.readings import ReadingBatch
from facility.site import Site

S = 1_000_000
T0 = 1_760_000_000 * S


def eventually(condition: Callable[[], bool], seconds: float = 30) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


def pressure(site: Site, second: float, value: float) -> ReadingBatch:
    return ReadingBatch.of(site.points, [site.points.index["o2-icu/pressure"]], [T0 + round(second * S)], [value])


class Taker:
    """Takes events; may be away for a while."""

    def __init__(self) -> None:
        self.events: list[LimitEvent] = []
        self.away = False
        self.asked = threading.Event()

    def __call__(self, events: Sequence[LimitEvent]) -> None:
        self.asked.set()
        if self.away:
            raise StoreUnavailable("the database is away")
        self.events += events


@pytest.fixture
def taker() -> Taker:
    return Taker()


def feed_of(site: Site, taker: Taker, now: list[int], derived: list[ReadingBatch] | None = None) -> LiveFeed:
    def broken(batch: ReadingBatch) -> None:
        raise RuntimeError("this one always fails")

    takers = [broken] if derived is None else [broken, derived.append]
    feed = LiveFeed(LiveRules(site), taker, takers, lambda: now[0])
    feed.start()
    return feed


def test_many_small_batches_come_to_the_same_as_one(site: Site, taker: Taker) -> None:
    now = [T0]
    feed = feed_of(site, taker, now)
    for i in range(40):
        feed(pressure(site, i, 310))
    feed(pressure(site, 41, 400))
    feed.stop()
    assert [(e.kind, (e.at_us - T0) // S) for e in taker.events if e.kind != "worse"] == [
        ("firing", 10),
        ("cleared", 41),
    ]


def test_time_that_passes_is_noticed_without_a_batch(site: Site, taker: Taker) -> None:
    later = itertools.count(T0, 6 * S)  # each round is six seconds after the one before
    feed = LiveFeed(LiveRules(site), taker, [], lambda: next(later))
    feed.start()
    feed(pressure(site, 0, 310))
    assert eventually(lambda: bool(taker.events))
    feed.stop()
    assert taker.events[0].kind == "firing"


def test_events_wait_while_the_database_is_away(site: Site, taker: Taker) -> None:
    taker.away = True
    feed = feed_of(site, taker, [T0 + 60 * S])
    for i in range(12):
        feed(pressure(site, i, 310))
    assert taker.asked.wait(30)
    taker.away = False
    assert eventually(lambda: bool(taker.events))
    feed.stop()
    assert [e.kind for e in taker.events] == ["firing"]


def test_derived_points_are_handed_on_though_one_taker_fails(site: Site, taker: Taker) -> None:
    derived: list[ReadingBatch] = []
    feed = feed_of(site, taker, [T0], derived)
    index = site.points.index
    feed(ReadingBatch.of(site.points, [index["tx1/apparent_power"]], [T0], [500.0]))
    feed.stop()
    assert [site.points.key(int(p)) for b in derived for p in b.point] == ["tx1/load"]


def test_a_batch_that_cannot_be_judged_does_not_end_the_watch(site: Site, taker: Taker) -> None:
    from facility.readings import PointTable

    now = [T0 + 60 * S]
    feed = feed_of(site, taker, now)
    feed(ReadingBatch.of(PointTable.of_keys(["x/y"]), [0], [T0], [1.0]))
    assert eventually(lambda: not feed.waiting)
    for i in range(12):
        feed(pressure(site, i, 310))
    feed.stop()
    assert [e.kind for e in taker.events] == ["firing"]


def test_what_a_restart_left_over_is_told_first(site: Site, taker: Taker) -> None:
    rules = LiveRules(site)
    for i in range(11):
        found = rules.evaluate(pressure(site, i, 310), T0)
    feed = LiveFeed(LiveRules(site), taker, [], lambda: T0, first=found)
    feed.start()
    assert eventually(lambda: bool(taker.events))
    feed.stop()
    assert taker.events == found


def test_stopping_twice_or_before_the_start_does_no_harm(site: Site, taker: Taker) -> None:
    LiveFeed(LiveRules(site), taker, [], lambda: T0).stop()
    feed = feed_of(site, taker, [T0])
    feed.stop()
    feed.stop()
