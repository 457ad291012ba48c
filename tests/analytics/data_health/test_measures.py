"""Pace, gaps, rests, jumps and noise, each against a loop that anyone can read."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.data_health.clocks import clock_offset
from analytics.data_health.measures import (
    RATE_SPAN_US,
    deaf_spans,
    gaps_of,
    jumps_of,
    noise_left,
    noise_of,
    pace_of,
    rests_of,
)

S = 1_000_000
NOTHING = np.empty((0, 2), dtype=np.int64)

rising = st.lists(st.integers(1, 400), min_size=1, max_size=60).map(
    lambda steps: np.cumsum(np.array(steps, dtype=np.int64)) * S
)


def spans_of(edges: np.ndarray) -> np.ndarray:
    """Make stretches that lie apart and rise, of rising times."""
    return edges[: edges.size // 2 * 2].reshape(-1, 2)


def at(*seconds: float) -> np.ndarray:
    return np.array([round(s * S) for s in seconds], dtype=np.int64)


# -- pace


def test_even_readings_have_a_pace_and_readings_on_change_have_a_longest_pause() -> None:
    even = pace_of(np.arange(20, dtype=np.int64) * 5 * S)
    assert even is not None
    assert (even.usual_us, even.regular) == (5 * S, True)
    uneven = pace_of(at(0, 1, 2, 40, 41, 100, 101, 102, 200, 260, 261))
    assert uneven is not None
    assert (uneven.longest_us, uneven.regular) == (98 * S, False)


def test_nine_readings_tell_a_pace_and_eight_do_not() -> None:
    assert pace_of(np.arange(9, dtype=np.int64) * S) is not None
    assert pace_of(np.arange(8, dtype=np.int64) * S) is None


def test_one_outage_does_not_change_the_pace() -> None:
    times = np.concatenate([np.arange(50), np.arange(5000, 5050)]).astype(np.int64) * 10 * S
    pace = pace_of(times)
    assert pace is not None
    assert (pace.usual_us, pace.regular) == (10 * S, True)


# -- gaps


@given(rising, rising, st.integers(2, 300))
def test_gaps_agree_with_counting_second_by_second(time_us: np.ndarray, edges: np.ndarray, allowed_s: int) -> None:
    deaf, end = spans_of(edges), int(time_us[-1]) + 100 * S
    found = gaps_of(time_us, end, S, allowed_s * S, deaf)
    count = longest = missing = 0
    ends = [*time_us.tolist(), end]
    for a, b in pairwise(ends):
        heard = sum(not any(d0 <= t < d1 for d0, d1 in deaf.tolist()) for t in range(a, b, S))
        if heard > allowed_s:
            count, longest, missing = count + 1, max(longest, heard), missing + heard - 1
    assert (found.count, found.longest_us, found.missing_us) == (count, longest * S, missing * S)


def test_a_gap_while_nobody_was_heard_is_nobodys() -> None:
    times = at(0, 10, 20, 500, 510)
    assert gaps_of(times, 510 * S, 10 * S, 90 * S, NOTHING).count == 1
    assert gaps_of(times, 510 * S, 10 * S, 90 * S, np.array([[20 * S, 495 * S]])).count == 0


def test_nobody_was_heard_where_none_of_the_witnesses_was() -> None:
    one, other = at(0, 10, 20, 300, 310), at(5, 15, 100, 305)
    spans = deaf_spans([one, other], 0, 310 * S, 90 * S)
    assert spans.tolist() == [[100 * S, 300 * S]]


def test_without_a_reading_there_is_no_gap_to_tell() -> None:
    assert gaps_of(np.empty(0, dtype=np.int64), 100 * S, S, S, NOTHING).count == 0


# -- rests


@given(st.lists(st.tuples(st.integers(1, 300), st.integers(0, 2)), min_size=1, max_size=50))
def test_rests_agree_with_a_walk_through_the_readings(steps: list[tuple[int, int]]) -> None:
    times = np.cumsum([d for d, _ in steps]).astype(np.int64) * S
    values = np.array([float(v) for _, v in steps])
    rests, begin = [], 0
    for i in range(1, len(steps) + 1):
        if i == len(steps) or values[i] != values[i - 1] or times[i] - times[i - 1] > 200 * S:
            rests.append(int(times[i - 1] - times[begin]))
            begin = i
    found = rests_of(times, values, 200 * S)
    assert (found.now_us, found.longest_us) == (rests[-1], max(rests[:-1], default=0))


# -- jumps


@given(st.lists(st.tuples(st.integers(1, 300), st.floats(-50, 50)), min_size=2, max_size=40), st.floats(0.01, 1.0))
def test_jumps_agree_with_a_loop(steps: list[tuple[int, float]], rate: float) -> None:
    times = np.cumsum([d for d, _ in steps]).astype(np.int64) * S
    values = np.array([v for _, v in steps])
    expected = [
        i
        for i in range(1, len(steps))
        if abs(values[i] - values[i - 1]) > rate * max(int(times[i] - times[i - 1]), RATE_SPAN_US) / 1e6
    ]
    assert jumps_of(times, values, rate).tolist() == expected


def test_a_point_without_a_known_rate_never_jumps() -> None:
    assert jumps_of(at(0, 1), np.array([0.0, 1e9]), math.nan).size == 0


# -- noise


def test_noise_is_told_from_level_slope_and_spikes() -> None:
    rng = np.random.default_rng(1)
    value = 20 + np.linspace(0, 50, 5000) + rng.normal(0, 0.3, 5000)
    value[::200] += 40
    assert noise_of(value) == pytest.approx(0.3, rel=0.1)


def test_a_dead_sensor_that_creeps_has_lost_its_noise_and_a_quiet_night_has_not() -> None:
    rng = np.random.default_rng(2)
    alive = 20 + rng.normal(0, 0.3, 1500)
    creeping = 20 + np.linspace(0, 0.5, 500)
    assert noise_left(np.concatenate([alive, creeping])) < 0.05
    night = 20 + rng.normal(0, 0.05, 500)
    assert noise_left(np.concatenate([alive, night, alive[:500], night])) > 0.05


def test_too_few_readings_tell_no_noise() -> None:
    assert math.isnan(noise_of(np.zeros(59)))


# -- clocks


def test_a_clock_offset_is_the_median_so_that_a_late_queue_does_not_count() -> None:
    arrival = np.arange(100, dtype=np.int64) * 10 * S
    behind = np.full(100, -45 * S, dtype=np.int64)
    behind[:30] = 300 * S
    found = clock_offset(arrival, behind)
    assert (found.behind_s, found.samples) == (-45.0, 100)


def test_a_drift_shows_over_hours_and_not_before() -> None:
    arrival = np.arange(0, 12 * 3600, 60, dtype=np.int64) * S
    behind = (arrival * (4.0 / 86400)).astype(np.int64)
    assert clock_offset(arrival, behind).drift_s_day == pytest.approx(4.0, rel=0.01)
    assert math.isnan(clock_offset(arrival[:300], behind[:300]).drift_s_day)


def test_four_samples_tell_no_offset() -> None:
    assert math.isnan(clock_offset(np.arange(4, dtype=np.int64), np.zeros(4, dtype=np.int64)).behind_s)
