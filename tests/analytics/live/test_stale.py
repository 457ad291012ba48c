"""What a device reports offline is unknown to the live rules at once."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from analytics.live import LimitEvent, LiveFeed, LiveRules
from facility.readings import ReadingBatch, StaleNotice
from facility.site import Site

S = 1_000_000
T0 = 1_760_000_000 * S
PRESSURE = "o2-icu/pressure"


def eventually(condition: Callable[[], object], seconds: float = 30) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return bool(condition())


def pressure(site: Site, second: float, value: float) -> ReadingBatch:
    return ReadingBatch.of(site.points, [site.points.index[PRESSURE]], [T0 + round(second * S)], [value])


def offline(site: Site, second: float, *keys: str) -> StaleNotice:
    points = np.array([site.points.index[key] for key in keys], dtype=np.int32)
    return StaleNotice(points, T0 + round(second * S), "Hospital/edge-1", None)


def alarmed(site: Site) -> LiveRules:
    """Rules with a firing pressure alarm."""
    rules = LiveRules(site)
    events: list[LimitEvent] = []
    for second in range(0, 120, 5):
        events += rules.evaluate(pressure(site, second, 200.0), T0 + second * S)
    assert "firing" in [e.kind for e in events]
    return rules


def test_a_firing_limit_cannot_be_told_any_more_at_once(site: Site) -> None:
    rules = alarmed(site)
    events = rules.mark_stale(offline(site, 116, PRESSURE), T0 + 116 * S)
    assert {e.kind for e in events} == {"unknown"}
    assert {e.equipment for e in events} == {"o2-icu"}


def test_it_can_be_told_again_with_the_next_reading(site: Site) -> None:
    rules = alarmed(site)
    rules.mark_stale(offline(site, 116, PRESSURE), T0 + 116 * S)
    kinds = [e.kind for e in rules.evaluate(pressure(site, 120, 200.0), T0 + 120 * S)]
    assert "known" in kinds
    assert "cleared" not in kinds


def test_nothing_begins_on_a_value_that_is_gone(site: Site) -> None:
    rules = LiveRules(site)
    rules.evaluate(pressure(site, 0, 200.0), T0)
    rules.mark_stale(offline(site, 1, PRESSURE), T0 + S)
    assert [e for second in range(2, 300) for e in rules.tick(T0 + second * S)] == []


def test_other_machines_are_left_alone(site: Site) -> None:
    rules = alarmed(site)
    others = [key for key in site.points.index if not key.startswith("o2-icu/")]
    assert rules.mark_stale(offline(site, 116, *others), T0 + 116 * S) == []


def test_derived_points_go_with_what_they_are_computed_from(site: Site) -> None:
    told: list[StaleNotice] = []
    feed = LiveFeed(LiveRules(site), lambda _events: None, (), lambda: T0, on_stale=told.append)
    feed.start()
    (source, derived), *_ = ((p, d) for p in range(len(site.points)) if (d := site.derived_from([p])))
    feed.mark_stale(offline(site, 1, site.points.key(source)))
    assert eventually(lambda: told)
    assert told[0].point.tolist() == list(derived)
    feed.stop()
