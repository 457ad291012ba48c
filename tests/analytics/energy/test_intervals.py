"""Steps of 15 minutes: cut, added and summed, with the grade of every figure."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analytics.energy.intervals import ESTIMATED, MEASURED, MISSING, STEP_US, Intervals, added, totals


def steps(words: str, start: int = 0) -> Intervals:
    """Read `1 2e _`: measured 1, estimated 2, missing."""
    used, grade = [], []
    for word in words.split():
        used.append(math.nan if word == "_" else float(word.rstrip("e")))
        grade.append(MISSING if word == "_" else ESTIMATED if word.endswith("e") else MEASURED)
    return Intervals(start * STEP_US, np.array(used), np.array(grade, dtype=np.int8))


def test_a_total_carries_the_shares_of_what_it_rests_on() -> None:
    total = steps("1 2e _ 4").total
    assert total.amount == 7.0
    assert (total.measured, total.estimated, total.missing) == (0.5, 0.25, 0.25)


def test_a_total_of_nothing_known_is_missing_and_not_zero() -> None:
    assert not steps("_ _").total.known
    assert steps("0 _").total.amount == 0.0


def test_sums_by_edges_hold_each_step_once() -> None:
    sums = totals(steps("1 2 3 _ 5e"), np.array([0, 2, 3, 5]) * STEP_US)
    assert sums.amount.tolist() == [3.0, 3.0, 5.0]
    assert sums.missing.tolist() == [0.0, 0.0, 0.5]
    assert sums[2].estimated == 0.5


def test_time_beyond_what_is_held_is_missing() -> None:
    cut = steps("1 2", start=2).window(0, 5 * STEP_US)
    assert cut.grade.tolist() == [MISSING, MISSING, MEASURED, MEASURED, MISSING]
    assert cut.used[2:4].tolist() == [1.0, 2.0]
    assert len(steps("1 2").window(9 * STEP_US, 10 * STEP_US)) == 1


def test_a_sum_of_registers_is_no_better_than_the_worst_of_them() -> None:
    both = added([steps("1 2 3"), steps("1 1e _")], [1.0, -1.0])
    assert both.grade.tolist() == [MEASURED, ESTIMATED, MISSING]
    assert both.used[:2].tolist() == [0.0, 1.0]


@pytest.mark.parametrize("edges", [[0, 0], [2, 1], [0], [0, 1.5]])
def test_edges_that_are_no_whole_rising_steps_are_refused(edges: list[float]) -> None:
    with pytest.raises(ValueError, match="edge"):
        totals(steps("1 2"), np.array([round(e * STEP_US) for e in edges]))


def test_registers_of_different_times_are_not_added() -> None:
    with pytest.raises(ValueError, match="same steps"):
        added([steps("1 2"), steps("1")])
