"""Curves keep every extreme, never join a gap, and say in words what they show."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.pages.curves import spark
from api.pages.marks import Mark
from api.pages.trends import (
    RANGES,
    Label,
    TrendEvent,
    TrendSeries,
    TrendSubject,
    apart,
    nice_ticks,
    start_of,
    time_ticks,
    trend,
)
from api.pages.values import PointLimit
from api.pages.words import words_of
from facility.readings import Aggregates

ZONE = ZoneInfo("Asia/Shanghai")
NOW = 1_784_140_800_000_000
DAY = RANGES[0]
EN = words_of("en")


def steps(values: Sequence[float | None], step_us: int, start_us: int) -> Aggregates:
    known = [(start_us + i * step_us, v) for i, v in enumerate(values) if v is not None]
    t = np.array([t for t, _ in known], dtype=np.int64)
    v = np.array([v for _, v in known], dtype=np.float64)
    return Aggregates(t, v, v.copy(), v.copy(), v.copy(), np.ones(t.shape, dtype=np.int64))


def above(threshold: float, priority: str = "P2") -> PointLimit:
    return PointLimit(threshold, True, priority, None, True)  # type: ignore[arg-type]


def draw(values: Sequence[float | None], limits: tuple[PointLimit, ...] = ()):
    start = NOW - len(values) * 60_000_000
    readings = steps(values, 60_000_000, start)
    return spark(readings, start, NOW, 60_000_000, 60.0, (0.0, 100.0), (20.0, 80.0), limits)


def test_a_gap_breaks_the_curve_and_is_hatched() -> None:
    drawn = draw([50.0] * 10 + [None] * 10 + [50.0] * 10)
    assert drawn.path.count("M") == 2
    assert len(drawn.gaps) == 1


def test_readings_that_end_long_ago_leave_no_end_mark() -> None:
    drawn = draw([50.0] * 10 + [None] * 20)
    assert drawn.end is None
    assert drawn.gaps[-1][0] == pytest.approx(41.3, abs=0.1)


def test_a_point_that_missed_one_reading_has_no_gap() -> None:
    assert draw([50.0, None, 50.0, 50.0]).gaps == ()


def test_a_stretch_beyond_a_limit_is_highlighted_and_ends_in_the_priority_s_shape() -> None:
    drawn = draw([50.0] * 20 + [90.0] * 10, (above(85.0),))
    assert [h.priority for h in drawn.highlights] == ["P2"]
    assert drawn.end is not None
    assert drawn.end.kind == "P2"


def test_a_spike_of_one_step_is_drawn_to_its_top() -> None:
    start = NOW - 30 * 60_000_000
    flat = steps([50.0] * 30, 60_000_000, start)
    flat.max[15] = 95.0
    drawn = spark(flat, start, NOW, 60_000_000, 60.0, (0.0, 100.0), None, ())
    assert "V3.5" in drawn.path  # 95 of 100 on 30 high, below a margin of 2


@given(st.lists(st.floats(0, 100), min_size=1, max_size=80))
def test_no_extreme_is_lost_however_the_readings_run(values: list[float]) -> None:
    drawn = draw(values)
    numbers = [
        float(n) for part in drawn.path.replace("L", "M").split("M")[1:] for n in part.split("V")[0].split()[1:2]
    ]
    numbers += [float(n) for part in drawn.path.split("V")[1:] for n in [part.split("L")[0].split("M")[0]]]
    top, bottom = 32.0 - max(values) * 0.3, 32.0 - min(values) * 0.3
    assert min(numbers) == pytest.approx(top, abs=0.06)
    assert max(numbers) == pytest.approx(bottom, abs=0.06)


@given(st.floats(-1e5, 1e5), st.floats(1e-3, 1e5), st.integers(3, 8))
def test_ticks_are_round_lie_on_the_scale_and_are_not_too_many(low: float, width: float, most: int) -> None:
    ticks = nice_ticks((low, low + width), most)
    assert len(ticks) <= most + 1
    assert all(low - 1e-6 * width <= t <= low + width * (1 + 1e-6) + 1e-6 for t in ticks)


def test_a_day_s_ticks_stand_at_round_hours_of_the_site_s_clock() -> None:
    labels = [text for _, text in time_ticks(NOW - DAY.span_us, NOW, ZONE, 7)]
    assert labels == ["04:00", "08:00", "12:00", "16:00", "20:00", "00:00"]


def test_a_month_s_ticks_stand_at_midnights() -> None:
    labels = [text for _, text in time_ticks(NOW - RANGES[2].span_us, NOW, ZONE, 7)]
    assert labels == ["06-21", "06-26", "07-01", "07-06", "07-11", "07-16"]


def test_labels_that_would_cover_each_other_are_pushed_apart_in_their_order() -> None:
    moved = apart([Label(0, 100, "b"), Label(0, 98, "a"), Label(0, 101, "c")], 14, 0, 200)
    assert [label.text for label in moved] == ["a", "b", "c"]
    assert [b.y - a.y for a, b in pairwise(moved)] == [14, 14]


SUBJECT = TrendSubject("Load", "%", 0, 60.0, (0.0, 120.0), (20.0, 70.0), (above(80.0, "P3"), above(100.0)), {})


def chart(values: Sequence[float | None], events: Sequence[TrendEvent] = ()):
    start = start_of(DAY, NOW)
    return trend(SUBJECT, [TrendSeries("", steps(values, DAY.step_us, start))], events, DAY, NOW, ZONE, EN)


def test_a_chart_says_in_one_sentence_what_it_shows() -> None:
    drawn = chart([40.0] * 144 + [90.0] * 144)
    assert drawn.sentence == "Load, last 24 h: lowest 40%, highest 90%, last 90%."


def test_a_chart_names_each_limit_with_the_priority_it_raises_and_the_value_now() -> None:
    drawn = chart([90.0] * 288)
    assert {label.text for label in drawn.desk.side_labels} == {"80 P3", "100 P2", "now 90"}


def test_a_chart_without_readings_says_so_and_is_not_drawn_as_zero() -> None:
    drawn = chart([])
    assert drawn.empty
    assert drawn.sentence == "Load, last 24 h: no data."


def test_events_stand_in_the_lane_and_those_close_together_become_one_mark() -> None:
    alert, ticket = Mark("m3", "P3"), Mark("tk", "ticket")
    events = [
        TrendEvent(NOW - 12 * 3_600_000_000, alert, "load high", "/alerts/1"),
        TrendEvent(NOW - 12 * 3_600_000_000 + 60_000_000, ticket, "WO-260716-001", "/tickets/1"),
        TrendEvent(NOW - 2 * 3_600_000_000, ticket, "WO-260716-002", "/tickets/2"),
        TrendEvent(NOW - 40 * 3_600_000_000, ticket, "too old", "/tickets/3"),
    ]
    lane = chart([40.0] * 288, events).desk.lane
    assert [(mark.symbol, mark.href) for mark in lane] == [("m3", "/alerts/1"), ("tk", "/tickets/2")]
    assert lane[0].title == "load high\nWO-260716-001"


def test_at_most_three_curves_are_drawn() -> None:
    start = start_of(DAY, NOW)
    series = [TrendSeries(name, steps([50.0] * 288, DAY.step_us, start)) for name in "ABCD"]
    assert len(trend(SUBJECT, series, [], DAY, NOW, ZONE, EN).desk.curves) == 3
