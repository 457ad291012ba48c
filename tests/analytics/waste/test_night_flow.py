"""Minimum night flow: nights are written as their level in m³/h; `_` is a night without data."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from analytics.waste.night_flow import NightFlowParameters, minimum_flow, night_flow

P = NightFlowParameters()
WEEK = "0.80 0.84 0.78 0.80 0.82 0.80 0.79"  # median 0.80, deviation 0.01: the limit is 0.1 above, at 0.90


def nights(levels: str) -> np.ndarray:
    return np.array([[np.nan if n == "_" else float(n)] * 8 for n in levels.split()])


@pytest.mark.parametrize(
    ("levels", "verdict", "over"),
    [
        (f"{WEEK} 0.80 0.81 0.80", "healthy", 0),
        (f"{WEEK} 0.80 2.1 2.2", "healthy", 0),  # two nights are not yet a leak
        (f"{WEEK} 2.1 2.2 2.3", "fault", 3),  # three are
        (f"{WEEK} 2.1 2.2 2.3 0.8", "healthy", 0),  # mended
        (f"{WEEK} 2.1 _ 2.2 2.3", "fault", 3),  # a night without data does not end the run
        (f"{WEEK} 2.1 _ _ 2.2", "cannot_tell", 0),  # nor does it lengthen it
        (f"{WEEK} 0.901 0.901 0.901", "fault", 3),
        (f"{WEEK} 0.90 0.90 0.90", "healthy", 0),
        (f"{WEEK} 0.80 0.80", "cannot_tell", 0),  # nine nights
        (f"{WEEK} 0.80 0.80 0.80", "healthy", 0),  # ten
        ("_ _ _", "cannot_tell", 0),
        ("", "cannot_tell", 0),
    ],
)
def test_a_leak_is_three_known_nights_above_the_past(levels: str, verdict: str, over: int) -> None:
    flow = nights(levels) if levels else np.empty((0, 8))
    result = night_flow(flow, 10.0, P)
    assert (result.verdict, result.nights_over) == (verdict, over)


def test_the_excess_is_what_lies_above_the_baseline_from_the_first_night_on() -> None:
    result = night_flow(nights(f"{WEEK} 2.1 2.2 2.3"), 10.0, P)
    assert result.baseline_m3h == pytest.approx(0.80)
    assert result.excess_m3h == pytest.approx(1.40)
    assert result.first_night == 7


def test_a_restless_past_needs_a_larger_rise() -> None:
    restless = "0.5 1.1 0.8 1.2 0.4 0.8 1.0"  # median 0.8, deviation 0.3: the limit is 1.7
    assert night_flow(nights(f"{restless} 1.69 1.69 1.69"), 10.0, P).verdict == "healthy"
    assert night_flow(nights(f"{restless} 1.71 1.71 1.71"), 10.0, P).verdict == "fault"


@pytest.mark.parametrize(
    ("mean", "verdict"), [(4.01, "cannot_tell"), (3.99, "fault"), (math.nan, "cannot_tell"), (0.0, "cannot_tell")]
)
def test_a_leak_that_has_always_been_there_shows_as_more_than_half_of_the_mean_flow(mean: float, verdict: str) -> None:
    result = night_flow(nights("2 2 2 2 2 2 2"), mean, P)
    assert result.verdict == verdict
    if verdict == "fault":
        assert result.excess_m3h == pytest.approx(1.2)  # above the allowance of 0.8


def test_a_meter_that_stood_still_once_has_no_standing_leak() -> None:
    flow = nights("2 2 2 2 2 2 2")
    flow[3, 0] = 0.0
    result = night_flow(flow, 3.0, P)
    assert not result.never_zero
    assert result.verdict == "cannot_tell"


def test_a_night_within_the_allowance_is_no_standing_leak() -> None:
    assert night_flow(nights("0.8 0.8 0.8 0.8 0.8 0.8 0.8 0.8 0.8 0.8"), 1.0, P).verdict == "healthy"


def test_the_floor_of_a_night_is_its_lowest_hour() -> None:
    flow = np.array([[5.0, 5.0, 1.0, 1.0, 1.0, 1.0, 5.0, 5.0]])
    assert minimum_flow(flow, P).tolist() == [1.0]
    assert minimum_flow(np.array([[5.0, 1.0, 5.0, 1.0, 5.0, 1.0, 5.0, 1.0]]), P).tolist() == [3.0]


@pytest.mark.parametrize(("missing", "known"), [(0, True), (1, False)])
def test_a_night_counts_when_nine_tenths_have_arrived(missing: int, known: bool) -> None:
    flow = np.full((1, 8), 1.0)
    flow[0, :missing] = np.nan
    assert np.isfinite(minimum_flow(flow, P)[0]) == known


def test_a_table_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"reshape it to \(nights, samples\)"):
        night_flow(np.zeros(8), 1.0, P)


flows = arrays(
    float, array_shapes(min_dims=2, max_dims=2, max_side=14), elements=st.floats(0, 9) | st.just(math.nan)
)  # fmt: skip


@given(flows)
def test_the_floor_agrees_with_a_loop_that_anyone_can_read(flow: np.ndarray) -> None:
    expected = []
    for night in flow:
        width = min(4, len(night))
        hours = [list(night[i : i + width]) for i in range(len(night) - width + 1)]
        whole = [sum(h) / width for h in hours if not any(math.isnan(x) for x in h)]
        arrived = sum(not math.isnan(x) for x in night)
        expected.append(min(whole) if whole and arrived >= 0.9 * len(night) else math.nan)
    assert minimum_flow(flow, P) == pytest.approx(np.array(expected), nan_ok=True)


@given(flows, st.floats(0, 5))
def test_more_flow_in_the_last_nights_never_cures_a_leak(flow: np.ndarray, more: float) -> None:
    before = night_flow(flow, 10.0, P)
    if before.verdict == "fault" and before.first_night:
        flow = flow.copy()
        flow[before.first_night :] += more
        assert night_flow(flow, 10.0, P).verdict == "fault"
